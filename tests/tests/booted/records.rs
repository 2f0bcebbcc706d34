//! Mail addresses in systemd's own user records, asked from inside the sandbox.

use crate::{host, require_boot};

const CONFIG: &str = r#"
[[policy]]
name = "staff"
groups = ["staff"]
factors = ["totp", "email"]

[[policy]]
name = "everyone else"
status = "off"

[email]
addresses = ["record", "set"]

[mailbox.ops]
server = "127.0.0.1"
from = "noreply@example.org"
"#;

/// One question after the other, as the daemon asks them; says how many of so many answers had the address.
const ASK: &str = r#"
use IO::Socket::UNIX;
my ($n, $with) = (200, 0);
for (1 .. $n) {
    my $s = IO::Socket::UNIX->new(Peer => "/run/systemd/userdb/io.systemd.Multiplexer") or die "connect: $!";
    print $s qq({"method":"io.systemd.UserDatabase.GetUserRecord","parameters":{"userName":"alice","service":"io.systemd.Multiplexer"}}\0);
    $s->flush;
    local $/ = "\0";
    my $answer = <$s>;
    $with++ if $answer =~ /a\@example\.net/;
}
print "$with of $n\n";
"#;

#[test]
fn a_drop_in_record_of_somebody_in_passwd_gives_the_address() {
    require_boot!();
    let host = host();
    host.put("/etc/countersign/countersign.toml", CONFIG.as_bytes());
    host.ok("countersignctl policy apply --accept-weaker --yes");
    let show = || host.ok("countersignctl email show alice --json");
    assert_eq!(show(), "", "a record of the passwd file has no address");
    let uid = host.ok("id -u alice");
    let record = |uid: &str| {
        format!("{{\"userName\":\"alice\",\"uid\":{uid},\"gid\":{uid},\"emailAddress\":\"a@example.net\"}}\n")
    };
    host.put("/etc/userdb/alice.user", record(uid.trim()).as_bytes());
    host.put("/root/ask.pl", ASK.as_bytes());
    assert_eq!(host.ok("perl /root/ask.pl").trim(), "200 of 200", "whoever answers first, it is the drop-in");
    host.wait_for(
        "countersignctl email show alice --json | grep -q '\"a@example.net\",\"source\":\"record\"'",
    );
    // Somebody else's uid is nobody's address, and a frozen userdbd delays nothing else.
    host.put("/etc/userdb/alice.user", record("4242").as_bytes());
    host.wait_for("test -z \"$(countersignctl email show alice --json)\"");
    host.put("/etc/userdb/alice.user", record(uid.trim()).as_bytes());
    host.ok("systemctl kill --signal=STOP systemd-userdbd && sleep 3");
    host.ok("timeout 5 countersignctl status carol --json");
    assert_eq!(host.ok("timeout 5 countersignctl email show alice --json"), "");
    host.ok("systemctl kill --signal=CONT systemd-userdbd");
    host.wait_for("countersignctl email show alice --json | grep -q a@example.net");
}
