//! `email test`: how far a letter comes, stage by stage, and what to do about it.

pub(crate) mod preview;

use std::time::Duration;

use countersign_protocol::mailer::{MailerProxy, Outcome, Stage};
use countersign_protocol::manager::ManagerProxy;
use zbus::proxy::CacheProperties;

use crate::cli::EmailTest;
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::progress::Progress;
use crate::terminal::Screen;
use crate::text::email as text;
use crate::{json, terminal, text as all};

/// How long a mail server may take in all. Some are slow to greet strangers.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn test(manager: &ManagerProxy<'_>, args: &EmailTest) -> Result<(), Failure> {
    // The mailer is asked itself: it works, or fails, without the daemon too.
    let bus = manager.inner().connection();
    let mailer = MailerProxy::builder(bus).cache_properties(CacheProperties::No).build().await?;
    let mailbox = args.mailbox.as_deref().unwrap_or_default();
    let milliseconds = u32::try_from(PATIENCE.as_millis()).unwrap_or(u32::MAX);
    let testing = mailer.test(mailbox, &args.address, milliseconds);
    let (outcome, stages) = Progress::during(all::SENDING, testing).await.map_err(no_mailer)?;
    let mut out = Output::stdout();
    if args.json {
        out.line(&json::mail_test(&outcome, &stages))?;
    } else {
        show(&mut out, args, &outcome, &stages)?;
    }
    out.flush()?;
    match Outcome::parse(&outcome) {
        Some(Outcome::Sent) => Ok(()),
        _ => Err(Failure::new(Exit::Problems, String::new())),
    }
}

fn show(out: &mut Output, args: &EmailTest, outcome: &str, stages: &[Stage]) -> Result<(), Failure> {
    let screen = Screen::stdout();
    for stage in stages {
        let how = if stage.outcome == "ok" { text::OK } else { text::FAILED };
        let line = format!("{:<10} {how:<7} {}", stage.stage, stage.said);
        out.line(screen.show(&line).trim_end())?;
    }
    out.line("")?;
    let last = stages.last();
    let verdict = match Outcome::parse(outcome) {
        Some(Outcome::Sent) => text::sent(&args.address),
        Some(Outcome::Unknown) => text::UNKNOWN.to_owned(),
        _ => text::advice(last.map_or("", |s| &s.stage), last.map_or("", |s| &s.cause)).to_owned(),
    };
    out.line(&screen.show(&verdict))
}

/// A mailer that is not there is not the daemon that is not there.
fn no_mailer(error: zbus::Error) -> Failure {
    match &error {
        zbus::Error::FDO(e) if matches!(**e, zbus::fdo::Error::ServiceUnknown(_)) => {
            Failure::new(Exit::Unavailable, text::NO_MAILER)
        }
        zbus::Error::MethodError(name, said, _) if name.starts_with("org.freedesktop.") => {
            let said = terminal::safe(said.as_deref().unwrap_or_default());
            match name.as_str() {
                "org.freedesktop.DBus.Error.AccessDenied" => {
                    Failure::new(Exit::NotAuthorized, text::NOT_ROOT)
                }
                _ => Failure::new(Exit::Unavailable, text::not_started(&said)),
            }
        }
        _ => error.into(),
    }
}
