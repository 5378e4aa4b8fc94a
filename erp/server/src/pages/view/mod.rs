//! Typed views in, HTML out: no I/O, no clock, no database.
//!
//! Pages that change by themselves are made of keyed pieces (`data-key`): the browser asks for the piece of the page
//! again (`?fragment=1`) when the bus says that something changed, and exchanges only the keys that differ. So there
//! is one renderer for each thing, and it is here.

pub(crate) mod account;
pub(crate) mod boxes;
pub(crate) mod connect;
pub(crate) mod devices;
pub(crate) mod errors;
pub(crate) mod events;
pub(crate) mod home;
pub(crate) mod icon;
pub(crate) mod layout;
pub(crate) mod login;
pub(crate) mod till;
