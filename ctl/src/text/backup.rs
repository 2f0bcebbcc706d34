//! The sentences of `backup`, `rekey` and passphrases.

pub(crate) const NEW_PASSPHRASE: &str = "Passphrase for the file (it is not shown): ";
pub(crate) const PASSPHRASE_AGAIN: &str = "The same again: ";
pub(crate) const PASSPHRASE: &str = "Passphrase of the file (it is not shown): ";
pub(crate) const SHORT_PASSPHRASE: &str = "the passphrase is too short: whoever has the file can try as many as they like.\n\
    Take twelve characters or more, such as six words picked by dice.";
pub(crate) const TWO_PASSPHRASES: &str = "both passphrases are not the same. Nothing was written. Try again.";
pub(crate) const NO_PASSPHRASE: &str = "there is no passphrase. Nothing was done.";
pub(crate) const PASSPHRASE_NEEDS_TERMINAL: &str = "a passphrase is asked at a terminal, and standard input is none.\n\
    Add --passphrase-file FILE, or --passphrase-file - to read it from standard input.";
pub(crate) const WRONG_PASSPHRASE: &str =
    "the passphrase does not open the file. Nothing was changed. Try again.";
pub(crate) const EXCESSIVE_WORK: &str = "the file was encrypted with more work than this machine can do in a minute.\n\
    Open it on a faster one, or with:  age --decrypt";
pub(crate) const BUNDLE_DAMAGED: &str =
    "the file is damaged, cut off, or was not made by countersignctl. Nothing was changed.";

pub(crate) fn other_bundle(kind: &str) -> String {
    match kind {
        "people" => "the file holds people, made by export. Type:  countersignctl import people FILE".into(),
        "backup" => "the file is a backup. Type:  countersignctl restore FILE".into(),
        other => format!("the file holds \"{other}\", which this version does not know."),
    }
}

pub(crate) fn no_passphrase_file(path: &str, why: &str) -> String {
    format!("{path}: {why}. Nothing was done.")
}

pub(crate) fn bundle_not_written(error: &str) -> String {
    format!("the file cannot be written ({error}). It was removed again.")
}

pub(crate) fn no_memory_file(error: &str) -> String {
    format!("the system gives no memory for the file ({error}).")
}

pub(crate) fn no_new_file(path: &str, error: &str) -> String {
    format!(
        "{path} cannot be created ({error}).\n\
         It must not exist yet, so that nothing is overwritten. Nothing was done."
    )
}

pub(crate) fn file_not_kept(path: &str, error: &str) -> String {
    format!("{path} may not outlive a power cut ({error}). Try another disk.")
}

pub(crate) fn backed_up(path: &str, when: &str, bytes: u64) -> String {
    format!("{path}: {}, everything as of {when}.\nOnly root can read it.", size(bytes))
}

/// A size as people say it.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        _ => format!("{} MB", bytes.div_ceil(1_000_000)),
    }
}

pub(crate) const KEEP_KEY: &str = "The sealing key is not in it. Keep a copy of the key file in another place: without\n\
    it nobody can read the backup. (Both in one file:  backup FILE --with-key)";
pub(crate) const KEEP_PASSPHRASE: &str = "The sealing key is in it. Keep the passphrase in another place: without it nobody\n\
    can read the file, and with it whoever has the file has every secret.";

// ---- restore ----

pub(crate) const RESTORE_NEEDS_YES: &str = "restore asks first, and standard input is no terminal. Nothing was changed.\n\
    See what would happen with --dry-run; add --yes if you are sure.";
pub(crate) const NOT_RESTORED: &str = "not restored, because the answer was not yes. Nothing was changed.";
pub(crate) const RESTORE_QUESTION: &str =
    "Logins under way end. People whose factors change are told. Type yes to go on: ";

/// Where no daemon runs that could bring anything back.
pub(crate) const RESTORE_WITHOUT_DAEMON: &str = "Where the database is gone or broken, as root:\n\
    systemctl stop countersignd; mv /var/lib/countersign /var/lib/countersign.broken\n\
    countersignd --restore FILE; systemctl start countersignd\n\
    (For a file with the key, first:  countersignctl restore FILE --extract FOLDER)";

pub(crate) fn no_backup_file(path: &str, why: &str) -> String {
    format!("{path} cannot be opened ({why}). Nothing was changed.")
}

pub(crate) fn extracted(folder: &str) -> String {
    format!(
        "{folder}/backup and {folder}/key are only for root. While countersignd is stopped and\n\
         there is no database:  countersignd --restore {folder}/backup --backup-key {folder}/key\n\
         Remove the folder afterwards: the key is in it."
    )
}

/// What the backup is, and what stays.
pub(crate) fn restore_head(taken: &str, same: bool, people: u32, kept: u32, newer: u32) -> String {
    let whose = if same { "of this installation" } else { "of ANOTHER installation" };
    format!(
        "Backup {whose} of {taken}, with {people} people.\n\
         Authenticators that stay: {kept} of those in it, {newer} of those made since."
    )
}

pub(crate) fn restore_raised(raised: u32) -> String {
    format!("Counts of wrong codes that go up to what they were: {raised}.")
}

pub(crate) fn restore_required(people: &str) -> String {
    format!("A second factor is required again of: {people}.")
}

pub(crate) const RESTORE_NOTHING: &str = "Nothing that it has is missing here.";

/// What happens to one factor, for a table.
pub(crate) fn restore_fate(what: &str, dry_run: bool) -> &str {
    match (what, dry_run) {
        ("returns", true) => "would come back",
        ("returns", false) => "came back",
        ("void", true) => "would be void",
        ("void", false) => "void",
        ("revoked", _) => "removed since, stays so",
        ("removed", true) => "would go: removed before the backup",
        ("removed", false) => "gone: removed before the backup",
        ("refused", _) => "cannot come back",
        (other, _) => other,
    }
}

pub(crate) const RESTORED: &str = "Done. The people concerned are told at their next login.";
pub(crate) const RESTORED_CODES: &str =
    "Who lost recovery codes makes new ones:  countersignctl recovery-codes --new";

// ---- people between hosts ----

pub(crate) fn exported(path: &str, people: u32) -> String {
    format!(
        "{path}: what {people} people have, encrypted. They are told.\n\
         On the other host:  countersignctl import people FILE --dry-run\n\
         Remove the file afterwards: with the passphrase it is as good as their phones."
    )
}

pub(crate) const NO_BUNDLE: &str = "the file was not made by countersignctl export. Nothing was changed.";
pub(crate) const REPLACE_NEEDS_YES: &str = "--replace asks first, and standard input is no terminal. Nothing was changed.\n\
    See what would happen with --dry-run; add --yes if you are sure.";
pub(crate) const REPLACE_QUESTION: &str =
    "The factors that these people have here are removed. Type yes to go on: ";
pub(crate) const NOT_TAKEN_IN: &str = "not done, because the answer was not yes. Nothing was changed.";

pub(crate) fn taken_in(dry_run: bool, new: usize, present: usize, refused: usize) -> String {
    let would = if dry_run { " would come" } else { "" };
    format!("{new} people{would}, {present} here already, {refused} refused.")
}

// ---- the sealing key ----

pub(crate) const NO_KEY_FILE: &str = "it is no countersign key file";
pub(crate) const NO_RANDOMNESS: &str = "the kernel gives no random bytes. Nothing was changed.";

pub(crate) fn key_unread(path: &str, why: &str) -> String {
    format!(
        "the key file {path} cannot be used ({why}).\n\
         Where a systemd credential holds the key, decrypt it into a file that only root\n\
         can read, add --key-file FILE, and afterwards encrypt that file as the\n\
         credential again (systemd-creds encrypt). See:  systemctl cat countersignd"
    )
}

pub(crate) fn key_unwritten(path: &str, error: &str) -> String {
    format!(
        "the key file {path} cannot be written ({error}).\n\
         It is as it was, and logins go on. Type the same again when that is mended."
    )
}

pub(crate) const REKEY_NEEDS_YES: &str = "rekey asks first, and standard input is no terminal. Nothing was changed.\n\
    Add --yes if you are sure.";

pub(crate) fn rekey_question(path: &str, goes_on: bool) -> String {
    let what = if goes_on {
        "A change of the sealing key was begun and not ended; it goes on now."
    } else {
        "The daemon gets a new sealing key, and seals everything by it."
    };
    format!(
        "{what}\n\
         {path} is replaced. Backups made until now need the key of now: keep a copy of\n\
         that file with them. Enrollments under way start over. Whoever had both the old\n\
         key and the database knows the secrets in it: those people must enroll anew.\n\
         Type yes to go on: "
    )
}

pub(crate) const NOT_REKEYED: &str = "not done, because the answer was not yes. Nothing was changed.";
pub(crate) const REKEY_AGAIN: &str =
    "The key file holds both keys, so nothing is lost. Mend it and type:  countersignctl rekey";

pub(crate) fn rekeyed(path: &str, secrets: u64, ended: u64) -> String {
    let started_over = match ended {
        0 => String::new(),
        1 => "One enrollment under way starts over.\n".to_owned(),
        n => format!("{n} enrollments under way start over.\n"),
    };
    let noun = if secrets == 1 { "secret" } else { "secrets" };
    format!(
        "{secrets} {noun} sealed by a new key, which is in {path}.\n{started_over}\
         Make a new backup now:  countersignctl backup FILE"
    )
}
