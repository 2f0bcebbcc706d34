//! Automation over ssh: one login by a person, on which everything else rides.

use crate::{CODE, PASSWORD, protected, require_boot, ssh_command};

/// What `ansible.cfg` says in the administrator's guide, as the options that Ansible passes to ssh. Ansible
/// itself needs Python on both sides, which is more than this test is worth: these are its calls.
const SHARED: &str =
    "-C -o ControlMaster=auto -o ControlPersist=60s -o ControlPath=/run/cp-%h-%r -o StrictHostKeyChecking=no";
const ANSIBLE: &str = "-o KbdInteractiveAuthentication=no -o PreferredAuthentications=gssapi-with-mic,gssapi-keyex,hostbased,publickey -o PasswordAuthentication=no -o ConnectTimeout=10";

#[test]
fn byp_14_what_ansible_does_rides_on_one_login_with_a_code() {
    require_boot!();
    let (host, alice) = protected();
    let ssh = format!("ssh {SHARED} {ANSIBLE} alice@127.0.0.1");
    // Before: it cannot answer, and does not wait.
    let alone = host.run(&format!("timeout 20 {ssh} true"));
    assert!(!alone.status.success() && alone.status.code() != Some(124), "{alone:?}");
    // A person opens the connection, once.
    let options: Vec<&str> = SHARED.split(' ').collect();
    let mut pty = host.terminal(&ssh_command(&host, "alice", &options, "true"));
    pty.expect("assword: ");
    pty.send_line(PASSWORD);
    pty.expect(CODE);
    pty.send_line(&alice.fresh_code());
    host.wait_for(&format!("ssh {SHARED} -O check alice@127.0.0.1"));
    drop(pty);
    // The steps of a ping: a folder, a program carried over, run, taken away.
    host.ok(&format!("{ssh} \"/bin/sh -c 'umask 77 && mkdir -p ~/.ansible/tmp/ping'\""));
    host.put("/root/ping", b"#!/bin/sh\necho '{\"ping\": \"pong\"}'\n");
    host.ok(&format!(
        "echo 'put /root/ping .ansible/tmp/ping/ping' | sftp -b - {SHARED} {ANSIBLE} alice@127.0.0.1"
    ));
    let pong = host.ok(&format!(
        "{ssh} \"/bin/sh -c 'chmod u+x ~/.ansible/tmp/ping/ping && ~/.ansible/tmp/ping/ping'\""
    ));
    assert!(pong.contains("pong"), "{pong}");
    host.ok(&format!("{ssh} \"/bin/sh -c 'rm -r ~/.ansible/tmp'\""));
    // Closed, the next one is asked again.
    host.ok(&format!("ssh {SHARED} -O exit alice@127.0.0.1"));
    assert!(!host.run(&format!("timeout 20 {ssh} true")).status.success());
    let log = host.ok("countersignctl log alice --json");
    assert_eq!(log.matches("\"state\":\"verified\"").count(), 1, "{log}");
}
