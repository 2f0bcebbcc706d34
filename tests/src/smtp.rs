//! A mail server that does as the test says, right or wrong.

use crate::certificates::Certificate;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// What the server does. The default is a good server without encryption or login.
#[derive(Clone, Default)]
pub struct Script {
    /// With it, TLS is possible.
    pub certificate: Option<Certificate>,
    /// TLS from the first byte.
    pub implicit: bool,
    /// Offer STARTTLS.
    pub starttls: bool,
    /// Said behind the "go ahead" of STARTTLS, in the same packet.
    pub slipped_in: &'static str,
    /// Start TLS with nothing to show and no way to agree.
    pub garbage_for_tls: bool,
    /// Login mechanisms that are offered.
    pub mechanisms: &'static str,
    /// Logins that are accepted, decoded from base64.
    pub logins: Vec<String>,
    /// Other replies than the usual one, by verb: `greeting`, `EHLO`, `MAIL`, `RCPT`, `DATA`, `.`.
    pub replies: BTreeMap<&'static str, String>,
    /// From this verb on, silence.
    pub silent_at: &'static str,
    /// At this verb, a line without an end.
    pub endless_at: &'static str,
    /// At this verb, a good reply, one byte a second.
    pub drip_at: &'static str,
    /// Milliseconds before each reply.
    pub slow_by: u64,
}

/// A letter that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    /// `MAIL FROM`, as written.
    pub from: String,
    /// `RCPT TO`, as written.
    pub to: String,
    /// Header and text, dots undone.
    pub text: String,
}

/// What the server heard.
#[derive(Debug, Default)]
pub struct Heard {
    /// Every line that came unencrypted.
    pub in_clear: Vec<String>,
    /// Every line that came encrypted.
    pub encrypted: Vec<String>,
    /// Letters taken.
    pub letters: Vec<Taken>,
    /// Connections accepted.
    pub connections: usize,
    /// Connections open now.
    pub open: usize,
    /// The most that were open at one time.
    pub most_open: usize,
}

/// A running server on the loopback. Its threads end with the test.
pub struct Smtp {
    port: u16,
    heard: Arc<Mutex<Heard>>,
    script: Arc<Mutex<Script>>,
}

impl Smtp {
    /// Starts one.
    ///
    /// # Panics
    /// Without a loopback.
    #[must_use]
    pub fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback");
        let port = listener.local_addr().expect("bound").port();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let script = Arc::new(Mutex::new(script));
        let (ears, plan) = (Arc::clone(&heard), Arc::clone(&script));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (ears, plan) = (Arc::clone(&ears), plan.lock().expect("not poisoned").clone());
                std::thread::spawn(move || {
                    {
                        let mut heard = ears.lock().expect("not poisoned");
                        heard.connections += 1;
                        heard.open += 1;
                        heard.most_open = heard.most_open.max(heard.open);
                    }
                    let _ = Talk::serve(stream, &plan, &ears);
                    ears.lock().expect("not poisoned").open -= 1;
                });
            }
        });
        Self { port, heard, script }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it heard so far.
    ///
    /// # Panics
    /// When one of its threads died.
    pub fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().expect("not poisoned")
    }

    /// Connections from now on follow another script.
    ///
    /// # Panics
    /// When one of its threads died.
    pub fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().expect("not poisoned"));
    }

    /// Waits for so many letters in all, up to ten seconds.
    ///
    /// # Panics
    /// When they do not come.
    #[must_use]
    pub fn wait_for(&self, letters: usize) -> Vec<Taken> {
        let until = std::time::Instant::now() + Duration::from_secs(10);
        loop {
            let taken = self.heard().letters.clone();
            if taken.len() >= letters {
                return taken;
            }
            assert!(std::time::Instant::now() < until, "{} of {letters} letters came", taken.len());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

enum Line {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

struct Talk<'a> {
    line: Option<Line>,
    script: &'a Script,
    heard: &'a Mutex<Heard>,
    from: String,
    to: String,
}

impl Talk<'_> {
    fn serve(stream: TcpStream, script: &Script, heard: &Mutex<Heard>) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut talk =
            Talk { line: Some(Line::Clear(stream)), script, heard, from: String::new(), to: String::new() };
        if script.implicit {
            talk.encrypt()?;
        }
        talk.reply("greeting", "220 mx.example.org ESMTP")?;
        while let Some(line) = talk.hear()? {
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => talk.ehlo()?,
                "STARTTLS" => {
                    let slipped = talk.script.slipped_in;
                    talk.say(&format!("220 go ahead\r\n{slipped}"))?;
                    talk.encrypt()?;
                }
                "AUTH" => talk.log_in(&line)?,
                "MAIL" => {
                    talk.from = line;
                    talk.reply("MAIL", "250 fine")?;
                }
                "RCPT" => {
                    talk.to = line;
                    talk.reply("RCPT", "250 fine")?;
                }
                "DATA" => {
                    talk.reply("DATA", "354 go on")?;
                    talk.letter()?;
                }
                "QUIT" => return talk.say("221 bye\r\n"),
                "RSET" | "NOOP" => talk.say("250 fine\r\n")?,
                _ => talk.say("500 what\r\n")?,
            }
        }
        Ok(())
    }

    fn ehlo(&mut self) -> io::Result<()> {
        let mut able = vec!["250-mx.example.org".to_owned(), "250-8BITMIME".to_owned()];
        if self.script.starttls && matches!(self.line, Some(Line::Clear(_))) {
            able.push("250-STARTTLS".to_owned());
        }
        if !self.script.mechanisms.is_empty() {
            able.push(format!("250-AUTH {}", self.script.mechanisms));
        }
        able.push("250 SIZE 1000000".to_owned());
        self.reply("EHLO", &able.join("\r\n"))
    }

    fn log_in(&mut self, line: &str) -> io::Result<()> {
        let given = decode(line.rsplit(' ').next().unwrap_or_default());
        if self.script.logins.contains(&given) {
            return self.say("235 welcome\r\n");
        }
        if line.contains("XOAUTH2") {
            // As the large providers do it: the refusal is a challenge, answered by an empty line.
            self.say("334 eyJzdGF0dXMiOiI0MDAifQ==\r\n")?;
            let _ = self.hear()?;
        }
        // A rude server repeats what it was told.
        self.say(&format!("535 5.7.8 no: {line} {given}\r\n"))
    }

    fn letter(&mut self) -> io::Result<()> {
        let mut text = String::new();
        while let Some(line) = self.hear()? {
            if line == "." {
                let taken = Taken { from: self.from.clone(), to: self.to.clone(), text };
                let refused = self.script.replies.get(".").is_some_and(|reply| !reply.starts_with('2'));
                if !refused && self.script.silent_at != "." {
                    self.heard.lock().expect("not poisoned").letters.push(taken);
                }
                return self.reply(".", "250 2.0.0 queued as 1234");
            }
            text.push_str(line.strip_prefix('.').unwrap_or(&line));
            text.push('\n');
        }
        Ok(())
    }

    fn reply(&mut self, verb: &str, usual: &str) -> io::Result<()> {
        std::thread::sleep(Duration::from_millis(self.script.slow_by));
        let text = self.script.replies.get(verb).cloned().unwrap_or_else(|| usual.to_owned());
        if self.script.silent_at == verb {
            std::thread::sleep(Duration::from_secs(120));
        }
        if self.script.endless_at == verb {
            loop {
                self.say(&"250-".repeat(4096))?;
            }
        }
        if self.script.drip_at == verb {
            for byte in format!("{text}\r\n").chars() {
                self.say(&byte.to_string())?;
                std::thread::sleep(Duration::from_secs(1));
            }
            return Ok(());
        }
        self.say(&format!("{text}\r\n"))
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        let line: &mut dyn Write = match self.line.as_mut() {
            Some(Line::Clear(stream)) => stream,
            Some(Line::Tls(stream)) => stream.as_mut(),
            None => return Err(io::ErrorKind::NotConnected.into()),
        };
        line.write_all(text.as_bytes())?;
        line.flush()
    }

    /// One line without its end; byte by byte, since what follows may be a handshake.
    fn hear(&mut self) -> io::Result<Option<String>> {
        let mut bytes = Vec::new();
        let encrypted = matches!(self.line, Some(Line::Tls(_)));
        loop {
            let mut byte = [0];
            let line: &mut dyn Read = match self.line.as_mut() {
                Some(Line::Clear(stream)) => stream,
                Some(Line::Tls(stream)) => stream.as_mut(),
                None => return Ok(None),
            };
            if line.read(&mut byte)? == 0 {
                return Ok(None);
            }
            bytes.push(byte[0]);
            if bytes.ends_with(b"\r\n") {
                break;
            }
        }
        let line = String::from_utf8_lossy(&bytes).trim_end_matches("\r\n").to_owned();
        let mut heard = self.heard.lock().expect("not poisoned");
        if encrypted {
            heard.encrypted.push(line.clone());
        } else {
            heard.in_clear.push(line.clone());
        }
        Ok(Some(line))
    }

    fn encrypt(&mut self) -> io::Result<()> {
        if self.script.garbage_for_tls {
            return self.say("250 this is no handshake\r\n");
        }
        let Some(Line::Clear(stream)) = self.line.take() else { return Ok(()) };
        let config = Arc::new(server_config(self.script.certificate.as_ref())?);
        let connection = ServerConnection::new(config).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        self.line = Some(Line::Tls(Box::new(stream)));
        Ok(())
    }
}

fn server_config(certificate: Option<&Certificate>) -> io::Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth();
    let Some(certificate) = certificate else {
        return Ok(builder.with_cert_resolver(Arc::new(Nothing)));
    };
    let chain = CertificateDer::pem_file_iter(&certificate.chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(&certificate.key).map_err(io::Error::other)?;
    builder.with_single_cert(chain, key).map_err(io::Error::other)
}

/// Has no certificate to show.
#[derive(Debug)]
struct Nothing;

impl rustls::server::ResolvesServerCert for Nothing {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<rustls::sign::CertifiedKey>> {
        None
    }
}

/// Base64 (RFC 4648) of what fits the mechanisms; anything else decodes to nothing.
#[must_use]
pub fn decode(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut held, mut out) = (0_u32, 0_u32, Vec::new());
    for byte in text.trim_end_matches('=').bytes() {
        let Some(value) = ALPHABET.iter().position(|a| *a == byte) else { return String::new() };
        bits = bits << 6 | u32::try_from(value).expect("below 64");
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from(bits >> held & 0xff).expect("a byte"));
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
