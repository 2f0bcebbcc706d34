//! Every conversation as a person sees it, through the real sshd and client, and through login(1).
//!
//! The transcripts are in `tests/golden/`, with what differs each time replaced. `GOLDEN=write` in the
//! environment writes them anew; then read them.

use super::invited::invite;
use super::{AT_LOGIN, config, require_all};
use countersign_tests::enrolling::{FIRST_CODE, INVITATION, OFFER, READ_BACK, key_in, recovery_codes_in};
use countersign_tests::people::{ALICE, BOB};
use countersign_tests::ssh::{CODE_PROMPT, two_factor_lines};
use countersign_tests::{Enrollee, Fixture, Pty, Sshd};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// What a person types at a prompt.
type Types<'a> = dyn FnMut(&Enrollee) -> String + 'a;

/// A person at a terminal, who reads along.
struct Person<'a> {
    pty: Pty,
    enrollee: Enrollee,
    t: &'a Fixture,
    read: usize,
}

impl<'a> Person<'a> {
    fn at(t: &'a Fixture, program: &Command) -> Self {
        Self { pty: Pty::spawn(program), enrollee: Enrollee::new(t.daemon.clock()), t, read: 0 }
    }

    /// Waits for a prompt and types.
    fn types(&mut self, prompt: &str, what: &mut Types<'_>) {
        self.pty.expect(prompt);
        let new = self.pty.transcript()[self.read..].to_owned();
        self.read += new.len();
        self.enrollee.read(&new);
        let line = what(&self.enrollee);
        self.pty.send_line(&line);
    }

    fn says(&mut self, prompt: &str, line: &str) {
        self.types(prompt, &mut |_| line.to_owned());
    }

    fn first_code(&mut self) {
        self.types(FIRST_CODE, &mut |me| me.app().code_in(-1));
    }

    fn read_back(&mut self) {
        self.types(READ_BACK, &mut |me| me.asked_back());
    }

    /// Waits for the end and compares what was seen.
    fn ends(mut self, name: &str) -> Enrollee {
        let _ = self.pty.wait(PATIENCE);
        compare(name, &normal(self.pty.transcript(), self.t));
        self.enrollee
    }

    /// Closes the terminal at this prompt and compares what was seen.
    fn hangs_up_at(mut self, prompt: &str, name: &str) {
        self.pty.expect(prompt);
        compare(name, &normal(self.pty.transcript(), self.t));
    }
}

/// Without what differs from one run to the next.
fn normal(transcript: &str, _: &Fixture) -> String {
    let mut out = String::new();
    let mut drawn = 0;
    for line in transcript.lines() {
        let is_drawn = line.chars().count() > 20 && line.chars().all(|c| " ▀▄█".contains(c));
        if is_drawn {
            drawn += 1;
            continue;
        }
        if drawn > 0 {
            // How large it is depends on the key. With the prompt and two lines it fits a terminal of 24.
            assert!(drawn <= 21, "a QR code of {drawn} lines");
            out.push_str("[QR code]\n");
            drawn = 0;
        }
        out.push_str(&normal_line(line));
        out.push('\n');
    }
    out
}

fn normal_line(line: &str) -> String {
    let mut line = line.trim_end().to_owned();
    if let Some(rest) = line.strip_prefix("Key: ")
        && let (Some(_), Some((_, whose))) = (key_in(&line), rest.split_once(" ("))
    {
        line = format!("Key: [key] ({whose}");
    }
    for code in recovery_codes_in(&line) {
        line = line.replace(&code, "[recovery code]");
    }
    let host = nix::unistd::gethostname().expect("a host name").into_string().expect("in UTF-8");
    line = line.replace(&format!("@{host}"), "@HOST").replace(&format!("{host} login"), "HOST login");
    // Dates, typed codes, and which recovery code was asked back.
    let words: Vec<String> = line.split(' ').map(normal_word).collect();
    let mut line = words.join(" ");
    for (before, after) in [
        ("Type recovery code ", " to show"),
        ("type number ", " below"),
        ("Type number ", " of"),
        ("not recovery code ", "."),
    ] {
        if let Some((head, tail)) = line.split_once(before)
            && let Some((_, rest)) = tail.split_once(after)
        {
            line = format!("{head}{before}N{after}{rest}");
        }
    }
    line
}

fn normal_word(word: &str) -> String {
    let bare: String = word.chars().filter(char::is_ascii_digit).collect();
    if bare.len() == 6 && word.len() == 6 {
        return "[code]".into();
    }
    let date = word.trim_end_matches('.');
    if date.len() == 10 && bare.len() == 8 && date.matches('-').count() == 2 {
        return word.replace(date, "[date]");
    }
    if (word.len(), word.find(':'), bare.len()) == (5, Some(2), 4) {
        return "[time]".into();
    }
    match (word.len(), word.matches('-').count()) {
        (19, 3) => return "[recovery code]".into(),
        (11, 1) if word.find('-') == Some(5) => return "[invitation]".into(),
        _ => {}
    }
    word.to_owned()
}

fn compare(name: &str, seen: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.txt"));
    if std::env::var("GOLDEN").is_ok_and(|v| v == "write") {
        std::fs::write(&path, seen).expect("write the transcript");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(seen, golden, "{name} is not as in {}; it was:\n{seen}", path.display());
}

/// A way in: sshd with its client, or login(1) at a terminal.
struct Door<'a> {
    t: &'a Fixture,
    sshd: Option<Sshd>,
}

impl<'a> Door<'a> {
    fn ssh(t: &'a Fixture) -> Self {
        Self { t, sshd: Some(Sshd::start(&t.world, &two_factor_lines(&t.module()))) }
    }

    fn login(t: &'a Fixture) -> Self {
        std::fs::write("/etc/pam.d/login", two_factor_lines(&t.module()).join("\n") + "\n")
            .expect("our own /etc");
        Self { t, sshd: None }
    }

    /// Somebody who has typed their password.
    fn open(&self, user: &str) -> Person<'a> {
        let program = match &self.sshd {
            Some(sshd) => sshd.client(user, &["PreferredAuthentications=keyboard-interactive"], "echo in"),
            None => {
                let mut login = Command::new("login");
                login.arg("--").arg(user).env_clear();
                login.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("TERM", "dumb");
                login
            }
        };
        let mut person = Person::at(self.t, &program);
        person.says("Password: ", &format!("{user}-password"));
        person
    }

    fn name(&self, what: &str) -> String {
        format!("{}-{what}", if self.sshd.is_some() { "ssh" } else { "login" })
    }

    /// They are in, do nothing, and leave.
    fn is_in(&self, mut person: Person<'_>, what: &str) -> Enrollee {
        if self.sshd.is_none() {
            person.says("$ ", "exit");
        }
        person.ends(&self.name(what))
    }

    /// They have used up their tries: sshd and login(1) end it there.
    fn is_sent_away(&self, person: Person<'_>, what: &str) {
        person.ends(&self.name(what));
    }

    /// They are refused. login(1) asks who they are once more.
    fn is_refused(&self, person: Person<'_>, what: &str) {
        if self.sshd.is_some() {
            person.ends(&self.name(what));
        } else {
            person.hangs_up_at("login: ", &self.name(what));
        }
    }
}

macro_rules! require_sshd {
    () => {
        require_all!();
        countersign_tests::require!(Tool("sshd"), Tool("ssh"));
    };
}

macro_rules! require_login {
    () => {
        require_all!();
        countersign_tests::require!(Tool("login"));
    };
}

fn first_enrollment(door: &Door<'_>) {
    door.open(BOB.name).hangs_up_at(FIRST_CODE, &door.name("hang-up-first-code"));
    let mut bob = door.open(BOB.name);
    bob.first_code();
    bob.hangs_up_at(READ_BACK, &door.name("hang-up-read-back"));
    let mut bob = door.open(BOB.name);
    bob.says(FIRST_CODE, "?");
    bob.first_code();
    bob.says(READ_BACK, "xyzzy");
    bob.says(READ_BACK, "?");
    bob.read_back();
    let bob = door.is_in(bob, "first-enrollment");
    let mut again = door.open(BOB.name);
    again.says(CODE_PROMPT, &bob.app().code_in(0));
    door.is_in(again, "after-enrollment");
}

#[test]
fn sshd_first_enrollment_and_hang_ups() {
    require_sshd!();
    let t = Fixture::configured(&config(AT_LOGIN));
    first_enrollment(&Door::ssh(&t));
}

#[test]
fn login_first_enrollment_and_hang_ups() {
    require_login!();
    let t = Fixture::configured(&config(AT_LOGIN));
    first_enrollment(&Door::login(&t));
}

fn wrong_first_code(door: &Door<'_>) {
    let mut bob = door.open(BOB.name);
    for _ in 0..3 {
        bob.types(FIRST_CODE, &mut |me| me.app().wrong_code(1));
    }
    door.is_sent_away(bob, "wrong-first-code");
}

#[test]
fn sshd_wrong_first_code_three_times() {
    require_sshd!();
    let t = Fixture::configured(&config(AT_LOGIN));
    wrong_first_code(&Door::ssh(&t));
}

#[test]
fn login_wrong_first_code_three_times() {
    require_login!();
    let t = Fixture::configured(&config(AT_LOGIN));
    wrong_first_code(&Door::login(&t));
}

const GRACE: &str = "enroll = \"at-login\"\ngrace = \"14d\"";

fn later(door: &Door<'_>) {
    let mut bob = door.open(BOB.name);
    bob.says(FIRST_CODE, "later");
    door.is_in(bob, "later");
}

#[test]
fn sshd_later() {
    require_sshd!();
    let t = Fixture::configured(&config(GRACE));
    later(&Door::ssh(&t));
}

#[test]
fn login_later() {
    require_login!();
    let t = Fixture::configured(&config(GRACE));
    later(&Door::login(&t));
}

fn recovery_and_new_phone(t: &Fixture, door: &Door<'_>) {
    let old = t.daemon.enroll(ALICE.name);
    let mut alice = door.open(ALICE.name);
    alice.says(CODE_PROMPT, &old.recovery[0]);
    alice.says(OFFER, "no");
    door.is_in(alice, "recovery");
    let mut alice = door.open(ALICE.name);
    alice.says(CODE_PROMPT, &old.recovery[1]);
    alice.hangs_up_at(OFFER, &door.name("hang-up-offer"));
    let mut alice = door.open(ALICE.name);
    alice.says(CODE_PROMPT, &old.recovery[2]);
    alice.says(OFFER, "enroll");
    alice.first_code();
    alice.read_back();
    door.is_in(alice, "new-phone");
}

#[test]
fn sshd_recovery_and_new_phone() {
    require_sshd!();
    let t = Fixture::configured(&config(AT_LOGIN));
    recovery_and_new_phone(&t, &Door::ssh(&t));
}

#[test]
fn login_recovery_and_new_phone() {
    require_login!();
    let t = Fixture::configured(&config(AT_LOGIN));
    recovery_and_new_phone(&t, &Door::login(&t));
}

fn invited(t: &Fixture, door: &Door<'_>) {
    door.is_refused(door.open(BOB.name), "not-invited");
    let code = invite(t, BOB.name);
    door.open(BOB.name).hangs_up_at(INVITATION, &door.name("hang-up-invitation"));
    let mut bob = door.open(BOB.name);
    bob.says(INVITATION, "?");
    bob.says(INVITATION, "00000-00000");
    bob.says(INVITATION, &code);
    bob.first_code();
    bob.read_back();
    door.is_in(bob, "invited");
}

#[test]
fn sshd_invited() {
    require_sshd!();
    let t = Fixture::configured(&config(""));
    invited(&t, &Door::ssh(&t));
}

#[test]
fn login_invited() {
    require_login!();
    let t = Fixture::configured(&config(""));
    invited(&t, &Door::login(&t));
}
