//! `[email]` and `[mailbox.NAME]`.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::policy::Block;
use super::tables::open;
use super::values::{Empty, Numbers, acceptable, choice, choices, flag, length, number, parsed};
use crate::address::{self, Address, is_host_name};
use crate::place::Spot;
use crate::problem::Report;
use crate::raw::{Key, RawEmail, RawMailbox};
use crate::suggest::{listed, nearest};
use crate::words::{Kind, is_unprintable};
use crate::{AddressSource, Email, Factor, MailLogin, Mailbox, Tls};

const ADDRESSES: &[(&str, AddressSource)] =
    &[("set", AddressSource::Set), ("pattern", AddressSource::Pattern), ("record", AddressSource::Record)];
const TLS: &[(&str, Tls)] = &[("implicit", Tls::Implicit), ("starttls", Tls::StartTls), ("none", Tls::None)];

/// NIST SP 800-63B bounds such a code to ten minutes; in less than one no mail arrives.
const VALID_FOR: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(10 * 60);
const RESEND_AFTER: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(5 * 60);

pub(super) fn email(raw: Key<RawEmail>, problems: &mut Report<'_>) -> Option<Email> {
    open(raw, |raw| {
        let default = Email::default();
        let nobody = Empty { does: "nobody could be sent a code", absent: "\"set\" and \"pattern\"" };
        let resend_at = raw.resend_after.spot();
        let digits = number(raw.length, "email.length", Numbers::From(6..=10), default.length, problems);
        let valid_for = length(raw.valid_for, "email.valid_for", &VALID_FOR, default.valid_for, problems);
        let (key, given) = ("email.resend_after", raw.resend_after);
        let resend_after = length(given, key, &RESEND_AFTER, default.resend_after, problems);
        let addresses = choices(raw.addresses, "email.addresses", ADDRESSES, nobody, problems);
        let (key, given) = ("email.most_per_hour", raw.most_per_hour);
        let most_per_hour = number(given, key, Numbers::From(10..=100_000), default.most_per_hour, problems);
        let (valid_for, resend_after) = (valid_for?, resend_after?);
        if let Some(spot) = resend_at
            && resend_after >= valid_for
        {
            let wrong = "is no shorter than valid_for, so a code would be over before the next one";
            problems.at(spot, "email.resend_after", wrong, "write less than valid_for");
            return None;
        }
        Some(Email {
            length: digits?,
            valid_for,
            resend_after,
            addresses: addresses?.unwrap_or(default.addresses),
            most_per_hour: most_per_hour?,
            code_in_subject: flag(raw.code_in_subject, default.code_in_subject)?,
        })
    })
}

/// Each one that is there; `None` when something is wrong with one.
pub(super) fn mailboxes(raw: Vec<RawMailbox>, problems: &mut Report<'_>) -> Option<Vec<Mailbox>> {
    let checked: Vec<Option<Mailbox>> = raw.into_iter().map(|raw| mailbox(raw, problems)).collect();
    checked.into_iter().collect()
}

/// Gives each policy that lists e-mail its mailbox; `None` when one cannot have any, or nobody under
/// it an address.
pub(super) fn assign(
    blocks: &mut [Block],
    email: &Email,
    mailboxes: &[Mailbox],
    problems: &mut Report<'_>,
) -> Option<()> {
    let names: Vec<&str> = mailboxes.iter().map(|one| one.name.as_str()).collect();
    let mut sound = true;
    for block in blocks {
        let policy = &mut block.policy;
        let sends = policy.factors.contains(&Factor::Email);
        if let (Some(name), Some(spot)) = (&policy.mailbox, block.mailbox)
            && !names.contains(&name.as_str())
        {
            let right = match nearest(name, &names) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("write a line [mailbox.{name}], and its keys below it"),
            };
            problems.at(spot, "policy.mailbox", format!("\"{name}\" is none of the mailboxes"), right);
            sound = false;
        }
        if sends && policy.mailbox.is_none() {
            if let [only] = mailboxes {
                policy.mailbox = Some(only.name.clone());
            } else {
                let (wrong, right) = match &names[..] {
                    [] => (
                        "lists \"email\", and there is no mailbox that could send a code",
                        "write a line [mailbox.NAME], and its keys below it".to_owned(),
                    ),
                    some => (
                        "lists \"email\", and it is not said which mailbox sends the codes",
                        format!("write mailbox = \"...\" with {}", listed(some)),
                    ),
                };
                problems.at(block.factors.unwrap_or(block.header), "policy.factors", wrong, right);
                sound = false;
            }
        }
        let by_pattern = email.addresses.contains(&AddressSource::Pattern);
        if let Some(spot) = block.address.filter(|_| !by_pattern) {
            let wrong = "is never used: email.addresses does not list \"pattern\"";
            problems.at(spot, "policy.address", wrong, "list it there, or leave address out");
            sound = false;
        }
        if sends && policy.address.is_none() && email.addresses == [AddressSource::Pattern] {
            let wrong =
                "lists \"email\", and nobody could have an address: email.addresses lists only \"pattern\"";
            let right = "write address = \"{user}@example.org\", or list \"set\" there";
            problems.at(block.factors.unwrap_or(block.header), "policy.factors", wrong, right);
            sound = false;
        }
    }
    sound.then_some(())
}

fn mailbox(raw: RawMailbox, problems: &mut Report<'_>) -> Option<Mailbox> {
    let (name, spot) = (raw.name.value, raw.name.spot);
    let key = |key: &str| format!("mailbox.{name}.{key}");
    let sound = acceptable(&name, spot, &format!("mailbox.{name}"), Kind::FileName, problems);
    let (tls_at, login_at, user_at, ca_at) =
        (raw.tls.spot(), raw.login.spot(), raw.user.spot(), raw.ca_file.spot());
    let server =
        required(parsed(raw.server, &key("server"), server, problems), spot, &key("server"), problems);
    let tls = choice(raw.tls, &key("tls"), TLS, Tls::Implicit, problems);
    let from =
        required(parsed(raw.from, &key("from"), address::parse, problems), spot, &key("from"), problems);
    let reply_to = parsed(raw.reply_to, &key("reply_to"), address::parse, problems);
    let helo = parsed(raw.helo, &key("helo"), helo, problems);
    let ca_file = parsed(raw.ca_file, &key("ca_file"), absolute, problems);
    let user = parsed(raw.user, &key("user"), user_name, problems);
    let login = login(raw.login, user, from.as_ref(), (&name, user_at), problems);
    let ((host, port), tls, login) = (server?, tls?, login?);
    let mut sound = sound;
    if tls == Tls::None {
        if !is_loopback(&host) {
            let wrong = "would send codes in clear over a network";
            let right = "write \"starttls\" or \"implicit\"; \"none\" is for a server on this host";
            problems.at(tls_at.unwrap_or(spot), key("tls"), wrong, right);
            sound = false;
        }
        if login != MailLogin::None {
            let wrong = "would be sent without TLS";
            let right = "write login = \"none\", or another tls";
            problems.at(login_at.or(tls_at).unwrap_or(spot), key("login"), wrong, right);
            sound = false;
        }
        if let Some(at) = ca_at {
            problems.at(at, key("ca_file"), "is never looked at with tls = \"none\"", "leave it out");
            sound = false;
        }
    }
    let port = port.unwrap_or(match tls {
        Tls::Implicit => 465,
        Tls::StartTls => 587,
        Tls::None => 25,
    });
    let (from, reply_to, helo, ca_file) = (from?, reply_to?, helo?, ca_file?);
    sound.then_some(Mailbox { name, host, port, tls, from, reply_to, helo, login, ca_file })
}

/// A key that must be there.
fn required<T>(value: Option<Option<T>>, header: Spot, key: &str, problems: &mut Report<'_>) -> Option<T> {
    let value = value?;
    if value.is_none() {
        let short = key.rsplit('.').next().unwrap_or(key);
        problems.at(header, key, "is missing", format!("write {short} = \"...\""));
    }
    value
}

/// How the mailer logs in: `user` is the sender's address where nothing is said.
fn login(
    raw: Key<String>,
    user: Option<Option<String>>,
    from: Option<&Address>,
    (name, user_at): (&str, Option<Spot>),
    problems: &mut Report<'_>,
) -> Option<MailLogin> {
    const LOGIN: &[(&str, u8)] = &[("password", 0), ("xoauth2", 1), ("none", 2)];
    let kind = choice(raw, &format!("mailbox.{name}.login"), LOGIN, 0, problems)?;
    if let (2, Some(spot)) = (kind, user_at) {
        let key = format!("mailbox.{name}.user");
        problems.at(spot, key, "is never used with login = \"none\"", "leave it out, or log in");
        return None;
    }
    let user = user?.or_else(|| from.map(|from| from.address.clone()));
    match kind {
        0 => Some(MailLogin::Password { user: user? }),
        1 => Some(MailLogin::XOAuth2 { user: user? }),
        _ => Some(MailLogin::None),
    }
}

/// `HOST` or `HOST:PORT`. What is wrong is not shown: people put secrets into such texts.
fn server(text: &str) -> Result<(String, Option<u16>), (String, String)> {
    let form = || {
        let wrong = "is not the name or the address of a server";
        Err((wrong.to_owned(), "write \"mail.example.org\" or \"mail.example.org:587\"".to_owned()))
    };
    if text.parse::<Ipv6Addr>().is_ok() {
        let wrong = "is an IPv6 address, whose colons read like a port";
        return Err((wrong.to_owned(), format!("write \"[{text}]\", or \"[{text}]:587\"")));
    }
    let (host, port) = match text.strip_prefix('[').map(|text| text.split_once(']')) {
        Some(Some((host, rest))) if host.parse::<Ipv6Addr>().is_ok() => match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return form(),
        },
        Some(_) => return form(),
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    if !is_host_name(host) && host.parse::<IpAddr>().is_err() {
        return form();
    }
    let port = match port {
        None => None,
        Some(digits) => match digits.parse() {
            Ok(port) if port > 0 && digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(port),
            _ => {
                let wrong = "has a port that is none";
                return Err((wrong.to_owned(), "write 1 to 65535 behind the colon".to_owned()));
            }
        },
    };
    Ok((host.to_owned(), port))
}

fn helo(text: &str) -> Result<String, (String, String)> {
    if is_host_name(text) {
        return Ok(text.to_owned());
    }
    Err((
        "is no host name".to_owned(),
        "write a name such as \"host.example.org\", or leave it out".to_owned(),
    ))
}

fn absolute(text: &str) -> Result<PathBuf, (String, String)> {
    let path = PathBuf::from(text);
    if path.is_absolute() && !text.contains(char::is_control) {
        return Ok(path);
    }
    Err(("is no absolute path".to_owned(), "write it from the / on".to_owned()))
}

/// What the server knows the mailer by.
fn user_name(text: &str) -> Result<String, (String, String)> {
    if !text.is_empty() && text.len() <= 255 && !text.contains(is_unprintable) {
        return Ok(text.to_owned());
    }
    Err(("is no user name".to_owned(), "write 1 to 255 visible characters".to_owned()))
}

/// Whether a server is on this host, by its address or by the one name that always is.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
