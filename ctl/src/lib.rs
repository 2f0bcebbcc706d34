//! What `countersignctl` knows of PAM stacks, for the tool itself and for tests that hold it against libpam.

#![forbid(unsafe_code)]

pub mod stack;
