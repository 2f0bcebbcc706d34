//! Text that crosses a trust boundary: to a person's terminal, to the log, to the daemon.

/// Text from the daemon, fit for a terminal: without control and direction-changing characters.
///
/// Newlines and tabs stay. Escape sequences lose their escape and become harmless letters.
pub(crate) fn for_person(text: &str) -> String {
    text.chars().filter(|&c| c == '\n' || c == '\t' || !is_hostile(c)).collect()
}

/// Outside text for a log line: quoted, printable ASCII, at most `LOG_CAP` bytes of the original.
pub(crate) fn for_log(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(LOG_CAP)];
    let mut out = String::with_capacity(shown.len() + 2);
    out.push('"');
    out.extend(shown.escape_ascii().map(char::from));
    out.push('"');
    if shown.len() < bytes.len() {
        out.push_str("...");
    }
    out
}

/// A PAM item for the bus: UTF-8 without control characters, at most `cap` bytes.
pub(crate) fn for_bus(bytes: &[u8], cap: usize) -> String {
    let mut text: String = String::from_utf8_lossy(bytes).chars().filter(|&c| !is_hostile(c)).collect();
    let mut end = text.len().min(cap);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// Whether an answer holds a control character, in any encoding a terminal may have used.
///
/// sshd answers for unknown users with backspaces and line ends; a code never holds any.
pub(crate) fn has_control(answer: &[u8]) -> bool {
    match std::str::from_utf8(answer) {
        Ok(text) => text.chars().any(char::is_control),
        Err(_) => answer.iter().any(u8::is_ascii_control),
    }
}

/// Bytes of outside text that one log line shows.
const LOG_CAP: usize = 128;

/// C0, DEL, C1, line and paragraph separators, and what changes the direction of text.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_lines_and_blocks_but_no_escapes() {
        assert_eq!(for_person("a\n\tb\u{1b}[2Jc\u{9b}d\u{7f}e\rf\0"), "a\n\tb[2Jcdef");
        assert_eq!(for_person("\u{202e}evil\u{2066}\u{200f}\u{61c}"), "evil");
        assert_eq!(for_person("█▀▄ é"), "█▀▄ é");
    }

    #[test]
    fn a_log_line_holds_one_quoted_printable_word() {
        assert_eq!(for_log(b"al\"i\nce\x1b\xff"), "\"al\\\"i\\nce\\x1b\\xff\"");
        assert_eq!(for_log("é\u{202e}".as_bytes()), "\"\\xc3\\xa9\\xe2\\x80\\xae\"");
        let long = for_log(&[b'x'; 4096]);
        assert_eq!(long.len(), LOG_CAP + 5);
    }

    #[test]
    fn an_item_is_cut_at_a_character() {
        assert_eq!(for_bus("ééé".as_bytes(), 3), "é");
        assert_eq!(for_bus(b"a\nb\xffc", 100), "ab\u{fffd}c");
    }

    #[test]
    fn control_characters_in_answers() {
        assert!(has_control(b"\x08\n\r\x7fINCORRECT"));
        assert!(has_control("12\u{9b}".as_bytes()));
        assert!(has_control(b"\xff\x01"));
        assert!(!has_control("123 456é".as_bytes()));
    }
}
