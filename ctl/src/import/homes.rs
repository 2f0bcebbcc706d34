//! Whose homes there are.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User};

use crate::errors::{Exit, Failure};
use crate::terminal::safe;
use crate::text;

/// Where getent(1) lies; nothing that PATH says is run as root.
const GETENT: [&str; 2] = ["/usr/bin/getent", "/bin/getent"];

/// Uids of people, as login.defs(5) has them and further: not those of programs, and not `nobody`.
const PEOPLE: std::ops::RangeInclusive<u32> = 1000..=4_000_000_000;
/// `nobody`
const NOBODY: u32 = 65_534;

/// An account of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: PathBuf,
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), home: user.dir }
    }
}

/// The account of this name, or the caller's own.
pub(super) fn one(name: Option<&str>) -> Result<Account, Failure> {
    let caller = Uid::current();
    let found = match name {
        Some(name) => User::from_name(name),
        None => User::from_uid(caller),
    };
    match found {
        Ok(Some(user)) => Ok(user.into()),
        Ok(None) => {
            let shown = name.map_or_else(|| caller.to_string(), safe);
            Err(Failure::new(Exit::NotFound, text::no_such_account(&shown)))
        }
        Err(error) => Err(Failure::failed(text::account_unanswered(error.desc()))),
    }
}

/// Everybody whom `getent passwd` lists: the local accounts, and those of a directory that lets itself
/// be listed.
pub(super) fn all() -> Result<Vec<Account>, Failure> {
    let run = |program: &str| {
        let mut getent = Command::new(program);
        getent.arg("passwd").env_clear().stdin(Stdio::null()).stderr(Stdio::null()).output()
    };
    let listed = GETENT.iter().find_map(|program| run(program).ok());
    match listed.filter(|listed| listed.status.success()) {
        Some(listed) => Ok(parse(&listed.stdout)),
        None => Err(Failure::failed(text::NO_GETENT)),
    }
}

/// The people among them, by login name: root, and whom no program is.
pub(crate) fn account_names() -> Vec<String> {
    let accounts = all().unwrap_or_default().into_iter();
    accounts
        .filter(|account| account.uid == 0 || (PEOPLE.contains(&account.uid) && account.uid != NOBODY))
        .map(|a| a.name)
        .collect()
}

/// passwd(5); lines that are none are left out, and so are homes that are no absolute path.
fn parse(passwd: &[u8]) -> Vec<Account> {
    let lines = passwd.split(|c| *c == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let accounts = lines.filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, ..] = fields[..] else { return None };
        let home = PathBuf::from(home);
        (!name.is_empty() && home.is_absolute()).then_some(())?;
        Some(Account { name: name.to_owned(), uid: uid.parse().ok()?, gid: gid.parse().ok()?, home })
    });
    accounts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn passwd_lines() {
        let text = b"root:x:0:0:root:/root:/bin/bash\n+::::::\nx\n\nalice:x:5001:5002::/home/alice:\nbob:x:5003:5003:::\n";
        let names: Vec<_> = parse(text).into_iter().map(|a| (a.name, a.uid, a.gid)).collect();
        assert_eq!(names, [("root".to_owned(), 0, 0), ("alice".to_owned(), 5001, 5002)]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            drop(parse(&bytes));
        }
    }
}
