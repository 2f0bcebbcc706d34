//! Logins of people: ssh in all its forms, sudo, su, the console; over reboots and power cuts.

use crate::{CODE, PASSWORD, answer, protected, require_boot, ssh, ssh_command};

#[test]
fn ssh_and_sudo_and_su_ask_for_a_code() {
    require_boot!();
    let (host, alice) = protected();
    let (status, shown) = ssh(&host, "alice", &[&alice.fresh_code()], "echo in-as-$USER");
    assert!(status.success() && shown.contains("in-as-alice"), "{shown}");
    let wrong: Vec<String> = (0..3).map(|n| alice.wrong_code(n)).collect();
    let wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
    let (status, shown) = ssh(&host, "alice", &wrong, "echo in-as-$USER");
    assert!(!status.success() && !shown.contains("in-as-alice"), "{shown}");
    let (status, shown) = ssh(&host, "carol", &[], "echo in-as-$USER");
    assert!(status.success() && !shown.contains(CODE), "carol is not staff: {shown}");

    let sudo = ["runuser", "-u", "alice", "--", "sudo", "-k", "id", "-un"];
    let shown = answer(&host, &sudo, &[PASSWORD, &alice.recovery[0], "no"]);
    assert!(shown.contains(CODE) && shown.ends_with("root\n"), "{shown}");
    let su = ["runuser", "-u", "carol", "--", "su", "-", "alice", "-c", "id -un"];
    let shown = answer(&host, &su, &[PASSWORD, &alice.recovery[1], "no"]);
    assert!(shown.contains(CODE) && shown.ends_with("alice\n"), "whose factor? the target's: {shown}");
    let root_may = host.ok("su - alice -c 'id -un'");
    assert_eq!(root_may, "alice\n", "root is asked for nothing");
}

#[test]
fn the_console_asks_too() {
    require_boot!();
    let (host, alice) = protected();
    let console = ["systemd-run", "--quiet", "--pty", "--wait", "-p", "TTYVHangup=no", "/bin/login", "-p"];
    let mut pty = host.terminal(&host.command(&console));
    pty.expect("login: ");
    pty.send_line("alice");
    pty.expect("assword: ");
    pty.send_line(PASSWORD);
    pty.expect(CODE);
    pty.send_line(&alice.fresh_code());
    pty.expect(":~$ ");
    pty.send_line("echo in-as-$USER; exit");
    pty.expect("in-as-alice");
}

#[test]
fn byp_14_a_key_alone_is_no_way_in_and_with_a_code_everything_works() {
    require_boot!();
    let (host, alice) = protected();
    host.ok("ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519 && install -d -o alice -m 700 ~alice/.ssh && install -o alice -m 600 /root/.ssh/id_ed25519.pub ~alice/.ssh/authorized_keys");
    let refused = host.run("ssh -o BatchMode=yes -o StrictHostKeyChecking=no alice@127.0.0.1 true");
    assert!(!refused.status.success(), "the key alone");
    // Without the drop-in the account phase is the net below it.
    host.ok("rm /etc/ssh/sshd_config.d/50-countersign.conf && systemctl restart ssh");
    let refused = host.run("ssh -o BatchMode=yes -o StrictHostKeyChecking=no alice@127.0.0.1 true");
    assert!(!refused.status.success(), "the key alone, without AuthenticationMethods");
    host.put("/etc/ssh/sshd_config.d/50-countersign.conf", crate::SSHD.as_bytes());
    host.ok("systemctl restart ssh");

    // One login with key, password and code; the rest rides on it.
    let master = ["-o", "ControlMaster=yes", "-o", "ControlPath=/run/cm", "-N"];
    let mut pty = host.terminal(&ssh_command(&host, "alice", &master, ""));
    pty.expect("assword: ");
    pty.send_line(PASSWORD);
    pty.expect(CODE);
    pty.send_line(&alice.fresh_code());
    host.wait_for("ssh -o ControlPath=/run/cm -O check alice@127.0.0.1");
    let over = "-o ControlPath=/run/cm -o BatchMode=yes";
    assert_eq!(host.ok(&format!("ssh {over} alice@127.0.0.1 id -un")), "alice\n");
    host.ok(&format!("scp -q {over} /etc/hostname alice@127.0.0.1:scp"));
    host.ok(&format!("echo 'put /etc/hostname sftp' | sftp -q {over} -b - alice@127.0.0.1"));
    host.ok(&format!("rsync -e 'ssh {over}' /etc/hostname alice@127.0.0.1:rsync"));
    host.ok(
        "cmp /etc/hostname ~alice/scp && cmp /etc/hostname ~alice/sftp && cmp /etc/hostname ~alice/rsync",
    );
    let log = host.ok("countersignctl log alice --json");
    assert_eq!(log.matches("\"state\":\"verified\"").count(), 1, "{log}");
}

#[test]
fn rpl_09_a_used_code_stays_used_over_reboot_and_power_cut() {
    require_boot!();
    let (mut host, alice) = protected();
    let code = alice.fresh_code();
    assert!(ssh(&host, "alice", &[&code], "true").0.success());
    host.power_cut();
    assert!(!ssh(&host, "alice", &[&code, &code, &code], "true").0.success(), "after a power cut");
    assert!(ssh(&host, "alice", &[&alice.recovery[0], "no"], "true").0.success(), "a fresh one passes");
    host.reboot();
    let used = [alice.recovery[0].as_str(); 3];
    assert!(!ssh(&host, "alice", &used, "true").0.success(), "after a reboot");
    assert!(ssh(&host, "alice", &[&alice.fresh_code()], "true").0.success(), "a fresh one passes");
    eprintln!("booted again in {:?}", host.boot_time);
}

#[test]
fn avl_12_without_the_daemon_nobody_of_staff_gets_in_and_root_at_the_console_mends_it() {
    require_boot!();
    let (host, alice) = protected();
    host.ok("systemctl mask --now countersignd");
    let (status, shown) = ssh(&host, "alice", &[], "true");
    assert!(!status.success(), "{shown}");
    // The documented way: a root shell (console, rescue.target), and the lines out.
    host.ok("pam-auth-update --disable countersign");
    assert!(ssh(&host, "alice", &[], "true").0.success(), "without a second factor, for now");
    host.ok("systemctl unmask countersignd && systemctl start countersignd && pam-auth-update --enable countersign");
    let (status, shown) = ssh(&host, "alice", &[&alice.fresh_code()], "true");
    assert!(status.success() && shown.contains(CODE), "{shown}");
}
