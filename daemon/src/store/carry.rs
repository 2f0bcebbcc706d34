//! Carrying a ruling out: charge, consumption, the next question and the log row, in the transaction
//! that the ruling was made in.

use super::answer::{AnswerRow, Answered, Evidence, Judged, OpenLogin};
use super::begin::{Phase, subject_of};
use super::invitation::{self, Taken};
use super::notice::{self, Kind as Notice, Untold};
use super::{email, grace, known_source, pending, tally};
use crate::clock::Moment;
use crate::decide::answer::{Payer, Reason, Ruling};
use crate::decide::email::Order;
use crate::decide::enrolling::{Asking, Miss, Move};
use crate::decide::throttle::Lane;
use crate::error::Error;
use rusqlite::Connection;

/// The reason of a login of somebody whom an administrator has locked.
pub const BARRED: &str = "locked-by-admin";
/// The reason of a login whose enrollment waits for the account phase.
pub const PENDING: &str = "enrollment-pending";

pub(super) fn carry_out(
    db: &Connection,
    login: &OpenLogin,
    facts: &AnswerRow,
    evidence: &Evidence,
    Judged { ruling, invitation: typed }: Judged,
    now: Moment,
) -> Result<Answered, Error> {
    let mut done = Answered {
        whose: [login.user.clone(), login.service.clone(), login.source_key.clone()],
        uid: login.uid,
        ruling,
        next: None,
        at: login.at,
        begun: login.begun,
        tries_left: login.at.left_after_a_miss() + 1,
        closed_for: 0,
        recovery_left: 0,
        untold: Untold::default(),
        asked_back: facts.pending.as_ref().map_or(0, |p| p.asked),
        mail_to: facts.email.as_ref().map(|email| email.to.clone()),
        has_app: !facts.authenticators.is_empty(),
    };
    match ruling {
        Ruling::Explain => explain(db, login, &mut done)?,
        Ruling::Locked(_) => {
            write(
                db,
                login,
                now,
                &End { phase: Phase::Over, state: "locked", factor: "", reason: "locked" },
            )?;
            pending::discard(db, login.id)?;
        }
        Ruling::Barred => {
            if login.payer == Payer::Source {
                charge_failure(db, login, facts.lane, now)?;
            }
            bar(db, login, now)?;
        }
        Ruling::Wrong { lane, reason, charge } => wrong(db, login, lane, reason, charge, now, &mut done)?,
        Ruling::Totp { id, step } => {
            let consumed = db
                .prepare_cached(
                    "UPDATE totp SET last_step = ?2, last_used = ?3 WHERE id = ?1 AND last_step < ?2",
                )?
                .execute((id, step, now.wall))?;
            succeed(db, login, facts, now, consumed, facts.lane, "totp")?;
        }
        Ruling::Recovery { id, lane } => recover(db, login, facts, (id, lane), now, &mut done)?,
        Ruling::Mail(order) => mail(db, login, evidence, order, now, &mut done)?,
        Ruling::EmailCode => {
            let consumed = email::take(db, login.id)?;
            succeed(db, login, facts, now, consumed, facts.lane, "email")?;
        }
        Ruling::Enrolling(ruled) => enroll(db, login, (facts.lane, typed), ruled, now, &mut done)?,
    }
    if lets_in(&done) {
        done.untold = untold(db, login)?;
    }
    Ok(done)
}

/// Ends a login of somebody whom an administrator has locked.
fn bar(db: &Connection, login: &OpenLogin, now: Moment) -> Result<(), Error> {
    write(db, login, now, &End { phase: Phase::Over, state: "locked", factor: "", reason: BARRED })?;
    pending::discard(db, login.id)?;
    email::close(db, login.id)
}

/// Whether the login is over and the person is in, as far as we are concerned.
fn lets_in(done: &Answered) -> bool {
    done.next.is_none()
        && match done.ruling {
            Ruling::Totp { .. } | Ruling::Recovery { .. } | Ruling::EmailCode => true,
            Ruling::Enrolling(ruled) => matches!(ruled, Move::Kept | Move::GoOn { .. } | Move::Later),
            Ruling::Explain | Ruling::Mail(_) | Ruling::Locked(_) | Ruling::Barred | Ruling::Wrong { .. } => {
                false
            }
        }
}

/// What the person of a login that is now verified hears: what they had not been told when it began.
fn untold(db: &Connection, login: &OpenLogin) -> Result<Untold, Error> {
    match login.uid {
        Some(uid) if login.tells > 0 => notice::untold(db, uid, &login.user, login.tells),
        _ => Ok(Untold::default()),
    }
}

/// How a login stands after an answer, as the log shows it.
struct End {
    phase: Phase,
    state: &'static str,
    factor: &'static str,
    reason: &'static str,
}

fn explain(db: &Connection, login: &OpenLogin, done: &mut Answered) -> Result<(), Error> {
    db.prepare_cached("UPDATE login SET rounds = rounds + 1 WHERE id = ?1")?.execute([login.id])?;
    if !login.at.is_last_round() {
        done.next = Some(login.at.asking);
        return Ok(());
    }
    pending::discard(db, login.id)?;
    email::close(db, login.id)?;
    db.prepare_cached(
        "UPDATE login SET phase = ?2, token = NULL, state = 'denied',
           reason = CASE state WHEN 'denied' THEN reason ELSE 'too-many-answers' END
         WHERE id = ?1",
    )?
    .execute((login.id, Phase::Over.number()))?;
    Ok(())
}

/// A code that is asked for is written down before it is sent. Asking is an answer like `?`: it costs
/// a round and no try, and gives none back.
fn mail(
    db: &Connection,
    login: &OpenLogin,
    evidence: &Evidence,
    order: Order,
    now: Moment,
    done: &mut Answered,
) -> Result<(), Error> {
    explain(db, login, done)?;
    match order {
        Order::Send => {
            let code = evidence.fresh.as_ref().ok_or_else(|| Error::unavailable("no code was made"))?;
            email::order(db, login, code, now)
        }
        Order::Capped(_) => {
            db.prepare_cached("UPDATE login SET reason = 'mail-capped' WHERE id = ?1")?
                .execute([login.id])?;
            Ok(())
        }
        Order::TooSoon(_) => Ok(()),
    }
}

fn wrong(
    db: &Connection,
    login: &OpenLogin,
    lane: Lane,
    reason: Reason,
    charge: bool,
    now: Moment,
    done: &mut Answered,
) -> Result<(), Error> {
    if charge {
        done.closed_for = charge_failure(db, login, lane, now)?;
    }
    let word = match reason {
        Reason::WrongCode => "wrong-code",
        Reason::CodeReused(_) => "code-reused",
        Reason::CodeExpired => "code-expired",
        Reason::ClockOff { id, step, .. } => {
            db.prepare_cached("UPDATE totp SET last_step = ?2 WHERE id = ?1 AND last_step < ?2")?
                .execute((id, step))?;
            "clock-off"
        }
    };
    miss(db, login, word, now, done)?;
    if let (Reason::CodeReused(_), Some(uid)) = (reason, login.uid) {
        notice::add(db, uid, &login.user, Notice::CodeReused, &login.place(), now)?;
    }
    Ok(())
}

/// One more wrong answer to the same question, after which it may be the last.
fn miss(
    db: &Connection,
    login: &OpenLogin,
    reason: &'static str,
    now: Moment,
    done: &mut Answered,
) -> Result<(), Error> {
    done.tries_left = login.at.left_after_a_miss();
    let more = done.tries_left > 0 && done.closed_for == 0 && !login.at.is_last_round();
    done.next = more.then_some(login.at.asking);
    let phase = if more { Phase::Asked } else { Phase::Over };
    if !more {
        pending::discard(db, login.id)?;
        email::close(db, login.id)?;
    }
    db.prepare_cached("UPDATE login SET misses = misses + 1 WHERE id = ?1")?.execute([login.id])?;
    write(db, login, now, &End { phase, state: "denied", factor: "", reason })
}

fn recover(
    db: &Connection,
    login: &OpenLogin,
    facts: &AnswerRow,
    (id, lane): (i64, Lane),
    now: Moment,
    done: &mut Answered,
) -> Result<(), Error> {
    let consumed = db
        .prepare_cached("UPDATE recovery_code SET used_at = ?2 WHERE id = ?1 AND used_at IS NULL")?
        .execute((id, now.wall))?;
    succeed(db, login, facts, now, consumed, lane, "recovery")?;
    if let Some(uid) = login.uid {
        notice::add(db, uid, &login.user, Notice::RecoveryUsed, &login.place(), now)?;
    }
    done.recovery_left = db
        .prepare_cached("SELECT count(*) FROM recovery_code WHERE uid = ?1 AND used_at IS NULL")?
        .query_row([login.uid], |r| r.get(0))?;
    if login.at.talk && login.may_enroll {
        ask_next(db, login, Asking::Offer, done)?;
    }
    Ok(())
}

/// The login goes on with another question, at which nobody has missed yet.
fn ask_next(db: &Connection, login: &OpenLogin, asking: Asking, done: &mut Answered) -> Result<(), Error> {
    db.prepare_cached("UPDATE login SET asking = ?2, misses = 0, phase = ?3 WHERE id = ?1")?.execute((
        login.id,
        asking.as_str(),
        Phase::Asked.number(),
    ))?;
    done.next = Some(asking);
    Ok(())
}

fn enroll(
    db: &Connection,
    login: &OpenLogin,
    (lane, typed): (Lane, Option<[u8; 32]>),
    ruled: Move,
    now: Moment,
    done: &mut Answered,
) -> Result<(), Error> {
    // Whoever has passed stays verified by the recovery code, whatever comes of the new phone.
    let (state, factor) = if login.passed() { ("verified", "recovery") } else { ("asked", "") };
    let goes_on = End { phase: Phase::Asked, state, factor, reason: PENDING };
    match ruled {
        Move::Explain => explain(db, login, done)?,
        Move::Later => {
            write(
                db,
                login,
                now,
                &End { phase: Phase::Skipped, state: "skipped", factor: "", reason: "later" },
            )?;
            pending::discard(db, login.id)?;
            if let Some(uid) = login.uid {
                grace::count(db, uid)?;
            }
        }
        Move::SetUp => {
            write(db, login, now, &goes_on)?;
            ask_next(db, login, Asking::FirstCode, done)?;
        }
        Move::TryInvitation => {
            let uid = login.uid.ok_or_else(|| Error::unavailable("an invitation of nobody"))?;
            let typed = typed.ok_or_else(|| Error::unavailable("no invitation to compare with"))?;
            if invitation::take(db, uid, &login.user, &typed, now)? == Taken::Right {
                write(db, login, now, &goes_on)?;
                ask_next(db, login, Asking::FirstCode, done)?;
            } else {
                done.ruling = Ruling::Enrolling(Move::Missed(Miss::Invitation));
                missed_at(db, login, lane, Miss::Invitation, now, done)?;
            }
        }
        Move::Proven { step } => {
            pending::prove(db, login.id, step)?;
            write(db, login, now, &goes_on)?;
            ask_next(db, login, Asking::ReadBack, done)?;
        }
        Move::Kept => {
            pending::read_back(db, login.id)?;
            let factor = if login.passed() { factor } else { "totp" };
            // No tally is cleared: that somebody can read a key proves nothing about who they are.
            write(
                db,
                login,
                now,
                &End { phase: Phase::Verified, state: "verified", factor, reason: PENDING },
            )?;
        }
        Move::GoOn { .. } => {
            pending::discard(db, login.id)?;
            // The account phase keeps nothing of a login that does not end with a code typed back.
            ask_next(db, login, Asking::Offer, done)?;
            done.next = None;
            write(db, login, now, &End { phase: Phase::Verified, reason: "", ..goes_on })?;
        }
        Move::Missed(missed) => missed_at(db, login, lane, missed, now, done)?,
        Move::Gone => {
            let end = End { phase: Phase::Over, state: "abandoned", factor: "", reason: "expired" };
            write(db, login, now, &end)?;
        }
    }
    Ok(())
}

fn missed_at(
    db: &Connection,
    login: &OpenLogin,
    lane: Lane,
    missed: Miss,
    now: Moment,
    done: &mut Answered,
) -> Result<(), Error> {
    let reason = match missed {
        Miss::Invitation => "wrong-invitation",
        Miss::FirstCode { .. } => "wrong-code",
        Miss::ReadBack => "wrong-read-back",
    };
    if login.passed() || missed == Miss::ReadBack {
        // Asked again until the rounds are used up; nothing is charged.
        let over = login.at.is_last_round();
        if over {
            pending::discard(db, login.id)?;
        }
        done.tries_left = login.at.left_after_a_miss();
        done.next = (!over).then_some(login.at.asking);
        db.prepare_cached("UPDATE login SET misses = misses + 1 WHERE id = ?1")?.execute([login.id])?;
        let (state, factor) = match (login.passed(), over) {
            (true, _) => ("verified", "recovery"),
            (false, true) => ("denied", ""),
            (false, false) => ("asked", ""),
        };
        let phase = if over { Phase::Over } else { Phase::Asked };
        let reason = if over { reason } else { PENDING };
        return write(db, login, now, &End { phase, state, factor, reason });
    }
    done.closed_for = charge_failure(db, login, lane, now)?;
    miss(db, login, reason, now, done)
}

fn charge_failure(db: &Connection, login: &OpenLogin, lane: Lane, now: Moment) -> Result<i64, Error> {
    let subject = subject_of(login.payer, login.uid, &login.source_key);
    let tally = tally::charge(db, &subject, lane, now)?;
    if let (Payer::Person, Some(uid)) = (login.payer, login.uid) {
        tally::charge_in_a_row(db, uid, now)?;
    }
    let closed_for = tally.closed_for(lane, now);
    if let (true, Payer::Person, Some(uid)) = (closed_for > 0, login.payer, login.uid) {
        // Somebody guesses: nobody of this name passes unasked any more.
        known_source::forget(db, uid, now)?;
        notice::add(db, uid, &login.user, Notice::Locked, &login.place(), now)?;
    }
    Ok(closed_for)
}

fn succeed(
    db: &Connection,
    login: &OpenLogin,
    facts: &AnswerRow,
    now: Moment,
    consumed: usize,
    lane: Lane,
    factor: &'static str,
) -> Result<(), Error> {
    if consumed != 1 {
        return Err(Error::unavailable("a code was used by somebody else at the same moment"));
    }
    if let (Payer::Person, Some(uid)) = (login.payer, login.uid) {
        db.prepare_cached("UPDATE person SET last_verified = ?2 WHERE uid = ?1")?.execute((uid, now.wall))?;
        if facts.in_a_row.failures > 0 {
            tally::clear(db, &tally::of_person(uid), Lane::All)?;
        }
        if lane != facts.lane || facts.tally.failures > 0 {
            tally::clear(db, &tally::of_person(uid), lane)?;
        }
    }
    // A code by e-mail that is still on its way lets nobody in any more.
    email::close(db, login.id)?;
    write(db, login, now, &End { phase: Phase::Verified, state: "verified", factor, reason: "" })
}

fn write(db: &Connection, login: &OpenLogin, now: Moment, end: &End) -> Result<(), Error> {
    db.prepare_cached(
        "UPDATE login SET phase = ?2, token = CASE WHEN ?2 = 3 THEN NULL ELSE token END, state = ?3, factor = ?4, reason = ?5,
                rounds = rounds + 1, tries = tries + 1, last_try = ?6
         WHERE id = ?1",
    )?
    .execute((login.id, end.phase.number(), end.state, end.factor, end.reason, now.wall))?;
    Ok(())
}
