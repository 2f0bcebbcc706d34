//! Where things are on the host, or below a folder that stands for one.

use std::path::{Path, PathBuf};

/// What `enable` has changed: one folder for each service. Root's alone.
pub(super) const RECORDS: &str = "/etc/countersign/enabled.d";
/// Services of the administrator's.
pub(super) const PAM: &str = "/etc/pam.d";
/// Services as some distributions ship them; a file of the same name in `/etc/pam.d` comes first.
pub(super) const PAM_SHIPPED: &str = "/usr/lib/pam.d";

/// A host.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    root: PathBuf,
    bus: Option<String>,
}

impl Host {
    /// This one.
    pub(crate) fn this() -> Self {
        Self::below("/")
    }

    /// The same, whose daemon is on this bus.
    pub(super) fn on(bus: &str) -> Self {
        Self { bus: Some(bus.to_owned()), ..Self::this() }
    }

    /// The bus on which its daemon is told what was done.
    pub(super) fn bus(&self) -> Option<&str> {
        self.bus.as_deref()
    }

    /// A tree that looks like one.
    pub(crate) fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), bus: None }
    }

    /// Where a file of the host is for us.
    pub(super) fn real(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether this is the running system, whose units can be asked.
    pub(super) fn is_running(&self) -> bool {
        self.root == Path::new("/") && Path::new("/run/systemd/system").is_dir()
    }
}
