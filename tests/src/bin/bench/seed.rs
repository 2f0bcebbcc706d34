//! Many enrolled people at once, written into the database of a stopped daemon the way it writes them.

use crate::people;
use countersign_daemon::seal::{Keys, totp_row};
use countersign_tests::Daemon;
use rusqlite::Connection;

/// Enrolls the first `active` of those who log in, and idle people up to `all`, with an authenticator each.
pub(crate) fn enroll(daemon: &Daemon, active: usize, all: usize) {
    let of = |n| {
        if n < active {
            (people::uid(n), people::name(n), n)
        } else {
            (people::FIRST_IDLE_UID + n, format!("idle{n}"), n)
        }
    };
    give_app(daemon, (0..all).map(of));
}

/// Gives people by uid and name an authenticator each, with the key of this number.
pub(crate) fn give_app(daemon: &Daemon, people: impl Iterator<Item = (usize, String, usize)>) {
    let (master, instance) = countersign_daemon::read_key(&daemon.key_file()).expect("the sealing key");
    let keys = Keys::derive(&master, instance).expect("the keys");
    change(daemon, |db| {
        let mut person = db.prepare("INSERT INTO person (uid, name) VALUES (?1, ?2)")?;
        let mut totp = db.prepare(
            "INSERT INTO totp (uid, name, secret, digits, period, last_step, created)
             VALUES (?1, 'app', ?2, 6, 30, 0, 0)",
        )?;
        for (uid, name, n) in people {
            let uid = u32::try_from(uid).unwrap_or(u32::MAX);
            let secret = keys.seal(&totp_row(uid), &people::key(n)).expect("a sealed secret");
            person.execute((uid, name))?;
            totp.execute((uid, secret))?;
        }
        Ok(())
    });
}

/// Makes the stopped daemon forget which codes were used.
pub(crate) fn forget_codes(daemon: &Daemon) {
    change(daemon, |db| db.execute("UPDATE totp SET last_step = 0 WHERE last_step > 0", []).map(drop));
}

pub(crate) fn change(daemon: &Daemon, work: impl FnOnce(&Connection) -> rusqlite::Result<()>) {
    let mut db = Connection::open(daemon.database()).expect("the database of a stopped daemon");
    let transaction = db.transaction().expect("a transaction");
    work(&transaction).expect("rows of the daemon's own shape");
    transaction.commit().expect("a commit");
    // Closing removes the write-ahead log, which would be root's and not the daemon's.
    db.close().expect("the database closes");
}
