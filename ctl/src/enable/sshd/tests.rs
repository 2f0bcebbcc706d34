use super::*;

fn host(name: &str, files: &[(&str, &str)]) -> Host {
    let root = std::env::temp_dir().join(format!("ctl-enable-sshd-{name}-{}", std::process::id()));
    drop(fs::remove_dir_all(&root));
    fs::create_dir_all(root.join("run")).expect("ours");
    for (path, content) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("ours");
        fs::write(path, content).expect("ours");
    }
    Host::below(root)
}

fn plan_with(printed: &str, host: &Host) -> Found {
    let mut lines = Vec::new();
    read_lines(host, Path::new(CONFIG), &mut None, 0, &mut lines).expect("readable");
    let mut plan = Found::default();
    plan.judge(&effective(printed), WITH_PASSWORD, &lines);
    for line in lines.iter().filter(|line| line.under.is_some()) {
        plan.judge_match(line);
    }
    plan
}

#[test]
fn the_drop_in_is_read_where_debian_includes_it() {
    let main = "# head\nInclude /etc/ssh/sshd_config.d/*.conf\nKbdInteractiveAuthentication no\nUsePAM yes\n";
    let files =
        [("etc/ssh/sshd_config", main), ("etc/ssh/sshd_config.d/50-mine.conf", "PermitRootLogin no\n")];
    let host = host("debian", &files);
    assert_eq!(includes_drop_ins(&host, Path::new(CONFIG)), Ok(true));
    let ours = PathBuf::from("/run/x/00-countersign.conf");
    let made = with_drop_in(&host, main, Some(&ours));
    let lines: Vec<&str> = made.lines().collect();
    assert_eq!(lines[1], "Include /run/x/00-countersign.conf");
    assert!(lines[2].ends_with("/etc/ssh/sshd_config.d/50-mine.conf"), "{made}");
    let plan = plan_with(
        "usepam yes\nkbdinteractiveauthentication yes\n\
         authenticationmethods publickey,keyboard-interactive:pam keyboard-interactive:pam\n",
        &host,
    );
    assert!(plan.notes.is_empty() && plan.problems.is_empty());
    fs::remove_dir_all(host.root()).expect("ours");
}

#[test]
fn what_comes_first_is_named_with_its_line() {
    let main = "UsePAM no\nAuthenticationMethods publickey\nInclude /etc/ssh/sshd_config.d/*.conf\n";
    let host = host("late", &[("etc/ssh/sshd_config", main), ("etc/ssh/sshd_config.d/.keep", "")]);
    let plan =
        plan_with("usepam no\nkbdinteractiveauthentication yes\nauthenticationmethods publickey\n", &host);
    assert_eq!(plan.problems.len(), 2, "{:?}", plan.problems);
    assert!(plan.problems[0].contains("/etc/ssh/sshd_config:1"), "{:?}", plan.problems);
    assert!(plan.problems[1].contains("/etc/ssh/sshd_config:2"), "{:?}", plan.problems);
    // Somebody else's methods that all ask are left alone.
    let plan = plan_with(
        "usepam yes\nkbdinteractiveauthentication yes\nauthenticationmethods publickey,keyboard-interactive\n",
        &host,
    );
    assert!(plan.problems.is_empty() && plan.notes.len() == 1);
    fs::remove_dir_all(host.root()).expect("ours");
}

#[test]
fn match_blocks_are_told() {
    let main = "Include /etc/ssh/sshd_config.d/*.conf\nMatch User git # keys\n  AuthenticationMethods publickey\n\
                Match Address 10.0.0.0/8\n  KbdInteractiveAuthentication no\nMatch all\n";
    let host = host("match", &[("etc/ssh/sshd_config", main), ("etc/ssh/sshd_config.d/.keep", "")]);
    let plan = plan_with(
        "usepam yes\nkbdinteractiveauthentication yes\n\
         authenticationmethods publickey,keyboard-interactive:pam keyboard-interactive:pam\n",
        &host,
    );
    assert_eq!(plan.notes.len(), 1, "{:?}", plan.notes);
    assert!(
        plan.notes[0].contains("sshd_config:3") && plan.notes[0].contains("User git"),
        "{:?}",
        plan.notes
    );
    assert_eq!(plan.problems.len(), 1, "{:?}", plan.problems);
    fs::remove_dir_all(host.root()).expect("ours");
}

#[test]
fn without_an_include_there_is_no_drop_in() {
    let host =
        host("none", &[("etc/ssh/sshd_config", "Match User a\nInclude /etc/ssh/sshd_config.d/*.conf\n")]);
    assert_eq!(includes_drop_ins(&host, Path::new(CONFIG)), Ok(false));
    fs::remove_dir_all(host.root()).expect("ours");
}

#[test]
fn an_edited_drop_in_keeps_what_others_wrote() {
    assert_eq!(without_ours(content(true).as_bytes()), None);
    let edited = content(false).replace("UsePAM yes", "UsePAM yes\n# \u{fc}\nMaxAuthTries 3");
    let kept = "# \u{fc}\nMaxAuthTries 3\n";
    assert_eq!(without_ours(edited.as_bytes()).as_deref(), Some(kept.as_bytes()));
    // Not UTF-8, and nobody's business.
    let edited = [edited.as_bytes(), b"Banner /\xff\n"].concat();
    assert_eq!(without_ours(&edited), Some([kept.as_bytes(), b"Banner /\xff\n"].concat()));
}

#[test]
fn patterns_are_matched_as_sshd_does() {
    assert!(matches("*.conf", "50-a.conf") && matches("5?-a.conf", "50-a.conf"));
    assert!(!matches("*.conf", ".hidden.conf") && !matches("*.conf", "a.conf.dpkg-old"));
}
