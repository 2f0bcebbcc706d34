//! Metrics: true, of nobody in particular, and read by somebody else's parser.

use super::{require_all, tamper};
use countersign_tests::people::ALICE;
use countersign_tests::scratch::Scratch;
use countersign_tests::{Fixture, HANG_UP};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Reads one of both formats and gives each sample as `name{label="value"} value`, and each type.
const PARSER: &str = r#"
import importlib, sys
parser = importlib.import_module(sys.argv[1])
for family in parser.text_string_to_metric_families(sys.stdin.read()):
    print(f"{family.type} {family.name}")
    for s in family.samples:
        labels = ",".join(f'{k}="{v}"' for k, v in sorted(s.labels.items()))
        print(f"{s.name}{{{labels}}} {s.value:g}")
"#;
const OPENMETRICS: &str = "prometheus_client.openmetrics.parser";
const CLASSIC: &str = "prometheus_client.parser";
const EXPORTER: &str = "/usr/bin/prometheus-node-exporter";

fn parsed(parser: &str, text: &str) -> Vec<String> {
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", PARSER, parser])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3");
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it reads");
    let out = child.wait_with_output().expect("it ends");
    assert!(out.status.success(), "{}\n{text}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect()
}

fn has(read: &[String], lines: &[&str]) {
    for line in lines {
        assert!(read.iter().any(|one| one == line), "{line}:\n{}", read.join("\n"));
    }
}

fn metrics(t: &Fixture) -> String {
    t.daemon.ctl().run(&["metrics"]).ok().stdout
}

/// What node_exporter makes of this text in its textfile collector's folder.
fn collected(text: &str) -> String {
    let folder = Scratch::new("metrics");
    std::fs::write(folder.path().join("countersign.prom"), text).expect("our own folder");
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|one| one.local_addr()).expect("a port").port();
    let mut exporter = Command::new(EXPORTER)
        .args(["--collector.disable-defaults", "--collector.textfile"])
        .arg(format!("--collector.textfile.directory={}", folder.path().display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stderr(Stdio::null())
        .spawn()
        .expect("node_exporter");
    let begun = Instant::now();
    let mut stream = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => break stream,
            Err(e) => assert!(begun.elapsed() < Duration::from_secs(8), "{e}"),
        }
        std::thread::sleep(Duration::from_millis(30));
    };
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("it reads");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("it answers");
    drop(exporter.kill());
    drop(exporter.wait());
    said
}

/// One family of a type that it does not know, and it refuses the whole file.
#[test]
fn metrics_are_taken_by_the_collector_that_they_are_for() {
    require_all!(File(EXPORTER));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    assert!(t.cs().visit("alice").run([alice.fresh_code()]).passed());
    let text = metrics(&t);
    let said = collected(&text);
    for line in [
        "node_textfile_scrape_error 0",
        "countersign_people_enrolled 1",
        "countersign_build_info{version=\"0.1.0\"} 1",
        "countersign_logins_total{factor=\"totp\",reason=\"\",state=\"verified\"} 1",
        "countersign_answer_seconds_count{call=\"begin\"} 1",
        "# TYPE countersign_answer_seconds histogram",
    ] {
        assert!(said.lines().any(|one| one == line), "{line}:\n{said}");
    }
    let refused = collected(&text.replace("countersign_build_info gauge", "countersign_build_info info"));
    assert!(refused.contains("node_textfile_scrape_error 1"), "the control: {refused}");
}

/// An address is a factor where a policy takes it, and counts as one.
#[test]
fn metrics_count_people_by_what_their_policy_takes() {
    require_all!(File("/usr/lib/python3/dist-packages/prometheus_client"));
    let mut t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    let _ = t.cs().visit("alice").run([HANG_UP]);
    let _ = t.cs().visit("bob").run([HANG_UP]);
    let mail = "INSERT INTO address VALUES (5002, 'bob', 'bob@example.org', 1, 0, 'root')";
    tamper(&mut t, |db| assert_eq!(db.execute(mail, []).expect("an address"), 1));
    let count = |t: &Fixture, enrolled: u32| {
        let read = parsed(OPENMETRICS, &metrics(t));
        has(&read, &["countersign_policy_people{policy=\"operators\"} 2"]);
        has(&read, &[&format!("countersign_policy_people_enrolled{{policy=\"operators\"}} {enrolled}")]);
        let all = t.daemon.ctl().run(&["status", "--json"]).ok().json();
        (
            all[0]["enrolled"].as_u64(),
            read.iter().find(|one| one.starts_with("countersign_people_enrolled")).cloned(),
        )
    };
    let people = |n: u32| (Some(u64::from(n)), Some(format!("countersign_people_enrolled{{}} {n}")));
    assert_eq!(count(&t, 1), people(1));
    for (factors, enrolled) in [("\"email\"", 1), ("\"totp\", \"email\"", 2)] {
        t.daemon.configure(&format!(
            "[mailbox.ops]\nserver = \"127.0.0.1:9\"\ntls = \"none\"\nlogin = \"none\"\nfrom = \"ops@example.org\"\n\
             [[policy]]\nname = \"operators\"\ngroups = [\"mfa-required\"]\nfactors = [{factors}]\nmailbox = \"ops\"\n"
        ));
        let _ = t.daemon.ctl().run(&["policy", "apply", "--accept-weaker", "--yes"]).ok();
        assert_eq!(count(&t, enrolled), people(2), "{factors}");
    }
}

/// `metrics` counts whom `doctor` names.
#[test]
fn metrics_and_doctor_agree_on_whose_time_is_over() {
    require_all!(File("/usr/lib/python3/dist-packages/prometheus_client"));
    let mut t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    let _ = t.daemon.ctl().run(&["require", "carol"]).ok();
    let _ = t.daemon.ctl().run(&["require", "alice"]).ok();
    // bob's time is over twice; a thousand others' once, and as many have time still.
    tamper(&mut t, |db| {
        db.execute_batch(
            "INSERT INTO grace (uid, name, began, until) VALUES (5002, 'bob', 1, 2);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2400)
             INSERT INTO grace (uid, name, began, until)
               SELECT 10000 + i, 'p' || i, 1, CASE WHEN i % 2 THEN 2 ELSE 4102444800 END FROM n",
        )
        .expect("time given");
    });
    let _ = t.daemon.ctl().run(&["require", "bob"]).ok();
    let read = parsed(OPENMETRICS, &metrics(&t));
    has(&read, &["countersign_people_past_date{} 1202", "countersign_people_in_grace{} 1200"]);
    let report = t.daemon.ctl().run(&["doctor", "--json"]).json().pop().expect("a report");
    let findings = report["findings"].as_array().expect("a list");
    let over = findings.iter().find(|one| one["id"] == "past-date").expect("found");
    let named = over["evidence"].as_array().expect("a list");
    assert_eq!(named.len(), 1000, "a report is read by somebody");
    let bob: Vec<&Value> =
        named.iter().filter(|one| one.as_str().is_some_and(|one| one.starts_with("bob"))).collect();
    assert_eq!(bob.len(), 1, "{bob:?}");
}

#[test]
fn metrics_are_true_and_name_nobody() {
    require_all!(File("/usr/lib/python3/dist-packages/prometheus_client"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    // Her phone is a step ahead of this host.
    for _ in 0..3 {
        t.clock().next_step();
        let code = alice.code_in(1);
        assert!(t.cs().visit("alice").rhost("192.0.2.7").run([code]).passed());
    }
    let wrong = alice.wrong_code(1);
    assert!(!t.cs().visit("alice").rhost("192.0.2.8").run(vec![&wrong; 3]).passed());
    assert!(!t.cs().visit("alice").rhost("192.0.2.8").run(vec![&wrong; 3]).passed());
    let _ = t.cs().visit("alice").rhost("192.0.2.7").run([HANG_UP]);
    assert!(t.cs().visit("carol").run([""; 0]).passed());
    assert!(!t.cs().visit("bob").run([""; 0]).passed());
    let _ = t.daemon.ctl().run(&["require", "carol"]).ok();
    let text = metrics(&t);
    let read = parsed(OPENMETRICS, &text);
    let lines = [
        "gauge countersign_people_enrolled",
        "countersign_people_enrolled{} 1",
        "countersign_people_few_recovery_codes{} 0",
        "countersign_policy_people{policy=\"operators\"} 2",
        "countersign_policy_people_enrolled{policy=\"operators\"} 1",
        "counter countersign_logins",
        "countersign_logins_total{factor=\"totp\",reason=\"\",state=\"verified\"} 3",
        "countersign_logins_total{factor=\"\",reason=\"wrong-code\",state=\"denied\"} 2",
        "countersign_logins_total{factor=\"\",reason=\"hung-up\",state=\"abandoned\"} 1",
        "countersign_logins_total{factor=\"\",reason=\"no-policy\",state=\"skipped\"} 1",
        "countersign_logins_total{factor=\"\",reason=\"not-enrolled\",state=\"denied\"} 1",
        "countersign_locks{lane=\"other\"} 1",
        "countersign_locks{lane=\"known\"} 0",
        "countersign_overrides{kind=\"require\"} 1",
        "countersign_clock_skew_seconds{} 30",
        "countersign_clock_skew_codes{} 3",
        "histogram countersign_answer_seconds",
        "countersign_answer_seconds_count{call=\"begin\"} 8",
        "countersign_log_rows{} 8",
        "countersign_acts{} 3",
        "countersign_log_chain_fits{} 1",
        "countersign_policy_file_in_force{} 1",
        "countersign_mail_queue_letters{} 0",
        "countersign_mail_queue_age_seconds{} 0",
        "countersign_build_info{version=\"0.1.0\"} 1",
        "countersign_people_past_date{} 1",
    ];
    has(&read, &lines);
    // The same text in the older format, where a counter goes by its sample's name and has no type.
    let classic = parsed(CLASSIC, &text);
    let samples: Vec<&str> = lines.iter().copied().filter(|line| line.contains('{')).collect();
    has(&classic, &samples);
    let types = |read: &[String]| -> BTreeSet<String> {
        let types = read.iter().filter(|line| !line.contains('{')).filter_map(|line| line.split(' ').next());
        types.map(str::to_owned).collect()
    };
    assert_eq!(types(&read), ["counter", "gauge", "histogram"].map(str::to_owned).into());
    assert!(
        types(&classic).is_subset(&["counter", "gauge", "histogram", "unknown"].map(str::to_owned).into())
    );
    assert!(text.ends_with("# EOF\n"));
    for name in ["alice", "bob", "carol", "192.0.2", "5001"] {
        assert!(!text.contains(name), "{name} is nobody's business: {text}");
    }
    assert_eq!(t.daemon.ctl().as_uid(ALICE.uid).run(&["metrics"]).code, Some(4));
    let values = t.daemon.ctl().run(&["metrics", "--json"]).ok().json();
    assert!(values.iter().any(|one| one["name"] == "countersign_log_rows" && one["value"] == 8.0));
}
