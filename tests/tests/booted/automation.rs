//! Automation over ssh: one login by a person, on which everything else rides.

use crate::{CODE, PASSWORD, PATIENCE, protected, require_boot};
use countersign_tests::Booted;

const GUIDE: &str = include_str!("../../../docs/ADMIN-GUIDE.md");

/// What the guide sets apart under a first line: a file's name in a comment, or a command.
fn of_the_guide(first: &str) -> String {
    let text = GUIDE.split_once("\nAnsible as a person:").expect("the recipe").1;
    let from = text.split_once(&format!("    {first}\n")).unwrap_or_else(|| panic!("no {first:?}")).1;
    let lines = from.lines().map_while(|line| line.strip_prefix("    "));
    lines.map(|line| format!("{line}\n")).collect()
}

/// As alice, from this host to itself, in her own home.
fn as_alice(command: &str) -> String {
    format!("runuser -l alice -c '{command}'")
}

fn ping(host: &Booted) -> (bool, String) {
    let out = host.run(&as_alice("timeout 60 ansible -m ping host.example.org"));
    (out.status.success(), String::from_utf8_lossy(&out.stdout).into_owned())
}

#[test]
fn byp_14_ansible_rides_on_one_login_with_a_code_by_the_files_of_the_guide() {
    require_boot!();
    let (host, alice) = protected();
    host.ok("command -v ansible");
    host.ok("echo '127.0.0.1 host.example.org' >>/etc/hosts && mkdir -p /etc/ansible && echo host.example.org >/etc/ansible/hosts && install -d -o alice -m 700 ~alice/.ssh && ssh-keyscan -t ed25519 host.example.org >~alice/.ssh/known_hosts");
    host.put("/home/alice/.ssh/config", of_the_guide("# ~/.ssh/config").as_bytes());
    let typed = of_the_guide("# then, once in half an hour");
    assert_eq!(typed, "ssh host.example.org true\nansible -m ping host.example.org\n");
    let open = || {
        let mut pty = host.terminal(&host.command(&[
            "runuser",
            "-u",
            "alice",
            "--",
            "ssh",
            "host.example.org",
            "true",
        ]));
        pty.expect("assword: ");
        pty.send_line(PASSWORD);
        pty.expect(CODE);
        pty.send_line(&alice.fresh_code());
        pty.wait(PATIENCE);
        host.ok(&as_alice("ssh -O check host.example.org"));
    };
    open();
    // By its own settings Ansible looks for the connection elsewhere, and cannot answer.
    let (reached, said) = ping(&host);
    assert!(!reached && said.contains("UNREACHABLE"), "{said}");
    host.put(
        "/home/alice/.ansible.cfg",
        of_the_guide("# ~/.ansible.cfg, or the ansible.cfg of the project").as_bytes(),
    );
    let (reached, said) = ping(&host);
    assert!(reached && said.contains("\"ping\": \"pong\""), "{said}");
    // Closed, the next one is asked again.
    host.ok(&as_alice("ssh -O exit host.example.org"));
    assert!(!ping(&host).0);
    let log = host.ok("countersignctl log alice --json");
    assert_eq!(log.matches("\"state\":\"verified\"").count(), 1, "{log}");
}
