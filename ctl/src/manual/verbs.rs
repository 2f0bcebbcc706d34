//! Verbs of the command line, as a page of the manual tells them.

use clap::{Arg, ArgAction, Command};

use super::roff::{Page, bold, slanted};

/// The lines of a synopsis: a verb that can be typed alone, and each verb below it.
pub(super) fn synopsis(page: &mut Page, verb: &Command, prefix: &str) {
    let name = format!("{prefix} {}", verb.get_name());
    if stands_alone(verb) {
        page.raw(".TP");
        page.raw(&bold(&name));
        page.raw(&usage(verb));
    }
    for verb in shown(verb) {
        synopsis(page, verb, &name);
    }
}

/// Like `countersignctl log`, which has options and verbs of its own.
fn stands_alone(verb: &Command) -> bool {
    shown(verb).next().is_none() || !verb.is_subcommand_required_set()
}

/// The part of a page that describes a verb, and each verb below it.
pub(super) fn describe(page: &mut Page, verb: &Command, prefix: &str) {
    let name = format!("{prefix} {}", verb.get_name());
    if stands_alone(verb) {
        describe_one(page, verb, &name);
    }
    for verb in shown(verb) {
        describe(page, verb, &name);
    }
}

fn describe_one(page: &mut Page, verb: &Command, name: &str) {
    page.part(name);
    page.paragraph(&format!("{}.", about(verb)));
    let own = |arg: &&Arg| !arg.is_hide_set() && !arg.is_global_set() && !is_help(arg);
    for arg in verb.get_positionals().filter(own).chain(verb.get_opts().filter(own)).chain(flags(verb)) {
        page.entry(&term(arg), &help(arg));
    }
}

/// What a verb is for, in its short words.
pub(super) fn about(verb: &Command) -> String {
    let text = verb.get_about().unwrap_or_else(|| panic!("{} says nothing of itself", verb.get_name()));
    one_line(&text.to_string())
}

/// Verbs below this one, but those for programs.
pub(super) fn shown(verb: &Command) -> impl Iterator<Item = &Command> {
    verb.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help")
}

fn flags(verb: &Command) -> impl Iterator<Item = &Arg> {
    let is_flag = |arg: &&Arg| !arg.is_positional() && !arg.get_action().takes_values();
    verb.get_arguments()
        .filter(move |arg| is_flag(arg) && !arg.is_hide_set() && !arg.is_global_set() && !is_help(arg))
}

fn is_help(arg: &Arg) -> bool {
    matches!(
        arg.get_action(),
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
    )
}

/// What follows the name of a verb.
fn usage(verb: &Command) -> String {
    let own = |arg: &&Arg| !arg.is_hide_set() && !arg.is_global_set() && !is_help(arg);
    let options = verb.get_arguments().filter(own).filter(|arg| !arg.is_positional());
    let all = options.chain(verb.get_positionals().filter(own));
    let words = all.map(|arg| {
        let several = if matches!(arg.get_action(), ArgAction::Append) { "..." } else { "" };
        if arg.is_required_set() {
            format!("{}{several}", term(arg))
        } else {
            format!("[{}]{several}", term(arg))
        }
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() { "\\&".to_owned() } else { words.join("\n") }
}

/// `--name NAME`, `NAME`.
fn term(arg: &Arg) -> String {
    let id = arg.get_id().as_str().to_uppercase();
    let value = arg.get_value_names().map_or(id, |names| names.join(" "));
    let short = arg.get_short().map(|short| format!("{}, ", bold(&format!("-{short}")))).unwrap_or_default();
    match arg.get_long() {
        None => slanted(&value),
        Some(long) if arg.get_action().takes_values() => {
            format!("{short}{} {}", bold(&format!("--{long}")), slanted(&value))
        }
        Some(long) => format!("{short}{}", bold(&format!("--{long}"))),
    }
}

/// The help of an argument, with what clap adds to it.
fn help(arg: &Arg) -> String {
    let text = arg.get_help().unwrap_or_else(|| panic!("{} says nothing of itself", arg.get_id()));
    let mut text = one_line(&text.to_string());
    if !text.ends_with([']', '.']) {
        text.push('.');
    }
    let words = arg.get_possible_values();
    if arg.get_action().takes_values() && !words.is_empty() {
        let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.get_name())).collect();
        text.push_str(&format!(" One of {}.", words.join(", ")));
    }
    let default = arg.get_default_values().first().filter(|_| arg.get_action().takes_values());
    if let Some(default) = default.filter(|_| !arg.is_hide_default_value_set()) {
        text.push_str(&format!(" Default: `{}`.", default.to_string_lossy()));
    }
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
