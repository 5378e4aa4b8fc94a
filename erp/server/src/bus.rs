//! What happens now, for every open page. Nothing here is kept: whoever misses something reads the records.

use link_protocol::{
    ids::{BoxId, CommandId},
    outcome::Outcome,
    up,
};
use serde::Serialize;
use tokio::sync::broadcast;

use crate::{boxes::BoxRow, commands::CommandState};

/// Sent to browsers as JSON, one text frame each, tagged by `msg`.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "msg", rename_all = "snake_case")]
pub enum BusMessage {
    /// A business event that has just been committed here for the first time.
    Event {
        r#box: BoxId,
        event: up::Event,
    },
    /// A device came, changed or went (status `offline`).
    Device {
        r#box: BoxId,
        device: up::Device,
    },
    /// The box's record changed.
    Box {
        r#box: BoxId,
        row: Box<BoxRow>,
    },
    /// What the eye follows; not stored.
    Live {
        r#box: BoxId,
        live: up::Live,
    },
    Outcome {
        command_id: CommandId,
        state: CommandState,
        outcome: Option<Outcome>,
    },
    /// The list of boxes that ask to be connected changed.
    Pending,
}

/// A slow listener loses messages (`Lagged`) and then has to read the records again.
#[derive(Debug, Clone)]
pub struct Bus(broadcast::Sender<BusMessage>);

impl Default for Bus {
    fn default() -> Self {
        Self(broadcast::Sender::new(1024))
    }
}

impl Bus {
    pub fn subscribe(&self) -> broadcast::Receiver<BusMessage> {
        self.0.subscribe()
    }

    pub fn send(&self, message: BusMessage) {
        // With no listener there is nobody to tell.
        drop(self.0.send(message));
    }
}
