//! countersignd.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match countersign_daemon::run(&countersign_daemon::Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("countersignd: {e}");
            ExitCode::FAILURE
        }
    }
}
