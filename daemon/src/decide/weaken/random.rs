//! No loss is missed, over random pairs of policies with every key and random people.

use super::super::dice::{Dice, GROUPS, SERVICES, SOURCES, USERS};
use super::super::policy::{Decision, Terms, decide, strictness};
use super::*;
use countersign_config::{AddressSource, Deadline, Enroll, Factor};
use std::collections::BTreeSet;
use std::fmt::Write as _;

pub(super) fn random_policies(dice: &mut Dice) -> String {
    let mut text = String::from("[mailbox.m]\nserver = \"m\"\nfrom = \"m@example.org\"\n");
    if dice.roll(4) == 0 {
        random_tables(dice, &mut text);
    }
    for i in 0..=dice.roll(4) {
        let _ = writeln!(text, "[[policy]]\nname = \"p{i}\"");
        let _ = writeln!(text, "status = \"{}\"", dice.pick(&["enforce", "enforce", "report", "off"]));
        let _ = writeln!(text, "require = \"{}\"", dice.pick(&["everyone", "enrolled"]));
        if dice.roll(3) > 0 {
            let _ = writeln!(text, "groups = [\"{}\"]", dice.pick(&GROUPS));
        }
        if dice.roll(3) == 0 {
            let _ = writeln!(text, "services = [\"{}\"]", dice.pick(&SERVICES[..2]));
        }
        if dice.roll(4) == 0 {
            let _ = writeln!(text, "except = {{ users = [\"{}\"] }}", dice.pick(&USERS[..2]));
        }
        if dice.roll(4) == 0 {
            let class = dice.pick(&["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "local", "unknown"]);
            let _ = writeln!(text, "networks = {{ {} = [\"{class}\"] }}", dice.pick(&["only", "except"]));
        }
        random_terms(dice, &mut text);
    }
    text
}

/// What holds for people who are asked; the first of each is the usual one.
const TERMS: [&[&str]; 6] = [
    &["", "", "factors = [\"email\"]", "factors = [\"totp\", \"email\"]"],
    &["", "", "enroll = \"at-login\"", "enroll = \"admin\""],
    &["", "", "grace = \"1d\"", "grace = \"2d\"", "enroll_by = 2027-01-31", "enroll_by = 2027-02-28"],
    &["", "", "remember = \"1h\"", "remember = \"2h\""],
    &["", "", "address = \"{user}@example.org\"", "address = \"{user}@example.net\""],
    &["", "label = \"x\"", "mailbox = \"m\"", "template = \"t\"", "apply = \"immediately\""],
];
/// What else a line of a policy can say.
const OTHER_LINES: &[&str] = &[
    "",
    "status = \"off\"",
    "status = \"enforce\"",
    "require = \"enrolled\"",
    "require = \"everyone\"",
    "groups = [\"a\", \"b\"]",
    "users = [\"ann\"]",
    "services = [\"sshd\", \"sudo\"]",
    "except = { groups = [\"b\"] }",
    "networks = { only = [\"10.1.0.0/16\", \"local\"] }",
];

fn random_terms(dice: &mut Dice, text: &mut String) {
    for lines in TERMS {
        let _ = writeln!(text, "{}", dice.pick(lines));
    }
}

/// The text with one line of a policy replaced, or itself where that was no good idea.
fn with_one_change(dice: &mut Dice, text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let pool = match dice.roll(TERMS.len() as u64 + 2) {
        other if other >= TERMS.len() as u64 => OTHER_LINES,
        terms => TERMS[usize::try_from(terms).expect("fits")],
    };
    let new = dice.pick(pool);
    let at = usize::try_from(dice.roll(lines.len() as u64)).expect("fits");
    // What sets the same key is what a person would change.
    let key = new.split(' ').next().unwrap_or_default();
    let same = (at..lines.len()).find(|i| !key.is_empty() && lines[*i].starts_with(key)).unwrap_or(at);
    if !lines[same].starts_with(['[', 'n']) {
        lines[same] = new;
    }
    lines.join("\n")
}

fn random_tables(dice: &mut Dice, text: &mut String) {
    for lines in [
        &["", "[totp]\nperiod = 60", "[totp]\nskew = 2", "[totp]\ndigits = 8"][..],
        &[
            "",
            "[email]\nlength = 7",
            "[email]\nvalid_for = \"3m\"",
            "[email]\naddresses = [\"record\", \"pattern\"]",
        ],
        &["", "[reset]\napprovals = 1", "[reset]\napprovals = 2"],
        &["", "[recovery]\nviewable = true"],
    ] {
        let _ = writeln!(text, "{}", dice.pick(lines));
    }
}

/// A text that loads. Shadowed policies are refused, and rightly; then the dice roll again.
pub(super) fn random_config(dice: &mut Dice, text: impl Fn(&mut Dice) -> String) -> (String, Config) {
    loop {
        let text = text(dice);
        if let Ok(config) = countersign_config::parse("random.toml", &text) {
            return (text, config);
        }
    }
}

fn asked(config: &Config, person: &Person, service: &str, source: Source) -> u8 {
    deciding(&walk(config, person, service, source)).map_or(0, |(p, _)| strictness(p).saturating_sub(1))
}

pub(super) fn random_login(dice: &mut Dice) -> (Person, &'static str, Source) {
    let tri = |dice: &mut Dice| if dice.roll(2) == 0 { Tri::No } else { Tri::Yes };
    let groups = GROUPS.iter().map(|g| ((*g).to_owned(), tri(dice))).collect();
    let person = Person { name: dice.pick(&USERS).into(), resolution: Resolution::Found(1), groups };
    let source = match dice.roll(4) {
        0 => Source::Local,
        1 => Source::Unknown,
        _ => Source::Address(dice.pick(&SOURCES).parse().expect("an address")),
    };
    (person, dice.pick(&SERVICES), source)
}

/// What a person has, apart from the first factor.
pub(super) struct Has {
    totp: bool,
    /// An address that was set, one in the user record.
    set: bool,
    record: bool,
    system: bool,
}

pub(super) fn random_has(dice: &mut Dice) -> Has {
    let mut one_in = |sides| dice.roll(sides) == 0;
    Has { totp: one_in(2), set: one_in(3), record: one_in(3), system: one_in(4) }
}

/// What lets somebody in who knows the first factor of a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    Nothing,
    Totp,
    /// A code sent there, of so many digits, valid for so many seconds.
    Mail(String, u8, u64),
    /// So many seconds after somebody else's code.
    Remembered(u64),
    EnrollAlone,
    EnrollInvited,
    /// Until a date, or for so long.
    LaterBy(i64),
    LaterFor(u64),
}

pub(super) fn ways(
    config: &Config,
    (person, service, source): &(Person, &str, Source),
    has: &Has,
) -> BTreeSet<Way> {
    let (terms, all): (Terms, bool) = match decide(config, person, service, *source) {
        Decision::Required(terms) => (terms, true),
        Decision::RequiredIfEnrolled(terms) => (terms, false),
        _ => return BTreeSet::from([Way::Nothing]),
    };
    let policy = config.policies.iter().find(|p| p.name == terms.policy).expect("it decided");
    let address = config.email.addresses.iter().find_map(|from| match from {
        AddressSource::Set => has.set.then(|| "set".to_owned()),
        AddressSource::Record => has.record.then(|| "record".to_owned()),
        AddressSource::Pattern => policy.address.as_ref().and_then(|pattern| pattern.address(&person.name)),
    });
    let mut ways = BTreeSet::new();
    for factor in &terms.factors {
        match (factor, &address) {
            (Factor::Totp, _) if has.totp => drop(ways.insert(Way::Totp)),
            (Factor::Email, Some(address)) => {
                let (length, valid_for) = (config.email.length, config.email.valid_for.as_secs());
                ways.insert(Way::Mail(address.clone(), length, valid_for));
            }
            _ => {}
        }
    }
    let can_show_one = !ways.is_empty();
    if !can_show_one && !all {
        return BTreeSet::from([Way::Nothing]);
    }
    ways.insert(Way::Remembered(terms.remember.as_secs()));
    if can_show_one {
        return ways;
    }
    match terms.enroll {
        Enroll::AtLogin if terms.names_people || !has.system => drop(ways.insert(Way::EnrollAlone)),
        Enroll::AtLogin | Enroll::Invited => drop(ways.insert(Way::EnrollInvited)),
        Enroll::Admin => {}
    }
    match terms.deadline {
        None => {}
        Some(Deadline::By(end)) => drop(ways.insert(Way::LaterBy(end))),
        Some(Deadline::Grace(grace)) => drop(ways.insert(Way::LaterFor(grace.as_secs()))),
    }
    ways
}

/// Whether a way was as easy before.
pub(super) fn was_there(before: &BTreeSet<Way>, way: &Way) -> bool {
    before.iter().any(|old| match (old, way) {
        (Way::Nothing, _) => true,
        (Way::Mail(old, length, valid), Way::Mail(new, new_length, new_valid)) => {
            old == new && length <= new_length && valid >= new_valid
        }
        (Way::Remembered(old), Way::Remembered(new)) | (Way::LaterFor(old), Way::LaterFor(new)) => old >= new,
        (Way::LaterBy(old), Way::LaterBy(new)) => old >= new,
        // An invitation comes from an administrator, who could as well have reset the person.
        (Way::EnrollAlone | Way::EnrollInvited | Way::Totp | Way::Mail(..), Way::EnrollInvited) => true,
        (Way::EnrollAlone, Way::EnrollAlone) => true,
        _ => false,
        // The app is the strongest there is; nobody is weaker for it.
    }) || *way == Way::Totp
        || *way == Way::Remembered(0)
}

#[test]
fn adm_04_weakening_is_never_missed() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut losses, mut quiet_pairs) = (BTreeMap::new(), 0);
    for round in 0..3000 {
        let (text, old) = random_config(&mut dice, random_policies);
        // A small change, where no other loss hides the one that is missed; and now and then a large one.
        let (new_text, new) = if round % 4 == 0 {
            random_config(&mut dice, random_policies)
        } else {
            random_config(&mut dice, |dice| with_one_change(dice, &text))
        };
        let quiet = weakened(&old, &new).is_empty();
        quiet_pairs += u32::from(quiet);
        for _ in 0..50 {
            let login = random_login(&mut dice);
            let has = random_has(&mut dice);
            let (before, after) = (ways(&old, &login, &has), ways(&new, &login, &has));
            for way in after.iter().filter(|way| !was_there(&before, way)) {
                let kind = format!("{way:?}").split('(').next().unwrap_or_default().to_owned();
                *losses.entry(kind).or_insert(0_u32) += 1;
                assert!(
                    !quiet,
                    "round {round}: {way:?} is new, before {before:?}: {login:?}\n{text}\n{new_text}"
                );
            }
        }
    }
    println!("{losses:?}, {quiet_pairs} pairs without a loss");
    assert!(losses.len() == 7 && losses.values().all(|n| *n > 50), "the dice were too kind: {losses:?}");
    assert!(quiet_pairs > 500, "{quiet_pairs} quiet pairs are too few to prove anything");
}

#[test]
fn a_rule_added_above_changes_nothing_for_those_it_does_not_match() {
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let above = "[[policy]]\nname = \"above\"\nstatus = \"off\"\ngroups = [\"strangers\"]\n";
    for _ in 0..2000 {
        let text = random_policies(&mut dice);
        let (Ok(old), Ok(new)) = (
            countersign_config::parse("old.toml", &text),
            countersign_config::parse("new.toml", &format!("{above}{text}")),
        ) else {
            continue;
        };
        let (mut person, service, source) = random_login(&mut dice);
        person.groups.insert("strangers".into(), Tri::No);
        assert_eq!(asked(&old, &person, service, source), asked(&new, &person, service, source));
    }
}
