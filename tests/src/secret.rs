//! A person's authenticator app: RFC 6238 written out, independent of the daemon's library.

use crate::clock::{Clock, real_step, sleep_until_step};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What an enrollment gave the person, and the codes that their app would show.
pub struct Secret {
    key: Vec<u8>,
    /// The key as typed by hand, RFC 4648 base32.
    pub base32: String,
    /// The `otpauth://` URI of the QR code; empty where there was none.
    pub uri: String,
    /// The recovery codes, as shown.
    pub recovery: Vec<String>,
    clock: Option<Arc<Clock>>,
    last: AtomicU64,
}

impl Secret {
    /// From the text an enrollment shows. `clock` is the one the daemon lives by, if not the machine's.
    ///
    /// # Panics
    /// When it is not base32.
    #[must_use]
    pub fn from_base32(text: &str, clock: Option<Arc<Clock>>) -> Self {
        let key = decode_base32(text).expect("a base32 key");
        Self {
            key,
            base32: text.to_owned(),
            uri: String::new(),
            recovery: Vec::new(),
            clock,
            last: AtomicU64::new(0),
        }
    }

    /// The key's bytes.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The step now, by the daemon's clock.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.clock.as_ref().map_or_else(real_step, |clock| clock.step())
    }

    /// The code of a step, of eight digits where the URI says so. Hands nothing out: see
    /// [`fresh_code`](Self::fresh_code).
    #[must_use]
    pub fn code_at(&self, step: u64) -> String {
        code(&self.key, step, if self.uri.contains("digits=8") { 8 } else { 6 })
    }

    /// The code of the step now plus `offset`. Hands nothing out.
    #[must_use]
    pub fn code_in(&self, offset: i64) -> String {
        self.code_at(self.step().saturating_add_signed(offset))
    }

    /// A code that is accepted now and was never handed out before, nor any of a later step.
    ///
    /// It is the code of the present step where that is unused. Else the clock moves to the next
    /// step; with the machine's own clock it is the code of the next step (accepted one step ahead),
    /// and only a third code within a step waits.
    #[must_use]
    pub fn fresh_code(&self) -> String {
        let now = self.step();
        let last = self.last.load(Ordering::SeqCst);
        let step = now.max(last + 1);
        match &self.clock {
            Some(clock) => (now..step).for_each(|_| clock.next_step()),
            None if step > now + 1 => sleep_until_step(step - 1),
            None => {}
        }
        self.mark_used(step);
        self.code_at(step)
    }

    /// A well-formed code that is wrong for every step within five minutes; different for different `n`.
    #[must_use]
    pub fn wrong_code(&self, n: usize) -> String {
        let now = self.step();
        let right: Vec<String> = (now.saturating_sub(10)..=now + 10).map(|step| self.code_at(step)).collect();
        let wrong = |candidate: &String| !right.contains(candidate);
        (0..1_000_000)
            .map(|i| format!("{:06}", (i + n * 7919) % 1_000_000))
            .find(wrong)
            .expect("most codes are wrong")
    }

    /// Notes that the code of `step` was given to the daemon.
    pub fn mark_used(&self, step: u64) {
        self.last.fetch_max(step, Ordering::SeqCst);
    }
}

/// RFC 6238 with HMAC-SHA-1, RFC 4226 section 5.3 truncation.
#[must_use]
pub fn code(key: &[u8], step: u64, digits: usize) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let at = usize::from(digest[19] & 0x0f);
    let word = u32::from_be_bytes([digest[at] & 0x7f, digest[at + 1], digest[at + 2], digest[at + 3]]);
    let shown = format!("{word:010}");
    shown[shown.len() - digits..].to_owned()
}

fn decode_base32(text: &str) -> Option<Vec<u8>> {
    let mut bits = 0u32;
    let mut held = 0;
    let mut out = Vec::new();
    for c in text.bytes().filter(|c| !matches!(c, b' ' | b'-' | b'=')) {
        let value = match c.to_ascii_uppercase() {
            c @ b'A'..=b'Z' => c - b'A',
            c @ b'2'..=b'7' => c - b'2' + 26,
            _ => return None,
        };
        bits = (bits << 5) | u32::from(value);
        held += 5;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    Some(out)
}

/// RFC 4648 base32 without padding, for the files of other modules.
#[must_use]
pub fn encode_base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut out = String::new();
    for chunk in bytes.chunks(5) {
        let mut word = [0; 8];
        word[3..3 + chunk.len()].copy_from_slice(chunk);
        let word = u64::from_be_bytes(word);
        for i in 0..(chunk.len() * 8).div_ceil(5) {
            out.push(char::from(LETTERS[((word >> (35 - 5 * i)) & 31) as usize]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_6238_appendix_b_sha1() {
        let key = b"12345678901234567890";
        for (time, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (20_000_000_000u64, "353130"),
        ] {
            assert_eq!(code(key, time / 30, 6), expected);
        }
    }

    #[test]
    fn base32_there_and_back() {
        let key: Vec<u8> = (0..20).map(|i| i * 13).collect();
        assert_eq!(decode_base32(&encode_base32(&key)).as_deref(), Some(&key[..]));
        assert_eq!(encode_base32(b"foobar"), "MZXW6YTBOI");
    }
}
