//! The control socket: JSON lines, one answer to each request, in order.
//!
//! A request is an object with `device`, `do` and the verb's arguments; an answer has `"ok":true` and the verb's
//! results, or `"ok":false` and `error` in words. The verbs are listed in `hardware-fixtures/README.md`.

mod client;
mod server;

pub use client::{Client, ClientError};
pub(crate) use server::{Directory, Entry, listen, serve};
