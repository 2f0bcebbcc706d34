//! Time-based one-time passwords (RFC 6238) with a watermark against replay.
//!
//! The crate that computes codes protects from no replay (RFC 6238, 5.2 asks the verifier to), so
//! a match counts only when its step lies above the last step accepted.

use std::fmt::Write as _;
use totp_rs::{Algorithm, Builder, Secret};
use zeroize::Zeroizing;

/// Bytes of a secret we generate: 160 bits, the length of the HMAC (RFC 4226, 4 R6).
pub const SECRET_BYTES: usize = 20;
/// How far a phone's clock may be off and is still recognised, in seconds either way.
const CLOCK_OFF_SECONDS: i64 = 600;

/// Seconds by which a clock may be off to be put right by two codes.
pub const RESYNC: i64 = 10 * 60;
/// An authenticator as it is checked: its secret in the clear, for the length of one decision.
pub struct Authenticator {
    /// Row id in the store.
    pub id: i64,
    /// The shared secret.
    pub secret: Zeroizing<Vec<u8>>,
    /// Digits of a code, 6 or 8.
    pub digits: u8,
    /// Seconds of a step, 30 or 60.
    pub period: u32,
    /// Steps accepted on either side.
    pub skew: u8,
    /// The highest step ever accepted, by the authenticator's own clock; -1 is none.
    pub last_step: i64,
    /// Seconds that the authenticator's clock is ahead of ours.
    pub drift: i64,
}

/// What an answer is to an authenticator.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// The code of a step that was never used.
    Fresh {
        /// The step, to become the watermark.
        step: i64,
    },
    /// A code that is used up.
    Reused {
        /// Seconds until the app shows one that is not.
        wait: i64,
    },
    /// No code of this authenticator now.
    Wrong,
}

impl Authenticator {
    /// Compares an answer of digits with the codes of the steps around `wall` (seconds since 1970).
    pub fn check(&self, code: &str, wall: i64) -> Match {
        let period = i64::from(self.period);
        let wall = wall.saturating_add(self.drift);
        if period <= 0 || wall < 0 {
            return Match::Wrong;
        }
        let now = wall / period;
        let mut reused = false;
        // Every step of the window is computed, so the time taken tells nothing of which matched.
        let mut fresh = None;
        for step in (now - i64::from(self.skew)).max(0)..=now + i64::from(self.skew) {
            if self.code_matches(code, step) {
                if step > self.last_step {
                    fresh = fresh.or(Some(step));
                } else {
                    reused = true;
                }
            }
        }
        match fresh {
            Some(step) => Match::Fresh { step },
            None if reused => Match::Reused { wait: ((self.last_step.max(now) + 1) * period - wall).max(1) },
            None => Match::Wrong,
        }
    }

    /// Which other step a code is of that is right for none around `wall`: that step, and how many
    /// seconds the clock that made it is ahead of ours (negative: behind), if within ten minutes.
    /// Whoever is told so has learnt a code of that step, so it must be used up first.
    #[must_use]
    pub fn clock_off(&self, code: &str, wall: i64) -> Option<(i64, i64)> {
        let period = i64::from(self.period);
        let theirs = wall.saturating_add(self.drift);
        if period <= 0 || theirs < 0 {
            return None;
        }
        let now = theirs / period;
        (i64::from(self.skew) + 1..=CLOCK_OFF_SECONDS / period)
            .flat_map(|distance| [-distance, distance])
            .filter(|offset| now + offset >= 0)
            .find(|offset| self.code_matches(code, now + offset))
            .map(|offset| (now + offset, offset * period + self.drift))
    }

    /// Compares two answers with each two codes in a row of the last and next [`RESYNC`] seconds. Gives
    /// the seconds that the authenticator's clock is ahead of ours, and the step of the second code.
    /// Steps at or below the watermark count for nothing (RFC 6238, 5.2), unless it lies in a future
    /// that no clock within bounds has reached: then ours was wrong when it was set.
    #[must_use]
    pub fn resync(&self, first: &str, second: &str, wall: i64) -> Option<(i64, i64)> {
        let period = i64::from(self.period);
        if period <= 0 || wall < 0 {
            return None;
        }
        let now = wall / period;
        let reach = RESYNC / period;
        let misset = self.last_step > now + reach + 1;
        let mut found = None;
        for step in (now - reach).max(0)..=now + reach {
            let both = self.code_matches(first, step) & self.code_matches(second, step + 1);
            if both && (misset || step > self.last_step) {
                found = found.or(Some(((step + 1 - now) * period, step + 1)));
            }
        }
        found
    }

    fn code_matches(&self, code: &str, step: i64) -> bool {
        let Ok(time) = u64::try_from(step * i64::from(self.period)) else { return false };
        // Imported secrets and RFC test vectors may be shorter than what `build` insists on; what
        // may be enrolled is decided where it is enrolled.
        let totp = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(self.digits)
            .with_skew(0)
            .with_step_duration(u64::from(self.period))
            .with_secret(Secret::from(self.secret.as_slice()))
            .build_noncompliant();
        totp.check(code, time).is_some()
    }
}

/// The secret in unpadded base32 (RFC 4648), as apps and people type it.
#[must_use]
pub fn base32(secret: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(Secret::from(secret).to_base32())
}

/// The `otpauth` URI of a secret (the Key Uri Format that authenticator apps read).
/// Parameters at their default value are left out, which keeps the QR code small.
#[must_use]
pub fn uri(issuer: &str, account: &str, secret: &str, digits: u8, period: u32) -> Zeroizing<String> {
    let issuer = percent_encode(issuer);
    let account = percent_encode(account);
    let mut uri =
        Zeroizing::new(format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}"));
    if digits != 6 {
        let _ = write!(*uri, "&digits={digits}");
    }
    if period != 30 {
        let _ = write!(*uri, "&period={period}");
    }
    uri
}

/// Percent-encodes everything but RFC 3986 unreserved characters.
fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc(last_step: i64) -> Authenticator {
        Authenticator {
            id: 1,
            secret: Zeroizing::new(b"12345678901234567890".to_vec()),
            digits: 8,
            period: 30,
            skew: 1,
            last_step,
            drift: 0,
        }
    }

    /// RFC 6238, appendix B, the SHA-1 rows: the algorithm that every authenticator app speaks.
    #[test]
    fn rpl_17_rfc_6238_vectors() {
        for (time, code) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            assert_eq!(rfc(-1).check(code, time), Match::Fresh { step: time / 30 }, "at {time}");
        }
    }

    #[test]
    fn rpl_17_years_2038_and_2106() {
        for time in [2_147_483_648_i64, 4_294_967_296, 4_294_967_295] {
            let step = time / 30;
            let code = code_of(&rfc(-1), step);
            assert_eq!(rfc(-1).check(&code, time), Match::Fresh { step });
            assert!(matches!(rfc(step).check(&code, time), Match::Reused { .. }));
        }
    }

    #[test]
    fn avl_11_the_window_is_one_step_either_way() {
        let time = 1_800_000_015;
        let now = time / 30;
        for offset in -3..=3 {
            let got = rfc(-1).check(&code_of(&rfc(-1), now + offset), time);
            let expected = if offset.abs() <= 1 { Match::Fresh { step: now + offset } } else { Match::Wrong };
            assert_eq!(got, expected, "offset {offset}");
        }
    }

    #[test]
    fn rpl_01_a_step_is_accepted_once_and_older_ones_never_again() {
        let time = 1_800_000_018;
        let now = time / 30;
        assert_eq!(rfc(now).check(&code_of(&rfc(-1), now), time), Match::Reused { wait: 12 });
        assert_eq!(rfc(now).check(&code_of(&rfc(-1), now - 1), time), Match::Reused { wait: 12 });
        assert_eq!(rfc(now).check(&code_of(&rfc(-1), now + 1), time), Match::Fresh { step: now + 1 });
        assert_eq!(rfc(now + 1).check(&code_of(&rfc(-1), now + 1), time), Match::Reused { wait: 42 });
    }

    #[test]
    fn rpl_07_drift_moves_the_window_and_does_not_widen_it() {
        let time = 1_800_000_015;
        let theirs = time / 30 + 4;
        let ahead = || Authenticator { drift: 120, ..rfc(-1) };
        for offset in -6..=3 {
            let got = ahead().check(&code_of(&rfc(-1), theirs + offset), time);
            let expected =
                if offset.abs() <= 1 { Match::Fresh { step: theirs + offset } } else { Match::Wrong };
            assert_eq!(got, expected, "offset {offset}");
        }
        let used = Authenticator { last_step: theirs, ..ahead() };
        assert_eq!(used.check(&code_of(&rfc(-1), theirs), time), Match::Reused { wait: 15 });
    }

    #[test]
    fn rpl_07_two_codes_in_a_row_within_ten_minutes_put_a_clock_right() {
        let time = 1_800_000_015;
        let now = time / 30;
        let two = |a: &Authenticator, step| a.resync(&code_of(a, step), &code_of(a, step + 1), time);
        for offset in [-20, -4, 0, 7, 20] {
            assert_eq!(two(&rfc(-1), now + offset), Some(((offset + 1) * 30, now + offset + 1)), "{offset}");
        }
        for offset in [-21, 21, 1000] {
            assert_eq!(two(&rfc(-1), now + offset), None, "{offset}");
        }
        let app = rfc(-1);
        assert_eq!(app.resync(&code_of(&app, now), &code_of(&app, now + 2), time), None, "not in a row");
        assert_eq!(app.resync(&code_of(&app, now + 1), &code_of(&app, now), time), None, "backwards");
        assert_eq!(two(&rfc(now - 3), now - 3), None, "the first was used");
        assert_eq!(two(&rfc(now - 3), now - 2), Some((-30, now - 1)));
        // Our clock was an hour ahead when the watermark was set.
        assert_eq!(two(&rfc(now + 120), now), Some((30, now + 1)));
        assert_eq!(two(&rfc(now + 20), now), None, "ten minutes are waited out");
    }

    #[test]
    fn inp_11_odd_clocks_match_nothing_and_do_not_panic() {
        assert_eq!(rfc(-1).check("94287082", -1), Match::Wrong);
        assert_eq!(rfc(-1).check("94287082", 0), Match::Fresh { step: 1 });
        let _ = rfc(-1).check("94287082", i64::MAX / 2);
    }

    #[test]
    fn inp_08_uri_and_base32() {
        assert_eq!(base32(b"12345678901234567890").as_str(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(base32(b"f").as_str(), "MY");
        assert_eq!(
            uri("Acme & Söhne", "al:ice@h?#%", "ABC", 6, 30).as_str(),
            "otpauth://totp/Acme%20%26%20S%C3%B6hne:al%3Aice%40h%3F%23%25?secret=ABC&issuer=Acme%20%26%20S%C3%B6hne"
        );
        assert!(uri("A", "b", "C", 8, 60).ends_with("&digits=8&period=60"));
    }

    fn code_of(a: &Authenticator, step: i64) -> String {
        let totp = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(a.digits)
            .with_step_duration(u64::from(a.period))
            .with_secret(Secret::from(a.secret.as_slice()))
            .build_noncompliant();
        totp.generate((step * i64::from(a.period)) as u64).to_string()
    }
}
