//! The account phase: `Confirm` what we verified, `Check` what sshd let past the auth phase.

use countersign_protocol::login::Verdict;

use crate::{
    auth,
    bus::{Client, Failure},
    claims::{Claims, Items},
    ffi::process,
    log::Log,
    login::{Message, Person},
    options::Options,
    outcome::Outcome,
    record::Record,
};

/// What a person reads when an ssh login that never entered the auth phase is denied. The account
/// phase cannot ask anything, so the sentence says where a code can be typed.
const CHECK_DENIED: &str = "This login needs a verification code, and this way in cannot ask for one.\n\
     Log in by keyboard-interactive, or ask your administrator.";
/// What a person reads when a verified login is not confirmed.
const CONFIRM_DENIED: &str = "This login could not be confirmed. Please log in again.";

/// Says whether the account may be used, and by what evidence.
pub(crate) fn manage(
    person: &mut dyn Person,
    record: Option<&Record>,
    items: &Items,
    options: &Options,
    log: &Log,
) -> Outcome {
    match record {
        Some(record) => after_auth(person, record, items, options, log),
        None if items.ssh_auth_info.is_some() => without_auth(person, items, options, log),
        None => {
            log.debug("no auth phase of ours and no ssh login: nothing to say");
            Outcome::AccountNotOurs
        }
    }
}

fn after_auth(
    person: &mut dyn Person,
    record: &Record,
    items: &Items,
    options: &Options,
    log: &Log,
) -> Outcome {
    if record.user != items.user || record.service != items.service {
        log.warning("denied: the user or the service is not the one that was authenticated");
        return deny(person, CONFIRM_DENIED);
    }
    match record.outcome {
        Outcome::Verified(_) | Outcome::NotRequired | Outcome::NotRequiredAfterKey => {}
        Outcome::NoAnswer | Outcome::HungUp | Outcome::BadOptions => {
            log.notice("denied: the auth phase had no answer");
            return Outcome::NoAnswer;
        }
        // A stack that goes on after our refusal must not get anywhere by it.
        _ => {
            log.notice("denied: the auth phase refused");
            return deny(person, CONFIRM_DENIED);
        }
    }
    if record.euid != 0 {
        // Only uid 0 may confirm, and a login that others began changes nothing for good.
        log.debug("allowed: not begun by uid 0, so there is nothing to confirm");
        return Outcome::AccountAllowed;
    }
    // The same reading of the items as `Begin` had: the daemon compares.
    let (Some(login), Ok(claims)) = (&record.login, Claims::read(items, options)) else {
        log.error("denied: the auth phase left no login");
        return Outcome::NoAnswer;
    };
    let Some(client) = client(options, log) else {
        return Outcome::NoAnswer;
    };
    conclude(person, client.confirm(login, &claims.user, &claims.service), CONFIRM_DENIED, log)
}

fn without_auth(person: &mut dyn Person, items: &Items, options: &Options, log: &Log) -> Outcome {
    let Ok(claims) = Claims::read(items, options) else {
        log.notice("denied: not a name that anybody has");
        return deny(person, CHECK_DENIED);
    };
    let Some(client) = client(options, log) else {
        return Outcome::NoAnswer;
    };
    let verdict = client.check(&claims.user, &claims.service, &claims.rhost);
    conclude(person, verdict, CHECK_DENIED, log)
}

fn client<'a>(options: &'a Options, log: &Log) -> Option<Client<'a>> {
    let owner_uid = auth::owner_uid(options, log)?;
    Some(Client::new(&options.bus, owner_uid, process::euid(), options.timeout))
}

fn conclude(
    person: &mut dyn Person,
    verdict: Result<Verdict, Failure>,
    sentence: &str,
    log: &Log,
) -> Outcome {
    match verdict {
        Ok(Verdict::Allow | Verdict::NotRequired) => {
            log.debug("allowed");
            Outcome::AccountAllowed
        }
        Ok(Verdict::Deny | Verdict::Locked) => {
            log.notice("denied");
            deny(person, sentence)
        }
        Ok(Verdict::Ask) => {
            log.warning("denied: the daemon asks where nobody can answer");
            Outcome::NoAnswer
        }
        Err(failure) => {
            log.warning(format_args!("denied: {failure}"));
            Outcome::NoAnswer
        }
    }
}

fn deny(person: &mut dyn Person, sentence: &str) -> Outcome {
    person.say(&[Message { is_error: true, text: sentence.to_owned() }]);
    Outcome::AccountDenied
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::login::{Answer, Prompt};

    /// Only listens: the account phase never asks.
    #[derive(Default)]
    struct Listener(Vec<String>);

    impl Person for Listener {
        fn say(&mut self, messages: &[Message]) -> Duration {
            self.0.extend(messages.iter().map(|message| message.text.clone()));
            Duration::ZERO
        }

        fn ask(&mut self, _: &Prompt) -> (Option<Answer>, Duration) {
            panic!("the account phase asked")
        }

        fn is_password(&self, _: &Answer) -> bool {
            false
        }

        fn forward_password(&mut self, _: &Answer) -> bool {
            false
        }

        fn delay_refusal(&mut self) {}
    }

    fn items(ssh_auth_info: Option<&[u8]>) -> Items {
        Items {
            user: b"alice".to_vec(),
            service: b"sshd".to_vec(),
            ssh_auth_info: ssh_auth_info.map(<[u8]>::to_vec),
            ..Items::default()
        }
    }

    fn record(outcome: Outcome) -> Record {
        Record { user: b"alice".to_vec(), service: b"sshd".to_vec(), euid: 0, outcome, login: None }
    }

    /// On a bus that is not there: who needs it gets no answer.
    fn account(record: Option<&Record>, items: &Items) -> (Outcome, Vec<String>) {
        let bus = crate::bus::Address::Path("/nonexistent/bus".to_owned());
        let options =
            Options { bus, owner: Some(0), timeout: Duration::from_millis(40), ..Options::default() };
        let mut listener = Listener::default();
        let outcome = manage(&mut listener, record, items, &options, &Log::new("", b"", "account"));
        (outcome, listener.0)
    }

    #[test]
    fn without_our_auth_phase_only_ssh_logins_are_checked() {
        assert_eq!(account(None, &items(None)).0, Outcome::AccountNotOurs);
        assert_eq!(account(None, &items(Some(b""))).0, Outcome::NoAnswer);
        assert_eq!(account(None, &items(Some(b"publickey x"))).0, Outcome::NoAnswer);
    }

    #[test]
    fn a_refusal_in_auth_stays_one() {
        for outcome in [Outcome::Wrong, Outcome::Locked, Outcome::Refused, Outcome::NoKey] {
            let (account, said) = account(Some(&record(outcome)), &items(None));
            assert_eq!((account, said.len()), (Outcome::AccountDenied, 1), "{outcome:?}");
        }
        for outcome in [Outcome::NoAnswer, Outcome::HungUp, Outcome::BadOptions] {
            assert_eq!(account(Some(&record(outcome)), &items(None)).0, Outcome::NoAnswer, "{outcome:?}");
        }
    }

    #[test]
    fn another_user_or_service_is_not_the_one_that_was_verified() {
        let waived = record(Outcome::NotRequired);
        let other_user = Items { user: b"root".to_vec(), ..items(None) };
        assert_eq!(account(Some(&waived), &other_user).0, Outcome::AccountDenied);
        let other_service = Items { service: b"login".to_vec(), ..items(None) };
        assert_eq!(account(Some(&waived), &other_service).0, Outcome::AccountDenied);
        assert_eq!(account(Some(&waived), &items(None)).0, Outcome::NoAnswer);
    }

    #[test]
    fn a_screen_locker_has_nothing_to_confirm() {
        let locker = Record { euid: 1000, ..record(Outcome::NotRequired) };
        assert_eq!(account(Some(&locker), &items(None)).0, Outcome::AccountAllowed);
        let refused = Record { euid: 1000, ..record(Outcome::Wrong) };
        assert_eq!(account(Some(&refused), &items(None)).0, Outcome::AccountDenied);
    }
}
