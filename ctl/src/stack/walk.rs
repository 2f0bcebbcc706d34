//! One way through a stack: libpam's dispatch (Linux-PAM 1.3 to 1.7, `_pam_dispatch_aux`), written anew.
//!
//! A stack has an *impression* (nothing yet, good, bad) and a *status* (what it would return now). Each line's
//! result is looked up in its control, and the action moves the two. A substack keeps what they were when it
//! began, for `reset`; `done` and `die` in it end the substack alone; a jump counts a whole substack as one
//! line and never leaves the one it is in.

use super::code::Code;
use super::control::Action;
use super::resolve::{Kind, Stack};

/// What a stack thinks so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Impression {
    Nothing,
    Good,
    Bad,
}

/// A point between two lines.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// The next line.
    pub(super) at: usize,
    view: View,
    /// What a `reset` at each level goes back to.
    saved: Vec<View>,
    /// The level of the line before.
    level: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct View {
    impression: Impression,
    status: Code,
}

/// What came of one way through a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What the stack returned.
    pub result: Code,
    /// The lines that were called, by their place in [`Stack::entries`].
    pub called: Vec<usize>,
}

impl Stack {
    /// Goes through the stack; `answer` is asked for each module that is called.
    pub fn run(&self, mut answer: impl FnMut(usize) -> Code) -> Run {
        let mut called = Vec::new();
        let mut state = State::start();
        while state.enter(self) {
            let code = match self.entries[state.at].kind {
                Kind::Module { .. } => {
                    called.push(state.at);
                    answer(state.at)
                }
                Kind::Substack { .. } | Kind::MustFail => Code::PERM_DENIED,
            };
            state.step(self, code);
        }
        Run { result: state.result(), called }
    }
}

impl State {
    pub(super) fn start() -> Self {
        let view = View { impression: Impression::Nothing, status: Code::PERM_DENIED };
        Self { at: 0, view, saved: vec![view], level: 0 }
    }

    /// Goes to the next line that returns something; false at the end of the stack.
    pub(super) fn enter(&mut self, stack: &Stack) -> bool {
        while let Some(entry) = stack.entries.get(self.at) {
            if self.level < entry.level {
                self.saved.truncate(entry.level);
                // Substacks are entered one level at a time, each by its own line.
                self.saved.resize(entry.level + 1, self.view);
            }
            self.level = entry.level;
            if !matches!(entry.kind, Kind::Substack { .. }) {
                return true;
            }
            self.at += 1;
        }
        false
    }

    /// What the stack returns when it ends here.
    pub(super) fn result(&self) -> Code {
        match self.view {
            View { impression: Impression::Good, status } => status,
            View { status, .. } if status == Code::SUCCESS => Code::PERM_DENIED,
            View { status, .. } => status,
        }
    }

    /// Whether something has failed for good.
    pub(super) fn is_bad(&self) -> bool {
        self.view.impression == Impression::Bad
    }

    /// Takes the result of the line at `at`, and goes on to the next that is to be called.
    pub(super) fn step(&mut self, stack: &Stack, code: Code) {
        let entry = &stack.entries[self.at];
        match entry.control.on(code) {
            Action::Ignore => {}
            Action::Reset => self.view = self.saved[entry.level],
            Action::Ok => self.good(code),
            Action::Done => {
                self.good(code);
                if self.view.impression == Impression::Good {
                    self.leave(stack, entry.level);
                }
            }
            Action::Bad => self.bad(code),
            Action::Die => {
                self.bad(code);
                self.leave(stack, entry.level);
            }
            Action::Jump(lines) => self.jump(stack, entry.level, lines),
        }
        self.at += 1;
    }

    /// The state without what makes no difference to what may still come.
    pub(super) fn coarse(mut self) -> Self {
        let coarse = |view: &mut View| {
            if view.status != Code::SUCCESS && view.status != Code::NEW_AUTHTOK_REQD {
                view.status = Code::PERM_DENIED;
            }
        };
        coarse(&mut self.view);
        self.saved.truncate(self.level + 1);
        self.saved.iter_mut().for_each(coarse);
        self
    }

    fn good(&mut self, code: Code) {
        let View { impression, status } = self.view;
        let open = match impression {
            Impression::Nothing => true,
            Impression::Good => status == Code::SUCCESS,
            Impression::Bad => false,
        };
        if open {
            self.view = View { impression: Impression::Good, status: code };
        }
    }

    fn bad(&mut self, code: Code) {
        if self.view.impression != Impression::Bad {
            let status = if code == Code::IGNORE { Code::PERM_DENIED } else { code };
            self.view = View { impression: Impression::Bad, status };
        }
    }

    /// To the last line of the stack or substack.
    fn leave(&mut self, stack: &Stack, level: usize) {
        while stack.entries.get(self.at + 1).is_some_and(|next| next.level >= level) {
            self.at += 1;
        }
    }

    fn jump(&mut self, stack: &Stack, level: usize, lines: u32) {
        let level_of = |at: usize| stack.entries.get(at).map(|entry| entry.level);
        let mut left = lines;
        while left > 0 && level_of(self.at + 1).is_some_and(|next| next >= level) {
            self.at += 1;
            while level_of(self.at + 1).is_some_and(|next| next > level) {
                self.at += 1;
            }
            left -= 1;
        }
        // More lines than there are: libpam logs "bad jump in stack" and refuses.
        if left > 0 {
            self.view = View { impression: Impression::Bad, status: Code::PERM_DENIED };
        }
    }
}
