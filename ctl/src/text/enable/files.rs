//! What is wrong with a file below /etc that `enable` would change.

use std::fmt::Display;

pub(crate) fn unreadable(path: &str, error: &impl Display) -> String {
    format!("{path} cannot be read ({error}).")
}

pub(crate) fn unwritable(path: &str, error: &std::io::Error) -> String {
    let next = match error.raw_os_error() {
        // EPERM for root: the file or its folder is immutable.
        Some(1) => format!("\nIt may be immutable. See:  lsattr -d {path}"),
        // EROFS
        Some(30) => "\nThe file system is mounted read-only.".to_owned(),
        // ENOSPC, EDQUOT
        Some(28 | 122) => "\nThe file system is full. See:  df /etc".to_owned(),
        _ => String::new(),
    };
    format!("{path} cannot be written ({error}). Nothing was changed.{next}")
}

pub(crate) fn is_link(path: &str, target: &str) -> String {
    format!(
        "{path} is a symbolic link (to {target}): some other tool manages\n\
         it, and would take a change back. Nothing was changed. Add the lines there by that tool's own means."
    )
}

pub(crate) fn not_a_file(path: &str) -> String {
    format!("{path} is no plain file.")
}

pub(crate) fn several_names(path: &str, names: u64) -> String {
    format!("{path} has {names} names (hard links), and only one would be changed.")
}

pub(crate) fn not_roots(path: &str, uid: u32) -> String {
    format!(
        "{path} belongs to uid {uid} and not to root: whoever that is could let anybody in.\nType:  chown root {path}"
    )
}

pub(crate) fn too_open(path: &str, mode: u32) -> String {
    format!("{path} can be written by others than root (mode {mode:o}).\nType:  chmod go-w {path}")
}

pub(crate) fn too_large(path: &str) -> String {
    format!("{path} is larger than 1 MiB, which no such file is.")
}

pub(crate) fn not_text(path: &str) -> String {
    format!("{path} is not UTF-8.")
}

pub(crate) fn changed_meanwhile(path: &str) -> String {
    format!("{path} was changed by somebody else just now. Look at it, and begin again.")
}
