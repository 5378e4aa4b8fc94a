//! What devices say goes up, what people and the ERP ask for goes down.
//!
//! ```text
//! device ── event ──► outbox (committed) ──► listeners on the LAN, session
//! device ── weight ─► listeners, and at most ten a second to the session
//! asker ─► outbox.begin_command (committed) ─► device ─► outbox.finish_command ─► askers, listeners, session
//! ```

use std::{sync::Arc, time::Duration};

use cloud_link::outbox::{AppendError, Begun, Digest, Origin, Outbox};
use drivers::Request;
use link_protocol::{
    down::CommandBody,
    ids::{CommandId, DeviceId},
    outcome::{Outcome, Reason, Value},
    up::{EventBody, Live, LiveBody},
};
use tokio::{
    sync::{mpsc::error::TrySendError, oneshot, watch},
    time::Instant,
};
use tokio_util::task::TaskTracker;

use crate::{clock::now_ms, doctor::Scans, fleet::Table, hub::Hub, payments::Payments, wire};

/// A device answers every request; this only ends the wait for one that does not.
const ANSWER_WITHIN: Duration = Duration::from_secs(300);

/// A command with its deadline on our own clock.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) id: CommandId,
    pub(crate) device: DeviceId,
    pub(crate) body: CommandBody,
    pub(crate) deadline: Instant,
}

/// What became of an order at once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// This order ran now; every listener has heard the outcome.
    Ran(Outcome),
    /// It ran before: this is what came of it then.
    Repeated(Outcome),
    /// It runs now for an earlier asker; the outcome will be heard.
    Running,
    /// It was not recorded, so it did not run and nobody else heard of it.
    Refused(Outcome),
}

pub(crate) struct Router {
    outbox: Outbox,
    hub: Arc<Hub>,
    table: watch::Receiver<Arc<Table>>,
    payments: Arc<Payments>,
    /// Commands run here to their end, also when the asker hangs up.
    tasks: TaskTracker,
    scans: Scans,
}

impl Router {
    pub(crate) fn new(
        outbox: Outbox,
        hub: Arc<Hub>,
        table: watch::Receiver<Arc<Table>>,
        payments: Arc<Payments>,
    ) -> Self {
        Self { outbox, hub, table, payments, tasks: TaskTracker::new(), scans: Scans::default() }
    }

    pub(crate) fn payments(&self) -> &Arc<Payments> {
        &self.payments
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    pub(crate) fn table(&self) -> watch::Receiver<Arc<Table>> {
        self.table.clone()
    }

    /// Commands that ran are on disk when this returns.
    pub(crate) async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    pub(crate) fn scans(&self) -> &Scans {
        &self.scans
    }

    pub(crate) async fn emit(&self, device: &DeviceId, event: drivers::DeviceEvent) {
        if let drivers::DeviceEvent::Scanner(drivers::scanner::Event::Code(code)) = &event {
            self.scans.note(device, code.timing);
        }
        match wire::meaning(event) {
            wire::Meaning::Live(body) => self.hub.live(Live { device: device.clone(), body }),
            wire::Meaning::Event(body) => self.store(device, body).await,
        }
    }

    pub(crate) async fn store(&self, device: &DeviceId, body: EventBody) {
        let at_ms = now_ms();
        match self.outbox.append(device.clone(), at_ms, body.clone()).await {
            Ok(event) => self.hub.event(event),
            Err(error) => {
                if !matches!(error, AppendError::Full) {
                    tracing::error!(device.id = %device, %error, "event could not be stored and passes live");
                }
                let body = LiveBody::NotStored { at_ms, event: body };
                self.hub.live(Live { device: device.clone(), body });
            }
        }
    }

    /// Runs a command of somebody near the box as a task of its own; `done` gets the answer, also after the asker's
    /// connection ended.
    pub(crate) fn spawn<F>(self: &Arc<Self>, order: Order, done: impl FnOnce(Answer) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let router = self.clone();
        self.tasks.spawn(async move { done(router.run(order).await).await });
    }

    /// Runs a command of the ERP, which the session has begun in the ledger already.
    pub(crate) fn spawn_begun(self: &Arc<Self>, order: Order) {
        let router = self.clone();
        self.tasks.spawn(async move { router.run_begun(order).await });
    }

    /// Runs a command at most once: its id is on disk before the device gets it.
    pub(crate) async fn run(&self, order: Order) -> Answer {
        let digest = Digest::of(&order.device, &order.body);
        match self.outbox.begin_command(&order.id, digest, Origin::Lan).await {
            Ok(Begun::Fresh) => Answer::Ran(self.run_begun(order).await),
            Ok(Begun::Running) => Answer::Running,
            Ok(Begun::Finished(outcome)) => Answer::Repeated(outcome),
            Ok(Begun::Conflict) => {
                let message = "This command id was used for another command: make a new one.".to_owned();
                Answer::Refused(Outcome::Rejected { reason: Reason::Invalid, message })
            }
            Err(error) => {
                tracing::error!(command.id = %order.id, %error, "command could not be recorded and does not run");
                let message = format!("The box cannot record the command, so it does not run it: {error}.");
                Answer::Refused(Outcome::Rejected { reason: Reason::NotStored, message })
            }
        }
    }

    async fn run_begun(&self, order: Order) -> Outcome {
        let pays = Payments::concerns(&order.body);
        let outcome = if pays { self.payments.run(self, &order).await } else { self.ask_for(&order).await };
        let Order { id, device, .. } = order;
        // A value that somebody asked for is a business event.
        match &outcome {
            Outcome::Done { value: Value::Weight(weight) } => {
                self.store(&device, EventBody::Weight(weight.clone())).await;
            }
            Outcome::Done { value: Value::Measurement(value) } => {
                self.store(&device, EventBody::Measurement(value.clone())).await;
            }
            _ => {}
        }
        if let Err(error) = self.outbox.finish_command(&id, &outcome).await {
            // After a restart the ledger says Unknown, which is true for whoever asks then.
            tracing::error!(command.id = %id, %error, "outcome of a command could not be recorded");
        }
        if pays {
            self.payments.recorded(&id).await;
        }
        tracing::info!(command.id = %id, device.id = %device, outcome = word(&outcome), "command ended");
        self.hub.outcome(device, id, outcome.clone());
        outcome
    }

    async fn ask_for(&self, order: &Order) -> Outcome {
        self.ask(&order.id, &order.device, order.body.clone(), order.deadline).await
    }

    /// Hands the command to the device and waits for its answer.
    pub(crate) async fn ask(&self, id: &CommandId, device: &DeviceId, body: CommandBody, deadline: Instant) -> Outcome {
        match wire::command(body) {
            Ok(command) => match self.ask_driver(id, device, command, deadline).await {
                Ok(outcome) => wire::outcome(outcome),
                Err(outcome) => outcome,
            },
            Err(error) => Outcome::Rejected { reason: Reason::Invalid, message: error.to_string() },
        }
    }

    /// The driver's own answer; `Err` if it was not asked or did not answer.
    pub(crate) async fn ask_driver(
        &self,
        id: &CommandId,
        device: &DeviceId,
        command: drivers::Command,
        deadline: Instant,
    ) -> Result<drivers::Outcome, Outcome> {
        let rejected = |reason, message: String| Err(Outcome::Rejected { reason, message });
        let (reply, answer) = oneshot::channel();
        {
            let table = self.table.borrow();
            let Some(entry) = table.get(device) else {
                return rejected(Reason::NoDevice, format!("The box knows no device {device}."));
            };
            let Some(requests) = &entry.requests else {
                let message = match entry.device.message.as_str() {
                    "" => format!("{} is not connected or switched off.", entry.device.name),
                    message => message.to_owned(),
                };
                return rejected(Reason::Offline, message);
            };
            let id = drivers::CommandId(id.as_str().into());
            match requests.try_send(Request { id, command, deadline, reply }) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    let message = format!("Too many commands wait for {}: try again shortly.", entry.device.name);
                    return rejected(Reason::Busy, message);
                }
                Err(TrySendError::Closed(_)) => {
                    return rejected(Reason::Offline, format!("{} went away just now.", entry.device.name));
                }
            }
        }
        match tokio::time::timeout_at(deadline + ANSWER_WITHIN, answer).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(_)) => Err(Outcome::Unknown { message: "The device's driver ended in the middle of it.".into() }),
            Err(_) => Err(Outcome::Unknown { message: "The device's driver did not say how it ended.".into() }),
        }
    }
}

/// The outcome's word, as screens show it.
pub(crate) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done { .. } => "done",
        Outcome::Rejected { .. } => "rejected",
        Outcome::Unknown { .. } => "unknown",
    }
}
