//! The loop around [`Link`]: connect, work, wait, again.

use std::{sync::Arc, time::Duration};

use link_protocol::{
    down::{Ack, Command, Hello},
    ids::CommandId,
    outcome::{Outcome, Reason},
    topic,
    up::{CommandResult, EventBatch, Goodbye, State},
};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    IncomingCommand, LinkStatus, SessionConfig, SessionEnd, SessionHandles,
    backoff::Backoff,
    clock::ErpClock,
    mqtt::{Connection, Incoming, Lost, Options, Published, Untaken},
    window::{BATCH_EVENTS, Window, batch_length},
};
use crate::{
    enrol::split_address,
    outbox::{Begun, Digest, Origin, Outbox},
    tls,
};

/// For the ERP's hello, and for an acknowledgement of events; then the connection is made anew.
const PATIENCE: Duration = Duration::from_secs(30);
/// For the last words.
const FAREWELL: Duration = Duration::from_secs(5);
/// Commands that may come before the hello.
const EARLY_COMMANDS: usize = 64;

pub(super) async fn run(config: SessionConfig, handles: &mut SessionHandles, cancel: CancellationToken) -> SessionEnd {
    let mut backoff = Backoff::default();
    if let Err(error) = handles.outbox.set_pairing(Some(config.pairing.grant.pairing.clone())).await {
        return SessionEnd::Unusable { message: error.to_string() };
    }
    loop {
        let options = match options(&config, &handles.state.borrow()) {
            Ok(options) => options,
            Err(message) => return SessionEnd::Unusable { message },
        };
        let started = Instant::now();
        let why = match one_connection(&config, &options, handles, &cancel).await {
            End::Session(end) => return end,
            End::Connection(why) => why,
        };
        let wait = backoff.next(Some(started.elapsed()), random());
        tracing::warn!(link.why = why, retry_ms = wait.as_millis(), "no link to the ERP");
        let next_try = Instant::now() + wait;
        handles.status.send_replace(LinkStatus::Disconnected { why, next_try: Some(next_try) });
        loop {
            tokio::select! {
                () = cancel.cancelled() => return SessionEnd::Cancelled,
                () = handles.unpair.cancelled() => return SessionEnd::SaidGoodbye { delivered: false },
                () = tokio::time::sleep_until(next_try) => break,
                // Nobody is there to see it.
                Some(_) = handles.live.recv() => {}
            }
        }
    }
}

enum End {
    Session(SessionEnd),
    Connection(String),
}

impl From<Lost> for End {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Unpaired(message) => Self::Session(SessionEnd::Unpaired { message }),
            Lost::Other(why) => Self::Connection(why),
        }
    }
}

fn options(config: &SessionConfig, state: &State) -> Result<Options, String> {
    let grant = &config.pairing.grant;
    let address = format!("https://{}", grant.mqtt);
    let (host, port) = split_address(&address)
        .ok_or_else(|| format!("the pairing names no MQTT address but {:?}: pair the box again", grant.mqtt))?;
    let tls = tls::mqtt_config(&config.identity, grant).map_err(|e| e.to_string())?;
    let box_id = config.identity.box_id();
    let will = State { online: false, ..state.clone() };
    Ok(Options {
        host: host.to_owned(),
        port,
        client_id: box_id.to_string(),
        keep_alive: config.keep_alive,
        tls: Arc::new(tls),
        will_topic: topic::topic(&grant.db, box_id, topic::STATE),
        will: serde_json::to_vec(&will).map_err(|e| e.to_string())?,
    })
}

async fn one_connection(
    config: &SessionConfig,
    options: &Options,
    handles: &mut SessionHandles,
    cancel: &CancellationToken,
) -> End {
    let filter = topic::down_filter(&config.pairing.grant.db, config.identity.box_id());
    let opened = tokio::select! {
        () = cancel.cancelled() => return End::Session(SessionEnd::Cancelled),
        () = handles.unpair.cancelled() => return End::Session(SessionEnd::SaidGoodbye { delivered: false }),
        opened = Connection::open(options, &filter) => opened,
    };
    let connection = match opened {
        Ok(connection) => connection,
        Err(lost) => return lost.into(),
    };
    let mut link = Link {
        config,
        outbox: handles.outbox.clone(),
        connection,
        clock: None,
        window: Window::default(),
        last_ack: Instant::now(),
        reporting: Vec::new(),
        early: Vec::new(),
        published: JoinSet::new(),
        state_on_its_way: false,
    };
    let end = link.work(handles, cancel).await;
    if let End::Session(SessionEnd::Cancelled | SessionEnd::SaidGoodbye { .. }) = &end {
        link.connection.close().await;
    }
    end
}

/// What a publish was, so that its PUBACK means something.
#[derive(Debug)]
enum What {
    Events,
    State,
    Result(Box<CommandResult>),
    /// An answer that is not in the ledger.
    Unstored,
}

impl What {
    /// For the log: an outcome's own words may be a receipt.
    fn word(&self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::State => "state",
            Self::Result(_) => "result",
            Self::Unstored => "refusal",
        }
    }
}

/// One connection.
struct Link<'a> {
    config: &'a SessionConfig,
    outbox: Outbox,
    connection: Connection,
    /// `Some` after the ERP's hello.
    clock: Option<ErpClock>,
    window: Window,
    /// When events were last acknowledged, or began to wait.
    last_ack: Instant,
    /// Results on their way.
    reporting: Vec<CommandId>,
    early: Vec<Command>,
    published: JoinSet<(What, Result<(), Untaken>)>,
    state_on_its_way: bool,
}

impl Link<'_> {
    async fn work(&mut self, handles: &mut SessionHandles, cancel: &CancellationToken) -> End {
        let mut pulse = self.outbox.pulse();
        let mut watchdog = tokio::time::interval(Duration::from_secs(1));
        let mut heard = Instant::now();
        handles.state.mark_changed();
        loop {
            let step = tokio::select! {
                () = cancel.cancelled() => return self.farewell(handles).await,
                () = handles.unpair.cancelled() => return self.goodbye().await,
                incoming = self.connection.incoming.recv() => match incoming {
                    Some(Incoming::Message { topic, payload }) => {
                        heard = Instant::now();
                        self.message(&topic, &payload, handles).await
                    }
                    Some(Incoming::Alive) => { heard = Instant::now(); Ok(()) }
                    None => Err(self.connection.lost().await.into()),
                },
                Some(Ok((what, result))) = self.published.join_next() => self.answered(what, result).await,
                changed = pulse.changed(), if self.clock.is_some() => match changed {
                    Ok(()) => self.send_all().await,
                    Err(_) => Err(End::Connection("the outbox is closed".into())),
                },
                changed = handles.state.changed(), if !self.state_on_its_way => match changed {
                    Ok(()) => { let state = handles.state.borrow_and_update().clone(); self.send_state(&state) }
                    // The box is about to stop; there will be no other state.
                    Err(_) => { self.state_on_its_way = true; Ok(()) }
                },
                Some(live) = handles.live.recv() => {
                    if self.clock.is_some() && let Ok(payload) = serde_json::to_vec(&live) {
                        self.connection.publish_live(&self.topic(topic::LIVE), payload);
                    }
                    Ok(())
                }
                _ = watchdog.tick() => self.watch(heard),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    fn topic(&self, leaf: &str) -> String {
        topic::topic(&self.config.pairing.grant.db, self.config.identity.box_id(), leaf)
    }

    fn publish(&self, leaf: &str, message: &impl Serialize, retain: bool) -> Result<Published, End> {
        let payload = serde_json::to_vec(message).map_err(|e| End::Connection(e.to_string()))?;
        self.connection.publish(&self.topic(leaf), payload, retain).map_err(End::Connection)
    }

    fn track(&mut self, what: What, published: Published) {
        self.published.spawn(async move { (what, published.await) });
    }

    fn send_state(&mut self, state: &State) -> Result<(), End> {
        let published = self.publish(topic::STATE, state, true)?;
        self.state_on_its_way = true;
        self.track(What::State, published);
        Ok(())
    }

    /// Whatever waits in the outbox and the ledger, as far as the window allows.
    async fn send_all(&mut self) -> Result<(), End> {
        let failed = |e: crate::outbox::OutboxError| End::Connection(e.to_string());
        while self.window.has_room() {
            let batch = match self.window.cursor() {
                Some(cursor) => self.outbox.batch_after(cursor.clone(), BATCH_EVENTS).await,
                None => self.outbox.batch(BATCH_EVENTS).await,
            };
            let mut events = batch.map_err(failed)?;
            if events.is_empty() {
                break;
            }
            let size = |e: &link_protocol::up::Event| serde_json::to_vec(e).map_or(0, |v| v.len() + 1);
            events.truncate(batch_length(&events, size));
            let Some(last) = events.last().map(|e| e.id.clone()) else { break };
            let pairing = self.config.pairing.grant.pairing.clone();
            let batch = EventBatch { v: link_protocol::VERSION, pairing, events };
            let published = self.publish(topic::EVENTS, &batch, false)?;
            self.track(What::Events, published);
            if self.window.is_empty() {
                self.last_ack = Instant::now();
            }
            self.window.sent(last);
        }
        for result in self.outbox.unreported_results().await.map_err(failed)? {
            if !self.reporting.contains(&result.id) {
                let published = self.publish(topic::RESULTS, &result, false)?;
                self.reporting.push(result.id.clone());
                self.track(What::Result(Box::new(result)), published);
            }
        }
        Ok(())
    }

    /// The other side's answer to one publish.
    async fn answered(&mut self, what: What, result: Result<(), Untaken>) -> Result<(), End> {
        match (&what, &result) {
            (What::Unstored, Err(error)) => tracing::warn!(%error, "a command's refusal did not reach the ERP"),
            // Connecting anew would bring the same refusal for ever. Events are another matter: they must not be let go.
            (What::State | What::Result(_), Err(error @ Untaken::Unreadable)) => {
                tracing::error!(%error, what = what.word(), "the ERP refused what the box says of itself: update the ERP");
            }
            (_, Err(error)) => return Err(End::Connection(format!("the ERP did not take a message: {error}"))),
            _ => {}
        }
        match what {
            // The commit is told by `down/ack`; an outside broker's PUBACK says only that it has it.
            What::Events | What::Unstored => {}
            What::State => self.state_on_its_way = false,
            What::Result(told) => {
                self.reporting.retain(|r| *r != told.id);
                if let Err(error) = self.outbox.result_reported(&told).await {
                    tracing::warn!(%error, "a reported outcome will be reported again");
                } else if self.reporting.is_empty() {
                    self.send_all().await?;
                }
            }
        }
        Ok(())
    }

    async fn message(&mut self, name: &str, payload: &[u8], handles: &mut SessionHandles) -> Result<(), End> {
        let Some((_, _, leaf)) = topic::parse(name) else { return Ok(()) };
        match leaf {
            topic::HELLO => {
                let Some(hello) = read::<Hello>(leaf, payload) else { return Ok(()) };
                self.hello(hello, handles).await
            }
            topic::ACK => {
                let Some(ack) = read::<Ack>(leaf, payload) else { return Ok(()) };
                self.outbox.ack(ack.clone()).await.map_err(|e| End::Connection(e.to_string()))?;
                self.window.acked(&ack);
                self.last_ack = Instant::now();
                if self.clock.is_some() { self.send_all().await } else { Ok(()) }
            }
            topic::COMMANDS => match read::<Command>(leaf, payload) {
                Some(command) if self.clock.is_none() => {
                    if self.early.len() < EARLY_COMMANDS {
                        self.early.push(command);
                    }
                    Ok(())
                }
                Some(command) => self.command(command, handles).await,
                None => self.refuse_unreadable(payload),
            },
            other => {
                tracing::debug!(mqtt.leaf = other, "a message of a kind this version does not know");
                Ok(())
            }
        }
    }

    async fn hello(&mut self, hello: Hello, handles: &mut SessionHandles) -> Result<(), End> {
        let grant = &self.config.pairing.grant;
        if hello.pairing != grant.pairing {
            return Err(End::Connection("the ERP speaks of another pairing than this box: pair it again".into()));
        }
        let now = Instant::now();
        let rtt = now - self.connection.subscribed;
        self.outbox.rewind(hello.committed).await.map_err(|e| End::Connection(e.to_string()))?;
        self.outbox.trust_time(hello.now_ms);
        if self.clock.is_none() {
            tracing::info!(erp.url = grant.erp_url, rtt_ms = rtt.as_millis(), "linked to the ERP");
            handles.status.send_replace(LinkStatus::Connected { since: now, rtt });
        }
        self.clock = Some(ErpClock::new(hello.now_ms, rtt, now));
        self.window = Window::default();
        self.last_ack = now;
        for command in std::mem::take(&mut self.early) {
            self.command(command, handles).await?;
        }
        self.send_all().await
    }

    /// Into the ledger first; only what is fresh there and in time is handed out.
    async fn command(&mut self, command: Command, handles: &SessionHandles) -> Result<(), End> {
        let digest = Digest::of(&command.device, &command.body);
        let now = Instant::now();
        let rejected = |reason, message: &str| Outcome::Rejected { reason, message: message.to_owned() };
        let refusal = match self.outbox.begin_command(&command.id, digest, Origin::Link).await {
            // The outcome is in the ledger, or will be; the pulse sends it.
            Ok(Begun::Running | Begun::Finished(_)) => return Ok(()),
            Ok(Begun::Conflict) => {
                let message = "this command id was used for another command: make a new one";
                return self.send_unstored(command.id, rejected(Reason::Invalid, message));
            }
            Err(error) => {
                tracing::error!(%error, command.id = %command.id, "a command cannot be recorded, so it does not run");
                let message = "the box cannot record the command (its disk is full or damaged), so it did not run";
                return self.send_unstored(command.id, rejected(Reason::NotStored, message));
            }
            Ok(Begun::Fresh) => match self.clock.and_then(|clock| clock.deadline(&command, now)) {
                None => rejected(Reason::Expired, "the command came after its deadline; nothing was sent"),
                Some(deadline) => {
                    let Command { id, device, body, .. } = command.clone();
                    match handles.commands.try_send(IncomingCommand { id, device, deadline, body }) {
                        Ok(()) => return Ok(()),
                        Err(_) => rejected(Reason::Busy, "too many commands wait at the box; nothing was sent"),
                    }
                }
            },
        };
        self.outbox.finish_command(&command.id, &refusal).await.map_err(|e| End::Connection(e.to_string()))
    }

    /// An answer that the ledger does not hold: it goes out once.
    fn send_unstored(&mut self, id: CommandId, outcome: Outcome) -> Result<(), End> {
        let result = CommandResult { v: link_protocol::VERSION, id, outcome };
        let published = self.publish(topic::RESULTS, &result, false)?;
        self.track(What::Unstored, published);
        Ok(())
    }

    /// A command of a newer ERP: its id is enough to say no.
    fn refuse_unreadable(&mut self, payload: &[u8]) -> Result<(), End> {
        #[derive(serde::Deserialize)]
        struct OnlyId {
            id: CommandId,
        }
        match serde_json::from_slice::<OnlyId>(payload) {
            Ok(OnlyId { id }) => {
                let message = "this version of the box does not know the command: update the box".to_owned();
                self.send_unstored(id, Outcome::Rejected { reason: Reason::Unsupported, message })
            }
            Err(_) => Ok(()),
        }
    }

    fn watch(&self, heard: Instant) -> Result<(), End> {
        let lost = |why: &str| Err(End::Connection(why.to_owned()));
        if heard.elapsed() > self.config.keep_alive * 2 {
            lost("the ERP is silent")
        } else if self.clock.is_none() && self.connection.subscribed.elapsed() > PATIENCE {
            lost("the ERP did not say hello")
        } else if !self.window.is_empty() && self.last_ack.elapsed() > PATIENCE {
            lost("the ERP does not acknowledge events")
        } else {
            Ok(())
        }
    }

    /// The box stops: the retained state says so at once, instead of the will a keep-alive later.
    async fn farewell(&mut self, handles: &SessionHandles) -> End {
        let state = State { online: false, ..handles.state.borrow().clone() };
        if let Ok(published) = self.publish(topic::STATE, &state, true)
            && self.wait_for(published).await.is_none()
        {
            tracing::debug!("the ERP did not hear that the box stops");
        }
        End::Session(SessionEnd::Cancelled)
    }

    async fn goodbye(&mut self) -> End {
        let unsent = self.outbox.stats().borrow().unsent;
        let pairing = self.config.pairing.grant.pairing.clone();
        let goodbye = Goodbye { v: link_protocol::VERSION, pairing, unsent };
        let delivered = match self.publish(topic::GOODBYE, &goodbye, false) {
            Ok(published) => self.wait_for(published).await.is_some(),
            Err(_) => false,
        };
        End::Session(SessionEnd::SaidGoodbye { delivered })
    }

    /// `None`: not answered in time. Messages that come meanwhile are let go; the ERP sends them again.
    async fn wait_for(&mut self, published: Published) -> Option<()> {
        let answered = async {
            tokio::pin!(published);
            loop {
                tokio::select! {
                    result = &mut published => return result.ok(),
                    incoming = self.connection.incoming.recv() => if incoming.is_none() {
                        // An ERP that unpairs us may cut the line with its answer.
                        return published.await.ok();
                    },
                }
            }
        };
        tokio::time::timeout(FAREWELL, answered).await.ok().flatten()
    }
}

fn read<T: DeserializeOwned>(leaf: &str, payload: &[u8]) -> Option<T> {
    serde_json::from_slice(payload)
        .inspect_err(|error| tracing::warn!(%error, mqtt.leaf = leaf, "a message of the ERP cannot be read"))
        .ok()
}

fn random() -> f64 {
    let mut byte = [0];
    match SystemRandom::new().fill(&mut byte) {
        Ok(()) => f64::from(byte[0]) / 255.0,
        Err(_) => 0.5,
    }
}
