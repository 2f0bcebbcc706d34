//! What a test needs of the machine, and skipping loudly where that is missing.
//!
//! nextest cannot skip at run time: a test that returns early counts as passed. A skipped test
//! therefore writes `SKIPPED name: why` to stderr and as one line into the file named by
//! `COUNTERSIGN_SKIPS`; `make test` prints that list with its count at the end.
//! Where `COUNTERSIGN_NO_SKIPS=1` is set (CI), a skip is a failure.
//!
//! ```no_run
//! # fn some_test() {
//! countersign_tests::require!(Root, Tool("strace"));
//! # }
//! ```

use std::io::Write as _;
use std::path::Path;

/// One thing that a test needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// uid 0 with the right to make mount namespaces.
    Root,
    /// A program in `PATH` or the sbin directories.
    Tool(&'static str),
    /// A file, such as a distribution's module.
    File(&'static str),
    /// A file below the distribution's library directory, such as `pam_wrapper/pam_matrix.so`.
    Library(&'static str),
    /// A PAM module of the distribution, by file name.
    PamModule(&'static str),
    /// A file of `make stage`. Missing, it is a failure and not a skip: forgetting to build is no property of a machine.
    Staged(&'static str),
    /// The right to trace processes of the same machine.
    Ptrace,
}

impl Need {
    /// Why this machine cannot provide it, or `None` when it can.
    ///
    /// # Panics
    /// When a staged file is missing.
    #[must_use]
    pub fn missing(self) -> Option<String> {
        let present = match self {
            Self::Root => nix::unistd::geteuid().is_root(),
            Self::Tool(name) => tool(name),
            Self::File(path) => Path::new(path).exists(),
            Self::Library(name) => crate::artifacts::find_library(name).is_some(),
            Self::PamModule(name) => pam_module(name),
            Self::Staged(name) => {
                let path = crate::artifacts::stage().join(name);
                assert!(path.exists(), "{} is missing: run `make stage` first", path.display());
                true
            }
            Self::Ptrace => tool("strace") && nix::unistd::geteuid().is_root(),
        };
        (!present).then(|| format!("needs {self:?}"))
    }
}

fn tool(name: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':').chain(["/usr/sbin", "/sbin", "/usr/bin"]).any(|dir| Path::new(dir).join(name).exists())
}

fn pam_module(name: &str) -> bool {
    let multiarch = format!("/lib/{}-linux-gnu/security", std::env::consts::ARCH);
    [multiarch.as_str(), "/lib/security", "/usr/lib64/security", "/usr/lib/security"]
        .iter()
        .any(|dir| Path::new(dir).join(name).exists())
}

/// Whether the calling test must be skipped; says so loudly when it must. Use [`crate::require!`].
///
/// # Panics
/// Instead of skipping, where `COUNTERSIGN_NO_SKIPS=1`.
#[must_use]
pub fn must_skip(needs: &[Need]) -> bool {
    let missing: Vec<String> = needs.iter().filter_map(|need| need.missing()).collect();
    if missing.is_empty() {
        return false;
    }
    skip(&missing.join(", "));
    true
}

/// Records that the calling test is skipped, with the reason. The caller then returns.
///
/// # Panics
/// Where `COUNTERSIGN_NO_SKIPS=1`.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("?");
    let line = format!("SKIPPED {name}: {why}\n");
    eprint!("{line}");
    assert!(
        std::env::var_os("COUNTERSIGN_NO_SKIPS").is_none_or(|v| v != "1"),
        "skips are not allowed here: {line}"
    );
    if let Some(file) = std::env::var_os("COUNTERSIGN_SKIPS") {
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)
            .and_then(|mut f| f.write_all(line.as_bytes()))
            .expect("append to the file COUNTERSIGN_SKIPS names");
    }
}

/// Returns from the calling test, loudly skipped, unless the machine has all of these [`Need`]s.
#[macro_export]
macro_rules! require {
    ($($need:expr),+ $(,)?) => {{
        #[allow(unused_imports, reason = "a test may name only some of them")]
        use $crate::needs::Need::*;
        if $crate::needs::must_skip(&[$($need),+]) {
            return;
        }
    }};
}
