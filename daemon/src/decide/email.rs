//! Codes by e-mail: when one may be sent, and what a typed one is.

use crate::clock::{Moment, Stamp};
use crate::random;
use zeroize::Zeroizing;

/// Letters with codes that one person is sent at most, within so many milliseconds. A hijacked
/// password must not become a flood in somebody's mailbox.
const PER_PERSON: [(usize, i64); 3] = [(3, 5 * 60_000), (5, 10 * 60_000), (15, 60 * 60_000)];
/// What the caps look back on.
pub const LOOKS_BACK_MS: i64 = 60 * 60_000;
/// Letters of one person that the caps need to know of.
pub const LOOKS_AT: u32 = 15;

/// What holds for codes by e-mail, by configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a code works.
    pub valid_ms: i64,
    /// How long after a code the next one can be asked for.
    pub resend_ms: i64,
    /// Letters of the whole host within an hour.
    pub most_per_hour: u32,
}

/// A login in which a code may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// When the last code of this login was sent, if one was and is not used up.
    pub sent: Option<Stamp>,
    /// Whether the typed digits are that code.
    pub matches: bool,
    /// The ages of the person's letters of the last hour in milliseconds, newest first.
    pub ages: Vec<i64>,
    /// The age of the letter that is one too many for the host, if there is one.
    pub host_full: Option<i64>,
    /// What holds.
    pub limits: Limits,
}

/// What comes of asking for a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// One is sent, and the one before it is void.
    Send,
    /// One was sent just now; milliseconds until another can be asked for.
    TooSoon(i64),
    /// Too many were sent; milliseconds until another can be asked for.
    Capped(i64),
}

/// What typed digits are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// The code of this login.
    Right,
    /// It was.
    Expired,
    /// No code of this login.
    Wrong,
}

impl Way {
    /// Whether a code is sent now.
    #[must_use]
    pub fn order(&self, now: Moment) -> Order {
        if let Some(sent) = self.sent
            && !now.is_past(sent, self.limits.resend_ms)
        {
            return Order::TooSoon(self.limits.resend_ms - now.since(sent));
        }
        let person = PER_PERSON.into_iter().filter_map(|(most, within)| {
            let age = self.ages.get(most - 1)?;
            (*age < within).then_some(within - age)
        });
        let host = self.host_full.map(|age| (LOOKS_BACK_MS - age).max(1000));
        person.chain(host).max().map_or(Order::Send, Order::Capped)
    }

    /// What the typed digits are.
    #[must_use]
    pub fn check(&self, now: Moment) -> Match {
        match self.sent {
            Some(sent) if self.matches && !now.is_past(sent, self.limits.valid_ms) => Match::Right,
            Some(_) if self.matches => Match::Expired,
            _ => Match::Wrong,
        }
    }
}

/// A fresh code of so many digits.
///
/// # Errors
/// When there is no randomness.
pub fn fresh(digits: u8) -> Result<Zeroizing<String>, crate::error::Error> {
    let digits = usize::from(digits.clamp(6, 10));
    // 128 bits over at most 10^10: the bias is below anything that can be measured.
    let number = u128::from_le_bytes(random::bytes()?) % 10_u128.pow(u32::try_from(digits).unwrap_or(8));
    Ok(Zeroizing::new(format!("{number:0digits$}")))
}

/// An address as a person may see it who has only typed a password: the first and the last letter.
#[must_use]
pub fn mask(address: &str) -> String {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let mut letters = local.chars();
    let first = letters.next().map(String::from).unwrap_or_default();
    // Of a short name the last letter would tell most of the rest.
    let last =
        letters.next_back().filter(|_| local.chars().count() > 3).map(String::from).unwrap_or_default();
    format!("{first}***{last}@{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment { wall: 59, date: 59, boot_ms: 10_000_000, boot: [1; 16] };

    fn way() -> Way {
        let limits = Limits { valid_ms: 600_000, resend_ms: 30_000, most_per_hour: 1000 };
        Way { sent: None, matches: false, ages: vec![], host_full: None, limits }
    }

    fn sent(ago: i64) -> Way {
        Way { sent: Some(Stamp { boot: NOW.boot, ms: NOW.boot_ms - ago }), matches: true, ..way() }
    }

    #[test]
    fn rpl_15_a_code_lives_ten_minutes_of_boot_time() {
        assert_eq!(sent(0).check(NOW), Match::Right);
        assert_eq!(sent(599_000).check(NOW), Match::Right);
        assert_eq!(sent(600_000).check(NOW), Match::Expired);
        assert_eq!(sent(601_000).check(NOW), Match::Expired);
        assert_eq!(Way { matches: false, ..sent(0) }.check(NOW), Match::Wrong);
        assert_eq!(Way { sent: None, ..sent(0) }.check(NOW), Match::Wrong);
        let rebooted = Moment { boot: [2; 16], ..NOW };
        assert_eq!(sent(0).check(rebooted), Match::Expired);
    }

    #[test]
    fn bru_09_one_person_is_sent_three_in_five_minutes_five_in_ten_fifteen_in_an_hour() {
        let minutes = |ages: &[i64]| Way { ages: ages.iter().map(|m| m * 60_000).collect(), ..way() };
        assert_eq!(way().order(NOW), Order::Send);
        assert_eq!(minutes(&[1, 2]).order(NOW), Order::Send);
        assert_eq!(minutes(&[1, 2, 3]).order(NOW), Order::Capped(120_000));
        assert_eq!(minutes(&[1, 2, 5]).order(NOW), Order::Send);
        assert_eq!(minutes(&[1, 2, 6, 7]).order(NOW), Order::Send);
        assert_eq!(minutes(&[1, 2, 6, 7, 8]).order(NOW), Order::Capped(120_000));
        let fifteen: Vec<i64> = (0..15).map(|n| 11 + n).collect();
        assert_eq!(minutes(&fifteen).order(NOW), Order::Capped(35 * 60_000));
        assert_eq!(Way { host_full: Some(3_000_000), ..way() }.order(NOW), Order::Capped(600_000));
    }

    #[test]
    fn a_second_code_waits() {
        assert_eq!(sent(10_000).order(NOW), Order::TooSoon(20_000));
        assert_eq!(sent(30_000).order(NOW), Order::Send);
    }

    #[test]
    fn codes_have_their_digits_and_addresses_their_mask() {
        for digits in 6..=10 {
            let code = fresh(digits).expect("randomness");
            assert!(code.len() == usize::from(digits) && code.bytes().all(|b| b.is_ascii_digit()));
        }
        for (address, masked) in [
            ("alice@example.org", "a***e@example.org"),
            ("bob@example.org", "b***@example.org"),
            ("x@y", "x***@y"),
        ] {
            assert_eq!(mask(address), masked);
        }
    }
}
