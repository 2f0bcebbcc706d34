//! Whoever may want to log in: the people with a factor, and those who administer the host.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use countersign_protocol::manager::ManagerProxy;
use nix::unistd::{Group, Uid, User};

use super::host::Host;
use crate::errors::Failure;

/// Groups whose members can become root.
const ADMINISTRATORS: [&str; 3] = ["sudo", "wheel", "admin"];
/// People asked about at most, administrators first; who comes after them cannot make it worse.
const MOST: usize = 200;
/// Rows asked for at once.
const PAGE: u32 = 100;

/// Somebody who may want to log in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) name: String,
    /// uid 0, by whatever name.
    pub(super) root: bool,
    /// Becomes root from an account of their own: a member of the groups for that, or whoever types this.
    pub(super) sudoer: bool,
    /// An account that no password opens.
    pub(super) barred: bool,
    /// An account that nothing opens: there is none, or no shell.
    pub(super) closed: bool,
    pub(super) home: PathBuf,
}

/// Everybody to be looked at, administrators first, and whether root has a password.
pub(super) async fn all(host: &Host, manager: &ManagerProxy<'_>) -> Result<(Vec<Candidate>, bool), Failure> {
    let shadow = shadow(host);
    let mut people: BTreeMap<String, Candidate> = BTreeMap::new();
    for name in enrolled(manager).await? {
        people.insert(name.clone(), candidate(&name, &shadow));
    }
    for (name, sudoer) in administrators(host) {
        let one = people.entry(name.clone()).or_insert_with(|| candidate(&name, &shadow));
        one.sudoer |= sudoer;
    }
    let root_can = shadow.get("root").is_none_or(|locked| !locked);
    let mut all: Vec<Candidate> = people.into_values().collect();
    all.sort_by_key(|one| (!one.is_administrator(), one.name.clone()));
    all.truncate(MOST);
    Ok((all, root_can))
}

impl Candidate {
    pub(super) fn is_administrator(&self) -> bool {
        self.root || self.sudoer
    }

    /// Whether a key opens it, by these patterns of sshd's `AuthorizedKeysFile`.
    pub(super) fn has_key(&self, patterns: &str) -> bool {
        let home = self.home.display().to_string();
        let files = patterns.split_whitespace().map(|one| {
            let one = one.replace("%h", &home).replace("%u", &self.name).replace("%%", "%");
            self.home.join(one)
        });
        !self.closed && files.into_iter().any(|file| fs::metadata(file).is_ok_and(|keys| keys.len() > 0))
    }
}

/// Everybody with a factor, by name.
async fn enrolled(manager: &ManagerProxy<'_>) -> Result<Vec<String>, Failure> {
    let (mut names, mut last): (Vec<String>, Option<u32>) = (Vec::new(), None);
    loop {
        let page = manager.users(last.is_none(), last.unwrap_or(0), PAGE).await?;
        if page.is_empty() || names.len() >= MOST {
            return Ok(names);
        }
        last = page.last().map(|person| person.uid);
        names.extend(page.into_iter().map(|person| person.user));
    }
}

/// Who can become root here from an account of their own.
pub(crate) fn who_become_root() -> Vec<String> {
    administrators(&Host::this()).into_iter().filter(|(_, own)| *own).map(|(name, _)| name).collect()
}

/// Root by whatever name, members of the groups that make root of people, and whoever types this; and whether
/// they do it from an account of their own.
fn administrators(host: &Host) -> Vec<(String, bool)> {
    let mut names = vec![("root".to_owned(), false)];
    let groups: Vec<Group> =
        ADMINISTRATORS.iter().filter_map(|group| Group::from_name(group).ok().flatten()).collect();
    let passwd = fs::read_to_string(host.real("/etc/passwd")).unwrap_or_default();
    for line in passwd.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, ..] = fields.as_slice() else { continue };
        if *uid == "0" {
            names.push(((*name).to_owned(), false));
        } else if groups.iter().any(|group| group.gid.to_string() == *gid) {
            names.push(((*name).to_owned(), true));
        }
    }
    names.extend(groups.into_iter().flat_map(|group| group.mem).map(|name| (name, true)));
    let login = fs::read_to_string("/proc/self/loginuid").unwrap_or_default();
    if let Ok(uid) = login.trim().parse::<u32>()
        && uid != u32::MAX
        && let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid))
    {
        names.push((user.name, uid != 0));
    }
    names
}

fn candidate(name: &str, shadow: &BTreeMap<String, bool>) -> Candidate {
    let user = User::from_name(name).ok().flatten();
    let shell = user.as_ref().map(|user| user.shell.clone()).unwrap_or_default();
    let closed = user.is_none() || shell.ends_with("nologin") || shell.ends_with("false");
    Candidate {
        name: name.to_owned(),
        root: user.as_ref().is_some_and(|user| user.uid.is_root()),
        sudoer: false,
        barred: closed || shadow.get(name).is_some_and(|locked| *locked),
        closed,
        home: user.map(|user| user.dir).unwrap_or_default(),
    }
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
