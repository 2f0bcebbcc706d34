//! What a file of another program holds, before the daemon is asked to keep it.

use countersign_protocol::manager::ForeignFactor;
use zeroize::Zeroizing;

/// An authenticator that was read. No `Debug`: it holds the secret.
pub(super) struct Found {
    /// The name it shall have among the person's authenticators.
    pub(super) name: String,
    pub(super) secret: Zeroizing<Vec<u8>>,
    pub(super) digits: u8,
    pub(super) period: u32,
    /// The highest step noted as used; -1 is none.
    pub(super) used: i64,
    /// Seconds that its clock is ahead of this host's.
    pub(super) drift: i64,
    /// One-use codes of eight digits.
    pub(super) scratch: Vec<Zeroizing<Vec<u8>>>,
    /// What the person should know though it can be imported; may be empty.
    pub(super) note: &'static str,
}

impl Found {
    /// As most programs make it: six digits, thirty seconds, never used.
    pub(super) fn new(name: &str, secret: Zeroizing<Vec<u8>>) -> Self {
        Self {
            name: name.to_owned(),
            secret,
            digits: 6,
            period: 30,
            used: -1,
            drift: 0,
            scratch: Vec::new(),
            note: "",
        }
    }

    /// For the bus.
    pub(super) fn to_wire(&self) -> ForeignFactor {
        ForeignFactor {
            name: self.name.clone(),
            secret: self.secret.to_vec(),
            digits: self.digits,
            period: self.period,
            used: self.used,
            drift: self.drift,
            scratch: self.scratch.iter().map(|code| code.to_vec()).collect(),
        }
    }
}

/// Base32 (RFC 4648) as people and programs write it: case, spaces, dashes and padding do not
/// matter. Bits that make no whole byte are dropped, as every authenticator app does.
pub(super) fn base32(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let (mut held, mut bits) = (0_u32, 0_u32);
    for c in text.iter().filter(|c| !matches!(c, b' ' | b'-' | b'=')) {
        let value = match c.to_ascii_uppercase() {
            c @ b'A'..=b'Z' => c - b'A',
            c @ b'2'..=b'7' => c - b'2' + 26,
            _ => return None,
        };
        // Only the low bits are ever read, so what is shifted out above does no harm.
        held = held << 5 | u32::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    (!bytes.is_empty()).then_some(bytes)
}

/// Hexadecimal, two characters a byte.
pub(super) fn hex(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let (pairs, rest) = text.as_chunks::<2>();
    let mut bytes = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for [high, low] in pairs {
        bytes.push(digit(*high)? << 4 | digit(*low)?);
    }
    (rest.is_empty() && !bytes.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rfc_4648_vectors() {
        for (text, bytes) in [("MY======", "f"), ("MZXW6===", "foo"), ("mzxw 6ytb-oi", "foobar")] {
            assert_eq!(base32(text.as_bytes()).expect(text).as_slice(), bytes.as_bytes());
        }
        for bad in ["", "=", "A", "MZXW1", "MZXW6YTBO!", "ÄÄÄÄ"] {
            assert!(base32(bad.as_bytes()).is_none(), "{bad}");
        }
        assert_eq!(hex(b"00fFa0").expect("hex").as_slice(), [0, 255, 160]);
        assert!(hex(b"0").is_none() && hex(b"").is_none() && hex(b"0g").is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Some(read) = base32(&bytes) {
                prop_assert!(read.len() <= bytes.len() * 5 / 8);
            }
            if let Some(read) = hex(&bytes) {
                prop_assert_eq!(read.len() * 2, bytes.len());
            }
        }
    }
}
