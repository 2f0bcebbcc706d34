//! The daemon's files: how they are made, and what it does when somebody has put something else in their place.

#[path = "files/damage.rs"]
mod damage;
#[path = "files/reuse.rs"]
mod reuse;

use countersign_tests::daemon::StartAttempt;
use countersign_tests::people::{DAEMON_UID, DAVE};
use countersign_tests::scratch::Scratch;
use countersign_tests::{
    Clock, Code, Daemon, DaemonSetup, Fixture, Module, PrivateBus, Stack, World, artifacts, fixture, require,
};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).mode() & 0o7777
}

fn owner(path: &Path) -> (u32, u32) {
    let meta = fs::symlink_metadata(path).expect("a file");
    (meta.uid(), meta.gid())
}

/// `countersignd --init` under a umask.
fn init(umask: &str, state: &Path, key: &Path) -> Output {
    Command::new("sh")
        .args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")])
        .arg(artifacts::daemon())
        .arg("--init")
        .arg("--state")
        .arg(state)
        .arg("--key-file")
        .arg(key)
        .output()
        .expect("run countersignd --init through sh")
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// A daemon whose files are made and which does not run.
fn stopped(world: &World, bus: &PrivateBus) -> Daemon {
    DaemonSetup::new(world, fixture::CONFIG).prepare(world, bus)
}

/// Starts it where it must refuse, and returns the sentence.
fn refused(daemon: &mut Daemon, what: &str) -> String {
    let before = daemon.said().len();
    let attempt = daemon.try_start();
    let sentence = daemon.said()[before..].to_owned();
    assert!(
        matches!(attempt, StartAttempt::Ended(status) if status.code().is_some_and(|c| c != 0)),
        "{what}: {attempt:?}, it said:\n{sentence}"
    );
    assert!(!sentence.trim().is_empty() && !sentence.contains("panicked"), "{what}: {sentence:?}");
    sentence
}

#[test]
fn prv_10_the_umask_opens_nothing_and_closes_nothing() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let world = World::enter();
    for umask in ["0", "0777"] {
        let bus = PrivateBus::start(world.daemon_uid());
        let script = format!("umask {umask}; exec \"$0\" \"$@\"");
        let setup = DaemonSetup::new(&world, fixture::CONFIG).clock(&Arc::new(Clock::new()));
        let mut daemon = setup.wrapped_by(&["sh", "-c", &script]).without_init().prepare(&world, &bus);
        let out = init(umask, daemon.state(), &daemon.key_file());
        assert!(out.status.success(), "--init under umask {umask}: {}", said(&out));
        daemon.resume();
        let alice = daemon.enroll("alice");
        assert!(Stack::cs(&daemon.module()).login("alice", [alice.fresh_code()]).passed());

        assert_eq!(mode(daemon.state()), 0o700, "umask {umask}");
        let mut names = Vec::new();
        for entry in fs::read_dir(daemon.state()).expect("the state directory").flatten() {
            names.push(entry.file_name().to_string_lossy().into_owned());
            assert_eq!(mode(&entry.path()), 0o600, "{:?} under umask {umask}", entry.path());
            assert_eq!(owner(&entry.path()), (DAEMON_UID, DAEMON_UID), "{:?}", entry.path());
        }
        names.sort();
        assert_eq!(
            names,
            ["countersign.db", "countersign.db-wal", "instance", "policy"],
            "nothing else lies there"
        );
        // The daemon reads its key by group and cannot change it.
        assert_eq!((mode(&daemon.key_file()), owner(&daemon.key_file())), (0o640, (0, DAEMON_UID)));
    }
}

#[test]
fn prv_10_init_makes_everything_once_and_for_the_daemon() {
    require!(Root, Staged("countersignd"));
    let _world = World::enter();
    let dir = Scratch::new("init");
    for umask in ["0", "0777"] {
        let base = dir.join(&format!("umask-{umask}"));
        fs::create_dir(&base).expect("our own directory");
        let (state, key) = (base.join("state"), base.join("key"));
        let out = init(umask, &state, &key);
        assert!(out.status.success(), "{}", said(&out));
        assert_eq!((mode(&state), owner(&state)), (0o700, (DAEMON_UID, DAEMON_UID)));
        for name in ["countersign.db", "instance"] {
            let file = state.join(name);
            assert_eq!((mode(&file), owner(&file)), (0o600, (DAEMON_UID, DAEMON_UID)), "{name}");
        }
        assert_eq!((mode(&key), owner(&key)), (0o640, (0, DAEMON_UID)));

        let before = contents(&base);
        let again = init(umask, &state, &key);
        assert!(!again.status.success() && said(&again).contains("exists already"), "{}", said(&again));
        assert_eq!(contents(&base), before, "a refused --init changes nothing");
        // Any one of the three is enough to refuse: an empty database beside an old key would mean that nobody has a factor.
        for left in [state.join("countersign.db"), state.join("instance"), key.clone()] {
            let all = [state.join("countersign.db"), state.join("instance"), key.clone()];
            for gone in all.iter().filter(|path| **path != left) {
                fs::remove_file(gone).expect("our own file");
            }
            let again = init(umask, &state, &key);
            assert!(!again.status.success() && said(&again).contains("exists already"), "{}", said(&again));
            fs::remove_file(&left).expect("our own file");
            assert!(init(umask, &state, &key).status.success());
        }
    }
}

#[test]
fn prv_10_init_by_root_gives_the_files_to_the_owner_of_the_state_directory() {
    require!(Root, Staged("countersignd"));
    let _world = World::enter();
    let dir = Scratch::new("init");
    let (state, key) = (dir.join("state"), dir.join("key"));
    fs::create_dir(&state).expect("our own directory");
    fs::set_permissions(&state, Permissions::from_mode(0o777)).expect("our own directory");
    chown(&state, Some(DAVE.uid), Some(DAVE.uid)).expect("give the directory to dave");
    let out = init("022", &state, &key);
    assert!(out.status.success(), "{}", said(&out));
    assert_eq!((mode(&state), owner(&state)), (0o700, (DAVE.uid, DAVE.uid)), "and closes the directory");
    for name in ["countersign.db", "instance"] {
        assert_eq!(owner(&state.join(name)), (DAVE.uid, DAVE.uid), "{name}");
    }
    assert_eq!(owner(&key), (0, DAVE.uid));
}

fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory").flatten() {
        if entry.path().is_dir() {
            all.extend(contents(&entry.path()));
        } else {
            all.push((entry.path(), fs::read(entry.path()).expect("a file")));
        }
    }
    all.sort();
    all
}

#[test]
fn prv_10_loose_modes_and_strange_owners_are_refused_with_a_sentence() {
    require!(Root, Staged("countersignd"));
    let world = World::enter();
    let bus = PrivateBus::start(world.daemon_uid());
    let mut daemon = stopped(&world, &bus);
    let (state, database, key) = (daemon.state().to_owned(), daemon.database(), daemon.key_file());
    let (instance, config) = (state.join("instance"), daemon.config_file());

    let private = [0o604, 0o640, 0o620, 0o666];
    let cases = [
        (&state, [0o701, 0o750, 0o777, 0o720]),
        (&database, private),
        (&instance, private),
        (&key, [0o641, 0o660, 0o644, 0o666]),
        (&config, [0o646, 0o664, 0o647, 0o666]),
    ];
    for (path, modes) in cases {
        let good = mode(path);
        for bad in modes {
            fs::set_permissions(path, Permissions::from_mode(bad)).expect("our own file");
            let sentence = refused(&mut daemon, &format!("{} with mode {bad:o}", path.display()));
            assert!(sentence.contains(&path.display().to_string()), "names the file: {sentence}");
            assert!(sentence.contains("chmod"), "says what to type: {sentence}");
        }
        fs::set_permissions(path, Permissions::from_mode(good)).expect("our own file");
        let (uid, gid) = owner(path);
        chown(path, Some(DAVE.uid), Some(gid)).expect("give it to dave");
        let sentence = refused(&mut daemon, &format!("dave's {}", path.display()));
        assert!(sentence.contains(&path.display().to_string()), "names the file: {sentence}");
        chown(path, Some(uid), Some(gid)).expect("take it back");
    }
    daemon.resume();
}

/// What somebody may plant. The links lead to the good file, so that following them would go well.
const PLANTS: [&str; 6] =
    ["a symlink", "a dangling symlink", "a hard link", "a FIFO", "a device", "a socket"];

fn plant(what: &str, path: &Path, good: &Path) {
    let special = |kind, device| mknod(path, kind, Mode::from_bits_truncate(0o600), device).expect("mknod");
    match what {
        "a symlink" => symlink(good, path).expect("a link"),
        "a dangling symlink" => symlink("/nonexistent/somewhere", path).expect("a link"),
        "a hard link" => fs::hard_link(good, path).expect("a link"),
        "a FIFO" => special(SFlag::S_IFIFO, 0),
        "a device" => special(SFlag::S_IFCHR, makedev(1, 5)),
        "a socket" => drop(std::os::unix::net::UnixListener::bind(path).expect("a socket")),
        other => panic!("cannot plant {other}"),
    }
    nix::unistd::fchownat(
        nix::fcntl::AT_FDCWD,
        path,
        Some(DAEMON_UID.into()),
        Some(DAEMON_UID.into()),
        nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW,
    )
    .expect("give it to the daemon");
}

#[test]
fn prv_11_nothing_planted_is_followed_or_waited_for() {
    require!(Root, Staged("countersignd"));
    let world = World::enter();
    let bus = PrivateBus::start(world.daemon_uid());
    let mut daemon = stopped(&world, &bus);
    let aside = daemon.key_file().with_file_name("aside");
    let state = daemon.state().to_owned();
    for path in [daemon.database(), state.join("instance"), daemon.key_file(), daemon.config_file()] {
        fs::rename(&path, &aside).expect("the same file system");
        let (good, owned) = (fs::read(&aside).expect("a file"), owner(&aside));
        for what in PLANTS {
            plant(what, &path, &aside);
            let began = Instant::now();
            let sentence = refused(&mut daemon, &format!("{what} at {}", path.display()));
            assert!(sentence.contains(&path.display().to_string()), "names the file: {sentence}");
            assert!(began.elapsed() < Duration::from_secs(5), "{what} at {}", path.display());
            fs::remove_file(&path).expect("our own file");
        }
        // The hard link's owner was changed through its other name.
        chown(&aside, Some(owned.0), Some(owned.1)).expect("our own file");
        assert_eq!(fs::read(&aside).expect("a file"), good, "{} was followed", path.display());
        fs::rename(&aside, &path).expect("the same file system");
    }
    daemon.resume();
}

/// SQLite opens these by itself, beside the database, and would follow a link.
#[test]
fn prv_11_nothing_planted_beside_the_database_is_followed_or_waited_for() {
    require!(Root, Staged("countersignd"));
    let world = World::enter();
    let bus = PrivateBus::start(world.daemon_uid());
    let mut daemon = stopped(&world, &bus);
    let victim = daemon.key_file().with_file_name("victim");
    for suffix in ["-wal", "-journal", "-shm"] {
        let path = PathBuf::from(format!("{}{suffix}", daemon.database().display()));
        for what in PLANTS {
            fs::write(&victim, "precious").expect("our own file");
            fs::set_permissions(&victim, Permissions::from_mode(0o600)).expect("our own file");
            chown(&victim, Some(DAEMON_UID), Some(DAEMON_UID)).expect("our own file");
            plant(what, &path, &victim);
            let sentence = refused(&mut daemon, &format!("{what} at {}", path.display()));
            assert!(sentence.contains(&path.display().to_string()), "names the file: {sentence}");
            assert_eq!(fs::read(&victim).expect("the victim"), b"precious", "{what} at {suffix}");
            fs::remove_file(&path).expect("our own file");
        }
    }
    assert!(!Path::new("/nonexistent").exists());
    daemon.resume();
}

/// `--init` runs as root in a directory that the daemon's uid may write.
#[test]
fn prv_11_init_follows_and_overwrites_nothing() {
    require!(Root, Staged("countersignd"));
    let _world = World::enter();
    let dir = Scratch::new("init");
    let (state, key, victim) = (dir.join("state"), dir.join("key"), dir.join("victim"));
    let names =
        ["countersign.db", "countersign.db-wal", "countersign.db-journal", "countersign.db-shm", "instance"];
    for path in names.map(|name| state.join(name)).iter().chain([&key]) {
        for what in PLANTS {
            fs::create_dir(&state).expect("our own directory");
            chown(&state, Some(DAEMON_UID), Some(DAEMON_UID)).expect("our own directory");
            fs::write(&victim, "precious").expect("our own file");
            plant(what, path, &victim);
            let victims_owner = owner(&victim);
            let out = init("022", &state, &key);
            let shown = path.display();
            assert!(!out.status.success(), "{what} at {shown}: --init went on");
            assert!(said(&out).contains("exists already"), "{what} at {shown}: {}", said(&out));
            assert_eq!(
                (fs::read(&victim).expect("the victim"), owner(&victim)),
                (b"precious".to_vec(), victims_owner)
            );
            drop(fs::remove_file(&key));
            fs::remove_dir_all(&state).expect("our own directory");
        }
    }
    for what in PLANTS.into_iter().filter(|what| *what != "a hard link") {
        let elsewhere = dir.join("elsewhere");
        fs::create_dir_all(&elsewhere).expect("our own directory");
        plant(what, &state, &elsewhere);
        let out = init("022", &state, &key);
        assert!(!out.status.success(), "{what} as the state directory");
        assert!(contents(&elsewhere).is_empty() && !key.exists(), "{what} as the state directory");
        fs::remove_file(&state).expect("our own file");
    }
}

/// The module opens one file, and in it looks for the one uid it trusts.
#[test]
fn prv_11_what_stands_in_for_etc_passwd_is_not_followed() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let module = Module::shipped().option(format!("bus={}", t.bus.address()));
    let stack = Stack::probe(&module, &["after_first_factor"]);
    assert_eq!(stack.login("alice", [alice.fresh_code()]).auth, Code::SUCCESS, "the control");

    let (passwd, aside) = (Path::new("/etc/passwd"), Path::new("/etc/passwd.aside"));
    fs::rename(passwd, aside).expect("our own /etc");
    for what in PLANTS.into_iter().filter(|what| *what != "a hard link") {
        plant(what, passwd, aside);
        let outcome = stack.login("alice", ["123456"]);
        assert_eq!(
            (outcome.auth, outcome.code_prompts()),
            (Code::AUTHINFO_UNAVAIL, 0),
            "{what}: {outcome:?}"
        );
        assert!(outcome.took < Duration::from_secs(2), "{what}: {:?}", outcome.took);
        fs::remove_file(passwd).expect("our own /etc");
    }
    assert_eq!(stack.login("alice", ["123456"]).auth, Code::AUTHINFO_UNAVAIL, "no /etc/passwd");
    fs::rename(aside, passwd).expect("our own /etc");
    assert_eq!(stack.login("alice", [alice.fresh_code()]).auth, Code::SUCCESS);
}

#[test]
fn prv_11_ctl_opens_nothing_for_writing_and_nothing_at_home() {
    require!(Root, Ptrace, Staged("countersignd"), Staged("countersignctl"));
    let t = Fixture::start();
    let dir = Scratch::new("ctl");
    let trace = dir.join("trace");
    for verb in [&["status"][..], &["status", "alice"], &["log", "--json"], &["users"]] {
        let status = Command::new("strace")
            .args(["-f", "-e", "trace=%file", "-o"])
            .arg(&trace)
            .arg(artifacts::ctl())
            .args(["--bus", &t.bus.address()])
            .args(verb)
            .env("HOME", "/run/home/alice")
            .output()
            .expect("run strace");
        assert!(status.status.success(), "{verb:?}: {status:?}");
        let calls = fs::read_to_string(&trace).expect("a trace");
        assert!(calls.contains("openat"), "a trace without calls proves nothing");
        for call in calls.lines() {
            let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "unlink", "rename", "mkdir"];
            assert!(writes.iter().all(|word| !call.contains(word)), "{verb:?}: {call}");
            assert!(!call.contains("/run/home"), "{verb:?}: {call}");
        }
    }
}
