//! `countersignctl email preview`, and what `policy check` says of templates.

use super::host::{Codes, ONLY, config};
use countersign_tests::people::DAVE;
use countersign_tests::require;
use std::fs;

const FOLDER: &str = "/etc/countersign/templates";

#[test]
fn dis_07_a_preview_shows_what_would_be_sent() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("countersignctl"));
    let t = Codes::start(ONLY);
    let ctl = t.daemon.ctl();
    let out = ctl.run(&["email", "preview"]).ok().stdout;
    for words in [
        "Template: the one that ships",
        "Policy:   operators",
        "From:     Acme <noreply@example.org> ([mailbox.ops])",
        "Subject:  Acme: your login code for ",
        "    12345678",
        "Service:  sshd",
        "From:     192.0.2.7",
        "Ask the helpdesk, room 12.",
    ] {
        assert!(out.contains(words), "{words:?} in {out}");
    }
    let out = ctl.run(&["email", "preview", "--template", "notice", "--json"]).ok();
    let object = &out.json()[0];
    assert_eq!((&object["letter"], &object["file"]), (&"notice".into(), &"".into()), "{object}");
    assert_eq!((&object["policy"], &object["mailbox"]), (&"operators".into(), &"ops".into()), "{object}");
    let text = object["text"].as_str().expect("a text");
    assert!(text.contains("the authenticator \"phone\" was added"), "{text}");
    assert!(text.contains("too many wrong codes were typed for sshd from 192.0.2.7 (2 times)"), "{text}");
    // Nothing was sent.
    assert_eq!(t.server.heard().connections, 0);

    assert_eq!(ctl.run(&["email", "preview", "--policy", "nobody's"]).code, Some(3));
    assert_eq!(ctl.run(&["email", "preview", "--template", "../../shadow"]).code, Some(2));
    assert_eq!(ctl.clone().as_uid(DAVE.uid).run(&["email", "preview"]).code, Some(4));

    // The administrator's own, and its mistakes, before they are in force.
    fs::create_dir_all(FOLDER).expect("our own /etc");
    fs::write(format!("{FOLDER}/notice.txt"), "Subject: x\n\n{{ what }}\n{{ nobody }}\n")
        .expect("our own /etc");
    let out = ctl.run(&["email", "preview", "--template", "notice"]);
    assert_eq!(out.code, Some(1), "{out:?}");
    assert!(
        out.complaint().contains(&format!("{FOLDER}/notice.txt:4:4: \"nobody\" is none of the values")),
        "{out:?}"
    );
    let enough = "{{ user }} {{ host }} {{ service }} {{ source }} {{ time }}";
    fs::write(format!("{FOLDER}/notice.txt"), format!("Subject: Acme\n\n{{{{ what }}}}: {enough}\n"))
        .expect("our own /etc");
    let out = ctl.run(&["email", "preview", "--template", "notice"]).ok().stdout;
    assert!(out.contains(&format!("Template: {FOLDER}/notice.txt")), "{out}");
    assert!(out.contains("was added: alice"), "{out}");
}

#[test]
fn policy_check_tries_the_templates_without_a_daemon() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("countersignctl"));
    let t = Codes::start(ONLY);
    let draft = t.daemon.config_file();
    let check = || t.daemon.ctl().run(&["policy", "check", &draft.display().to_string()]);
    assert_eq!(check().code, Some(0), "{:?}", check());
    fs::create_dir_all(FOLDER).expect("our own /etc");
    for name in ["code", "notice"] {
        let file = format!("{FOLDER}/{name}.txt");
        fs::write(&file, "Subject: x\n\n{% if help %}").expect("our own /etc");
        let out = check();
        assert!(out.code == Some(6) && out.stdout.contains(&format!("{file}:3:")), "{out:?}");
        fs::write(&file, "Subject: x\n\nbell \u{7}").expect("our own /etc");
        let out = check();
        assert!(out.stdout.contains(&format!("{file}:3:6: holds the character U+0007")), "{out:?}");
        fs::remove_file(file).expect("our own /etc");
    }
    // One that others could have written is none.
    let file = format!("{FOLDER}/ops.txt");
    fs::write(&file, "Subject: x\n\n").expect("our own /etc");
    std::os::unix::fs::chown(&file, Some(DAVE.uid), None).expect("root may");
    t.daemon.configure(&config(t.server.port(), ONLY, "template = \"ops\"\n", ""));
    let out = check();
    assert!(out.stdout.contains("ops.txt: could have been written by others than root"), "{out:?}");
}
