//! Copies of everything, what they bring back, and a new sealing key.

mod contents;
mod copies;
mod histories;
mod keys;
mod killed;
mod lost;
mod offline;
mod people;
mod refused;
mod restores;

use countersign_tests::ctl::CtlOutput;
use countersign_tests::scratch::Scratch;
use countersign_tests::{Ctl, Fixture, Secret};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

/// A folder for backups, and a passphrase in a file of its own.
struct Place(Scratch);

impl Place {
    fn new() -> Self {
        let place = Self(Scratch::new("backups"));
        let passphrase = place.path("passphrase");
        fs::write(&passphrase, "four tall horses wait\n").expect("our own file");
        fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).expect("our own file");
        place
    }

    fn path(&self, name: &str) -> String {
        let path: PathBuf = self.0.join(name);
        path.to_str().expect("a path of ours").to_owned()
    }

    /// A new backup of this name.
    fn backup(&self, ctl: &Ctl, name: &str) -> String {
        let path = self.path(name);
        let out = ctl.run(&["backup", &path]).ok();
        assert!(out.stdout.contains(&path), "{out:?}");
        path
    }
}

/// What a restore changed or would change, as `USER KIND WHAT`.
fn fates(report: &Value) -> Vec<String> {
    let factors = report["factors"].as_array().expect("factors");
    let word = |factor: &Value, name: &str| factor[name].as_str().expect("a word").to_owned();
    factors.iter().map(|f| format!("{} {} {}", word(f, "user"), word(f, "kind"), word(f, "what"))).collect()
}

/// Restores and tells what became of it.
fn restore(ctl: &Ctl, file: &str, more: &[&str]) -> Value {
    let args = [&["restore", file, "--json"], more].concat();
    ctl.run(&args).ok().json().remove(0)
}

/// Each spelling of a secret that must not turn up anywhere.
fn spellings(app: &Secret) -> Vec<Vec<u8>> {
    let hex: String = app.key().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut all = vec![app.key().to_vec(), app.base32.as_bytes().to_vec(), hex.to_uppercase().into_bytes()];
    all.push(app.base32.to_lowercase().into_bytes());
    all.push(hex.into_bytes());
    for code in &app.recovery {
        all.push(code.as_bytes().to_vec());
        all.push(code.replace('-', "").into_bytes());
    }
    all
}

/// What it complained of, on one line: it breaks its lines where the terminal ends.
fn complaint(out: &CtlOutput) -> String {
    out.stderr.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first of these secrets that is in there. One walk for all of them: there are many files.
fn found_in(bytes: &[u8], secrets: &[impl AsRef<[u8]>]) -> Option<String> {
    let mut starts = vec![false; 1 << 16];
    let start = |two: &[u8]| usize::from(two[0]) << 8 | usize::from(two[1]);
    for secret in secrets {
        starts[start(secret.as_ref())] = true;
    }
    for at in 1..bytes.len() {
        if starts[start(&bytes[at - 1..=at])] {
            let here = |secret: &&[u8]| bytes[at - 1..].starts_with(secret);
            if let Some(found) = secrets.iter().map(AsRef::as_ref).find(here) {
                return Some(String::from_utf8_lossy(found).into_owned());
            }
        }
    }
    None
}

fn passes(t: &Fixture, app: &Secret) {
    let fresh = t.cs().login("alice", [app.fresh_code()]);
    assert!(fresh.passed(), "a fresh code passes: {fresh:?}");
}
