//! The Match blocks of sshd_config(5): a connection for each that meets it, so that sshd itself can be asked.

use super::system::System;

const FILE: &str = "/etc/ssh/sshd_config";
/// More files than an administrator keeps.
const MAX_FILES: usize = 100;

/// A Match line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// File and line.
    pub(super) place: String,
    /// What stands behind `Match`.
    pub(super) conditions: String,
}

/// Every Match line of the configuration and what it includes.
pub(super) fn blocks(system: &System) -> Vec<Block> {
    let mut found = Vec::new();
    let mut files = vec![FILE.to_owned()];
    let mut at = 0;
    while at < files.len().min(MAX_FILES) {
        let file = files[at].clone();
        at += 1;
        for (number, line) in system.read(&file).unwrap_or_default().lines().enumerate() {
            let line = line.trim();
            let (keyword, rest) = line.split_once([' ', '\t', '=']).unwrap_or((line, ""));
            let rest = rest.trim();
            if keyword.eq_ignore_ascii_case("match") && !rest.eq_ignore_ascii_case("all") {
                let place = format!("{file}:{}", number + 1);
                found.push(Block { place, conditions: rest.to_owned() });
            } else if keyword.eq_ignore_ascii_case("include") {
                let included: Vec<String> =
                    rest.split_whitespace().flat_map(|pattern| expand(system, pattern)).collect();
                files.extend(included.into_iter().filter(|name| !files.contains(name)).collect::<Vec<_>>());
            }
        }
    }
    found
}

/// The files of a pattern, whose last part may hold wildcards; a relative one is below /etc/ssh.
fn expand(system: &System, pattern: &str) -> Vec<String> {
    let pattern = pattern.trim_matches('"');
    let whole = if pattern.starts_with('/') { pattern.to_owned() } else { format!("/etc/ssh/{pattern}") };
    let Some((folder, last)) = whole.rsplit_once('/') else { return Vec::new() };
    let names = system.list(folder).into_iter().filter(|name| fits(last.as_bytes(), name.as_bytes()));
    names.map(|name| format!("{folder}/{name}")).collect()
}

/// Whether a name fits a pattern of `*` and `?`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.first(), name.first()) {
        (None, None) => true,
        (Some(b'*'), _) => fits(&pattern[1..], name) || (!name.is_empty() && fits(pattern, &name[1..])),
        (Some(b'?'), Some(_)) => fits(&pattern[1..], &name[1..]),
        (Some(a), Some(b)) => a == b && fits(&pattern[1..], &name[1..]),
        _ => false,
    }
}

impl Block {
    /// A connection that meets the conditions, as `sshd -C` takes it; `None` where none is easily made.
    pub(super) fn connection(&self, system: &System) -> Option<String> {
        let mut user = "nobody".to_owned();
        let (mut host, mut addr) = ("host.invalid".to_owned(), "192.0.2.1".to_owned());
        let (mut laddr, mut lport) = ("192.0.2.2".to_owned(), "22".to_owned());
        let mut words = self.conditions.split_whitespace();
        while let Some(word) = words.next() {
            let (name, list) = match word.split_once('=') {
                Some((name, list)) => (name, list),
                None => (word, words.next()?),
            };
            let sample = sample(list.trim_matches('"'))?;
            match name.to_ascii_lowercase().as_str() {
                "user" => user = sample,
                "group" => user = system.member_of(&sample)?,
                "host" => host = sample,
                "address" => addr = first_of(&sample),
                "localaddress" => laddr = first_of(&sample),
                "localport" => lport = sample,
                _ => return None,
            }
        }
        let parts = [user, host, addr, laddr, lport];
        // A comma would begin another part.
        if parts.iter().any(|part| part.contains(',')) {
            return None;
        }
        let [user, host, addr, laddr, lport] = parts;
        Some(format!("user={user},host={host},addr={addr},laddr={laddr},lport={lport}"))
    }
}

/// Something that a list of patterns fits.
fn sample(list: &str) -> Option<String> {
    let pattern = list.split(',').find(|pattern| !pattern.starts_with('!') && !pattern.is_empty())?;
    Some(pattern.replace(['*', '?'], "x"))
}

/// The address of a network in CIDR form.
fn first_of(network: &str) -> String {
    network.split('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn spec(conditions: &str) -> Option<String> {
        let block = Block { place: String::new(), conditions: conditions.to_owned() };
        block.connection(&System::scripted(Path::new("/nonexistent"), |_| None))
    }

    #[test]
    fn conditions_become_a_connection() {
        assert_eq!(
            spec("User !root,dep* Address 10.0.0.0/8,192.0.2.0/24").as_deref(),
            Some("user=depx,host=host.invalid,addr=10.0.0.0,laddr=192.0.2.2,lport=22")
        );
        assert!(spec("LocalPort=2222").is_some_and(|spec| spec.ends_with("lport=2222")));
        assert_eq!(spec("User"), None);
        assert_eq!(spec("RDomain x"), None);
        assert_eq!(spec("Group gone"), None);
    }

    #[test]
    fn wildcards() {
        assert!(fits(b"*.conf", b"50-x.conf") && !fits(b"*.conf", b"x.conf.bak") && fits(b"a?c", b"abc"));
    }
}
