//! One login, described before it is run: in this thread, held at its prompt, or in a program of its own.

use crate::code::Code;
use crate::held::Held;
use crate::pam::{Item, Transaction};
use crate::scratch::Scratch;
use crate::stack::own_code;
use crate::talk::{Outcome, Reply, Shown, speechless};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// A login to be made. Made by [`crate::Stack::visit`]; ends in [`run`](Self::run),
/// [`hold`](Self::hold) or [`rush`](Self::rush).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Login {
    pub(crate) confdir: PathBuf,
    /// Keeps the stack's directory while a login may need it.
    #[serde(skip)]
    _dir: Option<Arc<Scratch>>,
    pub(crate) service: String,
    pub(crate) user: Option<Vec<u8>>,
    items: Vec<(i32, Vec<u8>)>,
    env: Vec<(String, String)>,
    phases: Vec<Phase>,
    /// Answers given before the first prompt that asks for a code.
    pub(crate) before_code: Vec<Reply>,
    /// `None`: in a thread of this process. Else the words before `pam-host`, such as `strace -f`.
    pub(crate) program: Option<Vec<String>>,
}

/// The PAM calls a host makes, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// `pam_authenticate`.
    Auth,
    /// `pam_acct_mgmt`; skipped after a refused auth.
    Account,
    /// `pam_setcred`.
    Setcred,
    /// `pam_open_session`.
    Session,
}

impl Login {
    pub(crate) fn new(dir: &Arc<Scratch>, service: &str, user: &[u8]) -> Self {
        Self {
            confdir: dir.path().to_owned(),
            _dir: Some(Arc::clone(dir)),
            service: service.to_owned(),
            user: Some(user.to_vec()),
            items: Vec::new(),
            env: Vec::new(),
            phases: vec![Phase::Auth, Phase::Account],
            before_code: Vec::new(),
            program: None,
        }
    }

    /// Sets `PAM_RHOST`.
    #[must_use]
    pub fn rhost(self, rhost: impl AsRef<[u8]>) -> Self {
        self.item(Item::Rhost, rhost)
    }

    /// Sets `PAM_TTY`.
    #[must_use]
    pub fn tty(self, tty: impl AsRef<[u8]>) -> Self {
        self.item(Item::Tty, tty)
    }

    /// Sets `PAM_RUSER`.
    #[must_use]
    pub fn ruser(self, ruser: impl AsRef<[u8]>) -> Self {
        self.item(Item::Ruser, ruser)
    }

    /// Sets any text item.
    #[must_use]
    pub fn item(mut self, item: Item, value: impl AsRef<[u8]>) -> Self {
        self.items.push((item as i32, value.as_ref().to_vec()));
        self
    }

    /// Puts a variable into the PAM environment, as sshd does with `SSH_AUTH_INFO_0`.
    #[must_use]
    pub fn pam_env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The calls to make instead of `Auth, Account`.
    #[must_use]
    pub fn phases(mut self, phases: &[Phase]) -> Self {
        self.phases = phases.to_vec();
        self
    }

    /// The password, given to every prompt before the one that asks for a code.
    #[must_use]
    pub fn password(mut self, password: impl Into<Reply>) -> Self {
        self.before_code.push(password.into());
        self
    }

    /// Runs in a process of its own (`pam-host`) instead of a thread of the test.
    #[must_use]
    pub fn in_own_process(self) -> Self {
        self.wrapped_by(&[])
    }

    /// Runs in a process of its own behind these words, such as `["setpriv", "--reuid=5004", ...]`.
    #[must_use]
    pub fn wrapped_by(mut self, words: &[&str]) -> Self {
        self.program = Some(words.iter().map(|&w| w.to_owned()).collect());
        self
    }

    /// Runs to the end, answering the prompts in order; when the answers run out the person hangs up,
    /// or goes on where a recovery code has let them in already.
    pub fn run<R: Into<Reply>>(&self, answers: impl IntoIterator<Item = R>) -> Outcome {
        let mut answers: VecDeque<Reply> = answers.into_iter().map(Into::into).collect();
        let mut before = self.before_code.clone().into_iter();
        self.talk(move |shown| {
            if !shown.style.asks() {
                return Reply::Null;
            }
            let early = if shown.asks_code() { None } else { before.next() };
            early.or_else(|| answers.pop_front()).unwrap_or_else(|| speechless(shown))
        })
    }

    /// Runs to the end with a closure at the other end. It also sees messages, whose reply can only be `Null` or `Refuse`.
    pub fn talk(&self, mut talk: impl FnMut(&Shown) -> Reply) -> Outcome {
        if self.program.is_some() {
            return crate::host::talk(self, &mut talk);
        }
        self.run_here(&mut talk)
    }

    /// Opens the login in the background and returns when it stands at its first code prompt (or has ended).
    #[must_use]
    pub fn hold(&self) -> Held {
        let mut held = Held::open(self);
        held.settle();
        held
    }

    /// Opens `count` such logins and returns when all of them stand at the prompt.
    #[must_use]
    pub fn rush(&self, count: usize) -> crate::held::Rush {
        crate::held::Rush::open(std::iter::repeat_n(self, count))
    }

    /// Runs in the calling thread, whatever `in_own_process` says. `pam-host` ends here too.
    pub fn run_here(&self, talk: &mut dyn FnMut(&Shown) -> Reply) -> Outcome {
        let began = Instant::now();
        let mut outcome = Outcome {
            auth: Code::ABORT,
            account: None,
            setcred: None,
            session: None,
            shown: Vec::new(),
            delay_usec: 0,
            took: began.elapsed(),
        };
        match Transaction::start(&self.confdir, &self.service, self.user.as_deref(), talk) {
            Err(code) => outcome.auth = code,
            Ok(mut pam) => {
                self.run_phases(&mut pam, &mut outcome);
                outcome.shown = pam.shown();
                outcome.delay_usec = pam.delay_usec();
            }
        }
        outcome.took = began.elapsed();
        outcome
    }

    fn run_phases(&self, pam: &mut Transaction<'_>, outcome: &mut Outcome) {
        for (item, value) in &self.items {
            let code = pam.set_item(item_of(*item), value);
            assert_eq!(code, Code::SUCCESS, "pam_set_item({item})");
        }
        for (name, value) in &self.env {
            let code = pam.put_env(name, value);
            assert_eq!(code, Code::SUCCESS, "pam_putenv({name})");
        }
        let asked_auth = self.phases.contains(&Phase::Auth);
        if !asked_auth {
            outcome.auth = Code::SUCCESS;
        }
        for phase in &self.phases {
            match phase {
                Phase::Auth => outcome.auth = own_code(&self.service, pam.authenticate()),
                Phase::Account if matches!(outcome.auth, Code::SUCCESS | Code::IGNORE) => {
                    outcome.account = Some(own_code(&self.service, pam.account()));
                }
                Phase::Account => {}
                Phase::Setcred => outcome.setcred = Some(pam.setcred()),
                Phase::Session => outcome.session = Some(pam.open_session()),
            }
        }
    }
}

fn item_of(number: i32) -> Item {
    [Item::Service, Item::User, Item::Tty, Item::Rhost, Item::Ruser, Item::UserPrompt, Item::Xdisplay]
        .into_iter()
        .find(|item| *item as i32 == number)
        .expect("a known PAM item")
}
