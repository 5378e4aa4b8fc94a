//! Payment terminals.
//!
//! A terminal is the only one who knows whether a card was charged. So whoever sends a [`Command::Pay`] writes it down
//! first, with the terminal's [`Mark`] of that moment where the protocol needs one, and after a cut asks
//! [`Command::Status`] instead of paying again. Nothing in here repeats a payment by itself.
//!
//! A card number stops at the parsers: of a number at most the last four digits leave this module, and every text of a
//! terminal passes [`masked`].

mod cp437;
mod currency;
mod driver;
pub mod external;
mod mask;
pub mod nexo;
mod time;
mod tree;
pub mod zvt;

use std::net::IpAddr;

pub use currency::Currency;
pub use driver::{ExternalTerminal, NexoTerminal, ZvtTerminal};
pub use mask::masked;

/// In the currency's smallest unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    pub minor: u64,
    pub currency: Currency,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Payment,
    /// Money back to a card that is presented again.
    Refund,
    /// An earlier transaction is taken back as a whole.
    Reversal,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Pay(Order),
    Refund(Order),
    Reverse(Reversal),
    /// Stops the transaction that runs; answered when the terminal has heard it. That transaction has its own outcome.
    Abort,
    /// The terminal's last transaction, as a [`Mark`] to compare with later.
    Last,
    /// Did it charge?
    Status(Question),
    /// End of day.
    Reconcile,
    /// The terminal tests its connection to its host.
    Diagnose,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Names this transaction on the wire where the protocol has room for it: up to 10 characters of `A-Z0-9`, never
    /// used twice.
    pub key: String,
    pub amount: Amount,
    pub reference: String,
    /// Unix milliseconds.
    pub at_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reversal {
    pub key: String,
    /// As in [`Done::transaction`].
    pub transaction: String,
    pub reference: String,
    pub at_ms: i64,
}

/// After a cut: what came of the transaction with this key?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub key: String,
    pub act: Act,
    /// What was asked for; none for a reversal.
    pub amount: Option<Amount>,
    /// The terminal's last transaction before it.
    pub before: Option<Mark>,
}

/// What a terminal says names its last transaction; compared for equality only. Empty: the protocol does not need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(pub String);

/// A transaction that took place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    pub act: Act,
    pub amount: Option<Amount>,
    pub certainty: Certainty,
    /// Names it for a reversal.
    pub transaction: Option<String>,
    /// The terminal's mark from now on, where it is known.
    pub mark: Option<Mark>,
    pub terminal_id: Option<String>,
    pub approval_code: Option<String>,
    pub card_brand: Option<String>,
    pub card_last4: Option<String>,
    pub receipts: Vec<Receipt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// The terminal brought it to its end while it was connected.
    Completed,
    /// The terminal was asked afterwards.
    Asked,
}

/// Answer to [`Command::Status`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    Charged(Done),
    NotCharged(String),
    /// It runs still.
    Running,
    /// The terminal was asked, and what it says decides nothing.
    CannotTell(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub audience: ReceiptFor,
    /// Lines, as the terminal laid them out.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptFor {
    Customer,
    Merchant,
    /// End of day, diagnosis, and what the terminal does not say more of.
    Office,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// What the terminal wants shown while it works.
    Status { audience: StatusFor, text: String },
    /// Printed on the terminal's own account (an automatic end of day).
    Receipt(Receipt),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusFor {
    Cashier,
    Customer,
}

/// How a terminal that a person added is reached and what it speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    pub speaks: Speaks,
    pub link: Link,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speaks {
    Zvt(zvt::Settings),
    Nexo(nexo::Settings),
    External(external::Settings),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// The box connects to the terminal.
    Connect { host: String, port: u16 },
    /// The terminal connects to the box; from nowhere else.
    Listen { port: u16, from: IpAddr },
    /// An external driver makes its own connection.
    Own,
}

/// Ports that makers' manuals name, for the form.
pub const LISTENING_PORTS: [u16; 2] = [9050, 9000];
