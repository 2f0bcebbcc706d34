//! One service's effective stacks: its own lines and what they include, and `other` where it has none.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::control::{Control, Field};
use super::files::{By, Folders, Place, Source};
use super::modules::OURS_FILE;
use super::text::{Line, joined_prompt, lines};

/// libpam gives up on includes deeper than this.
const MAX_DEPTH: usize = 16;
/// More lines than any host has; includes that fan out are stopped here.
const MAX_ENTRIES: usize = 4096;
/// The service that stands in for what a service does not say.
const OTHER: &str = "other";

/// A management group of pam.conf(5).
#[allow(missing_docs, reason = "the words of pam.conf(5)")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    Auth,
    Account,
    Password,
    Session,
}

/// What a line of a stack is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// It calls a module.
    Module {
        /// As the line names it: a file of the security folder, or a path.
        module: String,
        /// The options, brackets taken off.
        args: Vec<String>,
        /// The line begins with "-": a missing module is not logged. It is a failure all the same.
        quiet: bool,
    },
    /// It opens a substack; its lines follow, one level deeper.
    Substack {
        /// What it includes.
        name: String,
    },
    /// It cannot be read, and libpam lets it fail.
    MustFail,
}

/// One line of an effective stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is written.
    pub place: Place,
    /// The lines that include it, outermost first; none for a line of the service's own file.
    pub via: Vec<Place>,
    /// What it is.
    pub kind: Kind,
    /// What its results do.
    pub control: Control,
    /// How many substacks it lies in.
    pub level: usize,
}

/// The effective stack of one phase of one service.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Which phase.
    pub phase: Phase,
    /// Its lines in order; none means that libpam refuses.
    pub entries: Vec<Entry>,
    /// The lines are those of the service `other`.
    pub from_other: bool,
}

/// What is wrong in a stack file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The line includes what is not there.
    Missing(String),
    /// The line includes what cannot be read, and why.
    Unreadable(String, String),
    /// The line includes a file that includes it.
    Loop(String),
    /// Includes are nested more than 16 deep, or come to thousands of lines.
    TooMuch,
    /// The first word is no phase.
    NoPhase(String),
    /// A word is missing: the control or the module.
    Incomplete,
    /// The control field says this, and why it cannot be read.
    Control(String, &'static str),
    /// The file ends in a continued line: libpam refuses the service.
    Unfinished,
    /// Neither the service nor `other` has a file.
    NoService,
}

/// A problem and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What.
    pub problem: Problem,
}

/// Everything about one service.
#[derive(Debug, Clone)]
pub struct Stacks {
    /// Its file; `None` where `other` stands in.
    pub file: Option<PathBuf>,
    /// libpam does not even start: no phase has any line.
    pub refused: bool,
    /// What libpam would stumble over, in this service's files and in those of `other` where it is used.
    pub faults: Vec<Fault>,
    stacks: [Stack; 4],
}

impl Phase {
    /// In the order of pam.conf(5).
    pub const ALL: [Self; 4] = [Self::Auth, Self::Account, Self::Password, Self::Session];

    /// Its word in pam.conf(5).
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Account => "account",
            Self::Password => "password",
            Self::Session => "session",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.word().eq_ignore_ascii_case(word))
    }
}

impl Stacks {
    /// Reads `service`. What cannot be read is in [`Stacks::faults`], and in the stack as a line that fails.
    #[must_use]
    pub fn read(folders: &Folders, service: &str) -> Self {
        // libpam takes the last part of a path and folds its case.
        let service = service.rsplit('/').next().unwrap_or(service).to_ascii_lowercase();
        let mut own = Reader::new(folders);
        let file = own.service(&service);
        // libpam reads this one always, and stumbles over it even where nothing of it is used.
        let mut other = Reader::new(folders);
        let other_file = if service == OTHER { None } else { other.service(OTHER) };
        let used = own.entries.iter().any(Vec::is_empty);
        let mut faults = own.faults;
        if file.is_none() && other_file.is_some() {
            faults.retain(|fault| fault.problem != Problem::NoService);
        }
        if used || other.refused {
            faults.extend(other.faults.into_iter().filter(|fault| fault.problem != Problem::NoService));
        }
        let refused = own.refused || other.refused;
        Self { file, refused, faults, stacks: pair_up(own.entries, other.entries, refused) }
    }

    /// The effective stack of a phase.
    #[must_use]
    pub fn phase(&self, phase: Phase) -> &Stack {
        &self.stacks[phase as usize]
    }
}

fn pair_up(own: [Vec<Entry>; 4], other: [Vec<Entry>; 4], refused: bool) -> [Stack; 4] {
    let mut pairs = own.into_iter().zip(other);
    Phase::ALL.map(|phase| {
        let (own, other) = if refused { Default::default() } else { pairs.next().unwrap_or_default() };
        let from_other = own.is_empty() && !other.is_empty();
        Stack { phase, entries: if from_other { other } else { own }, from_other }
    })
}

/// Reads a service's file and what it includes.
struct Reader<'a> {
    folders: &'a Folders,
    entries: [Vec<Entry>; 4],
    faults: Vec<Fault>,
    refused: bool,
}

/// A file is read no further, and what includes it fails.
struct Aborted;

/// Where the reader is.
#[derive(Clone)]
struct Context {
    /// Only lines of this phase count; `None` for all.
    only: Option<Phase>,
    via: Vec<Place>,
    /// The files that are open, for loops.
    open: Vec<PathBuf>,
    level: usize,
}

impl<'a> Reader<'a> {
    fn new(folders: &'a Folders) -> Self {
        Self { folders, entries: Default::default(), faults: Vec::new(), refused: false }
    }

    fn service(&mut self, name: &str) -> Option<PathBuf> {
        match self.folders.open(name, By::Word) {
            Ok(source) => {
                let path = source.path.clone();
                let context = Context { only: None, via: Vec::new(), open: vec![path.clone()], level: 0 };
                self.refused = self.file(&source, &context).is_err();
                Some(path)
            }
            Err(error) => {
                let problem = match error.kind() {
                    io::ErrorKind::NotFound => Problem::NoService,
                    _ => Problem::Unreadable(name.to_owned(), error.to_string()),
                };
                self.fault(&Place { file: PathBuf::from(name), line: 0 }, problem);
                None
            }
        }
    }

    fn file(&mut self, source: &Source, context: &Context) -> Result<(), Aborted> {
        let (lines, unfinished) = lines(&source.text);
        for line in lines {
            let place = Place { file: source.path.clone(), line: line.number };
            if self.entries.iter().map(Vec::len).sum::<usize>() >= MAX_ENTRIES {
                self.fault(&place, Problem::TooMuch);
                return Err(Aborted);
            }
            self.line(&place, &line, context)?;
        }
        let Some(number) = unfinished else { return Ok(()) };
        self.fault(&Place { file: source.path.clone(), line: number }, Problem::Unfinished);
        Err(Aborted)
    }

    fn line(&mut self, place: &Place, line: &Line, context: &Context) -> Result<(), Aborted> {
        let mut words = line.words.iter();
        let first = words.next().map_or("", String::as_str);
        if first == "@include" {
            return self.include(place, words.next(), By::At, context, context.only, context.level);
        }
        let quiet = first.starts_with('-');
        let word = first.strip_prefix('-').unwrap_or(first);
        let Some(phase) = Phase::from_word(word) else {
            self.fault(place, Problem::NoPhase(word.to_owned()));
            // libpam counts it as the phase it is looking for, or as auth, the most sensitive.
            self.must_fail(place, context, context.only.unwrap_or(Phase::Auth));
            return Ok(());
        };
        if context.only.is_some_and(|only| only != phase) {
            return Ok(());
        }
        let Some(field) = words.next() else {
            self.fault(place, Problem::Incomplete);
            self.must_fail(place, context, phase);
            return Ok(());
        };
        let name = words.next();
        let (control, broken) = match Control::read(field) {
            Field::Actions(control) => (*control, None),
            Field::Include => {
                return self.include(place, name, By::Word, context, Some(phase), context.level);
            }
            Field::Substack => {
                let kind = Kind::Substack { name: name.cloned().unwrap_or_default() };
                self.add(phase, place, context, kind, Control::all_bad());
                return self.include(place, name, By::Word, context, Some(phase), context.level + 1);
            }
            Field::Broken(why) => (Control::all_bad(), Some(why)),
        };
        if let Some(why) = broken {
            self.fault(place, Problem::Control(field.clone(), why));
        }
        let kind = match name {
            Some(module) => {
                let args: Vec<String> = words.cloned().collect();
                let ours = file_name(module) == OURS_FILE;
                let args = if ours { joined_prompt(&args) } else { args };
                Kind::Module { module: module.clone(), args, quiet }
            }
            None => {
                self.fault(place, Problem::Incomplete);
                Kind::MustFail
            }
        };
        self.add(phase, place, context, kind, control);
        Ok(())
    }

    /// Where an include fails, a line fails in its place; Debian's, outside any phase, fails with the file.
    fn include(
        &mut self,
        place: &Place,
        name: Option<&String>,
        by: By,
        context: &Context,
        only: Option<Phase>,
        level: usize,
    ) -> Result<(), Aborted> {
        let read = match self.included(name, by, context) {
            Ok(source) => {
                let mut inner = Context { only, level, ..context.clone() };
                inner.via.push(place.clone());
                inner.open.push(source.path.clone());
                self.file(&source, &inner)
            }
            Err(problem) => {
                self.fault(place, problem);
                Err(Aborted)
            }
        };
        match only {
            Some(phase) if read.is_err() => {
                self.must_fail(place, context, phase);
                Ok(())
            }
            _ => read,
        }
    }

    fn included(&self, name: Option<&String>, by: By, context: &Context) -> Result<Source, Problem> {
        let name = name.ok_or(Problem::Incomplete)?;
        if context.open.len() >= MAX_DEPTH {
            return Err(Problem::TooMuch);
        }
        let source = self.folders.open(name, by).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Problem::Missing(name.clone()),
            _ => Problem::Unreadable(name.clone(), error.to_string()),
        })?;
        if context.open.contains(&source.path) {
            return Err(Problem::Loop(name.clone()));
        }
        Ok(source)
    }

    fn add(&mut self, phase: Phase, place: &Place, context: &Context, kind: Kind, control: Control) {
        let via = context.via.clone();
        let entry = Entry { place: place.clone(), via, kind, control, level: context.level };
        self.entries[phase as usize].push(entry);
    }

    fn must_fail(&mut self, place: &Place, context: &Context, phase: Phase) {
        self.add(phase, place, context, Kind::MustFail, Control::all_bad());
    }

    fn fault(&mut self, place: &Place, problem: Problem) {
        self.faults.push(Fault { place: place.clone(), problem });
    }
}

fn file_name(module: &str) -> &str {
    module.rsplit('/').next().unwrap_or(module)
}

impl Entry {
    /// The module's file name, without folder; `None` for what calls none.
    #[must_use]
    pub fn module(&self) -> Option<&str> {
        match &self.kind {
            Kind::Module { module, .. } => Some(file_name(module)),
            Kind::Substack { .. } | Kind::MustFail => None,
        }
    }

    /// The options of the module.
    #[must_use]
    pub fn args(&self) -> &[String] {
        match &self.kind {
            Kind::Module { args, .. } => args,
            Kind::Substack { .. } | Kind::MustFail => &[],
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, problem } = self;
        match problem {
            Problem::Missing(name) => write!(f, "{place}: includes \"{name}\", which is not there"),
            Problem::Unreadable(name, why) => write!(f, "{place}: \"{name}\" cannot be read ({why})"),
            Problem::Loop(name) => write!(f, "{place}: includes \"{name}\", which includes this file"),
            Problem::TooMuch => write!(f, "{place}: includes are too deep or too many"),
            Problem::NoPhase(word) => write!(f, "{place}: \"{word}\" is no management group"),
            Problem::Incomplete => write!(f, "{place}: control or module is missing"),
            Problem::Control(field, why) => write!(f, "{place}: \"{field}\": {why}"),
            Problem::Unfinished => write!(f, "{place}: the file ends within a line"),
            Problem::NoService => write!(f, "{place}: no such service, and no \"other\""),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
