//! The modules that people use today, in the shape of our stack: a first factor that says yes at
//! once, then theirs. Their files are as their documentation has them.

use crate::people;
use countersign_tests::Stack;
use countersign_tests::scratch::Scratch;
use countersign_tests::secret::encode_base32;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::rc::Rc;

/// The service of all stacks but ours.
pub(crate) const SERVICE: &str = "rival";

/// Which module, and over which files.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// `pam_permit`: what PAM itself takes.
    Permit,
    /// `pam_google_authenticator`, a file a person.
    Google,
    /// `pam_oath`, so many people in each file. With one, everybody has a file of their own.
    Oath(usize),
}

/// A module in its stack, with its files.
pub(crate) struct Rival {
    pub(crate) kind: Kind,
    pub(crate) stack: Rc<Stack>,
    files: Scratch,
}

impl Rival {
    pub(crate) fn new(kind: Kind) -> Self {
        let files = Scratch::new("rival");
        let dir = files.path().display();
        let module = match kind {
            Kind::Permit => "pam_permit.so".to_owned(),
            Kind::Google => {
                format!("pam_google_authenticator.so secret={dir}/${{USER}} user=root allowed_perm=0600")
            }
            Kind::Oath(1) => format!("pam_oath.so usersfile={dir}/${{USER}} window=2 digits=6"),
            Kind::Oath(_) => format!("pam_oath.so usersfile={dir}/users.oath window=2 digits=6"),
        };
        let lines = [
            "auth requisite pam_permit.so".to_owned(),
            format!("auth required {module}"),
            "account required pam_permit.so".to_owned(),
            "account required pam_permit.so".to_owned(),
        ];
        let rival = Self { kind, stack: Rc::new(Stack::of(SERVICE, &lines)), files };
        rival.forget_codes();
        rival
    }

    /// Writes its files anew, so that no code was used.
    pub(crate) fn forget_codes(&self) {
        match self.kind {
            Kind::Permit => {}
            Kind::Google => self.each_their_own(|person| {
                let key = encode_base32(&people::key(person));
                format!("{key}\n\" WINDOW_SIZE 3\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n")
            }),
            Kind::Oath(1) => self.each_their_own(|person| oath_line(&people::name(person), person)),
            Kind::Oath(users) => write(&self.files.join("users.oath"), &oath_file(users)),
        }
    }

    fn each_their_own(&self, text: impl Fn(usize) -> String) {
        for person in 0..people::ACTIVE {
            write(&self.files.join(&people::name(person)), &text(person));
        }
    }
}

/// Those who log in are spread evenly among those who do not.
fn oath_file(users: usize) -> String {
    let every = users / people::ACTIVE;
    let mut text = String::new();
    for n in 0..users {
        let person = n / every;
        if n % every == every - 1 && person < people::ACTIVE {
            text.push_str(&oath_line(&people::name(person), person));
        } else {
            text.push_str(&oath_line(&format!("idle{n}"), people::FIRST_IDLE_UID + n));
        }
    }
    text
}

fn oath_line(name: &str, person: usize) -> String {
    let mut line = format!("HOTP/T30/6\t{name}\t-\t");
    for byte in people::key(person) {
        let _ = write!(line, "{byte:02x}");
    }
    line.push('\n');
    line
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).expect("write a rival's file");
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("our own file");
}
