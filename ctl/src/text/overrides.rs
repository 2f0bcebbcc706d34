//! The sentences of `lock`, `exempt`, `require` and `accept-clock`.

use crate::time;

/// Seconds of a day.
const DAY: i64 = 86_400;

pub(crate) const AT_ONCE: &str = "at once";
pub(crate) const NOBODY_EXEMPT: &str = "Nobody is exempt.";
pub(crate) const NOBODY_REQUIRED: &str =
    "A second factor is required of nobody by name. What policies say:  countersignctl policy explain USER";

pub(crate) const NOBODY_LOCKED: &str = "Nobody is locked by an administrator.";
pub(crate) const LOCK_NEEDS_REASON: &str = "a lock needs a reason, because an auditor will ask for one.\n\
    Nothing was changed. Add  --reason \"TEXT\".";
pub(crate) const LOCK_NEEDS_YES: &str = "lock asks before it keeps anybody out, and standard input is no terminal.\n\
    Nothing was changed. Add --yes if you are sure.";
pub(crate) const NOT_LOCKED: &str = "not locked, because the answer was not yes. Nothing was changed.";
pub(crate) const LOCKS_YOU: &str =
    "THIS IS YOU. Once your sessions are closed somebody else has to let you in again.";
pub(crate) const LOCKS_LAST: &str = "NOBODY ELSE who can become root here by a login is unlocked. Keep a root shell open,\n\
    or the way back is the rescue shell and root's password.";

/// What `lock` does, what else must be said, and the question.
pub(crate) fn lock_question(user: &str, uid: Option<u32>, danger: Option<&str>) -> String {
    let uid = uid.map(|uid| format!(" (uid {uid})")).unwrap_or_default();
    let danger = danger.map(|danger| format!("{danger}\n")).unwrap_or_default();
    format!(
        "{user}{uid} will get in nowhere that countersign is asked on this host,\n\
         whatever {user} shows, also where no code is asked for, until:\n    \
         countersignctl unlock {user} --reason TEXT\n\
         {danger}Type yes to go on: "
    )
}

pub(crate) fn now_locked(user: &str) -> String {
    format!("{user} is locked. To end that:  countersignctl unlock {user} --reason TEXT")
}

/// Before the reason why sessions go on although they should not.
pub(crate) fn locked_but(user: &str) -> String {
    format!("{user} is locked, but sessions of {user} go on:\n")
}

pub(crate) const EXEMPT_NEEDS_END: &str = "an exemption needs an end. Nothing was changed.\n\
    Add  --until 2027-01-31  (the end of that day, UTC) or  --until +14d; 90 days at\n\
    most. To take one back:  countersignctl exempt USER --end";
pub(crate) const EXEMPT_NEEDS_REASON: &str = "an exemption needs a reason, because an auditor will ask for one.\n\
    Nothing was changed. Add  --reason \"TEXT\".";
pub(crate) const EXEMPT_NEEDS_YES: &str = "exempt asks before it lets anybody in without a second factor, and standard\n\
    input is no terminal. Nothing was changed. Add --yes if you are sure.";
pub(crate) const NOT_EXEMPTED: &str = "not exempted, because the answer was not yes. Nothing was changed.";
pub(crate) const REQUIRE_END_NEEDS_REASON: &str = "to require less needs a reason, because an auditor will ask for one.\n\
    Nothing was changed. Add  --reason \"TEXT\".";
pub(crate) const REQUIRE_END_NEEDS_YES: &str = "require --end asks first, and standard input is no terminal.\n\
    Nothing was changed. Add --yes if you are sure.";
pub(crate) const NOT_ENDED: &str = "not taken back, because the answer was not yes. Nothing was changed.";
pub(crate) const ACCEPT_CLOCK_NEEDS_YES: &str = "accept-clock asks first, and standard input is no terminal.\n\
    Nothing was changed. Add --yes if you are sure.";
pub(crate) const CLOCK_NOT_ACCEPTED: &str =
    "not accepted, because the answer was not yes. Nothing was changed.";

/// `the end of 2027-01-31 (UTC)`, or `2027-01-31 12:00:00Z`, from the first second that is too late.
pub(crate) fn until(seconds: i64) -> String {
    if seconds.rem_euclid(DAY) == 0 {
        format!("the end of {} (UTC)", time::day(seconds.saturating_sub(1)))
    } else {
        time::utc(seconds)
    }
}

pub(crate) fn until_or_at_once(seconds: i64) -> String {
    if seconds == 0 { AT_ONCE.to_owned() } else { until(seconds) }
}

pub(crate) fn uid(uid: u32) -> String {
    format!("uid {uid}")
}

pub(crate) fn exempt_question(user: &str, uid: u32, until: &str) -> String {
    format!(
        "{user} (uid {uid}) will be let in without a second factor, everywhere on this host,\n\
         until {until}.\n\
         Type yes to go on: "
    )
}

pub(crate) fn exempted(user: &str, until: &str) -> String {
    format!(
        "{user} is exempt until {until}.\n\
         To end that earlier:  countersignctl exempt {user} --end"
    )
}

pub(crate) fn exemption_ended(user: &str) -> String {
    format!("{user} is no longer exempt.")
}

pub(crate) fn required(user: &str, by: i64) -> String {
    if by == 0 {
        return format!("A second factor is required of {user}, at once.");
    }
    format!(
        "A second factor is required of {user}. Until {},\n\
         {user} can still log in without one by typing \"later\".",
        until(by)
    )
}

pub(crate) fn required_of_nobody_enrolled(user: &str) -> String {
    format!("{user} has none yet. To enroll:  countersignctl enroll {user}")
}

pub(crate) fn require_end_question(user: &str) -> String {
    format!(
        "Whether {user} is asked for a second factor will depend on the policies again.\n\
         What they say:  countersignctl policy explain {user}\n\
         Type yes to go on: "
    )
}

pub(crate) fn requirement_ended(user: &str) -> String {
    format!("Whether {user} is asked depends on the policies again.")
}

/// One line of `status USER` and `policy explain`: `exempt until ..., by root: phone lost`.
pub(crate) fn overridden(what: &str, until: &str, by: &str, reason: &str) -> String {
    let end = match (what, until) {
        ("lock", _) => "locked until unlocked".to_owned(),
        ("exempt", until) => format!("exempt until {until}"),
        ("require", AT_ONCE) => "a second factor is required at once".to_owned(),
        ("require", until) => format!("a second factor is required, \"later\" is possible until {until}"),
        (what, until) => format!("{what} until {until}"),
    };
    if reason.is_empty() { format!("{end}, by {by}") } else { format!("{end}, by {by}: {reason}") }
}

pub(crate) fn overridden_line(sentence: &str) -> String {
    format!("by name        {sentence}")
}

pub(crate) fn explained_override(user: &str, sentence: &str) -> String {
    format!("{user} by name: {sentence}.")
}

pub(crate) const BUT_FOR_THAT: &str = "That comes before the policies, which say:";

/// What stands below the daemon's state when dates run ahead of the clock.
pub(crate) fn clock_behind(behind: &str) -> String {
    format!(
        "\nWARNING: the clock of this host once stood {behind} later than it would now.\n\
         Dates do not go back with it: exemptions and deadlines end that much earlier.\n\
         If the clock is right now:  countersignctl accept-clock"
    )
}

pub(crate) fn accept_clock_question(behind: &str) -> String {
    format!(
        "Dates on this host are {behind} ahead of its clock, because the clock once stood\n\
         that much later. Accept the clock only if it is right now (see  date -u): until\n\
         then nobody can prolong an exemption or a deadline by turning it back.\n\
         Type yes to go on: "
    )
}

pub(crate) fn clock_accepted(behind: &str) -> String {
    format!("The clock is accepted; dates went back by {behind}. What was over stays over.")
}
