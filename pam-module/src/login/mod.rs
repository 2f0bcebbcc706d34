//! The loop of a login: show what the daemon says, ask what it asks, send what is typed.

mod answer;
mod step;
#[cfg(test)]
mod tests;

use std::time::Duration;

use countersign_protocol::login::Step as WireStep;

pub(crate) use self::{
    answer::Answer,
    step::{Message, Prompt, Proof},
};
use self::{
    answer::{Fit, judge},
    step::{End, Opening, Verdict},
};
use crate::{
    bus::{Failure, Owner},
    claims::Claims,
    log::Log,
    options::Options,
    outcome::Outcome,
    record::Begun,
};

/// Empty answers to one prompt; an empty answer costs no try, so something must bound them.
const EMPTY_CAP: usize = 3;
/// Answers in one login. The daemon's tries are far fewer; this bounds a daemon gone mad.
const ANSWER_CAP: usize = 64;

/// The person at the other end of the conversation.
pub(crate) trait Person {
    /// Shows messages; says how long it took. That they could not be shown is no reason to
    /// refuse anybody.
    fn say(&mut self, messages: &[Message]) -> Duration;
    /// Asks; `None` when the client cannot converse or the person hung up. Says how long it took.
    fn ask(&mut self, prompt: &Prompt) -> (Option<Answer>, Duration);
    /// Whether the answer is the password that an earlier module has stored.
    fn is_password(&self, answer: &Answer) -> bool;
    /// Stores a password for the modules after us.
    fn forward_password(&mut self, password: &Answer) -> bool;
    /// Makes the coming refusal slow.
    fn delay_refusal(&mut self);
}

/// The daemon, as a login needs it.
pub(crate) trait Daemon {
    /// Opens a login. The owner is proven.
    fn begin(&mut self, claims: &Claims) -> Result<(WireStep, Owner), Failure>;
    /// Sends an answer to the owner of `login`, or to a newly proven one, at most once.
    fn respond(&mut self, login: &mut Begun, answer: &Answer) -> Result<WireStep, Failure>;
    /// Tells the daemon that nothing more will come. Best effort.
    fn abandon(&mut self, login: &Begun);
    /// Gives back the time that a person has taken.
    fn extend(&mut self, by: Duration);
}

/// Runs one login to its end. The login is returned wherever the daemon opened one.
pub(crate) fn run(
    person: &mut dyn Person,
    daemon: &mut dyn Daemon,
    claims: &Claims,
    options: &Options,
    log: &Log,
) -> (Outcome, Option<Begun>) {
    let (wire, owner) = match daemon.begin(claims) {
        Ok(begun) => begun,
        Err(failure) => {
            log.warning(format_args!("refused: {failure}"));
            return (Outcome::NoAnswer, None);
        }
    };
    let (id, opening) = match Opening::read(&wire) {
        Ok(opening) => opening,
        Err(why) => {
            log.warning(format_args!("refused: the daemon's reply is unusable: {why}"));
            return (Outcome::NoAnswer, None);
        }
    };
    let mut login = Begun { id, owner };
    let mut talk = Talk { person, daemon, options, log };
    let outcome = talk.open(&mut login, opening);
    (outcome, Some(login))
}

struct Talk<'a> {
    person: &'a mut dyn Person,
    daemon: &'a mut dyn Daemon,
    options: &'a Options,
    log: &'a Log,
}

impl Talk<'_> {
    fn open(&mut self, login: &mut Begun, opening: Opening) -> Outcome {
        self.log.debug(format_args!("begun at {}", login.owner.unique));
        match opening {
            Opening::Ask(messages, prompt) => self.converse(login, messages, prompt),
            Opening::NotRequired(messages) => {
                self.log.info("not required");
                self.say(&messages);
                Outcome::NotRequired
            }
            Opening::Refused(messages) => {
                self.log.notice("refused by policy");
                self.say(&messages);
                Outcome::Refused
            }
            Opening::Locked(messages) => {
                self.log.notice("refused: locked");
                self.say(&messages);
                Outcome::Locked
            }
        }
    }

    fn converse(&mut self, login: &mut Begun, messages: Vec<Message>, prompt: Prompt) -> Outcome {
        let (mut messages, mut prompt) = (messages, prompt);
        for _ in 0..ANSWER_CAP {
            let answer = match self.ask(&messages, &prompt) {
                Ok(answer) => answer,
                Err(outcome) => {
                    self.daemon.abandon(login);
                    return outcome;
                }
            };
            let wire = match self.daemon.respond(login, &answer) {
                Ok(wire) => wire,
                Err(failure) => {
                    self.log.warning(format_args!("refused: {failure}"));
                    return Outcome::NoAnswer;
                }
            };
            match Verdict::read(&wire, &login.id) {
                Ok(Verdict::Ask(next_messages, next_prompt)) => {
                    (messages, prompt) = (next_messages, next_prompt);
                }
                Ok(Verdict::End(messages, end)) => return self.conclude(&messages, end),
                Err(why) => {
                    self.log.warning(format_args!("refused: the daemon's reply is unusable: {why}"));
                    return Outcome::NoAnswer;
                }
            }
        }
        self.log.warning("refused: the daemon keeps asking");
        self.daemon.abandon(login);
        Outcome::NoAnswer
    }

    fn conclude(&mut self, messages: &[Message], end: End) -> Outcome {
        self.say(messages);
        match end {
            End::Allow(proof) => {
                self.log.vouch();
                self.log.info("verified");
                Outcome::Verified(proof)
            }
            End::NotRequired => {
                self.log.info("not required");
                Outcome::NotRequired
            }
            End::Deny => {
                self.log.notice("refused: wrong answer");
                self.refuse()
            }
            End::Locked => {
                self.log.notice("refused: tries used up, or locked");
                self.person.delay_refusal();
                Outcome::Locked
            }
        }
    }

    /// One answer that may leave the module, or why there is none.
    fn ask(&mut self, messages: &[Message], prompt: &Prompt) -> Result<Answer, Outcome> {
        let prompt = prompt.shaped(messages, self.options);
        if !self.options.no_info {
            self.say(messages);
        }
        for _ in 0..EMPTY_CAP {
            let (answer, took) = self.person.ask(&prompt);
            self.daemon.extend(took);
            let Some(answer) = answer else {
                self.log.info("ended: the person or the program gave no answer");
                return Err(Outcome::HungUp);
            };
            if took > self.options.prompt_timeout {
                self.log.notice(format_args!("refused: the answer came after {} s", took.as_secs()));
                return Err(self.refuse());
            }
            match judge(answer, self.options.forward_pass.filter(|_| prompt.is_for_code)) {
                Fit::Empty => {}
                Fit::Unfit(why) => {
                    self.log.notice(format_args!("refused: {why}"));
                    return Err(self.refuse());
                }
                Fit::Whole(answer) if self.person.is_password(&answer) => {
                    self.log.notice("refused: the answer is the password; it was not sent");
                    return Err(self.refuse());
                }
                Fit::Whole(answer) => return Ok(answer),
                Fit::Joined { password, code } => {
                    return if self.person.forward_password(&password) {
                        Ok(code)
                    } else {
                        self.log.error("refused: the password could not be passed on");
                        Err(Outcome::NoAnswer)
                    };
                }
            }
        }
        self.log.notice("refused: only empty answers came");
        Err(self.refuse())
    }

    /// Shows messages, on the person's time: some hosts wait until they are dismissed.
    fn say(&mut self, messages: &[Message]) {
        let took = self.person.say(messages);
        self.daemon.extend(took);
    }

    fn refuse(&mut self) -> Outcome {
        self.person.delay_refusal();
        Outcome::Wrong
    }
}
