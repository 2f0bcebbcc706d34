//! The few lines in clear before STARTTLS (RFC 3207): greeting, EHLO, STARTTLS, and nothing else.
//!
//! Nothing of a letter, a name or a secret is said here. A server that says more than it was asked
//! for is left: what somebody slips in behind "220 go ahead" would count as said under encryption
//! (CVE-2011-0411).

use super::bounded::Bounded;
use super::dialogue::{Dialogue, Failure, Stage};
use countersign_protocol::mailer::Outcome;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The longest reply in clear, in bytes: a line for each of a server's abilities.
const LONGEST_REPLY: usize = 8 * 1024;

/// Brings a connection to where the TLS handshake begins; gives the greeting, for lettre to hear.
pub(super) async fn ask(
    stream: &mut Bounded,
    helo: &str,
    dialogue: &mut Dialogue,
) -> Result<Vec<u8>, Failure> {
    dialogue.at(Stage::Greeting);
    let greeting = reply(stream).await?.expect("220")?;
    let abilities = command(stream, &format!("EHLO {helo}\r\n")).await?.expect("250")?;
    dialogue.passed(&greeting.text());
    dialogue.at(Stage::Tls);
    if !abilities.lines().any(|line| line.trim().eq_ignore_ascii_case("starttls")) {
        return Err(Failure::later("no-starttls", abilities.text()));
    }
    command(stream, "STARTTLS\r\n").await?.expect("220")?;
    Ok(greeting.0)
}

async fn command(stream: &mut Bounded, line: &str) -> Result<Reply, Failure> {
    stream.write_all(line.as_bytes()).await.map_err(|e| broken(&e))?;
    reply(stream).await
}

/// A whole reply, with its line ends.
struct Reply(Vec<u8>);

impl Reply {
    /// The texts after the codes.
    fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.split(|b| *b == b'\n').filter_map(|l| std::str::from_utf8(l.get(4..)?).ok())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    fn expect(self, code: &str) -> Result<Self, Failure> {
        if self.0.starts_with(code.as_bytes()) {
            return Ok(self);
        }
        Err(Failure { outcome: Outcome::Later, cause: "rejected", said: self.text() })
    }
}

/// Reads one reply: lines `ddd-text` and a last one `ddd text` (RFC 5321, 4.2).
async fn reply(stream: &mut Bounded) -> Result<Reply, Failure> {
    let mut said = Vec::new();
    loop {
        let mut chunk = [0_u8; 1024];
        let read = stream.read(&mut chunk).await.map_err(|e| broken(&e))?;
        if read == 0 {
            return Err(Failure::later("hung-up", ""));
        }
        said.extend_from_slice(chunk.get(..read).unwrap_or_default());
        if said.len() > LONGEST_REPLY {
            return Err(Failure::later("says-too-much", ""));
        }
        if let Some(end) = end_of_reply(&said)? {
            if end < said.len() {
                return Err(Failure::later("out-of-turn", ""));
            }
            return Ok(Reply(said));
        }
    }
}

/// Where the reply ends, once it does.
fn end_of_reply(said: &[u8]) -> Result<Option<usize>, Failure> {
    let mut at = 0;
    while let Some(length) = said.get(at..).and_then(|rest| rest.iter().position(|b| *b == b'\n')) {
        let line = said.get(at..at + length).unwrap_or_default();
        at += length + 1;
        let code_is_digits = line.len() >= 3 && line.iter().take(3).all(u8::is_ascii_digit);
        match line.get(3) {
            _ if !code_is_digits => return Err(Failure::later("garbled", String::from_utf8_lossy(line))),
            Some(b'-') => {}
            Some(b' ' | b'\r') | None => return Ok(Some(at)),
            Some(_) => return Err(Failure::later("garbled", String::from_utf8_lossy(line))),
        }
    }
    Ok(None)
}

/// What is wrong with a connection that broke.
pub(super) fn broken(e: &std::io::Error) -> Failure {
    match e.kind() {
        std::io::ErrorKind::FileTooLarge => Failure::later("says-too-much", ""),
        std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset => {
            Failure::later("hung-up", e.to_string())
        }
        _ => Failure::later("broken", e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_end_where_rfc_5321_says() {
        for (said, end) in [
            ("220 mx\r\n", Some(8)),
            ("220 mx", None),
            ("250-a\r\n250-b\r\n", None),
            ("250-a\r\n250 b\r\n", Some(14)),
            ("250\r\n", Some(5)),
            ("220 go ahead\r\n250 slipped in\r\n", Some(14)),
            ("", None),
        ] {
            assert_eq!(end_of_reply(said.as_bytes()).ok(), Some(end), "{said:?}");
        }
        for said in ["hello\r\n", "22\r\n", "2200 x\r\n", "\r\n", "SSH-2.0-x\r\n"] {
            assert_eq!(end_of_reply(said.as_bytes()).err().map(|f| f.cause), Some("garbled"), "{said:?}");
        }
    }
}
