//! The sandbox of the unit, by what a program in it can really do.

use crate::require_boot;
use countersign_tests::Booted;

/// Runs a program in the daemon's sandbox: the unit, with another command.
const PROBE: &str = r"
set -u
cp /lib/systemd/system/countersignd.service /run/systemd/system/probe.service
sed -i 's|^Type=.*|Type=oneshot|; s|^ExecStart=.*|ExecStart=/usr/local/bin/probe|; s|^Restart=.*|Restart=no|; /^ExecReload/d; /^OOMScoreAdjust/d' /run/systemd/system/probe.service
systemctl daemon-reload
systemctl start probe.service
journalctl -u probe.service -o cat --no-pager | grep '^probe '
";

#[test]
fn prv_14_the_sandbox_refuses_what_the_daemon_never_does() {
    require_boot!();
    let host = Booted::with_package();
    host.put("/usr/local/bin/probe", include_bytes!("probe.pl"));
    host.ok("chmod 755 /usr/local/bin/probe");
    let said = host.ok(PROBE);
    let mut tried = 0;
    for line in said.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["probe", what, how, ..] = words.as_slice() else { continue };
        tried += 1;
        let expected = if *what == "write-state" || *what == "bus" { "worked" } else { "refused" };
        assert_eq!(*how, expected, "{line}\n{said}");
    }
    assert_eq!(tried, 13, "{said}");
    let score = host.ok("systemd-analyze security countersignd --no-pager | tail -n 1");
    eprintln!("{}", score.trim());
}
