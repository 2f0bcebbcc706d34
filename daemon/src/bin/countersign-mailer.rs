//! countersign-mailer.

use clap::Parser;
use countersign_daemon::mailer;
use std::process::ExitCode;

fn main() -> ExitCode {
    match mailer::run(&mailer::Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("countersign-mailer: {e}");
            ExitCode::FAILURE
        }
    }
}
