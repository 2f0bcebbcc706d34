//! Right codes in plenty: each person's app gives three within one step, the previous, the present
//! and the next, in this order.

use countersign_tests::clock::{STEP, real_step};
use countersign_tests::secret::code;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds before the end of a step in which the previous one's code is no longer handed out.
const MARGIN: f64 = 3.0;

/// The apps of the people who log in, and the last step whose code each has used.
#[derive(Debug, Clone)]
pub(crate) struct Codes {
    keys: Vec<[u8; 20]>,
    used: Vec<u64>,
    next: usize,
}

impl Codes {
    pub(crate) fn new(keys: &[[u8; 20]]) -> Self {
        Self { keys: keys.to_vec(), used: vec![0; keys.len()], next: 0 }
    }

    /// After whoever checks the codes was made to forget which ones were used.
    pub(crate) fn forget(&mut self) {
        self.used.fill(0);
    }

    /// A person, by number, and a code that is right for them now. Waits for the next step when
    /// everybody's codes are used up.
    pub(crate) fn take(&mut self) -> (usize, String) {
        loop {
            for _ in 0..self.keys.len() {
                let person = self.next;
                self.next = (self.next + 1) % self.keys.len();
                if let Some(code) = self.fresh(person) {
                    return (person, code);
                }
            }
            wait_for_next_step();
        }
    }

    /// A code that is right for this person now.
    pub(crate) fn take_of(&mut self, person: usize) -> String {
        loop {
            if let Some(code) = self.fresh(person) {
                return code;
            }
            wait_for_next_step();
        }
    }

    fn fresh(&mut self, person: usize) -> Option<String> {
        let now = real_step();
        let first = if left_of_step() > MARGIN { now - 1 } else { now };
        let step = first.max(self.used[person] + 1);
        (step <= now + 1).then(|| {
            self.used[person] = step;
            code(&self.keys[person], step, 6)
        })
    }

    /// The code of one person for the present step.
    pub(crate) fn present(&mut self, person: usize) -> String {
        let step = real_step();
        self.used[person] = step;
        code(&self.keys[person], step, 6)
    }
}

/// Waits until at least this many seconds are left of the present step.
pub(crate) fn wait_for_room(seconds: f64) {
    if left_of_step() < seconds {
        wait_for_next_step();
    }
}

fn wait_for_next_step() {
    sleep(Duration::from_secs_f64(left_of_step() + 0.05));
}

fn left_of_step() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    STEP as f64 - now % STEP as f64
}
