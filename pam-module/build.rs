//! How the module is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // `nodelete`: Rust's thread-local destructors must not outlive the code they point into.
    // `relro`, `now`: nothing in the host's process stays writable that need not be.
    for argument in ["-Wl,-z,nodelete", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-soname,pam_countersign.so"] {
        println!("cargo::rustc-cdylib-link-arg={argument}");
    }
}
