//! Experiments on models: how fast they are, what their FFNs do, which of them is better, and what of that is
//! claimed.

pub(crate) mod bench;
pub mod inspect;

pub mod compare;

pub(crate) mod claims;
