//! What the kernel says of this process.

/// The effective uid, which is what a bus sees of us.
pub(crate) fn euid() -> u32 {
    // SAFETY: geteuid(2) takes nothing, touches nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// The host's executable: not `argv[0]`, which its caller chooses, and not its title, which sshd
/// overwrites. A link is read, no file opened. Empty without /proc.
pub(crate) fn program() -> String {
    let Ok(path) = std::fs::read_link("/proc/self/exe") else {
        return String::new();
    };
    let path = path.to_string_lossy();
    // The kernel's mark after an upgrade under a running host.
    path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned()
}
