//! The sentences of `import`.

use super::policy::count;

pub(crate) const NO_GOOGLE_SECRET: &str = "its first line is no base32 secret";
pub(crate) const COUNTS_EVENTS: &str =
    "it counts logins (HOTP) instead of using the time; it must be enrolled anew";
pub(crate) const SHORT_LINE: &str = "the line has fewer than four fields: type, user, PIN, secret";
pub(crate) const STRANGE_NAME: &str = "the user name is not UTF-8";
pub(crate) const NO_HEX: &str = "its secret is no hexadecimal number of whole bytes";
pub(crate) const PIN_NOT_ASKED: &str = "the PIN of the file is not asked here";
pub(crate) const NO_URI: &str = "this is no URI that begins with otpauth://totp/";
pub(crate) const NO_URI_SECRET: &str = "its secret is missing or no base32";
pub(crate) const MIGRATION: &str = "this is the export of the Google Authenticator app, not an otpauth:// URI; enroll anew, or \
     take the QR code that the account was set up with";

pub(crate) fn unreadable_option(option: &str) -> String {
    format!("its {option} is no number that can be used")
}

pub(crate) fn unknown_kind(kind: &str) -> String {
    format!("\"{kind}\" is not supported; HOTP/T30 and HOTP/T60 are, with /6 or /8 digits")
}

pub(crate) fn other_algorithm(algorithm: &str) -> String {
    format!("its algorithm \"{algorithm}\" is not supported; SHA1 is, and it must be enrolled anew")
}

pub(crate) fn said_twice(key: &str) -> String {
    format!("it says {key} twice")
}

// ---- files ----

pub(crate) const FILE_ABSENT: &str = "there is no such file";
pub(crate) const FILE_LINK: &str = "it is a symbolic link, which is not followed";
pub(crate) const FILE_LINKED: &str = "it has a second name (a hard link) elsewhere";
pub(crate) const FILE_SPECIAL: &str = "it is not a regular file";
pub(crate) const FILE_FOREIGN: &str = "it belongs to somebody else";
pub(crate) const FILE_OPEN: &str = "others on this host may read or write it, so its secrets may be known; enroll anew, or \
     chmod 600 and try again";
pub(crate) const FILE_LARGE: &str = "it is larger than such a file can be";
pub(crate) const FILE_DENIED: &str = "it cannot be opened as its owner";
pub(crate) const FILE_SILENT: &str = "its file system did not answer in time";

pub(crate) fn file_error(error: &str) -> String {
    format!("it cannot be read ({error})")
}

pub(crate) fn no_file(path: &str, why: &str) -> String {
    format!("{path}: {why}. Nothing was imported.")
}

pub(crate) const NO_GETENT: &str = "the accounts cannot be listed: `getent passwd` failed. Nothing was imported.\n\
     For one person:  countersignctl import google-authenticator --user USER";

pub(crate) fn no_such_account(user: &str) -> String {
    format!("there is no user \"{user}\" on this host.\nCheck the spelling:  getent passwd {user}")
}

pub(crate) fn account_unanswered(error: &str) -> String {
    format!("the account database gives no answer ({error}). Try again.")
}

pub(crate) const OTHERS_HOMES: &str =
    "only root can open the files of others as their owners. Try again with sudo.";

pub(crate) fn no_failures_file(path: &str, error: &str) -> String {
    format!(
        "the file for failures, {path}, cannot be made ({error}).\n\
         It must not exist yet. Nothing was imported."
    )
}

pub(crate) fn failures_not_written(error: &str) -> String {
    format!("the file for failures is not complete ({error}).")
}

// ---- what came of it ----

pub(crate) const IMPORTED: &str = "imported";
pub(crate) const WOULD_IMPORT: &str = "would-import";
pub(crate) const PRESENT: &str = "present";
pub(crate) const REFUSED: &str = "refused";

pub(crate) const WHOSE: &str = "it does not say whose it is; add --user";
pub(crate) const ALREADY_THERE: &str = "the person has this secret already";
pub(crate) const NO_RECOVERY: &str = "no recovery codes came with it";

pub(crate) fn scratch_taken(count: u32) -> String {
    match count {
        1 => "1 scratch code is a recovery code now".to_owned(),
        n => format!("{n} scratch codes are recovery codes now"),
    }
}

pub(crate) const SCRATCH_LEFT: &str = "scratch codes not taken: the person has recovery codes";

pub(crate) fn twice_here(other: &str) -> String {
    format!("{other} has the same secret, and whose code it is could not be told; enroll one of them anew")
}

pub(crate) const NOTHING_FOUND: &str = "Nothing to import was found.";

pub(crate) fn tally(dry_run: bool, new: usize, present: usize, refused: usize) -> String {
    let new = count(new, "authenticator", "authenticators");
    let would = if dry_run { "would be imported" } else { "imported" };
    format!("{new} {would}, {present} already there, {refused} refused.")
}

pub(crate) const REFUSED_IN_FULL: &str = "\nRefused:";

pub(crate) const OLD_FILES: &str = "\nThe old files are as they were, and the old module still takes their codes. Once\n\
     it is out of /etc/pam.d, delete them: whoever reads them can make codes.";

pub(crate) const SECRET_ON_COMMAND_LINE: &str = "countersignctl: warning: the secret stands on the command line, where everybody on\n\
     this host can see it (ps) and the shell keeps it. Better:  import otpauth -";
