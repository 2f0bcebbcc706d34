//! The interface files that are installed, from what the daemon says of itself on the bus, from the table of
//! callers and from packaging/manual/org.countersign1.methods. `scripts/generate` writes them anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zbus::object_server::Interface;

use super::authority::Authority;
use super::fairness::Fairness;
use super::gate::{Gate, TABLE, Who};
use super::login::Login;
use super::manager::Manager;
use crate::host::Host;
use crate::store::{self, Layout};

/// What `scripts/generate` sets.
const WRITE: &str = "COUNTERSIGN_GENERATE";
/// Columns of the prose.
const WIDTH: usize = 96;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// What is written of one method.
#[derive(Default)]
struct Prose {
    text: String,
    /// Arguments, `returns` and `errors`, in the order in which they stand.
    fields: Vec<(String, String)>,
}

/// By `Interface.Member`.
fn prose() -> BTreeMap<String, Prose> {
    let file = root().join("packaging/manual/org.countersign1.methods");
    let text = std::fs::read_to_string(file).expect("the texts");
    let mut all: BTreeMap<String, Prose> = BTreeMap::new();
    for block in text.trim_end().split("\n\n").skip(1) {
        let mut lines = block.trim().lines();
        let name = lines.next().expect("a name").to_owned();
        let prose = all.entry(name.clone()).or_default();
        assert!(prose.text.is_empty(), "{name} stands there twice");
        for line in lines.map(str::trim) {
            match line.split_once(": ") {
                Some((field, about)) if field.bytes().all(|c| c.is_ascii_lowercase() || c == b'_') => {
                    prose.fields.push((field.to_owned(), about.to_owned()));
                }
                _ => {
                    assert!(prose.fields.is_empty(), "{name}: text below its arguments: {line}");
                    prose.text.push(' ');
                    prose.text.push_str(line);
                }
            }
        }
    }
    all
}

/// Who may call it, as a sentence.
fn callers(who: Who) -> String {
    let polkit = |action: &str| format!("whom polkit lets do org.countersign1.{action}");
    match who {
        Who::Anyone => "anyone; what they may do with it is bound to their own uid".into(),
        Who::Root => "root".into(),
        Who::SelfOr(action) => format!("root, the person it is about, and {}", polkit(action)),
        Who::Action(action) => format!("root, and {}", polkit(action)),
        Who::Colleague => "anyone but root".into(),
        Who::Other(action) => format!("{}, but never root", polkit(action)),
    }
}

/// The value of an attribute on a line of XML.
fn attribute<'a>(line: &'a str, name: &str) -> &'a str {
    let value = line.split_once(&format!("{name}=\"")).and_then(|(_, rest)| rest.split_once('"'));
    value.map(|(value, _)| value).unwrap_or_default()
}

fn wrapped(indent: &str, text: &str) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        if column > 0 && indent.len() + column + 1 + word.len() <= WIDTH {
            lines.push(' ');
            lines.push_str(word);
            column += 1 + word.len();
        } else {
            let further = if column > 0 { "\n" } else { "" };
            write!(lines, "{further}{indent}{word}").expect("memory");
            column = word.len();
        }
    }
    assert!(!lines.contains("--") && !lines.contains('<'), "no text of a comment in XML: {text}");
    lines + "\n"
}

/// The comment above one method, whose lines from `<method` to `</method>` are given.
fn comment(name: &str, method: &[&str], prose: &Prose, who: Who) -> String {
    let of = |direction: &str| -> Vec<&str> {
        let lines = method.iter().filter(|line| attribute(line, "direction") == direction);
        lines.map(|line| attribute(line, "name")).collect()
    };
    let told =
        |field: &str| prose.fields.iter().find(|(name, _)| name == field).map(|(_, text)| text.as_str());
    let arguments: Vec<&str> = prose
        .fields
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !["returns", "errors"].contains(name))
        .collect();
    assert_eq!(arguments, of("in"), "the arguments of {name}");
    assert_eq!(told("returns").is_some(), !of("out").is_empty(), "what {name} returns");
    assert!(!prose.text.is_empty(), "{name} is not described");
    let mut out = format!("    <!--\n      {name}:\n");
    for (field, text) in prose.fields.iter().filter(|(name, _)| arguments.contains(&name.as_str())) {
        out += &wrapped("      ", &format!("@{field}: {text}"));
    }
    out += "\n";
    out += &wrapped("      ", &prose.text);
    out += "\n";
    for (title, text) in
        [("Returns", told("returns")), ("Errors", told("errors")), ("Callers", Some(&*callers(who)))]
    {
        if let Some(text) = text {
            out += &wrapped("      ", &format!("{title}: {text}"));
        }
    }
    out + "    -->\n"
}

/// The file of one interface.
fn file(interface: &str, introspected: &str, prose: &mut BTreeMap<String, Prose>) -> String {
    let short = interface.strip_prefix("org.countersign1.").expect("one of ours");
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n \
         \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n\
         <!-- Written by scripts/generate. Types and errors are told in org.countersign1(5). -->\n\
         <node name=\"/org/countersign1\">\n",
    );
    writeln!(out, "  <interface name=\"{interface}\">").expect("memory");
    let lines: Vec<&str> = introspected.lines().map(str::trim).collect();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        at += 1;
        assert!(!line.starts_with("<property") && !line.starts_with("<signal"), "no table knows {line}");
        if !line.starts_with("<method ") {
            continue;
        }
        let length = lines[at..].iter().position(|line| *line == "</method>").expect("an end");
        let method = &lines[at..at + length];
        at += length;
        let member = attribute(line, "name");
        let name = format!("{short}.{member}");
        let row = TABLE.iter().find(|(i, m, _)| *i == short && *m == member);
        let who = row.unwrap_or_else(|| panic!("{name} has no row in the table of callers")).2;
        let file = "packaging/manual/org.countersign1.methods";
        let prose = prose.remove(&name).unwrap_or_else(|| panic!("{name} has no text in {file}"));
        out += &comment(member, method, &prose, who);
        writeln!(out, "    {line}").expect("memory");
        for line in method.iter().filter(|line| line.starts_with("<arg ")) {
            writeln!(out, "      {line}").expect("memory");
        }
        out += "    </method>\n";
    }
    out + "  </interface>\n</node>\n"
}

/// The interfaces as zbus describes them.
fn introspected() -> [(&'static str, String); 2] {
    let folder = tempfile::tempdir().expect("a private folder");
    let layout = Layout { state: folder.path().join("state"), key: folder.path().join("key") };
    let config = folder.path().join("countersign.toml");
    std::fs::write(&config, include_str!("../../../config/countersign.toml")).expect("our own folder");
    store::init(&layout, 1_800_000_000).expect("a store");
    let own = nix::unistd::geteuid().as_raw();
    let (host, _closed) = Host::open(layout, &config, Some(own)).expect("a host");
    let host = Arc::new(host);
    let (mut login, mut manager) = (String::new(), String::new());
    Login(Arc::clone(&host), Fairness::default()).introspect_to_writer(&mut login, 0);
    Manager(host, Gate(Authority::default())).introspect_to_writer(&mut manager, 0);
    [("org.countersign1.Login", login), ("org.countersign1.Manager", manager)]
}

#[test]
fn prv_01_the_interface_files_are_what_is_served_and_who_may_call_it() {
    let folder = root().join("packaging/usr/share/dbus-1/interfaces");
    let mut prose = prose();
    let mut rows: Vec<String> = TABLE.iter().map(|(i, m, _)| format!("org.countersign1.{i}.{m}")).collect();
    for (interface, introspected) in introspected() {
        let text = file(interface, &introspected, &mut prose);
        rows.retain(|row| {
            let member = row.strip_prefix(interface).and_then(|rest| rest.strip_prefix('.'));
            !member.is_some_and(|member| text.contains(&format!("<method name=\"{member}\">")))
        });
        let path = folder.join(format!("{interface}.xml"));
        if std::env::var_os(WRITE).is_some() {
            std::fs::create_dir_all(&folder).expect("a folder");
            std::fs::write(&path, &text).expect("a file");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "{} is stale: run scripts/generate", path.display());
    }
    assert_eq!(rows, Vec::<String>::new(), "in the table of callers and not served");
    let left: Vec<&String> = prose.keys().collect();
    assert!(left.is_empty(), "told in packaging/manual, and not served: {left:?}");
}
