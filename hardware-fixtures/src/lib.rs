//! Simulators of shop devices that speak the real bytes over real channels: a scale and a scanner on a pty with the
//! timing of their line, a receipt printer on TCP.
//!
//! Each device is one task that owns its state. What it says is decided by an engine without I/O or clock
//! ([`scale::Scale`], [`printer::Printer`]); the task around it moves bytes. Programs steer the devices through
//! [`control`].

pub mod balance;
pub mod clock;
pub mod control;
mod device;
pub mod gauge;
pub mod label;
mod ports;
pub mod printer;
pub mod scale;
pub mod scanner;
pub mod scenario;
pub mod serial;
mod sim;
mod sys;
pub mod terminal;

pub use control::{Client, ClientError};
pub use scenario::Scenario;
pub use sim::{Sim, SimError};
