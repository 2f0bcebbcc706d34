//! What a person hears of what happened to their factors, once they are in. English now; every
//! sentence about a notice stands here, ready for translation.

use crate::journal::is_unsafe;
use crate::store::{Noted, NoticeKind as Kind, Untold};
use crate::text::Message;
use countersign_protocol::login::STYLE_INFO;

/// The terminal that everything fits.
const COLUMNS: usize = 80;
/// Characters of outside text that one line shows.
const LONGEST_DETAIL: usize = 120;

/// Everything this person has not been told, as one message: old versions of sshd count messages.
#[must_use]
pub fn since_last_login(user: &str, untold: &Untold) -> Option<Message> {
    if untold.newest.is_empty() {
        return None;
    }
    let mut text = String::from("\nSince your last login:");
    for one in &untold.newest {
        push_wrapped(&mut text, &format!("{}, {}{}.", one.at, sentence(one), times(one.times)));
    }
    if untold.more > 0 {
        push_wrapped(
            &mut text,
            &format!("and {} more, to be seen with: countersignctl status {}", untold.more, shown(user)),
        );
    }
    text.push_str("\nIf any of this was not you, tell your administrator now.\n");
    Some((STYLE_INFO, text))
}

/// What happened, in plain words and ASCII apart from outside text; begins small and has no full stop.
#[must_use]
pub fn sentence(one: &Noted) -> String {
    let detail = shown(&one.detail);
    let Some(kind) = Kind::parse(&one.kind) else {
        // A word that an older or newer version wrote still tells something.
        return format!("{} ({detail})", shown(&one.kind));
    };
    let where_from = || place(&detail);
    match kind {
        Kind::RecoveryUsed => format!("a recovery code was used {}", where_from()),
        Kind::Locked => format!("too many wrong codes were typed {}", where_from()),
        Kind::CodeReused => format!("a code that was used already was typed again {}", where_from()),
        Kind::Enrolled => format!("the authenticator \"{detail}\" was added"),
        Kind::Imported => format!("the authenticator \"{detail}\" was taken over from another program"),
        Kind::Removed => format!("the authenticator \"{detail}\" was removed"),
        Kind::NewCodes => "new recovery codes were made, the old ones are void".into(),
        Kind::CodesViewed => format!("your recovery codes were looked at by {detail}"),
        Kind::Invited => format!("a one-time code for you to enroll with was made by {detail}"),
        Kind::ResetRequested => format!("a reset of your second factor was asked for (request {detail})"),
        Kind::ResetApproved => format!("that reset was approved (request {detail})"),
        Kind::ResetRefused => format!("that reset was refused (request {detail})"),
        Kind::Reset => format!("your second factors were removed by {detail}"),
        Kind::Exempted => format!("no second factor is asked of you until {detail}"),
        Kind::Required => format!("a second factor is now asked of you, set by {detail}"),
        Kind::ExemptionEnded => format!("a second factor is asked of you again, set by {detail}"),
        Kind::AddressAsked => format!("another mail address for you was asked for: {}", by(&detail)),
        Kind::AddressSet => format!("your mail address was set: {}", by(&detail)),
        Kind::AddressRemoved => format!("your mail address was removed: {}", by(&detail)),
        Kind::RequirementEnded => format!("a second factor is asked of you only by policy, set by {detail}"),
        Kind::Exported => format!("what lets you in was copied for another host by {detail}"),
        Kind::CameFrom => format!("what lets you in on another host now does here, by {detail}"),
        Kind::LockedByAdmin => format!("your logins were locked by {detail}"),
        Kind::UnlockedByAdmin => format!("your logins were unlocked by {detail}"),
        Kind::Restored => format!("a backup was brought back, and your factors may be others: {detail}"),
    }
}

fn times(times: u32) -> String {
    if times > 1 { format!(" ({times} times)") } else { String::new() }
}

/// `ADDRESS BY` in words.
fn by(detail: &str) -> String {
    detail.split_once(' ').map_or_else(|| detail.to_owned(), |(address, by)| format!("{address}, by {by}"))
}

/// `SERVICE SOURCE` in words.
fn place(detail: &str) -> String {
    match detail.rsplit_once(' ') {
        Some((service, "local")) => format!("for {service} on this machine"),
        Some((service, "unknown")) => format!("for {service} from an unknown place"),
        Some((service, source)) => format!("for {service} from {source}"),
        None => format!("for {detail}"),
    }
}

/// Outside text for a terminal.
fn shown(text: &str) -> String {
    let mut shown: String =
        text.chars().map(|c| if is_unsafe(c) { '?' } else { c }).take(LONGEST_DETAIL).collect();
    if text.chars().nth(LONGEST_DETAIL).is_some() {
        shown.push_str("...");
    }
    shown
}

/// Adds a line, indented, broken between words where it is longer than a terminal is wide.
fn push_wrapped(text: &mut String, line: &str) {
    let mut column = COLUMNS;
    let mut indent = "\n  ";
    for word in line.split(' ') {
        let width = word.chars().count();
        if column + 1 + width > COLUMNS {
            text.push_str(indent);
            column = indent.len() - 1;
            indent = "\n    ";
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(kind: &str, detail: &str) -> Noted {
        Noted { at: "2026-11-22 14:03 UTC".into(), kind: kind.into(), detail: detail.into(), times: 1 }
    }

    fn told(newest: Vec<Noted>, more: u32) -> String {
        let untold = Untold { newest, more, ..Untold::default() };
        since_last_login("alice", &untold).map(|(_, text)| text).unwrap_or_default()
    }

    #[test]
    fn nothing_new_says_nothing() {
        assert_eq!(since_last_login("alice", &Untold::default()), None);
    }

    #[test]
    fn what_happened_reads_like_this() {
        let text = told(
            vec![
                noted("recovery-used", "sshd 192.0.2.7"),
                Noted { times: 3, ..noted("locked", "sudo local") },
                noted("code-reused", "sshd unknown"),
                noted("reset-requested", "3 carol: phone lost"),
            ],
            2,
        );
        assert_eq!(
            text,
            "\nSince your last login:\n  \
               2026-11-22 14:03 UTC, a recovery code was used for sshd from 192.0.2.7.\n  \
               2026-11-22 14:03 UTC, too many wrong codes were typed for sudo on this machine\n    \
                 (3 times).\n  \
               2026-11-22 14:03 UTC, a code that was used already was typed again for sshd\n    \
                 from an unknown place.\n  \
               2026-11-22 14:03 UTC, a reset of your second factor was asked for (request 3\n    \
                 carol: phone lost).\n  \
               and 2 more, to be seen with: countersignctl status alice\n\
             If any of this was not you, tell your administrator now.\n"
        );
    }

    #[test]
    fn inp_03_outside_text_stays_text_and_short() {
        let long = "x ".repeat(500);
        for detail in ["a\u{1b}[2Jb\n<0>c\u{202e}\u{9b}", long.as_str(), ""] {
            for kind in ["reset", "recovery-used", "no-such-kind\u{1b}"] {
                let text = told(vec![noted(kind, detail)], 0);
                assert!(!text.replace('\n', "").chars().any(is_unsafe), "{text:?}");
                assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
                assert!(text.lines().count() < 9, "{text}");
            }
        }
    }

    /// INP-03: LANG=C.
    #[test]
    fn every_kind_has_a_sentence_of_ascii() {
        for kind in [
            "recovery-used",
            "locked",
            "code-reused",
            "enrolled",
            "imported",
            "removed",
            "new-codes",
            "codes-viewed",
            "invited",
            "reset-requested",
            "reset-approved",
            "reset-refused",
            "reset",
            "exempted",
            "required",
            "address-asked",
            "address-set",
            "address-removed",
            "locked-by-admin",
            "unlocked-by-admin",
        ] {
            assert!(Kind::parse(kind).is_some_and(|known| known.as_str() == kind), "{kind}");
            let text = told(vec![noted(kind, "detail")], 0);
            assert!(text.is_ascii() && !text.contains(&format!("{kind} (")), "{text}");
        }
    }
}
