//! How hard a secret from elsewhere is to guess. What we make ourselves has 160 random bits.

/// Bits that an imported secret must have (RFC 4226, 4 R6).
pub const LEAST_BITS: usize = 128;
/// Different bytes below which sixteen or more are a pattern: random ones have so few once in 10^12.
const LEAST_VARIETY: usize = 8;

/// The most bits of entropy that a secret of these bytes can have.
///
/// Digits and hexadecimal letters where random bytes should be are text that somebody typed: the
/// published example `12345678901234567890` has twenty bytes, not 160 bits.
#[must_use]
pub fn bits(secret: &[u8]) -> usize {
    if secret.len() * 8 >= LEAST_BITS && variety(secret) < LEAST_VARIETY {
        return variety(secret);
    }
    if secret.iter().all(u8::is_ascii_digit) {
        // log2(10) is 3.32; what is counted is never more than there is.
        secret.len() * 332 / 100
    } else if secret.iter().all(u8::is_ascii_hexdigit) {
        secret.len() * 4
    } else {
        secret.len() * 8
    }
}

fn variety(secret: &[u8]) -> usize {
    let mut seen = [false; 256];
    for byte in secret {
        seen[usize::from(*byte)] = true;
    }
    seen.iter().filter(|seen| **seen).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::totp::SECRET_BYTES;
    use std::collections::HashSet;

    #[test]
    fn enr_09_short_and_typed_secrets_are_weak() {
        let random: Vec<u8> = (0..20_u8).map(|i| i.wrapping_mul(167).wrapping_add(91)).collect();
        for (bytes, expected) in [(0, 0), (8, 64), (10, 80), (15, 120), (16, 128), (20, 160)] {
            assert_eq!(bits(&random[..bytes]), expected);
        }
        for weak in [
            &b"12345678901234567890"[..],
            &[0; 64],
            b"abababababababababababab",
            b"0123456789abcdef0123456789abcde",
        ] {
            assert!(bits(weak) < LEAST_BITS, "{weak:?}");
        }
    }

    /// ENR-09: what we generate is strong, and no two are alike.
    #[test]
    fn enr_09_ten_thousand_generated_secrets() {
        let secrets: HashSet<[u8; SECRET_BYTES]> =
            (0..10_000).map(|_| crate::random::bytes().expect("the kernel's randomness")).collect();
        assert_eq!(secrets.len(), 10_000, "unique");
        assert!(secrets.iter().all(|secret| bits(secret) == 160));
        let ones: u64 = secrets.iter().flatten().map(|byte| u64::from(byte.count_ones())).sum();
        // 1.6 million bits: the mean is 800,000, one standard deviation 632; six of them are allowed.
        assert!(ones.abs_diff(800_000) < 3_800, "monobit: {ones}");
    }
}
