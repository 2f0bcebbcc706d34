//! Invitations: one-time codes by which an administrator binds somebody's first factor to them.
//!
//! Ten characters of 32 make 50 bits. An invitation lives for minutes and is void after a few wrong
//! tries, so it is kept under a keyed hash and needs no slow one.

use super::recovery::{ALPHABET, normal};
use zeroize::Zeroizing;

/// Characters of a code, without its dash.
pub const LENGTH: usize = 10;
/// Wrong codes after which an invitation is void.
pub const TRIES: u32 = 5;

/// A code as typed or made, in its one normal form.
pub struct Invitation(Zeroizing<[u8; LENGTH]>);

#[allow(dead_code, reason = "countersignctl invite comes next")]
impl Invitation {
    /// Makes a code of 50 random bits, one for each five-bit character.
    #[must_use]
    pub fn from_random(random: &[u8; LENGTH]) -> Self {
        let mut code = Zeroizing::new([0; LENGTH]);
        for (c, r) in code.iter_mut().zip(random) {
            *c = ALPHABET[usize::from(r & 31)];
        }
        Self(code)
    }

    /// Reads an answer: case, spaces and dashes do not matter, O is 0, I and L are 1.
    /// `None` when it has not the shape of an invitation.
    #[must_use]
    pub fn parse(answer: &[u8]) -> Option<Self> {
        normal(std::str::from_utf8(answer).ok()?).map(Self)
    }

    /// As shown: two groups of five.
    #[must_use]
    pub fn show(&self) -> Zeroizing<String> {
        let (left, right) = self.0.split_at(LENGTH / 2);
        let text = |bytes: &[u8]| bytes.iter().map(|b| char::from(*b)).collect::<String>();
        Zeroizing::new(format!("{}-{}", text(left), text(right)))
    }

    /// What its keyed hash is made of.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_the_way_it_is_read_aloud() {
        let code = Invitation::from_random(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 31]);
        assert_eq!(code.show().as_str(), "01234-5678z");
        for typed in ["01234-5678z", "O1234 5678Z", " oi2345678z ", "0L234-5678z"] {
            let same = Invitation::parse(typed.as_bytes()).is_some_and(|c| c.as_bytes() == code.as_bytes());
            assert!(same, "{typed}");
        }
        for typed in ["01234-5678", "01234-5678zz", "01234-5678u", "012345", "0123-4567-89ab-cdez", ""] {
            assert!(Invitation::parse(typed.as_bytes()).is_none(), "{typed}");
        }
    }
}
