//! The incumbents in the same scenario: a harness that cannot make them fail proves nothing.
//!
//! Run them with [`Login::in_own_process`](crate::Login::in_own_process): pam_oath locks its file per process,
//! so that threads of one process would be judged too harshly.

use crate::scratch::Scratch;
use crate::secret::{Secret, encode_base32};
use crate::stack::Stack;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// One of them alone in a stack, with its files.
pub struct Control {
    /// The stack, service `control`.
    pub stack: Stack,
    /// The authenticator app of `alice`.
    pub alice: Secret,
    _files: Scratch,
}

/// A key that both modules and our own arithmetic share.
const KEY: [u8; 20] = *b"countersign-control!";

/// pam_google_authenticator with its own protections on: `DISALLOW_REUSE`, a window, and the rate limit if asked for.
#[must_use]
pub fn google_authenticator(rate_limit: bool) -> Control {
    let files = Scratch::new("google");
    let secret = encode_base32(&KEY);
    let mut text = format!("{secret}\n");
    if rate_limit {
        text.push_str("\" RATE_LIMIT 3 30\n");
    }
    text.push_str("\" WINDOW_SIZE 3\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n");
    let file = files.join("alice");
    fs::write(&file, text).expect("write the secret file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("our own file");
    let line = format!(
        "auth required pam_google_authenticator.so secret={} user=root allowed_perm=0600",
        file.display()
    );
    control(files, &line)
}

/// pam_oath with `users` people in its file, alice the last of them.
#[must_use]
pub fn oath(users: usize) -> Control {
    let files = Scratch::new("oath");
    let hex = |key: &[u8]| key.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let mut text = String::new();
    for i in 1..users {
        let _ = writeln!(text, "HOTP/T30/6\tuser{i}\t-\t{}", hex(&KEY));
    }
    let _ = writeln!(text, "HOTP/T30/6\talice\t-\t{}", hex(&KEY));
    let file = files.join("users.oath");
    fs::write(&file, text).expect("write the users file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("our own file");
    let line = format!("auth required pam_oath.so usersfile={} window=2 digits=6", file.display());
    control(files, &line)
}

fn control(files: Scratch, auth: &str) -> Control {
    let stack = Stack::of("control", &[auth, "account required pam_permit.so"]);
    let alice = Secret::from_base32(&encode_base32(&KEY), None);
    Control { stack, alice, _files: files }
}
