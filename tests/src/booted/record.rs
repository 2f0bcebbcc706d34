//! What was done to a booted host and what it said, to be read from top to bottom afterwards.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Where the records lie, one file for each test; `scripts/test` makes one transcript of them.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/booted");
/// What one command says is cut here, in bytes.
const CAP: usize = 6000;

/// The record of one test. Clones write to the same file.
#[derive(Clone)]
pub struct Record {
    begun: Instant,
    file: Arc<Mutex<File>>,
}

impl Record {
    /// Begins one, named after the test.
    ///
    /// # Panics
    /// When `target/booted` cannot be written.
    #[must_use]
    pub fn begin() -> Self {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("unnamed").to_owned();
        std::fs::create_dir_all(FOLDER).expect("target/booted");
        let path = Path::new(FOLDER).join(format!("{}.txt", test.replace("::", "-")));
        let mut file = File::create(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let title = test.replace("::", ": ").replace('_', " ");
        writeln!(file, "\n{}\n{title}\n{0}", "=".repeat(100)).expect("a file of ours");
        Self { begun: Instant::now(), file: Arc::new(Mutex::new(file)) }
    }

    /// What happens, in a sentence.
    pub fn say(&self, sentence: &str) {
        self.write(&format!("\n[{:7.2} s] {sentence}\n", self.begun.elapsed().as_secs_f64()));
    }

    /// What was typed by root at `started`, and what came of it.
    pub fn command(&self, started: Instant, script: &str, outcome: &str, said: &str) {
        let at = started.duration_since(self.begun).as_secs_f64();
        let took = started.elapsed().as_secs_f64();
        self.write(&format!("\n[{at:7.2} s] # {}\n", script.trim()));
        self.write(&indented(said));
        self.write(&format!("            ({outcome}, {took:.2} s)\n"));
    }

    /// What a person saw and typed at a terminal, since `started`.
    pub fn terminal(&self, started: Instant, words: &str, shown: &str) {
        let at = started.saturating_duration_since(self.begun).as_secs_f64();
        let took = started.elapsed().as_secs_f64();
        let words = words.replace(crate::booted::PLAIN_SSH, "");
        self.write(&format!("\n[{at:7.2} s] at a terminal: {words}\n"));
        self.write(&indented(&without_escapes(shown)));
        self.write(&format!("            ({took:.2} s)\n"));
    }

    /// A record that cannot be written is no reason to fail a test.
    fn write(&self, text: &str) {
        if let Ok(mut file) = self.file.lock() {
            drop(file.write_all(text.as_bytes()));
        }
    }
}

/// Without what moves a cursor or sets a colour (ECMA-48, 5.4).
fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, part| {
        let end = part.find(|c: char| ('@'..='~').contains(&c)).map_or(part.len(), |at| at + 1);
        shown + &part[end..]
    })
}

fn indented(text: &str) -> String {
    let mut end = text.len().min(CAP);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut shown = String::new();
    for line in text[..end].lines() {
        shown.push_str("            | ");
        shown.push_str(line);
        shown.push('\n');
    }
    if end < text.len() {
        shown.push_str("            | ...\n");
    }
    shown
}
