//! The ways into sshd, by what sshd itself says of its configuration: which of them ask for a code.
//!
//! Whoever comes with a key, with GSSAPI or from a trusted host alone never enters PAM's auth phase. The
//! account phase is the net below: our line there refuses whoever must show a code.

use super::finding::{Finding, Report};
use super::options;
use super::sshd_match::{Block, blocks};
use super::stacks::Service;
use super::system::System;
use crate::text::doctor as text;

const PROGRAM: &str = "/usr/sbin/sshd";
/// Time that a person and the first factor take beside our own deadlines, in seconds.
const FIRST_FACTOR: u64 = 10;

/// Match blocks that sshd is asked about, some hundredths of a second each.
const MAX_BLOCKS: usize = 100;

/// What holds for one kind of connection.
struct Settings<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Settings<'a> {
    fn parse(out: &'a str) -> Self {
        Self(out.lines().filter_map(|line| line.split_once(' ')).collect())
    }

    fn of(&self, name: &str) -> &'a str {
        self.0.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| *value)
    }

    fn on(&self, name: &str) -> bool {
        self.of(name) == "yes"
    }

    /// Whether sshd offers a method.
    fn offers(&self, method: &str) -> bool {
        match method.split(':').next().unwrap_or_default() {
            "publickey" => self.on("pubkeyauthentication"),
            "password" => self.on("passwordauthentication"),
            "keyboard-interactive" => self.on("kbdinteractiveauthentication"),
            "gssapi-with-mic" => self.on("gssapiauthentication"),
            "hostbased" => self.on("hostbasedauthentication"),
            _ => false,
        }
    }

    /// The lists of methods that let somebody in; sshd passes over one that names what it does not offer.
    fn ways(&self) -> Vec<Vec<&'a str>> {
        const ALL: [&str; 5] =
            ["publickey", "hostbased", "gssapi-with-mic", "password", "keyboard-interactive"];
        let lists: Vec<Vec<&str>> = match self.of("authenticationmethods") {
            "" | "any" => ALL.iter().map(|method| vec![*method]).collect(),
            lists => lists.split(' ').map(|list| list.split(',').collect()).collect(),
        };
        lists.into_iter().filter(|list| list.iter().all(|method| self.offers(method))).collect()
    }
}

/// Looks at sshd, if its stack asks for codes.
pub(super) fn check(system: &System, services: &[Service], report: &mut Report) {
    let Some(service) = services.iter().find(|service| service.name == "sshd" && service.asks()) else {
        return;
    };
    let Some(said) = system.run(&[PROGRAM, "-T"]) else { return };
    if !said.success {
        // Not started yet: sshd makes the folder it asks for when it is.
        if !said.err.contains("Missing privilege separation directory") {
            report.add(&text::SSHD_BROKEN, "", said.err.lines().take(3));
        }
        return;
    }
    judge(&Settings::parse(&said.out), service, &mut |finding, evidence| {
        report.add(finding, "", [evidence]);
    });
    for block in blocks(system).into_iter().take(MAX_BLOCKS) {
        let Some(spec) = block.connection(system) else { continue };
        let Some(said) = system.run(&[PROGRAM, "-T", "-C", &spec]).filter(|said| said.success) else {
            continue;
        };
        in_block(&block, &Settings::parse(&said.out), service, report);
    }
}

/// What holds in a Match block and not everywhere.
fn in_block(block: &Block, settings: &Settings<'_>, service: &Service, report: &mut Report) {
    let mut found: Vec<(&'static Finding, String)> = Vec::new();
    judge(settings, service, &mut |finding, evidence| {
        if !report.has(finding) {
            found.push((finding, evidence));
        }
    });
    for (finding, evidence) in found {
        report.add(finding, block.conditions.as_str(), [block.place.clone(), evidence]);
    }
}

fn judge(settings: &Settings<'_>, service: &Service, found: &mut dyn FnMut(&'static Finding, String)) {
    let show = |name: &str| format!("{name} {}", settings.of(name));
    if !settings.on("usepam") {
        found(&text::SSHD_NO_PAM, show("usepam"));
        return;
    }
    let ways = settings.ways();
    let has_net = service.has_net();
    for way in &ways {
        let asks = |method: &&str| method.starts_with("keyboard-interactive") || *method == "password";
        if way.iter().any(asks) {
            continue;
        }
        let finding = match (way.first().copied().unwrap_or_default(), has_net) {
            ("gssapi-with-mic", false) => &text::SSHD_GSSAPI_ALONE,
            ("gssapi-with-mic", true) => &text::SSHD_GSSAPI_REFUSED,
            ("hostbased", false) => &text::SSHD_HOSTBASED_ALONE,
            ("hostbased", true) => &text::SSHD_HOSTBASED_REFUSED,
            (_, false) => &text::SSHD_KEY_ALONE,
            (_, true) => &text::SSHD_KEY_REFUSED,
        };
        found(finding, format!("{} ({})", show("authenticationmethods"), way.join(",")));
    }
    let interactive = |way: &Vec<&str>| way.iter().any(|method| method.starts_with("keyboard-interactive"));
    if !ways.iter().any(interactive) {
        let shown = format!("{}, {}", show("kbdinteractiveauthentication"), show("authenticationmethods"));
        found(&text::SSHD_NO_PROMPT, shown);
    }
    if ways.iter().any(|way| way.contains(&"password")) {
        found(&text::SSHD_PASSWORD, show("passwordauthentication"));
    }
    if settings.on("permitemptypasswords") {
        found(&text::SSHD_EMPTY, show("permitemptypasswords"));
    }
    let grace = settings.of("logingracetime").parse().unwrap_or(0);
    let needed = options::longest(service) + FIRST_FACTOR;
    if grace != 0 && grace < needed {
        found(&text::SSHD_GRACE, text::grace(grace, needed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(text: &str) -> Vec<String> {
        Settings::parse(text).ways().iter().map(|way| way.join(",")).collect()
    }

    #[test]
    fn ways_are_those_that_sshd_offers() {
        let on = "pubkeyauthentication yes\nkbdinteractiveauthentication yes\npasswordauthentication no\n\
                  gssapiauthentication no\nhostbasedauthentication no\n";
        assert_eq!(ways(&format!("{on}authenticationmethods any")), ["publickey", "keyboard-interactive"]);
        let both = "publickey,keyboard-interactive:pam password keyboard-interactive:pam";
        assert_eq!(
            ways(&format!("{on}authenticationmethods {both}")),
            ["publickey,keyboard-interactive:pam", "keyboard-interactive:pam"]
        );
        assert_eq!(ways("pubkeyauthentication no\nauthenticationmethods publickey"), [""; 0]);
    }
}
