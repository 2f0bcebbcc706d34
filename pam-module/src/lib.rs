//! `pam_countersign.so`: what sshd, login, su and sudo load.
//!
//! The module asks the daemon, talks to the person and returns one PAM code. It knows no policy
//! and composes no sentence about a factor: the daemon says what to show and what to ask.
//!
//! A login reads top-down through these files:
//!
//! 1. [`ffi`]: the entry points that libpam calls, and everything that is unsafe;
//! 2. [`options`]: the words on the stack line, parsed strictly;
//! 3. [`auth`] and [`account`]: one phase each, from PAM items to an outcome;
//! 4. [`login`]: the loop of steps, prompts and answers;
//! 5. [`bus`]: D-Bus without a runtime, over a socket that we own, under one deadline;
//! 6. [`outcome`]: the one place where a PAM code is chosen.
//!
//! It is a guest in somebody's root process, so much of what matters is absent: no thread, no
//! signal handler, no descriptor kept, no environment variable read, no file but `/etc/passwd`,
//! nothing printed. Every call is answered within one deadline of machine time, and whatever is
//! not positively a yes is a no.

mod account;
mod auth;
mod bus;
mod claims;
mod deadline;
mod ffi;
mod log;
mod login;
mod options;
mod outcome;
mod passwd;
mod record;
mod text;
