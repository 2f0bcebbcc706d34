//! Where in the definition of the command line somebody is, and what it takes there.

use clap::{Arg, Command, ValueHint};

use super::Candidate;
use super::live::Kind;

/// What may come next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) candidates: Vec<Candidate>,
    /// Stands before each of them: `--name=`.
    pub(super) prefix: String,
    /// Names that this host has to say.
    pub(super) live: Option<Kind>,
    /// Names of files.
    pub(super) files: bool,
}

/// What may stand in place of `current`, behind the words before it.
pub(super) fn next(root: &Command, before: &[String], current: &str) -> Next {
    let mut command = root;
    let mut place = 0;
    let mut owed: Option<&Arg> = None;
    let mut no_more_options = false;
    let mut given: Vec<&str> = Vec::new();
    for word in before {
        if owed.take().is_some() {
            continue;
        }
        if no_more_options || !word.starts_with('-') || word == "-" {
            match command.find_subcommand(word).filter(|_| place == 0) {
                Some(further) => command = further,
                None => place += 1,
            }
        } else if word == "--" {
            no_more_options = true;
        } else {
            let (name, value) = word.split_once('=').map_or((word.as_str(), None), |(n, v)| (n, Some(v)));
            let option = option(command, name);
            owed = option.filter(|option| value.is_none() && option.get_action().takes_values());
            given.extend(option.map(|option| option.get_id().as_str()));
        }
    }
    if let Some(option) = owed {
        return values(option, String::new());
    }
    if current.starts_with('-') && !no_more_options {
        if let Some((name, _)) = current.split_once('=') {
            let option = option(command, name).filter(|option| option.get_action().takes_values());
            return option.map(|option| values(option, format!("{name}="))).unwrap_or_default();
        }
        return Next { candidates: options(command, &given), ..Next::default() };
    }
    let positional = command.get_positionals().filter(|arg| !arg.is_hide_set()).nth(place);
    let mut next = positional.map(|arg| values(arg, String::new())).unwrap_or_default();
    if place == 0 {
        let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
        next.candidates.extend(verbs.map(|verb| Candidate::new(verb.get_name(), about(verb))));
    }
    next
}

/// What a verb is for, in its short words.
fn about(verb: &Command) -> String {
    verb.get_about().map(|text| one_line(&text.to_string())).unwrap_or_default()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The option of this name, `--long` or the last letter of `-s`.
fn option<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| match name.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => arg.get_short().is_some() && arg.get_short() == name.chars().last(),
    })
}

/// Options that are not given yet.
fn options(command: &Command, given: &[&str]) -> Vec<Candidate> {
    let open =
        command.get_arguments().filter(|arg| !arg.is_hide_set() && !given.contains(&arg.get_id().as_str()));
    let named = open.filter_map(|arg| {
        let help = arg.get_help().map(|text| one_line(&text.to_string())).unwrap_or_default();
        Some(Candidate::new(format!("--{}", arg.get_long()?), help))
    });
    named.collect()
}

/// What an argument takes.
fn values(arg: &Arg, prefix: String) -> Next {
    let words = arg.get_possible_values();
    let words = words.iter().filter(|value| !value.is_hide_set()).map(|value| {
        Candidate::new(
            value.get_name(),
            value.get_help().map(|t| one_line(&t.to_string())).unwrap_or_default(),
        )
    });
    let files = matches!(arg.get_value_hint(), ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath);
    Next { candidates: words.collect(), prefix, live: Kind::of(arg.get_id().as_str()), files }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory;

    fn next_of(line: &str) -> Next {
        let mut root = Cli::command();
        root.build();
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let current = words.pop().unwrap_or_default();
        next(&root, &words, &current)
    }

    fn words(line: &str) -> Vec<String> {
        next_of(line).candidates.into_iter().map(|candidate| candidate.word).collect()
    }

    #[test]
    fn verbs_come_first_and_hidden_ones_never() {
        let verbs = words("");
        assert!(verbs.contains(&"enroll".to_owned()) && verbs.contains(&"policy".to_owned()), "{verbs:?}");
        assert!(
            !verbs.contains(&"read-own".to_owned()) && !verbs.contains(&"complete".to_owned()),
            "{verbs:?}"
        );
        assert!(words("policy ").contains(&"explain".to_owned()));
        assert_eq!(words("enroll "), Vec::<String>::new());
    }

    #[test]
    fn arguments_by_their_place_and_their_option() {
        assert_eq!(next_of("unlock ").live, Some(Kind::User));
        assert_eq!(next_of("unlock alice ").live, None);
        assert_eq!(next_of("policy explain ").live, Some(Kind::User));
        assert_eq!(next_of("policy explain alice --service ").live, Some(Kind::Service));
        assert_eq!(next_of("policy explain --service sshd ").live, Some(Kind::User));
        let glued = next_of("policy explain alice --service=ss");
        assert_eq!((glued.live, glued.prefix.as_str()), (Some(Kind::Service), "--service="));
        assert!(next_of("policy check ").files);
        assert_eq!(next_of("remove phone ").live, Some(Kind::User));
        assert_eq!(next_of("unlock -- ").live, Some(Kind::User));
    }

    #[test]
    fn options_once_each() {
        let all = words("reset alice --");
        for option in ["--reason", "--alone", "--yes", "--end-sessions", "--bus", "--help"] {
            assert!(all.contains(&option.to_owned()), "{option}: {all:?}");
        }
        let rest = words("reset alice --yes --reason x --");
        assert!(!rest.contains(&"--yes".to_owned()) && !rest.contains(&"--reason".to_owned()), "{rest:?}");
        assert_eq!(words("reset alice --reason -"), Vec::<String>::new());
    }
}
