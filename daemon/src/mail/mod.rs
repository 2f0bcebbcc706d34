//! Letters of the daemon: what is in them, and handing them to the mailer.

pub mod addresses;
pub mod confirming;
mod letter;
mod post;
mod template;

pub use letter::{Facts, code, trouble};
pub use post::{Letter, Post, Sent};
