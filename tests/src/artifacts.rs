//! Where the files under test and the distribution's modules lie.

use std::path::{Path, PathBuf};

/// The root of the checkout.
#[must_use]
pub fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent").to_owned()
}

/// The directory that `make stage` fills; `COUNTERSIGN_STAGE` names another.
#[must_use]
pub fn stage() -> PathBuf {
    std::env::var_os("COUNTERSIGN_STAGE").map_or_else(|| source_root().join("target/stage"), PathBuf::from)
}

/// The PAM module as it ships.
///
/// # Panics
/// When it was not staged.
#[must_use]
pub fn module() -> PathBuf {
    staged("pam_countersign.so")
}

/// The daemon as it ships.
///
/// # Panics
/// When it was not staged.
#[must_use]
pub fn daemon() -> PathBuf {
    staged("countersignd")
}

/// The mailer as it ships.
///
/// # Panics
/// When it was not staged.
#[must_use]
pub fn mailer() -> PathBuf {
    staged("countersign-mailer")
}

/// The command line tool as it ships.
///
/// # Panics
/// When it was not staged.
#[must_use]
pub fn ctl() -> PathBuf {
    staged("countersignctl")
}

fn staged(name: &str) -> PathBuf {
    // Inside a `World` the stage is mounted where every uid can reach it, which a checkout in /root is not.
    let reachable = Path::new(crate::world::STAGE_MOUNT).join(name);
    if reachable.exists() {
        return reachable;
    }
    let path = stage().join(name);
    assert!(path.exists(), "{} is missing: run `make stage` first", path.display());
    path
}

/// pam_matrix.so of the Debian package libpam-wrapper.
#[must_use]
pub fn pam_matrix() -> PathBuf {
    distribution_file("pam_wrapper/pam_matrix.so")
}

/// libfaketime for threads, of the Debian package libfaketime.
#[must_use]
pub fn libfaketime() -> PathBuf {
    distribution_file("faketime/libfaketimeMT.so.1")
}

/// libnss_wrapper of the Debian package libnss-wrapper.
#[must_use]
pub fn nss_wrapper() -> PathBuf {
    distribution_file("libnss_wrapper.so")
}

fn distribution_file(name: &str) -> PathBuf {
    find_library(name).unwrap_or_else(|| panic!("{name} is missing: tests/PACKAGES lists what to install"))
}

/// A file below the distribution's library directory, multiarch or not.
pub(crate) fn find_library(name: &str) -> Option<PathBuf> {
    let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    [multiarch.as_str(), "/usr/lib64", "/usr/lib"]
        .iter()
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.exists())
}
