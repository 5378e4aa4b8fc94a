//! Drivers for shop and factory devices.
//!
//! This crate knows hardware and nothing else: no ERP, no configuration file, no serde. Whoever runs it
//!
//! 1. starts [`discovery`], which reports ports as they appear and vanish,
//! 2. asks the [`registry`] for the driver with the best [`Score`] for a port,
//! 3. lets it [`Driver::open`] the port and [`Device::run`] it in a task of its own, with a [`DeviceCtx`].
//!
//! What a device says and understands is a closed enum per class: [`printer`], [`scale`], [`scanner`], [`keyboard`],
//! [`gauge`], [`payment`].
//! Below that, every protocol is a [`Protocol`]: a state machine without I/O and clock, driven by [`runner`].

pub mod device;
pub mod discovery;
pub mod gauge;
pub mod hid;
pub mod io;
pub mod keyboard;
mod lines;
pub mod payment;
pub mod port;
pub mod printer;
pub mod registry;
pub mod runner;
pub mod scale;
pub mod scanner;
pub mod setting;

pub use device::{
    BoxFuture, Class, Command, CommandId, Condition, Device, DeviceCtx, DeviceError, DeviceEvent, Driver, Fault,
    Identity, OpenError, Outcome, Reason, Request, Score, Value,
};
pub use io::{Channel, Io};
pub use port::{Access, Bus, PortChange, PortId, PortInfo, PortKind};
pub use runner::{Action, Input, Protocol};
pub use setting::{Options, Setting};
