//! `remember` for people who have nothing but an address.

use super::host::{Codes, ONLY};
use countersign_tests::smtp::Script;
use countersign_tests::{Outcome, Stack, require};
use std::fs;

/// Nothing but policy knows of an address that is made of the name, so nothing else would tell that the uid
/// has come to somebody else.
#[test]
fn byp_19_whoever_has_mail_only_is_remembered_under_their_own_name() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("pam_countersign.so"));
    let t = Codes::with(ONLY, "remember = \"2h\"\n", "", Script::default());
    let module = t.daemon.module();
    let sshd = Stack::of(
        "sshd",
        &[
            "auth required pam_permit.so".to_owned(),
            module.line("auth", "required", &["after_first_factor"]),
            "account required pam_permit.so".to_owned(),
            module.line("account", "required", &[]),
        ],
    );
    let silent = |user: &str, from: &str| -> Outcome { sshd.visit(user).rhost(from).run([""; 0]) };
    let held = sshd.visit("bob").rhost("192.0.2.7").hold();
    assert!(held.answer(t.code(1)).passed());
    let again = silent("bob", "192.0.2.7");
    assert_eq!((again.passed(), again.code_prompts()), (true, 0), "remembered: {again:?}");
    assert_eq!(silent("bob", "192.0.2.8").code_prompts(), 1, "another place");
    for file in ["/etc/passwd", "/etc/group", "/etc/shadow"] {
        let text = fs::read_to_string(file).expect("our own /etc");
        fs::write(file, text.replace("bob", "mallory")).expect("our own /etc");
    }
    let mallory = silent("mallory", "192.0.2.7");
    assert_eq!((mallory.passed(), mallory.code_prompts()), (false, 1), "{mallory:?}");
}
