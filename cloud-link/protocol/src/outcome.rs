//! How a command ended. These words are the ones every screen shows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::payment::{Payment, PaymentState, TerminalReceipt};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It happened; `value` says what came of it.
    Done { value: Value },
    /// It did not happen and will not: nothing was sent to the device, or the device refused it.
    Rejected { reason: Reason, message: String },
    /// The box cannot know (cable out, power cut in the middle). Never repeated by itself: a person decides.
    Unknown { message: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Value {
    Nothing,
    /// A print, with how sure the box is.
    Print {
        certainty: PrintCertainty,
    },
    Weight(Weight),
    Measurement(Measurement),
    /// A card was charged, or money given back.
    Payment(Box<Payment>),
    /// Answer to a question after a payment; `payment` is there when it took place.
    PaymentStatus {
        state: PaymentState,
        payment: Option<Box<Payment>>,
        message: String,
    },
    /// End of day or test of a terminal, with what it printed.
    Terminal {
        receipts: Vec<TerminalReceipt>,
    },
}

/// How far a print is known to have come; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrintCertainty {
    /// All bytes left the box.
    Sent,
    /// The printer answered a status request after the last byte, without an error.
    Accepted,
    /// The printer returned the job's process id: it is on paper.
    Printed,
}

/// Why a command was refused. Screens may branch on it; people read the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The deadline passed before the first byte.
    Expired,
    /// The box knows no such device.
    NoDevice,
    /// The device is known but not connected, switched off or not answering.
    Offline,
    /// The device does not do this.
    Unsupported,
    /// The command itself is wrong (a picture that is none, an empty receipt).
    Invalid,
    /// Too many commands wait for this device.
    Busy,
    /// Printer: no paper.
    PaperOut,
    /// Printer: cover open.
    CoverOpen,
    /// Scale: no stable weight before the deadline.
    Unstable,
    /// The device answered with another error, or with something that makes no sense.
    DeviceError,
    /// The box cannot record the command (disk full), so it does not run it.
    NotStored,
    /// The asker's grant does not cover it.
    Forbidden,
    /// A person withdrew it before the first byte.
    Cancelled,
    /// The card, its bank or the terminal refused the payment: no money moved.
    Declined,
}

/// A weight as the scale shows it, digit by digit; never a float.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Weight {
    /// Decimal digits with an optional `-` and one `.`, in `unit`.
    pub weight: String,
    pub unit: MassUnit,
    /// Tare has been subtracted.
    pub net: bool,
}

/// A value as the gauge shows it, digit by digit; never a float.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Measurement {
    /// Decimal digits with an optional `-` and at most one `.`, in `unit`.
    pub value: String,
    pub unit: MeasureUnit,
    /// The smallest step of the gauge in `unit`, where it is known: `0.01`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MeasureUnit {
    Mm,
    Inch,
    Degree,
    Newton,
    NewtonMetre,
    /// The gauge does not say it and nobody set it.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MassUnit {
    Kg,
    G,
    Lb,
    Oz,
}
