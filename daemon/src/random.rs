//! Randomness from the kernel.

use crate::error::Error;
use crate::journal;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the kernel gave none the last time. The journal hears of the first refusal, not of each login.
static WITHOUT: AtomicBool = AtomicBool::new(false);

/// Fills an array from the kernel's generator.
///
/// # Errors
/// When the kernel gives none; then no code, secret or login id is issued.
pub fn bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut out = [0; N];
    let filled = getrandom::fill(&mut out);
    let was_without = WITHOUT.swap(filled.is_err(), Ordering::Relaxed);
    match filled {
        Ok(()) => {
            if was_without {
                journal::notice("the kernel gives random bytes again", &[]);
            }
            Ok(out)
        }
        Err(e) => {
            if !was_without {
                let effect = "no secret, no code and no login is made until it does";
                let fields = [("error", e.to_string()), ("effect", effect.to_owned())];
                let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
                journal::error("the kernel gives no random bytes", &fields);
            }
            Err(Error::unavailable(format!("the kernel gives no random bytes: {e}")))
        }
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}

/// Reads exactly `N` bytes of lower- or upper-case hexadecimal.
#[must_use]
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let text = text.as_bytes();
    if text.len() != N * 2 {
        return None;
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(out)
}
