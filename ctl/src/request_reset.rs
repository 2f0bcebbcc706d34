//! `request-reset USER`: asks for a reset of a colleague.

use countersign_protocol::manager::ManagerProxy;

use crate::cli::RequestReset;
use crate::errors::Failure;
use crate::output::Output;
use crate::terminal::Screen;
use crate::text;

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: RequestReset) -> Result<(), Failure> {
    let id = manager.request_reset(&args.user, &args.reason, "").await?;
    let mut out = Output::stdout();
    out.line(&text::request_made(id, &Screen::stdout().show(&args.user)))?;
    out.flush()
}
