//! `recovery-codes [USER]`: how many are left, a new set, or a look at them.

use std::io::IsTerminal;

use countersign_protocol::manager::ManagerProxy;
use zeroize::Zeroizing;

use crate::cli::RecoveryCodes;
use crate::errors::Failure;
use crate::output::{Output, write_secret};
use crate::prove::prove;
use crate::terminal::Screen;
use crate::whom::Whom;
use crate::{json, text};

/// DIS-09: codes are not written into files and pipes by accident.
pub(crate) fn refuse_early(args: &RecoveryCodes) -> Result<(), Failure> {
    if (args.new || args.view) && !args.json && !std::io::stdout().is_terminal() {
        return Err(Failure::usage(text::CODES_NEED_TERMINAL));
    }
    Ok(())
}

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: RecoveryCodes) -> Result<(), Failure> {
    let whom = Whom::of(args.user)?;
    let user = Screen::stdout().show(&whom.user);
    if !args.new && !args.view {
        let person = manager.status(&whom.user).await?;
        let left = person.factors.iter().filter(|one| one.kind == "recovery").map(|one| one.left).sum();
        let mut out = Output::stdout();
        out.line(&if args.json { json::codes_left(left) } else { text::codes_left(&user, left) })?;
        return out.flush();
    }
    let codes = if args.new {
        let proof = prove(manager, &whom).await?;
        manager.new_recovery_codes(&whom.user, &proof).await?
    } else {
        manager.view_recovery_codes(&whom.user, args.reason.as_deref().unwrap_or_default()).await?
    };
    let codes: Vec<Zeroizing<String>> = codes.into_iter().map(Zeroizing::new).collect();
    if args.json {
        let recovery_codes = codes.iter().map(|code| code.as_str()).collect();
        return write_secret(&json::secret_line(&json::RecoveryLine { recovery_codes }));
    }
    let screen = Screen::stdout();
    let mut shown = Zeroizing::new(String::with_capacity(4 * 1024));
    shown.push_str(&if args.new { text::new_codes(&user, codes.len()) } else { text::viewed_codes(&user) });
    for (index, code) in codes.iter().enumerate() {
        let code = Zeroizing::new(screen.show(code));
        shown.push_str(&format!("  {:>3}  ", index + 1));
        shown.push_str(&code);
        shown.push('\n');
    }
    shown.push_str(text::CODES_ON_SCREEN);
    write_secret(shown.as_bytes())
}
