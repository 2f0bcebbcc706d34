//! What is wrong with a configuration, where, and what would be right.

use std::fmt;

use crate::place::{Place, Places, Spot};
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

    /// Something wrong with `key` at a place.
    pub(crate) fn at_place(file: &str, place: Place, key: &str, wrong: String, right: String) -> Self {
        Self { file: file.into(), place: Some(place), key: Some(key.into()), wrong, right }
    }

    /// Something wrong with a text that has no keys.
    pub(crate) fn in_text(file: &str, place: Place, wrong: String, right: String) -> Self {
        Self { file: file.into(), place: Some(place), key: None, wrong, right }
    }

    /// The name of the file, as it was given.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
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

impl Problems {
    /// All the problems of several files, in the order given; `None` when there are none.
    pub(crate) fn joined(all: Vec<Problems>) -> Option<Self> {
        Self::of(all.into_iter().flat_map(|problems| problems.0).collect())
    }
}

impl Problems {
    /// These problems, if there are any.
    #[must_use]
    pub fn of(problems: Vec<Problem>) -> Option<Self> {
        (!problems.is_empty()).then_some(Self(problems))
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

/// Collects problems while texts are read.
pub(crate) struct Report<'t> {
    /// The name and the text of each file.
    sources: Vec<(&'t str, &'t str)>,
    /// With the index of the file and the offset there, for the order in which they are shown. Their
    /// places are found at the end, all in one pass.
    found: Vec<(usize, Option<usize>, Problem)>,
}

impl<'t> Report<'t> {
    pub(crate) fn new(sources: Vec<(&'t str, &'t str)>) -> Self {
        Self { sources, found: Vec::new() }
    }

    /// Notes a problem with `key` at a place of a text.
    pub(crate) fn at(
        &mut self,
        spot: Spot,
        key: impl Into<String>,
        wrong: impl Into<String>,
        right: impl Into<String>,
    ) {
        self.push(spot.file, Some(spot), Some(key.into()), wrong.into(), right.into());
    }

    /// Notes a problem that was met before there were keys.
    pub(crate) fn at_syntax(&mut self, spot: Spot, wrong: impl Into<String>, right: impl Into<String>) {
        self.push(spot.file, Some(spot), None, wrong.into(), right.into());
    }

    /// Notes a problem with a file as a whole.
    pub(crate) fn whole(&mut self, file: usize, wrong: impl Into<String>, right: impl Into<String>) {
        self.push(file, None, None, wrong.into(), right.into());
    }

    /// "line 7", with the file before it where that is not the file of `from`.
    pub(crate) fn seen_from(&self, from: Spot, spot: Spot) -> String {
        let line = self.place(spot).line;
        if from.file == spot.file { format!("line {line}") } else { self.file_and_line(spot) }
    }

    /// "FILE:7".
    pub(crate) fn file_and_line(&self, spot: Spot) -> String {
        format!("{}:{}", words::printable(self.name(spot.file)), self.place(spot).line)
    }

    /// The places of many spots, which must be in their order.
    pub(crate) fn places(&self, spots: impl Iterator<Item = Spot>) -> Vec<Place> {
        let mut walks: Vec<Places<'_>> = self.sources.iter().map(|(_, text)| Places::of(text)).collect();
        let start = Place { line: 1, column: 1 };
        spots.map(|spot| walks.get_mut(spot.file).map_or(start, |walk| walk.at(spot.offset))).collect()
    }

    /// Whether nothing was noted yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    fn name(&self, file: usize) -> &'t str {
        self.sources.get(file).map_or("configuration", |(name, _)| name)
    }

    fn place(&self, spot: Spot) -> Place {
        let text = self.sources.get(spot.file).map_or("", |(_, text)| text);
        Place::of(text.as_bytes(), spot.offset)
    }

    fn push(&mut self, file: usize, spot: Option<Spot>, key: Option<String>, wrong: String, right: String) {
        let problem = Problem { file: self.name(file).to_owned(), place: None, key, wrong, right };
        self.found.push((file, spot.map(|spot| spot.offset), problem));
    }

    /// The result if nothing was noted, else all that was noted, in the order of the texts.
    pub(crate) fn finish<T>(mut self, result: Option<T>) -> Result<T, Problems> {
        match result {
            Some(result) if self.is_empty() => Ok(result),
            _ => {
                if self.is_empty() {
                    self.whole(0, "cannot be read", "please report this as a bug");
                }
                self.found.sort_by_key(|(file, offset, _)| (*file, *offset));
                let spots = self
                    .found
                    .iter()
                    .filter_map(|(file, offset, _)| Some(Spot { file: *file, offset: (*offset)? }));
                let mut places = self.places(spots).into_iter();
                let placed = |(_, offset, problem): (usize, Option<usize>, Problem)| Problem {
                    place: offset.and_then(|_| places.next()),
                    ..problem
                };
                Err(Problems(self.found.into_iter().map(placed).collect()))
            }
        }
    }
}
