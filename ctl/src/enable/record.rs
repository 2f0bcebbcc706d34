//! What `enable` did, on disk before it is done: whatever ends us, it can be undone to the byte.
//!
//! ```text
//! /etc/countersign/enabled.d/          0700, root; locked while something changes
//!     sshd/
//!         change.json                  what, when, until when it must be confirmed
//!         0.before  0.after            the first file, as it was and as we wrote it
//!     sshd.2/                          what was changed later, the first one being confirmed by then
//! ```
//!
//! It lies in `/etc` because it is about files there: whoever restores an older `/etc` restores both.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::files::{Saved, sync_folder};
use super::host::{Host, RECORDS};
use crate::terminal::safe;
use crate::text::enable as text;

/// What a record is named that is about every service. No service has this name.
pub(crate) const ALL: &str = "@all";
const VERSION: u32 = 1;
const FILE: &str = "change.json";

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    /// The service, or [`ALL`].
    pub(super) service: String,
    /// From 1: a later change of the same service comes over those before it, and goes before them.
    number: u32,
    /// Sixteen hexadecimal digits; the timer names it, so that it never meets a later change.
    pub(super) id: String,
    /// In seconds since 1970, for people.
    pub(super) made: i64,
    /// The newest row of the attempt log before the change.
    pub(super) after_login: i64,
    /// `None` once confirmed.
    pub(super) pending: Option<Pending>,
    /// What was forced, in words.
    pub(super) forced: Vec<String>,
    /// Whether sshd read the change and must read it back.
    pub(super) reload_sshd: bool,
    /// Whether pam-auth-update made it.
    pub(super) profile: bool,
    pub(super) files: Vec<Touched>,
}

/// Until when a change must be confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    /// The boot in which it was made; another one has taken it back.
    pub(super) boot: String,
    /// In seconds since that boot, suspend included.
    pub(super) until: u64,
}

/// A file of the change; its bytes lie beside the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Touched {
    pub(super) path: PathBuf,
    before: Option<Attributes>,
    after: Option<Attributes>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Attributes {
    mode: u32,
    uid: u32,
    gid: u32,
}

/// One file as it was and as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: PathBuf,
    pub(super) before: Option<Saved>,
    pub(super) after: Option<Saved>,
}

impl Record {
    /// A change that waits to be confirmed.
    pub(super) fn new(service: &str, id: String, after_login: i64, pending: Option<Pending>) -> Self {
        Self {
            version: VERSION,
            service: service.to_owned(),
            number: 1,
            id,
            made: crate::time::now(),
            after_login,
            pending,
            forced: Vec::new(),
            reload_sshd: false,
            profile: false,
            files: Vec::new(),
        }
    }

    /// The folder that it lies in. No service has a dot in its name.
    fn place(&self) -> String {
        match self.number {
            1 => self.service.clone(),
            number => format!("{}.{number}", self.service),
        }
    }
}

impl From<&Saved> for Attributes {
    fn from(saved: &Saved) -> Self {
        Self { mode: saved.mode, uid: saved.uid, gid: saved.gid }
    }
}

/// The records of a host, held by nobody else while this lives.
pub(super) struct Records {
    folder: PathBuf,
    /// Locked; the lock goes when we do, whatever ends us.
    _lock: File,
}

impl Records {
    /// Makes the folder where there is none, and waits for whoever holds it.
    pub(super) fn lock(host: &Host) -> Result<Self, String> {
        let folder = host.real(RECORDS);
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        let locked = builder.create(&folder).and_then(|()| {
            let meta = fs::symlink_metadata(&folder)?;
            let me = rustix::process::geteuid().as_raw();
            if !meta.is_dir() || meta.uid() != me || meta.mode() & 0o077 != 0 {
                return Err(io::Error::other("it must be a folder of root's alone, mode 0700"));
            }
            let lock = File::open(&folder)?;
            rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
            Ok(lock)
        });
        locked.map(|lock| Self { folder, _lock: lock }).map_err(|error| text::unwritable(RECORDS, &error))
    }

    /// Every record that can be read, by service, the oldest first; and why the others cannot.
    pub(super) fn all(&self) -> Result<(Vec<Record>, Vec<String>), String> {
        read_all(&self.folder)
    }

    /// The records of a service, the oldest first.
    pub(super) fn of(&self, service: &str) -> Result<Vec<Record>, String> {
        let (mut records, faults) = self.all()?;
        if let Some(fault) = faults.into_iter().next() {
            return Err(fault);
        }
        records.retain(|record| record.service == service);
        Ok(records)
    }

    /// The files of a record, as they were and as they were made; where the bytes are gone, why.
    pub(super) fn changes(&self, record: &Record) -> Vec<(PathBuf, Result<Change, String>)> {
        let folder = self.folder.join(record.place());
        let saved = |number: usize, kind: &str, of: Option<Attributes>| {
            let path = folder.join(format!("{number}.{kind}"));
            of.map(|Attributes { mode, uid, gid }| {
                let bytes = fs::read(&path)
                    .map_err(|error| text::unreadable(&safe(&path.display().to_string()), &error))?;
                Ok::<_, String>(Saved { bytes, mode, uid, gid })
            })
            .transpose()
        };
        let change = |number, touched: &Touched| {
            let (before, after) =
                (saved(number, "before", touched.before)?, saved(number, "after", touched.after)?);
            Ok(Change { path: touched.path.clone(), before, after })
        };
        let files = record.files.iter().enumerate();
        files.map(|(number, touched)| (touched.path.clone(), change(number, touched))).collect()
    }

    /// Keeps a new record. When this returns it outlives a power cut.
    pub(super) fn keep(&self, mut record: Record, changes: &[Change]) -> Result<Record, String> {
        record.files = (changes.iter())
            .map(|change| Touched {
                path: change.path.clone(),
                before: change.before.as_ref().map(Attributes::from),
                after: change.after.as_ref().map(Attributes::from),
            })
            .collect();
        let kept = (|| {
            while fs::symlink_metadata(self.folder.join(record.place())).is_ok() {
                record.number += 1;
            }
            let new = self.folder.join(format!(".{}.new", record.place()));
            remove_folder(&new)?;
            DirBuilder::new().mode(0o700).create(&new)?;
            for (number, change) in changes.iter().enumerate() {
                for (kind, saved) in [("before", &change.before), ("after", &change.after)] {
                    if let Some(saved) = saved {
                        write(&new.join(format!("{number}.{kind}")), &saved.bytes)?;
                    }
                }
            }
            write(&new.join(FILE), &serde_json::to_vec_pretty(&record)?)?;
            File::open(&new)?.sync_all()?;
            let place = self.folder.join(record.place());
            fs::rename(&new, &place)?;
            sync_folder(&place)?;
            sync_folder(&self.folder)
        })();
        kept.map(|()| record.clone()).map_err(|error: io::Error| text::unwritable(RECORDS, &error))
    }

    /// Notes that a change is confirmed.
    pub(super) fn confirm(&self, record: &Record) -> Result<(), String> {
        let confirmed = Record { pending: None, ..record.clone() };
        let folder = self.folder.join(record.place());
        let (new, place) = (folder.join(".new"), folder.join(FILE));
        let done = (|| {
            match fs::remove_file(&new) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            write(&new, &serde_json::to_vec_pretty(&confirmed)?)?;
            fs::rename(&new, &place)?;
            sync_folder(&place)
        })();
        done.map_err(|error: io::Error| text::unwritable(RECORDS, &error))
    }

    /// Forgets a change that has been undone: at once, whatever ends us while its bytes go.
    pub(super) fn forget(&self, record: &Record) -> Result<(), String> {
        let place = self.folder.join(record.place());
        let gone = self.folder.join(format!(".{}.gone", record.place()));
        remove_folder(&gone)
            .and_then(|()| fs::rename(&place, &gone))
            .and_then(|()| sync_folder(&place))
            .and_then(|()| remove_folder(&gone))
            .map_err(|error| text::unwritable(RECORDS, &error))
    }
}

/// Every record of a host, without waiting for anybody: what is being changed now is not seen.
pub(super) fn peek(host: &Host) -> Result<(Vec<Record>, Vec<String>), String> {
    read_all(&host.real(RECORDS))
}

/// The same, and all of them.
pub(super) fn peek_all(host: &Host) -> Result<Vec<Record>, String> {
    let (records, faults) = peek(host)?;
    if faults.is_empty() { Ok(records) } else { Err(faults.join("\n")) }
}

fn read_all(folder: &Path) -> Result<(Vec<Record>, Vec<String>), String> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
        Err(error) => return Err(text::unreadable(RECORDS, &error)),
    };
    let (mut records, mut faults) = (Vec::new(), Vec::new());
    for entry in entries.flatten() {
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            match read_one(&entry.path()) {
                Ok(record) => records.extend(record),
                Err(why) => faults.push(why),
            }
        }
    }
    records.sort_by(|a, b| (&a.service, a.number).cmp(&(&b.service, b.number)));
    Ok((records, faults))
}

fn read_one(folder: &Path) -> Result<Option<Record>, String> {
    let path = folder.join(FILE);
    let named = safe(&path.display().to_string());
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(text::unreadable(&named, &error)),
    };
    let record: Record = serde_json::from_slice(&bytes)
        .map_err(|error| text::unreadable(&named, &io::Error::other(safe(&error.to_string()))))?;
    if record.version != VERSION {
        return Err(text::unreadable(&named, &io::Error::other("a newer countersignctl wrote it")));
    }
    Ok(Some(record))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Seconds since the boot, suspend included, and the boot's id.
pub(super) fn boot_clock() -> (u64, String) {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    (u64::try_from(now.tv_sec).unwrap_or_default(), id.trim().to_owned())
}

impl Pending {
    /// Seconds that are left; `None` when its time is over or its boot is.
    pub(super) fn left(&self) -> Option<u64> {
        let (now, boot) = boot_clock();
        self.until.checked_sub(now).filter(|left| *left > 0 && boot == self.boot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_comes_back_and_is_forgotten() {
        let root = std::env::temp_dir().join(format!("ctl-enable-record-{}", std::process::id()));
        drop(fs::remove_dir_all(&root));
        let host = Host::below(&root);
        assert_eq!(peek_all(&host), Ok(vec![]));
        let records = Records::lock(&host).expect("a folder of our own");
        let (now, boot) = boot_clock();
        let pending = Pending { boot, until: now + 300 };
        assert!(pending.left().is_some_and(|left| (299..=300).contains(&left)));
        let record = Record::new("sshd", "00ff".into(), 17, Some(pending));
        let changes = [
            Change {
                path: "/etc/pam.d/sshd".into(),
                before: Some(Saved { bytes: b"a\xff".to_vec(), mode: 0o640, uid: 0, gid: 42 }),
                after: Some(Saved::new(b"b".to_vec())),
            },
            Change { path: "/etc/x".into(), before: None, after: Some(Saved::new(b"c".to_vec())) },
        ];
        let record = records.keep(record, &changes).expect("kept");
        assert_eq!(records.of("sshd"), Ok(vec![record.clone()]));
        let read = |record: &Record| -> Vec<Change> {
            records.changes(record).into_iter().map(|(_, change)| change.expect("read")).collect()
        };
        assert_eq!(read(&record), changes);
        records.confirm(&record).expect("confirmed");
        let confirmed = Record { pending: None, ..record.clone() };
        assert_eq!(peek_all(&host), Ok(vec![confirmed.clone()]));
        assert_eq!(read(&confirmed), changes);
        // A later change of the same service takes nothing from the first.
        let later = records.keep(Record::new("sshd", "01ff".into(), 18, None), &changes[1..]).expect("kept");
        assert_eq!(records.of("sshd"), Ok(vec![confirmed.clone(), later.clone()]));
        assert_eq!(read(&later), &changes[1..]);
        // One that cannot be read does not hide the others, and one whose bytes are gone says so.
        fs::create_dir(records.folder.join("su")).expect("ours");
        fs::write(records.folder.join("su").join(FILE), "{").expect("ours");
        fs::remove_file(records.folder.join("sshd.2/0.after")).expect("ours");
        let (some, faults) = records.all().expect("a folder");
        assert!(some.len() == 2 && faults.len() == 1 && faults[0].contains("su/change.json"), "{faults:?}");
        assert!(records.changes(&later)[0].1.as_ref().expect_err("gone").contains("sshd.2/0.after"));
        records.forget(&later).expect("forgotten");
        records.forget(&confirmed).expect("forgotten");
        assert_eq!(records.all().map(|(records, _)| records), Ok(vec![]));
        fs::remove_dir_all(root).expect("ours");
    }

    #[test]
    fn another_boot_and_a_time_that_is_over() {
        let (now, boot) = boot_clock();
        assert_eq!(Pending { boot: boot.clone(), until: now }.left(), None);
        assert_eq!(Pending { boot: "another".into(), until: now + 300 }.left(), None);
    }
}
