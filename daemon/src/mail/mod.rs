//! Letters of the daemon: what is in them, and handing them to the mailer.

pub mod addresses;
pub mod confirming;
mod letter;
mod notices;
mod post;

pub use letter::{Facts, code, trouble};
pub use notices::drain;
pub use post::{Letter, Post, Sent};
