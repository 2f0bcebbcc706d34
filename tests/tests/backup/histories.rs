//! Random histories with backups in them, beside a model of twenty lines that says what a restore may do.
//! `COUNTERSIGN_SEED` lives one again.

use super::contents::Before;
use super::lost::{offline, remove_database};
use super::{Place, restore};
use countersign_tests::fixture::CONFIG;
use countersign_tests::{Code, Fixture, Secret, require};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

const NAMES: [&str; 2] = ["alice", "bob"];

/// An authenticator or a set of recovery codes, by its number in [`Life`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    App(usize),
    Set(usize),
}

/// What one person has.
#[derive(Debug, Clone, Default, PartialEq)]
struct Person {
    apps: BTreeSet<usize>,
    set: Option<usize>,
    exempt: bool,
    required: bool,
}

/// The model: what a host knows of its people.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    people: [Person; 2],
    gone: BTreeSet<Thing>,
}

impl Model {
    fn remove(&mut self, thing: Thing) {
        self.gone.insert(thing);
        for one in &mut self.people {
            match thing {
                Thing::App(app) => drop(one.apps.remove(&app)),
                Thing::Set(set) => one.set = one.set.filter(|has| *has != set),
            }
        }
    }

    /// While it runs: nothing that was removed comes back, and recovery codes go unless they are kept.
    fn restore(&mut self, copy: &Self, keep: bool) {
        for &thing in &copy.gone {
            self.remove(thing);
        }
        for who in 0..NAMES.len() {
            let of = &copy.people[who];
            self.people[who].required |= of.required;
            let back: Vec<usize> =
                of.apps.iter().copied().filter(|app| !self.gone.contains(&Thing::App(*app))).collect();
            self.people[who].apps.extend(back);
            let Some(set) = of.set else { continue };
            if keep || self.people[who].apps.is_empty() {
                let free = self.people[who].set.is_none() && !self.gone.contains(&Thing::Set(set));
                self.people[who].set = if free { Some(set) } else { self.people[who].set };
            } else {
                self.remove(Thing::Set(set));
            }
        }
    }

    /// Where all is lost: the copy, without what is looser.
    fn place(&mut self, copy: &Self, keep: bool) {
        *self = copy.clone();
        for who in 0..NAMES.len() {
            self.people[who].exempt = false;
            if let Some(set) = self.people[who].set.filter(|_| !keep && !self.people[who].apps.is_empty()) {
                self.remove(Thing::Set(set));
            }
        }
    }
}

/// xorshift64*: histories that can be lived again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(mixed).expect("31 bits") % end
    }
}

struct App {
    who: usize,
    name: String,
    secret: Secret,
    last: Option<String>,
}

struct Set {
    codes: Vec<String>,
    /// The number of the next one that was never typed.
    next: usize,
    /// The host knows that the first one was used.
    first_used: bool,
}

/// A host, its model, and all that was ever shown to its people.
struct Life<'a> {
    t: &'a mut Fixture,
    place: &'a Place,
    dice: Dice,
    model: Model,
    apps: Vec<App>,
    sets: Vec<Set>,
    /// Where it is, what the host knew, and of each set whether its first code was used.
    copies: Vec<(String, Model, Vec<bool>)>,
    story: Vec<String>,
}

impl Life<'_> {
    fn ctl(&self, args: &[&str]) {
        let out = self.t.daemon.ctl().run(args);
        assert_eq!(out.code, Some(0), "{:#?}\n{args:?}: {out:?}", self.story);
    }

    fn step(&mut self, n: usize) {
        let who = self.dice.roll(NAMES.len());
        let name = NAMES[who];
        let has = self.model.people[who].clone();
        let what = self.dice.roll(13);
        self.story.push(format!("{what} {name}"));
        match what {
            0 | 1 if has.apps.len() < 3 => self.enroll(who),
            2 if !has.apps.is_empty() => self.remove(who),
            3 if !has.exempt && !has.apps.is_empty() => {
                let app = *has.apps.iter().next().expect("one");
                self.unlock(name);
                let code = self.apps[app].secret.fresh_code();
                assert!(self.passes(name, &code), "{:#?}", self.story);
                self.apps[app].last = Some(code);
            }
            4 if !has.exempt && has.set.is_some_and(|set| self.sets[set].next < 8) => {
                let set = has.set.expect("one");
                self.unlock(name);
                let code = self.sets[set].codes[self.sets[set].next].clone();
                assert!(self.passes(name, &code), "{:#?}", self.story);
                self.sets[set].first_used |= self.sets[set].next == 0;
                self.sets[set].next += 1;
            }
            5 | 6 if !has.exempt && !has.apps.is_empty() => {
                let app = *has.apps.iter().next().expect("one");
                for i in 0..=self.dice.roll(5) {
                    let wrong = self.apps[app].secret.wrong_code(n + i);
                    assert!(!self.passes(name, &wrong), "{:#?}", self.story);
                }
            }
            7 if has.apps.len() + usize::from(has.set.is_some()) > 0 => {
                self.ctl(&["reset", name, "--alone", "--yes", "--reason", "lost"]);
                let things = has.apps.iter().map(|app| Thing::App(*app)).chain(has.set.map(Thing::Set));
                things.for_each(|thing| self.model.remove(thing));
            }
            8 => {
                self.exempt(who, !has.exempt);
            }
            9 => {
                let end = if has.required { &["--end", "--yes"][..] } else { &[] };
                self.ctl(&[&["require", name, "--reason", "a test"], end].concat());
                self.model.people[who].required = !has.required;
                // A requirement ends the exemption.
                self.model.people[who].exempt = has.exempt && has.required;
            }
            10 => {
                // Exemptions end at their date.
                self.t.clock().shift(3 * 86_400);
                self.model.people.iter_mut().for_each(|one| one.exempt = false);
            }
            11 => self.t.daemon.crash_and_restart(),
            12 if self.copies.len() > 1 => self.lose_all(),
            _ => {}
        }
    }

    fn enroll(&mut self, who: usize) {
        let name = format!("phone {}", self.apps.len());
        let clock = self.t.daemon.clock().cloned();
        let secret = self.t.daemon.ctl().try_enroll(&[NAMES[who], "--name", &name], "", clock);
        let secret = secret.unwrap_or_else(|out| panic!("{:#?}\n{out:?}", self.story));
        if !secret.recovery.is_empty() {
            if let Some(old) = self.model.people[who].set {
                self.model.remove(Thing::Set(old));
            }
            self.model.people[who].set = Some(self.sets.len());
            self.sets.push(Set { codes: secret.recovery.clone(), next: 0, first_used: false });
        }
        self.model.people[who].apps.insert(self.apps.len());
        self.apps.push(App { who, name, secret, last: None });
    }

    fn remove(&mut self, who: usize) {
        let has = self.model.people[who].clone();
        let app = *has.apps.iter().nth(self.dice.roll(has.apps.len())).expect("one");
        self.ctl(&["remove", &self.apps[app].name, NAMES[who], "--reason", "lost", "--yes"]);
        self.model.remove(Thing::App(app));
        // With the last one go the codes that stand in for it.
        if let Some(set) = has.set.filter(|_| has.apps.len() == 1) {
            self.model.remove(Thing::Set(set));
        }
    }

    fn exempt(&mut self, who: usize, on: bool) {
        // The tool counts from the machine's own clock.
        let real = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let until = format!("+{}d", self.t.clock().now().saturating_sub(real).div_ceil(86_400) + 2);
        let how = if on { &["--until", until.as_str(), "--yes"][..] } else { &["--end", "--yes"] };
        self.ctl(&[&["exempt", NAMES[who], "--reason", "a test"], how].concat());
        self.model.people[who].exempt = on;
    }

    fn unlock(&self, name: &str) {
        let _ = self.t.daemon.ctl().run(&["unlock", name]);
    }

    fn passes(&self, name: &str, answer: &str) -> bool {
        self.t.cs().login(name, [answer]).passed()
    }

    fn failures(&self) -> BTreeMap<String, u64> {
        let people = self.t.daemon.ctl().run(&["users", "--json"]).ok().json();
        let of = |one: &serde_json::Value| {
            (one["user"].as_str().expect("a name").to_owned(), one["failures"].as_u64().expect("a number"))
        };
        people.iter().map(of).collect()
    }

    fn lose_all(&mut self) {
        let (path, copy, used) = self.copies[self.dice.roll(self.copies.len())].clone();
        let keep = self.dice.roll(2) == 0;
        self.story.push(format!("all is lost; {path} is put in place, codes kept: {keep}"));
        self.t.daemon.kill9();
        remove_database(self.t);
        let more = if keep { &["--keep-recovery-codes"][..] } else { &[] };
        let placed = offline(self.t, &[&["--restore", &path], more].concat());
        assert!(placed.status.success(), "{:#?}\n{placed:?}", self.story);
        self.t.daemon.resume();
        self.t.clock().shift(120);
        self.model.place(&copy, keep);
        // Nothing is left that knew of what was used since.
        for (set, used) in self.sets.iter_mut().zip(used) {
            set.first_used = used;
        }
        self.assert_as_modelled();
    }

    fn back_up(&mut self) {
        let path =
            self.place.backup(&self.t.daemon.ctl(), &format!("b{}-{}", self.dice.0, self.copies.len()));
        self.story.push(format!("backup {path}"));
        let used = self.sets.iter().map(|set| set.first_used).collect();
        self.copies.push((path, self.model.clone(), used));
    }

    fn restore(&mut self) {
        let (path, copy, _) = self.copies[self.dice.roll(self.copies.len())].clone();
        let keep = self.dice.roll(2) == 0;
        self.story.push(format!("restore {path}, codes kept: {keep}"));
        let before = self.failures();
        let ctl = self.t.daemon.ctl();
        let more = if keep { &["--keep-recovery-codes"][..] } else { &[] };
        let dry = restore(&ctl, &path, &[&["--dry-run"], more].concat());
        let done = restore(&ctl, &path, &[&["--yes", "--reason", "a test"], more].concat());
        for what in ["factors", "kept", "kept_codes", "newer", "raised", "required"] {
            assert_eq!(dry[what], done[what], "{:#?}", self.story);
        }
        self.model.restore(&copy, keep);
        let after = self.failures();
        for (name, failures) in &before {
            let now = after.get(name).copied().unwrap_or(0);
            assert!(now >= *failures, "{name}: {now} after {failures}: {:#?}", self.story);
        }
        self.assert_as_modelled();
        // Locked before, locked now: the right code is refused, too.
        for (who, name) in NAMES.iter().enumerate() {
            let one = self.model.people[who].clone();
            let (Some(app), false) = (one.apps.first(), one.exempt) else { continue };
            if before.get(*name).is_some_and(|failures| *failures >= 5) {
                let right = self.apps[*app].secret.fresh_code();
                let locked = self.t.cs().login(*name, [&right]);
                assert_eq!(locked.auth, Code::MAXTRIES, "{:#?}\n{locked:?}", self.story);
            }
        }
    }

    /// What the tool lists is what the model has.
    fn assert_as_modelled(&self) {
        let ctl = self.t.daemon.ctl();
        let people = ctl.run(&["users", "--json"]).ok().json();
        for (who, name) in NAMES.iter().enumerate() {
            let listed = people.iter().filter(|one| one["user"] == **name);
            let factors = listed.flat_map(|one| one["factors"].as_array().expect("factors"));
            let apps = factors.filter(|one| one["kind"] == "totp");
            let names: BTreeSet<String> =
                apps.map(|one| one["name"].as_str().unwrap_or("").to_owned()).collect();
            let model: BTreeSet<String> =
                self.model.people[who].apps.iter().map(|app| self.apps[*app].name.clone()).collect();
            assert_eq!(names, model, "{name}: {:#?}", self.story);
        }
        for (verb, has) in
            [("exempt", (|one| one.exempt) as fn(&Person) -> bool), ("require", |one| one.required)]
        {
            let listed = ctl.run(&[verb, "--json"]).ok().json();
            let listed: BTreeSet<&str> = listed.iter().filter_map(|one| one["user"].as_str()).collect();
            let model: BTreeSet<&str> = NAMES
                .iter()
                .zip(&self.model.people)
                .filter(|(_, one)| has(one))
                .map(|(name, _)| *name)
                .collect();
            assert_eq!(listed, model, "{verb}: {:#?}", self.story);
        }
    }

    /// Everything that anybody ever had in hand is tried at the door, and opens it where the model says so.
    fn try_everything(&mut self) {
        for (who, name) in NAMES.iter().enumerate() {
            if self.model.people[who].exempt {
                self.exempt(who, false);
            }
            if !self.model.people[who].required {
                self.ctl(&["require", name, "--reason", "a test"]);
            }
            self.unlock(name);
        }
        for set in 0..self.sets.len() {
            let Set { codes, next, first_used } = &self.sets[set];
            let owner = (0..NAMES.len()).find(|who| self.model.people[*who].set == Some(set));
            for (who, name) in NAMES.iter().enumerate() {
                if *first_used {
                    assert!(!self.passes(name, &codes[0]), "used: {:#?}", self.story);
                }
                let passed = self.passes(name, &codes[*next]);
                assert_eq!(passed, owner == Some(who), "set {set} of {owner:?}: {:#?}", self.story);
                self.unlock(name);
            }
        }
        for n in 0..self.apps.len() {
            let App { who, secret, last, .. } = &self.apps[n];
            let name = NAMES[*who];
            if let Some(last) = last {
                assert!(!self.passes(name, last), "used: {:#?}", self.story);
            }
            let alive = self.model.people[*who].apps.contains(&n);
            assert_eq!(self.passes(name, &secret.fresh_code()), alive, "app {n}: {:#?}", self.story);
            self.unlock(name);
        }
    }
}

fn live(t: &mut Fixture, place: &Place, seed: u64) {
    let (dice, model) = (Dice(seed), Model::default());
    let story = vec![format!("COUNTERSIGN_SEED={seed}")];
    let mut life =
        Life { t, place, dice, model, apps: Vec::new(), sets: Vec::new(), copies: Vec::new(), story };
    life.enroll(0);
    life.back_up();
    for n in 0..16 {
        life.step(n * 10);
        if n % 5 == 4 {
            life.back_up();
        }
    }
    life.restore();
    life.restore();
    life.try_everything();
}

#[test]
fn rpl_12_no_restore_in_any_history_loosens_anything() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::configured(CONFIG);
    t.daemon.stop();
    let before = Before::of(&t.daemon);
    let place = Place::new();
    let seeds: Vec<u64> = match std::env::var("COUNTERSIGN_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => vec![seed],
        None => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
            (0..6).map(|n| u64::try_from(now & 0xffff_ffff).expect("32 bits") * 8 + n + 1).collect()
        }
    };
    for seed in seeds {
        t.daemon.kill9();
        before.put_back(&t.daemon);
        t.daemon.resume();
        live(&mut t, &place, seed);
    }
}
