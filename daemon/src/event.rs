//! What happens, as the journal has it: each event with a number of its own (`MESSAGE_ID=`) and fields that
//! programs read, such as `journalctl MESSAGE_ID=...` and fail2ban. The catalog that is installed beside us
//! explains the same numbers to people (`journalctl -x`).

use crate::error::Error;
use crate::journal::{self, Facility, Field};
use countersign_protocol::manager::{Act, Login};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The number of each event; `packaging/usr/lib/systemd/catalog/countersign.catalog` has the same.
const LOGIN_VERIFIED: &str = "7d0a3f4e5b8c4c0f9b1a2e6d8c3f5a01";
const LOGIN_DENIED: &str = "7d0a3f4e5b8c4c0f9b1a2e6d8c3f5a02";
const LOGIN_LOCKED: &str = "7d0a3f4e5b8c4c0f9b1a2e6d8c3f5a03";
const LOGIN_NOT_ASKED: &str = "7d0a3f4e5b8c4c0f9b1a2e6d8c3f5a04";
const LOGIN_ABANDONED: &str = "7d0a3f4e5b8c4c0f9b1a2e6d8c3f5a05";
const LOGIN_ENROLLED: &str = "7d0a3f4e5b8c4c0f9b1a2e6d8c3f5a06";
const ACT_DONE: &str = "7d0a3f4e5b8c4c0f9b1a2e6d8c3f5a11";
const ACT_REFUSED: &str = "7d0a3f4e5b8c4c0f9b1a2e6d8c3f5a12";
const LOG_BROKEN: &str = "7d0a3f4e5b8c4c0f9b1a2e6d8c3f5a21";

/// A login that came to an end, or that a second factor was right in. `caller` began it; `first` says that
/// the log has it for the first time. Gives whether it is an end of its own, and no addition to one.
pub fn login(login: &Login, caller: u32, first: bool, link: &str) -> bool {
    let refused = matches!(login.state.as_str(), "denied" | "locked");
    // The account phase changes what a login came to only where it says so.
    if !(first || refused || login.state == "enrolled") {
        return false;
    }
    let (id, priority) = match login.state.as_str() {
        "verified" => (LOGIN_VERIFIED, journal::INFO),
        "denied" => (LOGIN_DENIED, journal::NOTICE),
        "locked" => (LOGIN_LOCKED, journal::NOTICE),
        "abandoned" => (LOGIN_ABANDONED, journal::INFO),
        "enrolled" => (LOGIN_ENROLLED, journal::NOTICE),
        _ => (LOGIN_NOT_ASKED, journal::INFO),
    };
    // The address comes first and only from root's module: what anybody else says of where they come
    // from would have others banned. What follows it is quoted.
    let from = if caller == 0 { format!("from={}", login.source) } else { format!("by-uid={caller}") };
    let (uid, row, tries) = (login.uid.to_string(), login.id.to_string(), login.tries.to_string());
    let caller = caller.to_string();
    journal::send(&journal::Message {
        id,
        priority,
        facility: if refused { Facility::AuthPriv } else { Facility::Daemon },
        event: &format!("login {} {from}", login.state),
        said: &[
            Field::new("reason", &login.reason),
            Field::new("service", &login.service),
            Field::new("policy", &login.policy),
            Field::new("user", &login.user),
        ],
        fields: &[
            Field::new("COUNTERSIGN_LOGIN", &row),
            Field::new("COUNTERSIGN_USER", &login.user),
            Field::new("COUNTERSIGN_UID", &uid),
            Field::new("COUNTERSIGN_RUSER", &login.ruser),
            Field::new("COUNTERSIGN_SERVICE", &login.service),
            Field::new("COUNTERSIGN_PROGRAM", &login.program),
            Field::new("COUNTERSIGN_TTY", &login.tty),
            Field::new("COUNTERSIGN_SOURCE", &login.source),
            Field::new("COUNTERSIGN_CALLER", &caller),
            Field::new("COUNTERSIGN_POLICY", &login.policy),
            Field::new("COUNTERSIGN_STATE", &login.state),
            Field::new("COUNTERSIGN_FACTOR", &login.factor),
            Field::new("COUNTERSIGN_REASON", &login.reason),
            Field::new("COUNTERSIGN_TRIES", &tries),
            Field::new("COUNTERSIGN_LINK", link),
        ],
    });
    true
}

/// An administrative act that was done.
pub fn act(act: &Act, link: &str) {
    let (actor, row) = (act.actor.to_string(), act.id.to_string());
    let loginuid = if act.loginuid < 0 { String::new() } else { act.loginuid.to_string() };
    let uid = if act.uid < 0 { String::new() } else { act.uid.to_string() };
    journal::send(&journal::Message {
        id: ACT_DONE,
        priority: journal::NOTICE,
        facility: Facility::AuthPriv,
        event: &format!("act {}", act.verb),
        said: &[
            Field::new("by-uid", &actor),
            Field::new("by", &act.actor_name),
            Field::new("loginuid", &loginuid),
            Field::new("user", &act.user),
            Field::new("before", &act.before),
            Field::new("after", &act.after),
            Field::new("reason", &act.reason),
        ],
        fields: &[
            Field::new("COUNTERSIGN_ACT", &row),
            Field::new("COUNTERSIGN_VERB", &act.verb),
            Field::new("COUNTERSIGN_ACTOR_UID", &actor),
            Field::new("COUNTERSIGN_ACTOR", &act.actor_name),
            Field::new("COUNTERSIGN_LOGINUID", &loginuid),
            Field::new("COUNTERSIGN_USER", &act.user),
            Field::new("COUNTERSIGN_UID", &uid),
            Field::new("COUNTERSIGN_BEFORE", &act.before),
            Field::new("COUNTERSIGN_AFTER", &act.after),
            Field::new("COUNTERSIGN_REASON", &act.reason),
            Field::new("COUNTERSIGN_LINK", link),
        ],
    });
}

/// Refused attempts that are told of in a minute; more say nothing new.
const TOLD_A_MINUTE: u32 = 60;

/// A call on the Manager interface that was refused, if one runs.
pub fn refused(why: &Error) {
    static TOLD: Mutex<Option<(Instant, u32)>> = Mutex::new(None);
    let Some(deed) = crate::act::current() else { return };
    let word = match why {
        Error::NotAuthorized(_) => "not-authorized",
        Error::NotFound(_) => "not-found",
        Error::Expired(_) => "expired",
        Error::InvalidArgument(_) => "invalid",
        // Nothing was refused: it could not be done.
        Error::Busy(_) | Error::Unavailable(_) => return,
    };
    if !deed.acts && !matches!(why, Error::NotAuthorized(_)) {
        return;
    }
    {
        let mut told = TOLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (since, count) = told
            .filter(|(since, _)| since.elapsed() < Duration::from_secs(60))
            .unwrap_or((Instant::now(), 0));
        *told = Some((since, count.saturating_add(1)));
        if count >= TOLD_A_MINUTE {
            return;
        }
    }
    let actor = deed.actor.to_string();
    let user = deed.about.map(|(_, name)| name).unwrap_or_default();
    journal::send(&journal::Message {
        id: ACT_REFUSED,
        priority: journal::WARNING,
        facility: Facility::AuthPriv,
        event: &format!("act refused {}", deed.verb),
        said: &[
            Field::new("why", word),
            Field::new("by-uid", &actor),
            Field::new("by", &deed.actor_name),
            Field::new("user", &user),
            Field::new("reason", &deed.reason),
        ],
        fields: &[
            Field::new("COUNTERSIGN_VERB", &deed.verb),
            Field::new("COUNTERSIGN_ACTOR_UID", &actor),
            Field::new("COUNTERSIGN_ACTOR", &deed.actor_name),
            Field::new("COUNTERSIGN_USER", &user),
            Field::new("COUNTERSIGN_REASON", &deed.reason),
            Field::new("COUNTERSIGN_WHY", word),
        ],
    });
}

/// The ends of the log do not fit.
pub fn log_broken() {
    journal::send(&journal::Message {
        id: LOG_BROKEN,
        priority: journal::ERROR,
        facility: Facility::AuthPriv,
        event: "the log was changed by somebody else; run `countersignctl log verify`",
        said: &[],
        fields: &[],
    });
}
