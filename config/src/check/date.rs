//! `enroll_by`: a day or a moment of the calendar in seconds since 1970.

use toml::value::{Date, Datetime, Offset};

const DAY: i64 = 24 * 60 * 60;

/// The first second behind a day (UTC), or the second of a moment that names its distance to UTC.
///
/// # Errors
///
/// What is wrong and what would be right, where that depends on the reader's time zone.
pub(crate) fn end(date: &Datetime) -> Result<i64, (String, String)> {
    let say = |wrong: &str, right: String| Err((wrong.to_owned(), right));
    match (date.date, date.time, date.offset) {
        (Some(day), None, None) => Ok((days(day) + 1) * DAY),
        (Some(day), Some(time), Some(offset)) => {
            let ahead = match offset {
                Offset::Z => 0,
                Offset::Custom { minutes } => i64::from(minutes) * 60,
            };
            let seconds = i64::from(time.hour) * 3600
                + i64::from(time.minute) * 60
                + i64::from(time.second.unwrap_or_default());
            Ok(days(day) * DAY + seconds - ahead)
        }
        (Some(day), Some(_), None) => say(
            "is a time without its distance to UTC, so it would mean something else on each host",
            format!("write {date}Z or {date}+01:00, or {day} for the end of that day"),
        ),
        _ => say("is a time without a day", "write a day, such as 2027-01-31".to_owned()),
    }
}

/// Days since 1970-01-01 in the Gregorian calendar. The parser has made sure that the day exists.
fn days(date: Date) -> i64 {
    // Years begin with March here, so that the day that some of them lack is their last one.
    let month = (i64::from(date.month) + 9) % 12;
    let year = i64::from(date.year) - i64::from(date.month <= 2);
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + i64::from(date.day) - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<i64, String> {
        end(&text.parse().expect("a date of TOML")).map_err(|(wrong, right)| format!("{wrong}; {right}"))
    }

    /// `date -u -d "2027-01-31 + 1 day" +%s` and the like.
    #[test]
    fn days_and_moments() {
        for (text, expected) in [
            ("1970-01-01", 86_400),
            ("1969-12-31", 0),
            ("2027-01-31", 1_801_440_000),
            ("2028-02-28", 1_835_395_200),
            ("2028-02-29", 1_835_481_600),
            ("2100-02-28", 4_107_542_400),
            ("2027-12-31", 1_830_297_600),
            ("0000-01-01", -62_167_132_800),
            ("9999-12-31", 253_402_300_800),
            ("2027-01-31T12:30:15Z", 1_801_398_615),
            ("2027-01-31T12:30:15+05:30", 1_801_378_815),
            ("2027-01-31T12:30:15-08:00", 1_801_427_415),
            ("2027-01-31 12:30:15.999z", 1_801_398_615),
        ] {
            assert_eq!(of(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_means_something_else_elsewhere() {
        assert_eq!(
            of("2027-01-31T12:30:15").expect_err("local"),
            "is a time without its distance to UTC, so it would mean something else on each host; \
             write 2027-01-31T12:30:15Z or 2027-01-31T12:30:15+01:00, or 2027-01-31 for the end of that day"
        );
        assert_eq!(
            of("12:30:00").expect_err("a time"),
            "is a time without a day; write a day, such as 2027-01-31"
        );
    }
}
