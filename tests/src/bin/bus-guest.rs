//! Somebody on a bus, in a process of their own. See `countersign_tests::bus_guest`.

fn main() {
    countersign_tests::bus_guest::serve();
}
