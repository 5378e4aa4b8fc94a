//! The external API: XML-RPC, JSON-RPC, sessions and JSON-2, as existing clients speak them. All of them end in the
//! engine's one call by model and method.

mod fault;
mod json;
mod xml;

pub(crate) use fault::{Class, Fault};
