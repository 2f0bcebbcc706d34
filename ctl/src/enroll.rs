//! `enroll [USER]`: an authenticator app for somebody, kept only when its first code was right.

use std::io::IsTerminal;

use countersign_protocol::manager::ManagerProxy;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::cli::Enroll;
use crate::errors::{Failure, is_wrong_code, needs_invitation};
use crate::output::write_secret;
use crate::prove::prove;
use crate::qr::{self, Drawing};
use crate::terminal::{Screen, ask, complain, read_line, safe};
use crate::whom::Whom;
use crate::{json, text};

/// How often a person may mistype; a script knows the code.
const ATTEMPTS: u32 = 3;
/// No code is longer; what is longer is not sent.
const LONGEST_CODE: usize = 64;

/// An enrollment that the daemon has begun and not kept. No `Debug`: it holds the secret.
struct Begun {
    id: String,
    uri: Zeroizing<String>,
    secret: Zeroizing<String>,
    issuer: String,
    account: String,
}

/// DIS-09: the key is not written into files and pipes by accident.
pub(crate) fn refuse_early(args: &Enroll) -> Result<(), Failure> {
    if !args.json && !std::io::stdout().is_terminal() {
        return Err(Failure::usage(text::ENROLL_NEEDS_TERMINAL));
    }
    Ok(())
}

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: Enroll) -> Result<(), Failure> {
    let whom = Whom::of(args.user.clone())?;
    let proof = prove(manager, &whom).await?;
    let name = args.name.as_deref().unwrap_or_default();
    let typed = args.invitation.as_deref().unwrap_or_default();
    // From here on Ctrl-C is ours: what was begun is thrown away before we end.
    let mut stop = Stop::listen()?;
    let begun = match manager.enroll(&whom.user, name, &proof, typed).await {
        // A program that reads JSON gives it on the command line.
        Err(error) if typed.is_empty() && !args.json && needs_invitation(&error) => {
            complain(text::INVITATION_NEEDED);
            ask(text::INVITATION_QUESTION);
            let typed = stop.unless(next_line()).await??;
            let typed = Zeroizing::new(String::from_utf8_lossy(trimmed(&typed)).into_owned());
            manager.enroll(&whom.user, name, &proof, &typed).await
        }
        begun => begun,
    };
    let (id, uri, secret, issuer, account) = begun?;
    let begun = Begun { id, uri: uri.into(), secret: secret.into(), issuer, account };
    let codes = match confirm(manager, &args, &whom.user, &begun, &mut stop).await {
        Ok(codes) => codes,
        Err(failure) => {
            cancel(manager, &begun.id).await;
            return Err(failure);
        }
    };
    let shown = if args.json { print_json(&codes) } else { print_codes(&whom.user, &codes) };
    // Too late to cancel: the factor is kept, and only the codes are lost.
    shown.map_err(|_| Failure::failed(text::codes_lost(&safe(&whom.user))))
}

/// Shows the key and asks for codes until one is right; returns the recovery codes.
async fn confirm(
    manager: &ManagerProxy<'_>,
    args: &Enroll,
    user: &str,
    begun: &Begun,
    stop: &mut Stop,
) -> Result<Vec<Zeroizing<String>>, Failure> {
    let screen = Screen::stdout();
    if args.json {
        warn_of_files();
        write_secret(&json::secret_line(&json::EnrollmentLine {
            uri: &begun.uri,
            secret: &begun.secret,
            issuer: &begun.issuer,
            account: &begun.account,
        }))?;
    } else {
        write_secret(introduction(user, begun, screen).as_bytes())?;
    }
    let attempts = if args.json { 1 } else { ATTEMPTS };
    for left in (0..attempts).rev() {
        if !args.json {
            write_secret(text::ENROLL_QUESTION.as_bytes())?;
        }
        let code = stop.unless(next_line()).await??;
        let code = trimmed(&code);
        let answer = if code.is_empty() || code.len() > LONGEST_CODE {
            None
        } else {
            Some(manager.confirm_enrollment(&begun.id, code).await)
        };
        match answer {
            Some(Ok(codes)) => return Ok(codes.into_iter().map(Zeroizing::new).collect()),
            Some(Err(error)) if !is_wrong_code(&error) => return Err(error.into()),
            None | Some(Err(_)) if left > 0 => complain(&text::wrong_code(left)),
            None | Some(Err(_)) => {}
        }
    }
    Err(Failure::failed(text::not_enrolled(&safe(user))))
}

/// Throws the enrollment away. That it could not be is worth a line, not another failure: it
/// was never confirmed, so it opens nothing, and the daemon forgets it by itself.
async fn cancel(manager: &ManagerProxy<'_>, id: &str) {
    if let Err(error) = manager.cancel_enrollment(id).await {
        complain(&text::not_cancelled(&safe(&error.to_string())));
    }
}

/// Everything that is shown before the question.
fn introduction(user: &str, begun: &Begun, screen: Screen) -> Zeroizing<String> {
    let mut shown = Zeroizing::new(String::with_capacity(16 * 1024));
    shown.push_str(&text::enrolling(&screen.show(user)));
    shown.push_str(text::TYPE_KEY);
    let key = Zeroizing::new(screen.show(&grouped(&begun.secret)));
    text::push_key(&mut shown, &key, &screen.show(&begun.account), &screen.show(&begun.issuer));
    // The code comes last: with the question below it, it is whole on 24 lines.
    match qr::draw(&begun.uri, screen) {
        Drawing::Lines(code) => {
            shown.push_str(text::OR_SCAN);
            shown.push_str(&code);
            shown.push('\n');
        }
        Drawing::NoUtf8 => shown.push_str(text::NO_QR_LOCALE),
        Drawing::Needs(columns) => shown.push_str(&text::no_qr_width(columns)),
        Drawing::TooLong => shown.push_str(text::NO_QR_LENGTH),
    }
    shown
}

fn print_json(codes: &[Zeroizing<String>]) -> Result<(), Failure> {
    let recovery_codes = codes.iter().map(|code| code.as_str()).collect();
    write_secret(&json::secret_line(&json::RecoveryLine { recovery_codes }))
}

fn print_codes(user: &str, codes: &[Zeroizing<String>]) -> Result<(), Failure> {
    let screen = Screen::stdout();
    let mut shown = Zeroizing::new(String::with_capacity(4 * 1024));
    if codes.is_empty() {
        return write_secret(text::enrolled_further(&screen.show(user)).as_bytes());
    }
    shown.push_str(&text::enrolled(&screen.show(user), codes.len()));
    for (index, code) in codes.iter().enumerate() {
        let code = Zeroizing::new(screen.show(code));
        shown.push_str(&format!("  {:>3}  ", index + 1));
        shown.push_str(&code);
        shown.push('\n');
    }
    shown.push_str(text::KEEP_CODES);
    write_secret(shown.as_bytes())
}

/// A pipe is read by a program; a file stays.
fn warn_of_files() {
    use std::os::fd::AsFd;
    let copy = std::io::stdout().as_fd().try_clone_to_owned().map(std::fs::File::from);
    if copy.and_then(|file| file.metadata()).is_ok_and(|about| about.is_file()) {
        complain(text::SECRET_IN_FILE);
    }
}

/// A base32 key in groups of four, as it is easiest to type.
fn grouped(secret: &str) -> Zeroizing<String> {
    let mut key = Zeroizing::new(String::with_capacity(secret.len() * 2));
    for (index, c) in secret.chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            key.push(' ');
        }
        key.push(c);
    }
    key
}

fn trimmed(code: &[u8]) -> &[u8] {
    code.trim_ascii()
}

/// Reads a line on a thread of its own: a read of a terminal cannot be called back, and must
/// not keep Ctrl-C from being noticed. The thread ends with the process.
async fn next_line() -> Result<Zeroizing<Vec<u8>>, Failure> {
    let (give, take) = oneshot::channel();
    std::thread::spawn(move || drop(give.send(read_line())));
    match take.await {
        Ok(Ok(Some(line))) => Ok(line),
        Ok(Ok(None)) => Err(Failure::failed(text::NO_CODE)),
        Ok(Err(error)) => Err(Failure::failed(text::cannot_read(&safe(&error.to_string())))),
        Err(_) => Err(Failure::failed(text::NO_CODE)),
    }
}

/// The signals that ask us to end.
struct Stop {
    signals: [Signal; 3],
}

impl Stop {
    fn listen() -> Result<Self, Failure> {
        let on = |kind: SignalKind| signal(kind).map_err(|error| Failure::failed(text::no_runtime(&error)));
        let signals = [on(SignalKind::interrupt())?, on(SignalKind::terminate())?, on(SignalKind::hangup())?];
        Ok(Self { signals })
    }

    /// What `work` gives, unless a signal comes first. One that came before counts too.
    async fn unless<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            biased;
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            result = work => return Ok(result),
        }
        // The cursor stands behind the question.
        complain("");
        Err(Failure::failed(text::INTERRUPTED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> Begun {
        Begun {
            id: "1".into(),
            uri: "otpauth://totp/Acme:alice?secret=ABCDEFGHIJ&issuer=Acme".to_owned().into(),
            secret: "ABCDEFGHIJ".to_owned().into(),
            issuer: "Acme\u{1b}[2J".into(),
            account: "alice@host".into(),
        }
    }

    #[test]
    fn keys_are_grouped() {
        assert_eq!(*grouped("ABCDEFGHIJ"), "ABCD EFGH IJ");
        assert_eq!(*grouped("ABCD"), "ABCD");
        assert_eq!(*grouped(""), "");
    }

    #[test]
    fn the_introduction_fits_80_columns_and_carries_no_escape() {
        for utf8 in [true, false] {
            for width in [80, 20] {
                let screen = Screen { width: Some(width), utf8 };
                let shown = introduction("alice\u{1b}", &begun(), screen);
                assert!(!shown.contains('\u{1b}'));
                assert!(shown.contains("ABCD EFGH IJ"));
                assert_eq!(shown.contains('█'), utf8 && width == 80);
                assert!(shown.lines().all(|line| line.chars().count() <= 80));
            }
        }
    }
}
