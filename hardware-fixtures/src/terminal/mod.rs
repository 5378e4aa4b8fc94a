//! Payment terminals that follow the published protocols: ZVT (PA00P015) and the nexo Retailer protocol.
//!
//! What they do with a card is one and the same ([`till`]); how they say it is each protocol's own ([`zvt`], [`nexo`]).
//! Nothing here shares code with the drivers: both read the manuals.

mod nexo;
mod task;
mod till;
mod zvt;

use serde::{Deserialize, Serialize};

pub(crate) use task::run;
pub use till::{Act, Booking, Cardholder, CutAt};

/// A card number of the networks' own test cards, which must not appear anywhere on the other side.
pub const TEST_PAN: &str = "4111111111111111";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaks {
    Zvt,
    NexoJson,
    NexoXml,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// 0: a free one, kept for the life of the simulator.
    pub port: u16,
    /// `host:port` of a box that listens: the terminal connects to it instead of listening itself.
    pub connect_to: Option<String>,
    /// Between two steps of a transaction, milliseconds.
    pub step_ms: u64,
    /// ISO 4217 digits.
    pub currency: u16,
    pub cardholder: Cardholder,
    /// How long a slow cardholder takes, milliseconds.
    pub slow_ms: u64,
    /// The card, and what the receipts show of it.
    pub pan: String,
    /// A merchant's receipt with the whole number on it, as old terminals print.
    pub full_pan_on_receipt: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            port: 0,
            connect_to: None,
            step_ms: 20,
            currency: 978,
            cardholder: Cardholder::Approve,
            slow_ms: 3_000,
            pan: TEST_PAN.to_owned(),
            full_pan_on_receipt: true,
        }
    }
}
