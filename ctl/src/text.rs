//! Every sentence that people read, in one place.
//!
//! An error says what happened, why, and what to type next. Lines fit 80 columns as far as the
//! names in them allow. Arguments have been made safe for a terminal by the caller.

mod backup;
pub(crate) mod doctor;
pub(crate) mod email;
pub(crate) mod enable;
mod factors;
mod impact;
mod import;
mod log;
mod overrides;
mod policy;
mod reset;
mod sessions;

use std::fmt::Display;

pub(crate) use backup::*;
pub(crate) use factors::*;
pub(crate) use impact::*;
pub(crate) use import::*;
pub(crate) use log::*;
pub(crate) use overrides::*;
pub(crate) use policy::*;
pub(crate) use reset::*;
pub(crate) use sessions::*;

pub(crate) const NEVER: &str = "never";
pub(crate) const NONE: &str = "none";
pub(crate) const YES: &str = "yes";
pub(crate) const NO: &str = "no";
pub(crate) const UNTIL_UNLOCKED: &str = "until it is unlocked";

// ---- the daemon and the bus ----

pub(crate) fn no_runtime(error: &impl Display) -> String {
    format!("the system refused what every program needs ({error}).\nSee:  ulimit -a")
}

pub(crate) fn bad_address(address: &str, reason: &str) -> String {
    format!(
        "\"{address}\" is no D-Bus address ({reason}).\n\
         Write it like  --bus unix:path=/run/dbus/system_bus_socket"
    )
}

pub(crate) fn no_bus(reason: &str, system: bool) -> String {
    let next = if system {
        "See:  systemctl status dbus"
    } else {
        "Check the address after --bus, or leave it out for the system bus."
    };
    format!("the message bus cannot be reached:\n{reason}.\n{next}")
}

pub(crate) fn silent_bus(address: &str) -> String {
    format!("{address} accepts a connection and does not answer")
}

pub(crate) fn not_running() -> String {
    "countersignd does not run, so nothing can be shown or changed.\n\
     See:  systemctl status countersignd"
        .to_owned()
}

pub(crate) fn no_answer(reason: &str) -> String {
    format!("countersignd did not answer ({reason}).\nSee:  systemctl status countersignd")
}

pub(crate) fn strange_answer(reason: &str) -> String {
    format!(
        "countersignd answered something unexpected ({reason}).\n\
         Are both of one version? See:  countersignctl --version; countersignctl status"
    )
}

pub(crate) const WRONG_ORDER: &str = "a page out of order";
pub(crate) const TOO_MANY: &str = "more rows than asked for";

pub(crate) fn not_authorized(said: &str) -> String {
    let next = if rustix::process::geteuid().is_root() {
        "See:  journalctl -u countersignd"
    } else {
        "Try again with sudo, or ask an administrator."
    };
    // The bus explains a refusal by its own rules, in a paragraph that helps nobody here.
    if said.starts_with("Rejected send message") || said.starts_with("Sender is not authorized") {
        return format!("the system bus does not let you do this.\n{next}");
    }
    format!("this is not allowed ({}).\n{next}", reason(said))
}

pub(crate) fn not_found(said: &str) -> String {
    format!("not found: {}.\nSee who is known here:  countersignctl users", reason(said))
}

pub(crate) fn busy(said: &str) -> String {
    format!("countersignd is busy ({}). Try again in a few seconds.", reason(said))
}

pub(crate) fn cannot_decide(said: &str) -> String {
    format!("countersignd runs but cannot work ({}).\nSee:  journalctl -u countersignd", reason(said))
}

pub(crate) fn expired(said: &str) -> String {
    format!("this took too long and is no longer valid ({}). Begin again.", reason(said))
}

pub(crate) fn refused(said: &str) -> String {
    format!("countersignd refused: {}.", reason(said))
}

/// The daemon's sentence as a part of ours.
fn reason(said: &str) -> &str {
    match said.trim().trim_end_matches('.') {
        "" => "no reason given",
        said => said,
    }
}

// ---- what takes a while ----

pub(crate) const READING_PEOPLE: &str = "Reading people";
pub(crate) const READING_LOG: &str = "Reading the log";
pub(crate) const IMPORTING: &str = "Importing";
pub(crate) const COPYING: &str = "Copying what countersignd keeps";
pub(crate) const ENCRYPTING: &str = "Encrypting";
pub(crate) const DECRYPTING: &str = "Decrypting";
pub(crate) const COMPARING: &str = "Comparing with what is here";
pub(crate) const RESTORING: &str = "Bringing it back";
pub(crate) const TAKING_IN: &str = "Taking people in";
pub(crate) const SEALING: &str = "Sealing everything anew";
pub(crate) const MEASURING: &str = "Measuring";
pub(crate) const TRYING_LOGINS: &str = "Trying the draft on past logins";
pub(crate) const SENDING: &str = "Sending";
pub(crate) const APPLYING: &str = "Comparing with the policy in force";
pub(crate) const ENDING_SESSIONS: &str = "Ending sessions";

pub(crate) fn so_many(what: &str, many: usize) -> String {
    format!("{what}: {many} so far")
}

/// One line while something lasts.
pub(crate) fn going_on(what: &str, seconds: u64) -> String {
    format!("{what}, {seconds} s ...")
}

// ---- standard input and output ----

pub(crate) fn cannot_write(error: &str) -> String {
    format!("standard output cannot be written ({error}). The list is not complete.")
}

pub(crate) fn cannot_read(error: &str) -> String {
    format!("standard input cannot be read ({error}). Nothing was changed.")
}

// ---- enroll ----

pub(crate) const ENROLL_NEEDS_TERMINAL: &str = "enroll shows a secret key, and standard output is no terminal: the key would\n\
    stay in a file or a pipe. Nothing was changed.\n\
    Run it in a terminal, or use --json where a program reads the key.";

pub(crate) const SECRET_IN_FILE: &str = "countersignctl: warning: standard output is a file, so the secret key is in it\n\
    now. Whoever reads it can make codes. Delete it when you are done.";

pub(crate) fn enrolling(user: &str) -> String {
    format!("An authenticator app for {user}.\n\n")
}

pub(crate) const TYPE_KEY: &str = "Type this key into the app:\n\n";
pub(crate) const OR_SCAN: &str = "or scan this code with it:\n";
pub(crate) const NO_QR_LOCALE: &str = "(No QR code to scan: this locale is not UTF-8.)\n\n";
pub(crate) const NO_QR_LENGTH: &str = "(No QR code to scan: the names are too long for one.)\n\n";

pub(crate) fn no_qr_width(columns: usize) -> String {
    format!(
        "(No QR code to scan: it needs a terminal of {columns} columns. For one, press Ctrl-C,\n\
         widen the window and begin again.)\n\n"
    )
}

/// The key, and what the app will call it. Written into memory that the caller wipes.
pub(crate) fn push_key(shown: &mut String, key: &str, account: &str, issuer: &str) {
    for part in ["    key      ", key, "\n    account  ", account, "\n    issuer   ", issuer] {
        shown.push_str(part);
    }
    shown.push_str("\n\n");
}

pub(crate) const ENROLL_QUESTION: &str = "Type the code the app shows: ";

pub(crate) fn wrong_code(left: u32) -> String {
    let tries = if left == 1 { "one try".to_owned() } else { format!("{left} tries") };
    format!(
        "That code is not right; {tries} left. Wait for the next code. If it goes on, set\n\
         the phone's clock to network time and compare this host's:  date -u"
    )
}

pub(crate) fn not_enrolled(user: &str) -> String {
    format!(
        "the code was not right. {user} is not enrolled, nothing was changed.\n\
         Delete the entry in the app, compare the clocks (date -u), then again:\n\
         countersignctl enroll {user}"
    )
}

pub(crate) const NO_CODE: &str = "no code was typed. Nothing was changed. Delete the entry in the app.";
pub(crate) const INTERRUPTED: &str = "interrupted. Nothing was changed. Delete the entry in the app.";

pub(crate) fn not_cancelled(error: &str) -> String {
    format!(
        "countersignctl: the unfinished enrollment could not be cancelled ({error}).\n\
         It opens no login and expires by itself."
    )
}

pub(crate) fn enrolled(user: &str, codes: usize) -> String {
    format!(
        "\n{user} is enrolled.\n\n\
         {codes} recovery codes, each good for one login without the phone:\n\n"
    )
}

pub(crate) const KEEP_CODES: &str = "\nPrint them or write them down now: they are not shown again. Keep them apart\n\
    from the phone. This screen shows the key and the codes; clear it:  clear\n";

pub(crate) fn codes_lost(user: &str) -> String {
    format!(
        "{user} is enrolled, but the recovery codes could not be shown and are lost.\n\
         For new ones, begin again:  countersignctl reset {user} --reason \"codes lost\"\n\
         and  countersignctl enroll {user}"
    )
}

/// The recovery codes of before are still good.
pub(crate) fn enrolled_further(user: &str) -> String {
    format!(
        "\n{user} has another authenticator. The recovery codes stay as they are.\n\
         This screen shows the key; clear it:  clear\n"
    )
}

pub(crate) const INVITATION_NEEDED: &str = "For a first factor you need an invitation: a one-time code that an administrator\n\
    makes with  countersignctl invite";
pub(crate) const INVITATION_QUESTION: &str = "Type the invitation: ";

pub(crate) fn invited(user: &str, code: &str, lives: &str) -> String {
    format!(
        "{code}\n\n\
         Give it to {user} in person or by telephone, not by mail. It is good once, for\n\
         {lives}, at the next login or with  countersignctl enroll\n"
    )
}

// ---- acting on oneself ----

pub(crate) const SAY_WHOM: &str = "this acts on a person, and for root that is said:\n\
    add the login name. To see who is known here:  countersignctl users";

pub(crate) fn you_have_no_name(uid: u32) -> String {
    format!("this host has no user with your uid {uid}.\nSee:  getent passwd {uid}")
}

pub(crate) const PROOF_QUESTION: &str = "Verification code: ";
pub(crate) const NOTHING_TYPED: &str = "nothing was typed. Nothing was changed.";

pub(crate) fn not_proven(user: &str) -> String {
    format!(
        "no code was accepted, so nothing was changed. Each code works once; after too\n\
         many wrong ones even the right one is refused for a while. See:\n\
         countersignctl status {user}"
    )
}

// ---- status, users, log ----

pub(crate) fn host(version: &str, config: &str, hash: &str, people: u64) -> String {
    format!(
        "countersignd   {version}\n\
         configuration  {config}\n\
         policy hash    {hash}\n\
         enrolled       {people}"
    )
}

pub(crate) fn person(user: &str, uid: u32, failures: u32, last: &str) -> String {
    format!(
        "user           {user} (uid {uid})\n\
         last verified  {last}\n\
         wrong answers  {failures} in a row"
    )
}

/// What stands below the daemon's state when it does not run by its file.
pub(crate) fn trouble(what: &str, reasons: &str) -> String {
    format!(
        "\nWARNING: {what}\n{reasons}\n\
         What would be applied, and why not:  countersignctl policy apply --dry-run"
    )
}

pub(crate) fn confirmed_from(user: &str) -> String {
    format!(
        "\nLogins confirmed since this host started. A policy with `remember` lets {user}\n\
         pass unasked from there for so long. To end that:  countersignctl forget {user}\n"
    )
}

pub(crate) const NOTICES: &str = "\nWhat happened, newest first.\n";
pub(crate) const TOLD: &str = "yes";
pub(crate) const NOT_TOLD: &str = "not yet";

pub(crate) fn lock(lane: &str, opens: &str) -> String {
    format!("locked         {lane}, {opens}")
}

pub(crate) fn opens_in(duration: &str) -> String {
    format!("opens in {duration}")
}

pub(crate) fn no_factor(user: &str) -> String {
    format!("factors        none. To enroll:  countersignctl enroll {user}")
}

/// In time of grace.
pub(crate) fn grace_line(until: &str, laters: u32) -> String {
    format!("without one    until {until}, {laters} times so far")
}

/// The same in a table.
pub(crate) fn grace_part(until: &str, laters: u32) -> String {
    format!("none until {until} ({laters} later)")
}

pub(crate) fn recovery_left(left: u32) -> String {
    format!("recovery ({left} left)")
}

pub(crate) const NO_USERS: &str = "Nobody is enrolled. To enroll:  countersignctl enroll USER";

// ---- unlock, forget ----

pub(crate) fn unlocked(user: &str, lifted: u32) -> String {
    match lifted {
        0 => format!("No lock holds on {user}."),
        1 => format!("1 lock lifted. {user} can try again now."),
        n => format!("{n} locks lifted. {user} can try again now."),
    }
}

pub(crate) fn forgotten(user: &str, places: u32) -> String {
    match places {
        0 => format!("No place of {user} was remembered; nothing was changed."),
        1 => format!("1 remembered place forgotten. {user} is asked again there."),
        n => format!("{n} remembered places forgotten. {user} is asked again everywhere."),
    }
}
