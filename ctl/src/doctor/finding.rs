//! What `doctor` can find, and what it has found.

use crate::text::doctor::ALL;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Somebody gets in without a code, or nobody gets in.
    Problem,
    /// It will be one, or is one for some.
    Warning,
    /// Worth knowing.
    Hint,
}

/// A kind of finding. All of them are in [`crate::text::doctor`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What scripts know it by; never changes.
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
    /// What is so, in one line. `{}` is the subject here and in `mend`.
    pub(crate) what: &'static str,
    /// Why it matters.
    pub(crate) why: &'static str,
    /// What mends it: commands, or lines to write.
    pub(crate) mend: &'static str,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) finding: &'static Finding,
    /// Whom or what it is about; may be empty.
    pub(crate) subject: String,
    /// What shows it: a file with its line, a value, a name. As it was read, not yet safe for a terminal.
    pub(crate) evidence: Vec<String>,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    found: Vec<Found>,
}

impl Severity {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Warning => "warning",
            Self::Hint => "hint",
        }
    }
}

impl Report {
    /// Notes a finding. The same one about the same subject is one finding with more evidence.
    pub(crate) fn add(
        &mut self,
        finding: &'static Finding,
        subject: impl Into<String>,
        evidence: impl IntoIterator<Item = impl Into<String>>,
    ) {
        let subject = subject.into();
        let evidence = evidence.into_iter().map(Into::into);
        match self.found.iter_mut().find(|found| found.finding == finding && found.subject == subject) {
            Some(found) => found.evidence.extend(evidence),
            None => self.found.push(Found { finding, subject, evidence: evidence.collect() }),
        }
    }

    /// Whether this was found about anything.
    pub(crate) fn has(&self, finding: &Finding) -> bool {
        self.found.iter().any(|found| found.finding == finding)
    }

    /// The worst first; what is alike in the order of the table.
    pub(crate) fn sorted(mut self) -> Vec<Found> {
        let place = |found: &Found| ALL.iter().position(|one| *one == found.finding);
        self.found.sort_by_key(|found| (found.finding.severity, place(found), found.subject.clone()));
        self.found
    }
}
