//! What the box tells its listeners on the LAN, encoded once for all of them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use axum::extract::ws::Utf8Bytes;
use link_protocol::{
    ids::{CommandId, DeviceId, EventId},
    local::FromBox,
    outcome::Outcome,
    up::{Event, Live},
};
use tokio::sync::broadcast;

/// A listener that is this many messages behind reads the events it missed from the outbox.
const BACKLOG: usize = 256;

/// One message with what a listener needs to know to pass it on or leave it.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) device: DeviceId,
    pub(crate) kind: Kind,
    /// The [`FromBox`] as JSON.
    pub(crate) text: Utf8Bytes,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Event(EventId),
    Live(Live),
    Outcome(CommandId),
}

pub(crate) struct Hub {
    listeners: broadcast::Sender<Heard>,
    /// The last live state of each device, for those who come later.
    latest: Mutex<HashMap<DeviceId, Heard>>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self { listeners: broadcast::Sender::new(BACKLOG), latest: Mutex::default() }
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Heard> {
        self.listeners.subscribe()
    }

    /// A stored event. Events of two devices may pass here in another order than they have on disk.
    pub(crate) fn event(&self, event: Event) {
        let (device, kind) = (event.device.clone(), Kind::Event(event.id.clone()));
        self.tell(device, kind, &FromBox::Event(event));
    }

    pub(crate) fn live(&self, live: Live) {
        let (device, kind) = (live.device.clone(), Kind::Live(live.clone()));
        let message = FromBox::Live(live);
        if let Some(heard) = self.tell(device.clone(), kind, &message) {
            self.latest.lock().unwrap_or_else(PoisonError::into_inner).insert(device, heard);
        }
    }

    pub(crate) fn outcome(&self, device: DeviceId, id: CommandId, outcome: Outcome) {
        self.tell(device, Kind::Outcome(id.clone()), &FromBox::Outcome { id, outcome });
    }

    /// The device is gone: nobody shall be shown its last weight any more.
    pub(crate) fn forget(&self, device: &DeviceId) {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).remove(device);
    }

    pub(crate) fn latest(&self) -> Vec<Heard> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn tell(&self, device: DeviceId, kind: Kind, message: &FromBox) -> Option<Heard> {
        let text = encode(message)?;
        let heard = Heard { device, kind, text };
        // An error says only that nobody listens now.
        drop(self.listeners.send(heard.clone()));
        Some(heard)
    }
}

pub(crate) fn encode(message: &FromBox) -> Option<Utf8Bytes> {
    match serde_json::to_string(message) {
        Ok(text) => Some(text.into()),
        Err(error) => {
            tracing::error!(%error, "message for the local listeners cannot be written as JSON");
            None
        }
    }
}
