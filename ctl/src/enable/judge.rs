//! Whether somebody could still log in. Facts are the daemon's and the account files'; nothing is asked of
//! anybody.

use std::collections::BTreeMap;
use std::fs;

use countersign_protocol::manager::{ManagerProxy, Person, WhichLogins};
use nix::unistd::{Group, Uid, User};

use super::host::Host;
use crate::errors::Failure;
use crate::terminal::safe;
use crate::text::enable as text;

/// Groups whose members can become root.
const ADMINISTRATORS: [&str; 3] = ["sudo", "wheel", "admin"];
/// People asked about at most; who comes after them cannot make it worse.
const MOST: usize = 200;
/// Rows asked for at once.
const PAGE: u32 = 100;
/// The word in `status` of a daemon that does not run by its file.
const NOT_IN_FORCE: &str = "NOT in force";

/// Somebody who may want to log in.
struct Candidate {
    name: String,
    has_factor: bool,
    /// An account that no password opens, and why.
    barred: bool,
    has_key: bool,
}

/// What is known before anything is planned.
pub(super) struct Facts {
    candidates: Vec<Candidate>,
    /// Root has a password, so that a rescue shell lets an administrator in.
    root_can: bool,
    /// The newest row of the attempt log.
    pub(super) newest_login: i64,
}

/// How a login of somebody to a service would go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    NotAsked,
    Asked,
    /// Asked, without a factor, and can set one up or put it off in the login.
    CanBegin,
    LockedOut,
}

/// What the daemon and the account files say; a daemon that cannot is a failure.
pub(super) async fn facts(host: &Host, manager: &ManagerProxy<'_>) -> Result<(Facts, Vec<String>), Failure> {
    let (_, config, _, _, _) = manager.host_status().await?;
    let mut problems = Vec::new();
    if config.contains(NOT_IN_FORCE) {
        problems.push(text::BROKEN_POLICY.to_owned());
    }
    let shadow = shadow(host);
    let mut people: BTreeMap<String, Candidate> = BTreeMap::new();
    for person in enrolled(manager).await? {
        let candidate = candidate(&person.user, !person.factors.is_empty(), &shadow);
        people.insert(person.user, candidate);
    }
    for name in administrators() {
        people.entry(name.clone()).or_insert_with(|| candidate(&name, false, &shadow));
    }
    let newest_login =
        manager.log(&WhichLogins::default(), (0, 0), 1).await?.0.first().map_or(0, |login| login.id);
    let root_can = shadow.get("root").is_none_or(|locked| !locked);
    let candidates = people.into_values().take(MOST).collect();
    Ok((Facts { candidates, root_can, newest_login }, problems))
}

/// Everybody with a factor.
async fn enrolled(manager: &ManagerProxy<'_>) -> Result<Vec<Person>, Failure> {
    let mut all: Vec<Person> = Vec::new();
    loop {
        let after = all.last().map(|person| person.uid);
        let page = manager.users(after.is_none(), after.unwrap_or(0), PAGE).await?;
        if page.is_empty() || all.len() >= MOST {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// Root, members of the groups that make root of people, and whoever types this.
fn administrators() -> Vec<String> {
    let mut names = vec!["root".to_owned()];
    for group in ADMINISTRATORS {
        if let Ok(Some(group)) = Group::from_name(group) {
            names.extend(group.mem);
        }
    }
    let login = fs::read_to_string("/proc/self/loginuid").unwrap_or_default();
    if let Ok(uid) = login.trim().parse::<u32>()
        && uid != u32::MAX
        && let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid))
    {
        names.push(user.name);
    }
    names
}

fn candidate(name: &str, has_factor: bool, shadow: &BTreeMap<String, bool>) -> Candidate {
    let user = User::from_name(name).ok().flatten();
    let shell = user.as_ref().map(|user| user.shell.clone()).unwrap_or_default();
    let no_shell = shell.ends_with("nologin") || shell.ends_with("false");
    let barred = user.is_none() || no_shell || shadow.get(name).is_some_and(|locked| *locked);
    let has_key = user.is_some_and(|user| {
        fs::metadata(user.dir.join(".ssh/authorized_keys")).is_ok_and(|keys| keys.len() > 0)
    });
    Candidate { name: name.to_owned(), has_factor, barred, has_key }
}

/// Who has a local password that cannot be typed; people of a directory are not in it.
fn shadow(host: &Host) -> BTreeMap<String, bool> {
    let text = fs::read_to_string(host.real("/etc/shadow")).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let (name, hash) = (fields.next()?, fields.next()?);
            Some((name.to_owned(), hash.starts_with(['!', '*'])))
        })
        .collect()
}

impl Facts {
    /// Why a service should not begin to ask, as far as people are concerned.
    pub(super) async fn judge(
        &self,
        manager: &ManagerProxy<'_>,
        service: &str,
        after_key: bool,
        after_first_factor: bool,
    ) -> Result<Judged, Failure> {
        let mut judged = Judged { asks_strangers: false, problems: Vec::new(), notes: Vec::new() };
        judged.asks_strangers =
            required(&manager.explain_policy("countersign-probe", service, "", 0).await?.decision);
        let mut fates = Vec::new();
        for candidate in &self.candidates {
            let explained = manager.explain_policy(&candidate.name, service, "", 0).await?;
            let fate = fate(&explained.decision, &explained.prompts, candidate, after_first_factor);
            fates.push((candidate, fate));
        }
        let can = |candidate: &Candidate| if after_key { candidate.has_key } else { !candidate.barred };
        let asked = fates.iter().any(|(_, fate)| *fate != Fate::NotAsked) || judged.asks_strangers;
        if !asked {
            judged.problems.push(text::nobody_asked(service));
        } else if !fates.iter().any(|(one, fate)| can(one) && *fate != Fate::LockedOut) {
            let names: Vec<String> = fates.iter().map(|(one, _)| safe(&one.name)).collect();
            judged.problems.push(text::nobody_could(service, &names, after_key));
        } else if !fates.iter().any(|(one, fate)| can(one) && matches!(fate, Fate::Asked | Fate::CanBegin)) {
            judged.problems.push(text::nobody_could_confirm(service));
        } else {
            let out: Vec<String> = (fates.iter())
                .filter(|(one, fate)| !one.barred && *fate == Fate::LockedOut)
                .map(|(one, _)| safe(&one.name))
                .collect();
            if !out.is_empty() {
                judged.notes.push(text::locked_out(service, &out));
            }
        }
        if matches!(service, "login") {
            if self.root_can {
                judged.notes.push(text::CONSOLE_ASKS.to_owned());
            } else {
                judged.problems.push(text::LAST_WAY_IN.to_owned());
            }
        }
        Ok(judged)
    }
}

/// What was found about one service.
pub(super) struct Judged {
    /// Policy asks somebody it does not know.
    pub(super) asks_strangers: bool,
    pub(super) problems: Vec<String>,
    pub(super) notes: Vec<String>,
}

fn required(decision: &str) -> bool {
    matches!(decision, "required" | "required-if-enrolled")
}

fn fate(decision: &str, prompts: &[String], candidate: &Candidate, after_first_factor: bool) -> Fate {
    match decision {
        "required-if-enrolled" if !candidate.has_factor => Fate::NotAsked,
        _ if !required(decision) => Fate::NotAsked,
        _ if candidate.has_factor => Fate::Asked,
        // Somebody without a factor is refused in one sentence, asked by a prompt, or told of the time left.
        _ if !after_first_factor => Fate::LockedOut,
        _ if prompts.last().is_some_and(|prompt| prompt.ends_with(": ")) => Fate::CanBegin,
        _ if prompts.iter().any(|line| line.contains("You need a second factor")) => Fate::LockedOut,
        _ => Fate::CanBegin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_could_log_in() {
        let with = |has_factor| Candidate { name: "a".into(), has_factor, barred: false, has_key: false };
        let refused = ["You need a second factor to log in here and have none yet.".to_owned()];
        let begins = ["First code from the app: ".to_owned()];
        assert_eq!(fate("off", &[], &with(false), true), Fate::NotAsked);
        assert_eq!(fate("required-if-enrolled", &[], &with(false), true), Fate::NotAsked);
        assert_eq!(fate("required-if-enrolled", &[], &with(true), true), Fate::Asked);
        assert_eq!(fate("required", &refused, &with(false), true), Fate::LockedOut);
        assert_eq!(fate("required", &begins, &with(false), true), Fate::CanBegin);
        assert_eq!(fate("required", &begins, &with(false), false), Fate::LockedOut, "no enrollment there");
        assert_eq!(fate("required", &refused, &with(true), true), Fate::Asked);
    }
}
