//! countersignd: decides second factors on the local bus.
//!
//! Four rings, arrows pointing inward only: `bus` calls `login` and `admin`; those join `decide`
//! (pure functions) with `store` (SQL). Around them: `people` (users and groups), `seal` (secrets
//! at rest), `clock` (the only reader of time).

#![forbid(unsafe_code)]

mod act;
mod admin;
mod args;
mod backup;
mod bus;
mod clock;
pub mod decide;
mod error;
mod event;
mod host;
mod in_force;
mod journal;
mod last_good;
mod login;
mod mail;
pub mod mailer;
mod meter;
mod notice_text;
mod people;
mod qr;
mod random;
mod run;
pub mod seal;
mod sessions;
mod store;
mod text;
mod transfer;
mod watch;

pub use args::Args;
pub use error::Error;
pub use run::run;
pub use store::read_key;
