//! BYP-20: what runs without a person is not asked, and nothing waits for an answer that cannot come.

use crate::{PASSWORD, protected, require_boot};
use std::time::Instant;

#[test]
fn byp_20_what_runs_without_a_person_is_not_asked() {
    require_boot!();
    let (host, _alice) = protected();
    let begun = Instant::now();
    host.ok("echo '@reboot touch /tmp/by-cron' | crontab -u alice - && rm -f /run/crond.reboot && systemctl restart cron");
    host.wait_for("test -e /tmp/by-cron");
    host.ok("systemctl start atd && runuser -u alice -- sh -c 'cd /tmp; echo touch /tmp/by-at | at now'");
    host.wait_for("test -e /tmp/by-at");
    host.ok("loginctl enable-linger alice");
    host.wait_for("systemctl is-active user@$(id -u alice).service");
    host.ok("systemctl --user --machine=alice@.host is-system-running --wait || true");
    for unasked in [
        "su - alice -c id",
        "su alice -c id </dev/null",
        "runuser -u alice -- id",
        "runuser -l alice -c id",
        "systemd-run --quiet --wait -p User=alice -p PAMName=login id",
        "systemd-run --quiet --wait -p User=alice -p PAMName=other id",
        "setpriv --reuid=alice --regid=alice --init-groups id",
        "sudo -u alice id </dev/null",
    ] {
        host.ok(&format!("timeout 10 {unasked}"));
    }
    let log = host.ok("countersignctl log alice --json");
    assert_eq!(log, "", "nobody was asked: no row");
    assert!(begun.elapsed().as_secs() < 60);
}

/// Programs that do ask, with nobody there to answer: refused at once, or when their input ends.
#[test]
fn byp_20_without_somebody_to_answer_a_login_ends_refused() {
    require_boot!();
    let (host, _alice) = protected();
    host.ok(crate::NO_DELAY);
    for (what, script) in [
        ("no input", "runuser -u carol -- setsid su alice -c id </dev/null"),
        ("a password from a pipe", "echo 'PASSWORD' | runuser -u carol -- setsid su alice -c id"),
        (
            "a password and nonsense",
            "printf 'PASSWORD\\nx\\nx\\nx\\n' | runuser -u carol -- setsid su alice -c id",
        ),
        ("no terminal", "runuser -u alice -- setsid sudo -k id </dev/null"),
        ("a password for sudo from a pipe", "echo 'PASSWORD' | runuser -u alice -- setsid sudo -k -S id"),
        ("a batch of ssh", "ssh -o BatchMode=yes -o StrictHostKeyChecking=no alice@127.0.0.1 id"),
    ] {
        host.record.say(what);
        let begun = Instant::now();
        let out = host.run(&format!("timeout 20 sh -c \"{}\"", script.replace("PASSWORD", PASSWORD)));
        assert!(!out.status.success() && !String::from_utf8_lossy(&out.stdout).contains("uid="), "{what}");
        assert!(begun.elapsed().as_secs() < 15, "{what}: {:?}", begun.elapsed());
        assert_ne!(out.status.code(), Some(124), "{what}: it hung");
    }
}
