//! What the documents promise of the tests is true.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_tests::{artifacts, require};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a source folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                rust_files(&path, found);
            }
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// Names of all test functions.
fn tests() -> BTreeSet<String> {
    let mut files = Vec::new();
    for part in ["config", "ctl", "daemon", "pam-module", "tests"] {
        rust_files(&root().join(part), &mut files);
    }
    let mut found = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file");
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            match line.strip_prefix("fn ").and_then(|rest| rest.split('(').next()) {
                Some(name) if is_test => {
                    found.insert(name.to_owned());
                    is_test = false;
                }
                _ => is_test = line == "#[test]" || (is_test && line.starts_with("#[")),
            }
        }
    }
    found
}

/// Those that carry an attack's id, in front or at the end: `rpl_01_...`, `..._byp_23`.
fn tests_with_an_id() -> BTreeMap<String, String> {
    tests().into_iter().filter_map(|name| id_of(&name).map(|id| (name, id))).collect()
}

fn id_of(name: &str) -> Option<String> {
    let words: Vec<&str> = name.split('_').collect();
    let id = |family: &str, number: &str| {
        let known = ["byp", "bru", "rpl", "prv", "inp", "avl", "dat", "dis", "enr", "adm"];
        (known.contains(&family) && number.len() == 2 && number.bytes().all(|b| b.is_ascii_digit()))
            .then(|| format!("{}-{number}", family.to_ascii_uppercase()))
    };
    let [first, second, ..] = words.as_slice() else { return None };
    let [.., before_last, last] = words.as_slice() else { return None };
    id(first, second).or_else(|| id(before_last, last))
}

#[test]
fn the_cve_map_names_every_test_of_an_attack_and_no_other() {
    let page = fs::read_to_string(root().join("docs/CVE-MAP.md")).expect("docs/CVE-MAP.md");
    let mut named = BTreeMap::new();
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| id ")) {
        let id = row.trim_start_matches("| ").split(' ').next().expect("an id").to_owned();
        let tests: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "{id} has no test");
        for test in tests {
            named.insert(test.to_owned(), id.clone());
        }
    }
    let exist = tests_with_an_id();
    let missing: BTreeSet<_> = exist.iter().filter(|(name, _)| !named.contains_key(*name)).collect();
    let dead: BTreeSet<_> = named.iter().filter(|(name, _)| !exist.contains_key(*name)).collect();
    assert!(missing.is_empty(), "not in docs/CVE-MAP.md: {missing:#?}");
    assert!(dead.is_empty(), "in docs/CVE-MAP.md, but no such test: {dead:#?}");
    for (test, id) in &named {
        assert_eq!(exist.get(test), Some(id), "{test} stands in another row than its id says");
    }
}

#[test]
fn the_standards_name_tests_that_exist() {
    let page = fs::read_to_string(root().join("docs/STANDARDS.md")).expect("docs/STANDARDS.md");
    let tests = tests();
    let mut rows = 0;
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| asked for ")) {
        let last = row.trim_end_matches([' ', '|']).rsplit(" | ").next().expect("a row has fields");
        let named: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test stands behind: {row}");
        for name in named {
            assert!(tests.contains(name), "docs/STANDARDS.md names {name}, and there is no such test");
        }
        rows += 1;
    }
    assert!(rows > 40, "the tables were not found");
}

/// The examples in a page, each with the line that it begins at.
fn toml_blocks(page: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (line, text) in page.lines().enumerate() {
        match &mut open {
            Some(_) if text.trim_end() == "```" => blocks.extend(open.take()),
            Some((_, block)) => {
                block.push_str(text);
                block.push('\n');
            }
            None if text.starts_with("```toml") => open = Some((line + 1, String::new())),
            None => {}
        }
    }
    assert!(open.is_none(), "an example has no end");
    blocks
}

#[test]
fn every_example_in_the_documents_runs_through_policy_check() {
    require!(Staged("countersignctl"));
    let mut pages = vec![root().join("README.md"), root().join("CHANGELOG.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of documents").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "md") {
                pages.push(path);
            }
        }
    }
    let mut checked = 0;
    for page in pages {
        let text = fs::read_to_string(&page).expect("a page");
        for (line, mut block) in toml_blocks(&text) {
            // A page about one table need not say each time who is asked.
            if !block.contains("[[policy]]") {
                block.push_str("[[policy]]\nname = \"everyone\"\n");
            }
            let (sound, said) = policy_check(&block);
            assert!(sound, "{}:{line}: {said}", page.display());
            checked += 1;
        }
    }
    assert!(checked >= 5, "only {checked} examples were found");
}

/// The default file is installed as it is.
#[test]
fn the_file_as_installed_runs_through_policy_check() {
    require!(Staged("countersignctl"));
    let text = fs::read_to_string(root().join("config/countersign.toml")).expect("the default file");
    let (sound, said) = policy_check(&text);
    assert!(sound && !said.contains("warning"), "{said}");
}

/// Whether `policy check` has nothing against a text, and what it says.
fn policy_check(text: &str) -> (bool, String) {
    // A checkout may be writable by a group, which the real file must not be.
    let folder = tempfile::tempdir().expect("a private folder");
    let file = folder.path().join("countersign.toml");
    fs::write(&file, text).expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("its mode");
    let out = Command::new(artifacts::ctl())
        .args(["policy", "check", "--no-groups"])
        .arg(&file)
        .output()
        .expect("countersignctl runs");
    (out.status.success(), String::from_utf8_lossy(&out.stdout).into_owned())
}
