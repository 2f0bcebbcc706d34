//! What a person hears of a ruling that was carried out.

use super::{LoginId, Step};
use crate::clock::{Moment, Stamp};
use crate::decide::answer::{Reason, Ruling};
use crate::decide::email::mask;
use crate::decide::enrolling::{Asking, Move, seconds_left};
use crate::host::Host;
use crate::notice_text;
use crate::store::Answered;
use crate::text::enrolling::Later;
use crate::text::{self, Message, enrolling};
use countersign_protocol::login::Verdict;

/// The step that follows a ruling.
pub(super) fn tell(host: &Host, id: LoginId, done: &Answered, now: Moment) -> Step {
    let (verdict, messages) = answered(done, now);
    if let (Verdict::Ask, Some(asking)) = (verdict, done.next) {
        return question(id, asking, done.asked_back, messages, &done.whose[1], done.begun, now);
    }
    if !done.at.talk {
        // Where the first factor is unknown nobody hears why, nor that tries are used up: sshd would show
        // that to everybody, because it goes on otherwise, and it is never so for a name that nobody has.
        let verdict = if verdict == Verdict::Locked { Verdict::Deny } else { verdict };
        return Step::end(id, verdict, vec![]);
    }
    let messages = match verdict {
        Verdict::Allow | Verdict::NotRequired => {
            let since = notice_text::since_last_login(&done.whose[0], &done.untold);
            messages.into_iter().chain(since).collect()
        }
        Verdict::Deny | Verdict::Locked | Verdict::Ask => {
            text::with_help(messages, host.in_force().config.help.as_deref())
        }
    };
    Step::end(id, verdict, messages)
}

/// A step that asks. Whoever has little time left on the way to a factor is told so.
pub(super) fn question(
    id: LoginId,
    asking: Asking,
    asked_back: u32,
    mut messages: Vec<Message>,
    service: &str,
    begun: Stamp,
    now: Moment,
) -> Step {
    let hurry = seconds_left(service, begun, now).filter(|_| asking != Asking::Code);
    messages.extend(hurry.map(enrolling::hurry));
    Step::ask(id, enrolling::prompt(asking, asked_back), messages)
}

/// Until when this login takes `later`.
pub(super) fn later(until: Option<i64>, now: Moment) -> Option<Later> {
    until.map(|until| Later { until, left: until - now.date }).filter(|later| later.left > 0)
}

fn answered(done: &Answered, now: Moment) -> (Verdict, Vec<Message>) {
    let left = done.next.map(|_| done.tries_left);
    match done.ruling {
        Ruling::Totp { .. } | Ruling::EmailCode => (Verdict::Allow, vec![]),
        // Told by `email`.
        Ruling::Mail(_) => (Verdict::Deny, vec![]),
        Ruling::Recovery { .. } => {
            let offered = done.next == Some(Asking::Offer);
            let verdict = if offered { Verdict::Ask } else { Verdict::Allow };
            (verdict, vec![text::recovery_used(done.recovery_left, offered)])
        }
        Ruling::Locked(ms) => (Verdict::Locked, vec![text::locked(ms, false)]),
        Ruling::Barred => (Verdict::Locked, vec![text::barred()]),
        Ruling::Explain => explain(done, now),
        Ruling::Wrong { reason, .. } => (ask_or_end(done), wrong(reason, left, done)),
        Ruling::Enrolling(ruled) => enrolling(ruled, done, now),
    }
}

/// Why an answer was refused. That it has closed the lane is more to know than that it was wrong.
fn wrong(reason: Reason, left: Option<u32>, done: &Answered) -> Vec<Message> {
    if let (false, Some(left)) = (done.at.talk, left) {
        return vec![text::not_accepted(left)];
    }
    let closed = (done.closed_for > 0).then(|| text::locked(Some(done.closed_for), false));
    let why = match reason {
        Reason::ClockOff { seconds, .. } => Some(text::clock_off(seconds, left, &done.whose[0])),
        _ if closed.is_some() => None,
        Reason::CodeExpired => Some(text::email::expired(left.is_none())),
        Reason::CodeReused(wait) => Some(text::code_reused(wait, left.is_none())),
        Reason::WrongCode => Some(text::wrong_code(left)),
    };
    why.into_iter().chain(closed).collect()
}

fn enrolling(ruled: Move, done: &Answered, now: Moment) -> (Verdict, Vec<Message>) {
    let later = later(done.at.later_until, now);
    match ruled {
        Move::Explain => explain(done, now),
        Move::Later => (Verdict::NotRequired, later.map(enrolling::until_later).into_iter().collect()),
        Move::Kept => (Verdict::Allow, vec![enrolling::set_up(done.at.passed)]),
        Move::GoOn { failed } => (Verdict::Allow, failed.then(enrolling::not_set_up).into_iter().collect()),
        Move::Missed(_) if done.closed_for > 0 => {
            (Verdict::Locked, vec![text::locked(Some(done.closed_for), false)])
        }
        Move::Missed(miss) if done.next.is_some() => {
            (Verdict::Ask, vec![enrolling::missed(miss, done.tries_left, done.asked_back)])
        }
        Move::Missed(miss) => (Verdict::Locked, vec![enrolling::missed_for_good(miss, done.asked_back)]),
        Move::Gone => (Verdict::Deny, vec![enrolling::over()]),
        // What these show is not made here; without it there is nothing to go on with.
        Move::TryInvitation | Move::SetUp | Move::Proven { .. } => (Verdict::Deny, vec![]),
    }
}

fn explain(done: &Answered, now: Moment) -> (Verdict, Vec<Message>) {
    match done.next {
        Some(Asking::Code) if done.mail_to.is_some() => {
            let masked = done.mail_to.as_ref().map_or_else(String::new, |to| mask(&to.address));
            (Verdict::Ask, vec![text::email::what_to_type(&masked, done.has_app)])
        }
        Some(asking) => {
            let later = later(done.at.later_until, now);
            let text = enrolling::what_to_type(asking, later, done.at.passed, done.asked_back);
            (Verdict::Ask, vec![text])
        }
        None => (Verdict::Locked, vec![text::no_more_answers()]),
    }
}

/// Used up tries are `locked`: no answer of this login is looked at any more, be it the right one.
fn ask_or_end(done: &Answered) -> Verdict {
    if done.next.is_some() { Verdict::Ask } else { Verdict::Locked }
}
