//! What a box says to its ERP.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{CommandId, DeviceId, EventId, PairingId},
    outcome::{Measurement, Outcome, Weight},
    payment::{PaymentReport, TerminalReceipt, TerminalStatus},
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
    /// A scanned code, without prefix, suffix, terminator and symbology identifier.
    Barcode {
        text: String,
        /// The AIM symbology identifier where the scanner sends it (`]C1`; ISO/IEC 15424).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        symbology: Option<String>,
        /// What the code says, where it is one of GS1's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gs1: Option<Gs1>,
    },
    /// A weight *taken* (asked for by a till), not one shown.
    Weight(Weight),
    /// The drawer's contact changed.
    Drawer { open: bool },
    /// A key or pedal; `key` is the evdev name (`KEY_A`).
    Key {
        key: String,
        pressed: bool,
        /// Which press in a row it is: 2 for a double press.
        #[serde(default = "once", skip_serializing_if = "is_once")]
        count: u8,
        /// What the key types in the keyboard's layout.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// A value taken with a gauge: its key was pressed, or a person asked for it.
    Measurement(Measurement),
    /// A card transaction ended, or it became known what came of one.
    Payment(Box<PaymentReport>),
    /// A payment terminal printed something that belongs to no command, such as an automatic end of day.
    TerminalReceipt(TerminalReceipt),
}

impl EventBody {
    /// A code that says nothing beyond its characters.
    pub fn barcode(text: impl Into<String>) -> Self {
        Self::Barcode { text: text.into(), symbology: None, gs1: None }
    }
}

fn once() -> u8 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_once(count: &u8) -> bool {
    *count == 1
}

/// Element strings of the GS1 General Specifications, section 3.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gs1 {
    pub elements: Vec<Gs1Element>,
    /// In words, what is wrong with the code: a check digit, a day that no calendar has. Empty when all is well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gs1Element {
    /// Application identifier: `01`, `3103`.
    pub ai: String,
    /// GS1's data title: `GTIN`, `NET WEIGHT (kg)`.
    pub title: String,
    /// As in the code.
    pub value: String,
    /// A measure or an amount with its decimal point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// `2027-03-31`: dates without a day mean the last of the month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
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
    /// What a payment terminal says while it works.
    Terminal(TerminalStatus),
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
