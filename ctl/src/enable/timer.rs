//! The way back that needs nobody: a timer of systemd's, and a unit for the time after a restart.

use super::commands::ask;
use super::host::Host;

/// Takes back at the next boot what nobody confirmed before it; shipped with the package.
const AT_BOOT: &str = "countersign-rollback.service";

/// The transient units of a change.
fn unit(id: &str) -> String {
    format!("countersign-rollback-{id}")
}

/// Arms both. The timer is systemd's: it runs when we are dead, the connection is gone and no daemon answers.
pub(super) fn arm(host: &Host, service: &str, id: &str, seconds: u64) -> Result<(), String> {
    if !host.is_running() {
        return Err("systemd does not run here".to_owned());
    }
    ask("systemctl", &["--quiet", "enable", AT_BOOT])?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let unit = unit(id);
    ask(
        "systemd-run",
        &[
            "--quiet",
            "--collect",
            &format!("--unit={unit}"),
            &format!("--description=Take back countersignctl enable {service}, which nobody confirmed"),
            &format!("--on-active={seconds}s"),
            "--timer-property=AccuracySec=1s",
            // A disk that is full now has room again later.
            "--property=Restart=on-failure",
            "--property=RestartSec=10",
            "--",
            &program.display().to_string(),
            "disable",
            "--rollback",
            id,
        ],
    )?;
    ask("systemctl", &["--quiet", "is-active", &format!("{unit}.timer")]).map(drop)
}

/// Disarms the timer of a change that was confirmed or undone. What it would do is nothing by then.
pub(super) fn disarm(host: &Host, id: &str) {
    if host.is_running() {
        drop(ask("systemctl", &["--quiet", "stop", &format!("{}.timer", unit(id))]));
    }
}
