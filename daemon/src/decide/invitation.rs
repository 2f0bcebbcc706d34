//! Invitations: one-time codes by which an administrator lets a person enroll.
//!
//! Ten characters of 32 make 50 bits. They live minutes and stand five wrong tries, so guessing is
//! hopeless, and they are short enough to be read over the telephone.

use super::recovery::{self, ALPHABET};
use zeroize::Zeroizing;

/// Characters of a code, without its dash.
pub const LENGTH: usize = 10;

/// A code as typed or generated, in its one normal form.
pub struct Invitation(Zeroizing<[u8; LENGTH]>);

impl Invitation {
    /// Makes a code of 50 random bits, five for each character.
    #[must_use]
    pub fn from_random(random: &[u8; LENGTH]) -> Self {
        let mut code = Zeroizing::new([0; LENGTH]);
        for (c, r) in code.iter_mut().zip(random) {
            *c = ALPHABET[usize::from(r & 31)];
        }
        Self(code)
    }

    /// Reads what somebody typed, as forgivingly as a recovery code. `None` when it has not the
    /// shape of an invitation.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        recovery::read(typed).map(Self)
    }

    /// As shown: two groups of five.
    #[must_use]
    pub fn show(&self) -> Zeroizing<String> {
        let mut shown = Zeroizing::new(String::with_capacity(LENGTH + 1));
        for (i, byte) in self.0.iter().enumerate() {
            if i == LENGTH / 2 {
                shown.push('-');
            }
            shown.push(char::from(*byte));
        }
        shown
    }

    /// What is hashed, under a key, to be kept or compared: the code and whose it is.
    #[must_use]
    pub fn of(&self, uid: u32) -> Zeroizing<Vec<u8>> {
        let mut whole = Zeroizing::new(Vec::with_capacity(32));
        whole.extend_from_slice(uid.to_string().as_bytes());
        whole.push(b'/');
        whole.extend_from_slice(self.0.as_slice());
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enr_02_invitations_are_read_forgivingly_and_belong_to_somebody() {
        let code = Invitation::from_random(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 31]);
        assert_eq!(code.show().as_str(), "01234-5678z");
        for typed in ["01234-5678z", "OI234 5678Z", "o l 2 3 4 5 6 7 8 z"] {
            assert_eq!(Invitation::parse(typed).map(|c| c.of(7)), Some(code.of(7)), "{typed}");
        }
        for typed in ["", "01234-5678", "01234-5678zz", "01234-5678u", "012345"] {
            assert!(Invitation::parse(typed).is_none(), "{typed}");
        }
        assert_ne!(code.of(7), code.of(70));
    }
}
