//! The ERP backend: HTTP, sessions, bus, certificates, MQTT hub and ingest.
//!
//! Arrows run downwards: `web` and `pages` turn requests into calls of the services; the services (`boxes`, `enrol`,
//! `commands`, `tills`) read and write through the engine; `hub::Link` is what they know of MQTT, and `ingest` is the
//! only writer of what boxes say.

#[cfg(test)]
mod rates;
#[cfg(test)]
mod testing;

mod access;
mod accounts;
pub mod apps;
pub mod backup;
pub mod boxes;
pub mod bus;
pub mod ca;
pub mod cli;
pub mod commands;
pub mod config;
mod control;
pub mod enrol;
pub mod error;
pub mod events;
pub mod hub;
pub mod ingest;
pub mod init;
mod jobs;
mod keys;
mod mdns;
mod names;
pub mod pages;
pub mod place;
pub mod port;
mod post;

mod receipt;
pub mod records;
pub mod rpc;
pub mod serve;
pub mod sessions;
pub mod state;
pub mod tills;
pub mod vault;
pub mod web;
