//! INP-06: calls that make no sense, thousands of them.

use super::{Begin, assert_events};
use countersign_protocol::names::{BUS_NAME, LOGIN_INTERFACE, MANAGER_INTERFACE, OBJECT_PATH};
use countersign_tests::people::DAVE;
use countersign_tests::{Code, Fixture, Wire, require};
use std::collections::HashMap;
use zbus::{ObjectPath, Structure, Variant};

const METHODS: [&str; 23] = [
    "Begin",
    "Respond",
    "Confirm",
    "Check",
    "Abandon",
    "HostStatus",
    "Status",
    "Users",
    "Log",
    "FollowLog",
    "Acts",
    "VerifyLog",
    "Enroll",
    "ConfirmEnrollment",
    "CancelEnrollment",
    "Reset",
    "RequestReset",
    "ResetRequests",
    "ApproveReset",
    "RefuseReset",
    "Unlock",
    "Get",
    "NoSuchMethod",
];

/// Pseudo-random numbers that are the same in every run (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).expect("48 bits") % n
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

    /// Any value, at most so deep.
    fn value(&mut self, depth: usize) -> Variant<'static> {
        let number = self.below(usize::MAX >> 17) as u64;
        match self.below(if depth == 0 { 11 } else { 15 }) {
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
            11 => Variant::Variant(Box::new(self.value(depth - 1))),
            12 => Variant::from((0..self.below(4)).map(|_| self.value(depth - 1)).collect::<Vec<_>>()),
            13 => Variant::from(
                (0..self.below(4)).map(|n| (n.to_string(), self.value(depth - 1))).collect::<HashMap<_, _>>(),
            ),
            _ => Variant::from((self.value(depth - 1), self.value(depth - 1))),
        }
    }

    /// Arguments of the types that a method wants, so that it looks at them.
    fn fitting(&mut self, member: &str) -> Vec<Variant<'static>> {
        let words = match member {
            "Begin" => 7,
            "Confirm" | "Check" | "RequestReset" => 3,
            "Reset" | "Unlock" => 2,
            "HostStatus" | "Users" | "Log" | "FollowLog" | "Acts" | "VerifyLog" | "ResetRequests"
            | "ApproveReset" | "RefuseReset" => 0,
            _ => 1,
        };
        let mut fields: Vec<_> = (0..words).map(|_| Variant::from(self.word())).collect();
        match member {
            "Users" => fields.push(Variant::from(self.below(2) == 0)),
            "Reset" => fields.push(Variant::from(self.below(2) == 0)),
            "ApproveReset" | "RefuseReset" => fields.push(Variant::from(self.below(4) as u32)),
            "Log" => {
                let odd = -(self.below(1 << 40) as i64);
                let words = vec![self.word(); self.below(3)];
                fields.push(Variant::from((
                    self.word(),
                    odd,
                    odd,
                    words,
                    self.word(),
                    self.word(),
                    self.word(),
                )));
                fields.push(Variant::from((odd, odd)));
            }
            "FollowLog" => {
                let odd = self.below(1 << 40) as i64;
                let words = vec![self.word(); self.below(3)];
                fields.push(Variant::from((
                    self.word(),
                    odd,
                    -odd,
                    words,
                    self.word(),
                    self.word(),
                    self.word(),
                )));
                fields.push(Variant::from(-odd));
            }
            "Acts" => {
                let odd = self.below(1 << 40) as i64;
                fields.push(Variant::from((self.word(), odd, -odd, vec![self.word(); self.below(3)])));
                fields.push(Variant::from(-odd));
            }
            "VerifyLog" => {
                fields.push(Variant::from((self.below(6) as u32, -(self.below(1 << 40) as i64))));
                fields.push(Variant::from(self.word()));
            }
            "Respond" | "ConfirmEnrollment" => fields.push(Variant::from(self.word().into_bytes())),
            _ => {}
        }
        if member == "RefuseReset" {
            fields.push(Variant::from(self.word()));
        }
        if matches!(member, "Users" | "Log" | "FollowLog" | "Acts") {
            fields.resize_with(3, || Variant::from(self.below(1 << 32) as u32));
        }
        fields
    }

    /// The arguments of a call: now and then of the right types, else right in nothing but their encoding.
    fn arguments(&mut self, member: &str) -> Option<Structure<'static>> {
        let mut builder = zbus::wire::StructureBuilder::new();
        if self.below(3) == 0 {
            return self
                .fitting(member)
                .into_iter()
                .fold(builder, zbus::wire::StructureBuilder::append_field)
                .build()
                .ok();
        }
        for _ in 0..self.below(9) {
            let value = match self.below(1000) {
                // D-Bus lets values nest this deep and no deeper.
                0..10 => (0..60).fold(self.value(0), |inner, _| Variant::Variant(Box::new(inner))),
                10 => Variant::from(vec![0u32; 100_000]),
                11 => Variant::from(vec![String::new(); 100_000]),
                12 => Variant::from(vec![b'7'; 1 << 20]),
                13..600 => Variant::from(self.word()),
                _ => self.value(3),
            };
            builder = builder.append_field(value);
        }
        builder.build().ok()
    }
}

#[test]
fn inp_06_thousands_of_senseless_calls_change_nothing() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let code = alice.fresh_code();
    let memory = t.daemon.resident_kib();
    let mut dice = Dice(0x5eed_f00d);
    let mut callers = [Wire::on(&t.bus), Wire::as_uid(&t.bus, DAVE.uid)];
    let (mut replies, mut errors, mut lost) = (0, 0, 0);
    for _ in 0..4000 {
        let caller = usize::from(dice.below(10) == 0);
        let interface =
            [LOGIN_INTERFACE, MANAGER_INTERFACE, "org.freedesktop.DBus.Properties"][dice.below(3)];
        let member = METHODS[dice.below(METHODS.len())];
        let body = dice.arguments(member);
        let wire = &mut callers[caller];
        let reply = match &body {
            Some(body) => wire.call(BUS_NAME, OBJECT_PATH, interface, member, body),
            None => wire.call(BUS_NAME, OBJECT_PATH, interface, member, &()),
        };
        match reply {
            Ok(_) => replies += 1,
            Err(e) if e.name == "Disconnected" => {
                lost += 1;
                callers = [Wire::on(&t.bus), Wire::as_uid(&t.bus, DAVE.uid)];
            }
            Err(_) => errors += 1,
        }
    }
    let after = t.daemon.resident_kib();
    eprintln!(
        "figures: 4000 calls: {replies} answered, {errors} errors, {lost} cut off by the bus; {memory} -> {after} KiB"
    );
    assert!(
        replies > 100 && errors > 2000,
        "some make sense, most do not, all are answered: {replies}, {errors}"
    );
    assert!(lost < 100, "the bus hung up {lost} times: what was tested?");
    assert!(t.daemon.is_running());
    assert!(after < memory + 32 * 1024, "{memory} -> {after} KiB");
    assert_events(&t.daemon.said());
    // Right shapes with senseless words are in there too; none of them was alice's code or her enrollment.
    assert!(Begin { user: "alice", ..Begin::default() }.call(&mut callers[0]).is_ok());
    assert_eq!(
        t.probe().login("alice", [alice.wrong_code(1); 1]).auth,
        Code::CONV_ERR,
        "asked again, then hung up"
    );
    assert!(t.cs().login("alice", [&code]).passed());
}
