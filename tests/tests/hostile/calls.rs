//! INP-06: calls that make no sense, thousands of them, to every method that the daemon says it has.

use super::{Begin, assert_events};
use countersign_protocol::names::{BUS_NAME, OBJECT_PATH};
use countersign_tests::people::DAVE;
use countersign_tests::{Code, Fixture, Wire, require};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use zbus::wire::{Array, Dict, StructureBuilder};
use zbus::{ObjectPath, Signature, Structure, Variant};

/// How long it goes on; with `COUNTERSIGN_LONG=1` an hour.
const FOR: Duration = Duration::from_secs(6);
const LONG: Duration = Duration::from_secs(3600);
/// Each method is called so often by arguments that fit, and by others, whatever the time.
const LEAST: u32 = 3;
/// Almost what a bus lets through in one message: 32 MiB.
const HUGE: usize = (32 << 20) - 4096;

/// A method, with the types of what it takes.
struct Method {
    interface: String,
    name: String,
    takes: Vec<Signature>,
}

/// Every method of ours, as the daemon describes itself.
fn methods(wire: &mut Wire) -> Vec<Method> {
    let introspectable = "org.freedesktop.DBus.Introspectable";
    let reply = wire.call(BUS_NAME, OBJECT_PATH, introspectable, "Introspect", &()).expect("a description");
    let xml: String = reply.body().deserialize().expect("a string");
    let attribute = |tag: &str, name: &str| -> String {
        let rest = tag.split(&format!("{name}=\"")).nth(1).unwrap_or_default();
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    let mut methods: Vec<Method> = Vec::new();
    let mut interface = String::new();
    for tag in xml.split('<').skip(1) {
        match tag.split([' ', '>', '/']).next().unwrap_or_default() {
            "interface" => interface = attribute(tag, "name"),
            "method" if interface.starts_with("org.countersign1.") => {
                let name = attribute(tag, "name");
                methods.push(Method { interface: interface.clone(), name, takes: Vec::new() });
            }
            "arg" if interface.starts_with("org.countersign1.") && attribute(tag, "direction") == "in" => {
                let signature = Signature::try_from(attribute(tag, "type").as_str()).expect("a type");
                methods.last_mut().expect("a method").takes.push(signature);
            }
            _ => {}
        }
    }
    assert!(methods.len() > 45, "{} methods", methods.len());
    methods
}

/// Pseudo-random numbers that are the same in every run (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).expect("48 bits") % n
    }

    fn number(&mut self) -> i64 {
        let any = self.below(1 << 40) as i64;
        [0, 1, -1, 7, 4_102_444_800, i64::MAX, i64::MIN, any, -any][self.below(9)]
    }

    fn word(&mut self) -> String {
        // Not alice: root may well reset her, and the test needs her.
        let words = [
            "bob",
            "",
            "-1",
            "../x",
            "00112233445566778899aabbccddeeff",
            "passed",
            "\u{202e}\n",
            "sshd",
            "%n",
        ];
        let word = words[self.below(words.len())];
        if self.below(20) == 0 { word.repeat(self.below(5000)) } else { word.to_owned() }
    }

    fn length(&mut self) -> usize {
        if self.below(300) == 0 { 100_000 } else { self.below(4) }
    }

    /// A value of this type.
    fn fitting(&mut self, of: &Signature) -> Variant<'static> {
        match of {
            Signature::U8 => Variant::U8(self.below(256) as u8),
            Signature::Bool => Variant::Bool(self.below(2) == 0),
            Signature::I16 => Variant::I16(self.number() as i16),
            Signature::U16 => Variant::U16(self.number() as u16),
            Signature::I32 => Variant::I32(self.number() as i32),
            Signature::U32 => Variant::U32(self.number() as u32),
            Signature::I64 => Variant::I64(self.number()),
            Signature::U64 => Variant::U64(self.number() as u64),
            Signature::F64 => Variant::F64(f64::from_bits(self.number() as u64)),
            Signature::Str => Variant::from(self.word()),
            Signature::Fd => descriptor(),
            Signature::ObjectPath => {
                Variant::from(ObjectPath::try_from("/org/countersign1").expect("a path"))
            }
            Signature::Array(child) => {
                let mut array = Array::new(child.signature());
                // What is large is large by one element, so that it is made in no time.
                let one = self.fitting(child.signature());
                let length =
                    if matches!(child.signature(), Signature::Fd) { self.below(3) } else { self.length() };
                for _ in 0..length {
                    array.append(one.try_clone().expect("a value")).expect("of the type");
                }
                Variant::Array(array)
            }
            Signature::Dict { key, value } => {
                let mut dict = Dict::new(key.signature(), value.signature());
                for _ in 0..self.below(4) {
                    let (key, value) = (self.fitting(key.signature()), self.fitting(value.signature()));
                    dict.append(key, value).expect("of the types");
                }
                Variant::Dict(dict)
            }
            Signature::Structure(fields) => {
                let builder = fields
                    .iter()
                    .fold(StructureBuilder::new(), |all, field| all.append_field(self.fitting(field)));
                Variant::Structure(builder.build().expect("a structure"))
            }
            _ => Variant::Variant(Box::new(self.value(2))),
        }
    }

    /// Any value, at most so deep.
    fn value(&mut self, depth: usize) -> Variant<'static> {
        let number = self.below(usize::MAX >> 17) as u64;
        match self.below(if depth == 0 { 12 } else { 16 }) {
            0 => Variant::from(number),
            1 => Variant::from(self.below(1 << 32) as u32),
            2 => Variant::from(-(self.below(1 << 31) as i64)),
            3 => Variant::from(self.below(256) as u8),
            4 => Variant::from(self.below(2) == 0),
            5 => Variant::from(f64::from_bits(number)),
            6 => Variant::from(ObjectPath::try_from("/org/countersign1").expect("a path")),
            7 => Variant::from(vec![b'1'; self.below(64)]),
            8 => Variant::from(vec![self.word(); self.below(20)]),
            9 | 10 => Variant::from(self.word()),
            11 => descriptor(),
            12 => Variant::Variant(Box::new(self.value(depth - 1))),
            13 => Variant::from((0..self.below(4)).map(|_| self.value(depth - 1)).collect::<Vec<_>>()),
            14 => Variant::from(
                (0..self.below(4)).map(|n| (n.to_string(), self.value(depth - 1))).collect::<HashMap<_, _>>(),
            ),
            _ => Variant::from((self.value(depth - 1), self.value(depth - 1))),
        }
    }

    /// Something that has no place where it stands.
    fn odd(&mut self) -> Variant<'static> {
        match self.below(400) {
            // D-Bus lets values nest this deep and no deeper.
            0..8 => (0..60).fold(self.value(0), |inner, _| Variant::Variant(Box::new(inner))),
            8 => Variant::from(vec![0u32; 100_000]),
            9 => Variant::from(vec![String::new(); 100_000]),
            10 => Variant::from(vec![b'7'; 1 << 20]),
            11..20 => descriptor(),
            _ => self.value(3),
        }
    }

    /// Arguments that fit; or that fit but for one, for their number, or not at all.
    fn arguments(&mut self, method: &Method, fits: bool) -> Vec<Variant<'static>> {
        let mut fields: Vec<_> = method.takes.iter().map(|of| self.fitting(of)).collect();
        if fits {
            return fields;
        }
        let at = self.below(fields.len().max(1));
        match self.below(4) {
            0 if !fields.is_empty() => fields[at] = self.odd(),
            1 => fields.insert(at.min(fields.len()), self.odd()),
            2 if !fields.is_empty() => drop(fields.remove(at)),
            _ => fields = (0..self.below(9)).map(|_| self.odd()).collect(),
        }
        fields
    }
}

fn descriptor() -> Variant<'static> {
    let nothing = File::open("/dev/null").expect("/dev/null");
    Variant::Fd(zbus::Fd::from(OwnedFd::from(nothing)))
}

fn structure(fields: Vec<Variant<'static>>) -> Option<Structure<'static>> {
    fields.into_iter().fold(StructureBuilder::new(), StructureBuilder::append_field).build().ok()
}

/// Those who call, and what came of it.
struct Callers<'a> {
    t: &'a Fixture,
    wires: [Wire; 2],
    answered: u32,
    errors: BTreeMap<String, u32>,
    lost: u32,
}

impl<'a> Callers<'a> {
    fn new(t: &'a Fixture) -> Self {
        Self { t, wires: Self::connected(t), answered: 0, errors: BTreeMap::new(), lost: 0 }
    }

    fn connected(t: &Fixture) -> [Wire; 2] {
        [Wire::on(&t.bus), Wire::as_uid(&t.bus, DAVE.uid)]
    }

    fn call(&mut self, caller: usize, interface: &str, member: &str, body: Option<&Structure<'_>>) {
        let wire = &mut self.wires[caller];
        let reply = match body {
            Some(body) => wire.call(BUS_NAME, OBJECT_PATH, interface, member, body),
            None => wire.call(BUS_NAME, OBJECT_PATH, interface, member, &()),
        };
        match reply {
            Ok(_) => self.answered += 1,
            Err(e) if e.name == "Disconnected" => {
                self.lost += 1;
                self.wires = Self::connected(self.t);
            }
            Err(e) => *self.errors.entry(e.name).or_default() += 1,
        }
    }
}

#[test]
fn inp_06_thousands_of_senseless_calls_of_every_method_change_nothing() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let methods = methods(&mut Wire::on(&t.bus));
    let (pid, memory) = (t.daemon.pid(), t.daemon.resident_kib());
    let time = if std::env::var_os("COUNTERSIGN_LONG").is_some() { LONG } else { FOR };
    let mut dice = Dice(0x5eed_f00d);
    let mut callers = Callers::new(&t);
    let mut called: BTreeMap<(usize, bool), u32> = BTreeMap::new();
    let began = Instant::now();
    let mut calls = 0;
    while began.elapsed() < time || called.len() < 2 * methods.len() || called.values().any(|n| *n < LEAST) {
        let (at, fits) = (calls % methods.len(), dice.below(3) == 0);
        let method = &methods[at];
        let body = structure(dice.arguments(method, fits));
        // dave is refused early, so root does most of it.
        let caller = usize::from(dice.below(10) == 0);
        let interface =
            if dice.below(50) == 0 { "org.freedesktop.DBus.Properties" } else { &method.interface };
        callers.call(caller, interface, &method.name, body.as_ref());
        *called.entry((at, fits)).or_default() += 1;
        calls += 1;
    }
    let between = t.daemon.resident_kib();
    huge(&mut callers);
    let after = t.daemon.resident_kib();
    let Callers { wires: [mut root, _], answered, errors, lost, .. } = callers;
    eprintln!(
        "figures: {calls} calls of {} methods in {:.1} s: {answered} answered, {lost} cut off by the bus; {memory} -> {between} KiB, after messages of 32 MB {after} KiB; {errors:?}",
        methods.len(),
        began.elapsed().as_secs_f64()
    );
    assert!(answered > 50 && errors.values().sum::<u32>() > 500, "some make sense, most do not: {errors:?}");
    assert!(errors.keys().all(|name| !name.contains("NoReply")), "all are answered: {errors:?}");
    assert!(lost < calls as u32 / 10, "the bus hung up {lost} times: what was tested?");
    assert!(t.daemon.is_running() && t.daemon.pid() == pid, "the same process");
    assert!(between < memory + 48 * 1024 && after < memory + 64 * 1024, "{memory} -> {between}, {after} KiB");
    assert!(!t.daemon.said().contains("panicked"));
    assert_events(&t.daemon.said());
    // Right shapes with senseless words are in there too; none of them was alice's code or her enrollment.
    assert!(Begin { user: "alice", ..Begin::default() }.call(&mut root).is_ok());
    assert_eq!(
        t.probe().login("alice", [alice.wrong_code(1); 1]).auth,
        Code::CONV_ERR,
        "asked again, then hung up"
    );
    assert!(t.cs().login("alice", [alice.fresh_code()]).passed());
}

/// As much as a bus lets through where a word is wanted. (Bytes are decoded one by one, which takes a while where
/// nothing is optimised.)
fn huge(callers: &mut Callers<'_>) {
    let text = || Variant::from("x".repeat(HUGE));
    let no_id = || Variant::from("00112233445566778899aabbccddeeff");
    for (caller, interface, member, fields) in [
        (1, "Login", "Respond", vec![no_id(), Variant::from(vec![b'1'; HUGE / 16])]),
        (0, "Login", "Abandon", vec![text()]),
        (1, "Manager", "Status", vec![text()]),
        (0, "Manager", "Reset", vec![text(), Variant::from("x"), Variant::from(false)]),
    ] {
        let lost = callers.lost;
        let body = structure(fields);
        callers.call(caller, &format!("org.countersign1.{interface}"), member, body.as_ref());
        assert_eq!(callers.lost, lost, "{member} with 32 MB is answered by the daemon");
    }
}
