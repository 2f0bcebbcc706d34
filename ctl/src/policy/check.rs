//! `policy check [FILE]`: the daemon's own reading of the policy file, without the daemon.

use std::path::{Path, PathBuf};

use countersign_config::{Config, Problems, parse_all, read, template_problems};

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
        // A draft belongs to whoever writes it; the daemon's file belongs to root.
        Some(file) => check(file, Some(rustix::process::getuid().as_raw()), args.no_groups),
        None => check(&PathBuf::from(POLICY_FILE), None, args.no_groups),
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

fn check(path: &Path, also_owner: Option<u32>, no_groups: bool) -> Checked {
    let broken = |problems: &Problems| Checked {
        problems: problems.iter().map(ToString::to_string).collect(),
        warnings: Vec::new(),
        config: None,
    };
    let files = match read(path, also_owner) {
        Ok(files) => files,
        Err(problems) => return broken(&problems),
    };
    match parse_all(&files) {
        Ok(config) => {
            let mut problems = if no_groups { Vec::new() } else { groups::problems(&config) };
            problems.extend(template_problems(&config).iter().map(ToString::to_string));
            Checked { problems, warnings: config.warnings_at(time::now()), config: Some(config) }
        }
        Err(problems) => broken(&problems),
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
