//! Everything unsafe, and nothing else: libpam's functions, the socket calls that std lacks.

#![allow(unsafe_code, reason = "the one place where the module meets C")]

mod conversation;
mod entry;
mod libpam;
pub(crate) mod process;
pub(crate) mod socket;
