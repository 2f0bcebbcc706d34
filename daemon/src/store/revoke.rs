//! What a backup knows as removed stays removed, whatever older copy was put in place before it.

use super::notice::{self, Kind as Notice};
use super::restore::Bring;
use super::staged::Copied;
use crate::clock::Moment;
use crate::error::Error;
use countersign_protocol::manager::{Restored, RestoredFactor};
use rusqlite::{Connection, OptionalExtension};

/// What the backup knows as removed is known so from now on, and no older one brings it back. Where this
/// installation has it again, from a copy that was older still, it goes; gives how many authenticators.
pub(super) fn revoke(
    db: &Connection,
    copied: &Copied,
    how: &Bring,
    of: &str,
    report: &mut Restored,
    now: Moment,
) -> Result<u32, Error> {
    let mut app = db.prepare_cached(
        "SELECT t.uid, p.name, t.name, t.created FROM totp t JOIN person p USING (uid) WHERE serial = ?1",
    )?;
    let mut set = db.prepare_cached(
        "SELECT s.uid, p.name, '', s.created FROM recovery_set s JOIN person p USING (uid) WHERE salt = ?1",
    )?;
    let mut removed = 0;
    for serial in &copied.gone {
        for (kind, here) in [("totp", &mut app), ("recovery", &mut set)] {
            let found = here.query_row([serial], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)));
            let Some((uid, user, name, created)): Option<(u32, String, String, i64)> = found.optional()?
            else {
                continue;
            };
            // On another host what came there by other ways is of no concern to this backup.
            if !report.same_installation {
                continue;
            }
            removed += u32::from(kind == "totp");
            if !how.dry_run {
                drop_factor(db, kind, uid, serial)?;
                notice::add(db, uid, &user, Notice::Restored, &format!("{of}, {}", how.by), now)?;
            }
            let what = "removed".to_owned();
            let factor =
                RestoredFactor { user, uid, kind: kind.to_owned(), name, what, created, why: String::new() };
            report.factors.push(factor);
        }
        if !how.dry_run {
            db.prepare_cached(
                "INSERT OR IGNORE INTO gone SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM totp WHERE serial = ?1)
                 AND NOT EXISTS (SELECT 1 FROM recovery_set WHERE salt = ?1)",
            )?
            .execute([serial])?;
        }
    }
    Ok(removed)
}

fn drop_factor(db: &Connection, kind: &str, uid: u32, serial: &[u8]) -> Result<(), Error> {
    if kind == "totp" {
        db.prepare_cached("DELETE FROM totp WHERE serial = ?1")?.execute([serial])?;
    } else {
        db.prepare_cached("DELETE FROM recovery_code WHERE uid = ?1")?.execute([uid])?;
        db.prepare_cached("DELETE FROM recovery_set WHERE uid = ?1")?.execute([uid])?;
    }
    Ok(())
}
