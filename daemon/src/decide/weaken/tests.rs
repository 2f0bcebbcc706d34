//! Every way to loosen a policy is named, and none is missed over random pairs of policies.

use super::*;

fn config(text: &str) -> Config {
    countersign_config::parse("test.toml", text).expect("test policy parses")
}

fn lost(old: &str, new: &str) -> Vec<String> {
    weakened(&config(old), &config(new))
}

const OPS: &str = "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\n";

#[test]
fn the_same_and_the_stricter_are_not_weaker() {
    assert!(lost(OPS, OPS).is_empty());
    for stricter in [
        "[[policy]]\nname = \"all\"\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\", \"wheel\"]\n",
        "[[policy]]\nname = \"first\"\ngroups = [\"wheel\"]\n[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\n[[policy]]\nname = \"rest\"\nstatus = \"off\"\n",
    ] {
        assert!(lost(OPS, stricter).is_empty(), "{stricter}");
    }
}

#[test]
fn adm_04_every_way_to_loosen_is_named() {
    for weaker in [
        "[[policy]]\nname = \"ops\"\nstatus = \"off\"\ngroups = [\"mfa\"]\n",
        "[[policy]]\nname = \"ops\"\nstatus = \"report\"\ngroups = [\"mfa\"]\n",
        "[[policy]]\nname = \"ops\"\nrequire = \"enrolled\"\ngroups = [\"mfa\"]\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"other\"]\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"mfa?\"]\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\nservices = [\"sshd\"]\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\nexcept = { users = [\"bob\"] }\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\nexcept = { groups = [\"robots\"] }\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\nnetworks = { except = [\"10.0.0.0/8\"] }\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\nnetworks = { only = [\"0.0.0.0/0\", \"::/0\"] }\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\nremember = \"12h\"\n",
        "[[policy]]\nname = \"robots\"\nstatus = \"off\"\ngroups = [\"robots\"]\n[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\n",
    ] {
        assert!(!lost(OPS, weaker).is_empty(), "{weaker}");
    }
}

#[test]
fn a_moved_rule_is_judged_by_what_it_does() {
    let robots = "[[policy]]\nname = \"robots\"\nstatus = \"off\"\ngroups = [\"robots\"]\n";
    let strict_first = format!("{OPS}{robots}");
    let off_first = format!("{robots}{OPS}");
    assert!(lost(&off_first, &strict_first).is_empty());
    let found = lost(&strict_first, &off_first);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("members of mfa and robots"), "{found:?}");
}

#[test]
fn what_cannot_be_judged_counts_as_weaker() {
    let many = |status: &str| {
        (0..25)
            .map(|i| format!("[[policy]]\nname = \"p{i}\"\n{status}groups = [\"g{i}\"]\n"))
            .collect::<String>()
    };
    let found = lost(&many(""), &many("require = \"everyone\"\n"));
    assert!(found.is_empty() || found.iter().any(|f| f.contains("too many")), "{found:?}");
}

/// A policy that asks everyone of a group, with more lines, and a mailbox for those that want one.
fn ops(lines: &str) -> String {
    format!(
        "[mailbox.m]\nserver = \"m\"\nfrom = \"a@example.org\"\n\
         [mailbox.n]\nserver = \"m\"\nfrom = \"a@example.org\"\n{OPS}mailbox = \"m\"\n{lines}"
    )
}

const BOTH: &str = "factors = [\"totp\", \"email\"]\n";
const MAIL: &str = "factors = [\"email\"]\n";
const AT_LOGIN: &str = "enroll = \"at-login\"\n";
const ENROLLED: &str = "require = \"enrolled\"\n";
const ADDRESS: &str = "factors = [\"email\"]\naddress = \"{user}@example.org\"\n";

/// Each pair is weaker from left to right, for the reason given, and not from right to left unless a
/// reason for that is given too.
#[test]
fn adm_04_what_holds_for_people_who_are_asked() {
    let by_mail = "codes by e-mail, the weaker factor, would count";
    let alone = "people could enroll in a login, with the first factor alone";
    let later = "people without a factor could put it off, or for longer";
    let elsewhere = "codes by e-mail may go to other addresses";
    for (old, new, reason, back) in [
        ("", BOTH, by_mail, ""),
        ("", MAIL, by_mail, ""),
        (
            &*format!("{BOTH}{AT_LOGIN}"),
            &*format!("{MAIL}{AT_LOGIN}"),
            "people whose only factor is an auth",
            "",
        ),
        (
            &format!("{BOTH}{ENROLLED}"),
            ENROLLED,
            "people whose only factor is e-mail would not be asked",
            by_mail,
        ),
        (&format!("{MAIL}grace = \"1d\"\n"), "grace = \"1d\"\n", "only factor is e-mail could put", by_mail),
        (&format!("{MAIL}{AT_LOGIN}"), AT_LOGIN, "only factor is e-mail could enroll another one", by_mail),
        ("", "remember = \"1s\"\n", "remembered for 1 s instead of 0 s", ""),
        (
            ENROLLED,
            "remember = \"1s\"\n",
            "remembered for 1 s instead of 0 s",
            "only people who have a factor",
        ),
        ("", AT_LOGIN, alone, ""),
        ("enroll = \"admin\"\n", AT_LOGIN, alone, ""),
        ("enroll = \"admin\"\n", "", "people could enroll by themselves, with an invitation", ""),
        (ENROLLED, &format!("{ENROLLED}{AT_LOGIN}"), alone, ""),
        ("", "grace = \"1h\"\n", later, ""),
        ("grace = \"1h\"\n", "grace = \"2h\"\n", later, ""),
        ("", "enroll_by = 2020-01-01\n", later, ""),
        ("enroll_by = 2027-01-31\n", "enroll_by = 2027-02-01\n", later, ""),
        ("grace = \"90d\"\n", "enroll_by = 2020-01-01\n", later, later),
        (MAIL, ADDRESS, elsewhere, elsewhere),
        (ADDRESS, &ADDRESS.replace(".org", ".net"), elsewhere, elsewhere),
        (MAIL, &format!("{MAIL}[email]\nlength = 6\n"), "email.length falls from 8 to 6", ""),
        (
            &format!("{MAIL}[email]\nvalid_for = \"5m\"\n"),
            MAIL,
            "email.valid_for grows from 300 s to 600 s",
            "",
        ),
        (
            MAIL,
            &format!("{MAIL}[email]\naddresses = [\"set\", \"record\"]\n"),
            "email.addresses is set, record instead of set, pattern: codes may go to other addresses",
            "email.addresses is set, pattern instead of set, record",
        ),
        ("[reset]\napprovals = 2\n", "[reset]\napprovals = 1\n", "reset.approvals falls from 2 to 1", ""),
        ("", "[recovery]\nviewable = true\n", "recovery.viewable is switched on", ""),
        ("", "[totp]\nperiod = 60\n", "totp.period grows from 30 to 60", ""),
        ("", "[totp]\nskew = 2\n", "totp.skew grows from 1 to 2", ""),
        ("[totp]\ndigits = 8\n", "", "totp.digits falls from 8 to 6", ""),
        ("[throttle]\nprofile = \"pci\"\n", "", "throttle.profile is no longer pci", ""),
    ] {
        for (from, to, reason) in [(old, new, reason), (new, old, back)] {
            let found = lost(&ops(from), &ops(to));
            let expected = usize::from(!reason.is_empty());
            assert_eq!(found.len(), expected, "{from:?} to {to:?}: {found:?}");
            assert!(found.iter().all(|found| found.contains(reason)), "{from:?} to {to:?}: {found:?}");
        }
    }
}

/// What changes how it looks, how it travels or how it is told protects nobody less.
#[test]
fn what_is_no_protection_may_change() {
    let old = ops(BOTH);
    for new in [
        ops(&format!("{BOTH}label = \"Acme\"\n")),
        ops("factors = [\"email\", \"totp\"]\n"),
        ops(&format!("{BOTH}template = \"short\"\napply = \"immediately\"\n")),
        ops(&format!("{BOTH}[email]\nlength = 9\nvalid_for = \"9m\"\nresend_after = \"10s\"\n")),
        ops(&format!("{BOTH}[reset]\napprovals = 2\n[reload]\nwatch = true\n[log]\nkeep = \"30d\"\n")),
        ops(&format!("{BOTH}[recovery]\ncodes = 5\nregenerate_after = \"0\"\n")),
        format!("qr = \"off\"\nissuer = \"Acme\"\n{old}"),
        old.replace("mailbox = \"m\"", "mailbox = \"n\"").replace("server = \"m\"", "server = \"other\""),
    ] {
        assert_eq!(lost(&old, &new), [""; 0], "{new}");
    }
}

/// A policy that may not apply grants nothing, so its place may not be taken by one that does.
#[test]
fn adm_04_what_was_not_certain_was_not_granted() {
    let old = "[[policy]]\nname = \"vpn\"\nnetworks = { only = [\"10.0.0.0/8\"] }\nremember = \"12h\"\n\
               [[policy]]\nname = \"all\"\nremember = \"12h\"\n";
    let new = "[[policy]]\nname = \"all\"\nremember = \"12h\"\n";
    let found = lost(old, new);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("from an unknown source"), "{found:?}");
    assert!(found[0].contains("remembered for 43200 s instead of 0 s"), "{found:?}");
}

/// A policy for everyone is no permission for system accounts to enroll in a login; one that names
/// people is.
#[test]
fn adm_04_system_accounts_that_may_enroll() {
    let all = "[[policy]]\nname = \"all\"\nenroll = \"at-login\"\n";
    let named = format!("{OPS}enroll = \"at-login\"\n{all}");
    let found = lost(all, &named);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("members of mfa, "), "{found:?}");
    assert!(found[0].contains("system accounts could enroll in a login, too"), "{found:?}");
    assert_eq!(lost(&named, all), [""; 0]);
}
