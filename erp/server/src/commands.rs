//! Commands to devices: a row from the wish until its outcome or its deadline.
//!
//! ```text
//! issue --> waiting --(handed to the box)--> sent --(result)--> done | rejected | unknown
//!             |                               |
//!             +-- deadline: rejected(expired) +-- deadline and grace: unknown --(late result)--> done | rejected
//! ```
//! The box runs an id at most once, so handing it over again is harmless and wishing it again gives the same row.

use std::{sync::Arc, time::Duration};

use erp_engine::{Engine, Env, Id, Record, Search, Uid, domain, values};
use jiff::Timestamp;
use link_protocol::{
    VERSION,
    down::{Command, CommandBody},
    ids::{BoxId, CommandId, DeviceId},
    outcome::{Outcome, Reason},
    topic,
};
use serde::Serialize;
use tokio::{sync::broadcast::error::RecvError, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    bus::{Bus, BusMessage},
    enrol::random_id,
    error::ServiceError,
    hub::{Link, PublishError},
};

const LONGEST_TTL: Duration = Duration::from_secs(600);
const SHORTEST_TTL: Duration = Duration::from_millis(100);
const MAX_BODY: usize = 200 * 1024;
const SWEEP: Duration = Duration::from_millis(500);
/// The deadline is for a command's first byte; its result comes when it is through.
const GRACE_ONLINE_MS: i64 = 20_000;
const GRACE_OFFLINE_MS: i64 = 2_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// The box has not been given it yet.
    Waiting,
    /// Handed to the box.
    Sent,
    Done,
    Rejected,
    Unknown,
}

impl CommandState {
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Rejected | Self::Unknown)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Done => "done",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        }
    }

    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done { .. } => Self::Done,
            Outcome::Rejected { .. } => Self::Rejected,
            Outcome::Unknown { .. } => Self::Unknown,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CommandStatus {
    pub command_id: CommandId,
    pub r#box: BoxId,
    pub device: String,
    /// What was asked: `print`, `open_drawer`, ...
    pub r#do: String,
    /// For people: the document's title, or the verb.
    pub title: String,
    pub state: CommandState,
    /// Present when the state is done, rejected or unknown; its words are the ones to show.
    pub outcome: Option<Outcome>,
}

const FIELDS: [&str; 10] =
    ["command_id", "box", "box.box_id", "device", "do", "body", "title", "issued_ms", "ttl_ms", "state"];

#[derive(Clone)]
pub struct Commands {
    engine: Engine,
    link: Arc<dyn Link>,
    bus: Bus,
}

impl Commands {
    pub fn new(engine: Engine, link: Arc<dyn Link>, bus: Bus) -> Self {
        Self { engine, link, bus }
    }

    /// Stores the command and hands it to the box. The same `command_id` again with the same content gives the same
    /// command and runs nothing twice; with other content it is a [`ServiceError::Conflict`].
    pub async fn issue(
        &self,
        uid: Uid,
        box_id: &BoxId,
        device: &DeviceId,
        body: CommandBody,
        ttl: Duration,
        command_id: Option<CommandId>,
    ) -> Result<CommandId, ServiceError> {
        let ttl = ttl.clamp(SHORTEST_TTL, LONGEST_TTL);
        let id = match command_id {
            Some(id) => id,
            None => random_id::<15>()?.parse().map_err(ServiceError::internal)?,
        };
        let command = Command {
            v: VERSION,
            id: id.clone(),
            device: device.clone(),
            issued_ms: Timestamp::now().as_millisecond(),
            ttl_ms: u32::try_from(ttl.as_millis()).unwrap_or(u32::MAX),
            body,
        };
        let body = serde_json::to_value(&command.body).map_err(ServiceError::internal)?;
        if body.to_string().len() > MAX_BODY {
            return Err(ServiceError::Invalid("the document is too large: use smaller pictures".to_owned()));
        }
        // The user must see the box; the row itself is the server's.
        let mut env = self.engine.begin(uid).await?;
        let mine = domain!(["box_id", "=", box_id.as_str()]);
        let found = env.search_read("iot.box", &mine, &["state", "name"], Search::default()).await?;
        let target = found.first().ok_or_else(|| ServiceError::NotFound(format!("there is no box {box_id}")))?;
        if target.get_str("state") != "paired" {
            let name = target.get_str("name");
            return Err(ServiceError::Conflict(format!("{name} is not paired: connect it at IoT boxes > Connect")));
        }
        drop(env);

        let online = self.link.is_connected(box_id);
        let state = if online { CommandState::Sent } else { CommandState::Waiting };
        let mut env = self.engine.superuser("issue a command").await?;
        let row = values! {
            "command_id" => id.as_str(),
            "box" => target.id,
            "device" => device.as_str(),
            "do" => verb(&command.body),
            "body" => body.clone(),
            "title" => title(&command.body),
            "issued_ms" => command.issued_ms,
            "ttl_ms" => command.ttl_ms,
            "state" => state.word(),
            "requested_by" => uid,
        };
        let inserted = env.create_if_new("iot.command", vec![row]).await?;
        if !inserted.is_new(0) {
            let stored = stored(&mut env, &id).await?.ok_or(ServiceError::Conflict("try again".to_owned()))?;
            let same = stored.get::<Id>("box")? == target.id
                && stored.get_str("device") == device.as_str()
                && stored.get::<serde_json::Value>("body")? == body;
            return if same {
                Ok(id)
            } else {
                Err(ServiceError::Conflict(format!("command {id} was used for something else: take a new id")))
            };
        }
        env.commit().await?;
        if online {
            if !self.hand_over(box_id, &command) {
                self.set_waiting(&id).await?;
            }
        } else if self.link.is_connected(box_id) {
            // It came meanwhile, and was handed what waited before this row was there.
            self.redeliver(box_id).await?;
        }
        Ok(id)
    }

    /// False when the box surely did not get it.
    fn hand_over(&self, box_id: &BoxId, command: &Command) -> bool {
        let left = command.issued_ms + i64::from(command.ttl_ms) - Timestamp::now().as_millisecond();
        let Some(left) = u64::try_from(left).ok().filter(|l| *l > 0) else { return true };
        let bytes = match serde_json::to_vec(command) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::error!(command.id = %command.id, %error, "A command could not be written.");
                return false;
            }
        };
        match self.link.publish(box_id, topic::COMMANDS, bytes.into(), Some(Duration::from_millis(left))) {
            Ok(()) => true,
            Err(PublishError::Offline) => false,
            Err(error) => {
                tracing::warn!(command.id = %command.id, r#box.id = %box_id, %error, "A command could not be handed over.");
                false
            }
        }
    }

    async fn set_waiting(&self, id: &CommandId) -> Result<(), ServiceError> {
        let mut env = self.engine.superuser("a command waits for its box").await?;
        let sent = domain!(["command_id", "=", id.as_str()], ["state", "=", "sent"]);
        env.write_where("iot.command", &sent, values! { "state" => "waiting" }).await?;
        env.commit().await?;
        Ok(())
    }

    /// A box has come (back): it gets what is still in time. What it has already, it knows by its id.
    pub(crate) async fn redeliver(&self, box_id: &BoxId) -> Result<(), ServiceError> {
        let mut env = self.engine.superuser("hand waiting commands to a box").await?;
        let open = domain!(["box.box_id", "=", box_id.as_str()], ["state", "in", vec!["waiting", "sent"]]);
        let rows = env.search_read("iot.command", &open, &FIELDS, Search::order("id")).await?;
        let now = Timestamp::now().as_millisecond();
        let mut commands = vec![];
        for row in &rows {
            if row.get::<i64>("issued_ms")? + row.get::<i64>("ttl_ms")? > now {
                commands.push(wire(row)?);
            }
        }
        if commands.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = commands.iter().map(|c| c.id.as_str()).collect();
        let these = domain!(["command_id", "in", ids], ["state", "=", "waiting"]);
        env.write_where("iot.command", &these, values! { "state" => "sent" }).await?;
        env.commit().await?;
        for command in &commands {
            if !self.hand_over(box_id, command) {
                self.set_waiting(&command.id).await?;
            }
        }
        Ok(())
    }

    pub async fn outcome(&self, uid: Uid, id: &CommandId) -> Result<CommandStatus, ServiceError> {
        let mut env = self.engine.begin(uid).await?;
        let found = env
            .search_read(
                "iot.command",
                &domain!(["command_id", "=", id.as_str()]),
                &["box.box_id", "device", "do", "title", "state", "outcome"],
                Search::default(),
            )
            .await?;
        let row = found.first().ok_or_else(|| ServiceError::NotFound(format!("there is no command {id}")))?;
        Ok(CommandStatus {
            command_id: id.clone(),
            r#box: row.get_str("box.box_id").parse().map_err(ServiceError::internal)?,
            device: row.get_str("device").to_owned(),
            r#do: row.get_str("do").to_owned(),
            title: row.get_str("title").to_owned(),
            state: state(row),
            outcome: serde_json::from_value(row.get("outcome")?).ok(),
        })
    }

    /// As [`Self::outcome`], but waits up to `wait` for a final state.
    pub async fn wait(&self, uid: Uid, id: &CommandId, wait: Duration) -> Result<CommandStatus, ServiceError> {
        let mut heard = self.bus.subscribe();
        let now = self.outcome(uid, id).await?;
        if now.state.is_final() || wait.is_zero() {
            return Ok(now);
        }
        let told = async {
            loop {
                match heard.recv().await {
                    Ok(BusMessage::Outcome { command_id, .. }) if command_id == *id => return,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_) | RecvError::Closed) => return,
                }
            }
        };
        timeout(wait, told).await.ok();
        self.outcome(uid, id).await
    }

    /// Judges deadlines until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut tick = tokio::time::interval(SWEEP);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            if let Err(error) = self.sweep().await {
                tracing::warn!(%error, "Deadlines of commands could not be judged; trying again.");
            }
        }
    }

    async fn sweep(&self) -> Result<(), ServiceError> {
        let mut env = self.engine.superuser("judge deadlines of commands").await?;
        let open = domain!(["state", "in", vec!["waiting", "sent"]]);
        let rows = env.search_read("iot.command", &open, &FIELDS, Search::order("id").limit(1000)).await?;
        let now = Timestamp::now().as_millisecond();
        let mut told = vec![];
        for row in &rows {
            let late_by = now - row.get::<i64>("issued_ms")? - row.get::<i64>("ttl_ms")?;
            let online = row.get_str("box.box_id").parse().is_ok_and(|b| self.link.is_connected(&b));
            let grace = if online { GRACE_ONLINE_MS } else { GRACE_OFFLINE_MS };
            let (was, outcome) = match state(row) {
                CommandState::Waiting if late_by > 0 => ("waiting", expired()),
                CommandState::Sent if late_by > grace => ("sent", lost()),
                _ => continue,
            };
            let Ok(id) = row.get_str("command_id").parse::<CommandId>() else { continue };
            let still = domain!(["id", "=", row.id], ["state", "=", was]);
            told.extend(set_outcome(&mut env, &still, &id, &outcome).await?);
        }
        if told.is_empty() {
            return Ok(());
        }
        env.commit().await?;
        for message in told {
            self.bus.send(message);
        }
        Ok(())
    }
}

fn expired() -> Outcome {
    let message = "the box was not connected before the deadline; nothing was done".to_owned();
    Outcome::Rejected { reason: Reason::Expired, message }
}

fn lost() -> Outcome {
    Outcome::Unknown {
        message: "the box was given the command and did not say what came of it: look at the device".to_owned(),
    }
}

/// A result came from the box. What the box says is the truth, also about what looked lost.
pub(crate) async fn finish(
    env: &mut Env,
    box_row: Id,
    id: &CommandId,
    outcome: &Outcome,
) -> Result<Option<BusMessage>, ServiceError> {
    let open = domain!(
        ["command_id", "=", id.as_str()],
        ["box", "=", box_row],
        ["state", "in", vec!["waiting", "sent", "unknown"]]
    );
    set_outcome(env, &open, id, outcome).await
}

async fn set_outcome(
    env: &mut Env,
    which: &erp_engine::Domain,
    id: &CommandId,
    outcome: &Outcome,
) -> Result<Option<BusMessage>, ServiceError> {
    let state = CommandState::of(outcome);
    let json = serde_json::to_value(outcome).map_err(ServiceError::internal)?;
    let written = env.write_where("iot.command", which, values! { "state" => state.word(), "outcome" => json }).await?;
    let message = BusMessage::Outcome { command_id: id.clone(), state, outcome: Some(outcome.clone()) };
    Ok((!written.is_empty()).then_some(message))
}

async fn stored(env: &mut Env, id: &CommandId) -> Result<Option<Record>, ServiceError> {
    let mine = domain!(["command_id", "=", id.as_str()]);
    Ok(env.search_read("iot.command", &mine, &FIELDS, Search::default()).await?.pop())
}

fn wire(row: &Record) -> Result<Command, ServiceError> {
    Ok(Command {
        v: VERSION,
        id: row.get_str("command_id").parse().map_err(ServiceError::internal)?,
        device: row.get_str("device").parse().map_err(ServiceError::internal)?,
        issued_ms: row.get("issued_ms")?,
        ttl_ms: row.get("ttl_ms")?,
        body: serde_json::from_value(row.get("body")?).map_err(ServiceError::internal)?,
    })
}

fn state(row: &Record) -> CommandState {
    match row.get_str("state") {
        "sent" => CommandState::Sent,
        "done" => CommandState::Done,
        "rejected" => CommandState::Rejected,
        "unknown" => CommandState::Unknown,
        _ => CommandState::Waiting,
    }
}

fn verb(body: &CommandBody) -> &'static str {
    match body {
        CommandBody::Print { .. } => "print",
        CommandBody::PrintFile { .. } => "print_file",
        CommandBody::CancelPrint { .. } => "cancel_print",
        CommandBody::OpenDrawer => "open_drawer",
        CommandBody::ReadWeight => "read_weight",
        CommandBody::ZeroScale => "zero_scale",
        CommandBody::TareScale => "tare_scale",
        CommandBody::Measure => "measure",
        CommandBody::Pay { .. } => "pay",
        CommandBody::RefundPayment { .. } => "refund_payment",
        CommandBody::ReversePayment { .. } => "reverse_payment",
        CommandBody::AbortPayment => "abort_payment",
        CommandBody::PaymentStatus { .. } => "payment_status",
        CommandBody::ReconcilePayments => "reconcile_payments",
        CommandBody::DiagnoseTerminal => "diagnose_terminal",
    }
}

fn title(body: &CommandBody) -> String {
    match body {
        CommandBody::Print { document } => document.title.chars().take(120).collect(),
        CommandBody::PrintFile { file } => file.title.chars().take(120).collect(),
        CommandBody::CancelPrint { job } => format!("Cancel the print {job}"),
        CommandBody::OpenDrawer => "Open the drawer".to_owned(),
        CommandBody::ReadWeight => "Read the weight".to_owned(),
        CommandBody::ZeroScale => "Set the scale to zero".to_owned(),
        CommandBody::TareScale => "Tare the scale".to_owned(),
        CommandBody::Measure => "Take a measurement".to_owned(),
        CommandBody::Pay { reference, .. } => format!("Pay {reference}").trim_end().to_owned(),
        CommandBody::RefundPayment { reference, .. } => format!("Refund {reference}").trim_end().to_owned(),
        CommandBody::ReversePayment { reference, .. } => format!("Take back {reference}").trim_end().to_owned(),
        CommandBody::AbortPayment => "Stop the payment".to_owned(),
        CommandBody::PaymentStatus { .. } => "Did it charge?".to_owned(),
        CommandBody::ReconcilePayments => "End of day of the payment terminal".to_owned(),
        CommandBody::DiagnoseTerminal => "Test the payment terminal".to_owned(),
    }
}

#[cfg(test)]
mod tests;
