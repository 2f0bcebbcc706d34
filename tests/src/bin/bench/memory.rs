//! What grows with the number of enrolled people: two daemons side by side, with few and with many.

use crate::codes::Codes;
use crate::ours::Ours;
use crate::people;
use crate::sample;
use crate::stats::Series;
use countersign_tests::World;
use std::fs;

/// People enrolled in the small one; they log in at both.
const FEW: usize = 10;
/// People enrolled in the large one.
const MANY: usize = 100_000;
/// Times that all codes are used up and forgotten again.
const ROUNDS: usize = 10;

/// One of the two daemons.
pub(crate) struct Grown {
    pub(crate) enrolled: usize,
    /// Whole logins, account phase included.
    pub(crate) logins: Series,
    pub(crate) refused: usize,
    pub(crate) memory: Memory,
}

/// Memory of a process, in KiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// Everything mapped and present, shared libraries included.
    pub(crate) resident: u64,
    /// The same with shared pages divided among those who share them.
    pub(crate) proportional: u64,
    /// What nobody else has.
    pub(crate) private: u64,
}

impl Memory {
    pub(crate) fn of(pid: u32) -> Self {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let kib = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
        };
        Self {
            resident: kib("Rss:"),
            proportional: kib("Pss:"),
            private: kib("Private_Clean:") + kib("Private_Dirty:"),
        }
    }
}

/// Both daemons, after their logins.
pub(crate) fn measure(world: &World) -> Vec<Grown> {
    let mut pair: Vec<(Ours, Codes, Grown)> = [FEW, MANY].map(|enrolled| start(world, enrolled)).into();
    for _ in 0..ROUNDS {
        for (ours, codes, _) in &mut pair {
            ours.forget_codes();
            codes.forget();
        }
        for n in 0..codes_per_round() {
            for (ours, codes, grown) in &mut pair {
                let (person, code) = codes.take();
                let timed = sample::login(ours.stack.dir(), "cs", &people::name(person), &code, true);
                match (timed.passed, n > 0) {
                    (true, true) => grown.logins.add(timed.whole),
                    (true, false) => {}
                    (false, _) => grown.refused += 1,
                }
            }
        }
    }
    pair.into_iter()
        .map(|(ours, _, grown)| Grown { memory: Memory::of(ours.daemon.pid()), ..grown })
        .collect()
}

fn start(world: &World, enrolled: usize) -> (Ours, Codes, Grown) {
    let ours = Ours::start(world, FEW, enrolled);
    let codes = Codes::new(&people::keys()[..FEW]);
    let memory = Memory::of(ours.daemon.pid());
    (ours, codes, Grown { enrolled, logins: Series::default(), refused: 0, memory })
}

/// Two of the three codes that each gives: the third would have to wait where a step just ends.
fn codes_per_round() -> usize {
    2 * FEW
}
