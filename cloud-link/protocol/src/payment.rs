//! Payments with a card terminal: what is asked of it and what came of it.
//!
//! Amounts are whole numbers of the currency's smallest unit (cents), currencies ISO 4217 letters. A card number never
//! stands in any of these: at most its last four digits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::CommandId;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Amount {
    /// In the currency's smallest unit; more than zero.
    pub minor: u64,
    /// ISO 4217: `EUR`.
    pub currency: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentKind {
    Payment,
    /// Money back to a card that is presented again.
    Refund,
    /// An earlier transaction is taken back as a whole.
    Reversal,
}

/// A transaction that the terminal says took place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Payment {
    pub act: PaymentKind,
    /// What was charged or given back; a terminal may approve less than was asked for.
    pub amount: Amount,
    pub certainty: PaymentCertainty,
    /// Names it to the terminal, for a reversal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_code: Option<String>,
    /// `Mastercard`, as the terminal says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_brand: Option<String>,
    /// The last four digits of the card number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_last4: Option<String>,
    /// What the terminal wants printed, as text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<TerminalReceipt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentCertainty {
    /// The terminal brought the transaction to its end while it was connected.
    Completed,
    /// The connection broke in the middle, and the terminal answered afterwards that it took place.
    Asked,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TerminalReceipt {
    #[serde(rename = "for")]
    pub audience: ReceiptFor,
    /// Lines, as the terminal laid them out.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptFor {
    Customer,
    Merchant,
    /// End of day, diagnosis, and what the terminal does not say more of.
    Office,
}

/// Whether a payment took place, as far as it can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    Approved,
    /// Declined, cancelled or never begun: no money moved.
    NotCharged,
    /// Under way.
    Running,
    /// Nobody knows yet; the box asks the terminal as soon as it can.
    InDoubt,
    /// The terminal was asked and does not know either: a person has to look at the terminal's own journal.
    Undecided,
}

/// The end of a transaction, or what was found out of it later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PaymentReport {
    /// The command that asked for it.
    pub command: CommandId,
    pub act: PaymentKind,
    pub state: PaymentState,
    /// What was asked for; none for a reversal.
    pub asked: Option<Amount>,
    /// The till's own name for the sale.
    pub reference: String,
    /// Present when it took place.
    pub payment: Option<Box<Payment>>,
    /// For people.
    pub message: String,
}

/// What the terminal shows or wants shown, while it works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TerminalStatus {
    #[serde(rename = "for")]
    pub audience: StatusFor,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusFor {
    Cashier,
    Customer,
}
