//! Metrics: true, of nobody in particular, and read by somebody else's parser.

use super::require_all;
use countersign_tests::people::ALICE;
use countersign_tests::{Fixture, HANG_UP};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Reads OpenMetrics strictly and gives each sample as `name{label="value"} value`, and each type.
const PARSER: &str = r#"
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    print(f"{family.type} {family.name}")
    for s in family.samples:
        labels = ",".join(f'{k}="{v}"' for k, v in sorted(s.labels.items()))
        print(f"{s.name}{{{labels}}} {s.value:g}")
"#;

fn parsed(text: &str) -> Vec<String> {
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", PARSER])
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
    let text = t.daemon.ctl().run(&["metrics"]).ok().stdout;
    let read = parsed(&text);
    for line in [
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
        "countersign_info{version=\"0.1.0\"} 1",
    ] {
        assert!(read.iter().any(|one| one == line), "{line}:\n{}", read.join("\n"));
    }
    assert!(text.ends_with("# EOF\n"));
    for name in ["alice", "bob", "carol", "192.0.2", "5001"] {
        assert!(!text.contains(name), "{name} is nobody's business: {text}");
    }
    assert_eq!(t.daemon.ctl().as_uid(ALICE.uid).run(&["metrics"]).code, Some(4));
    let values = t.daemon.ctl().run(&["metrics", "--json"]).ok().json();
    assert!(values.iter().any(|one| one["name"] == "countersign_log_rows" && one["value"] == 8.0));
}
