//! The manual, by the programs that people read it with.

use std::path::PathBuf;
use std::process::Command;

use countersign_tests::{artifacts, require};

fn pages() -> Vec<PathBuf> {
    let root = artifacts::source_root().join("packaging/usr/share/man");
    let mut pages = Vec::new();
    for section in std::fs::read_dir(root).expect("the manual").flatten() {
        pages.extend(std::fs::read_dir(section.path()).expect("a section").flatten().map(|page| page.path()));
    }
    assert!(pages.len() > 20, "{pages:?}");
    pages
}

#[test]
fn every_page_is_sound_and_fits_eighty_columns() {
    require!(Tool("man"), Tool("mandoc"));
    let root = artifacts::source_root().join("packaging/usr/share/man");
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page");
        if let Some(other) = text.strip_prefix(".so ") {
            assert!(root.join(other.trim_end()).exists(), "{} leads nowhere", page.display());
            continue;
        }
        let lint =
            Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).arg(&page).output().expect("mandoc");
        assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
        let mut man = Command::new("man");
        man.args(["--warnings", "-E", "UTF-8", "-l"]).arg(&page).current_dir(&root);
        let shown =
            man.env("MANWIDTH", "80").env("LC_ALL", "C.UTF-8").env("MANPAGER", "cat").output().expect("man");
        assert!(shown.status.success() && shown.stderr.is_empty(), "{}: {shown:?}", page.display());
        for line in String::from_utf8(shown.stdout).expect("UTF-8").lines() {
            assert!(line.chars().count() <= 80, "{}: {line}", page.display());
        }
    }
}

/// Pages that are written by hand name the options that `--help` does.
#[test]
fn the_pages_of_the_daemons_have_their_options() {
    require!(Staged("countersignd"), Staged("countersign-mailer"));
    for (program, name) in
        [(artifacts::daemon(), "countersignd"), (artifacts::mailer(), "countersign-mailer")]
    {
        let page = artifacts::source_root().join(format!("packaging/usr/share/man/man8/{name}.8"));
        let page = std::fs::read_to_string(page)
            .expect("a page")
            .replace("\\fB", "")
            .replace("\\fR", " ")
            .replace('\\', "");
        let help = Command::new(program).arg("--help").output().expect("it runs").stdout;
        let help = String::from_utf8(help).expect("UTF-8");
        let options = |text: &str| -> std::collections::BTreeSet<String> {
            let ends = |c: char| !(c.is_ascii_lowercase() || c == '-');
            let words = text.split(ends).filter(|word| word.starts_with("--") && word.len() > 2);
            words.map(|word| word.trim_end_matches('-').to_owned()).collect()
        };
        assert_eq!(options(&page), options(&help), "{name}");
    }
}
