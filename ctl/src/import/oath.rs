//! The users file of pam_oath, `/etc/users.oath`.
//!
//! One authenticator a line: type, user, PIN, secret in hex, and what the module noted when it was
//! last used (counter, code, time). Read as liboath 2.6 reads it (usersfile.c).

use super::found::{Found, hex};
use crate::text;

/// One line: its number, whose it is, and what it holds or why that cannot be taken over.
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) user: String,
    pub(super) found: Result<Found, String>,
}

/// Reads such a file. `modified` is when it was last written, in seconds since 1970: the module writes it
/// when somebody logs in.
pub(super) fn parse(file: &[u8], modified: i64) -> Vec<Line> {
    let lines = (1..).zip(file.split(|c| *c == b'\n'));
    let entries = lines.filter_map(|(number, line)| {
        let fields: Vec<&[u8]> =
            line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty()).collect();
        match fields.first() {
            None => None,
            Some(first) if first.starts_with(b"#") => None,
            Some(_) => Some(entry(number, &fields, modified)),
        }
    });
    entries.collect()
}

fn entry(number: usize, fields: &[&[u8]], modified: i64) -> Line {
    let user = fields.get(1).map(|user| String::from_utf8_lossy(user).into_owned()).unwrap_or_default();
    Line { number, user, found: found(fields, modified) }
}

fn found(fields: &[&[u8]], modified: i64) -> Result<Found, String> {
    let [kind, user, pin, secret, noted @ ..] = fields else { return Err(text::SHORT_LINE.to_owned()) };
    std::str::from_utf8(user).map_err(|_| text::STRANGE_NAME.to_owned())?;
    let (period, digits) = time_based(kind)?;
    let secret = hex(secret).ok_or_else(|| text::NO_HEX.to_owned())?;
    let mut found = Found::new("pam_oath", secret);
    found.period = period;
    found.digits = digits;
    if noted.len() >= 2 {
        // The last code is noted and its step is not. It was used when the file was written or before
        // that, and at most one step early.
        found.used = modified / i64::from(period) + 1;
    }
    if *pin != b"-" {
        found.note = text::PIN_NOT_ASKED;
    }
    Ok(found)
}

/// Seconds of a step, and digits: `HOTP/T30`, `HOTP/T60/8`.
fn time_based(kind: &[u8]) -> Result<(u32, u8), String> {
    let kind = String::from_utf8_lossy(kind);
    let mut parts = kind.split('/');
    let (Some("HOTP"), steps, digits, None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(text::unknown_kind(&kind));
    };
    let period = match steps {
        None | Some("E") => return Err(text::COUNTS_EVENTS.to_owned()),
        Some(steps) => steps.strip_prefix('T').and_then(|seconds| seconds.parse().ok()),
    };
    let digits = match digits {
        None => Some(6),
        Some(digits) => digits.parse().ok(),
    };
    match (period, digits) {
        (Some(period @ 1..), Some(digits)) => Ok((period, digits)),
        _ => Err(text::unknown_kind(&kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As pam_oath 2.6.7 of Debian 12 left it after a login of alice.
    const REAL: &[u8] = include_bytes!("fixtures/users.oath");

    #[test]
    fn a_real_file() {
        let lines = parse(REAL, 1_795_344_490);
        let seen: Vec<(usize, &str, bool)> =
            lines.iter().map(|line| (line.number, line.user.as_str(), line.found.is_ok())).collect();
        assert_eq!(
            seen,
            [
                (3, "alice", true),
                (4, "bob", true),
                (5, "carol", false),
                (6, "dave", false),
                (8, "erin", true)
            ]
        );
        let of = |n: usize| lines[n].found.as_ref().expect("taken over");
        assert_eq!((of(0).digits, of(0).period, of(0).used), (6, 30, 1_795_344_490 / 30 + 1));
        assert_eq!((of(1).digits, of(1).period, of(1).used), (8, 60, -1));
        assert_eq!(of(0).note, "");
        assert!(of(4).note.contains("PIN"));
        let why = |n: usize| lines[n].found.as_ref().err().expect("refused").as_str();
        assert!(why(2).contains("HOTP"), "{}", why(2));
        assert!(why(3).contains("MOTP"), "{}", why(3));
    }

    #[test]
    fn kinds() {
        for (kind, read) in [("HOTP/T30", (30, 6)), ("HOTP/T30/7", (30, 7)), ("HOTP/T60/8", (60, 8))] {
            assert_eq!(time_based(kind.as_bytes()), Ok(read));
        }
        for bad in ["HOTP", "HOTP/E", "HOTP/E/6", "TOTP", "HOTP/T0", "HOTP/T30/6/1", "HOTP/T30/x", "HOTP/T"] {
            assert!(time_based(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, modified: i64) {
            prop_assert!(parse(&bytes, modified).len() <= bytes.len());
        }

        #[test]
        fn any_fields_are_read_or_refused(lines in proptest::collection::vec("HOTP(/[TE]?[0-9]{0,12}){0,3}([ \t][+0-9a-f-]{0,40}){0,7}", 0..6)) {
            drop(parse(lines.join("\n").as_bytes(), i64::MAX));
        }
    }
}
