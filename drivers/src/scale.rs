//! Scales.

pub mod adam;
pub mod cas;
pub mod desk;
pub mod dialog_06;
pub mod hid;
pub mod legal;
#[cfg(test)]
mod legal_tests;
pub mod mt_sics;
pub mod nci;
pub mod probe;
pub mod serial;
#[cfg(test)]
mod tests;
pub mod toledo_8217;

/// Identifies the module that makes weights ([`legal`]): the SHA-256 of its text.
pub const LEGAL_SHA256: &str = "46c755762b5c0111cb31f3f8a6c2d9d74c0bdddc59cc305d86dd28c38cc3224e";

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
