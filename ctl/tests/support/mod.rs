//! A private bus, a scripted daemon on it, and `countersignctl` run on pipes or a terminal.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod bus;
pub mod daemon;
pub mod drawing;
pub mod logind;
pub mod run;
