//! Recovery codes: what they look like, how they are compared.
//!
//! Sixteen characters of 32 make 80 bits, so a stolen table of hashes cannot be searched
//! (NIST SP 800-63B, 5.1.2.2). One salt for a set lets one computation serve all ten codes.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

/// No i, l, o, u: nothing that is mistaken for another when read aloud or written down.
pub(super) const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of a code, without its dashes.
pub const LENGTH: usize = 16;
/// Bytes of a set's salt.
pub const SALT_BYTES: usize = 16;
/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;
/// Memory of one computation, in KiB. The daemon computes one at a time.
const MEMORY_KIB: u32 = 8 * 1024;
const PASSES: u32 = 2;
/// Blocks of 1 KiB that are reserved for one computation, of which only `MEMORY_KIB` are touched.
/// glibc keeps what it frees in its heaps, up to 32 MiB (mallopt(3), `M_MMAP_THRESHOLD`); a larger
/// reservation goes back to the kernel as soon as the computation is done.
const RESERVED_BLOCKS: usize = 40 * 1024;

/// A code as typed or generated, in its one normal form.
pub struct Code(Zeroizing<[u8; LENGTH]>);

impl Code {
    /// Makes a code of 80 random bits, one for each five-bit character.
    #[must_use]
    pub fn from_random(random: &[u8; LENGTH]) -> Self {
        let mut code = Zeroizing::new([0; LENGTH]);
        for (c, r) in code.iter_mut().zip(random) {
            *c = ALPHABET[usize::from(r & 31)];
        }
        Self(code)
    }

    /// Reads an answer: case, spaces and dashes do not matter, O is 0, I and L are 1.
    /// `None` when it has not the shape of a recovery code.
    #[must_use]
    pub fn parse(answer: &str) -> Option<Self> {
        read(answer).map(Self)
    }

    /// As shown: four groups of four.
    #[must_use]
    pub fn show(&self) -> Zeroizing<String> {
        let mut shown = Zeroizing::new(String::with_capacity(LENGTH + 3));
        for (i, byte) in self.0.iter().enumerate() {
            if i > 0 && i % 4 == 0 {
                shown.push('-');
            }
            shown.push(char::from(*byte));
        }
        shown
    }

    /// The Argon2id hash (RFC 9106) under a set's salt. Takes 8 MiB and some ten milliseconds.
    /// `None` only if the parameters were refused, which a test rules out.
    #[must_use]
    pub fn hash(&self, salt: &[u8]) -> Option<[u8; HASH_BYTES]> {
        let params = Params::new(MEMORY_KIB, PASSES, 1, Some(HASH_BYTES)).ok()?;
        let mut memory = Vec::with_capacity(RESERVED_BLOCKS);
        memory.resize(params.block_count(), Block::default());
        let mut out = [0; HASH_BYTES];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(self.0.as_slice(), salt, &mut out, &mut memory)
            .ok()?;
        Some(out)
    }
}

/// `N` characters of the alphabet, typed somehow: case, spaces and dashes do not matter, O is 0, I and
/// L are 1. `None` when they are not exactly so many, or something else is among them.
pub(super) fn read<const N: usize>(typed: &str) -> Option<Zeroizing<[u8; N]>> {
    let mut code = Zeroizing::new([0; N]);
    let mut length = 0;
    for c in typed.chars().filter(|c| !matches!(c, ' ' | '-')) {
        let c = match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            c => c,
        };
        let byte = u8::try_from(c).ok().filter(|b| ALPHABET.contains(b))?;
        *code.get_mut(length)? = byte;
        length += 1;
    }
    (length == N).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bru_10_forgiving_where_documented_and_nowhere_else() {
        let code = Code::from_random(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 31]);
        assert_eq!(code.show().as_str(), "0123-4567-89ab-cdez");
        let same = |s: &str| Code::parse(s).is_some_and(|c| *c.0 == *code.0);
        for typed in ["0123-4567-89ab-cdez", "O123 4567 89AB CDEZ", "oI23456789abcdez", "0l23-4567-89ab-cdez"]
        {
            assert!(same(typed), "{typed}");
        }
        for typed in [
            "0123-4567-89ab-cde",
            "0123-4567-89ab-cdezz",
            "0123-4567-89ab-cdeu",
            "123456",
            "",
            "0123_4567_89ab_cdez",
            "０123456789abcdez",
        ] {
            assert!(!same(typed), "{typed}");
        }
        assert!(!same("0123-4567-89ab-cdey"));
    }

    #[test]
    fn enr_08_hashes_depend_on_salt_and_code() {
        let a = Code::from_random(&[7; LENGTH]);
        let b = Code::from_random(&[8; LENGTH]);
        let hash = a.hash(&[1; SALT_BYTES]).expect("parameters are valid");
        assert_eq!(Some(hash), a.hash(&[1; SALT_BYTES]));
        assert_ne!(Some(hash), a.hash(&[2; SALT_BYTES]));
        assert_ne!(Some(hash), b.hash(&[1; SALT_BYTES]));
    }
}
