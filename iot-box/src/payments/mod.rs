//! Card payments: written down before the terminal hears of them, asked for after a cut, never repeated by themselves.
//!
//! ```text
//! command ─► lane free, nothing in doubt? ─► last transaction of the terminal (its mark) ─► journal (on disk)
//!         ─► terminal ─► outcome ─► journal, event ─► ledger, asker
//! after a cut, a restart:  journal: in doubt ─► terminal ready? ─► "did it charge?" ─► journal, event, ledger, asker
//! ```
//! While a transaction of a terminal is in doubt, no other begins on it: some terminals can only tell of their last one.

mod journal;
pub(crate) mod ports;
mod words;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use drivers::{
    Outcome as DriverOutcome, Value as DriverValue,
    payment::{self as driver, Finding},
};
use link_protocol::{
    down::CommandBody,
    ids::{CommandId, DeviceId},
    outcome::{Outcome, Reason, Value},
    payment::{Payment, PaymentCertainty, PaymentReport, PaymentState},
    up::{DeviceStatus, EventBody},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    app::own_command_id,
    clock::now_ms,
    router::{Order, Router},
    supervisor::Exit,
    wire,
};
pub(crate) use journal::{Journal, Record};
pub(crate) use words::{payment, receipt, receipts, status};

/// Between two looks at what is in doubt.
const LOOK: Duration = Duration::from_millis(500);
/// For a question to a terminal.
const ASK_WITHIN: Duration = Duration::from_secs(30);

pub(crate) struct Payments {
    journal: Journal,
    /// Terminals that work on something.
    lanes: Mutex<HashSet<DeviceId>>,
}

/// A terminal is this transaction's until it is dropped.
struct Lane<'a> {
    of: &'a Payments,
    device: DeviceId,
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        self.of.lanes.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.device);
    }
}

fn rejected(reason: Reason, message: impl Into<String>) -> Outcome {
    Outcome::Rejected { reason, message: message.into() }
}

impl Payments {
    pub(crate) fn new(journal: Journal) -> Self {
        Self { journal, lanes: Mutex::default() }
    }

    pub(crate) async fn records(&self) -> Vec<Record> {
        self.journal.all().await
    }

    /// Whether this command is answered here.
    pub(crate) fn concerns(body: &CommandBody) -> bool {
        words::wanted(body).is_some()
            || matches!(body, CommandBody::PaymentStatus { .. } | CommandBody::ReconcilePayments)
    }

    pub(crate) async fn run(&self, router: &Router, order: &Order) -> Outcome {
        match &order.body {
            CommandBody::PaymentStatus { of } => self.status(router, of).await,
            // Some terminals empty their journal at the end of the day.
            CommandBody::ReconcilePayments => match self.lane(&order.device).await {
                Ok(_lane) => router.ask(&order.id, &order.device, order.body.clone(), order.deadline).await,
                Err(refusal) => refusal,
            },
            _ => self.transact(router, order).await,
        }
    }

    /// The terminal, if it is free and nothing of it is in doubt.
    async fn lane(&self, device: &DeviceId) -> Result<Lane<'_>, Outcome> {
        let Some(lane) = self.free_lane(device) else {
            return Err(rejected(Reason::Busy, "The terminal is busy with another transaction."));
        };
        let doubt =
            self.journal.all().await.into_iter().find(|r| r.device == *device && r.state == PaymentState::InDoubt);
        match doubt {
            None => Ok(lane),
            Some(record) => Err(rejected(
                Reason::Busy,
                format!(
                    "It is not known yet whether {} was charged: the terminal is asked as soon as it answers.",
                    title(&record)
                ),
            )),
        }
    }

    fn free_lane(&self, device: &DeviceId) -> Option<Lane<'_>> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.insert(device.clone()).then(|| Lane { of: self, device: device.clone() })
    }

    async fn transact(&self, router: &Router, order: &Order) -> Outcome {
        let Some(wanted) = words::wanted(&order.body) else {
            return rejected(Reason::Invalid, "This is no payment.");
        };
        let (key, began_ms) = (words::key(order.id.as_str()), now_ms());
        let command = match wanted.command(&key, began_ms) {
            Ok(command) => command,
            Err(message) => return rejected(Reason::Invalid, message),
        };
        let _lane = match self.lane(&order.device).await {
            Ok(lane) => lane,
            Err(refusal) => return refusal,
        };
        let before = match self.mark(router, order).await {
            Ok(mark) => mark,
            Err(refusal) => return refusal,
        };
        let mut record = Record {
            v: link_protocol::VERSION,
            command: order.id.clone(),
            device: order.device.clone(),
            key,
            act: wanted.act,
            asked: wanted.asked,
            reference: wanted.reference,
            before,
            after: None,
            began_ms,
            state: PaymentState::Running,
            outcome: None,
            told: false,
        };
        // From here on the box knows of it, whatever happens.
        if let Err(error) = self.journal.put(record.clone()).await {
            tracing::error!(command.id = %order.id, %error, "payment could not be written down and is not made");
            return rejected(Reason::NotStored, format!("{error}."));
        }
        let command = drivers::Command::Payment(command);
        let outcome = match router.ask_driver(&order.id, &order.device, command, order.deadline).await {
            Ok(DriverOutcome::Done(DriverValue::Payment(done))) => {
                (record.state, record.after) = (PaymentState::Approved, done.mark.clone().map(|m| m.0));
                Outcome::Done { value: Value::Payment(Box::new(payment(*done))) }
            }
            Ok(DriverOutcome::Rejected(reason, message)) => {
                record.state = PaymentState::NotCharged;
                wire::outcome(DriverOutcome::Rejected(reason, message))
            }
            Err(refusal @ Outcome::Rejected { .. }) => {
                record.state = PaymentState::NotCharged;
                refusal
            }
            Ok(DriverOutcome::Unknown(message)) | Err(Outcome::Unknown { message }) => {
                record.state = PaymentState::InDoubt;
                Outcome::Unknown { message }
            }
            Ok(DriverOutcome::Done(_)) | Err(Outcome::Done { .. }) => {
                record.state = PaymentState::InDoubt;
                Outcome::Unknown { message: "The terminal's driver gave no result.".to_owned() }
            }
        };
        record.outcome = Some(outcome.clone());
        self.note(record.clone()).await;
        // What the terminal showed meanwhile is over.
        router.hub().forget(&order.device);
        tell(router, &record).await;
        outcome
    }

    /// The terminal's last transaction before ours. A terminal that prints its receipts itself is not asked, since it
    /// would print: there the one before counts, if it was ours.
    async fn mark(&self, router: &Router, order: &Order) -> Result<Option<String>, Outcome> {
        let own = own_command_id("mark").map_err(|e| rejected(Reason::NotStored, e.to_string()))?;
        let last = drivers::Command::Payment(driver::Command::Last);
        match router.ask_driver(&own, &order.device, last, order.deadline).await {
            Ok(DriverOutcome::Done(DriverValue::Mark(Some(mark)))) => Ok(Some(mark.0)),
            Ok(DriverOutcome::Done(_)) => Ok(self.last_own(&order.device).await),
            Ok(DriverOutcome::Unknown(message)) => Err(rejected(Reason::Offline, message)),
            // Not a payment yet: nothing happened.
            Ok(refused) => Err(wire::outcome(refused)),
            Err(Outcome::Unknown { message }) => Err(rejected(Reason::Offline, message)),
            Err(refusal) => Err(refusal),
        }
    }

    async fn last_own(&self, device: &DeviceId) -> Option<String> {
        let records = self.journal.all().await;
        records.into_iter().filter(|r| r.device == *device).max_by_key(|r| r.began_ms)?.after
    }

    /// The outcome of this command is recorded.
    pub(crate) async fn recorded(&self, command: &CommandId) {
        if let Some(record) = self.journal.get(command).await.filter(|r| !r.told) {
            self.note(Record { told: true, ..record }).await;
        }
    }

    async fn note(&self, record: Record) {
        // In memory it counts all the same; after a restart the terminal is asked again.
        if let Err(error) = self.journal.put(record).await {
            tracing::error!(%error, "what came of a payment could not be written down");
        }
    }

    /// Did it charge?
    async fn status(&self, router: &Router, of: &CommandId) -> Outcome {
        let Some(mut record) = self.journal.get(of).await else {
            return rejected(Reason::Invalid, "The box knows no payment with this command id: it made none.");
        };
        if matches!(record.state, PaymentState::InDoubt | PaymentState::Undecided)
            && let Some(found) = self.resolve(router, &record).await
        {
            record = found;
        }
        let (payment, message) = parts(record.outcome.as_ref());
        Outcome::Done { value: Value::PaymentStatus { state: record.state, payment, message } }
    }

    /// Asks the terminal what came of it; the record as it is afterwards, if that is another.
    async fn resolve(&self, router: &Router, record: &Record) -> Option<Record> {
        let _lane = self.free_lane(&record.device)?;
        // It may have been found out while the lane was another's.
        let mut record = self.journal.get(&record.command).await.filter(|r| !r.is_decided())?;
        let own = own_command_id("ask").ok()?;
        let question = driver::Question {
            key: record.key.clone(),
            act: words::act_of(record.act),
            amount: record.asked.as_ref().and_then(|a| words::amount_of(a).ok()),
            before: record.before.clone().map(driver::Mark),
        };
        let ask = drivers::Command::Payment(driver::Command::Status(question));
        let found = match router.ask_driver(&own, &record.device, ask, Instant::now() + ASK_WITHIN).await {
            Ok(DriverOutcome::Done(DriverValue::Finding(finding))) => finding,
            Ok(DriverOutcome::Rejected(drivers::Reason::Unsupported, message)) => Finding::CannotTell(message),
            other => {
                tracing::info!(command.id = %record.command, answered = other.is_ok(), "terminal could not be asked yet");
                return None;
            }
        };
        let (state, outcome) = match found {
            Finding::Charged(done) => {
                record.after = done.mark.clone().map(|m| m.0);
                (PaymentState::Approved, Outcome::Done { value: Value::Payment(Box::new(payment(done))) })
            }
            Finding::NotCharged(message) => (PaymentState::NotCharged, rejected(Reason::Declined, message)),
            Finding::CannotTell(message) => (PaymentState::Undecided, Outcome::Unknown { message }),
            Finding::Running => return None,
        };
        let changed = record.state != state;
        (record.state, record.outcome) = (state, Some(outcome));
        if changed {
            tracing::info!(command.id = %record.command, device.id = %record.device, state = ?state, "terminal was asked what came of a payment");
            record.told = false;
            self.note(record.clone()).await;
            self.publish(router, &record).await;
        }
        Some(record)
    }

    /// A person looked at the terminal's own journal.
    pub(crate) async fn settle(&self, router: &Router, command: &CommandId, charged: bool) -> Result<(), &'static str> {
        let undecided = |r: &Record| matches!(r.state, PaymentState::InDoubt | PaymentState::Undecided);
        let Some(mut record) = self.journal.get(command).await.filter(undecided) else {
            return Err("This payment is not in doubt any more.");
        };
        let message = match charged {
            true => "A person looked at the terminal: it was charged.",
            false => "A person looked at the terminal: it was not charged.",
        };
        (record.state, record.outcome) = match (charged, &record.asked) {
            (true, Some(amount)) => {
                let payment = Payment {
                    act: record.act,
                    amount: amount.clone(),
                    certainty: PaymentCertainty::Asked,
                    transaction: None,
                    terminal_id: None,
                    approval_code: None,
                    card_brand: None,
                    card_last4: None,
                    receipts: Vec::new(),
                };
                (PaymentState::Approved, Some(Outcome::Done { value: Value::Payment(Box::new(payment)) }))
            }
            (true, None) => (PaymentState::Approved, Some(Outcome::Done { value: Value::Nothing })),
            (false, _) => (PaymentState::NotCharged, Some(rejected(Reason::Declined, message))),
        };
        record.told = false;
        tracing::warn!(command.id = %command, charged, "a person decided what came of a payment");
        self.note(record.clone()).await;
        self.publish(router, &record).await;
        Ok(())
    }

    /// Event, ledger, listeners.
    async fn publish(&self, router: &Router, record: &Record) {
        tell(router, record).await;
        if let Some(outcome) = record.outcome.as_ref().filter(|_| record.state != PaymentState::InDoubt) {
            if let Err(error) = router.outbox().resolve_command(&record.command, outcome).await {
                tracing::error!(command.id = %record.command, %error, "what came of a payment could not be recorded");
            }
            router.hub().outcome(record.device.clone(), record.command.clone(), outcome.clone());
        }
        self.recorded(&record.command).await;
    }

    /// Asks after what is in doubt, as soon as its terminal is ready; until cancelled.
    pub(crate) async fn keep_asking(self: Arc<Self>, router: Arc<Router>, cancel: CancellationToken) -> Exit {
        // What a stop cut off between the journal and its event.
        for record in self.journal.all().await.into_iter().filter(|r| !r.told) {
            self.publish(&router, &record).await;
        }
        let table = router.table();
        loop {
            tokio::select! {
                () = cancel.cancelled() => return Exit::Finished,
                () = tokio::time::sleep(LOOK) => {}
            }
            for record in self.journal.all().await {
                let ready = table
                    .borrow()
                    .get(&record.device)
                    .is_some_and(|entry| matches!(entry.device.status, DeviceStatus::Ready | DeviceStatus::Warning));
                if record.state == PaymentState::InDoubt && ready {
                    tokio::select! {
                        () = cancel.cancelled() => return Exit::Finished,
                        _ = self.resolve(&router, &record) => {}
                    }
                }
            }
        }
    }
}

fn parts(outcome: Option<&Outcome>) -> (Option<Box<Payment>>, String) {
    match outcome {
        Some(Outcome::Done { value: Value::Payment(payment) }) => (Some(payment.clone()), String::new()),
        Some(Outcome::Rejected { message, .. } | Outcome::Unknown { message }) => (None, message.clone()),
        _ => (None, String::new()),
    }
}

async fn tell(router: &Router, record: &Record) {
    let (payment, mut message) = parts(record.outcome.as_ref());
    if record.state == PaymentState::InDoubt && message.is_empty() {
        message = "The box stopped in the middle of it: the terminal is asked what came of it.".to_owned();
    }
    let report = PaymentReport {
        command: record.command.clone(),
        act: record.act,
        state: record.state,
        asked: record.asked.clone(),
        reference: record.reference.clone(),
        payment,
        message,
    };
    router.store(&record.device, EventBody::Payment(Box::new(report))).await;
}

/// A transaction for people: `12.50 EUR (0042)`.
pub(crate) fn title(record: &Record) -> String {
    let amount = match &record.asked {
        Some(asked) => match driver::Currency::of_code(&asked.currency) {
            Some(currency) => format!("{} {}", currency.decimal(asked.minor), asked.currency),
            None => format!("{} {}", asked.minor, asked.currency),
        },
        None => "a reversal".to_owned(),
    };
    match record.reference.as_str() {
        "" => amount,
        reference => format!("{amount} ({reference})"),
    }
}
