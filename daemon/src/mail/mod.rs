//! Letters of the daemon: what is in them, and handing them to the mailer.

pub mod addresses;
pub mod confirming;
mod letter;
mod notices;
mod post;

pub use letter::{Facts, code, own_code, own_notice, trouble, utc};
pub use notices::drain;
pub use post::{Letter, Post, Sent};
