//! `make bench`: a login of ours beside pam_google_authenticator, pam_oath, PAM alone and the least
//! that this design can cost, in one run, interleaved.
//!
//! [`run`] reads as the list of what is measured. Everything that must survive a login lies in
//! `/var/tmp`, because a durable commit costs nothing in memory. Nothing here fails: a figure that is
//! not reached is printed as such.

mod cast;
mod codes;
mod counts;
mod crowd;
mod decisions;
mod floor;
mod fresh;
mod listings;
mod mail;
mod memory;
mod ours;
mod people;
mod report;
mod rivals;
mod run;
mod sample;
mod seed;
mod stats;
mod targets;
mod wire;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => run::all(),
        ["ours"] => run::ours(),
        ["decisions"] => run::decisions(),
        ["mail"] => run::mail(),
        ["listings"] => run::listings(),
        ["everybody"] => run::everybody(),
        // The two programs that the measurement starts besides `pam-host`.
        ["echo-service", address, file] => floor::serve(address, file),
        ["worker"] => crowd::work(),
        _ => eprintln!(
            "bench [ours|decisions|mail|listings|everybody]: all, or only logins of ours (for a profiler), policies, mail, lists, or what counts everybody"
        ),
    }
}
