//! `import`: authenticators of other programs, taken over with their secrets, so that nobody scans
//! anew. The old files are read and left as they are.

pub(crate) mod file;
mod found;
mod google;
mod homes;
mod oath;
mod otpauth;
mod people;
mod report;

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use countersign_protocol::manager::ManagerProxy;
use zeroize::Zeroizing;

use crate::cli::{ImportGoogle, ImportHow, ImportOath, ImportOtpauth, ImportVerb};
use crate::errors::{self, Exit, Failure};
use crate::progress::Progress;
use crate::terminal::{complain, safe};
use crate::text;
pub(crate) use file::read_own;
use file::{LARGEST_NAMED, Unread};
use found::Found;
use homes::Account;
pub(crate) use homes::account_names;
use report::{Came, Report, Row};

/// The file of pam_google_authenticator in a home.
const GOOGLE_FILE: &str = ".google_authenticator";

/// One authenticator, or why there is none: whose, and where it was found.
struct Item {
    user: String,
    from: String,
    found: Result<Found, String>,
}

pub(crate) async fn run(manager: &ManagerProxy<'_>, verb: ImportVerb) -> Result<(), Failure> {
    match verb {
        ImportVerb::GoogleAuthenticator(args) => {
            let items = google_items(&args)?;
            import(manager, items, args.add, &args.how).await
        }
        ImportVerb::People(args) => people::run(manager, &args).await,
        ImportVerb::Oath(args) => import(manager, oath_items(&args)?, true, &args.how).await,
        ImportVerb::Otpauth(args) => import(manager, otpauth_items(&args)?, true, &args.how).await,
    }
}

/// Puts each to the daemon. What it refuses is noted and the rest goes on; where it cannot work at all,
/// everything ends.
async fn import(
    manager: &ManagerProxy<'_>,
    items: Vec<Item>,
    add: bool,
    how: &ImportHow,
) -> Result<(), Failure> {
    let mut report = Report::begin(how)?;
    let mut seen: Vec<(String, Zeroizing<Vec<u8>>)> = Vec::new();
    let progress =
        if how.json { Progress::beside_output(text::IMPORTING) } else { Progress::of(text::IMPORTING) };
    for (done, item) in items.into_iter().enumerate() {
        progress.at(text::so_many(text::IMPORTING, done));
        let (came, why) = match &item.found {
            Err(why) => (Came::Refused, why.clone()),
            Ok(_) if item.user.is_empty() => (Came::Refused, text::WHOSE.to_owned()),
            Ok(found) => match double(&mut seen, &item.user, found) {
                Some(other) => (Came::Refused, text::twice_here(&other)),
                None => match put(manager, &item.user, found, add, how.dry_run).await {
                    Ok(came) => came,
                    Err(failure) => {
                        // What was done until now is shown all the same.
                        drop(report.end());
                        return Err(failure);
                    }
                },
            },
        };
        report.add(Row { user: item.user, from: item.from, came, why })?;
    }
    drop(progress);
    report.end()
}

/// Somebody else who came earlier in this run with the same secret: a dry run changes nothing that
/// the daemon could compare with.
fn double(seen: &mut Vec<(String, Zeroizing<Vec<u8>>)>, user: &str, found: &Found) -> Option<String> {
    let earlier = seen.iter().find(|(_, secret)| *secret == found.secret);
    match earlier {
        Some((other, _)) if other != user => Some(other.clone()),
        Some(_) => None,
        None => {
            seen.push((user.to_owned(), found.secret.clone()));
            None
        }
    }
}

async fn put(
    manager: &ManagerProxy<'_>,
    user: &str,
    found: &Found,
    add: bool,
    dry_run: bool,
) -> Result<(Came, String), Failure> {
    match manager.import_factor(user, &found.to_wire(), add, dry_run).await {
        Ok((false, _)) => Ok((Came::Present, text::ALREADY_THERE.to_owned())),
        Ok((true, taken)) => Ok((Came::New, remarks(found, taken))),
        Err(error) => match errors::refusal(&error) {
            Some(why) => Ok((Came::Refused, why)),
            None => Err(error.into()),
        },
    }
}

fn remarks(found: &Found, taken: u32) -> String {
    let codes = match (found.scratch.is_empty(), taken) {
        (true, _) => text::NO_RECOVERY.to_owned(),
        (false, 0) => text::SCRATCH_LEFT.to_owned(),
        (false, taken) => text::scratch_taken(taken),
    };
    if found.note.is_empty() { codes } else { format!("{codes}; {}", found.note) }
}

fn google_items(args: &ImportGoogle) -> Result<Vec<Item>, Failure> {
    let accounts = if args.all_homes { homes::all()? } else { vec![homes::one(args.user.as_deref())?] };
    let caller = rustix::process::geteuid();
    if !caller.is_root() && accounts.iter().any(|account| account.uid != caller.as_raw()) {
        return Err(Failure::new(Exit::NotAuthorized, text::OTHERS_HOMES));
    }
    Ok(accounts.iter().filter_map(|account| google_item(account, args.all_homes)).collect())
}

/// What lies in one home; nothing where there is no such file and everybody's home is walked.
fn google_item(account: &Account, quiet: bool) -> Option<Item> {
    let path = account.home.join(GOOGLE_FILE);
    let found = match file::read_as(account, &path) {
        Ok(bytes) => google::parse(&bytes),
        // A home that its owner cannot enter (a system account's) holds nothing of theirs.
        Err(Unread::Absent | Unread::Denied) if quiet => return None,
        Err(unread) => Err(unread.sentence()),
    };
    Some(Item { user: account.name.clone(), from: path.display().to_string(), found })
}

fn oath_items(args: &ImportOath) -> Result<Vec<Item>, Failure> {
    let path = args.file.display().to_string();
    let contents = named_file(&args.file)?;
    let lines = oath::parse(&contents.bytes, contents.modified);
    let item = |line: oath::Line| Item {
        user: line.user,
        from: format!("{path}:{}", line.number),
        found: line.found,
    };
    Ok(lines.into_iter().map(item).collect())
}

fn otpauth_items(args: &ImportOtpauth) -> Result<Vec<Item>, Failure> {
    let given = args.from.as_bytes();
    // A file of this name would have to be in a folder called "otpauth:".
    if given.starts_with(b"otpauth") && given.contains(&b':') {
        complain(text::SECRET_ON_COMMAND_LINE);
        return Ok(vec![otpauth_item(given, args, "URI".to_owned())]);
    }
    let (name, bytes) = if given == b"-" {
        ("stdin".to_owned(), standard_input()?)
    } else {
        (Path::new(&args.from).display().to_string(), named_file(Path::new(&args.from))?.bytes)
    };
    let lines = (1..).zip(bytes.split(|c| *c == b'\n').map(<[u8]>::trim_ascii));
    let uris = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"));
    Ok(uris.map(|(number, line)| otpauth_item(line, args, format!("{name}:{number}"))).collect())
}

fn otpauth_item(uri: &[u8], args: &ImportOtpauth, from: String) -> Item {
    let otpauth::Uri { user, found } = otpauth::parse(uri);
    Item { user: args.user.clone().unwrap_or(user), from, found }
}

fn standard_input() -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    let read = std::io::stdin().lock().take(LARGEST_NAMED).read_to_end(&mut bytes);
    read.map_err(|error| Failure::failed(text::cannot_read(&error.to_string())))?;
    Ok(bytes)
}

/// A file that the caller names. It must be theirs or root's: whoever else could write it would choose
/// what others log in with.
fn named_file(path: &Path) -> Result<file::Contents, Failure> {
    let caller = rustix::process::geteuid().as_raw();
    file::read(path, caller, LARGEST_NAMED).map_err(|unread| {
        let shown = safe(&OsStr::to_string_lossy(path.as_os_str()));
        Failure::failed(text::no_file(&shown, &unread.sentence()))
    })
}
