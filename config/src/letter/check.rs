//! What is wrong with the templates of a configuration, before a letter is needed.

use super::{CodeValues, Letter, NoticeValue, NoticeValues, Rendered, Template};
use crate::problem::Problem;
use crate::suggest::listed;
use crate::words::is_unprintable;
use crate::{Config, Factor};

/// Stands in each value of a letter that is only tried: found again, the template has said it.
const MARK: &str = "q7x";
/// The code of such a letter.
const CODE: &str = "83170264";

/// Everything that is wrong with the templates that this configuration uses, with file, line and column.
#[must_use]
pub fn problems(config: &Config) -> Vec<Problem> {
    let mails = config.policies.iter().filter(|policy| policy.factors.contains(&Factor::Email));
    let mut names: Vec<Option<&str>> = mails.map(|policy| policy.template.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    let mut letters: Vec<(Letter, Option<&str>)> = names.into_iter().map(|n| (Letter::Code, n)).collect();
    if !config.mailboxes.is_empty() {
        letters.push((Letter::Notice, None));
    }
    let checked = letters.into_iter().map(|(letter, name)| {
        Template::read(letter, name).and_then(|template| template.check(config.email.code_in_subject))
    });
    checked.filter_map(Result::err).collect()
}

impl Template {
    /// Tries every letter that this template may have to make.
    ///
    /// # Errors
    /// With file, line and column of what is wrong.
    pub fn check(&self, code_in_subject: bool) -> Result<(), Problem> {
        self.knows_its_names()?;
        for help in [None, Some("help")] {
            for many in [false, true] {
                let letter = match self.letter {
                    Letter::Code => self.render(&code(help))?,
                    Letter::Notice => self.render(&notice(help, many))?,
                };
                self.says_enough(&letter)?;
                self.subject_is_discreet(&letter, code_in_subject)?;
            }
        }
        Ok(())
    }

    /// Whether a subject keeps the code to itself. Phones show subjects on their locked screens, and mail
    /// servers log them.
    ///
    /// # Errors
    /// Where it does not and `code_in_subject` is not set.
    pub fn keeps_code(&self, subject: &str, code: &str, code_in_subject: bool) -> Result<(), Problem> {
        if code_in_subject || !subject.contains(code) {
            return Ok(());
        }
        let first_line = self.text.split('\n').next().unwrap_or_default();
        let byte = first_line.find("code }}").or_else(|| first_line.find("code")).unwrap_or(0);
        let right = "take it out, or write code_in_subject = true below [email]";
        Err(self.at(byte, "has the code in the subject, which phones show while they are locked", right))
    }

    fn subject_is_discreet(&self, letter: &Rendered, code_in_subject: bool) -> Result<(), Problem> {
        match self.letter {
            Letter::Code => self.keeps_code(&letter.subject, CODE, code_in_subject),
            Letter::Notice => Ok(()),
        }
    }

    /// A name in a branch that is not taken today is wrong too.
    fn knows_its_names(&self) -> Result<(), Problem> {
        let jinja = minijinja::Environment::new();
        // What cannot be parsed is said by the rendering, which knows the place.
        let Ok(template) = jinja.template_from_str(&self.text) else { return Ok(()) };
        let known = self.letter.names();
        let mut unknown: Vec<String> = template
            .undeclared_variables(false)
            .into_iter()
            .filter(|name| !known.contains(&name.as_str()) && !FUNCTIONS.contains(&name.as_str()))
            .collect();
        unknown.sort_unstable();
        let Some(name) = unknown.first() else { return Ok(()) };
        let wrong = format!("\"{name}\" is none of the values");
        let right = format!("the values are {}", known.join(", "));
        Err(self.at(self.text.find(name.as_str()).unwrap_or(0), wrong, right))
    }

    fn says_enough(&self, letter: &Rendered) -> Result<(), Problem> {
        let text = letter.text.to_lowercase();
        let says = |name: &&str| match *name {
            "code" => text.contains(CODE),
            name => text.contains(&format!("{name}-{MARK}")),
        };
        let missing: Vec<&str> = self.letter.required().iter().copied().filter(|name| !says(name)).collect();
        if !missing.is_empty() {
            let wrong = format!("does not say {} in the text of every letter", listed(&missing));
            let right = "add it as {{ name }}: people tell by it whether it was they";
            return Err(self.at(0, wrong, right));
        }
        let unprintable = |text: &str| text.chars().any(|c| c != '\n' && is_unprintable(c));
        if unprintable(&letter.subject) || unprintable(&letter.text) {
            return Err(self.at(0, "makes a letter with control characters", "write plain text"));
        }
        Ok(())
    }
}

/// What a template can use without being given it.
const FUNCTIONS: [&str; 5] = ["range", "dict", "namespace", "debug", "loop"];

fn code(help: Option<&str>) -> CodeValues<'_> {
    CodeValues {
        issuer: "issuer-q7x",
        user: "user-q7x",
        host: "host-q7x",
        service: "service-q7x",
        source: "source-q7x",
        time: "time-q7x",
        minutes: 10,
        help,
        code: CODE,
    }
}

fn notice(help: Option<&str>, many: bool) -> NoticeValues {
    let mark = |name: &str| format!("{name}-{MARK}");
    let one = NoticeValue {
        what: mark("what"),
        service: mark("service"),
        source: mark("source"),
        time: mark("time"),
        times: if many { 3 } else { 1 },
    };
    NoticeValues {
        issuer: mark("issuer"),
        user: mark("user"),
        host: mark("host"),
        first: one.clone(),
        notices: vec![one; if many { 3 } else { 1 }],
        more: if many { 7 } else { 0 },
        help: help.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(letter: Letter, text: &str) -> Template {
        Template { letter, file: "x".into(), text: text.into() }
    }

    const ENOUGH: &str = "{{ user }} {{ host }} {{ service }} {{ source }} {{ time }}";

    #[test]
    fn what_ships_is_right() {
        for letter in Letter::ALL {
            assert_eq!(Template::shipped(letter).check(false), Ok(()));
        }
    }

    #[test]
    fn templates_are_strict_and_say_where_they_are_wrong() {
        for (text, said) in [
            ("Subject: x\n\nHello {{ nobody }}", "x:3:10: \"nobody\" is none of the values"),
            ("Subject: x\n\n{% if %}", "x:3:"),
            ("Subject: x\n\n{% if help and minutes > 90 %}{{ kode }}{% endif %}", "x:3:34: \"kode\""),
            ("no subject\n\ntext", "x:1:1: has no subject"),
            ("Subject: x", "x:1:1: has no subject"),
            ("Subject: x\nBcc: y\n\ntext", "x:1:1: has no subject"),
            ("Subject: x\n\n{{ code }} {{ user }}", "x:1:1: does not say host, service, source or time"),
            ("Subject: x\n\n{{ user.name }}", "x:3:"),
        ] {
            let problem = template(Letter::Code, text).check(false).expect_err(text).to_string();
            assert!(problem.starts_with(said), "{text}: {problem}");
        }
    }

    #[test]
    fn every_letter_says_who_where_and_when() {
        for name in Letter::Code.required() {
            let text =
                format!("Subject: x\n\n{ENOUGH} {{{{ code }}}}").replace(&format!("{{{{ {name} }}}}"), "");
            let problem = template(Letter::Code, &text).check(false).expect_err(name).to_string();
            assert!(problem.contains(&format!("does not say {name} in")), "{problem}");
        }
        // Also where the values of the first notice stand in for all of them.
        let text = format!("Subject: x\n\n{ENOUGH} {{{{ what }}}}");
        assert_eq!(template(Letter::Notice, &text).check(false), Ok(()));
        let text = format!("Subject: x\n\n{ENOUGH} {{% if help %}}{{{{ what }}}}{{% endif %}}");
        assert!(template(Letter::Notice, &text).check(false).is_err(), "not only with help");
    }

    #[test]
    fn dis_07_the_code_is_in_the_subject_only_where_the_configuration_asks_for_it() {
        for subject in ["{{ code }}", "Your code {{code}}", "{% set x = code %}{{ x }}"] {
            let template = template(Letter::Code, &format!("Subject: {subject}\n\n{ENOUGH} {{{{ code }}}}"));
            let problem = template.check(false).expect_err(subject).to_string();
            assert!(problem.starts_with("x:1:") && problem.contains("code in the subject"), "{problem}");
            assert_eq!(template.check(true), Ok(()));
        }
    }
}
