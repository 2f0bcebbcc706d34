//! A PAM application in a process of its own. See `countersign_tests::host`.

fn main() {
    countersign_tests::host::serve();
}
