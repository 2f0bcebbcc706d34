//! Lengths of time as people write them: `12h`, `30d`.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Letters and seconds, the largest first.
const UNITS: [(char, u64); 4] = [('d', 24 * 60 * 60), ('h', 60 * 60), ('m', 60), ('s', 1)];

/// A whole number with its unit; `0` needs none.
///
/// # Errors
///
/// What is wrong and what would be right.
pub(crate) fn parse(text: &str, bounds: &RangeInclusive<Duration>) -> Result<Duration, (String, String)> {
    let form = || {
        let right = "write a whole number and one of s, m, h or d, such as \"12h\"";
        Err(("is not a length of time".to_owned(), right.to_owned()))
    };
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = &text[digits.len()..];
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return form();
    }
    let seconds = match UNITS.iter().find(|(letter, _)| unit.chars().eq([*letter])) {
        Some((_, seconds)) => *seconds,
        None if !unit.is_empty() => return form(),
        None if digits == "0" => 1,
        None => {
            let right = format!("write \"{digits}s\", \"{digits}m\", \"{digits}h\" or \"{digits}d\"");
            return Err(("has no unit".to_owned(), right));
        }
    };
    // What is too large for the type is too large for every bound.
    let length = digits.parse().ok().and_then(|number: u64| number.checked_mul(seconds));
    let length = length.map_or(Duration::MAX, Duration::from_secs);
    let (least, most) = (*bounds.start(), *bounds.end());
    if length < least {
        Err(("is too short".to_owned(), format!("write at least \"{}\"", shown(least))))
    } else if length > most {
        Err(("is too long".to_owned(), format!("write at most \"{}\"", shown(most))))
    } else {
        Ok(length)
    }
}

/// Whole seconds in the largest unit that fits, as [`parse`] reads it.
pub(crate) fn shown(length: Duration) -> String {
    let seconds = length.as_secs();
    if seconds == 0 {
        return "0".to_owned();
    }
    let fitting = UNITS.iter().find(|(_, unit)| seconds.is_multiple_of(*unit));
    fitting.map_or_else(|| format!("{seconds}s"), |(letter, unit)| format!("{}{letter}", seconds / unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wrong(text: &str) -> String {
        parse(text, &(Duration::from_secs(60)..=Duration::from_secs(86_400))).expect_err(text).0
    }

    #[test]
    fn reads_every_unit() {
        let any = Duration::ZERO..=Duration::MAX;
        for (text, seconds) in
            [("0", 0), ("0h", 0), ("90s", 90), ("5m", 300), ("12h", 43_200), ("1d", 86_400)]
        {
            assert_eq!(parse(text, &any), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn refuses_what_could_be_misread() {
        for text in
            ["", "h", "12 h", " 12h", "12H", "1.5h", "-1h", "+1h", "1h30m", "1e3s", "١h", "12h\0", "1w"]
        {
            assert_eq!(wrong(text), "is not a length of time", "{text:?}");
        }
        for text in ["12", "00", "60"] {
            assert_eq!(wrong(text), "has no unit", "{text:?}");
        }
        for text in ["0", "59s", "0d"] {
            assert_eq!(wrong(text), "is too short", "{text:?}");
        }
        for text in ["2d", "86401s", "99999999999999999999999d", "18446744073709551615d"] {
            assert_eq!(wrong(text), "is too long", "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_the_same(seconds in any::<u64>()) {
            let length = Duration::from_secs(seconds);
            prop_assert_eq!(parse(&shown(length), &(Duration::ZERO..=Duration::MAX)), Ok(length));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,12}") {
            drop(parse(&text, &(Duration::ZERO..=Duration::MAX)));
        }
    }
}
