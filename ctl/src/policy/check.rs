//! `policy check [FILE]`: the daemon's own reading of the policy file, without the daemon.

use std::path::Path;

use countersign_config::{Config, Draft, Problems, parse_all, read, read_draft, template_problems};

use super::{POLICY_FILE, groups, short};
use crate::cli::PolicyCheck;
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::terminal::Screen;
use crate::{json, text, time};

/// What was found out about a configuration.
struct Checked {
    problems: Vec<String>,
    warnings: Vec<String>,
    /// `None` when it cannot be read as one.
    config: Option<Config>,
}

pub(crate) fn run(args: &PolicyCheck) -> Result<(), Failure> {
    let checked = match &args.file {
        Some(file) if !is_installed(file) => check(read_draft(file, &writers()), args.no_groups),
        _ => {
            let files = read(Path::new(POLICY_FILE), None);
            check(files.map(|files| Draft { files, warnings: Vec::new() }), args.no_groups)
        }
    };
    let mut out = Output::stdout();
    if args.json {
        out.line(&as_json(&checked))?;
    } else {
        let screen = Screen::stdout();
        for line in lines(&checked) {
            out.line(&screen.show(&line))?;
        }
    }
    out.flush()?;
    if checked.problems.is_empty() { Ok(()) } else { Err(Failure::new(Exit::Problems, String::new())) }
}

/// Whether this is the file that countersignd reads, which belongs to root whoever looks at it.
pub(super) fn is_installed(file: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    real(file).is_some_and(|file| Some(file) == real(Path::new(POLICY_FILE)))
}

/// Who may have written a draft: whoever looks at it, also through sudo.
pub(super) fn writers() -> Vec<u32> {
    let through_sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
    std::iter::once(rustix::process::getuid().as_raw()).chain(through_sudo).collect()
}

fn check(draft: Result<Draft, Problems>, no_groups: bool) -> Checked {
    let broken = |problems: &Problems| Checked {
        problems: problems.iter().map(ToString::to_string).collect(),
        warnings: Vec::new(),
        config: None,
    };
    let Draft { files, warnings } = match draft {
        Ok(draft) => draft,
        Err(problems) => return broken(&problems),
    };
    let mut warnings: Vec<String> = warnings.iter().map(text::would_be_refused).collect();
    match parse_all(&files) {
        Ok(config) => {
            let mut problems = if no_groups { Vec::new() } else { groups::problems(&config) };
            problems.extend(template_problems(&config).iter().map(ToString::to_string));
            warnings.extend(config.warnings_at(time::now()));
            Checked { problems, warnings, config: Some(config) }
        }
        Err(problems) => Checked { warnings, ..broken(&problems) },
    }
}

fn lines(checked: &Checked) -> Vec<String> {
    let mut lines = checked.problems.clone();
    lines.extend(checked.warnings.iter().map(|warning| text::warning(warning)));
    lines.push(match &checked.config {
        Some(config) if checked.problems.is_empty() => {
            text::no_problems(config.policies.len(), &config.sources, &short(&config.hash))
        }
        _ => text::problems(checked.problems.len()),
    });
    lines
}

fn as_json(checked: &Checked) -> String {
    let config = checked.config.as_ref();
    json::check(&json::CheckLine {
        ok: checked.problems.is_empty(),
        problems: &checked.problems,
        warnings: &checked.warnings,
        policies: config.map_or_else(Vec::new, |config| {
            config.policies.iter().map(|policy| policy.name.as_str()).collect()
        }),
        hash: config.map(|config| config.hash.as_str()),
    })
}
