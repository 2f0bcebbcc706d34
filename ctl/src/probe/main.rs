//! `countersign-pam-probe FOLDER SERVICE USER auth|account`: walks through one PAM stack with wrong answers.
//!
//! `countersignctl enable` runs it over the files that it is about to write, in a process of its own: what is
//! tried there are other people's modules. It prints what happened and judges nothing:
//!
//! ```text
//! hidden TEXT     asked with hidden input; the answer was no password
//! shown TEXT      asked with visible input; the answer was no code
//! says TEXT       a message
//! code N          what libpam returned
//! ```

#![deny(unsafe_code)]

mod libpam;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use libpam::{Phase, Shown};

/// Typed where a password is asked for. It is nobody's.
const NO_PASSWORD: &str = "no password of anybody";
/// Typed where a code is asked for. The module keeps what has control characters to itself and refuses, so
/// that no try is charged to anybody.
const NO_CODE: &str = "\u{1}";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, service, user, phase] = words.as_slice() else { return usage() };
    let phase = match phase.as_str() {
        "auth" => Phase::Auth,
        "account" => Phase::Account,
        _ => return usage(),
    };
    let mut lines = String::new();
    let answer = |shown: &Shown| {
        let (word, reply) = match shown.style {
            libpam::HIDDEN => ("hidden", NO_PASSWORD),
            libpam::VISIBLE => ("shown", NO_CODE),
            _ => ("says", ""),
        };
        // The text of a prompt is of several lines now and then; here it is one.
        let text: String = shown.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        lines.push_str(&format!("{word} {}\n", text.trim()));
        // A code may be asked for with hidden input (`echo=off`).
        if word == "hidden" && text.to_lowercase().contains("code") { NO_CODE } else { reply }
    };
    let code = libpam::walk(&PathBuf::from(folder), service, user, phase, answer);
    lines.push_str(&format!("code {code}\n"));
    match std::io::stdout().write_all(lines.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn usage() -> ExitCode {
    drop(writeln!(std::io::stderr(), "usage: countersign-pam-probe FOLDER SERVICE USER auth|account"));
    ExitCode::from(2)
}
