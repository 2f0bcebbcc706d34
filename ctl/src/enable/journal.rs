//! What root changed by hand stands in the system's log, whether the daemon runs or not, and among the acts of
//! the attempt log where it does.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use zbus::connection::Builder;
use zbus::proxy::MethodFlags;

use countersign_protocol::manager::ManagerProxy;

use super::host::Host;

/// authpriv (10), notice (5).
const PRIORITY: u32 = 10 * 8 + 5;

/// One line; a log that takes none changes nothing.
pub(super) fn note(line: &str) {
    let by = std::fs::read_to_string("/proc/self/loginuid").unwrap_or_default();
    let by = match by.trim() {
        "" | "4294967295" => String::new(),
        uid => format!(" (login uid {uid})"),
    };
    let line = format!("<{PRIORITY}>countersignctl[{}]: {line}{by}", std::process::id());
    let send = || {
        let socket = UnixDatagram::unbound()?;
        // A log that is full must not hold up anybody.
        socket.set_nonblocking(true)?;
        socket.send_to(line.as_bytes(), "/dev/log")
    };
    drop(send());
}

/// What was done to a service.
#[derive(Debug, Clone, Copy)]
pub(super) enum Deed {
    Enable,
    Confirm,
    Disable,
    RollBack,
}

impl Deed {
    /// As the daemon knows it: one of its `NOTED_VERBS`.
    fn verb(self) -> &'static str {
        match self {
            Self::Enable => "EnableService",
            Self::Confirm => "ConfirmService",
            Self::Disable => "DisableService",
            Self::RollBack => "RollBackService",
        }
    }
}

/// Longest text that the daemon takes, in characters.
const LONGEST: usize = 1000;
/// How long is waited for a daemon that does not answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Has the daemon record it, where one runs: none is started for it, and what has been done stays done.
pub(super) fn act(host: &Host, deed: Deed, before: &str, after: &str, reason: &str) {
    let Some(bus) = host.bus() else { return };
    let [before, after, reason] = [before, after, reason].map(one_line);
    let call = async {
        let building = Builder::address(bus).method_timeout(PATIENCE).build();
        let manager = ManagerProxy::new(&building.await?).await?;
        let body = (deed.verb(), &*before, &*after, &*reason);
        manager.inner().call_with_flags::<_, _, ()>("NoteAct", MethodFlags::NO_AUTO_START, &body).await
    };
    let call = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        runtime.block_on(async { tokio::time::timeout(PATIENCE, call).await }).ok()?.ok()
    };
    // A thread of its own: half of our callers are inside of a runtime already.
    std::thread::scope(|scope| drop(scope.spawn(call).join()));
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect()
}
