//! What a login shows somebody on the way to a factor, read back the way they would.

use crate::clock::Clock;
use crate::login::Login;
use crate::secret::Secret;
pub use crate::talk::OFFER;
use crate::talk::{HANG_UP, Outcome, Reply, Shown};
use std::sync::Arc;

/// The end of the prompt for the first code.
pub const FIRST_CODE: &str = "First code from the app: ";
/// The end of the prompt that asks one recovery code back.
pub const READ_BACK: &str = "to show that you kept them: ";
/// The prompt for an invitation.
pub const INVITATION: &str = "Invitation code: ";

/// The key in a text: what stands after the last `Key: `, without its spaces.
#[must_use]
pub fn key_in(text: &str) -> Option<String> {
    let line = text.rsplit_once("Key: ")?.1.lines().next()?;
    let key: String = line.split(" (").next()?.split_whitespace().collect();
    key.bytes().all(|c| matches!(c, b'A'..=b'Z' | b'2'..=b'7')).then_some(key)
}

/// The recovery codes in a text, by their numbers.
#[must_use]
pub fn recovery_codes_in(text: &str) -> Vec<String> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        for pair in words.windows(2) {
            if let (Ok(number), true) = (pair[0].parse(), is_recovery_code(pair[1])) {
                found.push((number, pair[1].to_owned()));
            }
        }
    }
    found.sort();
    found.into_iter().map(|(_, code)| code).collect()
}

/// Which recovery code the last such prompt in a text asks for, from 1.
#[must_use]
pub fn asked_back_in(text: &str) -> Option<usize> {
    text.rsplit_once("Type recovery code ")?.1.split(' ').next()?.parse().ok()
}

fn is_recovery_code(word: &str) -> bool {
    let groups: Vec<&str> = word.split('-').collect();
    groups.len() == 4
        && groups
            .iter()
            .all(|g| g.len() == 4 && g.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()))
}

/// Somebody who does what an enrollment inside a login asks, and keeps what it shows.
#[derive(Default)]
pub struct Enrollee {
    seen: String,
    clock: Option<Arc<Clock>>,
    /// Their authenticator app, once a key was shown. The last one shown counts.
    pub app: Option<Secret>,
}

impl Enrollee {
    /// With a phone that goes by this clock.
    #[must_use]
    pub fn new(clock: Option<&Arc<Clock>>) -> Self {
        Self { clock: clock.cloned(), ..Self::default() }
    }

    /// Reads one more text.
    pub fn read(&mut self, text: &str) {
        self.seen.push_str(text);
        self.seen.push('\n');
        if let Some(key) = key_in(text) {
            self.app = Some(Secret::from_base32(&key, self.clock.clone()));
        }
        let codes = recovery_codes_in(text);
        if let (Some(app), false) = (&mut self.app, codes.is_empty()) {
            app.recovery = codes;
        }
    }

    /// The app.
    ///
    /// # Panics
    /// When no key was shown.
    #[must_use]
    pub fn app(&self) -> &Secret {
        self.app.as_ref().unwrap_or_else(|| panic!("no key was shown: {}", self.seen))
    }

    /// The recovery code that was asked back.
    ///
    /// # Panics
    /// When none was.
    #[must_use]
    pub fn asked_back(&self) -> String {
        let number = asked_back_in(&self.seen).unwrap_or_else(|| panic!("none asked: {}", self.seen));
        self.app().recovery[number - 1].clone()
    }

    /// What the person types at a prompt when everything goes well. The first code is that of the step
    /// before the present one, so that the present one is still unused.
    pub fn answer(&mut self, prompt: &str) -> Option<Reply> {
        self.read(prompt);
        if prompt.ends_with(FIRST_CODE) {
            let app = self.app();
            let step = app.step() - 1;
            app.mark_used(step);
            Some(app.code_at(step).into())
        } else if prompt.ends_with(READ_BACK) {
            Some(self.asked_back().into())
        } else {
            None
        }
    }

    /// Goes through a login. `other` answers the prompts that are not of an enrollment, or says what is
    /// done instead at those that are; with neither the person hangs up.
    pub fn log_in(
        &mut self,
        login: &Login,
        mut other: impl FnMut(&mut Self, &str) -> Option<Reply>,
    ) -> Outcome {
        login.talk(|shown: &Shown| {
            if !shown.style.asks() {
                self.read(&shown.text);
                return Reply::Null;
            }
            match other(self, &shown.text) {
                Some(reply) => reply,
                None => self.answer(&shown.text).unwrap_or(HANG_UP),
            }
        })
    }

    /// Goes through a login and enrolls.
    pub fn enroll(&mut self, login: &Login) -> Outcome {
        self.log_in(login, |_, _| None)
    }
}
