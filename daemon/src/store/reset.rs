//! Taking everything away from a person: at once, or after a colleague asked and others agreed.

use super::notice::{self, Kind as Notice};
use super::worker::{Durability, Store};
use super::{address, known_source, overrides, pending, proof, tally};
use crate::clock::Moment;
use crate::decide::overrides::Override;
use crate::error::Error;
use countersign_protocol::manager::ResetRequest;
use rusqlite::{Connection, OptionalExtension};

/// Seconds for which a request waits for approval, over restarts of the host.
const REQUEST_LIVES: i64 = 24 * 3600;
/// Requests that one person may have open.
const REQUESTS_OF_ONE: u32 = 5;

/// Somebody who acts, as the log and the person concerned read it.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The uid, as the bus saw them connect.
    pub uid: u32,
    /// The login name, or `uid N`.
    pub name: String,
}

/// Somebody acted on.
#[derive(Debug, Clone)]
pub struct Whom {
    /// The uid.
    pub uid: u32,
    /// The login name.
    pub name: String,
}

/// What an approval came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approved {
    /// Approvals that are missing still; 0: the person was reset.
    pub missing: u32,
    /// Factors removed.
    pub removed: u32,
}

struct Open {
    whom: Whom,
    requester: Actor,
    reason: String,
}

impl Store {
    /// Removes what lets a person in, and voids what is in flight. Failures, locks, notices and what an
    /// administrator decided stay: a reset is no way around them. Gives how many factors went, recovery
    /// codes counting as one.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn reset(&self, whom: Whom, by: String, reason: String, now: Moment) -> Result<u32, Error> {
        self.run(Durability::Power, move |db| removed(db, &whom, &format!("{by}: {reason}"), now)).await
    }

    /// Removes everything that is kept of somebody whose account is gone, but the attempt log. Gives how
    /// many factors went, and the overrides that are left of others.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn purge_person(&self, whom: Whom) -> Result<(u32, Vec<Override>), Error> {
        self.run(Durability::Power, move |db| {
            let removed = void(db, whom.uid)?;
            db.execute("DELETE FROM tally WHERE subject = ?1", [tally::of_person(whom.uid)])?;
            db.execute("DELETE FROM notice WHERE uid = ?1", [whom.uid])?;
            db.execute("DELETE FROM override WHERE uid = ?1", [whom.uid])?;
            db.execute("DELETE FROM grace WHERE uid = ?1", [whom.uid])?;
            Ok((removed, overrides::all(db)?))
        })
        .await
    }

    /// Notes that somebody asks for a reset of a colleague. Gives the request's number.
    ///
    /// # Errors
    /// `InvalidArgument` when the person has an open request or the requester too many.
    pub async fn request_reset(
        &self,
        whom: Whom,
        requester: Actor,
        reason: String,
        proof: [u8; 16],
        now: Moment,
    ) -> Result<u32, Error> {
        self.run(Durability::Power, move |db| {
            sweep(db, now)?;
            // Used up only if the request is made: a refusal takes it back.
            proof::consume(db, &proof, requester.uid, requester.uid, &requester.name, now)?;
            if let Some(id) = open_about(db, whom.uid)? {
                return Err(Error::InvalidArgument(format!(
                    "a reset of {} was asked for already (request {id}); whoever may approve it sees it with `countersignctl approve`",
                    whom.name
                )));
            }
            let open: u32 = db.query_row(
                "SELECT count(*) FROM reset_request WHERE requester = ?1",
                [requester.uid],
                |r| r.get(0),
            )?;
            if open >= REQUESTS_OF_ONE {
                return Err(Error::InvalidArgument(format!(
                    "you have {open} requests open already; wait until they are approved, refused or a day old"
                )));
            }
            db.execute(
                "INSERT INTO reset_request (uid, name, requester, requester_name, reason, asked, until)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (whom.uid, &whom.name, requester.uid, &requester.name, &reason, now.date, now.date + REQUEST_LIVES),
            )?;
            let id = u32::try_from(db.last_insert_rowid())
                .map_err(|_| Error::unavailable("the numbers of requests are used up"))?;
            told(db, &whom, Notice::ResetRequested, &format!("{id} {}: {reason}", requester.name), now)?;
            Ok(id)
        })
        .await
    }

    /// Whom an open request is about.
    ///
    /// # Errors
    /// `NotFound` when there is no such request, or no longer.
    pub async fn reset_request(&self, id: u32, now: Moment) -> Result<Whom, Error> {
        self.run(Durability::Kill, move |db| Ok(open(db, id, now)?.whom)).await
    }

    /// Every open request, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn reset_requests(&self, needed: u32, now: Moment) -> Result<Vec<ResetRequest>, Error> {
        self.run(Durability::Kill, move |db| {
            let mut statement = db.prepare_cached(
                "SELECT id, name, uid, requester_name, reason, asked, until FROM reset_request
                 WHERE until > ?1 ORDER BY id",
            )?;
            let mut rows = statement.query([now.date])?;
            let mut requests = Vec::new();
            while let Some(r) = rows.next()? {
                let id = r.get(0)?;
                let approved = approvers(db, id)?;
                requests.push(ResetRequest {
                    id,
                    user: r.get(1)?,
                    uid: r.get(2)?,
                    requester: r.get(3)?,
                    reason: r.get(4)?,
                    asked: r.get(5)?,
                    until: r.get(6)?,
                    missing: missing(needed, approved.len()),
                    approved,
                });
            }
            Ok(requests)
        })
        .await
    }

    /// One approval, by somebody who is neither the requester nor the person; with the last that is
    /// `needed`, the reset.
    ///
    /// # Errors
    /// `NotFound` when there is no such request about this person (any more), `NotAuthorized` for
    /// whoever may not approve this one.
    pub async fn approve_reset(
        &self,
        id: u32,
        whom: Whom,
        approver: Actor,
        needed: u32,
        now: Moment,
    ) -> Result<Approved, Error> {
        self.run(Durability::Power, move |db| {
            let request = open(db, id, now)?;
            refuse_another(id, &request, &whom)?;
            refuse_involved(&request, approver.uid)?;
            let counted = db.execute(
                "INSERT INTO reset_approval (request, uid, name) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                (id, approver.uid, &approver.name),
            )?;
            if counted == 0 {
                return Err(Error::NotAuthorized(
                    "you approved this already; it takes somebody else to approve it too".into(),
                ));
            }
            told(db, &whom, Notice::ResetApproved, &format!("{id} {}", approver.name), now)?;
            let approved = approvers(db, id)?;
            let missing = missing(needed, approved.len());
            if missing > 0 {
                return Ok(Approved { missing, removed: 0 });
            }
            let by = format!("{}, approved by {}", request.requester.name, approved.join(" and "));
            let removed = removed(db, &whom, &format!("{by}: {}", request.reason), now)?;
            Ok(Approved { missing: 0, removed })
        })
        .await
    }

    /// Refuses a request. The person whom it is about may do so, and whoever asked.
    ///
    /// # Errors
    /// `NotFound` when there is no such request (any more).
    pub async fn refuse_reset(
        &self,
        id: u32,
        whom: Whom,
        by: Actor,
        reason: String,
        now: Moment,
    ) -> Result<(), Error> {
        self.run(Durability::Power, move |db| {
            let request = open(db, id, now)?;
            refuse_another(id, &request, &whom)?;
            close(db, "id", id)?;
            told(db, &whom, Notice::ResetRefused, &format!("{id} {}: {reason}", by.name), now)
        })
        .await
    }
}

/// Takes every factor and says so, also to the mail address that goes with them.
fn removed(db: &Connection, whom: &Whom, detail: &str, now: Moment) -> Result<u32, Error> {
    let address = address::find(db, whom.uid, &whom.name)?.map(|set| set.address);
    let removed = void(db, whom.uid)?;
    notice::add_telling(db, whom.uid, &whom.name, Notice::Reset, detail, address.as_deref(), now)?;
    Ok(removed)
}

/// Takes every factor, and voids logins, enrollments and requests in flight.
fn void(db: &Connection, uid: u32) -> Result<u32, Error> {
    let apps = db.execute("DELETE FROM totp WHERE uid = ?1", [uid])?;
    db.execute("DELETE FROM recovery_code WHERE uid = ?1", [uid])?;
    let sets = db.execute("DELETE FROM recovery_set WHERE uid = ?1", [uid])?;
    db.execute("DELETE FROM enrollment WHERE uid = ?1", [uid])?;
    pending::discard_all(db, uid)?;
    db.execute("DELETE FROM invitation WHERE uid = ?1", [uid])?;
    let addresses = db.execute("DELETE FROM address WHERE uid = ?1", [uid])?;
    db.execute("DELETE FROM address_pending WHERE uid = ?1", [uid])?;
    known_source::remove(db, uid)?;
    db.execute(
        "UPDATE login SET token = NULL, phase = 3, reason = 'reset',
                state = CASE WHEN state IN ('asked', 'verified') THEN 'denied' ELSE state END
         WHERE uid = ?1 AND token IS NOT NULL",
        [uid],
    )?;
    db.execute("DELETE FROM person WHERE uid = ?1", [uid])?;
    // A factor that is void stood behind what they asked for as well.
    close(db, "uid", uid)?;
    close(db, "requester", uid)?;
    Ok(u32::try_from(apps + sets + addresses).unwrap_or(u32::MAX))
}

fn told(db: &Connection, whom: &Whom, kind: Notice, detail: &str, now: Moment) -> Result<(), Error> {
    notice::add(db, whom.uid, &whom.name, kind, detail, now)
}

fn open(db: &Connection, id: u32, now: Moment) -> Result<Open, Error> {
    db.prepare_cached(
        "SELECT uid, name, requester, requester_name, reason FROM reset_request WHERE id = ?1 AND until > ?2",
    )?
    .query_row((id, now.date), |r| {
        Ok(Open {
            whom: Whom { uid: r.get(0)?, name: r.get(1)? },
            requester: Actor { uid: r.get(2)?, name: r.get(3)? },
            reason: r.get(4)?,
        })
    })
    .optional()?
    .ok_or_else(|| no_request(id))
}

fn no_request(id: u32) -> Error {
    Error::NotFound(format!(
        "there is no open request {id}: it was approved, refused or older than a day; see `countersignctl approve`"
    ))
}

/// The person acted on is the one that polkit was asked about.
fn refuse_another(id: u32, request: &Open, whom: &Whom) -> Result<(), Error> {
    if (request.whom.uid, &request.whom.name) == (whom.uid, &whom.name) {
        Ok(())
    } else {
        Err(no_request(id))
    }
}

/// Nobody approves what they asked for, nor what is about them.
fn refuse_involved(request: &Open, approver: u32) -> Result<(), Error> {
    let why = match approver {
        0 => "root approves nothing: log in as yourself, or see `countersignctl reset --help` for --alone",
        uid if uid == request.requester.uid => "you asked for this reset; somebody else must approve it",
        uid if uid == request.whom.uid => "this reset is about you; somebody else must approve it",
        _ => return Ok(()),
    };
    Err(Error::NotAuthorized(why.into()))
}

fn open_about(db: &Connection, uid: u32) -> Result<Option<u32>, Error> {
    Ok(db.query_row("SELECT id FROM reset_request WHERE uid = ?1", [uid], |r| r.get(0)).optional()?)
}

fn approvers(db: &Connection, id: u32) -> Result<Vec<String>, Error> {
    Ok(db
        .prepare_cached("SELECT name FROM reset_approval WHERE request = ?1 ORDER BY id")?
        .query_map([id], |r| r.get(0))?
        .collect::<Result<_, _>>()?)
}

/// What is missing of the approvals needed. A request needs one even where a reset needs none.
fn missing(needed: u32, have: usize) -> u32 {
    needed.max(1).saturating_sub(u32::try_from(have).unwrap_or(u32::MAX))
}

fn sweep(db: &Connection, now: Moment) -> Result<(), Error> {
    db.execute(
        "DELETE FROM reset_approval WHERE request IN (SELECT id FROM reset_request WHERE until <= ?1)",
        [now.date],
    )?;
    db.execute("DELETE FROM reset_request WHERE until <= ?1", [now.date])?;
    Ok(())
}

/// Closes requests by one of their columns; which one is never outside text.
fn close(db: &Connection, column: &'static str, value: u32) -> Result<(), Error> {
    db.execute(
        &format!(
            "DELETE FROM reset_approval WHERE request IN (SELECT id FROM reset_request WHERE {column} = ?1)"
        ),
        [value],
    )?;
    db.execute(&format!("DELETE FROM reset_request WHERE {column} = ?1"), [value])?;
    Ok(())
}
