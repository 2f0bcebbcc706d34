//! `countersignctl`: how people and administrators talk to countersignd.

#![forbid(unsafe_code)]

mod bus;
mod cli;
mod enroll;
mod errors;
mod forget;
mod json;
mod log;
mod output;
mod policy;
mod qr;
mod reset;
mod run;
#[allow(dead_code, reason = "no verb ends sessions yet")]
mod sessions;
mod status;
mod table;
mod terminal;
mod text;
mod time;
mod unlock;
mod users;

fn main() -> std::process::ExitCode {
    run::run()
}
