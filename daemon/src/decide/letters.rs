//! Letters with notices: how many somebody is sent, and when one is tried again. All in seconds.

/// How long a letter waits for more to tell: one act is often several notices.
pub const GATHERS: i64 = 2;
/// How long a letter is tried. Whoever logs in is told all the same.
pub const LIVES: i64 = 3 * DAY;
/// What the caps look back on.
pub const LOOKS_BACK: i64 = DAY;
/// Letters of one address that the caps need to know of.
pub const LOOKS_AT: u32 = 30;
/// The longest time between two tries.
const LONGEST_DELAY: i64 = 4 * HOUR;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// The time to the second try; each further one doubles it.
const FIRST_DELAY: i64 = 60;
/// Letters that one address is sent at most within so long, when they tell of mere tries: a stranger
/// who knows a name, or a password, can make those.
const TRIES: [(usize, i64); 3] = [(1, 10 * 60), (3, HOUR), (8, DAY)];
/// The same of letters that tell of changes. Neither counts for the other: nobody may silence a change
/// by noise.
const CHANGES: [(usize, i64); 2] = [(10, HOUR), (30, DAY)];

/// What a letter is judged by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether it tells of anything but tries.
    pub changes: bool,
    /// The ages of the letters of this kind to its address within [`LOOKS_BACK`], newest first.
    pub ages: Vec<i64>,
    /// The age of the letter that is one too many for the host within an hour, if there is one.
    pub host_full: Option<i64>,
}

impl Facts {
    /// How long the letter has to wait; `None` is not at all.
    #[must_use]
    pub fn wait(&self) -> Option<i64> {
        let caps: &[(usize, i64)] = if self.changes { &CHANGES } else { &TRIES };
        let address = caps.iter().filter_map(|(most, within)| {
            let age = self.ages.get(most - 1)?;
            (age < within).then_some(within - age)
        });
        let host = self.host_full.filter(|age| *age < HOUR).map(|age| HOUR - age);
        address.chain(host).max()
    }
}

/// How long after its so-many-eth try a letter is tried again.
#[must_use]
pub fn delay(tries: u32) -> i64 {
    let doubled = FIRST_DELAY.checked_shl(tries.saturating_sub(1)).filter(|delay| *delay > 0);
    doubled.map_or(LONGEST_DELAY, |delay| delay.min(LONGEST_DELAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(changes: bool, minutes: &[i64]) -> Option<i64> {
        Facts { changes, ages: minutes.iter().map(|m| m * 60).collect(), host_full: None }.wait()
    }

    #[test]
    fn enr_07_a_flood_of_tries_is_few_letters_and_a_change_is_one_at_once() {
        assert_eq!(wait(false, &[]), None);
        assert_eq!(wait(false, &[4]), Some(6 * 60));
        assert_eq!(wait(false, &[10]), None);
        assert_eq!(wait(false, &[10, 20, 30]), Some(30 * 60));
        assert_eq!(wait(false, &[61, 90, 180, 240, 300, 400, 500, 600]), Some((24 * 60 - 600) * 60));
        assert_eq!(wait(true, &[0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(wait(true, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 20]), Some(40 * 60));
        let full = Facts { changes: true, host_full: Some(600), ..Facts::default() };
        assert_eq!(full.wait(), Some(50 * 60));
        assert_eq!(Facts { host_full: Some(HOUR), ..full }.wait(), None);
    }

    #[test]
    fn tries_come_further_and_further_apart() {
        assert_eq!([1, 2, 3, 8, 9, 40, u32::MAX].map(delay), [60, 120, 240, 7680, 14_400, 14_400, 14_400]);
        // As many as fit into the life of a letter.
        let (mut at, mut tries) = (0, 0);
        while at < LIVES {
            tries += 1;
            at += delay(tries);
        }
        assert_eq!(tries, 25);
    }
}
