//! The driver trait, and what passes between a device's task and its owner.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{gauge, io::Io, keyboard, payment, port::PortInfo, printer, scale, scanner, setting::Setting};

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How sure a driver is that a port is its own. Two drivers with the same score for one port are a defect that
/// `tests/contract.rs` finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Score {
    /// By class alone ("a HID keyboard", "port 9100").
    Generic = 1,
    /// By maker.
    Maker = 2,
    /// By maker and model.
    Model = 3,
    /// A person chose this driver for this port.
    Assigned = 4,
}

pub trait Driver: Sync {
    /// `scale.toledo_8217`: class, dot, protocol; stable, since settings name it.
    fn name(&self) -> &'static str;
    fn class(&self) -> Class;
    /// Pure, from descriptors alone: nothing is sent to the port.
    fn claims(&self, port: &PortInfo) -> Option<Score>;
    /// What a person can set for a device of this driver; the values come in [`PortInfo::settings`].
    fn settings(&self) -> &'static [Setting] {
        &[]
    }
    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>>;
}

pub trait Device: Send {
    fn identity(&self) -> Identity;
    /// Runs until the device is gone (`Err`) or `ctx.cancel` fires (`Ok`). Every request that came in is answered,
    /// also then.
    fn run(self: Box<Self>, ctx: DeviceCtx) -> BoxFuture<'static, Result<(), DeviceError>>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    Printer,
    Scanner,
    Scale,
    Keyboard,
    Gauge,
    Payment,
}

/// What people see of a device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    pub name: String,
    pub manufacturer: String,
    pub model: String,
}

/// A device's only view of the world.
pub struct DeviceCtx {
    pub requests: mpsc::Receiver<Request>,
    pub events: mpsc::Sender<DeviceEvent>,
    /// Whether the device works; starts as `Connecting`.
    pub condition: watch::Sender<Condition>,
    pub cancel: CancellationToken,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Condition {
    #[default]
    Connecting,
    Ready,
    /// Works, but wants attention ("paper low").
    Warning(String),
    /// Cannot work, with what to do about it.
    Error(Fault, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Silent,
    PaperOut,
    CoverOpen,
    Offline,
    /// Bytes that make no sense in this protocol.
    Garbled,
    Other,
}

/// Names a request in a device's task; whoever asks chooses it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommandId(pub Arc<str>);

/// A command with its deadline for the first byte; `reply` gets exactly one outcome.
#[derive(Debug)]
pub struct Request {
    pub id: CommandId,
    pub command: Command,
    /// After this nothing may be sent any more for it.
    pub deadline: Instant,
    pub reply: tokio::sync::oneshot::Sender<Outcome>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    Printer(printer::Command),
    Scale(scale::Command),
    Gauge(gauge::Command),
    Payment(payment::Command),
}

#[derive(Debug, Clone, PartialEq)]
pub enum DeviceEvent {
    Printer(printer::Event),
    Scale(scale::Event),
    Scanner(scanner::Event),
    Keyboard(keyboard::Event),
    Gauge(gauge::Event),
    Payment(payment::Event),
}

/// How a command ended; the same three words travel to the screen.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Done(Value),
    Rejected(Reason, String),
    Unknown(String),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Nothing,
    Print(printer::Certainty),
    Weight(scale::Weight),
    Measurement(gauge::Measurement),
    /// A card was charged, or money given back.
    Payment(Box<payment::Done>),
    /// The terminal's last transaction; none if it does not number them.
    Mark(Option<payment::Mark>),
    Finding(payment::Finding),
    /// What a terminal printed at its end of day or diagnosis.
    Terminal(Vec<payment::Receipt>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Expired,
    Offline,
    Unsupported,
    Invalid,
    Busy,
    PaperOut,
    CoverOpen,
    Unstable,
    DeviceError,
    /// The card, its bank or the terminal refused: no money moved.
    Declined,
    /// A person stopped it: no money moved.
    Cancelled,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("no permission for {path}: add the user of iot-box to the group {group}, then log in again")]
    Denied { path: String, group: String },
    #[error("{path} is in use by another program: stop it, or give the device another port")]
    Busy { path: String },
    #[error("{path} is gone: check the cable")]
    Gone { path: String },
    #[error("{address} does not answer: check that the device is switched on and on this network ({})", source.kind())]
    Unreachable { address: String, source: std::io::Error },
    #[error("cannot open {path}: {source}")]
    Io { path: String, source: std::io::Error },
}

#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
    #[error("the device was unplugged or switched off")]
    Closed,
    #[error("the device took no byte for {0:?}")]
    WriteTimeout(Duration),
    #[error("the device does not speak this protocol: {0}")]
    Protocol(String),
}
