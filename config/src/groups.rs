//! The groups that must exist, where the files name them, and what is said of one that does not.

use crate::place::Spot;
use crate::raw::{At, Key, RawPolicy, Words};
use crate::suggest::nearest_name;
use crate::words::printable;
use crate::{Config, Problem};

/// A place that names a group without `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) spot: Spot,
    pub(crate) key: &'static str,
    pub(crate) group: String,
}

/// The groups that a block names without `?`.
pub(crate) fn named(policy: &RawPolicy) -> Vec<Named> {
    let mut found = Vec::new();
    let mut collect = |key, words: &Key<Words>| {
        let Key::Is(At { value: words, .. }) = words else { return };
        let must_exist = words.iter().filter(|word| !word.value.ends_with('?'));
        found.extend(must_exist.map(|word| Named { spot: word.spot, key, group: word.value.clone() }));
    };
    collect("policy.groups", &policy.groups);
    if let Key::Is(except) = &policy.except {
        collect("policy.except.groups", &except.value.groups);
    }
    found
}

impl Config {
    /// One problem for each place that names, without `?`, a group for which `missing` is true: in the
    /// order of the files. `known` are the groups that a misspelt one may have been meant to be.
    /// `missing` is asked once for each group.
    #[must_use]
    pub fn missing_groups(&self, known: &[String], mut missing: impl FnMut(&str) -> bool) -> Vec<Problem> {
        let mut said = std::collections::HashMap::new();
        let mut problems = Vec::new();
        for (named, place) in &self.groups {
            let right = said
                .entry(named.group.as_str())
                .or_insert_with(|| missing(&named.group).then(|| advice(&named.group, known)));
            if let Some(right) = right {
                let file = self.sources.get(named.spot.file).map_or("configuration", String::as_str);
                let wrong = format!("group \"{}\" does not exist on this host", printable(&named.group));
                problems.push(Problem::at_place(file, *place, named.key, wrong, right.clone()));
            }
        }
        problems
    }
}

fn advice(group: &str, known: &[String]) -> String {
    let shown = printable(group);
    let right = match nearest_name(group, known) {
        Some(near) => format!("did you mean \"{}\"?", printable(near)),
        None => "create it, or correct the name.".to_owned(),
    };
    format!("{right} Write \"{shown}?\" where a host may lack it")
}

/// The names in a text like /etc/group: the first field of each line of group(5).
#[must_use]
pub fn group_names(text: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| line.split(':').next());
    names.filter(|name| !name.is_empty() && !name.starts_with(['#', '+', '-'])).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_all;

    fn known(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// All places, as if no group existed.
    fn places(files: &[(&str, &str)]) -> Vec<String> {
        let config = parse_all(files).expect("valid");
        let problems = config.missing_groups(&[], |_| true);
        let place =
            |p: &Problem| format!("{}:{}:{}", p.file(), p.line().unwrap_or(0), p.column().unwrap_or(0));
        problems.iter().map(|p| format!("{} {}", place(p), p.key().unwrap_or_default())).collect()
    }

    #[test]
    fn places_are_those_of_the_names() {
        let main = "# groups = [\"comment\"]\n[[policy]]\nname = \"wheel\"\n\
                    except = { groups = [\"robots\", \"may?\"] }\ngroups = [\n  \"é\", 'whel',\n]\n";
        let drop_in = "[[policy]]\nname = \"x\"\ngroups = [\"é\", \"a\"]\n[[policy]]\nname = \"y\"\n";
        assert_eq!(
            places(&[("c.toml", main), ("conf.d/1.toml", drop_in)]),
            [
                "c.toml:4:22 policy.except.groups",
                "c.toml:6:3 policy.groups",
                "c.toml:6:8 policy.groups",
                "conf.d/1.toml:3:11 policy.groups",
                "conf.d/1.toml:3:16 policy.groups",
            ]
        );
    }

    #[test]
    fn byp_06_a_missing_group_is_told_with_its_place_and_the_nearest_one() {
        let text = "[[policy]]\nname = \"p\"\ngroups = [\"whel\", \"sudo\", \"nowhere\"]\n\
                    except = { groups = [\"gone?\"] }\n[[policy]]\nname = \"q\"\ngroups = [\"nowhere\"]\n";
        let config = parse_all(&[("f.toml", text)]).expect("valid");
        let mut asked = Vec::new();
        let problems = config.missing_groups(&known(&["wheel", "sudo"]), |group| {
            asked.push(group.to_owned());
            group != "sudo"
        });
        assert_eq!(asked, ["whel", "sudo", "nowhere"], "each once, and none that may be missing");
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "f.toml:3:11: policy.groups: group \"whel\" does not exist on this host; \
                 did you mean \"wheel\"? Write \"whel?\" where a host may lack it",
                "f.toml:3:27: policy.groups: group \"nowhere\" does not exist on this host; \
                 create it, or correct the name. Write \"nowhere?\" where a host may lack it",
                "f.toml:7:11: policy.groups: group \"nowhere\" does not exist on this host; \
                 create it, or correct the name. Write \"nowhere?\" where a host may lack it",
            ]
        );
        assert_eq!(config.missing_groups(&[], |_| false), []);
    }

    /// A quarter of a megabyte of groups in one line is read in a moment.
    #[test]
    fn many_groups_in_one_line_take_no_time() {
        use std::fmt::Write as _;
        let mut text = "policy = [".to_owned();
        for p in 0..300 {
            let groups: Vec<String> = (0..100).map(|g| format!("'{:x}'", p * 100 + g)).collect();
            let _ = write!(text, "{{name='{p}',groups=[{}]}},", groups.join(","));
        }
        text.push_str("]\n");
        let begun = std::time::Instant::now();
        let config = parse_all(&[("f.toml", &text)]).expect("valid");
        assert_eq!(config.missing_groups(&[], |_| true).len(), 30_000);
        assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    }

    #[test]
    fn the_group_file_is_read_as_group_5_says() {
        assert_eq!(group_names("root:x:0:\n# note\n\nwheel:x:10:alice\n+::::\n"), known(&["root", "wheel"]));
    }
}
