//! The letters and the templates that they are made from.

use super::template::Template;
use crate::error::Error;
use crate::journal;
use countersign_config::{Config, Factor};
use minijinja::{Value, context};
use zeroize::Zeroizing;

/// What a letter with a code can say.
pub struct Facts<'a> {
    /// The name above the codes.
    pub issuer: &'a str,
    /// The login name.
    pub user: &'a str,
    /// The PAM service.
    pub service: &'a str,
    /// An address, `local` or `unknown`.
    pub source: &'a str,
    /// Seconds since 1970.
    pub at: i64,
    /// How long the code works.
    pub minutes: i64,
    /// Whom to ask.
    pub help: Option<&'a str>,
    /// The code.
    pub code: &'a str,
}

/// Subject and text of the letter with a code. Where a template has become bad since it was put into
/// force, the letter is the one that ships: nobody is locked out by a typing mistake.
///
/// # Errors
/// Never in practice: the shipped template renders.
pub fn code(template: &str, facts: &Facts<'_>) -> Result<(String, Zeroizing<String>), Error> {
    let own = Template::read(template).and_then(|own| own.render(values(facts)));
    own.or_else(|e| {
        journal::error("a template cannot be used, the shipped letter goes out", &[("error", e.text())]);
        Template::shipped().render(values(facts))
    })
}

/// What is wrong with the templates of a configuration, with file, line and column.
#[must_use]
pub fn trouble(config: &Config) -> Vec<String> {
    let mails = config.policies.iter().filter(|policy| policy.factors.contains(&Factor::Email));
    let mut names: Vec<&str> = mails.map(|policy| policy.template.as_deref().unwrap_or_default()).collect();
    names.sort_unstable();
    names.dedup();
    let bad = |name: &str| {
        let rendered =
            Template::read(name).and_then(|template| template.render(values(&Facts::example(config))));
        rendered.err().map(|e| e.text().to_owned())
    };
    names.into_iter().filter_map(bad).collect()
}

impl<'a> Facts<'a> {
    /// What a letter could be about.
    fn example(config: &'a Config) -> Self {
        Self {
            issuer: &config.issuer,
            user: "alice",
            service: "sshd",
            source: "192.0.2.7",
            at: 0,
            minutes: 10,
            help: config.help.as_deref(),
            code: "12345678",
        }
    }
}

fn values(facts: &Facts<'_>) -> Value {
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    context! {
        issuer => line(facts.issuer),
        user => line(facts.user),
        host => line(&host),
        service => line(facts.service),
        source => line(facts.source),
        time => utc(facts.at),
        minutes => facts.minutes,
        help => facts.help.map(line),
        code => facts.code,
    }
}

/// Outside text in a letter: one line, without what turns text around.
pub(super) fn line(text: &str) -> String {
    text.chars().take(128).map(|c| if journal::is_unsafe(c) { ' ' } else { c }).collect()
}

/// `2026-11-22 11:45 UTC` (the calendar of Howard Hinnant's `civil_from_days`).
pub(super) fn utc(at: i64) -> String {
    let (days, seconds) = (at.div_euclid(86_400), at.rem_euclid(86_400));
    let z = days + 719_468;
    let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", seconds / 3600, seconds % 3600 / 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts<'static> {
        Facts {
            issuer: "Acme",
            user: "alice",
            service: "sshd",
            source: "192.0.2.7",
            at: 1_795_340_700,
            minutes: 10,
            help: Some("Ask the helpdesk."),
            code: "31415926",
        }
    }

    #[test]
    fn dis_07_a_letter_says_who_where_and_when_and_keeps_the_code_out_of_the_subject() {
        let (subject, text) = code("", &facts()).expect("renders");
        assert!(subject.starts_with("Acme: your login code for "), "{subject}");
        assert!(!subject.contains("31415926"));
        for word in
            ["31415926", "alice", "sshd", "192.0.2.7", "2026-11-22", "10 minutes", "not you", "helpdesk"]
        {
            assert!(text.contains(word), "{word} in {}", *text);
        }
        assert!(text.lines().all(|line| line.len() <= 80 && line.is_ascii()), "{}", *text);
    }

    #[test]
    fn outside_text_stays_on_its_line() {
        let evil = "x\r\nBcc: dave@example.org\n\n{{ code }}\u{202e}";
        let (subject, text) =
            code("", &Facts { issuer: evil, user: evil, service: evil, ..facts() }).expect("renders");
        assert!(!subject.contains(['\r', '\n']) && !subject.contains("31415926"), "{subject}");
        assert_eq!(text.matches("31415926").count(), 1);
        assert!(!text.contains(['\r', '\u{202e}']));
        assert!(text.lines().all(|line| !line.starts_with("Bcc")));
    }

    #[test]
    fn templates_are_strict_and_say_where_they_are_wrong() {
        for (text, place) in [
            ("Subject: x\n\nHello {{ nobody }}", "x:3:"),
            ("Subject: x\n\n{% if %}", "x:3:"),
            ("no subject\n\ntext", "x:1:1"),
            ("Subject: x", "x:1:1"),
            ("Subject: x\nBcc: y\n\ntext", "x:1:1"),
        ] {
            let template = Template { name: "x".into(), text: text.into() };
            let error = template.render(values(&facts())).expect_err(text).text().to_owned();
            assert!(error.starts_with(place), "{text}: {error}");
        }
    }
}
