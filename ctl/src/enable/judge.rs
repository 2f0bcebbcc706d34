//! Whether somebody could still log in. Facts are the daemon's and the account files'; nothing is asked of
//! anybody.

use countersign_protocol::manager::{ManagerProxy, WhichLogins};

use super::host::Host;
use super::people::{self, Candidate};
use super::sshd::{Effective, Ways, asks_pam};
use crate::errors::{Exit, Failure};
use crate::terminal::safe;
use crate::text::enable as text;

/// The word in `status` of a daemon that does not run by its file.
const NOT_IN_FORCE: &str = "NOT in force";
/// Services by which people become root from an account of their own: root needs none of them.
const TO_ROOT: [&str; 3] = ["sudo", "sudo-i", "polkit-1"];

/// What is known before anything is planned.
pub(super) struct Facts {
    candidates: Vec<Candidate>,
    /// Root has a password, so that a rescue shell lets an administrator in.
    root_can: bool,
    /// The newest row of the attempt log.
    pub(super) newest_login: i64,
}

/// How policy treats somebody at a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    NotAsked,
    Asked,
    /// Asked, without a factor, and can set one up or put it off in the login.
    CanBegin,
    LockedOut,
}

/// Somebody's way into a service, as it is and as it would be.
struct Standing<'c> {
    who: &'c Candidate,
    fate: Fate,
    before: bool,
    after: bool,
}

/// What is asked about one service.
pub(super) struct Question<'q> {
    pub(super) service: &'q str,
    pub(super) after_key: bool,
    pub(super) after_first_factor: bool,
    /// What sshd would do, where the service is sshd's.
    pub(super) ssh: Option<&'q Ways>,
}

/// What was found about one service.
pub(super) struct Judged {
    /// Policy asks somebody it does not know.
    pub(super) asks_strangers: bool,
    pub(super) problems: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// What the daemon and the account files say; a daemon that cannot is a failure.
pub(super) async fn facts(host: &Host, manager: &ManagerProxy<'_>) -> Result<(Facts, Vec<String>), Failure> {
    let (_, config, _, _, _) = manager.host_status().await?;
    let mut problems = Vec::new();
    if config.contains(NOT_IN_FORCE) {
        problems.push(text::BROKEN_POLICY.to_owned());
    }
    let (candidates, root_can) = people::all(host, manager).await?;
    let newest_login =
        manager.log(&WhichLogins::default(), (0, 0), 1).await?.0.first().map_or(0, |login| login.id);
    Ok((Facts { candidates, root_can, newest_login }, problems))
}

impl Facts {
    /// Why a service should not begin to ask, as far as people are concerned.
    pub(super) async fn judge(
        &self,
        manager: &ManagerProxy<'_>,
        question: &Question<'_>,
    ) -> Result<Judged, Failure> {
        let service = question.service;
        let stranger = manager.explain_policy("countersign-probe", service, "", 0).await?;
        let mut standings = Vec::new();
        for who in &self.candidates {
            let meets = manager.explain_policy(&who.name, service, "", 0).await?.meets;
            let fate = fate(&meets, question.after_first_factor)?;
            let (before, after) = match question.ssh {
                None => (!who.barred, !who.barred && fate != Fate::LockedOut),
                Some(ways) => {
                    let effective = ways.of(&who.name).map_err(Failure::failed)?;
                    (before_by_ssh(who, &effective), after_by_ssh(who, fate, &effective, question.after_key))
                }
            };
            standings.push(Standing { who, fate, before, after });
        }
        let mut judged = conclude(question, &standings, required(&stranger.decision));
        if service == "login" {
            if self.root_can {
                judged.notes.push(text::CONSOLE_ASKS.to_owned());
            } else {
                judged.problems.push(text::LAST_WAY_IN.to_owned());
            }
        }
        Ok(judged)
    }
}

fn conclude(question: &Question<'_>, standings: &[Standing<'_>], asks_strangers: bool) -> Judged {
    let mut judged = Judged { asks_strangers, problems: Vec::new(), notes: Vec::new() };
    let service = question.service;
    let names = |of: &dyn Fn(&Standing<'_>) -> bool| -> Vec<String> {
        standings.iter().filter(|one| of(one)).map(|one| safe(&one.who.name)).collect()
    };
    let administers = |one: &Standing<'_>| {
        if TO_ROOT.contains(&service) { one.who.sudoer } else { one.who.is_administrator() }
    };
    let could = names(&|one| one.before && administers(one));
    if !asks_strangers && standings.iter().all(|one| one.fate == Fate::NotAsked) {
        judged.problems.push(text::nobody_asked(service));
    } else if !standings.iter().any(|one| one.after) {
        judged.problems.push(text::nobody_could(service, &names(&|_| true), question.after_key));
    } else if !could.is_empty() && names(&|one| one.after && administers(one)).is_empty() {
        judged.problems.push(text::administrators_out(service, &could, question.after_key));
    } else if !standings.iter().any(|one| one.after && matches!(one.fate, Fate::Asked | Fate::CanBegin)) {
        judged.problems.push(text::nobody_could_confirm(service));
    } else {
        let without = names(&|one| one.before && !one.after && one.fate == Fate::LockedOut);
        if !without.is_empty() {
            judged.notes.push(text::locked_out(service, &without));
        }
        let keys_alone = names(&|one| one.before && !one.after && one.fate != Fate::LockedOut);
        if !keys_alone.is_empty() {
            judged.notes.push(text::keys_alone(&keys_alone, question.after_key));
        }
    }
    judged
}

fn required(decision: &str) -> bool {
    matches!(decision, "required" | "required-if-enrolled")
}

/// The daemon's word of what somebody meets behind a first factor.
fn fate(meets: &str, after_first_factor: bool) -> Result<Fate, Failure> {
    match meets {
        "nothing" => Ok(Fate::NotAsked),
        "code" => Ok(Fate::Asked),
        // Where nobody knows of a first factor nobody enrolls, and nothing is put off.
        "enrollment" | "later" if after_first_factor => Ok(Fate::CanBegin),
        "enrollment" | "later" | "refusal" => Ok(Fate::LockedOut),
        strange => Err(Failure::new(Exit::Unavailable, crate::text::strange_answer(&safe(strange)))),
    }
}

/// Root types no password where sshd does not let root.
fn may_type(who: &Candidate, sshd: &Effective) -> bool {
    !who.root || sshd.root_login == "yes"
}

fn by_key(who: &Candidate, sshd: &Effective) -> bool {
    let root = !who.root || matches!(&*sshd.root_login, "yes" | "prohibit-password" | "without-password");
    sshd.keys && root && who.has_key(&sshd.keys_file)
}

fn before_by_ssh(who: &Candidate, sshd: &Effective) -> bool {
    by_key(who, sshd) || (!who.barred && may_type(who, sshd))
}

fn after_by_ssh(who: &Candidate, fate: Fate, sshd: &Effective, after_key: bool) -> bool {
    let key = by_key(who, sshd);
    // PAM asks for the password, and for the code; by the recipe of a key for the code alone.
    let typed = fate != Fate::LockedOut && may_type(who, sshd) && (after_key || !who.barred);
    if sshd.methods == "any" {
        // A key that nothing is asked behind is refused by our account line where policy asks.
        return (key && fate == Fate::NotAsked) || (typed && !after_key);
    }
    sshd.methods.split(' ').any(|way| {
        way.split(',').all(|method| match method {
            "publickey" => key,
            "password" => !who.barred && may_type(who, sshd) && fate == Fate::NotAsked,
            // Our account line is behind a key alone, here as well.
            method if asks_pam(method) => typed,
            _ => false,
        }) && (way.split(',').any(asks_pam) || fate == Fate::NotAsked)
    })
}

#[cfg(test)]
#[path = "judge/tests.rs"]
mod tests;
