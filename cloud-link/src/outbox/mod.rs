//! Every business event until the ERP has it, and the ledger of commands. One SQLite file, one thread that owns it.
//!
//! ```text
//! append ──┐                        ┌── answered after the commit, so: on disk
//! ack ─────┼─> bounded queue ─> one thread: drain, one transaction, commit (WAL, synchronous=FULL)
//! batch ───┘                        └── reads see everything committed before them
//! ```
//! * An event is named by (epoch, seq). The epoch is random and belongs to one life of the file: [`mark`] finds out
//!   whether the file was restored or copied, and then a new one begins. A seq is never given twice.
//! * Events belong to the pairing under which they were made. What was not sent stays here, whatever is paired later.
//! * Acknowledged events stay for [`Options::keep_sent`], bounded by [`Options::keep_bytes`]: see [`cleaner`].
//! * When the disk is full the thread gives up its reserve file (see [`reserve`]) and goes on; only when that is used
//!   up too does [`Outbox::append`] fail, with [`AppendError::Full`].
//!
//! A run is a stretch of events with the same epoch and pairing. Within it numbers are dense, so what was acknowledged
//! is one number per run, not a mark on each row: an append writes one page, an acknowledgement too.

mod cleaner;
mod held;
mod ledger;
mod mark;
mod reserve;
mod store;
mod worker;

use std::{path::Path, time::Duration};

use link_protocol::{
    down::{Ack, CommandBody},
    ids::{CommandId, DeviceId, EventId, PairingId},
    outcome::Outcome,
    up::{self, CommandResult, Event, EventBody},
};
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot, watch};

/// Requests that may wait for the thread.
const QUEUE: usize = 1024;

#[derive(Debug, Clone)]
pub struct Options {
    /// How long acknowledged events stay, for an ERP that is restored from a backup.
    pub keep_sent: Duration,
    /// Bound of the file for acknowledged events, bytes. Unsent ones are never deleted for it.
    pub keep_bytes: u64,
    /// How long a command id is known.
    pub keep_commands: Duration,
    /// Bytes set aside on disk so that scans go on when it is full; 0 for none.
    pub reserve_bytes: u64,
    /// How often the thread looks after the file: cleans, takes its reserve again, writes its mark.
    pub housekeeping: Duration,
    /// Tests: a registered SQLite VFS that fails on purpose.
    pub vfs: Option<String>,
    /// Tests: [`Synchronous::Off`] shows that the durability tests can fail.
    pub synchronous: Synchronous,
}

impl Default for Options {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Self {
            keep_sent: 7 * DAY,
            keep_bytes: 32 << 20,
            keep_commands: 30 * DAY,
            reserve_bytes: 64 << 20,
            housekeeping: Duration::from_secs(60),
            vfs: None,
            synchronous: Synchronous::Full,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    Full,
    /// Loses data at a power cut.
    Off,
}

#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    #[error("cannot use the outbox in {path}: {source}; check the owner and the rights of the data directory")]
    Io { path: String, source: std::io::Error },
    #[error("another process uses {0}: stop the other iot-box first")]
    Locked(String),
    #[error("cannot open the outbox {path}: {source}")]
    Open { path: String, source: rusqlite::Error },
    #[error("{path} was written by a newer version of this program (format {found}): update the program")]
    Newer { path: String, found: i64 },
    /// The disk is full, reserve included.
    #[error("the disk is full: free some space on the box")]
    Full,
    #[error("the outbox cannot write: {0}; check the box's disk or card")]
    Sql(#[from] rusqlite::Error),
    #[error("a stored record cannot be read: {0}")]
    Record(String),
    #[error("the outbox is closed")]
    Closed,
}

/// Why an event is not on disk.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Pass it on live as `NotStored`.
    #[error("the disk is full and the reserve used up: free some space on the box")]
    Full,
    #[error("the event was not stored: {0}")]
    Failed(OutboxError),
}

pub use held::Held;

/// Who asked for a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The ERP: the outcome is reported there.
    Link,
    /// A browser on the LAN: it hears the outcome on its own connection.
    Lan,
}

/// What a command is, so that one id never stands for two wishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    pub fn of(device: &DeviceId, body: &CommandBody) -> Self {
        let mut hash = Sha256::new();
        hash.update(device.as_str());
        hash.update([0]);
        // A struct of strings and numbers always has a JSON form; an empty one would only make ids look repeated.
        hash.update(serde_json::to_vec(body).unwrap_or_default());
        Self(hash.finalize().into())
    }
}

/// Answer of [`Outbox::begin_command`].
#[derive(Debug, Clone, PartialEq)]
pub enum Begun {
    /// Never seen, and now on disk: run it.
    Fresh,
    /// It runs already; its outcome will come.
    Running,
    /// It ran before: this is what came of it.
    Finished(Outcome),
    /// The id was used for something else: reject as invalid.
    Conflict,
}

/// Grows with whatever the session may have to send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Events appended or rewound since the start.
    pub events: u64,
    /// Outcomes stored since the start.
    pub results: u64,
}

/// Handle of the thread; cheap to clone. When the last one is dropped the file is closed.
#[derive(Debug, Clone)]
pub struct Outbox {
    requests: mpsc::Sender<Request>,
    stats: watch::Receiver<up::Outbox>,
    pulse: watch::Receiver<Pulse>,
    time: std::sync::Arc<worker::Clock>,
}

type Answer<T> = oneshot::Sender<Result<T, OutboxError>>;

#[derive(Debug)]
enum Request {
    Append { device: DeviceId, at_ms: i64, body: EventBody, answer: Answer<Event> },
    Ack { ack: Ack, answer: Answer<()> },
    Rewind { committed: Vec<Ack>, answer: Answer<()> },
    SetPairing { pairing: Option<PairingId>, answer: Answer<()> },
    Discard { pairing: PairingId, answer: Answer<u64> },
    Begin { id: CommandId, digest: Digest, origin: Origin, answer: Answer<Begun> },
    Finish { id: CommandId, outcome: Outcome, answer: Answer<()> },
    Resolve { id: CommandId, outcome: Outcome, answer: Answer<()> },
    Reported { result: CommandResult, answer: Answer<()> },
    Hold { job: Box<Held>, answer: Answer<()> },
    StartHeld { id: CommandId, answer: Answer<u64> },
    Held { answer: Answer<Vec<Held>> },
    Since { after: Option<EventId>, max: usize, answer: Answer<Vec<Event>> },
    Replay { after: Option<EventId>, max: usize, answer: Answer<Vec<Event>> },
    Batch { after: Option<EventId>, max: usize, answer: Answer<Vec<Event>> },
    Last { answer: Answer<Option<EventId>> },
    Unreported { answer: Answer<Vec<CommandResult>> },
    UnsentByPairing { answer: Answer<Vec<(PairingId, u64)>> },
    Close { answer: Answer<()> },
}

impl Outbox {
    /// Opens or makes `dir/outbox.db`, settles what a crash left open, and starts the thread. Blocks for the time of
    /// a few disk syncs. Call [`Self::set_pairing`] before the first append: until then events belong to no pairing and
    /// are never sent.
    pub fn open(dir: &Path, options: Options) -> Result<Self, OutboxError> {
        worker::start(dir, options)
    }

    /// Stores an event of `device`. When this returns `Ok` it is on the disk, and may be told to others.
    pub async fn append(&self, device: DeviceId, at_ms: i64, body: EventBody) -> Result<Event, AppendError> {
        self.ask(|answer| Request::Append { device, at_ms, body, answer }).await.map_err(|e| match e {
            OutboxError::Full => AppendError::Full,
            e => AppendError::Failed(e),
        })
    }

    /// Up to `max` events after `after`, oldest first, sent or not, of every pairing. An `after` that is no longer
    /// kept, or is of a file that was replaced, starts at the oldest one kept.
    pub async fn since(&self, after: Option<EventId>, max: usize) -> Result<Vec<Event>, OutboxError> {
        self.ask(|answer| Request::Since { after, max, answer }).await
    }

    /// Like [`Self::since`], of the current pairing alone: a till of one ERP never reads what was scanned for another.
    pub async fn replay(&self, after: Option<EventId>, max: usize) -> Result<Vec<Event>, OutboxError> {
        self.ask(|answer| Request::Replay { after, max, answer }).await
    }

    /// The newest event; `None` before the first.
    pub async fn last(&self) -> Result<Option<EventId>, OutboxError> {
        self.ask(|answer| Request::Last { answer }).await
    }

    /// Unsent events of the current pairing, and whether the disk is full.
    pub fn stats(&self) -> watch::Receiver<up::Outbox> {
        self.stats.clone()
    }

    /// Tells that there is something new to send.
    pub fn pulse(&self) -> watch::Receiver<Pulse> {
        self.pulse.clone()
    }

    /// Events appended from now on belong to `pairing`; batches hold only its events.
    pub async fn set_pairing(&self, pairing: Option<PairingId>) -> Result<(), OutboxError> {
        self.ask(|answer| Request::SetPairing { pairing, answer }).await
    }

    /// Up to `max` unsent events of the current pairing, oldest first.
    pub async fn batch(&self, max: usize) -> Result<Vec<Event>, OutboxError> {
        self.ask(|answer| Request::Batch { after: None, max, answer }).await
    }

    /// Like [`Self::batch`], after an event that is on its way already.
    pub async fn batch_after(&self, after: EventId, max: usize) -> Result<Vec<Event>, OutboxError> {
        self.ask(|answer| Request::Batch { after: Some(after), max, answer }).await
    }

    /// The ERP has everything up to here (of the current pairing).
    pub async fn ack(&self, ack: Ack) -> Result<(), OutboxError> {
        self.ask(|answer| Request::Ack { ack, answer }).await
    }

    /// What the ERP says it has, from `down/hello`. An ERP restored from a backup has less than it acknowledged: those
    /// events become unsent again, as far as they are kept. An epoch it does not name it has nothing of.
    pub async fn rewind(&self, committed: Vec<Ack>) -> Result<(), OutboxError> {
        self.ask(|answer| Request::Rewind { committed, answer }).await
    }

    /// Unsent events of every pairing that has some, the current one included.
    pub async fn unsent_by_pairing(&self) -> Result<Vec<(PairingId, u64)>, OutboxError> {
        self.ask(|answer| Request::UnsentByPairing { answer }).await
    }

    /// Deletes the unsent events of a pairing, after a person said so. Their number.
    pub async fn discard(&self, pairing: PairingId) -> Result<u64, OutboxError> {
        self.ask(|answer| Request::Discard { pairing, answer }).await
    }

    /// Commits the command's id before its first byte. Only [`Begun::Fresh`] may run.
    pub async fn begin_command(&self, id: &CommandId, digest: Digest, origin: Origin) -> Result<Begun, OutboxError> {
        let id = id.clone();
        self.ask(|answer| Request::Begin { id, digest, origin, answer }).await
    }

    /// Stores what came of it. The first outcome stays: a second one is ignored.
    pub async fn finish_command(&self, id: &CommandId, outcome: &Outcome) -> Result<(), OutboxError> {
        let (id, outcome) = (id.clone(), outcome.clone());
        self.ask(|answer| Request::Finish { id, outcome, answer }).await
    }

    /// Lets a command that was begun wait for its device, also while the box is off; again after
    /// [`Self::start_held`], where nothing was sent.
    pub async fn hold(&self, job: Held) -> Result<(), OutboxError> {
        self.ask(|answer| Request::Hold { job: Box::new(job), answer }).await
    }

    /// Commits that the job's first byte may leave now: from here on a crash leaves doubt. `false`: it does not wait
    /// any more.
    pub async fn start_held(&self, id: &CommandId) -> Result<bool, OutboxError> {
        let id = id.clone();
        self.ask(|answer| Request::StartHeld { id, answer }).await.map(|started| started == 1)
    }

    /// Jobs that wait, oldest first.
    pub async fn held(&self) -> Result<Vec<Held>, OutboxError> {
        self.ask(|answer| Request::Held { answer }).await
    }

    /// Outcomes of the ERP's commands that it does not know yet, of the current pairing, oldest first, at most 100.
    pub async fn unreported_results(&self) -> Result<Vec<CommandResult>, OutboxError> {
        self.ask(|answer| Request::Unreported { answer }).await
    }

    /// The ERP has this outcome. One that was resolved in the meantime stays to be reported.
    pub async fn result_reported(&self, result: &CommandResult) -> Result<(), OutboxError> {
        let result = result.clone();
        self.ask(|answer| Request::Reported { result, answer }).await
    }

    /// Puts what was found out later in place of an outcome that was not known, and reports it anew. Any other outcome
    /// stays as it is.
    pub async fn resolve_command(&self, id: &CommandId, outcome: &Outcome) -> Result<(), OutboxError> {
        let (id, outcome) = (id.clone(), outcome.clone());
        self.ask(|answer| Request::Resolve { id, outcome, answer }).await
    }

    /// The latest time this box has seen, Unix milliseconds; it does not go back when the clock does. Grants of tills
    /// are judged on it. Once the ERP told the time, that counts instead of the box's own clock.
    pub fn latest_time_ms(&self) -> i64 {
        self.time.latest_ms()
    }

    /// The ERP's clock, from an authenticated session.
    pub fn trust_time(&self, erp_now_ms: i64) {
        self.time.trust(erp_now_ms);
    }

    /// Closes the file, for a clean stop: the next start then has nothing to recover. Every later call fails.
    pub async fn close(&self) -> Result<(), OutboxError> {
        self.ask(|answer| Request::Close { answer }).await
    }

    async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, OutboxError> {
        let (answer, wait) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| OutboxError::Closed)?;
        wait.await.map_err(|_| OutboxError::Closed)?
    }
}
