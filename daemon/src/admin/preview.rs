//! What letters look like, before anybody gets one.

use crate::error::Error;
use crate::host::Host;
use crate::mail::{self, Facts};
use crate::store::{Noted, Placed, Told};
use countersign_config::{Config, Factor, Letter, Policy, Template};
use countersign_protocol::manager::Preview;

/// A letter of this kind (`code` or `notice`) with sample values, as it is sent under a policy. Without a
/// name that is the first that sends codes. It is made of what is in force and of the template on disk.
///
/// # Errors
/// `NotFound` for an unknown policy, `InvalidArgument` for an unknown kind and, with file, line and
/// column, for a template that cannot be used.
pub fn preview_email(host: &Host, policy: &str, letter: &str) -> Result<Preview, Error> {
    let kind = Letter::parse(letter).ok_or_else(|| {
        Error::InvalidArgument("there are two kinds of letters: \"code\" and \"notice\"".into())
    })?;
    let force = host.in_force();
    let config = &force.config;
    let by = chosen(config, policy)?;
    let name = by.and_then(|policy| policy.template.as_deref()).filter(|_| kind == Letter::Code);
    let bad = |problem: countersign_config::Problem| Error::InvalidArgument(problem.to_string());
    let template = Template::read(kind, name).map_err(bad)?;
    template.check(config.email.code_in_subject).map_err(bad)?;
    let rendered = match kind {
        Letter::Code => mail::own_code(config, &template, &sample_code(config, host)?),
        Letter::Notice => mail::own_notice(config, &template, "alice", &sample_notices(host)?),
    };
    let rendered = rendered.map_err(bad)?;
    let named = by.and_then(|policy| policy.mailbox.as_deref());
    let mailbox = config.mailboxes.iter().find(|mailbox| named.is_none_or(|named| named == mailbox.name));
    Ok(Preview {
        policy: by.map(|policy| policy.name.clone()).unwrap_or_default(),
        file: template.file().to_owned(),
        mailbox: mailbox.map(|mailbox| mailbox.name.clone()).unwrap_or_default(),
        from: mailbox.map(|mailbox| header(&mailbox.from)).unwrap_or_default(),
        subject: rendered.subject,
        text: rendered.text.as_str().to_owned(),
    })
}

fn chosen<'c>(config: &'c Config, name: &str) -> Result<Option<&'c Policy>, Error> {
    if name.is_empty() {
        return Ok(config.policies.iter().find(|policy| policy.factors.contains(&Factor::Email)));
    }
    let found = config.policies.iter().find(|policy| policy.name == name);
    found.map(Some).ok_or_else(|| Error::NotFound("no policy in force has that name".into()))
}

fn header(from: &countersign_config::Address) -> String {
    match &from.name {
        Some(name) => format!("{name} <{}>", from.address),
        None => from.address.clone(),
    }
}

fn sample_code<'c>(config: &'c Config, host: &Host) -> Result<Facts<'c>, Error> {
    let minutes = config.email.valid_for.as_secs() / 60;
    Ok(Facts {
        issuer: &config.issuer,
        user: "alice",
        service: "sshd",
        source: "192.0.2.7",
        at: host.clock.now()?.wall,
        minutes: i64::try_from(minutes).unwrap_or_default(),
        help: config.help.as_deref(),
        code: "1234567890".get(..usize::from(config.email.length)).unwrap_or("12345678"),
    })
}

fn sample_notices(host: &Host) -> Result<Told, Error> {
    let at = mail::utc(host.clock.now()?.wall);
    let placed = |kind: &str, detail: &str, times, service: &str, source: &str| Placed {
        noted: Noted { at: at.clone(), kind: kind.into(), detail: detail.into(), times },
        service: service.into(),
        source: source.into(),
    };
    Ok(Told {
        notices: vec![
            placed("enrolled", "phone", 1, "countersignctl", "local"),
            placed("locked", "sshd 192.0.2.7", 2, "sshd", "192.0.2.7"),
        ],
        ..Told::default()
    })
}
