//! Decisions: pure functions of (facts, answer, now).
//!
//! No I/O, no clock, no SQL, no bus. Whatever is decided here can be tested without a machine.

#![forbid(unsafe_code)]

pub mod answer;
#[cfg(test)]
mod dice;
pub mod email;
pub mod enrolling;
pub mod explain;
pub mod impact;
pub mod invitation;
pub mod letters;
pub mod overrides;
pub mod policy;
pub mod recovery;
pub mod strength;
pub mod throttle;
pub mod totp;
pub mod weaken;
