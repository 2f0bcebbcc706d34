//! AVL-12: what the administrator's guide says of things that are gone, typed from its own text by root at the
//! console, with a clock that runs.

use crate::enable::{AT_LOGIN, host, listening};
use crate::{CODE, PASSWORD, PATIENCE, enroll, require_boot, ssh};
use countersign_tests::enrolling::recovery_codes_in;
use countersign_tests::{Booted, Pty, Secret};
use std::time::{Duration, Instant};

const GUIDE: &str = include_str!("../../../docs/ADMIN-GUIDE.md");
const CHAPTER: &str = "## A way in when something is gone\n";
const PROMPT: &str = "root@vm:~# ";
const PASSPHRASE: &str = "six words that dice have picked";
/// All of it together, and whoever types needs some of it.
const AT_MOST: Duration = Duration::from_secs(300);

/// The commands of a procedure: one list for each block that is set apart.
fn procedure(title: &str) -> Vec<Vec<&'static str>> {
    let chapter = GUIDE.split_once(CHAPTER).expect("the chapter").1;
    let chapter = chapter.split("\n## ").next().unwrap_or_default();
    let text = chapter.split_once(&format!("### {title}\n")).unwrap_or_else(|| panic!("no {title:?}")).1;
    let text = text.split("\n### ").next().unwrap_or_default();
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let command = line.strip_prefix("    ");
        match command {
            Some(command) if inside => blocks.last_mut().expect("begun").push(command),
            Some(command) => blocks.push(vec![command]),
            None => {}
        }
        inside = command.is_some();
    }
    blocks
}

/// root at the console, and how long they sit there.
struct Console<'h> {
    host: &'h Booted,
    pty: Pty,
    alice: Option<Secret>,
}

impl<'h> Console<'h> {
    fn log_in(host: &'h Booted) -> Self {
        let login = ["systemd-run", "--quiet", "--pty", "--wait", "-p", "TTYVHangup=no", "/bin/login", "-p"];
        let mut pty = host.terminal(&host.command(&login));
        for (prompt, answer) in [("login: ", "root"), ("assword: ", PASSWORD)] {
            pty.expect(prompt);
            pty.send_line(answer);
        }
        pty.expect(PROMPT);
        Self { host, pty, alice: None }
    }

    /// Types the commands of a block, answers what they ask, and each must succeed.
    fn types(&mut self, block: &[&str]) {
        for command in block {
            self.pty.send_line(command);
            if command.starts_with("countersignctl disable") || command.starts_with("countersignctl reset") {
                self.pty.expect("Type yes to go on: ");
                self.pty.send_line("yes");
            }
            if command.contains("--extract") {
                self.pty.expect("Passphrase of the file");
                self.pty.send_line(PASSPHRASE);
            }
            if command.starts_with("countersignctl enroll") {
                self.enrolls();
            }
            self.pty.expect(PROMPT);
            self.pty.send_line("echo ended=$?");
            self.pty.expect("ended=");
            self.pty.expect(PROMPT);
            let ended = self.pty.transcript().rsplit("ended=").next().unwrap_or_default();
            assert!(ended.starts_with("0\n"), "{command}: {}", self.pty.transcript());
            self.pty.record_so_far();
            // sshd closes its port for a moment.
            if command.contains("reload ssh") || command.contains("ctl enable") || command.contains("disable")
            {
                listening(self.host);
            }
        }
    }

    /// With the new phone at hand.
    fn enrolls(&mut self) {
        self.pty.expect("Type the code the app shows: ");
        let shown = self.pty.transcript().rsplit("    key      ").next().unwrap_or_default();
        let key: String = shown.lines().next().unwrap_or_default().split_whitespace().collect();
        let app = Secret::from_base32(&key, None);
        let step = app.step() - 1;
        app.mark_used(step);
        self.pty.send_line(&app.code_at(step));
        self.alice = Some(app);
    }

    fn leaves(mut self) -> Option<Secret> {
        self.pty.send_line("exit");
        self.pty.wait(PATIENCE);
        self.alice
    }
}

fn enters(host: &Booted, code: &str) {
    let answers: &[&str] = if code.contains('-') { &[code, "no"] } else { &[code] };
    let (status, shown) = ssh(host, "alice", answers, "echo in-as-$USER");
    assert!(status.success() && shown.contains("in-as-alice") && shown.contains(CODE), "{shown}");
}

fn enters_without_a_code(host: &Booted) {
    let (status, shown) = ssh(host, "alice", &[], "echo in-as-$USER");
    assert!(status.success() && shown.contains("in-as-alice") && !shown.contains(CODE), "{shown}");
}

fn stays_out(host: &Booted, alice: &Secret) {
    let (status, shown) = ssh(host, "alice", &[&alice.fresh_code()], "echo in-as-$USER");
    assert!(!status.success() && !shown.contains("in-as-alice"), "{shown}");
}

/// A host where sshd asks, the console does not, and there are the copies that the guide wants.
fn prepared() -> (Booted, Secret) {
    let host = host(AT_LOGIN);
    host.ok(&format!("echo 'root:{PASSWORD}' | chpasswd"));
    let alice = enroll(&host, "alice");
    host.ok(&format!(
        "mkdir /media/stick && cd /media/stick && install -m 600 /etc/countersign/key countersign.key && \
         countersignctl backup countersign-2027-01-31 && (umask 077; echo '{PASSPHRASE}' >/run/words) && \
         countersignctl backup countersign-with-key --with-key --passphrase-file /run/words"
    ));
    host.ok("countersignctl enable sshd");
    listening(&host);
    enters(&host, &alice.recovery[0]);
    host.ok("countersignctl confirm");
    (host, alice)
}

/// What is done is on record, under the reason that the guide has.
fn assert_trail(host: &Booted) {
    host.ok("journalctl -t countersignctl -o cat | grep -q 'countersignd does not start, ticket 4711'");
}

#[test]
fn avl_12_the_drill_of_the_guide_at_the_console_without_a_program_or_a_phone() {
    require_boot!();
    let (host, alice) = prepared();
    let begun = Instant::now();
    let off = procedure("Let people in without a code");
    assert_eq!((off.len(), off[0].len(), off[1].len()), (2, 1, 3), "{off:?}");

    host.record.say("the daemon's program is deleted");
    host.ok("cp -a /usr/sbin/countersignd /usr/bin/countersignctl /root/ && rm /usr/sbin/countersignd && systemctl kill -s KILL countersignd");
    stays_out(&host, &alice);
    let mut console = Console::log_in(&host);
    console.types(&off[0]);
    enters_without_a_code(&host);
    assert_trail(&host);
    assert!(host.ok("find /etc/pam.d/sshd -newer /media/stick").contains("/etc/pam.d/sshd"), "its date");

    host.record.say("the daemon is mended, and what was taken out is put back");
    host.ok("cp -a /root/countersignd /usr/sbin/ && systemctl restart countersignd");
    let after = procedure("Afterwards").concat();
    assert_eq!(after[1..], ["countersignctl enable sshd", "countersignctl confirm"]);
    console.types(&after[1..2]);
    enters(&host, &alice.recovery[1]);
    console.types(&after[2..]);

    host.record.say("countersignctl is gone, too");
    host.ok("rm /usr/sbin/countersignd /usr/bin/countersignctl && systemctl kill -s KILL countersignd; touch /run/before");
    console.types(&off[1]);
    enters_without_a_code(&host);
    assert!(host.ok("find /etc/pam.d/sshd -newer /run/before").contains("/etc/pam.d/sshd"), "its date");
    host.ok("cp -a /root/countersignd /usr/sbin/ && cp -a /root/countersignctl /usr/bin/ && systemctl restart countersignd");
    console.types(&after[1..2]);
    enters(&host, &alice.recovery[2]);
    console.types(&after[2..]);

    host.record.say("alice has neither phone nor codes");
    console.types(&procedure("All phones are lost")[0]);
    let new = console.leaves().expect("a new phone");
    enters(&host, &new.fresh_code());
    let acts = host.ok("countersignctl log acts --json");
    assert!(acts.contains("phone and codes burnt, ticket 4711"), "{acts}");
    assert_in_time(&host, begun);
}

#[test]
fn avl_12_the_drill_of_the_guide_at_the_console_without_database_or_key() {
    require_boot!();
    let (host, alice) = prepared();
    let begun = Instant::now();
    let mut console = Console::log_in(&host);
    let key = procedure("The key is gone");
    let database = procedure("The database is gone");
    assert_eq!((key.len(), database.len()), (2, 2), "{key:?} {database:?}");

    for (what, way) in ["the copy on a stick", "the backup with the key"].iter().zip(&key) {
        host.record.say(&format!("the key is gone, and there is {what}"));
        host.ok("rm /etc/countersign/key; ! systemctl restart countersignd");
        console.types(way);
        enters(&host, &alice.fresh_code());
    }

    host.record.say("the database is gone, and there is a backup");
    host.ok("systemctl kill -s KILL countersignd; rm /var/lib/countersign/countersign.db*");
    console.types(&database[0]);
    host.ok("test -d /var/lib/countersign.broken && countersignctl status alice");
    let codes = recovery_codes_in(console.pty.transcript());
    enters(&host, &codes[0]);

    host.record.say("the database is gone, and there is nothing");
    host.ok("systemctl kill -s KILL countersignd; rm -r /var/lib/countersign.broken /var/lib/countersign/*");
    console.types(&database[1]);
    let new = console.leaves().expect("a new phone");
    enters(&host, &new.fresh_code());
    assert_in_time(&host, begun);
}

fn assert_in_time(host: &Booted, begun: Instant) {
    let took = begun.elapsed();
    host.record.say(&format!("the whole drill took {:.1} s", took.as_secs_f64()));
    eprintln!("the drill took {took:?}");
    assert!(took < AT_MOST, "{took:?}");
}
