//! `unlock USER`: lets somebody try again at once.

use countersign_protocol::manager::ManagerProxy;

use crate::cli::Unlock;
use crate::errors::Failure;
use crate::output::Output;
use crate::terminal::Screen;
use crate::text;

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: Unlock) -> Result<(), Failure> {
    let lifted = manager.unlock(&args.user, args.reason.as_deref().unwrap_or_default()).await?;
    let mut out = Output::stdout();
    out.line(&text::unlocked(&Screen::stdout().show(&args.user), lifted))?;
    out.flush()
}
