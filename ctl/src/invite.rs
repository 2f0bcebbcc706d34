//! `invite USER`: a one-time code to enroll with.

use countersign_protocol::manager::ManagerProxy;

use crate::cli::Invite;
use crate::errors::Failure;
use crate::output::write_secret;
use crate::terminal::Screen;
use crate::{json, text, time};

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: Invite) -> Result<(), Failure> {
    let (code, seconds) = manager.invite(&args.user, args.minutes).await?;
    let code = zeroize::Zeroizing::new(code);
    if args.json {
        return write_secret(&json::secret_line(&json::InvitationLine { code: &code, seconds }));
    }
    let screen = Screen::stdout();
    let code = zeroize::Zeroizing::new(screen.show(&code));
    let shown = text::invited(&screen.show(&args.user), &code, &time::duration(seconds));
    write_secret(zeroize::Zeroizing::new(shown).as_bytes())
}
