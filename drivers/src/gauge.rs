//! Calipers, micrometers, indicators and other tools that measure.

use crate::setting::{Kind, Setting};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Answers with what the tool shows now.
    Read,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A value that somebody took: the tool's data key was pressed.
    Measured(Measurement),
}

/// Digits as the tool sent them, in `unit`; leading zeros removed but one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measurement {
    pub digits: String,
    pub unit: Unit,
    /// The tool's smallest step in `unit`, where it is known.
    pub resolution: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Mm,
    Inch,
    Degree,
    Newton,
    NewtonMetre,
    Unknown,
}

/// When the tool has to be calibrated next; the box warns from the day after.
pub const CALIBRATION_DUE: Setting = Setting {
    name: "calibration_due",
    label: "Calibration due",
    hint: "The day on the tool's label. From the day after the box shows a warning.",
    kind: Kind::Date,
};
