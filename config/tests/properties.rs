//! INP-05: what must hold for every text, not only for those that somebody thought of.

use std::time::Duration;

use countersign_config::{Config, parse, parse_all};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Valid files to begin with.
const VALID: [&str; 4] = [
    include_str!("design.toml"),
    include_str!("full.toml"),
    include_str!("../countersign.toml"),
    "help = \"x\"\n[[policy]]\nname = \"ä€😀\"\nnetworks.only = [\"::/0\"]\n[[policy]]\nname = \"p\"\n",
];

/// Pieces that mean something to the reader.
const PIECES: [&str; 24] = [
    "[[policy]]\n",
    "[totp]\n",
    "\"",
    "'''",
    "[",
    "]",
    "{",
    "}",
    "=",
    ",",
    "\n",
    "\r",
    "\0",
    "\\u0000",
    "0",
    "-9223372036854775809",
    "0x10",
    "1d",
    "policy = ",
    "except = ",
    "networks.only = ",
    "[]",
    "\u{202e}",
    "#",
];

/// One change of a text.
#[derive(Debug, Clone)]
enum Edit {
    Cut(Index, usize),
    Insert(Index, usize),
    Copy(Index, Index, usize),
    Byte(Index, u8),
}

fn edits() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Edit::Cut(at, length)),
        (any::<Index>(), 0..PIECES.len()).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (any::<Index>(), any::<Index>(), 1..80_usize)
            .prop_map(|(from, to, length)| Edit::Copy(from, to, length)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Byte(at, byte)),
    ]
}

fn edited(text: &str, edits: &[Edit]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for edit in edits {
        let length = bytes.len();
        let upto = |at: usize, count: usize| at..(at + count).min(length);
        match edit {
            _ if length == 0 => return bytes,
            Edit::Cut(at, count) => drop(bytes.drain(upto(at.index(length), *count))),
            Edit::Insert(at, piece) => {
                let at = at.index(length);
                bytes.splice(at..at, PIECES[*piece].bytes());
            }
            Edit::Copy(from, to, count) => {
                let piece = bytes[upto(from.index(length), *count)].to_vec();
                let to = to.index(length);
                bytes.splice(to..to, piece);
            }
            Edit::Byte(at, byte) => bytes[at.index(length)] = *byte,
        }
    }
    bytes
}

/// What every accepted configuration keeps to.
fn is_sound(config: &Config) -> bool {
    let names: std::collections::HashSet<_> = config.policies.iter().map(|policy| &policy.name).collect();
    !config.policies.is_empty()
        && names.len() == config.policies.len()
        && config.hash.len() == 64
        && config.policies.iter().all(|policy| {
            policy.groups.as_ref().is_none_or(|list| !list.is_empty())
                && policy.users.as_ref().is_none_or(|list| !list.is_empty())
                && policy.services.as_ref().is_none_or(|list| !list.is_empty())
                && policy.networks.only.as_ref().is_none_or(|list| !list.is_empty())
                && policy.remember <= countersign_config::MAX_REMEMBER
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_files_are_read_or_refused(
        main in (0..VALID.len(), vec(edits(), 0..6)),
        drop_in in (0..VALID.len(), vec(edits(), 0..6)),
    ) {
        let main = edited(VALID[main.0], &main.1);
        let drop_in = edited(VALID[drop_in.0], &drop_in.1);
        for files in [&[("c.toml", &main)][..], &[("c.toml", &main), ("conf.d/1.toml", &drop_in)]] {
            match parse_all(files) {
                Ok(config) => prop_assert!(is_sound(&config), "{config:?}"),
                Err(problems) => {
                    let shown = problems.to_string();
                    prop_assert!(!shown.is_empty());
                    prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
                    for problem in problems.iter() {
                        prop_assert!(files.iter().any(|(name, _)| *name == problem.file()));
                        prop_assert!(problem.to_string().contains("; "), "no advice: {problem}");
                    }
                }
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        drop(parse("f.toml", &text));
    }

    #[test]
    fn lengths_of_time_mean_what_they_say(number in 0..5000_u64, unit in 0..4_usize) {
        let (letter, seconds) = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)][unit];
        let text = format!("[[policy]]\nname = \"p\"\nremember = \"{number}{letter}\"\n");
        let meant = Duration::from_secs(number * seconds);
        match parse("f.toml", &text) {
            Ok(config) => prop_assert_eq!(config.policies[0].remember, meant),
            Err(_) => prop_assert!(meant > countersign_config::MAX_REMEMBER),
        }
    }

    /// Writing what was read gives the same again.
    #[test]
    fn networks_read_as_they_are_shown(bits in any::<u128>(), prefix in 0..=128_u8, four in any::<bool>()) {
        let (width, address) = if four {
            (32, std::net::Ipv4Addr::from_bits(bits as u32).to_string())
        } else {
            (128, std::net::Ipv6Addr::from_bits(bits).to_string())
        };
        let policy = |entry: &str| format!("[[policy]]\nname = \"p\"\nnetworks.only = [\"{entry}\"]\n");
        let entry = format!("{address}/{}", prefix % (width + 1));
        let entry = match parse("f.toml", &policy(&entry)) {
            Ok(_) => entry,
            // The advice for a network with host bits is the network.
            Err(problems) => {
                let shown = problems.to_string();
                shown.split("; write \"").nth(1).and_then(|rest| rest.split('"').next()).expect("advice").to_owned()
            }
        };
        let read = parse("f.toml", &policy(&entry)).expect("valid").policies[0].networks.clone();
        let again = policy(&read.only.as_ref().expect("one")[0].to_string());
        prop_assert_eq!(&parse("f.toml", &again).expect("valid").policies[0].networks, &read);
    }
}
