//! What `rename`, `remove`, `resync` and `recovery-codes` say.

pub(crate) fn renamed(name: &str, new_name: &str) -> String {
    format!("\"{name}\" is called \"{new_name}\" from now on.")
}

pub(crate) const REMOVE_NEEDS_YES: &str = "remove asks before it removes anything, and standard input is no terminal.\n\
    Nothing was changed. Add --yes if you are sure.";
pub(crate) const REMOVE_NEEDS_REASON: &str = "an auditor will ask why somebody else's authenticator was removed.\n\
    Nothing was changed. Add --reason TEXT.";
/// Root named a person and no authenticator.
pub(crate) fn say_which(user: &str, apps: &[String]) -> String {
    match apps {
        [] => format!(
            "{user} is a person, and has no authenticator. Everything that {user} has:\n\
             countersignctl status {user}"
        ),
        [app] => format!(
            "{user} is a person, and what is removed is an authenticator. {user} has one:\n\
             countersignctl remove \"{app}\" {user} --reason TEXT"
        ),
        apps => format!(
            "{user} is a person, and what is removed is an authenticator. {user} has {}:\n\
             countersignctl remove NAME {user} --reason TEXT",
            apps.iter().map(|app| format!("\"{app}\"")).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Root named something that is no person.
pub(crate) fn say_whose(name: &str) -> String {
    format!(
        "this is about a person, and for root that is said:\n\
         countersignctl remove \"{name}\" USER --reason TEXT"
    )
}

pub(crate) const NOT_REMOVED: &str = "not removed, because the answer was not yes. Nothing was changed.";

pub(crate) fn remove_question(name: &str, user: &str) -> String {
    format!(
        "The authenticator \"{name}\" of {user} is removed: its codes work no more.\n\
         With the last one go the recovery codes.\n\
         Type yes to go on: "
    )
}

pub(crate) fn removed(name: &str, user: &str, left: u32) -> String {
    match left {
        0 => format!("\"{name}\" removed. {user} has no second factor any more."),
        1 => format!("\"{name}\" removed. One authenticator of {user} is left."),
        n => format!("\"{name}\" removed. {n} authenticators of {user} are left."),
    }
}

pub(crate) const RESYNC_FIRST: &str = "Type the code the app shows now: ";
pub(crate) const RESYNC_SECOND: &str = "Wait for the next code, and type that: ";

pub(crate) fn resynced(name: &str, ahead: i64) -> String {
    match ahead {
        0 => format!("The clock of \"{name}\" is right."),
        1.. => {
            format!("The clock of \"{name}\" is about {ahead} s ahead; its codes are taken as they come now.")
        }
        _ => format!(
            "The clock of \"{name}\" is about {} s behind; its codes are taken as they come now.",
            -ahead
        ),
    }
}

pub(crate) const CODES_NEED_TERMINAL: &str = "recovery codes open logins, and standard output is no terminal: they would stay in\n\
    a file or a pipe. Nothing was changed.\n\
    Run it in a terminal, or use --json where a program reads them.";

pub(crate) fn codes_left(user: &str, left: u32) -> String {
    match left {
        0 => format!("{user} has no recovery codes left. For new ones:  countersignctl recovery-codes --new"),
        1 => format!("{user} has one recovery code left. For new ones:  countersignctl recovery-codes --new"),
        n => format!("{user} has {n} recovery codes left."),
    }
}

pub(crate) fn new_codes(user: &str, codes: usize) -> String {
    format!(
        "\n{codes} new recovery codes of {user}, each good for one login without the phone. Those\n\
         of before are void.\n\n"
    )
}

pub(crate) fn viewed_codes(user: &str) -> String {
    format!("\nThe recovery codes of {user} that are left. {user} is told that you saw them.\n\n")
}

pub(crate) const CODES_ON_SCREEN: &str =
    "\nKeep them apart from the phone. This screen shows them; clear it:  clear\n";
