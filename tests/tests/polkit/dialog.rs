//! A password typed at a terminal, where countersignctl brings polkit's own agent.

use super::Scene;
use countersign_tests::fixture::CONFIG;
use countersign_tests::people::{ALICE, BOB, CAROL, DAVE, Person};
use countersign_tests::{Pty, artifacts, require};
use std::fs;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// What polkit's helper asks by: the account's password.
const STACK: &str = "auth required pam_unix.so nodelay\naccount required pam_unix.so\n";

/// countersignctl as somebody, at a terminal.
fn at_terminal(who: Person, args: &[&str]) -> Pty {
    let uid = who.uid.to_string();
    let mut command = Command::new("/usr/bin/setpriv");
    command.args(["--reuid", &uid, "--regid", &uid, "--init-groups"]).arg(artifacts::ctl()).args(args);
    command.env("LC_ALL", "C.UTF-8").env("TERM", "dumb");
    Pty::spawn(&command)
}

/// polkit's agent asks before it has switched the echo off, and drops what was typed until then.
fn type_password(dialog: &mut Pty, who: Person) {
    dialog.expect("Password: ");
    std::thread::sleep(Duration::from_millis(200));
    dialog.send_line(&who.password());
}

#[test]
fn adm_03_an_administrator_types_their_own_password_and_others_cannot() {
    require!(Root, File("/usr/lib/polkit-1/polkitd"), File("/usr/bin/pkttyagent"), Staged("countersignctl"));
    let scene = Scene::start();
    fs::write("/etc/pam.d/polkit-1", STACK).expect("our own /etc");
    let _alice = scene.daemon.enroll("alice");

    let mut carol = at_terminal(CAROL, &["unlock", "alice"]);
    carol.expect("org.countersign1.unlock-user");
    type_password(&mut carol, CAROL);
    carol.expect("No lock holds on alice");
    assert_eq!(carol.wait(PATIENCE).code(), Some(0));

    // Dave's own password is no administrator's.
    let mut dave = at_terminal(DAVE, &["reset", "alice", "--reason", "mine", "--yes"]);
    dave.expect("org.countersign1.reset-user");
    type_password(&mut dave, DAVE);
    assert_eq!(dave.wait(PATIENCE).code(), Some(4), "{}", dave.transcript());
    assert!(dave.transcript().contains("did not get it"), "{}", dave.transcript());
    assert!(scene.is_enrolled("alice"));
    // The terminal is as it was: the agent is gone with the command.
    let mut own = at_terminal(ALICE, &["status"]);
    own.expect("alice");
    assert_eq!(own.wait(PATIENCE).code(), Some(0));
    assert!(!own.transcript().contains("AUTHENTICATING"), "{}", own.transcript());
}

#[test]
fn prv_01_a_first_factor_takes_ones_own_password() {
    require!(Root, File("/usr/lib/polkit-1/polkitd"), File("/usr/bin/pkttyagent"), Staged("countersignctl"));
    let scene = Scene::configured(&format!("{CONFIG}enroll = \"at-login\"\n"));
    fs::write("/etc/pam.d/polkit-1", STACK).expect("our own /etc");
    let mut wrong = at_terminal(BOB, &["enroll"]);
    wrong.expect("org.countersign1.enroll-self");
    type_password(&mut wrong, DAVE);
    assert_eq!(wrong.wait(PATIENCE).code(), Some(4), "{}", wrong.transcript());

    let mut bob = at_terminal(BOB, &["enroll"]);
    type_password(&mut bob, BOB);
    bob.expect("Type the code the app shows: ");
    // Away: nothing is kept.
    bob.send(b"\x03");
    let _ = bob.wait(PATIENCE);
    assert!(!scene.is_enrolled("bob"));
}

/// The agent's own stack asks for a second factor too, of the daemon that waits for the agent.
#[test]
fn prv_05_the_dialog_itself_asks_for_a_second_factor() {
    require!(
        Root,
        File("/usr/lib/polkit-1/polkitd"),
        File("/usr/bin/pkttyagent"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let config = CONFIG.replace("groups = [\"mfa-required\"]", "users = [\"alice\", \"carol\"]");
    let scene = Scene::configured(&config);
    let carol = scene.daemon.enroll("carol");
    let module = scene.daemon.module();
    let stack = [
        "auth requisite pam_unix.so nodelay".to_owned(),
        module.line("auth", "required", &["after_first_factor"]),
        "account required pam_permit.so".to_owned(),
        module.line("account", "required", &[]),
    ];
    fs::write("/etc/pam.d/polkit-1", stack.join("\n") + "\n").expect("our own /etc");
    let mut dialog = at_terminal(CAROL, &["invite", "alice"]);
    type_password(&mut dialog, CAROL);
    dialog.expect("Verification code: ");
    std::thread::sleep(Duration::from_millis(200));
    dialog.send_line(&carol.fresh_code());
    dialog.expect("Give it to alice");
    assert_eq!(dialog.wait(PATIENCE).code(), Some(0), "{}", dialog.transcript());
    let row = &scene.daemon.log("carol")[0];
    assert_eq!((row.service.as_str(), row.state.as_str(), row.confirmed), ("polkit-1", "verified", true));

    let mut wrong = at_terminal(CAROL, &["invite", "alice"]);
    type_password(&mut wrong, CAROL);
    for _ in 0..3 {
        wrong.expect("Verification code: ");
        std::thread::sleep(Duration::from_millis(200));
        wrong.send_line("000000");
    }
    assert_eq!(wrong.wait(PATIENCE).code(), Some(4), "{}", wrong.transcript());
}
