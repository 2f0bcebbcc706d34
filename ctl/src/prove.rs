//! Showing a factor of one's own before something of one's own is changed.

use countersign_protocol::login::{LoginProxy, Verdict};
use countersign_protocol::manager::ManagerProxy;
use countersign_protocol::names::OWN_SERVICE;
use zbus::proxy::CacheProperties;
use zeroize::Zeroizing;

use crate::errors::{Exit, Failure};
use crate::terminal::{ask, complain, read_line, safe};
use crate::text;
use crate::whom::Whom;

/// Asks for a code and gives the proof that the daemon takes. Empty for somebody who has no factor to
/// show, and where somebody else is acted on: then it is not asked for.
pub(crate) async fn prove(manager: &ManagerProxy<'_>, whom: &Whom) -> Result<String, Failure> {
    if !whom.own {
        return Ok(String::new());
    }
    let connection = manager.inner().connection();
    let login = LoginProxy::builder(connection).cache_properties(CacheProperties::No).build().await?;
    match one(&login, &whom.user).await? {
        Shown::Proof(id) => Ok(id),
        Shown::NothingToShow => Ok(String::new()),
        Shown::Wrong => Err(Failure::new(Exit::NotAuthorized, text::not_proven(&safe(&whom.user)))),
    }
}

enum Shown {
    Proof(String),
    NothingToShow,
    Wrong,
}

/// One login: as many prompts as the daemon has questions.
async fn one(login: &LoginProxy<'_>, user: &str) -> Result<Shown, Failure> {
    let (id, mut verdict, mut messages, mut prompt) =
        login.begin(user, "", OWN_SERVICE, OWN_SERVICE, "", "", "unknown").await?;
    loop {
        for (_, message) in &messages {
            complain(&safe(message));
        }
        match Verdict::parse(&verdict) {
            Some(Verdict::Allow) => return Ok(Shown::Proof(id)),
            Some(Verdict::NotRequired) => return Ok(Shown::NothingToShow),
            Some(Verdict::Deny | Verdict::Locked) => return Ok(Shown::Wrong),
            Some(Verdict::Ask) => {}
            None => return Err(Failure::new(Exit::Unavailable, text::strange_answer(&safe(&verdict)))),
        }
        let question = prompt.first().map_or(text::PROOF_QUESTION, |(_, text)| text.as_str());
        let answer = typed(question)?;
        (_, verdict, messages, prompt) = login.respond(&id, answer.trim_ascii()).await?;
    }
}

/// One line that is no secret for long, asked for on standard error.
pub(crate) fn typed(question: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    ask(&safe(question));
    match read_line() {
        Ok(Some(line)) if !line.trim_ascii().is_empty() => Ok(line),
        Ok(_) => Err(Failure::failed(text::NOTHING_TYPED)),
        Err(error) => Err(Failure::failed(text::cannot_read(&safe(&error.to_string())))),
    }
}
