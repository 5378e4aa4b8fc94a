//! Between the drivers' payments and the wire's.

use drivers::payment::{self as driver, Currency};
use link_protocol::{
    down::CommandBody,
    payment::{Amount, Payment, PaymentCertainty, PaymentKind, ReceiptFor, StatusFor, TerminalReceipt, TerminalStatus},
};

/// What a till may call a sale.
const REFERENCE: usize = 40;

/// A transaction as it was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) act: PaymentKind,
    pub(crate) asked: Option<Amount>,
    pub(crate) reference: String,
    pub(crate) transaction: String,
}

/// The transaction that a command asks for; none if it moves no money.
pub(crate) fn wanted(body: &CommandBody) -> Option<Wanted> {
    let money = |act, amount: &Amount, reference: &str| Wanted {
        act,
        asked: Some(amount.clone()),
        reference: reference.to_owned(),
        transaction: String::new(),
    };
    match body {
        CommandBody::Pay { amount, reference } => Some(money(PaymentKind::Payment, amount, reference)),
        CommandBody::RefundPayment { amount, reference } => Some(money(PaymentKind::Refund, amount, reference)),
        CommandBody::ReversePayment { transaction, reference } => Some(Wanted {
            act: PaymentKind::Reversal,
            asked: None,
            reference: reference.clone(),
            transaction: transaction.clone(),
        }),
        _ => None,
    }
}

impl Wanted {
    /// The driver's command, or what is wrong with it.
    pub(crate) fn command(&self, key: &str, at_ms: i64) -> Result<driver::Command, String> {
        let shown = |text: &str, most: usize| text.chars().count() <= most && !text.chars().any(char::is_control);
        if !shown(&self.reference, REFERENCE) {
            return Err(format!("The reference has at most {REFERENCE} characters and no control characters."));
        }
        let (key, reference) = (key.to_owned(), self.reference.clone());
        let Some(asked) = &self.asked else {
            if self.transaction.is_empty() || !shown(&self.transaction, 100) {
                return Err("Name the transaction as its payment's outcome does.".to_owned());
            }
            let transaction = self.transaction.clone();
            return Ok(driver::Command::Reverse(driver::Reversal { key, transaction, reference, at_ms }));
        };
        let amount = amount_of(asked)?;
        let order = driver::Order { key, amount, reference, at_ms };
        Ok(match self.act {
            PaymentKind::Refund => driver::Command::Refund(order),
            PaymentKind::Payment | PaymentKind::Reversal => driver::Command::Pay(order),
        })
    }
}

pub(crate) fn amount_of(amount: &Amount) -> Result<driver::Amount, String> {
    let currency = Currency::of_code(&amount.currency)
        .ok_or_else(|| "The box does not charge cards in this currency.".to_owned())?;
    if amount.minor == 0 {
        return Err("The amount must be more than zero.".to_owned());
    }
    Ok(driver::Amount { minor: amount.minor, currency })
}

pub(crate) fn act_of(act: PaymentKind) -> driver::Act {
    match act {
        PaymentKind::Payment => driver::Act::Payment,
        PaymentKind::Refund => driver::Act::Refund,
        PaymentKind::Reversal => driver::Act::Reversal,
    }
}

pub(crate) fn payment(done: driver::Done) -> Payment {
    let amount = done.amount.map(|a| Amount { minor: a.minor, currency: a.currency.code().to_owned() });
    Payment {
        act: match done.act {
            driver::Act::Payment => PaymentKind::Payment,
            driver::Act::Refund => PaymentKind::Refund,
            driver::Act::Reversal => PaymentKind::Reversal,
        },
        // A terminal that does not say what a reversal gave back.
        amount: amount.unwrap_or_else(|| Amount { minor: 0, currency: String::new() }),
        certainty: match done.certainty {
            driver::Certainty::Completed => PaymentCertainty::Completed,
            driver::Certainty::Asked => PaymentCertainty::Asked,
        },
        transaction: done.transaction,
        terminal_id: done.terminal_id,
        approval_code: done.approval_code,
        card_brand: done.card_brand,
        card_last4: done.card_last4,
        receipts: receipts(done.receipts),
    }
}

pub(crate) fn receipts(receipts: Vec<driver::Receipt>) -> Vec<TerminalReceipt> {
    receipts.into_iter().map(receipt).collect()
}

pub(crate) fn receipt(receipt: driver::Receipt) -> TerminalReceipt {
    let audience = match receipt.audience {
        driver::ReceiptFor::Customer => ReceiptFor::Customer,
        driver::ReceiptFor::Merchant => ReceiptFor::Merchant,
        driver::ReceiptFor::Office => ReceiptFor::Office,
    };
    TerminalReceipt { audience, text: receipt.text }
}

pub(crate) fn status(audience: driver::StatusFor, text: String) -> TerminalStatus {
    let audience = match audience {
        driver::StatusFor::Cashier => StatusFor::Cashier,
        driver::StatusFor::Customer => StatusFor::Customer,
    };
    TerminalStatus { audience, text }
}

/// The transaction's name on the wire: ten characters that follow from the command's id, so that they are the same
/// after a restart and another id has others.
pub(crate) fn key(command: &str) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, command.as_bytes());
    let mut text = data_encoding::BASE32_NOPAD.encode(hash.as_ref());
    text.truncate(10);
    text
}
