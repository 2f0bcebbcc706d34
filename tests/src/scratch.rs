//! Private directories that vanish with the test.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A directory below `TMPDIR`, mode 0755 so that other uids reach what is in it.
/// Deleted on drop, except where `COUNTERSIGN_KEEP` is set (its path is then printed).
#[derive(Debug)]
pub struct Scratch(Option<tempfile::TempDir>);

impl Scratch {
    /// Makes one whose name starts with `cs-` and this word.
    #[must_use]
    pub fn new(word: &str) -> Self {
        let dir = tempfile::Builder::new()
            .prefix(&format!("cs-{word}-"))
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir()
            .expect("a directory below TMPDIR");
        Self(Some(dir))
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.as_ref().expect("present until drop").path()
    }

    /// A path in it.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::env::var_os("COUNTERSIGN_KEEP").is_some()
            && let Some(dir) = self.0.take()
        {
            eprintln!("kept {}", dir.keep().display());
        }
    }
}
