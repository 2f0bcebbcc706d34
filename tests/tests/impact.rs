//! `policy impact`: a draft is tried on the logins of the past and on everybody who is known.

use countersign_tests::daemon::StartAttempt;
use countersign_tests::{Fixture, require};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

/// The fixture asks members of `mfa-required` (alice, bob) everywhere.
const SAME: &str = "[[policy]]\nname = \"operators\"\ngroups = [\"mfa-required\"]\n";

/// A draft in a folder that nobody else may write.
fn draft(t: &Fixture, text: &str) -> PathBuf {
    let folder = PathBuf::from("/run/draft");
    fs::create_dir_all(&folder).expect("our own /run");
    let file = folder.join("draft.toml");
    fs::write(&file, text).expect("our own /run");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours");
    assert!(t.world.is_private());
    file
}

fn impact(t: &Fixture, text: &str, code: i32) -> Value {
    let file = draft(t, text);
    let out = t.daemon.ctl().run(&["policy", "impact", &file.display().to_string(), "--json"]);
    assert_eq!(out.code, Some(code), "{out:?}");
    out.json().remove(0)
}

/// Who, at which services, from what to what; logins.
fn changes(impact: &Value) -> Vec<(String, String, String, u64)> {
    let all = impact["changes"].as_array().expect("a list").iter();
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut changes: Vec<_> = all
        .map(|one| {
            let services: Vec<String> =
                one["services"].as_array().expect("a list").iter().map(&word).collect();
            let turn = format!("{} -> {}", word(&one["before"]), word(&one["after"]));
            (word(&one["user"]), services.join(","), turn, one["logins"].as_u64().unwrap_or_default())
        })
        .collect();
    changes.sort();
    changes
}

fn expect(list: &[(&str, &str, &str, u64)]) -> Vec<(String, String, String, u64)> {
    list.iter().map(|(a, b, c, n)| ((*a).into(), (*b).into(), (*c).into(), *n)).collect()
}

fn scene() -> Fixture {
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    assert!(t.cs().visit("alice").rhost("192.0.2.1").run([alice.fresh_code()]).passed());
    for rhost in ["192.0.2.3", "192.0.2.3", "10.1.1.1"] {
        assert!(t.cs().visit("carol").rhost(rhost).run([""; 0]).passed());
    }
    assert!(!t.cs().login("nobody-here", ["123456"]).passed());
    t
}

#[test]
fn who_would_be_asked_locked_out_or_no_longer_asked() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = scene();
    let same = impact(&t, SAME, 0);
    // bob never logged in, has no factor, and could not log in today either.
    assert_eq!(changes(&same), expect(&[("bob", "cs,sshd", "locked-out -> locked-out", 0)]), "{same}");
    assert_eq!((same["logins"].as_u64(), same["strangers"].as_u64()), (Some(5), Some(1)), "{same}");

    // carol logs in from outside three times, once of them from the network of the office.
    let carol = format!(
        "{SAME}[[policy]]\nname = \"carol\"\nusers = [\"carol\"]\n\
                         networks = {{ except = [\"10.0.0.0/8\"] }}\n"
    );
    let said = impact(&t, &carol, 6);
    let bob = ("bob", "cs,sshd", "locked-out -> locked-out", 0);
    assert_eq!(changes(&said), expect(&[bob, ("carol", "cs", "not-asked -> locked-out", 2)]));
    let softer = carol.replace("users", "enroll = \"at-login\"\nusers");
    assert_eq!(changes(&impact(&t, &softer, 0))[1].2, "not-asked -> enrolls");
    let softer = carol.replace("users", "enroll_by = 2037-01-01\nusers");
    assert_eq!(changes(&impact(&t, &softer, 0))[1].2, "not-asked -> later");

    let off = impact(&t, &SAME.replace("groups", "status = \"report\"\ngroups"), 0);
    assert_eq!(
        changes(&off),
        expect(&[("alice", "cs", "asked -> not-asked", 1), ("bob", "cs,sshd", "locked-out -> not-asked", 0)])
    );
    assert_eq!(t.daemon.ctl().run(&["status"]).ok().stdout.matches("NOT in force").count(), 0);
}

#[test]
fn what_people_read_fits_a_terminal() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = scene();
    let file = draft(&t, &format!("{SAME}[[policy]]\nname = \"carol too\"\nusers = [\"carol\"]\n"));
    let out = t.daemon.ctl().run(&["policy", "impact", &file.display().to_string(), "--last", "2w"]);
    assert_eq!((out.code, out.stderr.as_str()), (Some(6), ""), "{out:?}");
    let table = "USER   SERVICES  LOGINS  NOW         DRAFT       POLICY\n\
                 carol  cs        3       not asked   LOCKED OUT  carol too\n\
                 bob    cs, sshd  none    LOCKED OUT  LOCKED OUT  operators\n\n\
                 1 person would be LOCKED OUT: asked, without a factor, and no way to one in the login.\n";
    assert!(out.stdout.contains(table), "{}", out.stdout);
    assert!(out.stdout.contains("Tried on 5 logins since 20"), "{}", out.stdout);
    // Without a file: what is on disk.
    let out = t.daemon.ctl().run(&["policy", "impact"]).ok();
    assert!(out.stdout.contains("The draft is what is in force already"), "{}", out.stdout);
    t.clock().shift(3600);
    let out = t.daemon.ctl().run(&["policy", "impact", "--last", "30m"]).ok();
    assert!(out.stdout.contains("Tried on 0 logins"), "{}", out.stdout);
}

#[test]
fn a_broken_draft_is_shown_as_by_check() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let mut t = Fixture::start();
    for text in ["[[policy]]\nname = 1\n", "[[policy]]\nname = \"x\"\ngroups = [\"no-such-group\"]\n"] {
        let file = draft(&t, text).display().to_string();
        let check = t.daemon.ctl().run(&["policy", "check", &file]);
        let impact = t.daemon.ctl().run(&["policy", "impact", &file]);
        let problems = |out: &str| -> Vec<String> {
            out.lines().filter(|line| line.starts_with('/')).map(str::to_owned).collect()
        };
        assert_eq!((check.code, impact.code), (Some(6), Some(6)), "{impact:?}");
        assert!(!problems(&check.stdout).is_empty());
        assert_eq!(problems(&check.stdout), problems(&impact.stdout));
        t.daemon.configure(text);
        let on_disk = t.daemon.ctl().run(&["policy", "impact", "--json"]);
        assert_eq!(on_disk.code, Some(6), "{on_disk:?}");
        assert!(!on_disk.json()[0]["problems"].as_array().expect("a list").is_empty());
    }
    // Nothing of it touched the daemon.
    t.daemon.configure(countersign_tests::fixture::CONFIG);
    assert!(t.daemon.is_running());
    t.daemon.stop();
    assert_eq!(t.daemon.try_start(), StartAttempt::Ready);
}

/// Fifty drop-ins: more descriptors than a bus takes with one message.
#[test]
fn a_draft_of_many_files_arrives_whole() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let t = Fixture::start();
    let file = draft(&t, SAME);
    let drop_ins = file.with_file_name("conf.d");
    fs::create_dir(&drop_ins).expect("our own /run");
    for n in 0..50 {
        let text = format!("[[policy]]\nname = \"p{n}\"\nusers = [\"carol\"]\nservices = [\"s{n}\"]\n");
        fs::write(drop_ins.join(format!("{n}.toml")), text).expect("our own /run");
    }
    let out = t.daemon.ctl().run(&["policy", "impact", &file.display().to_string(), "--json"]);
    assert_eq!(out.code, Some(6), "{out:?}");
    let said = out.json().remove(0);
    assert!(
        changes(&said).iter().any(|one| one.0 == "carol" && one.2 == "not-asked -> locked-out"),
        "{said}"
    );
}
