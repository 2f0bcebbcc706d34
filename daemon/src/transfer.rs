//! People on their way to another host: what they have, as text inside one sealed message.
//!
//! Secrets leave the daemon in no other way. The key of the message comes from whoever asks (root, who could
//! read the sealing key as well) by a descriptor, and never crosses the bus.

use crate::error::Error;
use crate::random;
use crate::seal::Sealer;
use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::FileExt;
use zeroize::Zeroizing;

const FIRST_LINE: &str = "countersign-people 1";
/// The context that the message is sealed under.
const CONTEXT: &str = "people";
/// Bytes of a message at most: 100,000 people with three authenticators each fit twice.
pub const LARGEST: u64 = 256 * 1024 * 1024;

/// A person with what they have. Cannot be printed.
pub struct Traveller {
    /// The login name.
    pub name: String,
    /// The uid there; here it may be another.
    pub uid: u32,
    /// Authenticators.
    pub apps: Vec<App>,
    /// Recovery codes.
    pub set: Option<Set>,
    /// The mail address that was set, and when it was confirmed.
    pub address: Option<(String, i64)>,
}

/// An authenticator.
pub struct App {
    /// Tells it from all others.
    pub serial: Vec<u8>,
    /// Its name.
    pub label: String,
    /// The secret itself.
    pub secret: Zeroizing<Vec<u8>>,
    /// Digits, period, last step used, drift, created, last used.
    pub numbers: [i64; 6],
}

/// A set of recovery codes, by hash.
pub struct Set {
    /// Its salt.
    pub salt: Vec<u8>,
    /// When it was made.
    pub created: i64,
    /// Number, hash, and when it was used; 0 is not.
    pub codes: Vec<(u32, Vec<u8>, i64)>,
}

/// Seals people by the key of a descriptor.
///
/// # Errors
/// `InvalidArgument` where there is no key behind it.
pub fn seal(people: &[Traveller], key: &File) -> Result<Vec<u8>, Error> {
    // Room for all, so that no copy is left behind when it grows.
    let mut text = Zeroizing::new(String::with_capacity(64 + people.len() * 16 * 1024));
    let _ = writeln!(text, "{FIRST_LINE}");
    for one in people {
        let _ = writeln!(text, "person {} {}", one.uid, hex(one.name.as_bytes()));
        for app in &one.apps {
            let secret = Zeroizing::new(hex(&app.secret));
            let _ =
                write!(text, "app {} {} {}", hex(&app.serial), hex(app.label.as_bytes()), secret.as_str());
            for number in app.numbers {
                let _ = write!(text, " {number}");
            }
            text.push('\n');
        }
        if let Some((address, confirmed)) = &one.address {
            let _ = writeln!(text, "address {} {confirmed}", hex(address.as_bytes()));
        }
        if let Some(set) = &one.set {
            let _ = writeln!(text, "set {} {}", hex(&set.salt), set.created);
            for (number, hash, used) in &set.codes {
                let _ = writeln!(text, "code {number} {} {used}", hex(hash));
            }
        }
    }
    sealer(key)?.seal(CONTEXT, text.as_bytes())
}

/// Opens what [`seal`] made.
///
/// # Errors
/// `InvalidArgument` for another key, or a message that was damaged or changed.
pub fn open(message: &[u8], key: &File) -> Result<Vec<Traveller>, Error> {
    let text = sealer(key)?.open(CONTEXT, message).map_err(|_| {
        Error::InvalidArgument("the people in it do not open with that key; nothing was changed".into())
    })?;
    std::str::from_utf8(&text).ok().and_then(parse).ok_or_else(|| {
        Error::InvalidArgument("the people in it were written by another version; nothing was changed".into())
    })
}

fn sealer(key: &File) -> Result<Sealer, Error> {
    let mut bytes = Zeroizing::new([0; 33]);
    let read = key.read_at(bytes.as_mut_slice(), 0)?;
    match (read, bytes.first_chunk::<32>()) {
        (32, Some(key)) => Sealer::derive(key, [0; 16]),
        _ => Err(Error::InvalidArgument("a key of 32 bytes is needed".into())),
    }
}

fn parse(text: &str) -> Option<Vec<Traveller>> {
    let mut lines = text.lines();
    if lines.next()? != FIRST_LINE {
        return None;
    }
    let mut people: Vec<Traveller> = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["person", uid, name] => people.push(Traveller {
                uid: uid.parse().ok()?,
                name: String::from_utf8(unhex(name)?).ok()?,
                apps: Vec::new(),
                set: None,
                address: None,
            }),
            ["address", address, confirmed] => {
                let address = String::from_utf8(unhex(address)?).ok()?;
                people.last_mut()?.address = Some((address, confirmed.parse().ok()?));
            }
            ["app", serial, label, secret, numbers @ ..] => {
                let mut parsed = [0; 6];
                if numbers.len() != parsed.len() {
                    return None;
                }
                for (parsed, number) in parsed.iter_mut().zip(numbers) {
                    *parsed = number.parse().ok()?;
                }
                people.last_mut()?.apps.push(App {
                    serial: unhex(serial)?,
                    label: String::from_utf8(unhex(label)?).ok()?,
                    secret: Zeroizing::new(unhex(secret)?),
                    numbers: parsed,
                });
            }
            ["set", salt, created] => {
                let set = Set { salt: unhex(salt)?, created: created.parse().ok()?, codes: Vec::new() };
                people.last_mut()?.set = Some(set);
            }
            ["code", number, hash, used] => {
                let code = (number.parse().ok()?, unhex(hash)?, used.parse().ok()?);
                people.last_mut()?.set.as_mut()?.codes.push(code);
            }
            _ => return None,
        }
    }
    Some(people)
}

fn hex(bytes: &[u8]) -> String {
    random::hex(bytes)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    let pairs = bytes.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
    pairs.map(|pair| Some(digit(pair[0])? * 16 + digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> File {
        let path = std::env::temp_dir().join(format!("countersign-transfer-{}-{byte}", std::process::id()));
        std::fs::write(&path, [byte; 32]).expect("a file of ours");
        let file = File::open(&path).expect("a file of ours");
        std::fs::remove_file(&path).expect("a file of ours");
        file
    }

    #[test]
    fn adm_02_people_travel_sealed_and_open_with_their_key_only() {
        let people = vec![Traveller {
            name: "alice b".into(),
            uid: 5001,
            apps: vec![App {
                serial: vec![1; 16],
                label: "app\n".into(),
                secret: Zeroizing::new(vec![0xab; 20]),
                numbers: [6, 30, 59, -3, 1, 0],
            }],
            set: Some(Set {
                salt: vec![2; 16],
                created: 7,
                codes: vec![(1, vec![3; 32], 0), (2, vec![4; 32], 9)],
            }),
            address: Some(("alice@example.org".into(), 8)),
        }];
        let message = seal(&people, &key(1)).expect("seals");
        assert!(!message.windows(20).any(|part| part == [0xab; 20]));
        let back = open(&message, &key(1)).expect("opens");
        let (one, app) = (&back[0], &back[0].apps[0]);
        assert_eq!((one.name.as_str(), one.uid, app.label.as_str()), ("alice b", 5001, "app\n"));
        assert_eq!((app.secret.as_slice(), app.numbers), (&[0xab; 20][..], [6, 30, 59, -3, 1, 0]));
        assert_eq!(one.address, Some(("alice@example.org".to_owned(), 8)));
        assert_eq!(one.set.as_ref().map(|set| set.codes.len()), Some(2));
        assert!(open(&message, &key(2)).is_err(), "another key");
        for at in [0, message.len() / 2, message.len() - 1] {
            let mut changed = message.clone();
            changed[at] ^= 1;
            assert!(open(&changed, &key(1)).is_err(), "byte {at}");
        }
    }
}
