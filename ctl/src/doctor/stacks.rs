//! The PAM stacks: whether everybody meets our line, at the right place.

use countersign_ctl::stack::{Assume, Entry, Explored, Folders, Phase, Stack, Stacks, Way};

use super::finding::Report;
use super::options;
use super::system::System;
use crate::text::doctor as text;

/// Services by which people come in or become somebody else. `login` is the way in that is left open on
/// purpose, for the day on which nothing else works.
const ENTRANCES: [&str; 18] = [
    "sshd",
    "su",
    "su-l",
    "sudo",
    "sudo-i",
    "polkit-1",
    "gdm-password",
    "lightdm",
    "sddm",
    "kde",
    "xdm",
    "greetd",
    "cockpit",
    "xrdp-sesman",
    "xscreensaver",
    "swaylock",
    "i3lock",
    "vsftpd",
];
/// The second is the first one with a login shell, and has a file of its own.
const PAIRS: [(&str, &str); 2] = [("sudo", "sudo-i"), ("su", "su-l")];
/// Lines of a way that are shown.
const STEPS: usize = 8;

/// One service, read.
pub(super) struct Service {
    pub(super) name: String,
    pub(super) stacks: Stacks,
}

impl Service {
    fn own(&self, phase: Phase) -> Option<&Stack> {
        Some(self.stacks.phase(phase)).filter(|stack| !stack.from_other)
    }

    /// Our lines in a phase, where they are not those of `other`.
    pub(super) fn ours(&self, phase: Phase) -> impl Iterator<Item = &Entry> {
        self.own(phase).into_iter().flat_map(|stack| &stack.entries).filter(|entry| entry.is_ours())
    }

    pub(super) fn asks(&self) -> bool {
        self.ours(Phase::Auth).next().is_some()
    }

    /// Whether everybody who gets in meets our account line, and nobody gets in whom it refuses.
    pub(super) fn has_net(&self) -> bool {
        let found = self.stacks.phase(Phase::Account).explore(&Assume::default());
        let ours = self.ours(Phase::Account).next().is_some();
        ours && found.is_complete() && found.skipped().is_none() && found.in_spite_of_ours().is_none()
    }
}

/// Every service of the host.
pub(super) fn read(system: &System) -> Vec<Service> {
    let folders = Folders::below(system.root());
    let names = folders.services().unwrap_or_default();
    names.into_iter().map(|name| Service { stacks: Stacks::read(&folders, &name), name }).collect()
}

/// Looks at all of them.
pub(super) fn check(services: &[Service], report: &mut Report) {
    for service in services {
        // What a package left half written breaks its service, whoever else is in it.
        let faults = service.stacks.faults.iter().map(ToString::to_string).collect::<Vec<_>>();
        if !faults.is_empty() {
            report.add(&text::STACK_BROKEN, &service.name, faults);
        }
        if service.asks() {
            auth(service, report);
        }
        account(service, report);
        options::check(service, report);
    }
    if services.iter().any(Service::asks) {
        coverage(services, report);
    } else {
        report.add(&text::NOT_ENABLED, "", [""; 0]);
    }
}

fn auth(service: &Service, report: &mut Report) {
    let stack = service.stacks.phase(Phase::Auth);
    let found = stack.explore(&Assume::default());
    let name = service.name.as_str();
    if !found.is_complete() {
        report.add(&text::STACK_INTRICATE, name, [place(stack)]);
        return;
    }
    if let Some(way) = found.skipped() {
        report.add(&text::STACK_SKIPPED, name, shown(stack, way));
    }
    if let Some(way) = found.in_spite_of_ours() {
        report.add(&text::STACK_IN_SPITE, name, shown(stack, way));
    }
    if !found.can_succeed_with_ours() {
        report.add(&text::STACK_DEAD, name, [place(stack)]);
    }
    first_factor(service, stack, &found, report);
    if service.ours(Phase::Account).next().is_none() {
        let lines = service.ours(Phase::Auth).map(|entry| entry.place.to_string());
        report.add(&text::STACK_NO_ACCOUNT, name, lines.collect::<Vec<_>>());
    }
}

/// Whether the line says what is true of the lines before it.
fn first_factor(service: &Service, stack: &Stack, found: &Explored, report: &mut Report) {
    let says = |word: &str| service.ours(Phase::Auth).any(|entry| entry.args().iter().any(|arg| arg == word));
    if says("after_first_factor") {
        if let Some(way) = found.asked_without_factor() {
            report.add(&text::STACK_NOT_AFTER_FACTOR, &service.name, shown(stack, way));
        }
    } else if found.after_first_factor()
        && !says("after_key")
        && !service.ours(Phase::Auth).any(options::joins)
    {
        let lines = service.ours(Phase::Auth).map(|entry| entry.place.to_string());
        report.add(&text::STACK_FACTOR_UNSAID, &service.name, lines.collect::<Vec<_>>());
    }
}

fn account(service: &Service, report: &mut Report) {
    if service.ours(Phase::Account).next().is_none() {
        return;
    }
    let stack = service.stacks.phase(Phase::Account);
    let found = stack.explore(&Assume::default());
    if let Some(way) = found.skipped() {
        report.add(&text::STACK_ACCOUNT_SKIPPED, &service.name, shown(stack, way));
    }
    if let Some(way) = found.skipped_when_expired() {
        report.add(&text::STACK_ACCOUNT_EXPIRED, &service.name, shown(stack, way));
    }
    if let Some(way) = found.in_spite_of_ours() {
        report.add(&text::STACK_IN_SPITE, &service.name, shown(stack, way));
    }
    let has_auth = service.own(Phase::Auth).is_some_and(|auth| !auth.entries.is_empty());
    if has_auth && !service.asks() {
        let lines = service.ours(Phase::Account).map(|entry| entry.place.to_string());
        report.add(&text::STACK_ACCOUNT_ONLY, &service.name, lines.collect::<Vec<_>>());
    }
}

/// Services that nobody is asked at, where others ask.
fn coverage(services: &[Service], report: &mut Report) {
    let find = |name: &str| services.iter().find(|service| service.name == name);
    for (first, second) in PAIRS {
        let (Some(one), Some(two)) = (find(first), find(second)) else { continue };
        let (asks, lacks) = if one.asks() { (one, two) } else { (two, one) };
        if asks.asks() && !lacks.asks() {
            let said = text::asks_and_lacks(&asks.name, &lacks.name);
            report.add(&text::PAIR_MISSING, &lacks.name, [said]);
        }
    }
    let paired = |name: &str| PAIRS.iter().any(|(one, two)| [*one, *two].contains(&name));
    let mut open: Vec<&str> = Vec::new();
    for service in services.iter().filter(|service| ENTRANCES.contains(&service.name.as_str())) {
        let mate = |name: &str| find(name).is_some_and(Service::asks);
        let told = paired(&service.name)
            && PAIRS
                .iter()
                .any(|(one, two)| [*one, *two].contains(&service.name.as_str()) && (mate(one) || mate(two)));
        if !service.asks() && !told {
            open.push(&service.name);
        }
    }
    if !open.is_empty() {
        report.add(&text::SERVICES_WITHOUT, "", [open.join(" ")]);
    }
}

fn place(stack: &Stack) -> String {
    stack
        .entries
        .iter()
        .find(|entry| entry.is_ours())
        .map_or_else(String::new, |entry| entry.place.to_string())
}

/// A way through a stack, line by line.
fn shown(stack: &Stack, way: &Way) -> Vec<String> {
    let mut lines: Vec<String> = way
        .iter()
        .take(STEPS)
        .map(|step| {
            let entry = &stack.entries[step.entry];
            let action = entry.control.on(step.code);
            text::step(
                &entry.place.to_string(),
                entry.module().unwrap_or("?"),
                step.code.word(),
                &action.to_string(),
            )
        })
        .collect();
    if way.len() > STEPS {
        lines.push(text::more(way.len() - STEPS));
    }
    if lines.is_empty() {
        lines.push(text::NO_LINE.to_owned());
    }
    lines
}
