//! What boxes say becomes records: many messages, one transaction, then the acknowledgements.
//!
//! Order matters: a session whose message could not be stored is *spoiled*: everything after it is refused and the
//! session ended, so that the box begins again at its first unsent event. Without that rule an acknowledgement could
//! cover an event that never came.

mod apply;
mod order;
mod parse;

use std::collections::HashMap;

use erp_engine::Engine;
use jiff::Timestamp;
use link_protocol::{
    VERSION,
    down::{Ack, Hello},
    ids::{BoxId, Epoch},
    topic,
};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    boxes::Boxes,
    bus::{Bus, BusMessage},
    commands::Commands,
    error::ServiceError,
    hub::{AckResult, Inbound, Kick, Link, PublishError, SessionNo},
};
use apply::Effects;
use parse::Said;

/// Messages in one transaction.
const BATCH: usize = 512;
const ATTEMPTS: usize = 5;

#[derive(Clone)]
pub struct Parts {
    pub engine: Engine,
    pub link: Arc<dyn Link>,
    pub bus: Bus,
    pub boxes: Boxes,
    pub commands: Commands,
}

/// One session's way through its events.
#[derive(Debug, Default, Clone)]
pub(crate) struct Progress {
    /// The seq that should come next, by epoch.
    next: HashMap<Epoch, u64>,
    spoiled: bool,
}

/// A message on its way into the database.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) box_id: BoxId,
    pub(crate) session: SessionNo,
    pub(crate) said: Said,
    ack: Option<crate::hub::Ack>,
}

/// The only writer of what boxes say.
pub struct Ingest {
    parts: Parts,
    sessions: HashMap<SessionNo, Progress>,
    /// The newest session of each connected box.
    current: HashMap<BoxId, SessionNo>,
}

impl Ingest {
    pub fn new(parts: Parts) -> Self {
        Self { parts, sessions: HashMap::new(), current: HashMap::new() }
    }

    /// Until `stop`; what the hub has handed over by then is still stored.
    pub async fn run(mut self, mut inbound: mpsc::Receiver<Inbound>, stop: CancellationToken) {
        let mut buffer = Vec::with_capacity(BATCH);
        loop {
            let count = tokio::select! {
                biased;
                count = inbound.recv_many(&mut buffer, BATCH) => count,
                () = stop.cancelled() => 0,
            };
            if count == 0 {
                return;
            }
            self.batch(buffer.drain(..)).await;
        }
    }

    async fn batch(&mut self, messages: impl Iterator<Item = Inbound>) {
        let mut items = Vec::with_capacity(BATCH);
        let mut ended = vec![];
        for message in messages {
            if let Inbound::Disconnected { session, .. } = &message {
                ended.push(*session);
            }
            items.extend(self.sort(message));
        }
        self.take(items).await;
        // Only now: what they said before they ended has needed their order.
        for session in ended {
            self.sessions.remove(&session);
        }
    }

    async fn take(&mut self, mut items: Vec<Item>) {
        // A weight that settles is only looked at: it neither waits for the disk nor touches it.
        items.retain(|item| match &item.said {
            Said::Live(live) => {
                self.parts.bus.send(BusMessage::Live { r#box: item.box_id.clone(), live: live.clone() });
                false
            }
            _ => true,
        });
        if items.is_empty() {
            return;
        }
        if let Err(error) = self.store(&mut items).await {
            tracing::warn!(%error, messages = items.len(), "A batch could not be stored whole; trying one by one.");
            for item in items {
                let mut one = [item];
                if let Err(error) = self.store(&mut one).await {
                    let [item] = one;
                    self.refuse(item, &error);
                }
            }
        }
    }

    /// Who is connected, and what the message means.
    fn sort(&mut self, message: Inbound) -> Option<Item> {
        match message {
            Inbound::Connected { box_id, session, .. } => {
                self.sessions.entry(session).or_default();
                let newest = self.current.entry(box_id.clone()).or_insert(session);
                *newest = session.max(*newest);
                Some(Item { box_id, session, said: Said::Connected, ack: None })
            }
            Inbound::Disconnected { box_id, session } => {
                if self.current.get(&box_id) != Some(&session) {
                    return None;
                }
                self.current.remove(&box_id);
                Some(Item { box_id, session, said: Said::Disconnected, ack: None })
            }
            Inbound::Cloned { box_id, addresses } => {
                Some(Item { box_id, session: 0, said: Said::Cloned(addresses), ack: None })
            }
            Inbound::Message { box_id, session, leaf, payload, ack } => {
                if self.sessions.entry(session).or_default().spoiled {
                    finish(ack, AckResult::Failed);
                    return None;
                }
                match parse::message(&leaf, &payload) {
                    // The last will of a connection that broke comes after its successor: the box is there.
                    Ok(Said::State(_)) if self.current.get(&box_id).is_some_and(|newest| *newest > session) => {
                        finish(ack, AckResult::Committed);
                        None
                    }
                    Ok(said) => Some(Item { box_id, session, said, ack }),
                    Err(error) => {
                        tracing::warn!(r#box.id = %box_id, topic = leaf, %error, "A message from a box makes no sense.");
                        finish(ack, AckResult::Invalid);
                        None
                    }
                }
            }
        }
    }

    /// One transaction for all of them. On success the items are used up (acknowledged).
    async fn store(&mut self, items: &mut [Item]) -> Result<(), ServiceError> {
        let mut attempt = 1;
        let (effects, sessions) = loop {
            let mut sessions = self.sessions.clone();
            match apply::apply(&self.parts, items, &mut sessions).await {
                Ok(effects) => break (effects, sessions),
                Err(ServiceError::Busy(error)) if attempt < ATTEMPTS => {
                    tracing::info!(%error, attempt, "The database was busy; trying again.");
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        };
        self.sessions = sessions;
        self.after_commit(items, effects).await;
        Ok(())
    }

    /// Nothing here may be said before the commit.
    async fn after_commit(&mut self, items: &mut [Item], effects: Effects) {
        let Parts { link, bus, boxes, commands, .. } = &self.parts;
        for (box_id, hello) in &effects.hellos {
            say(&**link, box_id, topic::HELLO, hello);
        }
        for (box_id, acks) in &effects.acks {
            for ack in acks {
                say(&**link, box_id, topic::ACK, ack);
            }
        }
        for (item, result) in items.iter_mut().zip(&effects.results) {
            finish(item.ack.take(), *result);
        }
        for (box_id, session) in &effects.spoiled {
            tracing::warn!(r#box.id = %box_id, session, "A box's session was ended: its events came out of order.");
            link.kick(box_id, Kick::ShuttingDown);
        }
        for message in effects.bus {
            bus.send(message);
        }
        for (box_id, _) in effects.hellos {
            if let Err(error) = commands.redeliver(&box_id).await {
                tracing::error!(r#box.id = %box_id, %error, "Waiting commands could not be handed to a box.");
            }
        }
        for box_id in effects.unpaired {
            link.kick(&box_id, Kick::Unpaired);
        }
        for box_id in effects.changed {
            if let Err(error) = boxes.announce(&box_id).await {
                tracing::error!(r#box.id = %box_id, %error, "A change of a box could not be shown.");
            }
        }
    }

    /// The database would not take it, alone and after several attempts.
    fn refuse(&mut self, mut item: Item, error: &ServiceError) {
        tracing::error!(r#box.id = %item.box_id, %error, message.kind = item.said.kind(),
            "A message from a box could not be stored; the box will send it again.");
        if matches!(item.said, Said::Events(_)) {
            self.sessions.entry(item.session).or_default().spoiled = true;
            self.parts.link.kick(&item.box_id, Kick::ShuttingDown);
        }
        finish(item.ack.take(), AckResult::Failed);
    }
}

fn finish(ack: Option<crate::hub::Ack>, result: AckResult) {
    if let Some(ack) = ack {
        ack.finish(result);
    }
}

fn say(link: &dyn Link, box_id: &BoxId, leaf: &'static str, message: &impl serde::Serialize) {
    let sent = match serde_json::to_vec(message) {
        Ok(bytes) => link.publish(box_id, leaf, bytes.into(), None),
        Err(error) => {
            tracing::error!(%error, topic = leaf, "A message for a box could not be written.");
            return;
        }
    };
    match sent {
        Ok(()) => {}
        // It hears the same from the hello of its next session.
        Err(PublishError::Offline) => {}
        Err(error) => tracing::warn!(r#box.id = %box_id, topic = leaf, %error, "A box was not told."),
    }
}

fn hello(pairing: link_protocol::ids::PairingId, committed: Vec<Ack>) -> Hello {
    Hello { v: VERSION, pairing, now_ms: Timestamp::now().as_millisecond(), committed }
}

#[cfg(test)]
mod tests;
