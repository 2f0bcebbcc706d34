//! From a file's text to lines of words, by the rules of pam.conf(5).

/// A line of a stack file with what was continued, without comments; never empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Where it begins, from 1.
    pub(super) number: usize,
    pub(super) words: Vec<String>,
}

/// The file's lines, and the line at which a continuation leads nowhere: libpam refuses such a file.
pub(super) fn lines(text: &str) -> (Vec<Line>, Option<usize>) {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, raw) in text.split('\n').enumerate() {
        let raw = raw.trim_start_matches([' ', '\t']);
        // Nothing in this line; a continuation goes on after it.
        if raw.is_empty() || raw.starts_with('#') {
            continue;
        }
        let (number, mut so_far) = open.take().unwrap_or((index + 1, String::new()));
        if let Some((before, _)) = raw.split_once('#') {
            so_far.push_str(before);
        } else if let Some(before) = raw.trim_ascii_end().strip_suffix('\\') {
            so_far.push_str(before);
            so_far.push(' ');
            open = Some((number, so_far));
            continue;
        } else {
            so_far.push_str(raw);
        }
        let words = words(&so_far);
        if !words.is_empty() {
            lines.push(Line { number, words });
        }
    }
    (lines, open.map(|(number, _)| number))
}

/// Words between blanks; `[...]` is one word, in which `\]` is a bracket.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut chars = line.chars().peekable();
    loop {
        while chars.next_if(|c| is_blank(*c)).is_some() {}
        let Some(first) = chars.next() else { return words };
        let mut word = String::new();
        if first == '[' {
            while let Some(c) = chars.next() {
                match c {
                    ']' => break,
                    '\\' => word.push(chars.next_if_eq(&']').unwrap_or('\\')),
                    _ => word.push(c),
                }
            }
        } else {
            word.push(first);
            while let Some(c) = chars.next_if(|c| !is_blank(*c)) {
                word.push(c);
            }
        }
        words.push(word);
    }
}

/// The options of our module as it reads them itself: libpam splits `prompt=[Your code: ]`, because the
/// bracket does not begin the word, and the module puts it together again (pam_countersign(8)).
pub(super) fn joined_prompt(words: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut rest = words;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let open = first.starts_with("prompt=[") && !first.ends_with(']');
        match after.iter().position(|word| word.ends_with(']')).filter(|_| open) {
            Some(last) => {
                let (parts, others) = after.split_at(last + 1);
                out.push(format!("{first} {}", parts.join(" ")));
                rest = others;
            }
            None => out.push(first.clone()),
        }
    }
    out
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Vec<String> {
        let (lines, open) = lines(text);
        assert_eq!(open, None);
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.into_iter().next().expect("one line").words
    }

    #[test]
    fn comments_blanks_and_continuations() {
        let text = "# head\n\n  auth\trequired \\\n# between\n   pam_unix.so nullok # tail\nauth x y\n";
        let (lines, open) = lines(text);
        assert_eq!(open, None);
        assert_eq!(lines[0].number, 3);
        assert_eq!(lines[0].words, ["auth", "required", "pam_unix.so", "nullok"]);
        assert_eq!((lines[1].number, lines[1].words.len()), (6, 3));
    }

    #[test]
    fn brackets_hold_one_word() {
        assert_eq!(
            only("auth [success=1 default=ignore] a.so [prompt=Your [x\\] code: ] b"),
            ["auth", "success=1 default=ignore", "a.so", "prompt=Your [x] code: ", "b"]
        );
        assert_eq!(only("auth [a][b]c"), ["auth", "a", "b", "c"]);
    }

    #[test]
    fn a_prompt_in_brackets_is_one_option_of_ours() {
        let joined =
            |words: &[&str]| joined_prompt(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        assert_eq!(joined(&["prompt=[Your", "code:", "]", "debug"]), ["prompt=[Your code: ]", "debug"]);
        assert_eq!(joined(&["prompt=[a", "after_first_factor]"]), ["prompt=[a after_first_factor]"]);
        assert_eq!(joined(&["prompt=[Code]", "debug]"]), ["prompt=[Code]", "debug]"]);
        assert_eq!(joined(&["prompt=[a", "after_first_factor"]), ["prompt=[a", "after_first_factor"]);
        assert_eq!(joined(&["prompt=Your code: ", "a]"]), ["prompt=Your code: ", "a]"]);
    }

    #[test]
    fn a_file_that_ends_in_a_continuation_is_refused() {
        assert_eq!(lines("auth required a.so\nauth required \\\n").1, Some(2));
    }
}
