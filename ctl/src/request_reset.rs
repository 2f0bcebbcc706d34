//! `request-reset USER`: asks for a reset of a colleague, with a code of one's own.

use countersign_protocol::manager::ManagerProxy;
use rustix::process::geteuid;

use crate::cli::RequestReset;
use crate::errors::Failure;
use crate::output::Output;
use crate::prove::prove;
use crate::terminal::Screen;
use crate::text;
use crate::whom::Whom;

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: RequestReset) -> Result<(), Failure> {
    // Root asks for nothing, and the daemon says why.
    let proof = if geteuid().is_root() { String::new() } else { prove(manager, &Whom::of(None)?).await? };
    let id = manager.request_reset(&args.user, &args.reason, &proof).await?;
    let mut out = Output::stdout();
    out.line(&text::request_made(id, &Screen::stdout().show(&args.user)))?;
    out.flush()
}
