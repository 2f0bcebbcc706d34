//! BYP-14: each way of proving oneself to sshd, in each form that a login over ssh takes, after
//! `countersignctl enable sshd` and nothing else: without a code no way in, with one every way.
//!
//! GSSAPI is not tried: it needs a Kerberos realm. It is a method that `AuthenticationMethods` does not name.

use crate::enable::{AT_LOGIN, host, listening};
use crate::{CODE, NO_DELAY, PASSWORD, PATIENCE, enroll, require_boot};
use countersign_tests::enrolling::OFFER;
use countersign_tests::{Booted, Pty};

/// How somebody proves who they are, and what ssh is told for it.
const METHODS: [(&str, &str); 4] = [
    ("password", "-i /dev/null -o PreferredAuthentications=password,keyboard-interactive"),
    ("key", "-i /root/key -o PreferredAuthentications=publickey"),
    ("certificate", "-i /root/certified -o PreferredAuthentications=publickey"),
    ("hostbased", "-i /dev/null -o HostbasedAuthentication=yes -o PreferredAuthentications=hostbased"),
];

/// What a login is for; each leaves the file `form` in alice's home. `$S` is ssh's options, alice is at `$A`.
const FORMS: [(&str, &str); 11] = [
    ("a command", "ssh $S $A 'touch form'"),
    ("-T", "echo 'touch form' | ssh $S -T $A"),
    ("a terminal", "ssh $S -tt $A 'touch form'"),
    (
        "-N -L",
        "ssh $S -N -L 2222:127.0.0.1:22 $A & pid=$!; \
         while kill -0 $pid 2>/dev/null; do \
             if read -r line 2>/dev/null </dev/tcp/127.0.0.1/2222; then touch ~alice/form; kill $pid; fi; sleep 0.1; \
         done",
    ),
    ("sftp", "echo 'put /etc/hostname form' | sftp -q $S $A"),
    ("scp", "scp -q $S /etc/hostname $A:form"),
    ("rsync", "rsync -e \"ssh $S\" /etc/hostname $A:form"),
    ("internal-sftp", "echo 'put /etc/hostname form' | sftp -q $S -P 2201 $A"),
    ("ForceCommand", "ssh $S -p 2202 $A true"),
    (
        "ControlMaster",
        "ssh $S -o ControlMaster=yes -o ControlPath=/run/cm -o ControlPersist=yes $A true; \
         ssh -o ControlPath=/run/cm -o BatchMode=yes $A 'touch form'; ssh -o ControlPath=/run/cm -O exit $A",
    ),
    ("KbdInteractiveDevices", "ssh $S -o KbdInteractiveDevices=pam,pam,pam $A 'touch form'"),
];

const SSHD: &str = "LogLevel VERBOSE\nPort 22\nPort 2201\nPort 2202\nTrustedUserCAKeys /etc/ssh/ca.pub\nMaxStartups 100\n\
     HostbasedAuthentication yes\nHostbasedUsesNameFromPacketOnly yes\n";
const MATCHES: &str = "Match LocalPort 2201\n    ForceCommand internal-sftp\n\
     Match LocalPort 2202\n    ForceCommand touch form\n";

/// Keys, a certificate by a CA, and a host that vouches for its root.
fn credentials(host: &Booted) {
    host.put("/etc/ssh/sshd_config.d/90-ways.conf", SSHD.as_bytes());
    host.put("/root/matches", MATCHES.as_bytes());
    host.ok("cat /root/matches >>/etc/ssh/sshd_config");
    host.ok(
        "set -e; cd /root
         for key in key certified ca; do ssh-keygen -q -t ed25519 -N '' -f $key; done
         ssh-keygen -q -s ca -I alice -n alice certified.pub; cp ca.pub /etc/ssh/ca.pub
         install -d -o alice -m 700 ~alice/.ssh; install -o alice -m 600 key.pub ~alice/.ssh/authorized_keys
         printf 'vm root\nlocalhost root\n' >/etc/ssh/shosts.equiv
         for key in /etc/ssh/ssh_host_*_key.pub; do echo \"vm,localhost,127.0.0.1 $(cat $key)\"; done >/etc/ssh/ssh_known_hosts
         echo 'EnableSSHKeysign yes' >/etc/ssh/ssh_config.d/keysign.conf; echo '127.0.0.1 vm' >>/etc/hosts
         systemctl restart ssh",
    );
}

/// Tries it; whether it was a login.
fn tried(host: &Booted, (method, options): (&str, &str), form: (&str, &str), answers: &[&str]) -> bool {
    host.record.say(&format!("{} by {method}, {} answers", form.0, answers.len()));
    let script = format!(
        "S='{options} -o StrictHostKeyChecking=no -o LogLevel=ERROR -o NumberOfPasswordPrompts=1 -o IdentitiesOnly=yes'; \
         A=alice@127.0.0.1; {}",
        form.1
    );
    let mut pty: Pty = host.terminal(&host.command(&["bash", "-c", &script]));
    for answer in answers {
        let prompt = match *answer {
            PASSWORD => "assword: ",
            "no" => OFFER,
            _ => CODE,
        };
        if !pty.expect_or_end(prompt, PATIENCE) {
            break;
        }
        pty.send_line(answer);
    }
    if answers.len() == 1 && pty.expect_or_end(CODE, PATIENCE) {
        // Password, and then nothing: an empty answer, and then the end of it.
        pty.send_line("");
        assert!(pty.expect_or_end(CODE, PATIENCE), "asked again: {}", pty.transcript());
        pty.send(&[3]);
    }
    pty.wait(PATIENCE);
    host.run("cd ~alice && test -e form && rm form").status.success()
}

/// With what comes before the code already proven: the rest is PAM's.
fn and_a_code((method, options): (&'static str, &str)) -> (&'static str, String) {
    (
        method,
        options
            .replace("publickey", "publickey,keyboard-interactive")
            .replace("hostbased", "hostbased,keyboard-interactive"),
    )
}

#[test]
fn byp_14_every_way_and_every_form_of_ssh_needs_the_code_after_enable() {
    require_boot!();
    let host = host(AT_LOGIN);
    host.ok(NO_DELAY);
    credentials(&host);
    let alice = enroll(&host, "alice");
    let alone = |host: &Booted, method: (&str, &str), form| {
        let answers: &[&str] = if method.0 == "password" { &[PASSWORD] } else { &[] };
        tried(host, method, form, answers)
    };
    host.record.say("before: each of them is a way in");
    for method in METHODS {
        let trouble = || host.ok("journalctl -u ssh -o cat -n 30");
        assert!(alone(&host, method, FORMS[0]), "{} alone, before: {}", method.0, trouble());
    }

    host.ok("countersignctl enable sshd --rollback-after 1h");
    listening(&host);
    for method in METHODS {
        for form in FORMS {
            assert!(!alone(&host, method, form), "{} by {} without a code", form.0, method.0);
        }
    }
    let mut codes = alice.recovery.clone();
    for (number, form) in FORMS.into_iter().enumerate() {
        let (method, options) = and_a_code(METHODS[number % METHODS.len()]);
        let code = codes.pop().unwrap_or_else(|| alice.fresh_code());
        let mut answers = vec![PASSWORD, code.as_str()];
        if code.contains('-') {
            answers.push("no");
        }
        assert!(tried(&host, (method, &options), form, &answers), "{} by {method} with a code", form.0);
    }
    let log = host.ok("countersignctl log alice --json");
    assert_eq!(log.matches("\"state\":\"verified\"").count(), FORMS.len(), "{log}");
}
