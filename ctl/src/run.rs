//! From the command line to the exit code.

use std::process::ExitCode;

use clap::Parser;

use crate::agent::Agent;
use crate::cli::{Cli, Email, EmailVerb, PolicyVerb, Verb};
use crate::errors::Failure;
use crate::{
    accept_clock, address, approve, backup, bus, complete, doctor, email, enable, enroll, exempt, export,
    factors, forget, import, invite, lock, log, metrics, policy, recovery_codes, rekey, request_reset,
    require, reset, restore, status, terminal, text, unlock, users,
};

/// Runs the verb of this process's command line.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&Failure::failed(text::no_runtime(&error))),
    };
    match runtime.block_on(dispatch(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

async fn dispatch(cli: Cli) -> Result<(), Failure> {
    // What can be refused without the daemon is refused before it is asked anything.
    match &cli.verb {
        Verb::Enroll(args) => enroll::refuse_early(args)?,
        Verb::Reset(args) => reset::refuse_early(args)?,
        Verb::Remove(args) => factors::refuse_early(args)?,
        Verb::Email(Email { verb: Some(EmailVerb::Remove(args)), .. }) => address::refuse_early(args)?,
        Verb::RecoveryCodes(args) => recovery_codes::refuse_early(args)?,
        Verb::Lock(args) => lock::refuse_early(args)?,
        Verb::Exempt(args) => exempt::refuse_early(args)?,
        Verb::Require(args) => require::refuse_early(args)?,
        Verb::AcceptClock(args) => accept_clock::refuse_early(args)?,
        Verb::Approve(args) => approve::refuse_early(args)?,
        Verb::Log(args) => log::refuse_early(args)?,
        // It says itself what it finds of the daemon.
        Verb::Doctor(args) => {
            doctor::refuse_early()?;
            return doctor::run(&cli.bus, args).await;
        }
        Verb::Rekey(args) => rekey::refuse_early(args)?,
        Verb::Restore(args) if args.extract.is_some() => return restore::extract(args),
        Verb::Restore(args) => restore::refuse_early(args)?,
        // This one needs no daemon at all: it may not be installed yet.
        Verb::Policy(PolicyVerb::Check(args)) => return policy::check::run(args),
        Verb::Policy(PolicyVerb::Apply(args)) => policy::apply::refuse_early(args)?,
        Verb::Enable(args) => enable::refuse_early(args)?,
        Verb::Confirm(_) => enable::confirm::refuse_early()?,
        // For the moment when there is no daemon.
        Verb::Disable(args) => return enable::disable::run(&cli.bus, args),
        Verb::ReadOwn { file } => return import::read_own(file),
        Verb::Complete { words } => return complete::run(words, &cli.bus),
        Verb::Policy(PolicyVerb::Explain(_) | PolicyVerb::Impact(_))
        | Verb::Email(_)
        | Verb::Backup(_)
        | Verb::Export(_)
        | Verb::Status(_)
        | Verb::Users(_)
        | Verb::Metrics(_)
        | Verb::RequestReset(_)
        | Verb::Import(_)
        | Verb::Unlock(_)
        | Verb::Forget(_)
        | Verb::Rename(_)
        | Verb::Resync(_)
        | Verb::Invite(_) => {}
    }
    let manager = match &cli.verb {
        Verb::Backup(_) | Verb::Restore(_) | Verb::Rekey(_) | Verb::Export(_) => {
            bus::connect_patiently(&cli.bus).await?
        }
        _ => bus::connect(&cli.bus).await?,
    };
    let _agent = Agent::for_a_person(&cli);
    match cli.verb {
        Verb::Enroll(args) => enroll::run(&manager, args).await,
        Verb::Status(args) => status::run(&manager, args).await,
        Verb::Log(args) => log::run(&manager, &cli.bus, *args).await,
        Verb::Users(args) => users::run(&manager, args).await,
        Verb::Metrics(args) => metrics::run(&manager, &args).await,
        Verb::Reset(args) => reset::run(&manager, args).await,
        Verb::RequestReset(args) => request_reset::run(&manager, args).await,
        Verb::Approve(args) => approve::run(&manager, args).await,
        Verb::Lock(args) => lock::run(&manager, args).await,
        Verb::Unlock(args) => unlock::run(&manager, args).await,
        Verb::Forget(args) => forget::run(&manager, args).await,
        Verb::Exempt(args) => exempt::run(&manager, args).await,
        Verb::Require(args) => require::run(&manager, args).await,
        Verb::AcceptClock(args) => accept_clock::run(&manager, &args).await,
        Verb::Doctor(args) => doctor::run(&cli.bus, &args).await,
        Verb::Email(Email { verb, show }) => match verb.unwrap_or(EmailVerb::Show(show)) {
            EmailVerb::Show(args) => address::show(&manager, args).await,
            EmailVerb::Set(args) => address::set(&manager, args).await,
            EmailVerb::Confirm(args) => address::confirm(&manager, args).await,
            EmailVerb::Remove(args) => address::remove(&manager, args).await,
            EmailVerb::Preview(args) => email::preview::run(&manager, &args).await,
            EmailVerb::Test(args) => email::test(&manager, &args).await,
        },
        Verb::Backup(args) => backup::run(&manager, &args).await,
        Verb::Restore(args) => restore::run(&manager, &args).await,
        Verb::Rekey(args) => rekey::run(&manager, &args).await,
        Verb::Export(args) => export::run(&manager, &args).await,
        Verb::Import(verb) => import::run(&manager, verb).await,
        Verb::ReadOwn { file } => import::read_own(&file),
        Verb::Complete { words } => complete::run(&words, &cli.bus),
        Verb::Enable(args) => enable::run(&manager, &cli.bus, args).await,
        Verb::Confirm(args) => enable::confirm::run(&manager, &cli.bus, args).await,
        Verb::Disable(args) => enable::disable::run(&cli.bus, &args),
        Verb::Invite(args) => invite::run(&manager, args).await,
        Verb::Rename(args) => factors::rename(&manager, args).await,
        Verb::Remove(args) => factors::remove(&manager, args).await,
        Verb::Resync(args) => factors::resync(&manager, args).await,
        Verb::RecoveryCodes(args) => recovery_codes::run(&manager, args).await,
        Verb::Policy(PolicyVerb::Check(args)) => policy::check::run(&args),
        Verb::Policy(PolicyVerb::Explain(args)) => policy::explain::run(&manager, args).await,
        Verb::Policy(PolicyVerb::Impact(args)) => policy::impact::run(&manager, &args).await,
        Verb::Policy(PolicyVerb::Apply(args)) => policy::apply::run(&manager, &args).await,
    }
}

/// Help and version are answers; everything else is wrong usage.
fn usage(error: &clap::Error) -> ExitCode {
    let shown = error.render().to_string();
    if error.use_stderr() {
        // The message repeats what was typed, which need not be printable.
        for line in shown.lines() {
            terminal::complain(&terminal::safe(line));
        }
        return Failure::usage(String::new()).code();
    }
    match crate::output::Output::stdout().raw(&shown) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

fn report(failure: &Failure) -> ExitCode {
    if !failure.message().is_empty() {
        terminal::complain(&format!("countersignctl: {}", failure.message()));
    }
    failure.code()
}
