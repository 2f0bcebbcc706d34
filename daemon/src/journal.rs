//! What the daemon says to the journal: lower case, no full stop, one line per event, outside text
//! quoted. Nothing here can take a secret: values are what callers spell out, and secret types have
//! no text.

use std::fmt::Write as _;
use std::io::Write as _;

/// Something an administrator must mend.
pub fn error(event: &str, fields: &[(&str, &str)]) {
    line(3, event, fields);
}

/// Something that is not as it should be.
pub fn warning(event: &str, fields: &[(&str, &str)]) {
    line(4, event, fields);
}

/// Something worth knowing.
pub fn notice(event: &str, fields: &[(&str, &str)]) {
    line(5, event, fields);
}

fn line(priority: u8, event: &str, fields: &[(&str, &str)]) {
    let text = render(priority, event, fields);
    // The journal may be full or gone: a login never waits for it or fails by it.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

fn render(priority: u8, event: &str, fields: &[(&str, &str)]) -> String {
    // `<N>` is how systemd reads a priority from standard error (sd-daemon(3)).
    let mut text = format!("<{priority}>{event}");
    for (key, value) in fields {
        let _ = write!(text, " {key}=\"");
        for c in value.chars().take(512) {
            match c {
                '"' | '\\' => {
                    text.push('\\');
                    text.push(c);
                }
                c if is_unsafe(c) => {
                    let _ = write!(text, "\\u{{{:x}}}", u32::from(c));
                }
                c => text.push(c),
            }
        }
        text.push('"');
    }
    text.push('\n');
    text
}

/// Control characters, and those that turn the direction of text around.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inp_03_outside_text_stays_inside_its_quotes_and_line() {
        let evil = "a\"b\\\n<0>fake\u{1b}[2J\u{202e}x";
        let text = render(5, "login denied", &[("user", evil)]);
        assert_eq!(text, "<5>login denied user=\"a\\\"b\\\\\\u{a}<0>fake\\u{1b}[2J\\u{202e}x\"\n");
        assert_eq!(text.lines().count(), 1);
    }
}
