//! The entry points. pam-bindings exports them, catches panics and refuses null handles; each
//! hook here returns through [`Outcome::code`].

use std::{ffi::CStr, sync::Once};

use pam::{
    constants::{PAM_SILENT, PamFlag, PamResultCode},
    module::{PamHandle, PamHooks},
    pam_hooks,
};

use super::{conversation::Conversation, libpam, process};
use crate::{
    account, auth,
    claims::Items,
    log::{self, Log},
    options::Options,
    outcome::Outcome,
    record::{Begun, Record},
};

struct Countersign;

pam_hooks!(Countersign);

impl PamHooks for Countersign {
    fn sm_authenticate(handle: &mut PamHandle, words: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        silence_panics();
        authenticate(handle, &words, flags).code()
    }

    fn acct_mgmt(handle: &mut PamHandle, words: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        silence_panics();
        manage_account(handle, &words, flags).code()
    }

    fn sm_setcred(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        Outcome::NoCredentials.code()
    }

    fn sm_open_session(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        Outcome::NotOurPhase.code()
    }

    fn sm_close_session(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        Outcome::NotOurPhase.code()
    }

    fn sm_chauthtok(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        Outcome::NotOurPhase.code()
    }
}

fn authenticate(handle: &mut PamHandle, words: &[&CStr], flags: PamFlag) -> Outcome {
    let mut log = log(handle, "auth");
    // First of all, so that nothing below can leave an earlier attempt's success standing.
    if !store(handle, &Items::default(), Outcome::NoAnswer, None, &log) {
        return Outcome::NoAnswer;
    }
    let Some(options) = options(words, flags, &log) else {
        return Outcome::BadOptions;
    };
    let items = match libpam::items(handle) {
        Ok(items) => items,
        Err(code) => {
            log.notice(format_args!("refused: no user name: {code:?}"));
            return Outcome::HungUp;
        }
    };
    log.about(&items.user);
    if !store(handle, &items, Outcome::NoAnswer, None, &log) {
        return Outcome::NoAnswer;
    }
    if cfg!(feature = "panic-probe") {
        panic!("the text of a panic may quote hunter2");
    }
    let mut person = Conversation::new(handle, options.quiet);
    let (outcome, login) = auth::authenticate(&mut person, &items, &options, &log);
    if store(handle, &items, outcome, login, &log) { outcome } else { Outcome::NoAnswer }
}

fn manage_account(handle: &mut PamHandle, words: &[&CStr], flags: PamFlag) -> Outcome {
    let mut log = log(handle, "account");
    let Some(options) = options(words, flags, &log) else {
        return Outcome::BadOptions;
    };
    let items = libpam::items_without_user(handle);
    log.about(&items.user);
    // Hosts run this phase for people whom they have let in already.
    log.vouch();
    // Out of libpam's memory before the conversation borrows the handle.
    let record = libpam::record(handle).cloned();
    let mut person = Conversation::new(handle, options.quiet);
    account::manage(&mut person, record.as_ref(), &items, &options, &log)
}

fn log(handle: &PamHandle, phase: &str) -> Log {
    Log::new(&process::program(), &libpam::service(handle), phase)
}

fn options(words: &[&CStr], flags: PamFlag, log: &Log) -> Option<Options> {
    match Options::parse(words.iter().map(|word| word.to_bytes())) {
        Ok(mut options) => {
            if options.debug {
                log.enable_debug();
            }
            options.quiet |= flags & PAM_SILENT != 0;
            Some(options)
        }
        Err(bad) => {
            for line in bad {
                log.error(line);
            }
            log.error("refused: the module options of this stack are wrong");
            None
        }
    }
}

fn store(handle: &mut PamHandle, items: &Items, outcome: Outcome, login: Option<Begun>, log: &Log) -> bool {
    let record = Record {
        user: items.user.clone(),
        service: items.service.clone(),
        euid: process::euid(),
        outcome,
        login,
    };
    libpam::store_record(handle, record)
        .inspect_err(|code| log.error(format_args!("refused: cannot keep PAM data: {code:?}")))
        .is_ok()
}

/// Replaces std's panic message by one line in the log, once.
///
/// The message would go to the host's stderr, which in sshd is the client, and costs 35 MB for
/// the backtrace. The hook is that of this module's own copy of std, which the linker keeps to
/// itself: a host written in Rust has another one and notices nothing.
fn silence_panics() {
    static SILENCED: Once = Once::new();
    SILENCED.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            if let Some(at) = panic.location() {
                log::panicked(&process::program(), at.file(), at.line());
            }
        }));
    });
}
