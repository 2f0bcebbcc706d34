//! What letters say, put into their templates.

use crate::journal::{self, is_unsafe};
use crate::notice_text;
use crate::store::{Placed, Told};
use countersign_config::{
    CodeValues, Config, Letter, NoticeValue, NoticeValues, Problem, Rendered, Template,
};

/// The longest value, in characters.
const LONGEST: usize = 128;
/// The longest of what happened, which may hold somebody's reason.
const LONGEST_EVENT: usize = 300;

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

/// What is wrong with the templates that a configuration uses, with file, line and column. Where one is
/// wrong all the same, the letter that ships goes out.
#[must_use]
pub fn trouble(config: &Config) -> Vec<String> {
    countersign_config::template_problems(config).iter().map(ToString::to_string).collect()
}

/// The letter with a code. Where a template has become bad since it was put into force, the letter is
/// the one that ships: nobody is locked out by a typing mistake.
///
/// # Errors
/// Never in practice: the shipped template renders.
pub fn code(config: &Config, template: Option<&str>, facts: &Facts<'_>) -> Result<Rendered, Problem> {
    let own = Template::read(Letter::Code, template).and_then(|own| own_code(config, &own, facts));
    own.or_else(|problem| {
        complain(&problem);
        fill_code(&Template::shipped(Letter::Code), facts)
    })
}

/// The same by this very template.
///
/// # Errors
/// With file, line and column of what is wrong with it.
pub fn own_code(config: &Config, template: &Template, facts: &Facts<'_>) -> Result<Rendered, Problem> {
    let letter = fill_code(template, facts)?;
    template.keeps_code(&letter.subject, facts.code, config.email.code_in_subject)?;
    Ok(letter)
}

fn fill_code(template: &Template, facts: &Facts<'_>) -> Result<Rendered, Problem> {
    template.render(&CodeValues {
        issuer: &line(facts.issuer),
        user: &line(facts.user),
        host: &line(&host_name()),
        service: &line(facts.service),
        source: &line(facts.source),
        time: &utc(facts.at),
        minutes: facts.minutes,
        help: facts.help,
        code: facts.code,
    })
}

/// The letter with notices for a person, by the administrator's template or, where that has become bad,
/// by the one that ships.
///
/// # Errors
/// Never in practice: the shipped template renders.
pub fn notice(config: &Config, user: &str, told: &Told) -> Result<Rendered, Problem> {
    let own = Template::read(Letter::Notice, None).and_then(|own| own_notice(config, &own, user, told));
    own.or_else(|problem| {
        complain(&problem);
        own_notice(config, &Template::shipped(Letter::Notice), user, told)
    })
}

/// The same by this very template.
///
/// # Errors
/// With file, line and column of what is wrong with it.
pub fn own_notice(
    config: &Config,
    template: &Template,
    user: &str,
    told: &Told,
) -> Result<Rendered, Problem> {
    let notices: Vec<NoticeValue> = told.notices.iter().map(value).collect();
    let first = notices.first().cloned().unwrap_or_else(|| NoticeValue {
        what: "something happened".into(),
        service: "unknown".into(),
        source: "unknown".into(),
        time: "unknown".into(),
        times: 1,
    });
    template.render(&NoticeValues {
        issuer: line(&config.issuer),
        user: line(user),
        host: line(&host_name()),
        first,
        notices,
        more: told.more,
        help: config.help.clone(),
    })
}

fn value(one: &Placed) -> NoticeValue {
    NoticeValue {
        what: cut(&notice_text::sentence(&one.noted), LONGEST_EVENT),
        service: line(&one.service),
        source: line(&one.source),
        time: one.noted.at.clone(),
        times: one.noted.times,
    }
}

fn complain(problem: &Problem) {
    let problem = problem.to_string();
    journal::error("a template cannot be used, the shipped letter goes out", &[("error", &problem)]);
}

fn host_name() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
}

/// Outside text in a letter: one line, without what turns text around.
pub(super) fn line(text: &str) -> String {
    cut(text, LONGEST)
}

fn cut(text: &str, longest: usize) -> String {
    text.chars().take(longest).map(|c| if is_unsafe(c) { ' ' } else { c }).collect()
}

/// `2026-11-22 11:45 UTC` (the calendar of Howard Hinnant's `civil_from_days`).
#[must_use]
pub fn utc(at: i64) -> String {
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
    use crate::store::Noted;

    fn config() -> Config {
        let text = "issuer = \"Acme\"\nhelp = \"Ask the helpdesk.\"\n[[policy]]\nname = \"p\"\n";
        countersign_config::parse("t", text).expect("a configuration")
    }

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

    fn placed(kind: &str, detail: &str) -> Placed {
        let noted =
            Noted { at: "2026-11-22 14:03 UTC".into(), kind: kind.into(), detail: detail.into(), times: 1 };
        Placed { noted, service: "sshd".into(), source: "192.0.2.7".into() }
    }

    #[test]
    fn dis_07_a_letter_says_who_where_and_when_and_keeps_the_code_out_of_the_subject() {
        let letter = code(&config(), None, &facts()).expect("renders");
        assert!(letter.subject.starts_with("Acme: your login code for "), "{}", letter.subject);
        assert!(!letter.subject.contains("31415926"));
        let text = letter.text;
        for word in
            ["31415926", "alice", "sshd", "192.0.2.7", "2026-11-22", "10 minutes", "not you", "helpdesk"]
        {
            assert!(text.contains(word), "{word} in {}", *text);
        }
        assert!(text.lines().all(|line| line.len() <= 80 && line.is_ascii()), "{}", *text);
    }

    #[test]
    fn inp_03_outside_text_stays_on_its_line() {
        let evil = "x\r\nBcc: dave@example.org\n\n{{ code }}\u{202e}";
        let facts = Facts { issuer: evil, user: evil, service: evil, source: evil, ..facts() };
        let letter = code(&config(), None, &facts).expect("renders");
        assert!(!letter.subject.contains(['\r', '\n']) && !letter.subject.contains("31415926"));
        assert_eq!(letter.text.matches("31415926").count(), 1);
        for kind in ["recovery-used", "enrolled", "reset", "no-such-kind"] {
            let one = Placed { service: evil.into(), source: evil.into(), ..placed(kind, evil) };
            let told = Told { notices: vec![one], ..Told::default() };
            let notice = notice(&config(), evil, &told).expect("renders");
            assert!(!notice.subject.contains(['\r', '\n']), "{}", notice.subject);
            for text in [&letter.text, &notice.text] {
                assert!(!text.contains(['\r', '\u{202e}']));
                assert!(text.lines().all(|line| !line.starts_with("Bcc")), "{}", **text);
            }
        }
    }

    #[test]
    fn enr_07_a_letter_of_notices_reads_like_this() {
        let mut locked = placed("locked", "sudo local");
        (locked.noted.times, locked.service, locked.source) = (3, "sudo".into(), "local".into());
        let notices = vec![placed("recovery-used", "sshd 192.0.2.7"), locked];
        let told = Told { notices, more: 2, ..Told::default() };
        let letter = notice(&config(), "alice", &told).expect("renders");
        let host = line(&host_name());
        assert_eq!(letter.subject, format!("Acme: security notice for alice on {host}"));
        let expected = format!(
            "This is about the second factor of your account:

    Account:  alice
    Computer: {host}

    a recovery code was used for sshd from 192.0.2.7
        Time:    2026-11-22 14:03 UTC
        Service: sshd
        From:    192.0.2.7

    too many wrong codes were typed for sudo on this machine (3 times)
        Time:    2026-11-22 14:03 UTC
        Service: sudo
        From:    local

    and 2 more, to be seen on that computer with:
    countersignctl status alice

If this was you, or somebody who did it for you, there is nothing to do.
If not, somebody may know your password or have your codes: change the
password, and tell your administrator now.
Ask the helpdesk."
        );
        assert_eq!(*letter.text, expected);
    }

    #[test]
    fn a_subject_is_as_short_as_the_mailer_wants_it() {
        let long = "\u{20ac}".repeat(200);
        let letter = code(&config(), None, &Facts { issuer: &long, ..facts() }).expect("renders");
        assert!(letter.subject.len() <= 255 && letter.subject.starts_with('\u{20ac}'));
    }
}
