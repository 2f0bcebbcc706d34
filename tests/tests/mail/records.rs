//! Mail addresses in systemd's user records, from a server that says what the test scripts.

use crate::host::Codes;
use countersign_tests::people::{BOB, DAVE};
use countersign_tests::require;
use countersign_tests::smtp::Script;
use countersign_tests::userdb::{Answer, SOCKET, Userdb};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ONLY: &str = "\"email\"";
const BOTH: &str = "\"totp\", \"email\"";

fn start(factors: &str, policy: &str, order: &str) -> Codes {
    Codes::with(factors, policy, &format!("[email]\naddresses = [{order}]\n"), Script::default())
}

const ROBERT: &str = ",\"emailAddress\":\"robert@example.net\"";

fn bobs(more: &str) -> Answer {
    Answer::record(&format!("\"userName\":\"bob\",\"uid\":{}{more}", BOB.uid))
}

/// Answers are used again for two seconds, and after none nobody is asked for as long.
fn forget() {
    std::thread::sleep(Duration::from_millis(2100));
}

#[test]
fn addresses_count_in_the_order_that_is_configured() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("countersignctl"));
    let t = start(ONLY, "", "\"set\", \"record\", \"pattern\"");
    let userdb = Userdb::start(bobs(ROBERT));
    let begun = t.begin("bob", "passed");
    assert_eq!(t.respond(&begun.login, &t.code(1)).verdict, "allow");
    assert_eq!(t.server.heard().letters[0].to, "RCPT TO:<robert@example.net>");
    for question in userdb.asked() {
        let asked: serde_json::Value = serde_json::from_str(&question).expect("JSON");
        assert_eq!(asked["parameters"]["userName"], "bob");
    }
    let homed = format!("{ROBERT},\"service\":\"io.systemd.Home\"");
    for (order, more, to, asks) in [
        ("\"record\", \"pattern\"", ROBERT, "r***t@example.net", true),
        // What bob could have written himself.
        ("\"record\", \"pattern\"", &homed, "b***@example.org", true),
        // No source is asked once there is an address.
        ("\"pattern\", \"record\"", ROBERT, "b***@example.org", false),
    ] {
        let text = std::fs::read_to_string(t.daemon.config_file()).expect("a file");
        let before = text.split_once("addresses = ").expect("a line").0;
        t.daemon.configure(&format!("{before}addresses = [{order}]\n"));
        assert_eq!(t.daemon.ctl().run(&["policy", "apply", "--accept-weaker", "--yes"]).code, Some(0));
        userdb.say(bobs(more));
        forget();
        let before = userdb.asked().len();
        let explained = t.daemon.ctl().run(&["policy", "explain", "bob", "--json"]).ok();
        assert!(
            explained.stdout.contains(&format!("A code was sent to {to}")),
            "{order} {more}: {explained:?}"
        );
        assert_eq!(userdb.asked().len() > before, asks, "{order}");
    }
    forget();
    // Notices go to all, and `email` shows them in that order.
    let lines = t.daemon.ctl().run(&["email", "show", "bob", "--json"]).ok().json();
    let sources: Vec<&str> = lines.iter().map(|one| one["source"].as_str().expect("a word")).collect();
    assert_eq!(sources, ["pattern", "record"]);
}

#[test]
fn avl_09_a_user_database_without_an_answer_delays_and_lets_in_nobody() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("countersignctl"));
    // People without a factor pass here, and the pattern would give an address.
    let t = start(BOTH, "require = \"enrolled\"\nenroll = \"at-login\"\n", "\"record\", \"pattern\"");
    let app = t.daemon.enroll("alice");
    let foreign = format!("\"userName\":\"bob\",\"uid\":{},\"emailAddress\":\"dave@example.org\"", DAVE.uid);
    let mut userdb = None;
    for (what, why, answer) in [
        ("absent", "No such file", None),
        ("frozen", "no answer in time", Some(Answer::Silence)),
        ("endless", "no whole answer", Some(Answer::Endless)),
        ("another uid", "of another person", Some(Answer::record(&foreign))),
    ] {
        if let Some(answer) = answer {
            let server = userdb.get_or_insert_with(|| Userdb::start(Answer::HangUp));
            server.say(answer);
        }
        let asked = Instant::now();
        let begun = t.begin("bob", "passed");
        let took = asked.elapsed();
        let said = t.daemon.said();
        assert!(said.contains(why), "{what}: {said}");
        assert!(took < Duration::from_millis(1200), "{what}: {took:?}");
        // As somebody with a factor that cannot be used now: not let past, shown no key, sent nothing.
        assert_eq!(begun.verdict, "ask", "{what}: {begun:?}");
        assert!(
            begun.said.contains("cannot be looked up now") && !begun.said.contains("otpauth"),
            "{begun:?}"
        );
        assert!(!t.respond(&begun.login, "email").said.contains("example.org"), "{what}");
        let again = Instant::now();
        assert_eq!(t.begin("alice", "passed").verdict, "ask");
        assert!(again.elapsed() < Duration::from_millis(300), "{what}: nobody waits for the same again");
        forget();
    }
    let begun = t.begin("alice", "passed");
    assert_eq!(t.respond(&begun.login, &app.fresh_code()).verdict, "allow");
    assert_eq!(t.letters(), 0);
    assert!(!t.daemon.said().contains('\u{1b}'));
    forget();
    let userdb = userdb.expect("a server");
    userdb.say(bobs(""));
    let begun = t.begin("bob", "passed");
    assert!(begun.said.contains("A code was sent to b***@example.org"), "the control: {begun:?}");
}

/// A server as somebody else, who has made the socket.
struct Foreign(Child);

impl Foreign {
    fn start(uid: u32) -> Self {
        let folder = std::path::Path::new(SOCKET).parent().expect("a folder");
        std::fs::create_dir_all(folder).expect("our own /run");
        std::os::unix::fs::chown(folder, Some(uid), None).expect("root may");
        let record = format!(
            "{{\"parameters\":{{\"record\":{{\"userName\":\"bob\",\"uid\":{},\"emailAddress\":\"dave@example.org\"}},\"incomplete\":false}}}}",
            BOB.uid
        );
        let script = "use IO::Socket::UNIX; $s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 8) or die;
                      chmod 0666, $ARGV[0]; while ($c = $s->accept) { local $/ = \"\\0\"; <$c>; print $c \"$ARGV[1]\\0\"; $c->flush; close $c }";
        let child = Command::new("perl")
            .args(["-e", script, SOCKET, &record])
            .stdin(Stdio::null())
            .uid(uid)
            .spawn()
            .expect("perl");
        let until = Instant::now() + Duration::from_secs(10);
        while !std::path::Path::new(SOCKET).exists() {
            assert!(Instant::now() < until, "the server does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self(child)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
        drop(std::fs::remove_file(SOCKET));
    }
}

#[test]
fn enr_03_a_user_database_that_is_not_root_s_is_not_believed() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Tool("perl"));
    let t = start(ONLY, "", "\"record\", \"pattern\"");
    let server = Foreign::start(DAVE.uid);
    let begun = t.begin("bob", "passed");
    assert!(begun.said.contains("cannot be looked up now"), "{begun:?}");
    assert!(t.daemon.said().contains(&format!("served by uid {}, not by root", DAVE.uid)));
    drop(server);
    forget();
    let _server = Foreign::start(0);
    assert!(t.begin("bob", "passed").said.contains("A code was sent to d***e@example.org"), "the control");
    assert_eq!(t.letters(), 1);
}
