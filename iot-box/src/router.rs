//! What devices say goes up, what people and the ERP ask for goes down.
//!
//! ```text
//! device ── event ──► outbox (committed) ──► listeners on the LAN, session
//! device ── weight ─► listeners, and at most ten a second to the session
//! asker ─► outbox.begin_command (committed) ─► device ─► outbox.finish_command ─► askers, listeners, session
//! ```
//!
//! What may wait for its printer waits in [`crate::queue`]; what a printer says of a job after a cut ends in
//! [`crate::doubt`].

use std::{sync::Arc, time::Duration};

use cloud_link::outbox::{AppendError, Begun, Digest, Origin, Outbox};
use drivers::Request;
use link_protocol::{
    down::CommandBody,
    ids::{CommandId, DeviceId},
    outcome::{Outcome, Reason, Value},
    up::{DeviceStatus, EventBody, Live, LiveBody},
};
use tokio::{
    sync::{mpsc::error::TrySendError, oneshot, watch},
    time::Instant,
};
use tokio_util::task::TaskTracker;

use crate::{
    clock::now_ms, doctor::Scans, doubt::Doubts, fleet::Table, hub::Hub, payments::Payments, queue::Queues, wire,
};

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
    queues: Queues,
    doubts: Doubts,
}

impl Router {
    pub(crate) fn new(
        outbox: Outbox,
        hub: Arc<Hub>,
        table: watch::Receiver<Arc<Table>>,
        payments: Arc<Payments>,
    ) -> Self {
        let (scans, queues, doubts) = (Scans::default(), Queues::default(), Doubts::default());
        Self { outbox, hub, table, payments, tasks: TaskTracker::new(), scans, queues, doubts }
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
        // Jobs that wait do so on disk; they go on when the box is back.
        while self.tasks.len() > self.queues.all() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
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
            wire::Meaning::Printed(mark) => self.doubts.printed(device, mark),
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
        let outcome = if Payments::concerns(&order.body) {
            self.payments.run(self, &order).await
        } else if order.body.holds() {
            self.queues.run(self, order.clone()).await
        } else {
            match &order.body {
                CommandBody::CancelPrint { job } => self.queues.cancel(self, job).await,
                _ => self.try_once(&order).await,
            }
        };
        self.finish_order(order, outcome).await
    }

    /// Jobs that waited when the box stopped wait again, in their order.
    pub(crate) async fn resume(self: &Arc<Self>) {
        let held = match self.outbox.held().await {
            Ok(held) => held,
            Err(error) => return tracing::error!(%error, "the jobs that wait cannot be read"),
        };
        let now = self.outbox.latest_time_ms();
        for job in held {
            let left = Duration::from_millis(u64::try_from(job.until_ms - now).unwrap_or(0));
            let order = Order { id: job.id, device: job.device, body: job.body, deadline: Instant::now() + left };
            let (router, queued) = (self.clone(), self.queues.enter(&order));
            tracing::info!(command.id = %order.id, device.id = %order.device, "a job waits for its printer again");
            self.tasks.spawn(async move {
                let outcome = router.queues.wait(&router, &order, queued).await;
                router.finish_order(order, outcome).await;
            });
        }
    }

    /// The device, or its neighbour if it cannot and one is set up. A print that ends in doubt is doubted only after the
    /// printer has had time to say that it is on paper.
    pub(crate) async fn try_once(&self, order: &Order) -> Outcome {
        let Order { id, device, body, deadline } = order;
        let prints = matches!(body, CommandBody::Print { .. } | CommandBody::PrintFile { .. });
        if !prints {
            return self.ask(id, device, body.clone(), *deadline).await;
        }
        let outcome = self.ask_in_doubt(id, device, body.clone(), *deadline).await;
        let (Outcome::Rejected { reason, .. }, Some(neighbour)) = (&outcome, self.neighbour(device)) else {
            return outcome;
        };
        if !transient(*reason) || *deadline <= Instant::now() {
            return outcome;
        }
        let mut body = body.clone();
        if let CommandBody::Print { document } = &mut body {
            // Its drawer is not the one that the cashier stands at.
            document.open_drawer = false;
        }
        tracing::info!(command.id = %id, device.id = %device, neighbour = %neighbour, "the neighbour prints");
        match self.ask_in_doubt(id, &neighbour, body, *deadline).await {
            // What is wrong with the printer that was asked is what a person has to mend.
            Outcome::Rejected { .. } => outcome,
            printed => printed,
        }
    }

    async fn ask_in_doubt(&self, id: &CommandId, device: &DeviceId, body: CommandBody, deadline: Instant) -> Outcome {
        let printer = match self.table.borrow().get(device).and_then(|entry| entry.more_on.clone()) {
            Some((on, _)) => on,
            None => device.clone(),
        };
        let doubt = self.doubts.watch(&printer, drivers::printer::mark(id.as_str()));
        let outcome = self.ask(id, device, body, deadline).await;
        match outcome {
            Outcome::Unknown { message } => doubt.settle(message).await,
            outcome => outcome,
        }
    }

    pub(crate) fn has_neighbour(&self, device: &DeviceId) -> bool {
        let Some(neighbour) = self.neighbour(device) else { return false };
        let table = self.table.borrow();
        table
            .get(&neighbour)
            .is_some_and(|entry| matches!(entry.device.status, DeviceStatus::Ready | DeviceStatus::Warning))
    }

    pub(crate) fn queues(&self) -> &Queues {
        &self.queues
    }

    fn neighbour(&self, device: &DeviceId) -> Option<DeviceId> {
        let table = self.table.borrow();
        let neighbour = table.get(device)?.options.get("neighbour")?.parse().ok()?;
        (neighbour != *device).then_some(neighbour)
    }

    async fn finish_order(&self, Order { id, device, body, .. }: Order, outcome: Outcome) -> Outcome {
        let pays = Payments::concerns(&body);
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
            let command = match (command, &entry.more_on) {
                (drivers::Command::Printer(command), Some((_, settings))) => {
                    let under = drivers::printer::Command::With(settings.clone(), Box::new(command));
                    drivers::Command::Printer(under)
                }
                (command, _) => command,
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

/// Nothing was sent, and it may go better later.
pub(crate) fn transient(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Offline | Reason::NoDevice | Reason::PaperOut | Reason::CoverOpen | Reason::Busy | Reason::DeviceError
    )
}

/// The outcome's word, as screens show it.
pub(crate) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done { .. } => "done",
        Outcome::Rejected { .. } => "rejected",
        Outcome::Unknown { .. } => "unknown",
    }
}
