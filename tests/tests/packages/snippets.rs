//! BYP-11: no PAM line that we ship or show lets anybody in when the module cannot be loaded.

use countersign_tests::artifacts::source_root;
use std::path::{Path, PathBuf};

/// What is shipped, and what people copy from.
const WHERE: [&str; 5] = ["packaging", "docs", "README.md", "config", "scripts"];

fn files(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a folder").flatten() {
            files(&entry.path(), found);
        }
    } else {
        found.push(path.to_owned());
    }
}

/// Why a line of PAM is a way around the module when it is missing, or answers that it cannot.
fn weak(line: &str) -> Option<String> {
    let line = line.trim().trim_start_matches(['`', '|', '+', '>', ' ', '\t']);
    let line = line.split('#').next().unwrap_or_default();
    let (before, _) = line.split_once("pam_countersign.so")?;
    // Without the folder that the module may be named with.
    let before = &before[..before.rfind(char::is_whitespace).map_or(0, |at| at + 1)];
    let mut words = before.split_whitespace();
    // In a pam-configs profile the kind is a heading, and the line begins with the control.
    let first = words.next()?;
    let kind = first.trim_start_matches('-');
    let control = if ["auth", "account", "session", "password"].contains(&kind) {
        if first.starts_with('-') {
            return Some("a line with - is passed over when the module is missing".into());
        }
        words.collect::<Vec<_>>().join(" ")
    } else if first == "required" || first == "requisite" || first == "sufficient" || first == "optional" {
        first.to_owned()
    } else if first.starts_with('[') {
        before.trim().to_owned()
    } else {
        return None; // a sentence that mentions the module
    };
    if control.starts_with('[') {
        let strict = |word: &str| {
            let (on, what) = word.split_once('=').unwrap_or((word, ""));
            match on {
                "success" | "new_authtok_reqd" | "ignore" => true,
                _ => what == "die" || what == "bad",
            }
        };
        let inside = control.trim_start_matches('[').split(']').next().unwrap_or_default();
        let bad: Vec<&str> = inside.split_whitespace().filter(|word| !strict(word)).collect();
        return (!bad.is_empty() || !inside.contains("default=")).then(|| format!("{bad:?}"));
    }
    (!["required", "requisite"].contains(&control.as_str())).then_some(control)
}

#[test]
fn byp_11_every_line_that_is_shipped_or_shown_refuses_without_the_module() {
    let mut found = Vec::new();
    for part in WHERE {
        files(&source_root().join(part), &mut found);
    }
    let mut lines = 0;
    for file in found {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for (number, line) in text.lines().enumerate().filter(|(_, line)| line.contains("pam_countersign.so"))
        {
            lines += 1;
            if let Some(why) = weak(line) {
                panic!("{}:{}: {why}: {line}", file.display(), number + 1);
            }
        }
    }
    assert!(lines > 3, "{lines} lines only: is this looking in the right place?");
}

/// What `enable` writes is composed in its source, so that is where it is looked for: in the texts of plan.rs.
#[test]
fn byp_11_every_line_that_enable_composes_refuses_without_the_module() {
    let source = std::fs::read_to_string(source_root().join("ctl/src/enable/plan.rs")).expect("readable");
    let texts = source.split('"').skip(1).step_by(2);
    let lines: Vec<&str> = texts.filter(|text| text.contains("pam_countersign.so")).collect();
    assert!(lines.len() >= 3, "{lines:?}: is this looking in the right place?");
    for line in lines {
        assert!(line.starts_with("auth ") || line.starts_with("account "), "{line}");
        assert_eq!(weak(line), None, "{line}");
    }
}

#[test]
fn byp_11_the_scan_sees_what_it_is_for() {
    for line in [
        "auth sufficient pam_countersign.so",
        "auth optional pam_countersign.so after_first_factor",
        "-auth required pam_countersign.so",
        "auth [success=ok default=ignore] pam_countersign.so",
        "auth [success=ok module_unknown=ignore default=die] pam_countersign.so",
        "auth [success=ok authinfo_unavail=ignore default=die] /lib/security/pam_countersign.so",
        "auth [success=ok ignore=ignore] pam_countersign.so",
        "\tsufficient\tpam_countersign.so",
        "    auth    sufficient    pam_countersign.so",
    ] {
        assert!(weak(line).is_some(), "{line}");
    }
    for line in [
        "auth required pam_countersign.so after_first_factor",
        "auth requisite pam_countersign.so",
        "auth [success=1 ignore=ignore default=die] pam_countersign.so",
        "The module pam_countersign.so is sufficient for nobody.",
        "# auth optional pam_countersign.so",
    ] {
        assert!(weak(line).is_none(), "{line}");
    }
}
