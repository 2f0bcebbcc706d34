//! Single values: texts, words of a choice, numbers, lengths of time, lists.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::place::Spot;
use crate::problem::Report;
use crate::raw::{At, Key, Words};
use crate::suggest::{listed, nearest};
use crate::words::{Kind, objection, printable};
use crate::{GroupRef, MAX_NAMES, Network, duration, network};

/// An optional text. The outer `None` is "wrong", the inner one "not there".
pub(super) fn text(
    raw: Key<String>,
    key: &str,
    kind: Kind,
    problems: &mut Report<'_>,
) -> Option<Option<String>> {
    match raw {
        Key::Absent => Some(None),
        Key::Wrong => None,
        Key::Is(at) => acceptable(&at.value, at.spot, key, kind, problems).then_some(Some(at.value)),
    }
}

/// Whether a text can be used as a `kind`; if not, that has been reported.
pub(super) fn acceptable(value: &str, spot: Spot, key: &str, kind: Kind, problems: &mut Report<'_>) -> bool {
    match objection(value, kind) {
        None => true,
        Some((wrong, right)) => {
            problems.at(spot, key, wrong, right);
            false
        }
    }
}

/// One of a few words.
pub(super) fn choice<T: Copy>(
    raw: Key<String>,
    key: &str,
    allowed: &[(&'static str, T)],
    default: T,
    problems: &mut Report<'_>,
) -> Option<T> {
    let at = match raw {
        Key::Absent => return Some(default),
        Key::Wrong => return None,
        Key::Is(at) => at,
    };
    match one_of(&at.value, allowed) {
        Ok(meant) => Some(meant),
        Err((wrong, right)) => {
            problems.at(at.spot, key, wrong, right);
            None
        }
    }
}

/// What a word stands for, or what is wrong with it and what would be right.
fn one_of<T: Copy>(word: &str, allowed: &[(&'static str, T)]) -> Result<T, (String, String)> {
    if let Some((_, meant)) = allowed.iter().find(|(known, _)| *known == word) {
        return Ok(*meant);
    }
    let words: Vec<&str> = allowed.iter().map(|(known, _)| *known).collect();
    let mut right = format!("write {}", listed(&words));
    if let Some(near) = nearest(word, &words) {
        right = format!("did you mean \"{near}\"? Allowed are {}", listed(&words));
    }
    Err((format!("cannot be \"{}\"", printable(word)), right))
}

/// Some of a few words, each once, in the order in which they were written. `None`s as with [`text`].
pub(super) fn choices<T: Copy + PartialEq>(
    raw: Key<Words>,
    key: &str,
    allowed: &[(&'static str, T)],
    empty: Empty,
    problems: &mut Report<'_>,
) -> Option<Option<Vec<T>>> {
    let word = |meant: &T| allowed.iter().find(|(_, one)| one == meant).map_or("", |(word, _)| *word);
    list(raw, key, empty, |word| one_of(word, allowed), PartialEq::eq, |it| word(it).to_owned(), problems)
}

/// Yes or no.
pub(super) fn flag(raw: Key<bool>, default: bool) -> Option<bool> {
    match raw {
        Key::Absent => Some(default),
        Key::Wrong => None,
        Key::Is(at) => Some(at.value),
    }
}

/// A text that `read` turns into something. `None`s as with [`text`].
pub(super) fn parsed<T>(
    raw: Key<String>,
    key: &str,
    read: impl FnOnce(&str) -> Result<T, (String, String)>,
    problems: &mut Report<'_>,
) -> Option<Option<T>> {
    let at = match raw {
        Key::Absent => return Some(None),
        Key::Wrong => return None,
        Key::Is(at) => at,
    };
    match read(&at.value) {
        Ok(value) => Some(Some(value)),
        Err((wrong, right)) => {
            problems.at(at.spot, key, wrong, right);
            None
        }
    }
}

/// Which numbers a key takes.
pub(super) enum Numbers<T> {
    OneOf(T, T),
    From(RangeInclusive<T>),
}

/// A small number.
pub(super) fn number<T: Copy + PartialOrd + Display + TryFrom<i64>>(
    raw: Key<i64>,
    key: &str,
    allowed: Numbers<T>,
    default: T,
    problems: &mut Report<'_>,
) -> Option<T> {
    let at = match raw {
        Key::Absent => return Some(default),
        Key::Wrong => return None,
        Key::Is(at) => at,
    };
    let fits = |number: &T| match &allowed {
        Numbers::OneOf(one, other) => number == one || number == other,
        Numbers::From(range) => range.contains(number),
    };
    if let Some(number) = T::try_from(at.value).ok().filter(fits) {
        return Some(number);
    }
    let right = match allowed {
        Numbers::OneOf(one, other) => format!("write {one} or {other}"),
        Numbers::From(range) => format!("write {} to {}", range.start(), range.end()),
    };
    problems.at(at.spot, key, format!("cannot be {}", at.value), right);
    None
}

/// A length of time.
pub(super) fn length(
    raw: Key<String>,
    key: &str,
    bounds: &RangeInclusive<Duration>,
    default: Duration,
    problems: &mut Report<'_>,
) -> Option<Duration> {
    let at = match raw {
        Key::Absent => return Some(default),
        Key::Wrong => return None,
        Key::Is(at) => at,
    };
    match duration::parse(&at.value, bounds) {
        Ok(length) => Some(length),
        Err((wrong, right)) => {
            problems.at(at.spot, key, format!("\"{}\" {wrong}", printable(&at.value)), right);
            None
        }
    }
}

/// Groups, where a trailing `?` stands for "may be missing". `None`s as with [`text`].
pub(super) fn group_list(
    raw: Key<Words>,
    key: &str,
    empty: Empty,
    problems: &mut Report<'_>,
) -> Option<Option<Vec<GroupRef>>> {
    let read = |word: &str| {
        let (name, may_be_missing) = word.strip_suffix('?').map_or((word, false), |name| (name, true));
        objection(name, Kind::Group)
            .map_or_else(|| Ok(GroupRef { name: name.to_owned(), may_be_missing }), Err)
    };
    // "wheel" and "wheel?" are the same group.
    list(raw, key, empty, read, |a, b| a.name == b.name, |group| group.name.clone(), problems)
}

/// Users or services. `None`s as with [`text`].
pub(super) fn names(
    raw: Key<Words>,
    key: &str,
    kind: Kind,
    empty: Empty,
    problems: &mut Report<'_>,
) -> Option<Option<Vec<String>>> {
    let read = |word: &str| objection(word, kind).map_or_else(|| Ok(word.to_owned()), Err);
    list(raw, key, empty, read, PartialEq::eq, Clone::clone, problems)
}

/// Networks and classes. `None`s as with [`text`].
pub(super) fn networks(
    raw: Key<Words>,
    key: &str,
    empty: Empty,
    problems: &mut Report<'_>,
) -> Option<Option<Vec<Network>>> {
    list(raw, key, empty, network::parse, PartialEq::eq, ToString::to_string, problems)
}

/// What an empty list would do, and what leaving the key out means.
#[derive(Clone, Copy)]
pub(super) struct Empty {
    pub(super) does: &'static str,
    pub(super) absent: &'static str,
}

fn list<T>(
    raw: Key<Words>,
    key: &str,
    empty: Empty,
    read: impl Fn(&str) -> Result<T, (String, String)>,
    same: impl Fn(&T, &T) -> bool,
    shown: impl Fn(&T) -> String,
    problems: &mut Report<'_>,
) -> Option<Option<Vec<T>>> {
    let at = match raw {
        Key::Absent => return Some(None),
        Key::Wrong => return None,
        Key::Is(at) => at,
    };
    let expected = at.value.len();
    if expected == 0 {
        let short = key.rsplit('.').next().unwrap_or(key);
        let right = format!("leave {short} out to mean {}", empty.absent);
        problems.at(at.spot, key, format!("is empty, so {}", empty.does), right);
        return None;
    }
    if expected > MAX_NAMES {
        let wrong = format!("has {expected} names");
        problems.at(at.spot, key, wrong, format!("use at most {MAX_NAMES}"));
        return None;
    }
    let mut values: Vec<T> = Vec::with_capacity(expected);
    for At { value, spot } in at.value {
        match read(&value) {
            Ok(value) if values.iter().any(|one| same(one, &value)) => {
                let wrong = format!("names \"{}\" twice", printable(&shown(&value)));
                problems.at(spot, key, wrong, "keep one of them");
            }
            Ok(value) => values.push(value),
            Err((wrong, right)) => problems.at(spot, key, wrong, right),
        }
    }
    (values.len() == expected).then_some(Some(values))
}
