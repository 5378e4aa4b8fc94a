//! `/v1/ws`: events with a cursor, states and live weights down, commands up.
//!
//! ```text
//! connected ── Auth within 5 s, token good ──► Ready ── stored events after the cursor ──► live
//!      │ else: Refused, closed                                                              │
//!      └────────────────────────────────────────────────────────────────────── closed ◄─────┘
//! ```
//! What passes live is a hint; the outbox is the truth. Two devices' events may pass in another order than they have
//! on disk, and a slow listener loses some: then everything after the last event sent is read from the outbox. So a
//! listener gets every event once and in the order of `seq`.

use std::{collections::HashSet, sync::Arc, time::Duration};

use axum::{
    extract::{
        State,
        ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
    },
    http::{HeaderMap, header},
    response::Response,
};
use cloud_link::{outbox::Outbox, pairing::Pairing};
use link_protocol::{
    ids::{CommandId, EventId},
    local::{FromBox, TillGrant, ToBox, Verb},
    outcome::{Outcome, Reason},
    up::{Device, Event, LiveBody},
};
use tokio::{
    sync::{Semaphore, broadcast::error::RecvError, mpsc},
    time::{Instant, interval, sleep_until, timeout},
};

use super::{
    grant::{allows, covers},
    guard::text,
};
use crate::{
    app::App,
    hub::{Heard, Kind, encode},
    router::{Answer, Order},
};

const AUTH_WITHIN: Duration = Duration::from_secs(5);
const WRITE_WITHIN: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_secs(20);
/// A listener that says nothing for so long, not even a pong, is gone.
const SILENT_FOR: Duration = Duration::from_secs(65);
/// Commands of one connection that may wait for their outcome.
const COMMANDS: usize = 16;
/// A command may wait for its device for at most this long.
const LONGEST_TTL_MS: u32 = 600_000;
/// How late a listener may learn how many events are unsent.
const STATE_AFTER: Duration = Duration::from_millis(200);
/// Events read from the outbox at a time.
const CHUNK: usize = 200;

pub(super) async fn open(State(app): State<App>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    let origin = text(&headers, &header::ORIGIN).to_owned();
    upgrade
        // The defaults are 128 kB a connection.
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(512 * 1024)
        .max_message_size(link_protocol::MAX_PACKET)
        .max_frame_size(link_protocol::MAX_PACKET)
        .on_upgrade(move |socket| async move {
            // An end is an end: the browser comes back by itself.
            drop(serve(app, socket, origin).await);
        })
}

/// The connection is over.
struct Closed;
type Alive = Result<(), Closed>;

async fn serve(app: App, mut socket: WebSocket, origin: String) -> Alive {
    let Some((till, pairing, cursor)) = authenticate(&app, &mut socket, &origin).await? else {
        return Ok(());
    };
    let (outcomes, answers) = mpsc::channel(COMMANDS);
    let listener = Listener {
        commands: Arc::new(Semaphore::new(COMMANDS)),
        asked: HashSet::new(),
        sent: None,
        devices: Vec::new(),
        app,
        socket,
        till,
        pairing,
        outcomes,
    };
    listener.run(cursor, answers).await
}

/// The first frame: a token of this origin.
async fn authenticate(
    app: &App,
    socket: &mut WebSocket,
    origin: &str,
) -> Result<Option<(TillGrant, Arc<Pairing>, Option<EventId>)>, Closed> {
    let first = timeout(AUTH_WITHIN, socket.recv()).await.ok().flatten().and_then(Result::ok);
    let auth = match first {
        Some(Message::Text(text)) => serde_json::from_str(&text).ok(),
        _ => None,
    };
    let message = match auth {
        Some(ToBox::Auth { token, cursor }) => {
            let till = app.doors().tokens.get(std::time::Instant::now(), &token).cloned();
            match (till.filter(|t| t.origin == origin), app.link.store.current()) {
                (Some(till), Some(pairing)) => return Ok(Some((till, pairing, cursor))),
                _ => "The token has ended or is of another page: ask for a new one.",
            }
        }
        _ => "The first frame must be auth, within five seconds.",
    };
    send(socket, &FromBox::Refused { message: message.to_owned() }).await?;
    drop(socket.send(Message::Close(None)).await);
    Ok(None)
}

async fn send(socket: &mut WebSocket, message: &FromBox) -> Alive {
    match encode(message) {
        Some(text) => send_text(socket, text).await,
        None => Ok(()),
    }
}

async fn send_text(socket: &mut WebSocket, text: Utf8Bytes) -> Alive {
    match timeout(WRITE_WITHIN, socket.send(Message::Text(text))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Closed),
    }
}

struct Listener {
    app: App,
    socket: WebSocket,
    till: TillGrant,
    pairing: Arc<Pairing>,
    /// The last event of the outbox that this listener has, or does not want.
    sent: Option<EventId>,
    devices: Vec<Device>,
    commands: Arc<Semaphore>,
    /// Commands of this connection whose outcome it waits for.
    asked: HashSet<CommandId>,
    outcomes: mpsc::Sender<(CommandId, Answer)>,
}

impl Listener {
    async fn run(mut self, cursor: Option<EventId>, mut answers: mpsc::Receiver<(CommandId, Answer)>) -> Alive {
        let app = self.app.clone();
        // Listened to before the outbox is read, so that nothing passes in between.
        let mut heard = app.router.hub().listen();
        let mut table = app.router.table();
        let mut stats = app.router.outbox().stats();
        let mut pairing = app.link.store.subscribe();
        table.mark_changed();

        let last = outbox(app.router.outbox().last().await)?;
        let ready = FromBox::Ready {
            box_id: app.box_id.clone(),
            cursor: last.clone(),
            devices: self.own_devices(&table.borrow_and_update().devices()),
            outbox: stats.borrow_and_update().clone(),
        };
        if let FromBox::Ready { devices, .. } = &ready {
            self.devices.clone_from(devices);
        }
        send(&mut self.socket, &ready).await?;
        self.sent = if cursor.is_some() { cursor } else { last };
        if self.listens() {
            self.catch_up(app.router.outbox()).await?;
            for heard in app.router.hub().latest() {
                self.pass_on(heard).await?;
            }
        }

        let mut full = stats.borrow_and_update().full;
        let mut state_due = None;
        let mut ping = interval(PING_EVERY);
        let mut last_frame = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = app.ending.cancelled() => break,
                message = heard.recv() => match message {
                    Ok(message) => self.pass_on(message).await?,
                    Err(RecvError::Lagged(_)) => self.catch_up(app.router.outbox()).await?,
                    Err(RecvError::Closed) => break,
                },
                Some((id, answer)) = answers.recv() => self.answered(id, answer).await?,
                frame = self.socket.recv() => {
                    last_frame = Instant::now();
                    match frame {
                        Some(Ok(Message::Text(text))) => self.frame(&text).await?,
                        Some(Ok(Message::Binary(_))) => self.refuse("Frames are JSON text.").await?,
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                        Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                    }
                }
                Ok(()) = table.changed() => {
                    let devices = table.borrow_and_update().devices();
                    self.state(devices).await?;
                }
                Ok(()) = stats.changed() => {
                    // The number of unsent events changes with every scan, a moment before the scan itself comes by:
                    // it must not go ahead of it. That the disk is full is said at once.
                    let now_full = stats.borrow_and_update().full;
                    if now_full != full {
                        full = now_full;
                        self.tell_state().await?;
                    } else if state_due.is_none() {
                        state_due = Some(Instant::now() + STATE_AFTER);
                    }
                }
                () = sleep_until(state_due.unwrap_or_else(Instant::now)), if state_due.is_some() => {
                    state_due = None;
                    self.tell_state().await?;
                }
                changed = pairing.changed() => {
                    // The grant was signed by an ERP that has no say here any more.
                    if changed.is_err() || pairing.borrow_and_update().as_ref() != Some(&self.pairing) {
                        self.refuse("The box's pairing changed: ask for a new token.").await?;
                        break;
                    }
                }
                _ = ping.tick() => {
                    if last_frame.elapsed() > SILENT_FOR {
                        break;
                    }
                    if self.till.not_after_ms <= app.router.outbox().latest_time_ms() {
                        self.refuse("The grant has ended: reload the page while the ERP can be reached.").await?;
                        break;
                    }
                    match timeout(WRITE_WITHIN, self.socket.send(Message::Ping(Vec::new().into()))).await {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) | Err(_) => break,
                    }
                }
            }
        }
        drop(timeout(WRITE_WITHIN, self.socket.send(Message::Close(None))).await);
        Ok(())
    }

    fn listens(&self) -> bool {
        self.till.verbs.contains(&Verb::Listen)
    }

    fn own_devices(&self, all: &[Device]) -> Vec<Device> {
        all.iter().filter(|d| covers(&self.till, &d.id)).cloned().collect()
    }

    async fn state(&mut self, all: Vec<Device>) -> Alive {
        let devices = self.own_devices(&all);
        if devices == self.devices {
            return Ok(());
        }
        self.devices = devices;
        self.tell_state().await
    }

    async fn tell_state(&mut self) -> Alive {
        if !self.listens() {
            return Ok(());
        }
        let outbox = self.app.router.outbox().stats().borrow().clone();
        send(&mut self.socket, &FromBox::State { devices: self.devices.clone(), outbox }).await
    }

    async fn pass_on(&mut self, heard: Heard) -> Alive {
        match &heard.kind {
            Kind::Outcome(id) => {
                let own = self.asked.remove(id);
                let overheard = self.listens() && covers(&self.till, &heard.device);
                if !own && !overheard {
                    return Ok(());
                }
            }
            Kind::Live(live) => {
                // An event that could not be stored is shown whichever device it is of: every screen says so.
                let lost = matches!(live.body, LiveBody::NotStored { .. });
                if !self.listens() || !(lost || covers(&self.till, &heard.device)) {
                    return Ok(());
                }
            }
            Kind::Event(id) => {
                if !self.listens() {
                    return Ok(());
                }
                match step(self.sent.as_ref(), id) {
                    Step::Known => return Ok(()),
                    Step::Gap => {
                        let app = self.app.clone();
                        return self.catch_up(app.router.outbox()).await;
                    }
                    Step::Next => self.sent = Some(id.clone()),
                }
                if !covers(&self.till, &heard.device) {
                    return Ok(());
                }
            }
        }
        send_text(&mut self.socket, heard.text).await
    }

    /// Everything that happened under this pairing after the last event sent.
    async fn catch_up(&mut self, outbox_handle: &Outbox) -> Alive {
        loop {
            let events: Vec<Event> = outbox(outbox_handle.replay(self.sent.clone(), CHUNK).await)?;
            let more = events.len() == CHUNK;
            for event in events {
                self.sent = Some(event.id.clone());
                if covers(&self.till, &event.device) {
                    send(&mut self.socket, &FromBox::Event(event)).await?;
                }
            }
            if !more {
                return Ok(());
            }
        }
    }

    async fn refuse(&mut self, message: &str) -> Alive {
        send(&mut self.socket, &FromBox::Refused { message: message.to_owned() }).await
    }

    async fn frame(&mut self, text: &str) -> Alive {
        match serde_json::from_str(text) {
            Ok(ToBox::Command { id, device, ttl_ms, body }) => {
                let deadline = Instant::now() + Duration::from_millis(ttl_ms.min(LONGEST_TTL_MS).into());
                self.command(Order { id, device, body, deadline }).await
            }
            Ok(ToBox::Auth { .. }) => self.refuse("This connection is authenticated already.").await,
            Err(error) => self.refuse(&format!("The frame was not understood: {error}.")).await,
        }
    }

    async fn command(&mut self, order: Order) -> Alive {
        let id = order.id.clone();
        let rejected = |reason, message: &str| {
            let outcome = Outcome::Rejected { reason, message: message.to_owned() };
            FromBox::Outcome { id: id.clone(), outcome }
        };
        if !allows(&self.till, &order.device, order.body.verb()) {
            let message = "The till's grant does not allow this.";
            return send(&mut self.socket, &rejected(Reason::Forbidden, message)).await;
        }
        let Ok(permit) = self.commands.clone().try_acquire_owned() else {
            let message = "Too many commands of this page wait for their outcome.";
            return send(&mut self.socket, &rejected(Reason::Busy, message)).await;
        };
        self.asked.insert(id.clone());
        let outcomes = self.outcomes.clone();
        self.app.router.spawn(order, move |answer| async move {
            // If the page has gone, the outcome is in the ledger for its next try.
            drop(outcomes.send((id, answer)).await);
            drop(permit);
        });
        Ok(())
    }

    /// Outcomes of commands that ran are heard like everybody hears them; the others only this page hears.
    async fn answered(&mut self, id: CommandId, answer: Answer) -> Alive {
        match answer {
            Answer::Running => Ok(()),
            Answer::Ran(outcome) | Answer::Repeated(outcome) | Answer::Refused(outcome) => {
                if !self.asked.remove(&id) {
                    return Ok(());
                }
                send(&mut self.socket, &FromBox::Outcome { id, outcome }).await
            }
        }
    }
}

/// Where an event stands that passes live.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Sent already, with a catch-up.
    Known,
    Next,
    /// Others come before it.
    Gap,
}

fn step(sent: Option<&EventId>, id: &EventId) -> Step {
    match sent {
        Some(sent) if sent.epoch != id.epoch => Step::Gap,
        Some(sent) if id.seq <= sent.seq => Step::Known,
        Some(sent) if id.seq == sent.seq + 1 => Step::Next,
        None if id.seq == 1 => Step::Next,
        Some(_) | None => Step::Gap,
    }
}

/// Without the outbox there is nothing true to tell: the page connects again.
fn outbox<T>(result: Result<T, cloud_link::outbox::OutboxError>) -> Result<T, Closed> {
    result.map_err(|error| {
        tracing::error!(%error, "events cannot be read for a listener");
        Closed
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_event_that_follows_passes_directly() {
        let id = |epoch: &str, seq| EventId { epoch: epoch.parse().unwrap(), seq };
        let (a, b) = ("0123456789abcdef", "fedcba9876543210");
        let sent = id(a, 5);
        assert_eq!(step(Some(&sent), &id(a, 5)), Step::Known);
        assert_eq!(step(Some(&sent), &id(a, 6)), Step::Next);
        assert_eq!(step(Some(&sent), &id(a, 7)), Step::Gap);
        assert_eq!(step(Some(&sent), &id(b, 6)), Step::Gap);
        assert_eq!(step(None, &id(a, 1)), Step::Next);
        assert_eq!(step(None, &id(a, 2)), Step::Gap);
    }
}
