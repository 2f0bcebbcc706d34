//! `countersignctl`: how people and administrators talk to countersignd.

#![forbid(unsafe_code)]

mod accept_clock;
mod address;
mod agent;
mod approve;
mod backup;
mod bundle;
mod bus;
mod cli;
mod complete;
mod date;
mod doctor;
mod email;
mod enable;
mod enroll;
mod errors;
mod exempt;
mod export;
mod factors;
mod forget;
mod import;
mod invite;
mod json;
mod keyfile;
mod lock;
mod log;
#[cfg(test)]
mod manual;
mod metrics;
mod newfile;
mod output;
mod overrides;
mod passphrase;
mod policy;
mod progress;
mod prove;
mod qr;
mod recovery_codes;
mod rekey;
mod request_reset;
mod require;
mod reset;
mod restore;
mod run;
mod sessions;
mod status;
mod strays;
mod table;
mod terminal;
mod text;
mod time;
mod unlock;
mod users;
mod whom;

fn main() -> std::process::ExitCode {
    run::run()
}
