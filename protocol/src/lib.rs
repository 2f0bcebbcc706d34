//! What crosses the bus between the PAM module, the daemon and `countersignctl`.
//!
//! Names, wire types and error names; no I/O and no policy. Everything here is part of the
//! contract with installed modules and packages: change it and both sides must change.

#![forbid(unsafe_code)]

pub mod fact;
pub mod login;
pub mod mailer;
pub mod manager;
pub mod names;
