//! The ERP's own end of MQTT: a star hub. Boxes talk to the ERP and to nobody else.
//!
//! [`Link`] and [`Inbound`] are all that the rest of the server knows of MQTT; an outside broker, where the ERP is one
//! more client, can stand behind the same two. See `docs/adr/0001-mqtt-hub.md`.
//!
//! * [`session`]: one connection's protocol as a pure machine
//! * [`connection`]: the task that feeds it
//! * [`star`]: who is connected

mod connection;
mod flaps;
mod identity;
mod session;
mod star;

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use link_protocol::ids::{BoxId, DbName};
use tokio::sync::mpsc;

pub use identity::{Identity, IdentityError};
pub use star::{Limits, Star};

/// One connection of a box; later ones have larger numbers.
pub type SessionNo = u64;

/// What boxes send, in order per session.
#[derive(Debug)]
pub enum Inbound {
    /// A box is connected and hears what is published to it.
    Connected {
        box_id: BoxId,
        session: SessionNo,
        address: SocketAddr,
    },
    Message {
        box_id: BoxId,
        session: SessionNo,
        leaf: String,
        payload: Bytes,
        ack: Option<Ack>,
    },
    /// The session is over; its last will (if it had one and did not end it properly) came just before.
    Disconnected {
        box_id: BoxId,
        session: SessionNo,
    },
    /// Two live boxes keep throwing each other out: they share one identity.
    Cloned {
        box_id: BoxId,
        addresses: Vec<SocketAddr>,
    },
}

/// Confirms a message to its sender. Dropped unused, it refuses the message, and the box sends it again later.
#[derive(Debug)]
pub struct Ack {
    ticket: u64,
    reply: mpsc::Sender<(u64, AckResult)>,
    used: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckResult {
    Committed,
    /// The sender may not say this.
    Refused,
    /// The payload makes no sense.
    Invalid,
    /// The server could not; try again later.
    Failed,
}

impl Ack {
    fn new(ticket: u64, reply: mpsc::Sender<(u64, AckResult)>) -> Self {
        Self { ticket, reply, used: false }
    }

    pub fn finish(mut self, result: AckResult) {
        self.send(result);
    }

    fn send(&mut self, result: AckResult) {
        self.used = true;
        // The channel holds one place for each message that may be in flight; an error means that the session is gone.
        self.reply.try_send((self.ticket, result)).ok();
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        if !self.used {
            self.send(AckResult::Failed);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    #[error("the box is not connected")]
    Offline,
    #[error("too many messages wait for this box: it takes them slower than they come")]
    Full,
    #[error("the message is larger than 256 kB")]
    TooLarge,
}

/// Why a session is ended from this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kick {
    /// The box is no longer paired here.
    Unpaired,
    /// A newer session with the same identity has come.
    TakenOver,
    ShuttingDown,
}

/// What the ERP can do to boxes.
pub trait Link: Send + Sync + std::fmt::Debug {
    /// QoS 1 to `down/...` of one box. `expires`: of no use after that time. Returns once queued. A box is spoken to
    /// from its `down/hello` on: before that it has no deadline to judge by.
    fn publish(
        &self,
        box_id: &BoxId,
        leaf: &'static str,
        payload: Bytes,
        expires: Option<Duration>,
    ) -> Result<(), PublishError>;
    /// Ends the box's session, if there is one.
    fn kick(&self, box_id: &BoxId, why: Kick);
    /// And greeted: a command published now would reach it.
    fn is_connected(&self, box_id: &BoxId) -> bool;
}

/// Why a certificate that the CA signed does not open a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    Unpaired,
    /// The database did not answer.
    Unavailable,
}

/// Asked once a connection, with the certificate's identity.
pub trait Authorize: Send + Sync + std::fmt::Debug {
    fn authorize<'a>(&'a self, identity: &'a Identity) -> BoxFuture<'a, Result<DbName, Denied>>;
}

#[cfg(test)]
pub(crate) mod tests;
