//! `forget USER`: no place is remembered any more from which somebody passes unasked.

use countersign_protocol::manager::ManagerProxy;

use crate::cli::Forget;
use crate::errors::Failure;
use crate::output::Output;
use crate::terminal::Screen;
use crate::text;

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: Forget) -> Result<(), Failure> {
    let forgotten = manager.forget(&args.user).await?;
    let mut out = Output::stdout();
    out.line(&text::forgotten(&Screen::stdout().show(&args.user), forgotten))?;
    out.flush()
}
