//! Every command that a document tells somebody to type is one.

use super::Cli;
use clap::Parser;
use std::path::{Path, PathBuf};

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of documents").flatten() {
        let path = entry.path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "md") {
            found.push(path);
        }
    }
}

/// What a shell would make of it, as far as the documents go: quotes, and `$(...)` as a word.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut depth) = (Vec::new(), String::new(), false, 0_u32);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted && word.is_empty() => break,
            c if c.is_whitespace() && !quoted && depth == 0 => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => {
                depth = match c {
                    '(' => depth + 1,
                    ')' => depth.saturating_sub(1),
                    _ => depth,
                };
                word.push(c);
            }
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Commands in blocks that are indented by four, which is how the documents show what is typed. What
/// stands in running text may be half a command, such as the name of a verb.
fn commands(page: &str) -> impl Iterator<Item = (usize, &str)> {
    page.lines().enumerate().filter_map(|(number, line)| {
        let typed = line.trim_start();
        let typed = typed.strip_prefix("sudo ").unwrap_or(typed);
        (line.starts_with("    ") && typed.starts_with("countersignctl ")).then_some((number + 1, typed))
    })
}

#[test]
fn every_command_in_the_documents_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut files = vec![root.join("README.md")];
    pages(&root.join("docs"), &mut files);
    let (mut tried, mut wrong) = (0, Vec::new());
    for file in files {
        let page = std::fs::read_to_string(&file).expect("a document");
        for (line, typed) in commands(&page) {
            tried += 1;
            if let Err(error) = Cli::try_parse_from(words(typed)) {
                let why = error.to_string();
                wrong.push(format!(
                    "{}:{line}: {typed}\n{}",
                    file.display(),
                    why.lines().next().unwrap_or("")
                ));
            }
        }
    }
    assert!(tried > 50, "only {tried} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
