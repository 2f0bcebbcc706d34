//! Times as people read them, without time zones: a login on one host is read on another.

/// Seconds since 1970 by this host's clock; 0 when it stands before 1970.
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// `2026-11-22 07:30:12Z`, from seconds since 1970.
pub(crate) fn utc(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// `2026-11-22`, the day that a second since 1970 lies in.
pub(crate) fn day(seconds: i64) -> String {
    let (year, month, day) = date(seconds.div_euclid(86_400));
    format!("{year:04}-{month:02}-{day:02}")
}

/// The Gregorian date of a day counted from 1970-01-01. Years begin in March here, so that the
/// leap day is the last of its year; a cycle of 400 years has 146,097 days.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = cycle * 400 + year + i64::from(month <= 2);
    (year, month, day_of_month)
}

/// `40 s`, `5 min`, `2 h`, `3 d`: rounded up, so that waiting that long is enough.
pub(crate) fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let up = |unit: i64| seconds / unit + i64::from(seconds % unit > 0);
    match seconds {
        0..=120 => format!("{seconds} s"),
        121..=7_200 => format!("{} min", up(60)),
        7_201..=172_800 => format!("{} h", up(3_600)),
        _ => format!("{} d", up(86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        // Each line: date -u -d @SECONDS '+%F %TZ'
        assert_eq!(utc(0), "1970-01-01 00:00:00Z");
        assert_eq!(utc(-1), "1969-12-31 23:59:59Z");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00Z");
        assert_eq!(utc(1_795_332_612), "2026-11-22 07:30:12Z");
        assert_eq!(utc(4_102_444_799), "2099-12-31 23:59:59Z");
        assert_eq!(utc(4_107_542_400), "2100-03-01 00:00:00Z");
    }

    /// INP-11: no number is too odd to show.
    #[test]
    fn inp_11_no_time_panics() {
        for seconds in [i64::MIN, i64::MAX, i64::MIN / 2, 1 << 40] {
            assert!(utc(seconds).ends_with('Z'));
            assert!(!duration(seconds).is_empty());
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = date(-800_000);
        for day in -799_999..800_000 {
            let now = date(day);
            assert!(now > before, "{before:?} {now:?}");
            assert!((1..=12).contains(&now.1) && (1..=31).contains(&now.2));
            before = now;
        }
    }

    #[test]
    fn durations_round_up() {
        assert_eq!(duration(-5), "0 s");
        assert_eq!(duration(40), "40 s");
        assert_eq!(duration(121), "3 min");
        assert_eq!(duration(7_201), "3 h");
        assert_eq!(duration(864_000), "10 d");
    }
}
