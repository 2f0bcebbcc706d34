//! The pages of the manual, made from the command line, from the documented defaults and from the texts
//! in packaging/manual, and compared with those that are installed. `scripts/generate` writes them anew.

mod bus;
mod defaults;
mod roff;
mod verbs;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};

use crate::cli::Cli;
use roff::Page;

/// When the texts were last gone over.
const DATE: &str = "2026-11-22";
/// What `scripts/generate` sets.
const WRITE: &str = "COUNTERSIGN_GENERATE";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// A text in packaging/manual: `about:` and `verbs:` above, a page in light markup below.
struct Source {
    /// `countersignctl-enroll`
    name: String,
    section: String,
    about: String,
    /// Verbs that have no page but this one.
    verbs: Vec<String>,
    body: String,
}

fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(root().join("packaging/manual")).expect("packaging/manual").flatten() {
        let file = entry.file_name().into_string().expect("a plain name");
        let Some((name, section)) = file.strip_suffix(".txt").and_then(|stem| stem.rsplit_once('.')) else {
            continue;
        };
        let text = std::fs::read_to_string(entry.path()).expect("a text");
        let (head, body) = text.split_once("\n\n").expect("a head and a body");
        let field =
            |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
        sources.push(Source {
            name: name.to_owned(),
            section: section.to_owned(),
            about: field("about:").to_owned(),
            verbs: field("verbs:").split_whitespace().map(str::to_owned).collect(),
            body: body.to_owned(),
        });
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    sources
}

/// All pages, by where they are installed below /usr/share/man.
fn pages() -> BTreeMap<String, String> {
    let mut cli = Cli::command();
    cli.build();
    let sources = sources();
    let mut pages = BTreeMap::new();
    let told: BTreeSet<&str> = sources.iter().flat_map(|source| &source.verbs).map(String::as_str).collect();
    for source in &sources {
        let own: Vec<&Command> = source.verbs.iter().map(|verb| find(&cli, verb)).collect();
        let mut names = vec![source.name.clone()];
        for verb in &source.verbs {
            let name = format!("countersignctl-{verb}");
            if name != source.name {
                pages.insert(format!("man1/{name}.1"), format!(".so man1/{}.1\n", source.name));
                names.push(name);
            }
        }
        let mut page = Page::new(&names, &source.section, &source.about, DATE);
        fill(&mut page, source, &cli, &own);
        pages.insert(format!("man{0}/{1}.{0}", source.section, source.name), page.finish());
    }
    // A verb that no text is about has a page all the same.
    for verb in verbs::shown(&cli).filter(|verb| !told.contains(verb.get_name())) {
        let name = format!("countersignctl-{}", verb.get_name());
        let source = Source {
            name: name.clone(),
            section: "1".into(),
            about: lowered(&verbs::about(verb)),
            verbs: Vec::new(),
            body: "{synopsis}\n\n{verbs}\n\n{common}\n\n{see}\n".into(),
        };
        let mut page = Page::new(std::slice::from_ref(&name), "1", &source.about, DATE);
        fill(&mut page, &source, &cli, &[verb]);
        pages.insert(format!("man1/{name}.1"), page.finish());
    }
    pages
}

fn find<'a>(cli: &'a Command, verb: &str) -> &'a Command {
    cli.find_subcommand(verb).unwrap_or_else(|| panic!("packaging/manual tells of {verb}, which is no verb"))
}

fn lowered(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

/// The body of a page; a line `{word}` stands for what is made elsewhere.
fn fill(page: &mut Page, source: &Source, cli: &Command, own: &[&Command]) {
    for part in
        source.body.split_inclusive('\n').collect::<Vec<_>>().split_inclusive(|line| line.starts_with('{'))
    {
        let (text, made) = match part.split_last() {
            Some((last, text)) if last.starts_with('{') => (text, last.trim()),
            _ => (part, ""),
        };
        page.markup(&text.concat());
        match made {
            "" => {}
            "{synopsis}" => {
                page.section("SYNOPSIS");
                own.iter().for_each(|verb| verbs::synopsis(page, verb, "countersignctl"));
            }
            "{verbs}" => {
                page.section("COMMANDS");
                own.iter().for_each(|verb| verbs::describe(page, verb, "countersignctl"));
            }
            "{list}" => list(page, cli),
            "{common}" => [COMMON, EXIT].iter().for_each(|text| page.markup(text)),
            "{see}" => page.markup(SEE_ALSO),
            "{defaults}" => defaults::describe(page),
            "{introduction}" => defaults::introduction(page),
            "{methods}" => bus::methods(page, &root()),
            "{errors}" => bus::errors(page, &root()),
            "{types}" => bus::types(page, &root()),
            "{options}" => module_options(page),
            other => panic!("{}: {other} is not made anywhere", source.name),
        }
    }
}

/// All verbs, one line each.
fn list(page: &mut Page, cli: &Command) {
    for verb in verbs::shown(cli) {
        let text = format!("{}. See `countersignctl-{}`(1).", verbs::about(verb), verb.get_name());
        page.entry(&roff::bold(verb.get_name()), &text);
    }
}

/// The table of options above pam-module/src/options.rs.
fn module_options(page: &mut Page) {
    let text =
        std::fs::read_to_string(root().join("pam-module/src/options.rs")).expect("the module's options");
    let table = text.lines().skip_while(|line| *line != "//! ```text").skip(1);
    for line in table.take_while(|line| *line != "//! ```") {
        let (option, about) =
            line.trim_start_matches("//! ").split_once(' ').expect("an option and its text");
        page.entry(&roff::bold(option), &format!("{}.", sentence(about.trim())));
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// Below every page of verbs.
const COMMON: &str = "\
OPTIONS OF ALL COMMANDS

= --bus ADDRESS
The D-Bus address of a private set-up. Without it the system bus is used, whatever the environment says.

= -h, --help
Show what a command takes, and end.
";

const EXIT: &str = "\
EXIT STATUS

= 0
Done.

= 1
It was tried and did not work.

= 2
The command line makes no sense.

= 3
Whoever or whatever was named does not exist.

= 4
The caller may not do this.

= 5
The daemon or the bus does not answer, or cannot decide.

= 6
A check found problems, and they have been printed.
";

const SEE_ALSO: &str = "\
SEE ALSO

`countersignctl`(1), `countersign.toml`(5), `org.countersign1`(5), `countersignd`(8)
";

#[test]
fn the_manual_is_what_the_sources_say() {
    let folder = root().join("packaging/usr/share/man");
    let pages = pages();
    let write = std::env::var_os(WRITE).is_some();
    let mut stale = Vec::new();
    for (name, page) in &pages {
        let file = folder.join(name);
        if write {
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            std::fs::write(&file, page).expect("a page");
        }
        if std::fs::read_to_string(&file).ok().as_ref() != Some(page) {
            stale.push(name.clone());
        }
    }
    for section in std::fs::read_dir(&folder).expect("the manual").flatten() {
        for page in std::fs::read_dir(section.path()).expect("a section").flatten() {
            let name = format!("{}/{}", section.file_name().display(), page.file_name().display());
            if write && !pages.contains_key(&name) {
                std::fs::remove_file(page.path()).expect("a page of before");
            } else if !pages.contains_key(&name) {
                stale.push(name);
            }
        }
    }
    assert!(stale.is_empty(), "run scripts/generate: {stale:?}");
}

/// Whatever can be typed is told: each option of each verb, and of each verb below it, stands on its page.
#[test]
fn every_option_is_on_a_page() {
    fn told(verb: &Command, path: &str, page: &str) {
        let text = page.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "");
        if verb
            .get_arguments()
            .any(|arg| !arg.is_global_set() && !arg.is_hide_set() && arg.get_id() != "help")
        {
            assert!(text.contains(&format!("\n{path}\n")), "{path} is in no synopsis");
        }
        for long in verb.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(|arg| arg.get_long()) {
            assert!(text.contains(&format!("--{long}")), "{path} --{long}");
        }
        for below in verbs::shown(verb) {
            told(below, &format!("{path} {}", below.get_name()), page);
        }
    }
    let mut cli = Cli::command();
    cli.build();
    let pages = pages();
    for verb in verbs::shown(&cli) {
        let page = &pages[&format!("man1/countersignctl-{}.1", verb.get_name())];
        let page = page.strip_prefix(".so ").map_or(page, |link| &pages[link.trim()]);
        told(verb, &format!("countersignctl {}", verb.get_name()), page);
    }
}
