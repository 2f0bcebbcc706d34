//! A new sealing key: everything that is sealed, sealed anew in one transaction.

use super::worker::{Durability, Store};
use crate::error::Error;
use crate::seal::{Fingerprint, HASH_KEY_ROW, Keys, Sealer, recovery_row, totp_row};
use rusqlite::Connection;
use std::sync::Arc;

/// What the database says of its sealing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBy {
    /// Tells the key from others.
    pub fingerprint: Fingerprint,
    /// The key of the hashes, sealed under it; `None` is the one that follows from it.
    pub hash_key: Option<Vec<u8>>,
}

/// How much was sealed anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unsealed {
    /// Secrets of confirmed factors.
    pub secrets: u64,
    /// Enrollments that waited, and now start over.
    pub ended: u64,
}

impl Store {
    /// What the database says of its key, for the start of the daemon. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn sealed_by_at_start(&self) -> Result<SealedBy, Error> {
        self.run_blocking(Durability::Kill, |db| {
            Ok(db.query_row("SELECT sealed_by, hash_key FROM meta WHERE id = 1", [], |r| {
                Ok(SealedBy { fingerprint: r.get(0)?, hash_key: r.get(1)? })
            })?)
        })
    }

    /// Seals anew what is sealed by another key than this; what is by this one, stays. With `changes`,
    /// enrollments that wait start over, which spares the proof that none of them is forgotten.
    ///
    /// # Errors
    /// When something opens with no key there is, or the store cannot be written: then nothing changed.
    pub async fn reseal(&self, keys: Arc<Keys>, to: Arc<Sealer>, changes: bool) -> Result<Unsealed, Error> {
        self.run(Durability::Power, move |db| {
            let totp = each(db, "SELECT id, uid, 0, secret FROM totp", |uid, _| totp_row(uid))?;
            let codes = each(
                db,
                "SELECT id, uid, number, sealed FROM recovery_code WHERE sealed IS NOT NULL",
                recovery_row,
            )?;
            let mut secrets = 0;
            for (rows, update) in [
                (totp, "UPDATE totp SET secret = ?2 WHERE id = ?1"),
                (codes, "UPDATE recovery_code SET sealed = ?2 WHERE id = ?1"),
            ] {
                let mut update = db.prepare(update)?;
                for (id, context, sealed) in rows {
                    if to.open(&context, &sealed).is_err() {
                        let opened = keys.open(&context, &sealed).map_err(|e| {
                            Error::unavailable(format!("{context}: {e}; nothing was changed"))
                        })?;
                        update.execute((id, to.seal(&context, &opened)?))?;
                        secrets += 1;
                    }
                }
            }
            let ended = if changes { end_enrollments(db)? } else { 0 };
            let hash_key = to.seal(HASH_KEY_ROW, keys.hash_key().as_slice())?;
            db.execute(
                "UPDATE meta SET sealed_by = ?1, hash_key = ?2 WHERE id = 1",
                (to.fingerprint(), hash_key),
            )?;
            Ok(Unsealed { secrets, ended })
        })
        .await
    }
}

/// Rows with something sealed: id, context, and what is sealed.
type Rows = Vec<(i64, String, Vec<u8>)>;

fn each(db: &Connection, sql: &str, context: impl Fn(u32, u32) -> String) -> Result<Rows, Error> {
    Ok(db
        .prepare(sql)?
        .query_map([], |r| Ok((r.get(0)?, context(r.get(1)?, r.get(2)?), r.get(3)?)))?
        .collect::<Result<_, _>>()?)
}

/// Ends enrollments that wait, the logins in which some do, and addresses that wait for their code; gives how
/// many.
pub(super) fn end_enrollments(db: &Connection) -> Result<u64, Error> {
    let shells = db.execute("DELETE FROM enrollment", [])?;
    db.execute(
        "UPDATE login SET token = NULL, phase = 3, reason = 'interrupted', state = 'abandoned'
         WHERE token IS NOT NULL AND id IN (SELECT login FROM pending)",
        [],
    )?;
    let logins = db.execute("DELETE FROM pending", [])?;
    // The hash of its code is keyed.
    let addresses = db.execute("DELETE FROM address_pending", [])?;
    Ok((shells + logins + addresses) as u64)
}
