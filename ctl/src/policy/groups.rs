//! The groups that a policy file names, where it names them, and whether this host has them.

use std::collections::HashMap;

use nix::unistd::Group;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::text;

/// The names a misspelt group is compared with. What comes from a directory is not listed there,
/// and asking a directory for everything could take minutes.
const GROUP_FILE: &str = "/etc/group";
/// A longer word is no misspelling, and comparing it would cost time for nothing.
const LONGEST_COMPARED: usize = 64;

/// A group in a policy file, with its place as an editor counts.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    file: String,
    line: usize,
    column: usize,
    key: &'static str,
    group: String,
}

/// One line for each place that names a group which this host does not have, unless it is marked
/// with `?`. The files have been accepted as a configuration before.
pub(super) fn problems(files: &[(String, Vec<u8>)]) -> Vec<String> {
    let known = std::fs::read(GROUP_FILE).unwrap_or_default();
    let known = names_in(&String::from_utf8_lossy(&known));
    let mut asked: HashMap<String, Result<(), String>> = HashMap::new();
    let mut problems = Vec::new();
    for place in files.iter().flat_map(|(name, bytes)| named(name, bytes)) {
        let answer = asked.entry(place.group.clone()).or_insert_with(|| look_up(&place.group, &known));
        if let Err(wrong) = answer {
            let Named { file, line, column, key, .. } = &place;
            problems.push(format!("{file}:{line}:{column}: {key}: {wrong}"));
        }
    }
    problems
}

/// What is wrong with a group, and what would be right.
fn look_up(group: &str, known: &[String]) -> Result<(), String> {
    match Group::from_name(group) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(text::no_group(group, nearest(group, known))),
        Err(error) => Err(text::group_unanswered(group, error.desc())),
    }
}

/// The groups that a file names without `?`, in the order of its lines.
fn named(file: &str, bytes: &[u8]) -> Vec<Named> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Vec::new() };
    let Ok(document) = DeTable::parse(text) else { return Vec::new() };
    let mut found = Vec::new();
    if let Some(DeValue::Array(policies)) = value(document.get_ref(), "policy") {
        for policy in policies.iter() {
            let DeValue::Table(policy) = policy.get_ref() else { continue };
            collect(policy, "policy.groups", &mut found);
            if let Some(DeValue::Table(except)) = value(policy, "except") {
                collect(except, "policy.except.groups", &mut found);
            }
        }
    }
    found.sort_unstable_by_key(|(offset, ..)| *offset);
    let place = |(offset, key, group)| {
        let (line, column) = line_and_column(text, offset);
        Named { file: file.to_owned(), line, column, key, group }
    };
    found.into_iter().map(place).collect()
}

fn collect(table: &DeTable<'_>, key: &'static str, found: &mut Vec<(usize, &'static str, String)>) {
    let Some(DeValue::Array(items)) = value(table, "groups") else { return };
    for item in items.iter() {
        if let DeValue::String(group) = item.get_ref()
            && !group.ends_with('?')
        {
            found.push((item.span().start, key, group.to_string()));
        }
    }
}

fn value<'t>(table: &'t DeTable<'t>, name: &str) -> Option<&'t DeValue<'t>> {
    table.get(name).map(Spanned::get_ref)
}

/// Both count from 1; a column is a character.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before[..line_start].matches('\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// The first field of each line of group(5).
fn names_in(file: &str) -> Vec<String> {
    let names = file.lines().filter_map(|line| line.split(':').next());
    names.filter(|name| !name.is_empty() && !name.starts_with('#')).map(str::to_owned).collect()
}

/// The known name that was probably meant.
fn nearest<'k>(group: &str, known: &'k [String]) -> Option<&'k str> {
    let length = group.chars().count();
    if length > LONGEST_COMPARED {
        return None;
    }
    let lower = group.to_lowercase();
    let near = known.iter().map(|name| (strsim::osa_distance(&lower, &name.to_lowercase()), name.as_str()));
    // A third of the letters may differ: "whel" is "wheel", "ops" is not "lp".
    let (distance, name) = near.min()?;
    (distance <= (length / 3).max(1)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn places_are_those_of_the_names() {
        let text = "# groups = [\"comment\"]\n[[policy]]\nname = \"wheel\"\n\
                    except = { groups = [\"robots\", \"may?\"] }\ngroups = [\n  \"é\", 'whel',\n]\n";
        let all: Vec<_> = named("f.toml", text.as_bytes())
            .into_iter()
            .map(|one| (one.line, one.column, one.key, one.group))
            .collect();
        let one = |line, column, key, group: &str| (line, column, key, group.to_owned());
        assert_eq!(
            all,
            [
                one(4, 22, "policy.except.groups", "robots"),
                one(6, 3, "policy.groups", "é"),
                one(6, 8, "policy.groups", "whel"),
            ]
        );
    }

    #[test]
    fn what_is_no_configuration_names_nothing() {
        for bytes in [&b"\xff"[..], b"[[policy", b"policy = 1", b"[[policy]]\ngroups = 1", b""] {
            assert_eq!(named("f.toml", bytes), []);
        }
    }

    #[test]
    fn guesses_are_near() {
        let known = known(&["root", "wheel", "ssh-users", "lp"]);
        assert_eq!(nearest("whel", &known), Some("wheel"));
        assert_eq!(nearest("Wheel", &known), Some("wheel"));
        assert_eq!(nearest("ssh_users", &known), Some("ssh-users"));
        assert_eq!(nearest("hweel", &known), Some("wheel"));
        assert_eq!(nearest("ops", &known), None);
        assert_eq!(nearest("operators", &known), None);
        assert_eq!(nearest(&"w".repeat(10_000), &known), None);
        assert_eq!(nearest("whel", &[]), None);
    }

    #[test]
    fn the_group_file_is_read_as_group_5_says() {
        assert_eq!(names_in("root:x:0:\n# note\n\nwheel:x:10:alice\n"), known(&["root", "wheel"]));
    }
}
