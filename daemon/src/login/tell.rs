//! What a person hears of a ruling that was carried out.

use super::{LoginId, Step};
use crate::clock::{Moment, Stamp};
use crate::decide::answer::{Reason, Ruling};
use crate::decide::email::mask;
use crate::decide::enrolling::{Asking, Miss, Move, seconds_left};
use crate::host::Host;
use crate::notice_text;
use crate::store::Answered;
use crate::text::enrolling::Later;
use crate::text::{self, Message, enrolling};
use countersign_protocol::login::Verdict;

/// The step that follows a ruling.
pub(super) fn tell(host: &Host, id: LoginId, done: &Answered, now: Moment) -> Step {
    let force = host.in_force();
    let help = force.config.help.as_deref();
    let (verdict, messages) = match done.ruling {
        Ruling::Enrolling(ruled) => enrolling(ruled, done, help, now),
        ruling => answered(ruling, done, help, now),
    };
    if let (Verdict::Ask, Some(asking)) = (verdict, done.next) {
        return question(id, asking, done.asked_back, messages, &done.whose[1], done.begun, now);
    }
    if done.at.talk {
        let is_in = matches!(verdict, Verdict::Allow | Verdict::NotRequired);
        let since = is_in.then(|| notice_text::since_last_login(&done.whose[0], &done.untold)).flatten();
        return Step::end(id, verdict, messages.into_iter().chain(since).collect());
    }
    // Where the first factor is unknown nobody hears why, nor that somebody is locked.
    let verdict = if verdict == Verdict::Locked { Verdict::Deny } else { verdict };
    Step::end(id, verdict, vec![])
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

fn answered(ruling: Ruling, done: &Answered, help: Option<&str>, now: Moment) -> (Verdict, Vec<Message>) {
    let left = done.next.map(|_| done.tries_left);
    match ruling {
        Ruling::Totp { .. } | Ruling::EmailCode => (Verdict::Allow, vec![]),
        // Told by `email`.
        Ruling::Mail(_) => (Verdict::Deny, vec![]),
        Ruling::Recovery { .. } => {
            let offered = done.next == Some(Asking::Offer);
            let verdict = if offered { Verdict::Ask } else { Verdict::Allow };
            (verdict, vec![text::recovery_used(done.recovery_left, offered)])
        }
        Ruling::Locked(ms) => (Verdict::Locked, text::locked(ms, false, help)),
        Ruling::Explain => explain(done, now),
        Ruling::Wrong { reason: Reason::ClockOff { seconds, .. }, .. } => {
            let mut messages = vec![text::clock_off(seconds, left, &done.whose[0])];
            if done.closed_for > 0 {
                messages.extend(text::locked(Some(done.closed_for), false, help));
            }
            (ask_or_deny(done), messages)
        }
        Ruling::Wrong { .. } if done.closed_for > 0 => {
            (Verdict::Deny, text::locked(Some(done.closed_for), false, help))
        }
        Ruling::Wrong { reason: Reason::CodeExpired, .. } => {
            (ask_or_deny(done), vec![text::email::expired()])
        }
        Ruling::Wrong { reason: Reason::CodeReused(wait), .. } => {
            (ask_or_deny(done), vec![text::code_reused(wait)])
        }
        Ruling::Wrong { reason: Reason::WrongCode, .. } => {
            (ask_or_deny(done), left.map(text::wrong_code).into_iter().collect())
        }
        // Told by `enrolling`.
        Ruling::Enrolling(_) => (Verdict::Deny, vec![]),
    }
}

fn enrolling(ruled: Move, done: &Answered, help: Option<&str>, now: Moment) -> (Verdict, Vec<Message>) {
    let later = later(done.at.later_until, now);
    match ruled {
        Move::Explain => explain(done, now),
        Move::Later => (Verdict::NotRequired, later.map(enrolling::until_later).into_iter().collect()),
        Move::Kept => (Verdict::Allow, vec![enrolling::set_up(done.at.passed)]),
        Move::GoOn { failed } => (Verdict::Allow, failed.then(enrolling::not_set_up).into_iter().collect()),
        Move::Missed(_) if done.closed_for > 0 => {
            (Verdict::Deny, text::locked(Some(done.closed_for), false, help))
        }
        Move::Missed(miss) if done.next.is_some() => {
            (Verdict::Ask, vec![enrolling::missed(miss, done.tries_left, done.asked_back)])
        }
        Move::Missed(Miss::FirstCode { .. } | Miss::ReadBack) | Move::Gone => {
            (Verdict::Deny, vec![enrolling::over()])
        }
        Move::Missed(Miss::Invitation) => (Verdict::Deny, vec![]),
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
        None => (Verdict::Deny, vec![]),
    }
}

fn ask_or_deny(done: &Answered) -> Verdict {
    if done.next.is_some() { Verdict::Ask } else { Verdict::Deny }
}
