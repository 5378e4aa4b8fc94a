//! MQTT 5 to the ERP, for as long as there is a pairing.
//!
//! ```text
//!  events   outbox ──batch (window)──> up/events        down/ack ──> outbox.ack
//!  results  ledger ──unreported──────> up/results       (PUBACK) ──> outbox.result_reported
//!  state    watch  ──latest, retained> up/state         down/hello ──> outbox.rewind, ERP time
//!  live     mpsc   ──QoS 0───────────> up/live          down/commands ──> ledger ──> mpsc to the devices
//! ```
//! A connection that ends is made again with a jittered back-off. Nothing is kept in the MQTT client: after a
//! reconnect events are read again from the outbox and results from the ledger, so a repeat is possible and harmless,
//! a loss is not.

mod backoff;
mod clock;
mod mqtt;
mod run;
mod window;

use std::{sync::Arc, time::Duration};

use link_protocol::{
    down::CommandBody,
    ids::{CommandId, DeviceId},
    up::{Live, State},
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{identity::Identity, outbox::Outbox, pairing::Pairing};

#[derive(Debug, Clone)]
pub struct SessionConfig {
    pub identity: Identity,
    pub pairing: Arc<Pairing>,
    /// Seconds between signs of life; a dead connection is noticed after 1.5 times this.
    pub keep_alive: Duration,
}

impl SessionConfig {
    pub fn new(identity: Identity, pairing: Arc<Pairing>) -> Self {
        Self { identity, pairing, keep_alive: Duration::from_secs(30) }
    }
}

/// What the session reads and writes; lent to one session after the other.
#[derive(Debug)]
pub struct SessionHandles {
    pub outbox: Outbox,
    /// What the box is and has now; each change is published (retained), the latest one if there are many.
    pub state: watch::Receiver<State>,
    /// Sent when connected, thrown away when not.
    pub live: mpsc::Receiver<Live>,
    /// Commands that may run: begun in the ledger, in time. Whoever takes one calls [`Outbox::finish_command`], from
    /// where the session reports it. A full channel rejects the command as `Busy`.
    pub commands: mpsc::Sender<IncomingCommand>,
    pub status: watch::Sender<LinkStatus>,
    /// Cancelled by whoever ends the pairing at the box: the session says goodbye and ends.
    pub unpair: CancellationToken,
}

#[derive(Debug, Clone, PartialEq)]
pub struct IncomingCommand {
    pub id: CommandId,
    pub device: DeviceId,
    /// The first byte has to leave before this.
    pub deadline: Instant,
    pub body: CommandBody,
}

#[derive(Debug, Clone, PartialEq)]
pub enum LinkStatus {
    Connected {
        since: Instant,
        /// Of the handshake, later of the last ping.
        rtt: Duration,
    },
    Disconnected {
        why: String,
        /// `None`: there will be none.
        next_try: Option<Instant>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum SessionEnd {
    Cancelled,
    /// The ERP does not know this box any more; clear the pairing. Its unsent events stay in the outbox.
    Unpaired {
        message: String,
    },
    /// [`SessionHandles::unpair`] was cancelled. `delivered`: the ERP knows.
    SaidGoodbye {
        delivered: bool,
    },
    /// The pairing itself cannot be used (damaged certificate).
    Unusable {
        message: String,
    },
}

/// Runs until cancelled or until the pairing ends, through any number of connections.
pub async fn run(config: SessionConfig, handles: &mut SessionHandles, cancel: CancellationToken) -> SessionEnd {
    run::run(config, handles, cancel).await
}
