//! "Did you mean": the nearest of a few known words.

/// The nearest known word, if it is near enough to be what was meant.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    // A word far longer than any key is no misspelling, and would cost time for nothing.
    if word.chars().count() > 40 {
        return None;
    }
    let lower = word.to_lowercase().replace('-', "_");
    let (distance, best) = known.iter().map(|candidate| (distance(&lower, candidate), *candidate)).min()?;
    (distance <= best.chars().count().max(3) / 3 + 1).then_some(best)
}

/// The nearest of the names of this host, if a third of the letters or fewer differ: "whel" is
/// "wheel", "ops" is not "lp". Upper and lower case do not differ.
pub(crate) fn nearest_name<'k>(name: &str, known: &'k [String]) -> Option<&'k str> {
    let length = name.chars().count();
    // A longer name is no misspelling, and comparing it would cost time for nothing.
    if length > 64 {
        return None;
    }
    let lower = name.to_lowercase();
    let near = |one: &String| one.chars().count().abs_diff(length) <= length / 3 + 1;
    let known = known.iter().filter(|one| near(one));
    let (distance, best) = known.map(|one| (distance(&lower, &one.to_lowercase()), one.as_str())).min()?;
    (distance <= (length / 3).max(1)).then_some(best)
}

/// "a, b or c".
pub(crate) fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

/// How many characters must be put in, taken out, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[&str] = &["name", "status", "require", "groups", "services", "label"];

    #[test]
    fn finds_what_was_meant() {
        assert_eq!(nearest("group", KEYS), Some("groups"));
        assert_eq!(nearest("Groups", KEYS), Some("groups"));
        assert_eq!(nearest("gruops", KEYS), Some("groups"));
        assert_eq!(nearest("servcies", KEYS), Some("services"));
        assert_eq!(nearest("required", KEYS), Some("require"));
        assert_eq!(nearest("lable", KEYS), Some("label"));
    }

    #[test]
    fn does_not_guess_wildly() {
        assert_eq!(nearest("networks", KEYS), None);
        assert_eq!(nearest("x", KEYS), None);
        assert_eq!(nearest(&"g".repeat(100_000), KEYS), None);
        assert_eq!(nearest("group", &[]), None);
    }

    #[test]
    fn names_of_the_host() {
        let known = ["root", "wheel", "ssh-users", "lp"].map(str::to_owned);
        assert_eq!(nearest_name("whel", &known), Some("wheel"));
        assert_eq!(nearest_name("Wheel", &known), Some("wheel"));
        assert_eq!(nearest_name("ssh_users", &known), Some("ssh-users"));
        assert_eq!(nearest_name("hweel", &known), Some("wheel"));
        assert_eq!(nearest_name("ops", &known), None);
        assert_eq!(nearest_name("operators", &known), None);
        assert_eq!(nearest_name(&"w".repeat(10_000), &known), None);
        assert_eq!(nearest_name("whel", &[]), None);
    }

    #[test]
    fn lists_words() {
        assert_eq!(listed(&["a", "b", "c"]), "a, b or c");
        assert_eq!(listed(&["a"]), "a");
    }
}
