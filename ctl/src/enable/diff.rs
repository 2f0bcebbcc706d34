//! What changes in a file, as people are used to read it (`diff -u`).

/// Lines shown around a change.
const AROUND: usize = 2;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Same,
    Out,
    In,
}

/// The change of one file; empty where there is none.
pub(super) fn unified(path: &str, before: Option<&str>, after: Option<&str>) -> Vec<String> {
    let lines =
        |text: Option<&str>| -> Vec<String> { text.unwrap_or_default().lines().map(str::to_owned).collect() };
    let (old, new) = (lines(before), lines(after));
    let script = script(&old, &new);
    if script.iter().all(|(kind, _)| *kind == Kind::Same) && before.is_some() == after.is_some() {
        return Vec::new();
    }
    let name = |there: bool| if there { path } else { "/dev/null" };
    let mut shown = vec![format!("--- {}", name(before.is_some())), format!("+++ {}", name(after.is_some()))];
    let near = |at: usize| {
        let window = at.saturating_sub(AROUND)..(at + AROUND + 1).min(script.len());
        script[window].iter().any(|(kind, _)| *kind != Kind::Same)
    };
    let (mut old_at, mut new_at, mut open) = (0, 0, false);
    for (at, (kind, line)) in script.iter().enumerate() {
        if near(at) {
            if !open {
                shown.push(format!("@@ line {} @@", if before.is_some() { old_at } else { new_at } + 1));
            }
            let sign = match kind {
                Kind::Same => ' ',
                Kind::Out => '-',
                Kind::In => '+',
            };
            shown.push(format!("{sign}{line}"));
        }
        open = near(at);
        old_at += usize::from(*kind != Kind::In);
        new_at += usize::from(*kind != Kind::Out);
    }
    shown
}

/// The shortest way from one text to the other, by the longest common subsequence. Stack files are short.
fn script<'l>(old: &'l [String], new: &'l [String]) -> Vec<(Kind, &'l str)> {
    // What begins and ends alike needs no table.
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&old_rest[..old_rest.len() - tail], &new_rest[..new_rest.len() - tail]);
    let mut common = vec![vec![0_u32; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i][j] =
                if a[i] == b[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let mut script: Vec<(Kind, &str)> = old[..head].iter().map(|line| (Kind::Same, &**line)).collect();
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            script.push((Kind::Same, &a[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < a.len() && (j == b.len() || common[i + 1][j] >= common[i][j + 1]) {
            script.push((Kind::Out, &a[i]));
            i += 1;
        } else {
            script.push((Kind::In, &b[j]));
            j += 1;
        }
    }
    script.extend(old[old.len() - tail..].iter().map(|line| (Kind::Same, &**line)));
    script
}

#[cfg(test)]
mod tests {
    use super::unified;

    #[test]
    fn a_change_is_shown_with_what_is_around_it() {
        let shown = unified("/f", Some("1\n2\n3\n4\n5\n6\n7\n"), Some("1\n2\n3\n4\nx\n5\n6\n7\n"));
        assert_eq!(shown, ["--- /f", "+++ /f", "@@ line 3 @@", " 3", " 4", "+x", " 5", " 6"]);
        let shown = unified("/f", Some("a\nb\n"), Some("a\nc\n"));
        assert_eq!(shown, ["--- /f", "+++ /f", "@@ line 1 @@", " a", "-b", "+c"]);
    }

    #[test]
    fn new_and_removed_files_and_no_change() {
        assert_eq!(unified("/f", None, Some("a\n")), ["--- /dev/null", "+++ /f", "@@ line 1 @@", "+a"]);
        assert_eq!(unified("/f", Some("a\n"), None), ["--- /f", "+++ /dev/null", "@@ line 1 @@", "-a"]);
        assert!(unified("/f", Some("a\n"), Some("a\n")).is_empty());
    }

    #[test]
    fn two_changes_far_apart_are_two_pieces() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let new = "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";
        let pieces = unified("/f", Some(old), Some(new));
        assert_eq!(pieces.iter().filter(|line| line.starts_with("@@")).count(), 2, "{pieces:?}");
    }
}
