//! The file of pam_google_authenticator, `~/.google_authenticator`.
//!
//! The first line is the secret in base32. Lines that begin with a quote hold options, one each
//! (`" TOTP_AUTH`); lines of eight digits are scratch codes. Read as the module itself reads it:
//! pam_google_authenticator.c, version 20191231.

use zeroize::Zeroizing;

use super::found::{Found, base32};
use crate::text;

/// Scratch codes that the program makes at most.
const MOST_SCRATCH: usize = 10;

/// Reads such a file, or says why it cannot be taken over.
pub(super) fn parse(file: &[u8]) -> Result<Found, String> {
    let mut lines = file.split(|c| *c == b'\n').map(<[u8]>::trim_ascii);
    let secret = lines.next().and_then(base32).ok_or_else(|| text::NO_GOOGLE_SECRET.to_owned())?;
    let mut found = Found::new("google-authenticator", secret);
    let mut skew = 0;
    for line in lines {
        if let Some(option) = line.strip_prefix(b"\" ") {
            let mut words = option.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            let name = words.next().unwrap_or_default();
            let mut numbers = words.map(number);
            match name {
                b"HOTP_COUNTER" => return Err(text::COUNTS_EVENTS.to_owned()),
                b"STEP_SIZE" => found.period = stated(numbers.next(), "STEP_SIZE")?,
                b"TIME_SKEW" => skew = stated(numbers.next(), "TIME_SKEW")?,
                // What is no number here is a damaged list: the highest of the rest still counts.
                b"DISALLOW_REUSE" => found.used = numbers.flatten().max().unwrap_or(-1).max(-1),
                _ => {}
            }
        } else if line.len() == 8 && line.iter().all(u8::is_ascii_digit) && found.scratch.len() < MOST_SCRATCH
        {
            found.scratch.push(Zeroizing::new(line.to_vec()));
        }
    }
    found.drift = i64::from(found.period).saturating_mul(skew);
    Ok(found)
}

fn number(word: &[u8]) -> Option<i64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn stated<N: TryFrom<i64>>(number: Option<Option<i64>>, option: &str) -> Result<N, String> {
    let number = number.flatten().and_then(|number| N::try_from(number).ok());
    number.ok_or_else(|| text::unreadable_option(option))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Made by `google-authenticator -t -d -f -r 3 -R 30 -w 3 -q` of Debian 12, used once.
    const TIME_BASED: &[u8] = include_bytes!("fixtures/google-authenticator-totp");
    /// Made by `google-authenticator -c -f -u -W -q`.
    const COUNTER_BASED: &[u8] = include_bytes!("fixtures/google-authenticator-hotp");

    #[test]
    fn a_real_file() {
        let found = parse(TIME_BASED).expect("a file of the program");
        assert_eq!(found.secret.len(), 16);
        assert_eq!((found.digits, found.period, found.drift), (6, 30, 0));
        assert_eq!(found.used, 59_844_820);
        assert_eq!(found.scratch.len(), 5);
        assert_eq!(found.scratch[0].as_slice(), b"67462423");
    }

    #[test]
    fn counters_are_refused_by_name() {
        let why = parse(COUNTER_BASED).err().expect("no time in it");
        assert!(why.contains("HOTP"), "{why}");
    }

    #[test]
    fn options_that_matter() {
        let with = |option: &str| {
            parse(format!("GROTCLXAZDPP2I3JNJDFTJ4FY4\n\" {option}\n\" TOTP_AUTH\n").as_bytes())
        };
        assert_eq!(with("STEP_SIZE 60").map(|f| f.period).ok(), Some(60));
        assert_eq!(with("TIME_SKEW -4").map(|f| f.drift).ok(), Some(-120));
        assert_eq!(with("DISALLOW_REUSE 7 9 x 8").map(|f| f.used).ok(), Some(9));
        assert_eq!(with("DISALLOW_REUSE").map(|f| f.used).ok(), Some(-1));
        for bad in ["STEP_SIZE", "STEP_SIZE x", "STEP_SIZE -1", "STEP_SIZE 99999999999", "TIME_SKEW y"] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_has_no_secret() {
        for bad in ["", "\n", "\" TOTP_AUTH\n", "not base32!\n\" TOTP_AUTH\n", "\0\0\0"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            drop(parse(&bytes));
        }

        #[test]
        fn any_options_are_read_or_refused(options in proptest::collection::vec("[A-Z_]{1,14}( -?[0-9]{1,24}){0,3}", 0..8)) {
            let names = ["STEP_SIZE", "TIME_SKEW", "DISALLOW_REUSE"];
            for name in names {
                let lines: String = options.iter().map(|o| format!("\" {o}\n\" {name} {o}\n")).collect();
                drop(parse(format!("GROTCLXAZDPP2I3JNJDFTJ4FY4\n{lines}").as_bytes()));
            }
        }

        #[test]
        fn a_file_is_read_as_it_was_written(secret in "[A-Z2-7]{26}", codes in proptest::collection::vec("[0-9]{8}", 0..10), step in 0i64..i64::MAX) {
            let file = format!("{secret}\n\" DISALLOW_REUSE {step}\n\" TOTP_AUTH\n{}\n", codes.join("\n"));
            let found = parse(file.as_bytes()).map_err(TestCaseError::fail)?;
            prop_assert_eq!(Some(found.secret), base32(secret.as_bytes()));
            prop_assert_eq!(found.used, step);
            let read: Vec<_> = found.scratch.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect();
            prop_assert_eq!(read, codes);
        }
    }
}
