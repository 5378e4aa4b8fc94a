//! One request to the terminal and what its response means.

use std::time::Instant;

use super::{
    Settings,
    message::{El, el},
    reply,
};
use crate::{
    device::{CommandId, Outcome, Reason, Value},
    payment::{
        Act, Amount, Certainty, Command, Done, Finding, Mark, Order, Question, Receipt, Reversal, time::iso8601,
        tree::Tree,
    },
    runner::Action,
};

#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) what: What,
    id: CommandId,
    before: Instant,
    /// The request's `ServiceID`.
    pub(super) service: String,
    /// The question stands for a transaction that fell silent: its own outcome is wanted.
    for_transaction: bool,
    pub(super) receipts: Vec<Receipt>,
}

#[derive(Debug)]
pub(super) enum What {
    Pay(Order),
    Refund(Order),
    Reverse(Reversal),
    Ask(Question),
    Reconcile,
    Diagnose,
}

/// What a response leads to.
pub(super) enum Found {
    End(Box<Action>),
    /// It runs still.
    Again,
}

impl Exchange {
    /// The exchange for a command, or its answer.
    pub(super) fn of(id: CommandId, command: Command, before: Instant, service: String) -> Result<Self, Box<Action>> {
        let (what, service) = match command {
            Command::Pay(order) => (What::Pay(order.clone()), order.key),
            Command::Refund(order) => (What::Refund(order.clone()), order.key),
            Command::Reverse(reversal) => (What::Reverse(reversal.clone()), reversal.key),
            Command::Status(question) => (What::Ask(question), service),
            Command::Reconcile => (What::Reconcile, service),
            Command::Diagnose => (What::Diagnose, service),
            Command::Abort | Command::Last => {
                let message = "no transaction runs".to_owned();
                return Err(Box::new(Action::Reply(id, Outcome::Rejected(Reason::Invalid, message))));
            }
        };
        if let What::Pay(order) | What::Refund(order) = &what
            && order.amount.minor == 0
        {
            let message = "the amount must be more than zero".to_owned();
            return Err(Box::new(Action::Reply(id, Outcome::Rejected(Reason::Invalid, message))));
        }
        Ok(Self { what, id, before, service, for_transaction: false, receipts: Vec::new() })
    }

    pub(super) fn moves_money(&self) -> bool {
        matches!(self.what, What::Pay(_) | What::Refund(_) | What::Reverse(_))
    }

    pub(super) fn category(&self) -> &'static str {
        match self.what {
            What::Pay(_) | What::Refund(_) => "Payment",
            What::Reverse(_) => "Reversal",
            What::Ask(_) => "TransactionStatus",
            What::Reconcile => "Reconciliation",
            What::Diagnose => "Diagnosis",
        }
    }

    pub(super) fn body(&self, settings: &Settings) -> El {
        match &self.what {
            What::Pay(order) => payment(order, "Normal"),
            What::Refund(order) => payment(order, "Refund"),
            What::Reverse(reversal) => {
                // Number and time, as they stood in the payment's response.
                let (number, time) = reversal.transaction.split_once('|').unwrap_or((&reversal.transaction, ""));
                let mut original = el("POITransactionID").attr("TransactionID", number);
                if !time.is_empty() {
                    original = original.attr("TimeStamp", time);
                }
                el("ReversalRequest")
                    .attr("ReversalReason", "MerchantCancel")
                    .child(sale_data(&reversal.reference, reversal.at_ms))
                    .child(el("OriginalPOITransaction").child(original))
            }
            What::Ask(question) => el("TransactionStatusRequest")
                .tree("ReceiptReprintFlag", Tree::Bool(true))
                .child(reply::reference(category_of(question.act), &question.key, settings)),
            What::Reconcile => el("ReconciliationRequest").attr("ReconciliationType", "SaleReconciliation"),
            What::Diagnose => el("DiagnosisRequest").tree("HostDiagnosisFlag", Tree::Bool(true)),
        }
    }

    pub(super) fn answered(&mut self, response: &Tree) -> Found {
        let empty = Tree::Null;
        let body = |name: &str| response.get(name).unwrap_or(&empty);
        let outcome = match &self.what {
            What::Pay(_) | What::Refund(_) => self.transaction(body("PaymentResponse")),
            What::Reverse(_) => self.transaction(body("ReversalResponse")),
            What::Ask(question) => {
                let finding = finding(question, body("TransactionStatusResponse"));
                match finding {
                    Finding::Running => return Found::Again,
                    finding if self.for_transaction => settled(finding),
                    finding => Outcome::Done(Value::Finding(finding)),
                }
            }
            What::Reconcile => self.office(body("ReconciliationResponse")),
            What::Diagnose => self.office(body("DiagnosisResponse")),
        };
        Found::End(Box::new(Action::Reply(self.id.clone(), outcome)))
    }

    fn transaction(&self, body: &Tree) -> Outcome {
        match body.str_at("Response.Result") {
            Some("Success" | "Partial") => {
                let (act, asked) = match &self.what {
                    What::Refund(order) => (Act::Refund, Some(order.amount)),
                    What::Pay(order) => (Act::Payment, Some(order.amount)),
                    _ => (Act::Reversal, None),
                };
                let mut done = done(body, act, asked, Certainty::Completed);
                done.receipts.splice(..0, self.receipts.iter().cloned());
                Outcome::Done(Value::Payment(Box::new(done)))
            }
            Some("Failure") => refused(body),
            // Without a result nothing is known.
            _ => Outcome::Unknown("the terminal ended without a result: it is asked what came of it".to_owned()),
        }
    }

    fn office(&mut self, body: &Tree) -> Outcome {
        if body.str_at("Response.Result") != Some("Success") {
            return Outcome::Rejected(Reason::DeviceError, reply::words(body));
        }
        let mut receipts = std::mem::take(&mut self.receipts);
        receipts.extend(reply::totals(body));
        Outcome::Done(Value::Terminal(receipts))
    }

    /// The terminal said nothing for too long: the question to ask next, or none if that was a question already.
    pub(super) fn silent(&self, service: String) -> Option<Self> {
        let (act, amount, key) = match &self.what {
            What::Pay(order) => (Act::Payment, Some(order.amount), order.key.clone()),
            What::Refund(order) => (Act::Refund, Some(order.amount), order.key.clone()),
            What::Reverse(reversal) => (Act::Reversal, None, reversal.key.clone()),
            What::Ask(_) | What::Reconcile | What::Diagnose => return None,
        };
        let what = What::Ask(Question { key, act, amount, before: None });
        let (id, receipts) = (self.id.clone(), self.receipts.clone());
        Some(Self { what, id, before: self.before, service, for_transaction: true, receipts })
    }

    /// A transaction that fell silent is asked for until it ends; other questions have their time.
    pub(super) fn may_ask_again(&self, now: Instant) -> bool {
        self.for_transaction || now < self.before
    }

    pub(super) fn still_running(self) -> Option<Action> {
        Some(Action::Reply(self.id, Outcome::Done(Value::Finding(Finding::Running))))
    }

    /// The connection is gone.
    pub(super) fn cut(self) -> Option<Action> {
        let outcome = if self.moves_money() || self.for_transaction {
            Outcome::Unknown(
                "the connection to the terminal broke in the middle of it: it is asked what came of it".into(),
            )
        } else {
            Outcome::Rejected(Reason::Offline, "the connection to the terminal broke".to_owned())
        };
        Some(Action::Reply(self.id, outcome))
    }
}

fn category_of(act: Act) -> &'static str {
    match act {
        Act::Payment | Act::Refund => "Payment",
        Act::Reversal => "Reversal",
    }
}

fn sale_data(reference: &str, at_ms: i64) -> El {
    el("SaleData").child(el("SaleTransactionID").attr("TransactionID", reference).attr("TimeStamp", iso8601(at_ms)))
}

fn payment(order: &Order, kind: &str) -> El {
    let Amount { minor, currency } = order.amount;
    let amounts = el("AmountsReq")
        .attr("Currency", currency.code())
        .tree("RequestedAmount", Tree::number(currency.decimal(minor)));
    el("PaymentRequest")
        .child(sale_data(&order.reference, order.at_ms))
        .child(el("PaymentTransaction").child(amounts))
        .child(el("PaymentData").attr("PaymentType", kind))
}

/// `Response` with `Failure`: the transaction did not take place.
fn refused(body: &Tree) -> Outcome {
    let reason = match body.str_at("Response.ErrorCondition") {
        Some("Cancel" | "Aborted") => Reason::Cancelled,
        Some("Busy" | "InProgress") => Reason::Busy,
        Some("UnavailableService" | "NotAllowed") => Reason::Unsupported,
        Some("MessageFormat" | "DeviceOut" | "UnreachableHost" | "LoggedOut" | "UnavailableDevice") => {
            Reason::DeviceError
        }
        _ => Reason::Declined,
    };
    Outcome::Rejected(reason, reply::words(body))
}

fn done(body: &Tree, act: Act, asked: Option<Amount>, certainty: Certainty) -> Done {
    let result = "PaymentResult.";
    let at = |path: &str| body.str_at(&format!("{result}{path}")).map(crate::payment::masked);
    let charged = || {
        let currency = crate::payment::Currency::of_code(&at("AmountsResp.Currency")?)?;
        let minor = currency.minor(&at("AmountsResp.AuthorizedAmount")?)?;
        Some(Amount { minor, currency })
    };
    let transaction = body.at("POIData.POITransactionID").and_then(|id| {
        let number = id.str_at("TransactionID")?;
        Some(match id.str_at("TimeStamp") {
            Some(time) => format!("{number}|{time}"),
            None => number.to_owned(),
        })
    });
    let card = "PaymentInstrumentData.CardData";
    Done {
        act,
        amount: charged().or(asked),
        certainty,
        transaction,
        mark: Some(Mark(String::new())),
        terminal_id: at("PaymentAcquirerData.AcquirerPOIID"),
        approval_code: at("PaymentAcquirerData.ApprovalCode"),
        card_brand: at(&format!("{card}.PaymentBrand")),
        card_last4: body.str_at(&format!("{result}{card}.MaskedPAN")).and_then(crate::payment::mask::last4),
        receipts: reply::receipts(body),
    }
}

fn finding(question: &Question, body: &Tree) -> Finding {
    let cannot = |why: &str| Finding::CannotTell(format!("{why}: compare with the terminal's own journal"));
    match (body.str_at("Response.Result"), body.str_at("Response.ErrorCondition")) {
        (Some("Success"), _) => {}
        (_, Some("InProgress" | "Busy")) => return Finding::Running,
        (_, Some("NotFound")) => {
            return Finding::NotCharged("the terminal has no transaction of this name".to_owned());
        }
        _ => return cannot("the terminal does not say what came of the transaction"),
    }
    let Some(repeated) = body.get("RepeatedMessageResponse") else {
        return cannot("the terminal's answer holds no transaction");
    };
    if repeated.str_at("MessageHeader.ServiceID").is_some_and(|service| service != question.key) {
        return cannot("the terminal's last transaction is another one");
    }
    // Some terminals leave out the level between.
    let inner = repeated.get("RepeatedResponseMessageBody").unwrap_or(repeated);
    let name = match question.act {
        Act::Payment | Act::Refund => "PaymentResponse",
        Act::Reversal => "ReversalResponse",
    };
    let Some(response) = inner.get(name) else { return cannot("the terminal's answer holds no transaction") };
    match response.str_at("Response.Result") {
        Some("Success" | "Partial") => {
            Finding::Charged(done(response, question.act, question.amount, Certainty::Asked))
        }
        Some("Failure") => Finding::NotCharged(reply::words(response)),
        _ => cannot("the terminal does not say what came of the transaction"),
    }
}

/// What was found out, as the transaction's own outcome.
fn settled(finding: Finding) -> Outcome {
    match finding {
        Finding::Charged(done) => Outcome::Done(Value::Payment(Box::new(done))),
        Finding::NotCharged(message) => Outcome::Rejected(Reason::Declined, message),
        Finding::Running | Finding::CannotTell(_) => {
            Outcome::Unknown("the terminal cannot say what came of it: look at its own journal".to_owned())
        }
    }
}
