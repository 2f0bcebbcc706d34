//! The bus: decode, identify the caller, authorize, hand to a use case, encode. Nothing else.

mod authority;
mod error;
mod fairness;
mod gate;
mod login;
mod manager;
mod serve;

pub use serve::serve;
