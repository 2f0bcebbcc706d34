//! The five calls of `org.countersign1.Login`.

use std::time::Duration;

use countersign_protocol::{
    login::{Step, Verdict, method},
    names::{self, LOGIN_INTERFACE, OBJECT_PATH},
};
use zbus::{DynamicType, Message, export::serde::Serialize};

use super::{
    Address, Failure, Owner,
    link::Link,
    message::{self, Target},
    proof::{self, BUS, absent, check_uid, is_bus},
};
use crate::{
    claims::Claims,
    deadline::Deadline,
    login::{Answer, Daemon},
    record::Begun,
};

/// Pause between attempts to find the daemon.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a name without an owner is waited for: a daemon restarts within two seconds.
const NAME_PATIENCE: Duration = Duration::from_secs(5);
/// How long an absent bus is waited for. It holds up every login of a host without a bus.
const BUS_PATIENCE: Duration = Duration::from_secs(1);
/// How long `Abandon` may take: nobody waits for what it says.
const ABANDON_PATIENCE: Duration = Duration::from_secs(1);
/// Errors of the bus after which `Begin` may be sent again: it has charged nobody.
const PASSING: [&str; 2] =
    ["org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.LimitsExceeded"];

/// The daemon, reached anew for each call under one deadline for all of them.
pub(crate) struct Client<'a> {
    address: &'a Address,
    /// The uid that must own the daemon's name.
    owner_uid: u32,
    /// Our own effective uid, as the bus will see it.
    euid: u32,
    budget: Duration,
    deadline: Deadline,
}

/// A reply whose sender is proven, on the connection that it came on.
struct Proven {
    reply: Message,
    owner: Owner,
    link: Link,
}

/// How long to try again, counted from the start of a call.
#[derive(Clone, Copy)]
struct Patience {
    name: Deadline,
    bus: Deadline,
}

impl Patience {
    /// Waits a little where trying again makes sense; otherwise gives the failure back.
    fn wait(self, failure: Failure) -> Result<(), Failure> {
        let until = match &failure {
            Failure::Absent => self.name,
            Failure::Unreachable(_) | Failure::Broken(_) => self.bus,
            Failure::Error { name, from_bus: true } if PASSING.contains(&name.as_str()) => self.name,
            Failure::Error { name, from_bus: false } if name == names::error::BUSY => self.name,
            _ => return Err(failure),
        };
        if until.left().is_none() {
            return Err(failure);
        }
        until.sleep(PAUSE);
        Ok(())
    }
}

impl<'a> Client<'a> {
    /// A client whose calls together may take `budget`, from now on.
    pub(crate) fn new(address: &'a Address, owner_uid: u32, euid: u32, budget: Duration) -> Self {
        Self { address, owner_uid, euid, budget, deadline: Deadline::after(budget) }
    }

    /// The account phase of a login that we verified.
    pub(crate) fn confirm(&self, login: &Begun, user: &str, service: &str) -> Result<Verdict, Failure> {
        let (mut link, owner) = self.reach(&login.owner, self.patience())?;
        let serial =
            link.queue(daemon(&owner.unique), method::CONFIRM, &(login.id.as_str(), user, service))?;
        link.flush()?;
        verdict(&link.answer_to(serial, |sender| sender == owner.unique || is_bus(sender))?)
    }

    /// The account phase of an ssh login that never entered the auth phase.
    pub(crate) fn check(&self, user: &str, service: &str, rhost: &str) -> Result<Verdict, Failure> {
        let mut proven = self.ask_by_name(method::CHECK, &(user, service, rhost))?;
        let verdict = verdict(&proven.reply)?;
        self.reconfirm(&mut proven)?;
        Ok(verdict)
    }

    fn patience(&self) -> Patience {
        Patience {
            name: self.deadline.within(NAME_PATIENCE.min(self.budget / 2)),
            bus: self.deadline.within(BUS_PATIENCE.min(self.budget / 2)),
        }
    }

    /// Asks the owner of the daemon's name, and tries again while that can do no harm.
    fn ask_by_name<B>(&self, member: &str, body: &B) -> Result<Proven, Failure>
    where
        B: Serialize + DynamicType,
    {
        let patience = self.patience();
        loop {
            match self.ask_by_name_once(member, body) {
                Ok(proven) => return Ok(proven),
                Err(failure) => patience.wait(failure)?,
            }
        }
    }

    /// One write carries everything: authentication, the two questions that prove the owner, and
    /// the call. The reply counts only when it comes from the owner so proven.
    fn ask_by_name_once<B>(&self, member: &str, body: &B) -> Result<Proven, Failure>
    where
        B: Serialize + DynamicType,
    {
        let mut link = Link::open(self.address, self.deadline, self.euid)?;
        let hello = link.queue(BUS, "Hello", &())?;
        let owner = link.queue(BUS, "GetNameOwner", &names::BUS_NAME)?;
        let uid = link.queue(BUS, "GetConnectionUnixUser", &names::BUS_NAME)?;
        let call = link.queue(daemon(names::BUS_NAME), member, body)?;
        link.flush()?;
        let bus = link.guid()?;
        link.answer_to(hello, is_bus)?;
        let owner = link.answer_to(owner, is_bus).map_err(absent);
        let uid = link.answer_to(uid, is_bus).map_err(absent);
        match (owner, uid) {
            (Ok(owner), Ok(uid)) => {
                check_uid(message::body(&uid)?, self.owner_uid)?;
                let owner = Owner { unique: message::body(&owner)?, bus };
                let from = |sender: &str| sender == owner.unique || is_bus(sender);
                let reply = link.answer_to(call, from).map_err(absent)?;
                Ok(Proven { reply, owner, link })
            }
            // The bus may be starting the daemon for our call: whoever answers must be the owner.
            (Err(Failure::Absent), _) | (_, Err(Failure::Absent)) => {
                let reply = link.answer_to(call, |_| true).map_err(absent)?;
                let owner = proof::find(&mut link, &bus, self.owner_uid)?;
                if message::sender(&reply).as_ref() != Some(&owner.unique) {
                    return Err(Failure::Absent);
                }
                Ok(Proven { reply, owner, link })
            }
            (Err(failure), _) | (_, Err(failure)) => Err(failure),
        }
    }

    /// Asks for the uid once more, by the unique name. A reply that waives the second factor
    /// must not rest on a name that may have changed hands between the two questions.
    fn reconfirm(&self, proven: &mut Proven) -> Result<(), Failure> {
        proof::confirm(&mut proven.link, &proven.owner, self.owner_uid)
    }

    /// A connection on which the daemon is proven, ready for one call to its unique name.
    ///
    /// On the same bus the known owner counts, by its uid; where it is gone, or the bus is another
    /// one, the owner is looked up and proven anew. Nothing of the call has been sent yet.
    fn reach(&self, known: &Owner, patience: Patience) -> Result<(Link, Owner), Failure> {
        loop {
            match self.reach_once(known) {
                Ok(reached) => return Ok(reached),
                Err(failure) => patience.wait(failure)?,
            }
        }
    }

    fn reach_once(&self, known: &Owner) -> Result<(Link, Owner), Failure> {
        let mut link = Link::open(self.address, self.deadline, self.euid)?;
        let hello = link.queue(BUS, "Hello", &())?;
        let uid = link.queue(BUS, "GetConnectionUnixUser", &known.unique)?;
        link.flush()?;
        let bus = link.guid()?;
        link.answer_to(hello, is_bus)?;
        let uid = link.answer_to(uid, is_bus).map_err(absent);
        if bus == known.bus {
            match uid {
                Ok(uid) => {
                    check_uid(message::body(&uid)?, self.owner_uid)?;
                    return Ok((link, known.clone()));
                }
                Err(Failure::Absent) => {}
                Err(failure) => return Err(failure),
            }
        }
        let owner = proof::find(&mut link, &bus, self.owner_uid)?;
        Ok((link, owner))
    }
}

impl Daemon for Client<'_> {
    fn begin(&mut self, claims: &Claims) -> Result<(Step, Owner), Failure> {
        let arguments = (
            claims.user.as_str(),
            claims.ruser.as_str(),
            claims.service.as_str(),
            claims.program.as_str(),
            claims.rhost.as_str(),
            claims.tty.as_str(),
            claims.first_factor.as_str(),
        );
        let mut proven = self.ask_by_name(method::BEGIN, &arguments)?;
        let step: Step = message::body(&proven.reply)?;
        if Verdict::parse(&step.verdict) == Some(Verdict::NotRequired) {
            self.reconfirm(&mut proven)?;
        }
        Ok((step, proven.owner))
    }

    fn respond(&mut self, login: &mut Begun, answer: &Answer) -> Result<Step, Failure> {
        let patience = self.patience();
        loop {
            let (mut link, owner) = self.reach(&login.owner, patience)?;
            login.owner = owner;
            let unique = login.owner.unique.as_str();
            let serial = link.queue_secret(daemon(unique), method::RESPOND, &login.id, answer.as_bytes())?;
            // From here on the answer may have been delivered. Only the bus's own word that the
            // owner was gone already lets it be sent once more.
            link.flush()?;
            match link.answer_to(serial, |sender| sender == unique || is_bus(sender)).map_err(absent) {
                Ok(reply) => return message::body(&reply),
                Err(Failure::Absent) => patience.wait(Failure::Absent)?,
                Err(failure) => return Err(failure),
            }
        }
    }

    fn abandon(&mut self, login: &Begun) {
        let call = Client { deadline: self.deadline.within(ABANDON_PATIENCE), ..*self };
        // The daemon lets an abandoned login expire anyway, so nobody need know that this failed.
        let _ = call.reach_once(&login.owner).and_then(|(mut link, owner)| {
            let serial = link.queue(daemon(&owner.unique), method::ABANDON, &login.id.as_str())?;
            link.flush()?;
            link.answer_to(serial, |sender| sender == owner.unique || is_bus(sender))
        });
    }

    fn extend(&mut self, by: Duration) {
        self.deadline.extend(by);
    }
}

fn daemon(destination: &str) -> Target<'_> {
    Target { destination, path: OBJECT_PATH, interface: LOGIN_INTERFACE }
}

fn verdict(reply: &Message) -> Result<Verdict, Failure> {
    let word: String = message::body(reply)?;
    Verdict::parse(&word).ok_or(Failure::Malformed("an unknown verdict"))
}
