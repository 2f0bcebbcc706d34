//! Our lines in a file of others: written in, and taken out again without touching anything else.

use std::collections::HashMap;

/// Before a line that stood in the way and is a comment until we go.
const WAS: &str = "#countersign-was# ";
/// Behind a line that stands in for one of those. It names the module, so that whoever deletes each line that
/// does deletes this one as well.
const STANDS_IN: &str = "# instead of the line above, for pam_countersign";
/// What each line of ours in a PAM stack calls.
const MODULE: &str = "pam_countersign.so";

/// A line with what continues it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Its first line, from 1.
    pub(super) first: usize,
    /// Its last line.
    pub(super) last: usize,
}

/// An edit of a stack file: at most one of each. Line numbers are those of the file as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Edit {
    /// The auth line, after or in place of this one.
    pub(super) auth: Option<(Place, String)>,
    /// The account line.
    pub(super) account: Option<(Place, String)>,
}

/// Where a line of ours goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Before(usize),
    After(usize),
    /// The line becomes a comment, and these stand in its place, before ours.
    Instead(usize, Vec<String>),
}

impl Edit {
    /// The file with our lines.
    pub(super) fn apply(&self, text: &str) -> String {
        let spans = spans(text);
        let span = |line: usize| {
            spans
                .iter()
                .find(|span| (span.first..=span.last).contains(&line))
                .copied()
                .unwrap_or(Span { first: line, last: line })
        };
        let mut made = String::new();
        // A last line without an end gets one only if something follows.
        let mut push = |line: &str| {
            if !made.is_empty() && !made.ends_with('\n') {
                made.push('\n');
            }
            made.push_str(line);
        };
        let ours: Vec<&(Place, String)> = [&self.auth, &self.account].into_iter().flatten().collect();
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let number = index + 1;
            for (place, new) in &ours {
                if matches!(place, Place::Before(at) if span(*at).first == number) {
                    push(&format!("{new}\n"));
                }
            }
            let instead = ours.iter().any(|(place, _)| {
                matches!(place, Place::Instead(at, _) if (span(*at).first..=span(*at).last).contains(&number))
            });
            if instead {
                push(&format!("{WAS}{line}"));
            } else {
                push(line);
            }
            for (place, new) in &ours {
                match place {
                    Place::After(at) if span(*at).last == number => push(&format!("{new}\n")),
                    Place::Instead(at, others) if span(*at).last == number => {
                        for other in others.iter().chain([new]) {
                            push(&format!("{other}\n"));
                        }
                    }
                    _ => {}
                }
            }
        }
        made
    }
}

/// A line that stands in for one that becomes a comment.
pub(super) fn stand_in(line: &str) -> String {
    format!("{line} {STANDS_IN}")
}

/// The file without our lines, whoever wrote them; what we made a comment is a line again, and what stood in
/// for it goes. `None` where nothing is ours.
///
/// Where a jump (`[success=2 ...]`) before a line of ours counts it, a line that does nothing stays in its
/// place: without it the jump would land one line too far.
pub(super) fn without_ours(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = characters(bytes);
    let restored: Vec<bool> = text.split_inclusive('\n').map(|line| line.starts_with(WAS)).collect();
    let text: String =
        text.split_inclusive('\n').map(|line| line.strip_prefix(WAS).unwrap_or(line)).collect();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut jumps = Jumps::default();
    let mut gone: HashMap<usize, Option<String>> = HashMap::new();
    // Lines that are back and that nothing has gone for yet.
    let mut owed = 0_u32;
    for Span { first, last } in spans(&text) {
        let whole = whole(&lines[first - 1..last]);
        let whole = whole.as_str();
        let noop = if restored[first - 1] {
            owed += 1;
            jumps.pass(whole);
            continue;
        } else if calls_ours(whole) {
            // One line came for another one, and goes for it.
            let instead = owed > 0 && Jumps::kind(whole) == "auth";
            owed -= u32::from(instead);
            if instead { None } else { jumps.counted(whole) }
        } else if whole.ends_with(STANDS_IN) {
            owed = owed.saturating_sub(1);
            None
        } else {
            jumps.pass(whole);
            continue;
        };
        // The first line makes room for what does nothing; the others only go.
        gone.insert(first, noop);
        (first + 1..=last).for_each(|line| drop(gone.insert(line, None)));
    }
    if gone.is_empty() && !restored.contains(&true) {
        return None;
    }
    let mut left = String::new();
    for (index, line) in lines.iter().enumerate() {
        match gone.get(&(index + 1)) {
            Some(Some(noop)) => left.push_str(&format!("{noop}\n")),
            Some(None) => {}
            None => left.push_str(line),
        }
    }
    Some(as_bytes(&left))
}

/// A line with what continues it, as one; comments between its parts are none of it.
pub(super) fn whole(lines: &[&str]) -> String {
    let parts = lines.iter().map(|line| line.trim()).filter(|line| !line.starts_with('#'));
    let parts: Vec<&str> =
        parts.map(|line| if continues(line) { line.trim_end_matches('\\') } else { line }).collect();
    parts.join(" ").trim().to_owned()
}

/// Bytes of a file whose encoding nobody knows, each as one character, so that what is not ours goes through
/// unharmed. All that is looked for is ASCII.
pub(super) fn characters(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The way back from [`characters`].
pub(super) fn as_bytes(characters: &str) -> Vec<u8> {
    characters.chars().filter_map(|character| u8::try_from(u32::from(character)).ok()).collect()
}

/// How far the jumps of a file reach, phase by phase.
#[derive(Default)]
struct Jumps {
    /// Lines so far, and the last line that a jump passes over.
    phases: HashMap<String, (u64, u64)>,
}

impl Jumps {
    fn kind(line: &str) -> String {
        line.split_whitespace().next().unwrap_or_default().trim_start_matches('-').to_lowercase()
    }

    fn of(&mut self, line: &str) -> (&mut (u64, u64), String) {
        let kind = Self::kind(line);
        (self.phases.entry(kind.clone()).or_default(), kind)
    }

    /// A line of others.
    fn pass(&mut self, line: &str) {
        let how = line.split_whitespace().nth(1).unwrap_or_default();
        if line.starts_with("@include") || how.eq_ignore_ascii_case("include") {
            // It counts for as many lines as it has, which nobody knows here.
            for (count, reach) in self.phases.values_mut() {
                if *reach > *count {
                    *reach = u64::MAX;
                }
            }
            return;
        }
        let ((count, reach), _) = self.of(line);
        *count += 1;
        let control = line.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("", |(c, _)| c);
        for action in control.split('=').skip(1) {
            let digits: String = action.trim_start().chars().take_while(char::is_ascii_digit).collect();
            *reach = (*reach).max(count.saturating_add(digits.parse().unwrap_or(0)));
        }
    }

    /// A line of ours: what must stay in its place, if anything.
    fn counted(&mut self, line: &str) -> Option<String> {
        let ((count, reach), kind) = self.of(line);
        if *reach <= *count {
            return None;
        }
        *count += 1;
        Some(format!("{kind} [default=ignore] pam_permit.so"))
    }
}

/// Whether this text of a stack file calls our module, or has a line that waits to be put back.
pub(super) fn has_ours(text: &str) -> bool {
    text.lines().any(|line| calls_ours(line.trim()) || line.starts_with(WAS))
}

fn calls_ours(line: &str) -> bool {
    line.split('#').next().is_some_and(|line| line.contains(MODULE))
}

fn continues(line: &str) -> bool {
    !line.contains('#') && line.ends_with('\\')
}

/// The logical lines of a stack file that say something (pam.conf(5)): comments and empty lines do not end a
/// continued one.
pub(super) fn spans(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut open: Option<usize> = None;
    for (index, line) in text.lines().enumerate() {
        let (number, line) = (index + 1, line.trim());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let first = *open.get_or_insert(number);
        if !continues(line) {
            spans.push(Span { first, last: number });
            open = None;
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str =
        "# head\n@include common-auth\n\naccount required pam_nologin.so\n@include common-account";

    fn without(text: &str) -> Option<String> {
        without_ours(text.as_bytes()).map(|left| String::from_utf8(left).expect("as it came"))
    }

    fn edit() -> Edit {
        Edit {
            auth: Some((Place::After(2), "auth required pam_countersign.so after_first_factor".into())),
            account: Some((Place::Before(5), "account required pam_countersign.so".into())),
        }
    }

    #[test]
    fn lines_go_in_and_out_again_byte_for_byte() {
        let made = edit().apply(DEBIAN);
        assert_eq!(
            made,
            "# head\n@include common-auth\nauth required pam_countersign.so after_first_factor\n\n\
             account required pam_nologin.so\naccount required pam_countersign.so\n@include common-account"
        );
        assert_eq!(without(&made).as_deref(), Some(DEBIAN));
        assert_eq!(without(DEBIAN), None);
    }

    #[test]
    fn what_others_changed_since_stays() {
        let made = edit().apply(DEBIAN).replace("# head", "# mine\nauth required pam_access.so");
        let made = made.replace("after_first_factor", "after_first_factor debug");
        let left = without(&made).expect("ours");
        assert_eq!(left, DEBIAN.replace("# head", "# mine\nauth required pam_access.so"));
    }

    #[test]
    fn a_line_in_the_way_is_a_comment_until_we_go() {
        let stack = "auth include \\\n  system-auth\naccount include system-auth\n";
        let substack = stand_in("auth substack system-auth");
        let edit = Edit {
            auth: Some((
                Place::Instead(1, vec![substack.clone()]),
                "auth required pam_countersign.so".into(),
            )),
            account: Some((Place::Before(3), "account required pam_countersign.so".into())),
        };
        let made = edit.apply(stack);
        assert!(
            made.starts_with(&format!("{WAS}auth include \\\n{WAS}  system-auth\nauth substack")),
            "{made}"
        );
        assert_eq!(without(&made).as_deref(), Some(stack));
    }

    #[test]
    fn a_last_line_without_an_end_gets_one_when_ours_follows() {
        let edit = Edit { auth: None, account: Some((Place::After(5), "account required x".into())) };
        assert!(edit.apply(DEBIAN).ends_with("@include common-account\naccount required x\n"));
    }

    #[test]
    fn a_jump_that_counts_our_line_keeps_its_length() {
        let stack = "auth [success=2 default=ignore] pam_unix.so\nauth requisite pam_deny.so\n\
                     -auth required pam_countersign.so\nauth required pam_permit.so\n";
        assert_eq!(
            without(stack).expect("ours"),
            stack.replace("-auth required pam_countersign.so", "auth [default=ignore] pam_permit.so")
        );
        // It lands on ours: then on what follows.
        let stack = stack.replace("success=2", "success=1");
        assert_eq!(without(&stack).expect("ours"), stack.replace("-auth required pam_countersign.so\n", ""));
        // Nobody knows how far it reaches over an include.
        let stack =
            "auth [success=2 default=ignore] pam_a.so\n@include b\nauth required pam_countersign.so\n";
        assert!(without(stack).expect("ours").ends_with("auth [default=ignore] pam_permit.so\n"));
    }

    #[test]
    fn a_line_that_is_back_is_what_ours_came_for() {
        // Two lines were jumped over before, and two are afterwards.
        let stack = "auth [success=2 default=ignore] pam_a.so\nauth requisite pam_unix.so\n\
                     auth required pam_b.so\nauth required pam_c.so\n";
        let edit = Edit {
            auth: Some((Place::Instead(2, Vec::new()), "auth required pam_countersign.so after_key".into())),
            account: None,
        };
        let made = edit.apply(stack).replace("pam_c.so", "pam_c.so debug");
        assert_eq!(without(&made).expect("ours"), stack.replace("pam_c.so", "pam_c.so debug"));
        // Somebody has deleted what names our module, and left the comment.
        let left: String = made.split_inclusive('\n').filter(|line| !line.contains(MODULE)).collect();
        assert_eq!(without(&left).expect("ours"), stack.replace("pam_c.so", "pam_c.so debug"));
    }

    #[test]
    fn bytes_of_others_go_through_whatever_they_are() {
        let stack = b"# Gr\xfc\xdfe \xff\x85\xa0\n@include common-auth\n\xe2\x82\xac\n".to_vec();
        let mut made = stack.clone();
        made.extend(b"auth required pam_countersign.so\n");
        assert_eq!(without_ours(&made), Some(stack.clone()));
        assert_eq!(without_ours(&stack), None);
    }

    #[test]
    fn a_continued_line_of_ours_goes_whole_and_comments_in_it_do_not_hide_it() {
        let ours = "auth required \\\n# why\n\n  pam_countersign.so \\\n  debug\n";
        assert_eq!(without(&format!("{DEBIAN}\n{ours}auth x y\n")), Some(format!("{DEBIAN}\nauth x y\n")));
        let crlf = DEBIAN.replace('\n', "\r\n");
        assert_eq!(
            without(&format!("{crlf}\r\nauth required pam_countersign.so\r\n")),
            Some(format!("{crlf}\r\n"))
        );
    }

    #[test]
    fn comments_do_not_call_us() {
        assert!(!has_ours("# auth required pam_countersign.so\nauth required a.so # pam_countersign.so\n"));
        assert!(has_ours("-auth [success=ok default=bad] /lib/security/pam_countersign.so debug\n"));
        assert_eq!(spans("a \\\n# c\n b\n\nc\n"), [Span { first: 1, last: 3 }, Span { first: 5, last: 5 }]);
    }
}
