//! The ERP backend: HTTP, sessions, bus, certificates, MQTT hub and ingest.
//!
//! Arrows run downwards: `web` and `pages` turn requests into calls of the services; the services (`boxes`, `enrol`,
//! `commands`, `tills`) read and write through the engine; `link` is what they know of MQTT.

pub mod boxes;
pub mod bus;
pub mod ca;
pub mod commands;
pub mod config;
pub mod enrol;
pub mod error;
pub mod events;
pub mod hub;
pub mod pages;
pub mod port;
pub mod sessions;
pub mod state;
pub mod tills;
pub mod vault;
