//! Every way through a stack, by every result that its modules can have.
//!
//! Results that a line treats alike are taken once, and points that differ in nothing that may still matter
//! are one point, so a stack of `n` lines has some `n` times a constant of them, not `2^n`.

use std::collections::HashMap;

use super::code::Code;
use super::modules::Assume;
use super::resolve::{Kind, Phase, Stack};
use super::walk::State;

/// What our module returns in auth and account, and what libpam says for it where it cannot be loaded.
pub const OURS: [Code; 9] = [
    Code::SUCCESS,
    Code::IGNORE,
    Code::AUTH_ERR,
    Code::MAXTRIES,
    Code::PERM_DENIED,
    Code::AUTHINFO_UNAVAIL,
    Code::CONV_ERR,
    Code::SERVICE_ERR,
    Code::MODULE_UNKNOWN,
];

/// Points to look at before giving up. Debian's longest stack has about 200.
const MAX_NODES: usize = 50_000;

/// A line that was called, and what it returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Its place in [`Stack::entries`].
    pub entry: usize,
    /// One code that stands for all that the line treats alike.
    pub code: Code,
}

/// The lines that were called on one way through a stack, in order.
pub type Way = Vec<Step>;

/// What our lines said on one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Seen {
    reached: bool,
    refused: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Node {
    state: State,
    factor: bool,
    seen: Seen,
}

/// One end that a stack can come to.
#[derive(Debug, Clone)]
struct End {
    result: Code,
    seen: Seen,
    way: Way,
}

/// What can happen in a stack.
#[derive(Debug, Clone)]
pub struct Explored {
    phase: Phase,
    ends: Vec<End>,
    /// Ways to our line: whether a first factor has succeeded on them, and whether the stack was lost already.
    arrivals: Vec<(bool, bool, Way)>,
    complete: bool,
}

impl Stack {
    /// Looks at every way through the stack.
    #[must_use]
    pub fn explore(&self, assume: &Assume<'_>) -> Explored {
        Explorer::new(self, assume).run()
    }
}

impl Explored {
    /// False when the stack is so intricate that not every way was looked at. Then nothing below is certain.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether any way leads to our line.
    #[must_use]
    pub fn reaches_ours(&self) -> bool {
        !self.arrivals.is_empty()
    }

    /// Whether a first factor has succeeded whenever our line is reached: only then may it say
    /// `after_first_factor`.
    #[must_use]
    pub fn after_first_factor(&self) -> bool {
        self.complete && self.reaches_ours() && self.arrivals.iter().all(|(factor, _, _)| *factor)
    }

    /// A way to our line on which no first factor has succeeded.
    #[must_use]
    pub fn asked_without_factor(&self) -> Option<&Way> {
        self.arrivals.iter().find(|(factor, _, _)| !factor).map(|(_, _, way)| way)
    }

    /// A way that lets in without our line.
    #[must_use]
    pub fn skipped(&self) -> Option<&Way> {
        self.accepted(Code::SUCCESS, |seen| !seen.reached)
    }

    /// The same with `new_authtok_reqd`: an expired password, which applications answer in the account phase
    /// with a change of password, and then let in.
    #[must_use]
    pub fn skipped_when_expired(&self) -> Option<&Way> {
        (self.phase == Phase::Account)
            .then(|| self.accepted(Code::NEW_AUTHTOK_REQD, |seen| !seen.reached))
            .flatten()
    }

    /// A way that lets in although our line refused.
    #[must_use]
    pub fn in_spite_of_ours(&self) -> Option<&Way> {
        self.accepted(Code::SUCCESS, |seen| seen.refused)
    }

    /// Whether anybody can be let in at all.
    #[must_use]
    pub fn can_succeed(&self) -> bool {
        self.accepted(Code::SUCCESS, |_| true).is_some()
    }

    /// Whether somebody can be let in whom our line reached and did not refuse.
    #[must_use]
    pub fn can_succeed_with_ours(&self) -> bool {
        self.accepted(Code::SUCCESS, |seen| seen.reached && !seen.refused).is_some()
    }

    fn accepted(&self, result: Code, which: impl Fn(Seen) -> bool) -> Option<&Way> {
        self.ends.iter().find(|end| end.result == result && which(end.seen)).map(|end| &end.way)
    }
}

struct Explorer<'a> {
    stack: &'a Stack,
    /// What may come of each line, results that make no difference taken once.
    outcomes: Vec<Vec<Code>>,
    factors: Vec<bool>,
    ours: Vec<bool>,
    known: HashMap<Node, usize>,
    /// Where each node comes from.
    from: Vec<Option<(usize, Step)>>,
    found: Explored,
}

impl<'a> Explorer<'a> {
    fn new(stack: &'a Stack, assume: &Assume<'_>) -> Self {
        let ours: Vec<bool> = stack.entries.iter().map(super::resolve::Entry::is_ours).collect();
        let outcomes = (stack.entries.iter().zip(&ours))
            .map(|(entry, ours)| {
                let mut kinds: HashMap<_, Code> = HashMap::new();
                for code in assume.outcomes(entry) {
                    let told = code == Code::SUCCESS
                        || code == Code::NEW_AUTHTOK_REQD
                        || (*ours && code == Code::IGNORE);
                    let kind = (entry.control.on(code), told.then_some(code));
                    let stands = kinds.entry(kind).or_insert(code);
                    // The most common failure reads best.
                    if code == Code::AUTH_ERR {
                        *stands = code;
                    }
                }
                let mut codes: Vec<Code> = kinds.into_values().collect();
                codes.sort_unstable();
                codes
            })
            .collect();
        let factors = (stack.entries.iter())
            .map(|entry| matches!(entry.kind, Kind::Module { .. }) && (assume.first_factor)(entry))
            .collect();
        let found = Explored { phase: stack.phase, ends: Vec::new(), arrivals: Vec::new(), complete: true };
        Self { stack, outcomes, factors, ours, known: HashMap::new(), from: Vec::new(), found }
    }

    fn run(mut self) -> Explored {
        let start = Node { state: State::start(), factor: false, seen: Seen::default() };
        let mut wave = vec![(self.number(&start, None).unwrap_or(0), start)];
        while !wave.is_empty() {
            let mut next = Vec::new();
            for (number, node) in wave {
                self.visit(number, node, &mut next);
            }
            if self.from.len() > MAX_NODES {
                self.found.complete = false;
                break;
            }
            wave = next;
        }
        self.found
    }

    /// Follows each result of the node's line; short ways are found first.
    fn visit(&mut self, number: usize, mut node: Node, next: &mut Vec<(usize, Node)>) {
        if !node.state.enter(self.stack) {
            return self.end(number, &node);
        }
        let entry = node.state.at;
        if self.ours[entry] {
            let kind = (node.factor, node.state.is_bad());
            if !self.found.arrivals.iter().any(|(factor, bad, _)| (*factor, *bad) == kind) {
                let way = self.way(number);
                self.found.arrivals.push((kind.0, kind.1, way));
            }
        }
        for code in self.outcomes[entry].clone() {
            let mut after = node.clone();
            after.state.step(self.stack, code);
            after.state = after.state.coarse();
            // The other one is said of a password that was right and has expired.
            after.factor |= self.factors[entry] && (code == Code::SUCCESS || code == Code::NEW_AUTHTOK_REQD);
            if self.ours[entry] {
                after.seen.reached = true;
                after.seen.refused |= code != Code::SUCCESS && code != Code::IGNORE;
            }
            if let Some(number) = self.number(&after, Some((number, Step { entry, code }))) {
                next.push((number, after));
            }
        }
    }

    fn end(&mut self, number: usize, node: &Node) {
        let result = node.state.result();
        if !self.found.ends.iter().any(|end| end.result == result && end.seen == node.seen) {
            let way = self.way(number);
            self.found.ends.push(End { result, seen: node.seen, way });
        }
    }

    /// The node's number, if it is new.
    fn number(&mut self, node: &Node, from: Option<(usize, Step)>) -> Option<usize> {
        if self.known.contains_key(node) {
            return None;
        }
        let number = self.from.len();
        self.known.insert(node.clone(), number);
        self.from.push(from);
        Some(number)
    }

    fn way(&self, mut number: usize) -> Way {
        let mut way = Vec::new();
        while let Some((before, step)) = self.from[number] {
            way.push(step);
            number = before;
        }
        way.reverse();
        way
    }
}

#[cfg(test)]
mod tests;
