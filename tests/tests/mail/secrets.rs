//! DIS-02 for what is mailed and handed out: each code is in its own letter or answer, and nowhere else.

use crate::address::start;
use crate::host::{BOTH, begin, respond};
use countersign_tests::require;
use countersign_tests::scratch::Scratch;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// Used and unused ones of every kind, the newest still alive.
fn live(t: &crate::host::Codes) -> Vec<(String, String)> {
    let ctl = t.daemon.ctl();
    let mut codes = Vec::new();
    let app = t.daemon.enroll("alice");
    codes.extend(app.recovery.iter().map(|code| ("a recovery code".to_owned(), code.clone())));
    let _ = ctl.run(&["email", "set", "alice@example.org", "alice", "--reason", "a test"]).ok();
    let confirming = t.code(1);
    let _ = ctl.run_with(&["email", "confirm", "alice"], &confirming).ok();
    codes.push(("the code of an address, used".to_owned(), confirming));

    let login = begin(&t.bus, "alice", "passed").login;
    assert_eq!(respond(&t.bus, &login, "email").verdict, "ask");
    let used = t.code(2);
    assert_eq!(respond(&t.bus, &login, &used).verdict, "allow");
    codes.push(("a code by mail, used".to_owned(), used));
    codes.push(("the id of a login".to_owned(), login));

    let login = begin(&t.bus, "alice", "passed").login;
    assert_eq!(respond(&t.bus, &login, "email").verdict, "ask");
    codes.push(("a code by mail, alive".to_owned(), t.code(3)));
    let _ = ctl.run(&["email", "set", "other@example.org", "bob", "--reason", "a test"]).ok();
    codes.push(("the code of an address, alive".to_owned(), t.code(4)));
    for minutes in ["10", "20"] {
        let invited = ctl.run(&["invite", "bob", "--minutes", minutes, "--json"]).ok();
        let code = invited.json()[0]["code"].as_str().expect("a code").to_owned();
        codes.push(("an invitation without its dash".to_owned(), code.replace('-', "")));
        codes.push(("an invitation".to_owned(), code));
    }
    codes
}

#[test]
fn dis_02_codes_by_mail_and_invitations_are_in_no_log_file_or_listing() {
    require!(
        Root,
        Staged("countersign-mailer"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let t = start(BOTH, "");
    let codes = live(&t);
    let letters: String = t.server.heard().letters.iter().map(|letter| letter.text.clone()).collect();
    for (what, code) in codes.iter().filter(|(what, _)| what.contains("mail") || what.contains("address")) {
        assert!(letters.contains(code), "the control: {what} is in its letter");
    }
    let mut places: Vec<(String, Vec<u8>)> = Vec::new();
    let folder = Scratch::new("copies");
    let copy = folder.join("backup").display().to_string();
    for words in [
        &["backup", &copy][..],
        &["restore", &copy, "--dry-run"],
        &["log", "acts"],
        &["log", "acts", "--json"],
        &["log", "--json"],
        &["log", "verify"],
        &["metrics"],
        &["doctor"],
        &["doctor", "--json"],
        &["status", "alice", "--json"],
        &["status", "bob"],
        &["users", "--json"],
        &["email", "show", "alice", "--json"],
        &["email", "preview"],
        &["policy", "explain", "alice"],
    ] {
        let out = t.daemon.ctl().run(words);
        assert!(out.stdout.len() + out.stderr.len() > 0, "{words:?} says nothing: {out:?}");
        places.push((
            format!("countersignctl {words:?}"),
            format!("{}{}", out.stdout, out.stderr).into_bytes(),
        ));
    }
    places.push(("a backup".to_owned(), fs::read(&copy).expect("a backup")));
    assert_eq!(fs::metadata(&copy).expect("a backup").permissions().mode() & 0o7777, 0o600);
    for entry in fs::read_dir(t.daemon.state()).expect("the state").flatten() {
        places.push((entry.path().display().to_string(), fs::read(entry.path()).expect("a file")));
    }
    assert!(!t.mailer.said().is_empty(), "the control: the mailer says something");
    places.push(("the mailer's stderr".to_owned(), t.mailer.said().into_bytes()));
    places.push(("the daemon's stderr".to_owned(), t.daemon.said().into_bytes()));
    places.push(("the bus's stderr".to_owned(), t.bus.said().into_bytes()));
    places.push(("syslog".to_owned(), t.world.syslog().join("\n").into_bytes()));
    for pid in [t.daemon.pid(), t.mailer.pid()] {
        for file in ["cmdline", "environ"] {
            places
                .push((format!("{file} of {pid}"), fs::read(format!("/proc/{pid}/{file}")).expect("procfs")));
        }
    }
    for (place, bytes) in &places {
        for (what, code) in &codes {
            let found = bytes.windows(code.len()).any(|part| part.eq_ignore_ascii_case(code.as_bytes()));
            // A login's id is a capability; the rows of the store are found by it, and nothing else shows it.
            let is_its_row = what == "the id of a login" && place.contains("/state/");
            assert!(!found || is_its_row, "{place} holds {what}");
        }
    }
}
