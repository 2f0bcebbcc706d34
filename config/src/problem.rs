//! What is wrong with a configuration, where, and what would be right.

use std::fmt;
use std::ops::Range;

use crate::place::Place;
use crate::words;

/// More would scroll the first ones away, and the first ones usually cause the rest.
const MOST_SHOWN: usize = 50;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    file: String,
    place: Option<Place>,
    key: Option<String>,
    wrong: String,
    right: String,
}

impl Problem {
    /// Something wrong with the file as a whole.
    pub(crate) fn of_file(file: &str, wrong: impl Into<String>, right: impl Into<String>) -> Self {
        Self { file: file.into(), place: None, key: None, wrong: wrong.into(), right: right.into() }
    }

    /// The line, counted from 1, where the problem is at a line at all.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.place.map(|place| place.line)
    }

    /// The column in characters, counted from 1.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.place.map(|place| place.column)
    }

    /// The key, with the table before it: `policy.groups`.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", words::printable(&self.file))?;
        if let Some(place) = self.place {
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        if let Some(key) = &self.key {
            write!(f, ": {}", words::printable(key))?;
        }
        write!(f, ": {}; {}", self.wrong, self.right)
    }
}

/// Everything that is wrong with a configuration: one line each, never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The problems in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().take(MOST_SHOWN).enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        let hidden = self.0.len().saturating_sub(MOST_SHOWN);
        if hidden > 0 {
            write!(f, "\n({hidden} more problems are not shown; correct these first)")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Collects problems while a text is read.
pub(crate) struct Report<'t> {
    file: String,
    text: &'t str,
    found: Vec<Problem>,
}

impl<'t> Report<'t> {
    pub(crate) fn new(file: &str, text: &'t str) -> Self {
        Self { file: file.into(), text, found: Vec::new() }
    }

    /// Notes a problem with `key` at a place of the text.
    pub(crate) fn at(
        &mut self,
        span: Range<usize>,
        key: impl Into<String>,
        wrong: impl Into<String>,
        right: impl Into<String>,
    ) {
        self.push(Some(span), Some(key.into()), wrong.into(), right.into());
    }

    /// Notes a problem that the parser met at a place of the text, before there were keys.
    pub(crate) fn at_syntax(
        &mut self,
        span: Option<Range<usize>>,
        wrong: impl Into<String>,
        right: impl Into<String>,
    ) {
        self.push(span, None, wrong.into(), right.into());
    }

    /// The line where a piece of the text begins, counted from 1.
    pub(crate) fn line(&self, span: &Range<usize>) -> usize {
        Place::of(self.text.as_bytes(), span.start).line
    }

    /// Notes a problem with the text as a whole.
    pub(crate) fn whole(&mut self, wrong: impl Into<String>, right: impl Into<String>) {
        self.push(None, None, wrong.into(), right.into());
    }

    fn push(&mut self, span: Option<Range<usize>>, key: Option<String>, wrong: String, right: String) {
        let place = span.map(|span| Place::of(self.text.as_bytes(), span.start));
        self.found.push(Problem { file: self.file.clone(), place, key, wrong, right });
    }

    /// The result if nothing was noted, else all that was noted, in the order of the text.
    pub(crate) fn finish<T>(mut self, result: Option<T>) -> Result<T, Problems> {
        match result {
            Some(result) if self.found.is_empty() => Ok(result),
            _ => {
                if self.found.is_empty() {
                    self.whole("cannot be read", "please report this as a bug");
                }
                self.found.sort_by_key(|problem| problem.place);
                Err(Problems(self.found))
            }
        }
    }
}
