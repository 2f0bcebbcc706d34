//! Completions, in the shells of people.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use countersign_tests::{Pty, World, artifacts, require};

/// A folder in which `countersignctl` is the one under test.
fn path() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a private folder");
    symlink(artifacts::ctl(), folder.path().join("countersignctl")).expect("a link");
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    (folder, path)
}

fn completions(file: &str) -> PathBuf {
    artifacts::source_root().join("packaging/usr/share").join(file)
}

/// Policies of this host, by a file like the one that countersignd reads.
fn policies() {
    let folder = Path::new("/etc/countersign");
    std::fs::create_dir_all(folder).expect("our own /etc");
    let text = "[[policy]]\nname = \"operators\"\nusers = [\"alice\"]\n[[policy]]\nname = \"others\"\nstatus = \"off\"\n";
    std::fs::write(folder.join("countersign.toml"), text).expect("our own /etc");
}

/// The verbs as `--help` lists them.
fn verbs() -> BTreeSet<String> {
    let out = Command::new(artifacts::ctl()).arg("--help").output().expect("countersignctl runs");
    let text = String::from_utf8(out.stdout).expect("UTF-8");
    let list = text.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a list");
    list.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn run(command: &mut Command, path: &str) -> Vec<String> {
    // The private folder is the home, too: fish makes one where there is none.
    let home = path.split(':').next().expect("the first of the path");
    let out = command.env_clear().env("PATH", path).env("HOME", home).output().expect("the shell runs");
    assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
    String::from_utf8(out.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

/// What bash offers behind these words, the last of which is being typed.
fn bash(path: &str, words: &[&str]) -> Vec<String> {
    let script = "source \"$1\"; shift; COMP_WORDS=(countersignctl \"$@\"); COMP_CWORD=$#; \
                  _countersignctl; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let file = completions("bash-completion/completions/countersignctl");
    let mut bash = Command::new("/bin/bash");
    bash.args(["--norc", "-c", script, "bash"]).arg(file).args(words);
    run(&mut bash, path).into_iter().filter(|line| !line.is_empty()).collect()
}

/// What fish offers for a line, without the descriptions.
fn fish(path: &str, line: &str) -> Vec<String> {
    let file = completions("fish/vendor_completions.d/countersignctl.fish");
    let mut fish = Command::new("/usr/bin/fish");
    fish.args(["--no-config", "-c", "source $argv[1]; complete -C $argv[2]"]).arg(file).arg(line);
    let lines = run(&mut fish, path);
    lines.iter().filter_map(|line| line.split('\t').next()).map(str::to_owned).collect()
}

#[test]
fn bash_offers_every_verb_options_and_people() {
    require!(Root, Staged("countersignctl"), Tool("bash"));
    let _world = World::enter();
    let (_folder, path) = path();
    assert_eq!(bash(&path, &[""]).into_iter().collect::<BTreeSet<_>>(), verbs());
    assert_eq!(bash(&path, &["policy", "ex"]), ["explain"]);
    assert_eq!(bash(&path, &["unlock", "ali"]), ["alice"]);
    assert!(bash(&path, &["reset", "alice", "--"]).contains(&"--end-sessions".to_owned()));
    // As bash splits `--service=...`.
    std::fs::write("/etc/pam.d/my-service", "").expect("our own /etc");
    assert_eq!(bash(&path, &["policy", "explain", "alice", "--service", "=", "my-"]), ["my-service"]);
    assert_eq!(bash(&path, &["policy", "check", "/etc/pam.d/my-s"]), ["/etc/pam.d/my-service"]);
    policies();
    assert_eq!(bash(&path, &["log", "--policy", ""]), ["operators", "others"]);
    assert_eq!(bash(&path, &["email", "preview", "--policy", "op"]), ["operators"]);
    let file = completions("bash-completion/completions/countersignctl");
    let mut registered = Command::new("/bin/bash");
    registered.args(["--norc", "-c", "source \"$1\"; complete -p countersignctl", "bash"]).arg(file);
    assert_eq!(run(&mut registered, &path), ["complete -F _countersignctl countersignctl"]);
}

#[test]
fn fish_offers_every_verb_options_and_people() {
    require!(Root, Staged("countersignctl"), Tool("fish"));
    let _world = World::enter();
    let (_folder, path) = path();
    assert_eq!(fish(&path, "countersignctl ").into_iter().collect::<BTreeSet<_>>(), verbs());
    assert_eq!(fish(&path, "countersignctl policy ex"), ["explain"]);
    assert_eq!(fish(&path, "countersignctl unlock ali"), ["alice"]);
    assert!(fish(&path, "countersignctl reset alice --").contains(&"--end-sessions".to_owned()));
    std::fs::write("/etc/pam.d/my-service", "").expect("our own /etc");
    assert_eq!(fish(&path, "countersignctl policy check /etc/pam.d/my-s"), ["/etc/pam.d/my-service"]);
    policies();
    assert_eq!(fish(&path, "countersignctl log --policy "), ["operators", "others"]);
}

#[test]
fn zsh_completes_at_a_terminal() {
    require!(Root, Staged("countersignctl"), Tool("zsh"));
    let _world = World::enter();
    let (folder, path) = path();
    let functions = completions("zsh/site-functions");
    let setup = format!(
        "fpath=({} $fpath); autoload -Uz compinit; compinit -u -D; PS1='ready> '",
        functions.display()
    );
    std::fs::write(folder.path().join(".zshrc"), setup).expect("our own folder");
    let mut zsh = Command::new("/usr/bin/zsh");
    zsh.arg("-i")
        .env("ZDOTDIR", folder.path())
        .env("PATH", &path)
        .env("TERM", "dumb")
        .env("HOME", folder.path());
    let mut pty = Pty::spawn(&zsh);
    pty.expect("ready> ");
    // What is typed is completed and run, so that its own words come back as an error.
    pty.send(b"countersignctl poli\texpl\tali\t--serv\tx/y\n");
    pty.expect("invalid value 'x/y' for '--service <SERVICE>'");
    policies();
    pty.send(b"countersignctl log --policy oper\t--from x/y\n");
    pty.expect("--policy operators");
    pty.expect("invalid value 'x/y' for '--from <SOURCE>'");
    pty.send(b"print -l v-$(( $(countersignctl complete -- '' | wc -l) ))\n");
    pty.expect(&format!("v-{}", verbs().len()));
    pty.send(b"countersignctl \t\t");
    pty.expect("accept-clock");
    pty.expect("unlock");
}

/// Names from outside reach no shell, whatever they are; and nobody waits for a bus that is silent.
#[test]
fn inp_03_completion_is_bounded_and_plain_at_once() {
    require!(Root, Staged("countersignctl"));
    let _world = World::enter();
    let mut passwd = std::fs::OpenOptions::new().append(true).open("/etc/passwd").expect("our own /etc");
    for (number, name) in
        ["a$(reboot)", "a\u{1b}]0;x\u{7}", "a`id`", "-a", "a;b", "a b", "aplain"].iter().enumerate()
    {
        writeln!(passwd, "{name}:x:{}:{}::/:/bin/sh", 7000 + number, 7000 + number).expect("our own /etc");
    }
    drop(passwd);
    std::fs::create_dir_all("/run/dbus").expect("our own /run");
    let _silent =
        std::os::unix::net::UnixListener::bind("/run/dbus/system_bus_socket").expect("our own /run");
    let began = Instant::now();
    let mut ctl = Command::new(artifacts::ctl());
    let out = ctl
        .args(["complete", "--", "unlock", "a"])
        .stdin(Stdio::null())
        .output()
        .expect("countersignctl runs");
    let took = began.elapsed();
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    assert_eq!(String::from_utf8_lossy(&out.stderr), "");
    let said = String::from_utf8(out.stdout).expect("UTF-8");
    let names: Vec<&str> = said.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(names, ["a b", "alice", "aplain"], "{took:?}");
    assert!(took < Duration::from_millis(2500), "{took:?}");
    let (_folder, path) = path();
    assert_eq!(bash(&path, &["unlock", "a"]), ["a\\ b", "alice", "aplain"]);
}
