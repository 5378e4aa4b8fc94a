//! What a box says to its ERP.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{CommandId, DeviceId, EventId, PairingId},
    outcome::{Outcome, Weight},
};

/// Events in the order of their `seq`. The ERP commits them in one transaction and answers [`crate::down::Ack`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventBatch {
    pub v: u16,
    pub pairing: PairingId,
    pub events: Vec<Event>,
}

/// A business event: on the box's disk before anyone hears of it, and gone from there only after the ERP's commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    #[serde(flatten)]
    pub id: EventId,
    pub device: DeviceId,
    /// The box's clock at the event, Unix milliseconds. It may be wrong by years: order is by `seq`.
    pub at_ms: i64,
    #[serde(flatten)]
    pub body: EventBody,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum EventBody {
    /// A scanned code, without prefix, suffix and terminator.
    Barcode { text: String },
    /// A weight *taken* (asked for by a till), not one shown.
    Weight(Weight),
    /// The drawer's contact changed.
    Drawer { open: bool },
    /// A key or pedal; `key` is the evdev name (`KEY_A`).
    Key { key: String, pressed: bool },
}

/// Retained: what the box is and has now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct State {
    pub v: u16,
    /// False only in the last will.
    pub online: bool,
    pub name: String,
    pub version: String,
    /// `https://` addresses under which browsers on the LAN reach the box.
    pub urls: Vec<String>,
    pub devices: Vec<Device>,
    pub outbox: Outbox,
    /// End of the HTTPS certificate, Unix milliseconds.
    pub certificate_not_after_ms: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outbox {
    /// Events the ERP has not acknowledged.
    pub unsent: u64,
    /// The reserve is used up: new scans pass live and are not stored.
    pub full: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Device {
    pub id: DeviceId,
    pub name: String,
    pub class: DeviceClass,
    pub connection: Connection,
    /// `scale.toledo_8217`; empty while nothing drives the port.
    pub driver: String,
    #[serde(default)]
    pub manufacturer: String,
    #[serde(default)]
    pub model: String,
    pub status: DeviceStatus,
    /// In words, what is wrong and what to do; empty when all is well.
    #[serde(default)]
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceClass {
    Printer,
    Scanner,
    Scale,
    Keyboard,
    Display,
    Camera,
    Payment,
    Gauge,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Connection {
    Network,
    Serial,
    Usb,
    Bluetooth,
    Hdmi,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceStatus {
    /// Being opened or waited for.
    Connecting,
    Ready,
    /// Works, but wants attention (paper low).
    Warning,
    /// There, and unable to work (no paper, cover open, speaks nonsense).
    Error,
    /// Was here, is not now.
    Offline,
    /// There, but the box may not open it.
    Denied,
    /// There, and no driver claims it.
    Unclaimed,
}

/// State that changes many times a second, and events of a box whose disk is full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Live {
    pub device: DeviceId,
    #[serde(flatten)]
    pub body: LiveBody,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum LiveBody {
    Weight(LiveWeight),
    /// An event that could not be stored: every screen says so.
    NotStored {
        at_ms: i64,
        event: EventBody,
    },
}

/// What the scale's display shows now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LiveWeight {
    pub condition: WeightCondition,
    /// Present when the scale gave digits.
    pub weight: Option<Weight>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WeightCondition {
    Stable,
    Motion,
    /// Centre of zero.
    Zero,
    UnderZero,
    OverCapacity,
    /// Outside the zero capture range: empty the plate and switch the scale off and on.
    ZeroRange,
    /// No answer.
    Silent,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommandResult {
    pub v: u16,
    pub id: CommandId,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The box ends the pairing; the ERP revokes its certificate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Goodbye {
    pub v: u16,
    pub pairing: PairingId,
    /// Events of this pairing that stay on the box.
    pub unsent: u64,
}
