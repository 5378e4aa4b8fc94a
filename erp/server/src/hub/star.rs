//! Who is connected to the hub.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use link_protocol::{ids::BoxId, topic};
use parking::Lock;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};

use super::{Authorize, Identity, Inbound, Kick, Link, PublishError, SessionNo, connection, flaps::Flaps};

/// Below the packet size both sides accept, with room for topic and properties.
const MAX_PAYLOAD: usize = link_protocol::MAX_PACKET - 1024;

/// Time limits and queue sizes; tests make them smaller.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Messages that wait for one box.
    pub down_queue: usize,
    /// For CONNECT to come.
    pub connect: Duration,
    /// For one write to be taken by the peer.
    pub write: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { down_queue: 1000, connect: Duration::from_secs(10), write: Duration::from_secs(20) }
    }
}

#[derive(Debug)]
pub(super) struct Down {
    pub(super) leaf: &'static str,
    pub(super) payload: Bytes,
    pub(super) expires: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    session: SessionNo,
    down: mpsc::Sender<Down>,
    kick: mpsc::Sender<Kick>,
    /// `down/hello` has been sent: the first message of every session.
    greeted: bool,
}

/// A session's ends of the channels to the rest of the hub.
pub(super) struct Seat {
    pub(super) session: SessionNo,
    pub(super) down: mpsc::Receiver<Down>,
    pub(super) kick: mpsc::Receiver<Kick>,
}

/// The star hub. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Star(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Limits,
    authorize: Arc<dyn Authorize>,
    inbound: mpsc::Sender<Inbound>,
    next_session: AtomicU64,
    sessions: Lock<HashMap<BoxId, Entry>>,
    flaps: Lock<Flaps>,
}

impl Star {
    /// `inbound` should be read in batches; while it is full the hub reads from no box.
    pub fn new(limits: Limits, authorize: Arc<dyn Authorize>, inbound: mpsc::Sender<Inbound>) -> Self {
        Self(Arc::new(Inner {
            limits,
            authorize,
            inbound,
            next_session: AtomicU64::new(1),
            sessions: Lock::default(),
            flaps: Lock::default(),
        }))
    }

    /// Speaks MQTT on a stream whose TLS handshake is done, until the session is over.
    pub async fn serve<S>(&self, stream: S, identity: Identity, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        connection::serve(self, stream, identity, peer).await;
    }

    /// Tells every box that the server stops.
    pub fn shut_down(&self) {
        for entry in self.0.sessions.lock().values() {
            entry.kick.try_send(Kick::ShuttingDown).ok();
        }
    }

    pub(super) fn limits(&self) -> Limits {
        self.0.limits
    }

    pub(super) fn authorize(&self) -> &dyn Authorize {
        &*self.0.authorize
    }

    pub(super) fn inbound(&self) -> &mpsc::Sender<Inbound> {
        &self.0.inbound
    }

    /// Takes the box's place in the hub, from an older session if there is one.
    pub(super) fn enter(&self, box_id: &BoxId) -> Seat {
        let session = self.0.next_session.fetch_add(1, Ordering::Relaxed);
        let (down_tx, down) = mpsc::channel(self.0.limits.down_queue);
        let (kick_tx, kick) = mpsc::channel(1);
        let entry = Entry { session, down: down_tx, kick: kick_tx, greeted: false };
        let older = self.0.sessions.lock().insert(box_id.clone(), entry);
        if let Some(older) = older {
            older.kick.try_send(Kick::TakenOver).ok();
        }
        Seat { session, down, kick }
    }

    pub(super) fn leave(&self, box_id: &BoxId, session: SessionNo) {
        let mut sessions = self.0.sessions.lock();
        if sessions.get(box_id).is_some_and(|e| e.session == session) {
            sessions.remove(box_id);
        }
    }

    /// A session was taken over while its peer still answered.
    pub(super) fn taken_over_alive(&self, box_id: &BoxId, address: SocketAddr) -> Option<Vec<SocketAddr>> {
        self.0.flaps.lock().taken_over(Instant::now(), box_id, address)
    }
}

impl Link for Star {
    fn publish(
        &self,
        box_id: &BoxId,
        leaf: &'static str,
        payload: Bytes,
        expires: Option<Duration>,
    ) -> Result<(), PublishError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(PublishError::TooLarge);
        }
        let mut sessions = self.0.sessions.lock();
        let entry = sessions.get_mut(box_id).ok_or(PublishError::Offline)?;
        entry.greeted |= leaf == topic::HELLO;
        if !entry.greeted {
            return Err(PublishError::Offline);
        }
        let down = Down { leaf, payload, expires: expires.map(|e| Instant::now() + e) };
        entry.down.try_send(down).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => PublishError::Full,
            mpsc::error::TrySendError::Closed(_) => PublishError::Offline,
        })
    }

    fn kick(&self, box_id: &BoxId, why: Kick) {
        if let Some(entry) = self.0.sessions.lock().get(box_id) {
            // One kick is enough: whichever came first ends the session.
            entry.kick.try_send(why).ok();
        }
    }

    fn is_connected(&self, box_id: &BoxId) -> bool {
        self.0.sessions.lock().get(box_id).is_some_and(|e| e.greeted)
    }
}

mod parking {
    //! A mutex for short, panic-free sections: poisoning is passed over.

    use std::sync::{Mutex, MutexGuard, PoisonError};

    #[derive(Debug, Default)]
    pub(super) struct Lock<T>(Mutex<T>);

    impl<T> Lock<T> {
        pub(super) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}
