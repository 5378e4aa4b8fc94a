//! Scales.

pub mod toledo_8217;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Answers with the next stable weight.
    Read,
    Zero,
    Tare,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// What the scale shows now; sent on change.
    Reading(Reading),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub state: State,
    /// Present when the scale gave digits.
    pub weight: Option<Weight>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Stable,
    Motion,
    Zero,
    UnderZero,
    OverCapacity,
    ZeroRange,
    Silent,
}

/// Digits as the scale sent them, in `unit`; leading zeros removed but one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weight {
    pub digits: String,
    pub unit: Unit,
    pub net: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Kg,
    G,
    Lb,
    Oz,
}
