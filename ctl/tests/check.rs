//! `policy check`: the policy file without the daemon, without the bus and without root.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use support::run::{Ended, ctl, piped};

/// A folder of its own that only this user can write.
struct Folder(PathBuf);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("check-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(folder.0.join("conf.d")).expect("a folder");
        for path in ["", "conf.d"] {
            mode(&folder.0.join(path), 0o700);
        }
        for (name, text) in files {
            let path = folder.0.join(name);
            std::fs::write(&path, text).expect("a file");
            mode(&path, 0o600);
        }
        folder
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn check(&self, more: &[&str]) -> Ended {
        let file = self.path("c.toml");
        piped(&mut ctl("unix:path=/nonexistent/socket", &[&["policy", "check", &file], more].concat()), "")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn mode(path: &std::path::Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
}

const REST: &str = "[[policy]]\nname = \"everyone else\"\nstatus = \"off\"\n";

#[test]
fn a_sound_file_is_said_in_one_line() {
    let folder = Folder::with(&[("c.toml", REST)]);
    let ended = folder.check(&[]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    let said = format!("No problems: 1 policy in {} (hash ", folder.path("c.toml"));
    assert!(ended.out.starts_with(&said) && ended.out.lines().count() == 1, "{}", ended.out);
}

#[test]
fn drop_ins_are_counted_and_warnings_shown() {
    let one = |name: &str| format!("[[policy]]\nname = \"{name}\"\nusers = [\"{name}\"]\n");
    let folder = Folder::with(&[("c.toml", &one("alice")), ("conf.d/10.toml", &one("bob"))]);
    let ended = folder.check(&[]);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!((ended.code, lines.len()), (0, 2), "{ended:?}");
    assert!(lines[0].starts_with("warning: ") && lines[0].contains("no policy matches every login"));
    assert!(lines[1].starts_with("No problems: 2 policies in 2 files (hash "), "{}", ended.out);
}

#[test]
fn every_problem_has_its_line() {
    let text =
        "[[policy]]\nname = \"a\"\ngroup = [\"x\"]\nservices = []\n\u{202e} = 1\n[[policy]]\nname = 1\n";
    let folder = Folder::with(&[("c.toml", text)]);
    let ended = folder.check(&[]);
    assert_eq!(ended.code, 6);
    assert_eq!(ended.err, "");
    assert!(!ended.out.contains('\u{202e}'), "{}", ended.out);
    let folder = Folder::with(&[("c.toml", &text.replace("\u{202e} = 1\n", ""))]);
    let ended = folder.check(&[]);
    let (last, problems) = {
        let mut lines: Vec<&str> = ended.out.lines().collect();
        (lines.pop().expect("a summary"), lines)
    };
    let file = folder.path("c.toml");
    for place in
        [":3:1: policy.group: unknown key; did you mean groups?", ":4:12: policy.services: ", ":6:8: "]
    {
        let start = format!("{file}{place}");
        assert!(problems.iter().any(|line| line.starts_with(&start)), "{place}: {}", ended.out);
    }
    let count = problems.len();
    assert_eq!(last, format!("{count} problems. countersignd would not put this into force."));
}

#[test]
fn groups_that_do_not_exist_are_problems_where_they_stand() {
    // Every host has the group `root`.
    let text = format!(
        "[[policy]]\nname = \"a\"\ngroups = [\"root\", \"rooot\", \"no-such-group-here?\"]\n\
         except = {{ groups = [\"no-such-group-here\"] }}\n{REST}"
    );
    let folder = Folder::with(&[("c.toml", &text)]);
    let file = folder.path("c.toml");
    let ended = folder.check(&[]);
    assert_eq!(
        ended.out,
        format!(
            "{file}:3:19: policy.groups: group \"rooot\" does not exist on this host; did you mean \
             \"root\"? Write \"rooot?\" where a host may lack it\n\
             {file}:4:22: policy.except.groups: group \"no-such-group-here\" does not exist on this \
             host; create it, or correct the name. Write \"no-such-group-here?\" where a host may \
             lack it\n\
             2 problems. countersignd would not put this into force.\n"
        )
    );
    assert_eq!(ended.code, 6);
    assert_eq!(folder.check(&["--no-groups"]).code, 0);
    let json = folder.check(&["--json"]);
    assert_eq!(json.code, 6);
    let value: serde_json::Value = serde_json::from_str(&json.out).expect("one object");
    assert_eq!(value["ok"], false);
    assert_eq!(value["problems"].as_array().map(Vec::len), Some(2));
    assert_eq!(value["policies"][0], "a");
}

#[test]
fn json_has_its_keys_in_their_order() {
    let folder = Folder::with(&[("c.toml", REST)]);
    let ended = folder.check(&["--json"]);
    let start = "{\"ok\":true,\"problems\":[],\"warnings\":[],\"policies\":[\"everyone else\"],\"hash\":\"";
    assert!(ended.out.starts_with(start), "{}", ended.out);
    assert_eq!((ended.code, ended.out.len()), (0, start.len() + 64 + "\"}\n".len()));
    let folder = Folder::with(&[("c.toml", "")]);
    let ended = folder.check(&["--json"]);
    assert!(ended.out.starts_with("{\"ok\":false,\"problems\":[\""), "{}", ended.out);
    assert!(ended.out.ends_with("\"],\"warnings\":[],\"policies\":[],\"hash\":null}\n"), "{}", ended.out);
    assert_eq!((ended.code, ended.err.as_str()), (6, ""));
}

#[test]
fn a_draft_may_lie_anywhere_and_is_told_what_must_not_hold_when_it_is_installed() {
    let folder = Folder::with(&[("c.toml", REST)]);
    mode(&folder.0.join("c.toml"), 0o664);
    let ended = folder.check(&[]);
    assert_eq!(ended.code, 0);
    let line = format!(
        "warning: {0}: is writable by its group (mode 0664); chmod go-w {0} (before it is installed)\n",
        folder.path("c.toml")
    );
    assert!(ended.out.starts_with(&line), "{}", ended.out);
    let json: serde_json::Value = serde_json::from_str(&folder.check(&["--json"]).out).expect("one object");
    assert_eq!((&json["ok"], json["warnings"].as_array().map(Vec::len)), (&true.into(), Some(1)));
    mode(&folder.0.join("c.toml"), 0o644);
    // Anybody may make files there, and nobody can replace somebody else's.
    mode(&folder.0, 0o1777);
    assert_eq!(folder.check(&[]).out.lines().count(), 1);
    mode(&folder.0, 0o777);
    assert!(folder.check(&[]).out.contains("could replace it"));
    mode(&folder.0, 0o755);
    if rustix::process::geteuid().is_root() {
        let (nobody, path) = (65_534, folder.0.join("c.toml"));
        std::os::unix::fs::chown(&path, Some(nobody), None).expect("a file of somebody's");
        let through_sudo = |uid: &str| {
            let mut command = ctl("unused", &["policy", "check", &folder.path("c.toml")]);
            piped(command.env("SUDO_UID", uid), "")
        };
        assert!(through_sudo("").out.contains("belongs to uid 65534, not to root"));
        assert_eq!(through_sudo("65534").out.lines().count(), 1, "one's own file, looked at with sudo");
        assert_eq!((through_sudo("").code, through_sudo("65534").code), (0, 0));
    }
}

#[test]
fn a_draft_that_is_no_file_is_a_problem() {
    let missing = Folder::with(&[]).check(&[]);
    assert_eq!(missing.code, 6);
    assert!(missing.out.contains("does not exist"), "{}", missing.out);
}

#[test]
fn dates_are_judged_by_the_clock() {
    let text = format!("[[policy]]\nname = \"a\"\nservices = [\"x\"]\nenroll_by = 2020-01-31\n{REST}");
    let folder = Folder::with(&[("c.toml", &text)]);
    let ended = folder.check(&[]);
    assert_eq!(ended.code, 0, "{}", ended.out);
    let said = format!("warning: {}:4: the deadline of policy \"a\" is over: ", folder.path("c.toml"));
    assert!(ended.out.starts_with(&said), "{}", ended.out);
    let json: serde_json::Value = serde_json::from_str(&folder.check(&["--json"]).out).expect("one object");
    assert_eq!(json["warnings"].as_array().map(Vec::len), Some(1));
    let far = Folder::with(&[("c.toml", &text.replace("2020", "9999"))]);
    assert!(far.check(&[]).out.contains(" is more than a year away: "));
}
