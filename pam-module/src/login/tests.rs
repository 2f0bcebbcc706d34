//! The loop against a scripted daemon and a scripted person. A script must be used up.

use std::{collections::VecDeque, time::Duration};

use countersign_protocol::login::{FirstFactor, STYLE_INFO};

use super::*;

const ID: &str = "00112233445566778899aabbccddeeff";

#[derive(Default)]
struct Script {
    steps: VecDeque<Result<WireStep, Failure>>,
    sent: Vec<Vec<u8>>,
    abandoned: usize,
    given_back: Duration,
}

impl Daemon for Script {
    fn begin(&mut self, _: &Claims) -> Result<(WireStep, Owner), Failure> {
        let owner = Owner { unique: ":1.5".to_owned(), bus: crate::bus::Guid::of(b'a') };
        Ok((self.steps.pop_front().expect("a scripted step")?, owner))
    }

    fn respond(&mut self, login: &mut Begun, answer: &Answer) -> Result<WireStep, Failure> {
        assert_eq!(login.id, ID);
        self.sent.push(answer.as_bytes().to_vec());
        self.steps.pop_front().expect("a scripted step")
    }

    fn abandon(&mut self, _: &Begun) {
        self.abandoned += 1;
    }

    fn extend(&mut self, by: Duration) {
        self.given_back += by;
    }
}

#[derive(Default)]
struct Actor {
    answers: VecDeque<Option<&'static str>>,
    takes: Duration,
    password: &'static str,
    said: Vec<String>,
    asked: Vec<String>,
    forwarded: Vec<u8>,
    delays: usize,
}

impl Person for Actor {
    fn say(&mut self, messages: &[Message]) -> Duration {
        self.said.extend(messages.iter().map(|message| message.text.clone()));
        Duration::ZERO
    }

    fn ask(&mut self, prompt: &Prompt) -> (Option<Answer>, Duration) {
        self.asked.push(prompt.text.clone());
        let answer = self.answers.pop_front().expect("a scripted answer");
        (answer.map(|text| Answer::new(text.as_bytes().to_vec())), self.takes)
    }

    fn is_password(&self, answer: &Answer) -> bool {
        !self.password.is_empty() && answer.as_bytes() == self.password.as_bytes()
    }

    fn forward_password(&mut self, password: &Answer) -> bool {
        self.forwarded = password.as_bytes().to_vec();
        true
    }

    fn delay_refusal(&mut self) {
        self.delays += 1;
    }
}

fn step(verdict: &str) -> Result<WireStep, Failure> {
    let prompt = if verdict == "ask" { vec![(true, "Verification code: ".to_owned())] } else { vec![] };
    Ok(WireStep {
        login: ID.to_owned(),
        verdict: verdict.to_owned(),
        messages: vec![(STYLE_INFO, format!("on {verdict}"))],
        prompt,
    })
}

fn foreign(verdict: &str) -> Result<WireStep, Failure> {
    Ok(WireStep { login: "ff".repeat(16), ..step(verdict)? })
}

fn person(answers: &[Option<&'static str>]) -> Actor {
    Actor { answers: answers.iter().copied().collect(), ..Actor::default() }
}

fn play(steps: Vec<Result<WireStep, Failure>>, person: &mut Actor, options: &Options) -> (Outcome, Script) {
    let mut script = Script { steps: steps.into(), ..Script::default() };
    let claims = Claims {
        user: "alice".to_owned(),
        ruser: String::new(),
        service: "test".to_owned(),
        program: String::new(),
        rhost: String::new(),
        tty: String::new(),
        first_factor: FirstFactor::Unknown,
    };
    let log = Log::new("test", b"test", "auth");
    let (outcome, _) = run(person, &mut script, &claims, options, &log);
    assert!(script.steps.is_empty(), "steps left over");
    assert!(person.answers.is_empty(), "answers left over");
    (outcome, script)
}

fn plain(steps: Vec<Result<WireStep, Failure>>, answers: &[Option<&'static str>]) -> (Outcome, Script) {
    play(steps, &mut person(answers), &Options::default())
}

#[test]
fn a_right_answer_is_verified() {
    let mut alice = person(&[Some("123456")]);
    let (outcome, script) = play(vec![step("ask"), step("allow")], &mut alice, &Options::default());
    assert!(matches!(outcome, Outcome::Verified(_)));
    assert_eq!(script.sent, [b"123456"]);
    assert_eq!(alice.said, ["on ask", "on allow"]);
    assert_eq!((alice.delays, script.abandoned), (0, 0));
}

#[test]
fn a_wrong_answer_may_be_asked_again_and_is_slow_at_the_end() {
    let mut alice = person(&[Some("1"), Some("2")]);
    let (outcome, script) =
        play(vec![step("ask"), step("ask"), step("deny")], &mut alice, &Options::default());
    assert_eq!(outcome, Outcome::Wrong);
    assert_eq!((script.sent.len(), alice.delays), (2, 1));
    assert_eq!(plain(vec![step("ask"), step("locked")], &[Some("1")]).0, Outcome::Locked);
}

#[test]
fn before_any_answer_a_denial_is_policy_and_allow_is_nothing() {
    assert_eq!(plain(vec![step("deny")], &[]).0, Outcome::Refused);
    assert_eq!(plain(vec![step("locked")], &[]).0, Outcome::Locked);
    assert_eq!(plain(vec![step("not-required")], &[]).0, Outcome::NotRequired);
    assert_eq!(plain(vec![step("allow")], &[]).0, Outcome::NoAnswer);
    assert_eq!(plain(vec![step("whatever")], &[]).0, Outcome::NoAnswer);
}

#[test]
fn what_is_not_an_answer_denies() {
    assert_eq!(plain(vec![Err(Failure::Late)], &[]).0, Outcome::NoAnswer);
    assert_eq!(plain(vec![step("ask"), Err(Failure::Late)], &[Some("1")]).0, Outcome::NoAnswer);
    assert_eq!(plain(vec![step("ask"), foreign("allow")], &[Some("1")]).0, Outcome::NoAnswer);
    assert_eq!(plain(vec![step("ask"), step("ALLOW")], &[Some("1")]).0, Outcome::NoAnswer);
}

#[test]
fn a_hang_up_abandons() {
    let (outcome, script) = plain(vec![step("ask")], &[None]);
    assert_eq!((outcome, script.abandoned, script.sent.len()), (Outcome::HungUp, 1, 0));
}

#[test]
fn empty_answers_are_asked_again_and_end() {
    let (outcome, script) = plain(vec![step("ask"), step("allow")], &[Some(""), Some(""), Some("1")]);
    assert!(matches!(outcome, Outcome::Verified(_)));
    assert_eq!(script.sent, [b"1"]);
    let (outcome, script) = plain(vec![step("ask")], &[Some(""), Some(""), Some("")]);
    assert_eq!((outcome, script.abandoned, script.sent.len()), (Outcome::Wrong, 1, 0));
}

#[test]
fn the_password_and_junk_never_leave_byp_15() {
    let mut alice = Actor { password: "hunter2", ..person(&[Some("hunter2")]) };
    let (outcome, script) = play(vec![step("ask")], &mut alice, &Options::default());
    assert_eq!((outcome, script.abandoned, script.sent.len(), alice.delays), (Outcome::Wrong, 1, 0, 1));
    let (outcome, script) = plain(vec![step("ask")], &[Some("\u{8}\n\r\u{7f}INCORRECT")]);
    assert_eq!((outcome, script.abandoned, script.sent.len()), (Outcome::Wrong, 1, 0));
}

#[test]
fn a_late_answer_is_not_taken_and_thinking_is_not_machine_time() {
    let mut alice = Actor { takes: Duration::from_secs(91), ..person(&[Some("123456")]) };
    let (outcome, script) = play(vec![step("ask")], &mut alice, &Options::default());
    assert_eq!((outcome, script.abandoned, script.sent.len()), (Outcome::Wrong, 1, 0));
    assert_eq!(script.given_back, Duration::from_secs(91));
    let mut alice = Actor { takes: Duration::from_secs(89), ..person(&[Some("123456")]) };
    assert!(matches!(
        play(vec![step("ask"), step("allow")], &mut alice, &Options::default()).0,
        Outcome::Verified(_)
    ));
}

#[test]
fn a_daemon_that_never_stops_asking_is_left() {
    let steps = (0..=ANSWER_CAP).map(|_| step("ask")).collect();
    let (outcome, script) = plain(steps, &[Some("1"); ANSWER_CAP]);
    assert_eq!((outcome, script.abandoned), (Outcome::NoAnswer, 1));
}

#[test]
fn options_shape_the_talk() {
    let mut alice = person(&[Some("hunter2123456")]);
    let options = Options { forward_pass: Some(6), no_info: true, ..Options::default() };
    let (outcome, script) = play(vec![step("ask"), step("allow")], &mut alice, &options);
    assert!(matches!(outcome, Outcome::Verified(_)));
    assert_eq!((script.sent, alice.forwarded), (vec![b"123456".to_vec()], b"hunter2".to_vec()));
    assert_eq!(alice.asked, ["on ask\nPassword and verification code: "]);
    assert_eq!(alice.said, ["on allow"]);
}
