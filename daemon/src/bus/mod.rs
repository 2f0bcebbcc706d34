//! The bus: decode, identify the caller, authorize, hand to a use case, encode. Nothing else.

mod authority;
#[cfg(test)]
mod described;
mod error;
mod fairness;
mod gate;
mod login;
mod loginuid;
mod manager;
mod recorded;
mod serve;

pub(crate) use error::Refusal;
pub(crate) use gate::caller;
pub use serve::serve;
