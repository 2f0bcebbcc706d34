//! countersign-mailer: hands one letter at a time to a mail server.
//!
//! A process of its own, with network and without anything else: no database, no codes but those in
//! the letters it is given, no secret but the mailboxes' own, read for each connection. It takes
//! letters from the daemon's uid only, and says of each what became of it.

mod accounts;
mod args;
mod bounded;
mod bus;
mod dialogue;
mod letter;
mod office;
mod secret;
mod serve;
mod smtp;
mod starttls;
mod stream;
mod tls;

pub use args::Args;
pub use serve::run;
