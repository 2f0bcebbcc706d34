//! Mail addresses in systemd's user records (systemd.io/USER_RECORD), asked of systemd-userdbd by Varlink:
//! one JSON object that ends with a NUL byte, and one in answer.
//!
//! A login waits half a second for it at most. What is no clear answer is "unknown", and so is "no such
//! record": the account database has just named the person, so somebody in between does not answer.
//! Who serves the socket is root, or is not believed. Records that their people can change themselves do
//! not count: those of systemd-homed, and those that say so.

use crate::journal;
use countersign_config::is_address;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;

/// Where systemd-userdbd answers for all sources of records.
const SOCKET: &str = "/run/systemd/userdb/io.systemd.Multiplexer";
/// How long a login waits.
const DEADLINE: Duration = Duration::from_millis(500);
/// How long an answer is used again, as for other lookups of people.
const CACHED: Duration = Duration::from_secs(2);
/// How long nobody is asked after there was no answer: who logs in then does not wait for the same again.
const REST: Duration = Duration::from_secs(2);
/// Answers that are kept at most.
const CACHE_SIZE: usize = 1024;
/// Questions under way at most.
const AT_ONCE: usize = 32;
/// The longest answer, in bytes. Records hold keys and pictures' names, no pictures.
const LONGEST: u64 = 256 * 1024;

/// What the user record of a person says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// This address, which the person cannot change by themselves.
    Address(String),
    /// None, or one that does not count.
    None,
    /// It cannot be known now.
    Unknown,
}

/// Asks for user records.
#[derive(Debug)]
pub struct Records {
    kept: Mutex<Kept>,
    slots: Semaphore,
}

#[derive(Debug, Default)]
struct Kept {
    answers: HashMap<(u32, String), (Instant, Said)>,
    rests_since: Option<Instant>,
}

impl Default for Records {
    fn default() -> Self {
        Self { kept: Mutex::default(), slots: Semaphore::new(AT_ONCE) }
    }
}

impl Records {
    /// The address of this person.
    pub async fn address(&self, uid: u32, name: &str) -> Said {
        if let Some(said) = self.kept(uid, name) {
            return said;
        }
        let asked = Instant::now();
        let question = async {
            let _slot = self.slots.acquire().await.map_err(|_| "the daemon ends".to_owned())?;
            ask(name).await
        };
        let answer = match tokio::time::timeout(DEADLINE, question).await {
            Ok(answer) => answer,
            Err(_) => Err("no answer in time".to_owned()),
        };
        let said = answer.and_then(|answer| read(&answer, uid, name));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match said {
            Ok(said) => {
                if kept.answers.len() >= CACHE_SIZE {
                    kept.answers.retain(|_, (at, _)| at.elapsed() < CACHED);
                }
                if kept.answers.len() < CACHE_SIZE {
                    kept.answers.insert((uid, name.to_owned()), (asked, said.clone()));
                }
                said
            }
            Err(why) => {
                kept.rests_since = Some(Instant::now());
                drop(kept);
                journal::warning(
                    "the user record cannot be read, whoever may have an address there counts as having one",
                    &[("user", name), ("error", &why)],
                );
                Said::Unknown
            }
        }
    }

    fn kept(&self, uid: u32, name: &str) -> Option<Said> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.answers.get(&(uid, name.to_owned())).filter(|(at, _)| at.elapsed() < CACHED);
        let rests = kept.rests_since.is_some_and(|since| since.elapsed() < REST);
        known.map(|(_, said)| said.clone()).or_else(|| rests.then_some(Said::Unknown))
    }
}

/// One question, and the answer without its NUL byte.
async fn ask(name: &str) -> Result<Vec<u8>, String> {
    let said = |e: std::io::Error| format!("{SOCKET}: {e}");
    let mut stream = UnixStream::connect(SOCKET).await.map_err(said)?;
    // systemd binds it; in anybody else's hands it could name any address.
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == 0 => {}
        Ok(peer) => return Err(format!("{SOCKET} is served by uid {}, not by root", peer.uid())),
        Err(e) => return Err(said(e)),
    }
    let question = serde_json::json!({
        "method": "io.systemd.UserDatabase.GetUserRecord",
        "parameters": { "userName": name, "service": "io.systemd.Multiplexer" },
    });
    let mut line = question.to_string().into_bytes();
    line.push(0);
    stream.write_all(&line).await.map_err(said)?;
    let mut answer = Vec::with_capacity(4096);
    let mut stream = stream.take(LONGEST);
    while !answer.contains(&0) {
        if stream.read_buf(&mut answer).await.map_err(said)? == 0 {
            return Err(format!("{SOCKET} gives no whole answer"));
        }
    }
    let end = answer.iter().position(|byte| *byte == 0).unwrap_or_default();
    answer.truncate(end);
    Ok(answer)
}

#[derive(Deserialize)]
struct Reply {
    error: Option<String>,
    #[serde(default)]
    continues: bool,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    record: Option<Record>,
}

/// The parts of a record that matter here. A key that stands there twice is no record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    user_name: String,
    uid: Option<u32>,
    email_address: Option<String>,
    service: Option<String>,
    storage: Option<String>,
    signature: Option<Vec<IgnoredAny>>,
    self_modifiable_fields: Option<Vec<String>>,
    status: Option<BTreeMap<String, Status>>,
}

#[derive(Deserialize)]
struct Status {
    service: Option<String>,
}

impl Record {
    /// Whether the person could have written it: records that systemd-homed manages live in the home and are
    /// signed, and `homectl update` changes the address with the password of the person alone.
    fn is_own(&self) -> bool {
        let homed = |service: &Option<String>| service.as_deref() == Some("io.systemd.Home");
        homed(&self.service)
            || self.status.iter().flatten().any(|(_, status)| homed(&status.service))
            || self.signature.as_ref().is_some_and(|signed| !signed.is_empty())
            || self.storage.as_deref().is_some_and(|storage| storage != "classic")
            || self.self_modifiable_fields.iter().flatten().any(|field| field == "emailAddress")
    }
}

/// What an answer about this person says.
fn read(answer: &[u8], uid: u32, name: &str) -> Result<Said, String> {
    let reply: Reply = serde_json::from_slice(answer).map_err(|e| format!("no record: {e}"))?;
    if let Some(error) = reply.error {
        return Err(error.chars().take(100).collect());
    }
    let record = reply.parameters.and_then(|parameters| parameters.record).filter(|_| !reply.continues);
    let record = record.ok_or("the answer holds no record")?;
    if record.user_name != name || record.uid != Some(uid) {
        return Err("the record is of another person".into());
    }
    let own = record.is_own();
    Ok(match record.email_address {
        Some(_) if own => Said::None,
        Some(address) if is_address(&address) => Said::Address(address),
        Some(_) => {
            journal::warning("the address in a user record is none", &[("user", name)]);
            Said::None
        }
        None => Said::None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(record: &str) -> Result<Said, String> {
        read(
            format!("{{\"parameters\":{{\"record\":{record},\"incomplete\":false}}}}").as_bytes(),
            1000,
            "alice",
        )
    }

    fn with(more: &str) -> String {
        format!("{{\"userName\":\"alice\",\"uid\":1000{more}}}")
    }

    const MAIL: &str = ",\"emailAddress\":\"a@example.org\"";

    #[test]
    fn an_address_counts_where_the_person_could_not_have_written_it() {
        let plain = Ok(Said::Address("a@example.org".into()));
        for (more, expected) in [
            (String::new(), Ok(Said::None)),
            (MAIL.into(), plain.clone()),
            (format!("{MAIL},\"service\":\"io.systemd.DropIn\",\"x\":{{\"y\":[1]}}"), plain.clone()),
            (format!("{MAIL},\"storage\":\"classic\",\"signature\":[],\"selfModifiableFields\":[]"), plain),
            (format!("{MAIL},\"service\":\"io.systemd.Home\""), Ok(Said::None)),
            (format!("{MAIL},\"status\":{{\"ab\":{{\"service\":\"io.systemd.Home\"}}}}"), Ok(Said::None)),
            (format!("{MAIL},\"signature\":[{{\"data\":\"x\"}}]"), Ok(Said::None)),
            (format!("{MAIL},\"storage\":\"luks\""), Ok(Said::None)),
            (format!("{MAIL},\"selfModifiableFields\":[\"emailAddress\"]"), Ok(Said::None)),
            (",\"emailAddress\":\"a@b\\r\\nBcc: c@d\"".into(), Ok(Said::None)),
        ] {
            assert_eq!(said(&with(&more)), expected, "{more}");
        }
    }

    #[test]
    fn what_is_no_clear_answer_is_unknown() {
        for record in [
            with(",\"uid\":1000"),
            with(&format!("{MAIL}{MAIL}")),
            with(",\"emailAddress\":7"),
            "{\"userName\":\"alice\"}".into(),
            "{\"userName\":\"alice\",\"uid\":1001,\"emailAddress\":\"a@example.org\"}".into(),
            "{\"userName\":\"bob\",\"uid\":1000,\"emailAddress\":\"a@example.org\"}".into(),
            "{\"userName\":\"alice\",\"uid\":-1}".into(),
            "null".into(),
            "[]".into(),
        ] {
            assert!(said(&record).is_err(), "{record}");
        }
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for answer in [
            "",
            "{}",
            "garbage",
            "{\"parameters\":{}}",
            "{\"error\":\"io.systemd.UserDatabase.NoRecordFound\",\"parameters\":{}}",
            "{\"error\":\"io.systemd.UserDatabase.ServiceNotAvailable\"}",
            &deep,
        ] {
            assert!(read(answer.as_bytes(), 1000, "alice").is_err());
        }
        let more = format!("{{\"continues\":true,\"parameters\":{{\"record\":{}}}}}", with(MAIL));
        assert!(read(more.as_bytes(), 1000, "alice").is_err());
    }
}
