//! org.countersign1(5): methods from the interface files, types and errors from the protocol's sources.

use std::path::Path;

use super::roff::{Page, bold, slanted};

const INTERFACES: [&str; 2] = ["Login", "Manager"];

fn read(root: &Path, file: &str) -> String {
    std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Both interfaces, method by method.
pub(super) fn methods(page: &mut Page, root: &Path) {
    for interface in INTERFACES {
        page.section(&format!("METHODS OF {}", interface.to_uppercase()));
        let file = format!("packaging/usr/share/dbus-1/interfaces/org.countersign1.{interface}.xml");
        for part in read(root, &file).split("    <!--\n").skip(1) {
            let (comment, method) = part.split_once("    -->").expect("the end of a comment");
            self::method(page, comment, method);
        }
    }
}

fn method(page: &mut Page, comment: &str, method: &str) {
    let arguments: Vec<&str> = method.lines().filter(|line| line.trim().starts_with("<arg ")).collect();
    let of = |direction: &str| -> String {
        let lines = arguments.iter().filter(|line| attribute(line, "direction") == direction);
        let one = |line: &&&str| {
            format!("{} {}", attribute(line, "type"), attribute(line, "name")).trim().to_owned()
        };
        lines.map(|line| one(&line)).collect::<Vec<_>>().join(", ")
    };
    let fields = fields(comment);
    let (title, rest) = fields.split_first().expect("a name");
    page.part(&title.0);
    page.raw(&bold(&format!("{}({})", title.0, of("in"))));
    if !of("out").is_empty() {
        page.raw(&format!("-> {}", slanted(&of("out"))));
    }
    page.again();
    for (_, text) in rest.iter().filter(|(name, _)| name.is_empty()) {
        page.paragraph(text);
    }
    for (name, text) in rest.iter().filter(|(name, _)| !name.is_empty()) {
        let term = name.strip_prefix('@').map_or_else(|| format!("{name}:"), slanted);
        let text = if text.ends_with('.') { text.clone() } else { format!("{text}.") };
        page.entry(&term, &text);
    }
}

/// `Name: text` in order, what has no name under an empty one. The first is the method's name.
fn fields(comment: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for paragraph in comment.split("\n\n") {
        let mut begins = true;
        for line in paragraph.lines().map(str::trim) {
            let labels = ["Returns", "Errors", "Callers"];
            let named =
                line.split_once(": ").filter(|(name, _)| name.starts_with('@') || labels.contains(name));
            match (named, fields.last_mut()) {
                (_, None) => fields.push((line.trim_end_matches(':').to_owned(), String::new())),
                (Some((name, text)), _) => fields.push((name.to_owned(), text.to_owned())),
                (None, Some((_, text))) if !begins => {
                    text.push(' ');
                    text.push_str(line);
                }
                (None, Some(_)) => fields.push((String::new(), line.to_owned())),
            }
            begins = false;
        }
    }
    fields
}

fn attribute<'a>(line: &'a str, name: &str) -> &'a str {
    let value = line.split_once(&format!("{name}=\"")).and_then(|(_, rest)| rest.split_once('"'));
    value.map(|(value, _)| value).unwrap_or_default()
}

/// The named errors.
pub(super) fn errors(page: &mut Page, root: &Path) {
    let source = read(root, "protocol/src/names.rs");
    let mut about = String::new();
    for line in source.lines().skip_while(|line| *line != "pub mod error {").map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            about.push_str(text);
        } else if line.starts_with("pub const ") {
            page.entry(&bold(line.split('"').nth(1).expect("a name")), &std::mem::take(&mut about));
        }
    }
}

/// The structures, member by member.
pub(super) fn types(page: &mut Page, root: &Path) {
    let source = read(root, "protocol/src/manager.rs");
    let mut about = Vec::new();
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            about.push(text);
            continue;
        }
        // `[`Name`]` is a link of rustdoc's.
        let text =
            |about: &mut Vec<&str>| std::mem::take(about).join(" ").replace("[`", "`").replace("`]", "`");
        if let Some(name) = line.strip_prefix("pub struct ") {
            let text = text(&mut about);
            page.part(name.trim_end_matches(" {"));
            page.paragraph(text.trim_end_matches(" No `Debug`: it holds the secret."));
        } else if let Some((name, kind)) = line.strip_prefix("pub ").and_then(|field| field.split_once(": "))
        {
            let text = text(&mut about);
            page.entry(&format!("{} ({})", bold(name), wire(kind.trim_end_matches(','))), &text);
        } else if line.starts_with("pub trait ") {
            return;
        } else if !line.starts_with("#[") {
            about.clear();
        }
    }
}

/// A Rust type as its signature on the wire, or as the name of a structure.
fn wire(kind: &str) -> String {
    match kind {
        "String" => "s".into(),
        "bool" => "b".into(),
        "u8" => "y".into(),
        "u32" => "u".into(),
        "i32" => "i".into(),
        "u64" => "t".into(),
        "i64" => "x".into(),
        "f64" => "d".into(),
        _ => match kind.strip_prefix("Vec<").and_then(|inner| inner.strip_suffix('>')) {
            Some(inner) => format!("a{}{}", if wire(inner).len() > 2 { " " } else { "" }, wire(inner)),
            None => kind.into(),
        },
    }
}
