//! Dates as people type them.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds of a day.
const DAY: i64 = 86_400;
/// The longest time that can be counted from now: nothing here is granted for longer.
const LONGEST_DAYS: i64 = 3660;

/// A date that somebody typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Date {
    /// A whole day of UTC: the first second behind it, since 1970.
    Day(i64),
    /// A second since 1970.
    Moment(i64),
    /// So many seconds from now.
    In(i64),
}

impl Date {
    /// The first second that is too late.
    pub(crate) fn end(self) -> i64 {
        match self {
            Self::Day(end) | Self::Moment(end) => end,
            Self::In(seconds) => now().saturating_add(seconds),
        }
    }

    /// The second at which it begins.
    pub(crate) fn start(self) -> i64 {
        match self {
            Self::Day(end) => end - DAY,
            Self::Moment(_) | Self::In(_) => self.end(),
        }
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Reads `2027-01-31`, RFC 3339, or `+14d` and `+12h`.
pub(crate) fn parse(text: &str) -> Result<Date, String> {
    const RIGHT: &str =
        "write a day such as 2027-01-31 (UTC), a moment such as 2027-01-31T18:00:00Z, or +14d or +12h";
    if let Some(from_now) = text.strip_prefix('+') {
        let unit = match from_now.chars().last() {
            Some('d') => DAY,
            Some('h') => 3600,
            _ => return Err(RIGHT.to_owned()),
        };
        let number = &from_now[..from_now.len() - 1];
        return match number.parse::<i64>() {
            Ok(n)
                if number.bytes().all(|b| b.is_ascii_digit()) && n > 0 && n <= LONGEST_DAYS * DAY / unit =>
            {
                Ok(Date::In(n * unit))
            }
            Ok(_) | Err(_) => Err(format!("not a time from now; {RIGHT}")),
        };
    }
    let end = countersign_config::end_of(text).map_err(|wrong| match wrong {
        None => RIGHT.to_owned(),
        Some(wrong) => wrong,
    })?;
    if end <= 0 {
        return Err("a date is after 1970".to_owned());
    }
    let is_day = !text.contains([':', 'T', 't', ' ']);
    Ok(if is_day { Date::Day(end) } else { Date::Moment(end) })
}

/// Reads a time of the past: `2026-11-22`, RFC 3339, or `2h` and `30d` ago.
pub(crate) fn past(text: &str) -> Result<Date, String> {
    if text.starts_with('+') {
        return Err("a time in the future has no logins yet".to_owned());
    }
    if let Ok(seconds) = crate::cli::parse::span(text) {
        return Ok(Date::In(-i64::try_from(seconds).unwrap_or(i64::MAX)));
    }
    parse(text).map_err(|_| {
        "write a day such as 2026-11-22 (UTC), a moment such as 2026-11-22T18:00:00Z, or a time ago such as 2h or 30d"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_past() {
        assert_eq!(past("2h"), Ok(Date::In(-7200)));
        assert_eq!(past("2027-01-31"), Ok(Date::Day(1_801_440_000)));
        for wrong in ["", "h", "+2h", "-2h", "yesterday", "2027-02-30"] {
            assert!(past(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn days_moments_and_spans() {
        assert_eq!(parse("2027-01-31"), Ok(Date::Day(1_801_440_000)));
        assert_eq!(parse("2027-01-31").map(Date::start), Ok(1_801_353_600));
        assert_eq!(parse("2027-01-31T12:30:15Z"), Ok(Date::Moment(1_801_398_615)));
        assert_eq!(parse("2027-01-31T12:30:15+05:30"), Ok(Date::Moment(1_801_378_815)));
        assert_eq!(parse("+14d"), Ok(Date::In(14 * DAY)));
        assert_eq!(parse("+12h"), Ok(Date::In(12 * 3600)));
        for wrong in [
            "",
            "+",
            "+d",
            "+0d",
            "+-1d",
            "++1d",
            "+1w",
            "+9999999999999999999d",
            "+99999d",
            "tomorrow",
            "31.1.2027",
            "2027-02-30",
            "2027-1-31",
            "12:00",
            "2027-01-31T12:30:15",
            "1969-01-01",
            "+1\u{e9}",
            "2027-01-31\n",
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}: {:?}", parse(wrong));
        }
    }
}
