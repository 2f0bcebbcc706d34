//! One letter over one connection, stage by stage.

use super::bounded::Bounded;
use super::dialogue::{Dialogue, Failure, Stage};
use super::letter::{self, Letter};
use super::secret::Secrets;
use super::starttls;
use super::stream::{Line, Stream};
use super::tls::Encryption;
use countersign_config::{MailLogin, Mailbox, Tls};
use countersign_protocol::mailer::Outcome;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use std::error::Error as _;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use zeroize::Zeroizing;

/// How long the server is given to say goodbye, which nobody waits for.
const GOODBYE: Duration = Duration::from_secs(2);
/// How long one of several addresses may take before the next one is tried.
const ONE_ADDRESS: Duration = Duration::from_secs(4);

/// Sends a letter. How far it came is in `dialogue`, also when this is dropped half way.
///
/// # Errors
/// With why it did not come further.
pub(super) async fn send(
    mailbox: &Mailbox,
    secrets: &Secrets,
    encryption: &Encryption,
    letter: &Letter,
    dialogue: &mut Dialogue,
) -> Result<(), Failure> {
    let helo = helo(mailbox);
    let mut secret = secret(mailbox, secrets, dialogue)?;
    let mut connection = connect(mailbox, &helo, encryption, dialogue).await?;
    if let Err(refused) = log_in(&mut connection, mailbox, &secret, dialogue).await {
        part(connection);
        // A token that has just been renewed is worth a second connection; the same one is not.
        let renewed = match mailbox.login {
            MailLogin::XOAuth2 { .. } => Some(secrets.read(&mailbox.name)?).filter(|new| *new != secret),
            MailLogin::Password { .. } | MailLogin::None => None,
        };
        let Some(renewed) = renewed else { return Err(refused) };
        secret = renewed;
        connection = connect(mailbox, &helo, encryption, dialogue).await?;
        log_in(&mut connection, mailbox, &secret, dialogue).await?;
    }
    drop(secret);
    let delivered = deliver(&mut connection, mailbox, letter, dialogue).await;
    part(connection);
    delivered
}

/// The secret, or an empty one where none is needed. Asked for before anything is said to a server.
fn secret(
    mailbox: &Mailbox,
    secrets: &Secrets,
    dialogue: &mut Dialogue,
) -> Result<Zeroizing<String>, Failure> {
    if mailbox.login == MailLogin::None {
        return Ok(Zeroizing::new(String::new()));
    }
    dialogue.at(Stage::Secret);
    if mailbox.tls == Tls::None {
        return Err(Failure::later("login-in-clear", ""));
    }
    let secret = secrets.read(&mailbox.name)?;
    dialogue.passed("");
    Ok(secret)
}

/// Opens a connection, encrypted or to this very host, on which the server has greeted us.
async fn connect(
    mailbox: &Mailbox,
    helo: &str,
    encryption: &Encryption,
    dialogue: &mut Dialogue,
) -> Result<AsyncSmtpConnection, Failure> {
    let (socket, peer) = dial(mailbox, dialogue).await?;
    let mut bounded = Bounded::new(socket);
    let ca_file = mailbox.ca_file.as_deref();
    let (line, greeting) = match mailbox.tls {
        Tls::None => (Line::Plain(bounded), Vec::new()),
        Tls::Implicit => {
            dialogue.at(Stage::Tls);
            let stream = encryption.begin(bounded, &mailbox.host, ca_file).await?;
            dialogue.passed("");
            (Line::Tls(Box::new(stream)), Vec::new())
        }
        Tls::StartTls => {
            let greeting = starttls::ask(&mut bounded, helo, dialogue).await?;
            let stream = encryption.begin(bounded, &mailbox.host, ca_file).await?;
            dialogue.passed("");
            (Line::Tls(Box::new(stream)), greeting)
        }
    };
    dialogue.at(Stage::Greeting);
    let stream = Box::new(Stream::new(line, peer, greeting));
    let connection = AsyncSmtpConnection::connect_with_transport(stream, &ClientId::Domain(helo.to_owned()))
        .await
        .map_err(|e| explain(&e))?;
    dialogue.passed(connection.server_info().name());
    Ok(connection)
}

async fn dial(mailbox: &Mailbox, dialogue: &mut Dialogue) -> Result<(TcpStream, SocketAddr), Failure> {
    dialogue.at(Stage::Resolve);
    let found = tokio::net::lookup_host((mailbox.host.as_str(), mailbox.port)).await;
    let mut addresses: Vec<SocketAddr> =
        found.map_err(|e| Failure::later("unknown-host", e.to_string()))?.collect();
    if mailbox.tls == Tls::None {
        addresses.retain(|address| address.ip().is_loopback());
        if addresses.is_empty() {
            return Err(Failure::later("not-loopback", mailbox.host.clone()));
        }
    }
    dialogue.passed(&addresses.iter().map(|a| a.ip().to_string()).collect::<Vec<_>>().join(" "));
    dialogue.at(Stage::Connect);
    let mut failure = Failure::later("unknown-host", "no address");
    for address in addresses.into_iter().take(4) {
        match tokio::time::timeout(ONE_ADDRESS, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => {
                // A letter is a few small writes: each is wanted at once.
                let _ = socket.set_nodelay(true);
                dialogue.passed(&address.to_string());
                return Ok((socket, address));
            }
            Ok(Err(e)) => failure = Failure::later("no-connection", format!("{address}: {e}")),
            Err(_) => failure = Failure::later("timeout", address.to_string()),
        }
    }
    Err(failure)
}

async fn log_in(
    connection: &mut AsyncSmtpConnection,
    mailbox: &Mailbox,
    secret: &Zeroizing<String>,
    dialogue: &mut Dialogue,
) -> Result<(), Failure> {
    let (user, mechanisms): (_, &[Mechanism]) = match &mailbox.login {
        MailLogin::None => return Ok(()),
        MailLogin::Password { user } => (user, &[Mechanism::Plain, Mechanism::Login]),
        MailLogin::XOAuth2 { user } => (user, &[Mechanism::Xoauth2]),
    };
    dialogue.at(Stage::Login);
    if !mechanisms.iter().any(|m| connection.server_info().supports_auth_mechanism(*m)) {
        return Err(Failure::later("no-mechanism", connection.server_info().to_string()));
    }
    let credentials = Credentials::new(user.clone(), secret.as_str().to_owned());
    match connection.auth(mechanisms, &credentials).await {
        Ok(response) if response.has_code(235) => {
            dialogue.passed("");
            Ok(())
        }
        Ok(response) => Err(Failure::later("rejected", shown(&response))),
        // A refused token comes as a challenge, which an empty line answers to hear the refusal.
        Err(e) if e.is_client() => match connection.command("\r\n").await {
            Ok(response) => Err(Failure::later("rejected", shown(&response))),
            Err(e) => Err(Failure { outcome: Outcome::Later, ..explain(&e) }),
        },
        // Whatever is wrong with the account can be mended: the letter may go later.
        Err(e) => Err(Failure { outcome: Outcome::Later, ..explain(&e) }),
    }
}

async fn deliver(
    connection: &mut AsyncSmtpConnection,
    mailbox: &Mailbox,
    letter: &Letter,
    dialogue: &mut Dialogue,
) -> Result<(), Failure> {
    let wire = Zeroizing::new(letter.render(mailbox)?);
    dialogue.at(Stage::Sender);
    let sender = Mail::new(Some(letter::address(&mailbox.from.address)?), vec![]);
    let said = connection.command(sender).await.map_err(|e| explain(&e))?;
    dialogue.passed(&shown(&said));
    dialogue.at(Stage::Recipient);
    let said = connection.command(Rcpt::new(letter.to().clone(), vec![])).await.map_err(|e| explain(&e))?;
    dialogue.passed(&shown(&said));
    dialogue.at(Stage::Message);
    connection.command(Data).await.map_err(|e| explain(&e))?;
    dialogue.handed_over = true;
    let said = match connection.message(&wire).await {
        Ok(said) => said,
        Err(e) => {
            let answered = e.status().is_some();
            let failure = explain(&e);
            let outcome = if answered { failure.outcome } else { Outcome::Unknown };
            return Err(Failure { outcome, ..failure });
        }
    };
    dialogue.passed(&shown(&said));
    Ok(())
}

/// Says goodbye without anybody waiting for it.
fn part(mut connection: AsyncSmtpConnection) {
    tokio::spawn(async move {
        let _ = tokio::time::timeout(GOODBYE, connection.quit()).await;
    });
}

fn shown(response: &Response) -> String {
    format!("{} {}", response.code(), response.message().collect::<Vec<_>>().join(" "))
}

/// What a failure in the protocol means.
fn explain(e: &SmtpError) -> Failure {
    let said = match (e.status(), e.source()) {
        (Some(code), Some(text)) => format!("{code} {text}"),
        (Some(code), None) => code.to_string(),
        (None, Some(text)) => text.to_string(),
        (None, None) => e.to_string(),
    };
    if e.is_permanent() {
        return Failure { outcome: Outcome::Refused, cause: "rejected", said };
    }
    if e.is_transient() {
        return Failure::later("rejected", said);
    }
    if let Some(io) = e.source().and_then(|s| s.downcast_ref::<std::io::Error>()) {
        return starttls::broken(io);
    }
    Failure::later("garbled", said)
}

/// What we call ourselves: as configured, else the host's name, else the one that means this host.
fn helo(mailbox: &Mailbox) -> String {
    let named = mailbox.helo.clone().or_else(|| nix::unistd::gethostname().ok()?.into_string().ok());
    let plain = |name: &String| {
        !name.is_empty()
            && name.len() <= 253
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
    };
    named.filter(plain).unwrap_or_else(|| "localhost".into())
}
