//! Words of the stack line, through the real libpam, which splits a line before the module sees it.

use countersign_tests::fixture::CONFIG;
use countersign_tests::people::ALICE;
use countersign_tests::{
    Code, DaemonSetup, Enrollee, Fixture, Module, Outcome, PrivateBus, Secret, Stack, World, require,
};

macro_rules! require_all {
    () => {
        require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"))
    };
}

/// A stack whose auth line ends in these words, as an administrator would write them.
fn with(module: &Module, words: &str) -> Stack {
    Stack::of(
        "cs",
        &[
            "auth requisite pam_permit.so".to_owned(),
            format!("{} {words}", module.line("auth", "required", &["after_first_factor"])),
            "account required pam_permit.so".to_owned(),
            module.line("account", "required", &[]),
        ],
    )
}

#[test]
fn a_prompt_with_spaces_is_written_with_the_bracket_in_either_place() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    for (words, prompt) in [
        ("[prompt=Your code: ]", "Your code: "),
        ("prompt=[Your code: ]", "Your code: "),
        ("prompt=[Your code: ] debug", "Your code: "),
        ("prompt=[Code:]", "Code:"),
        ("prompt=Code>", "Code>"),
    ] {
        let login = with(&t.module(), words).login("alice", [alice.fresh_code()]);
        assert!(login.passed(), "{words}: {login:#?}");
        assert_eq!(login.prompts(), [prompt], "{words}");
    }
    // What nothing closes is a mistake, and every mistake refuses.
    let open = with(&t.module(), "prompt=[Your code: debug").login("alice", [alice.fresh_code()]);
    assert_eq!((open.auth, open.prompts().len()), (Code::SERVICE_ERR, 0), "{open:#?}");
}

/// Somebody who is asked for something else is not told to type a code of their app.
#[test]
fn other_questions_keep_their_words() {
    require_all!();
    let t = Fixture::configured(&format!("{CONFIG}enroll = \"at-login\"\n"));
    let stack = with(&t.module(), "[prompt=Your code: ]");
    let mut bob = Enrollee::new(t.daemon.clock());
    let first = bob.enroll(&stack.visit("bob"));
    assert!(first.passed(), "{first:#?}");
    let prompts = first.prompts();
    assert_eq!(prompts[0], "First code from the app: ");
    assert!(prompts[1].starts_with("Type recovery code "), "{prompts:?}");
    assert_eq!(stack.login("bob", [bob.app().fresh_code()]).prompts(), ["Your code: "]);
}

/// One box for password and code: the module goes first, and hands the password on.
fn joined(module: &Module, word: &str) -> Stack {
    Stack::of(
        "cs",
        &[
            module.line("auth", "required", &[word]),
            "auth required pam_unix.so use_first_pass nodelay".to_owned(),
            "account required pam_permit.so".to_owned(),
            module.line("account", "required", &[]),
        ],
    )
}

#[test]
fn password_and_code_from_one_box() {
    require_all!();
    let t = Fixture::configured(&format!("{CONFIG}\n[totp]\ndigits = 8\n"));
    let alice = t.daemon.enroll("alice");
    assert_eq!(alice.fresh_code().len(), 8);
    let login = |word: &str, password: &str, code: &str| -> Outcome {
        joined(&t.module(), word).login("alice", [format!("{password}{code}")])
    };
    let password = ALICE.password();
    let passed = login("forward_pass=8", &password, &alice.fresh_code());
    assert!(passed.passed(), "{passed:#?}");
    assert_eq!(passed.prompts(), ["Password and verification code: "]);
    let recovery = login("forward_pass=8", &password, &alice.recovery[0]);
    assert!(recovery.passed(), "{recovery:#?}");
    // Each half alone is not enough.
    let wrong = |outcome: Outcome| (outcome.passed(), outcome.auth);
    assert_eq!(wrong(login("forward_pass=8", "x", &alice.fresh_code())), (false, Code::AUTH_ERR));
    assert_eq!(wrong(login("forward_pass=8", &password, &alice.wrong_code(1))), (false, Code::AUTH_ERR));
    // Six of eight digits are not the code.
    assert_eq!(wrong(login("forward_pass", &password, &alice.fresh_code())), (false, Code::AUTH_ERR));
    let neither = login("forward_pass=7", &password, &alice.fresh_code());
    assert_eq!((neither.auth, neither.prompts().len()), (Code::SERVICE_ERR, 0), "{neither:#?}");
}

/// The address as the bus prints it, for all three that are told one.
#[test]
fn the_printed_address_of_a_bus_is_taken_as_it_is() {
    require_all!();
    let world = World::enter();
    let bus = PrivateBus::start(world.daemon_uid()).as_printed();
    let daemon = DaemonSetup::new(&world, CONFIG).start(&world, &bus);
    let alice: Secret = daemon.enroll("alice");
    let stack = Stack::cs(&daemon.module());
    let line = std::fs::read_to_string(stack.file()).expect("the stack");
    assert!(line.contains(",guid="), "{line}");
    let login = stack.login("alice", [alice.fresh_code()]);
    assert!(login.passed(), "{login:#?}");
}
