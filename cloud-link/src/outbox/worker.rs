//! The thread that owns the file: drains the queue, commits once for all that waited, answers after the commit.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use link_protocol::{
    ids::EventId,
    up::{self, CommandResult, Event},
};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::{mpsc, watch};

use super::{
    Answer, Begun, Options, Outbox, OutboxError, Pulse, QUEUE, Request, Synchronous,
    mark::{self, Mark, Place},
    reserve::Reserve,
    store::Store,
};
use crate::staged;

/// Most requests of one transaction.
const GROUP: usize = 256;
/// Between passes of the cleaner while there is more to delete.
const CLEANING: Duration = Duration::from_millis(200);
/// The mark lags behind the file by at most so many events, or one round of housekeeping.
const MARK_EVERY: i64 = 1024;
/// How often the latest time seen goes to disk.
const TIME_EVERY_MS: i64 = 300_000;
const SETTLED_EVERY_MS: i64 = 3_600_000;

pub(super) fn start(dir: &Path, options: Options) -> Result<Outbox, OutboxError> {
    let mut worker = Worker::open(dir, options)?;
    let (requests, mut queue) = mpsc::channel(QUEUE);
    let handle = Outbox {
        requests,
        stats: worker.stats.subscribe(),
        pulse: worker.pulse.subscribe(),
        time: worker.clock.clone(),
    };
    let io_error = |source| OutboxError::Io { path: dir.display().to_string(), source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(io_error)?;
    let body = move || {
        let closed = runtime.block_on(worker.run(&mut queue));
        worker.close();
        if let Some(answer) = closed {
            reply(answer, Ok(()));
        }
    };
    std::thread::Builder::new().name("outbox".into()).spawn(body).map(drop).map_err(io_error)?;
    Ok(handle)
}

struct Worker {
    store: Store,
    options: Options,
    reserve: Reserve,
    mark_path: PathBuf,
    mark: Mark,
    clock: Arc<Clock>,
    stored_time_ms: i64,
    settled_ms: i64,
    next_round: Instant,
    full: bool,
    stats: watch::Sender<up::Outbox>,
    pulse: watch::Sender<Pulse>,
}

/// What a write came to.
enum Output {
    Unit,
    Event(Event),
    Count(u64),
    Begun(Begun),
}

impl Worker {
    fn open(dir: &Path, options: Options) -> Result<Self, OutboxError> {
        staged::private_dir(dir).map_err(|source| OutboxError::Io { path: dir.display().to_string(), source })?;
        let path = dir.join("outbox.db");
        let mut store = match open_store(&path, &options) {
            Err(error) if is_damaged(&error) && options.vfs.is_none() => {
                set_aside(&path, &error)?;
                open_store(&path, &options)?
            }
            other => other?,
        };
        let reserve = Reserve::open(dir.join("outbox.reserve"), options.reserve_bytes);
        let place = Place::of(&path);
        let mark_path = dir.join("outbox.mark");
        let mark = mark::read(&mark_path)?;
        let clock = Arc::new(Clock::new(store.highest_ms()?));
        let renewal = match store.position() {
            Some((epoch, high)) => {
                let renewal = mark::judge(epoch, high, &place, mark.as_ref());
                if let Some(reason) = renewal {
                    tracing::warn!(?reason, "the outbox file was restored or copied; its events get a new epoch");
                }
                renewal.is_some()
            }
            None => true,
        };
        if renewal {
            let epoch = mark::new_epoch()?;
            store.begin()?;
            store.renew_epoch(epoch)?;
            store.commit()?;
        }
        let (epoch, high) = store.position().unwrap_or_default();
        let mut mark = Mark { epoch, high, place };
        match mark::write(&mark_path, &mark) {
            // The old mark stays, which is safe: it is behind. A box must come up on a full disk, to say so.
            Err(OutboxError::Io { source, .. }) if source.kind() == std::io::ErrorKind::StorageFull => {
                tracing::warn!("the disk is full: the outbox's mark is written later");
                mark.high -= 1;
            }
            written => written?,
        }
        Ok(Self {
            stored_time_ms: store.highest_ms()?,
            store,
            options,
            reserve,
            mark_path,
            mark,
            clock,
            settled_ms: 0,
            next_round: Instant::now() + CLEANING,
            full: false,
            stats: watch::Sender::new(up::Outbox::default()),
            pulse: watch::Sender::new(Pulse::default()),
        })
    }

    /// Until a handle closes it or the last one is dropped.
    async fn run(&mut self, queue: &mut mpsc::Receiver<Request>) -> Option<Answer<()>> {
        let mut drained = Vec::with_capacity(GROUP);
        loop {
            match tokio::time::timeout_at(self.next_round.into(), queue.recv_many(&mut drained, GROUP)).await {
                Ok(0) => return None,
                Ok(_) => {
                    let closed = self.serve(&mut drained);
                    if closed.is_some() {
                        return closed;
                    }
                    if self.next_round <= Instant::now() {
                        self.housekeeping();
                    }
                }
                Err(_) => self.housekeeping(),
            }
        }
    }

    /// Writes that stand together are committed together; a read sees every write before it.
    fn serve(&mut self, drained: &mut Vec<Request>) -> Option<Answer<()>> {
        let mut writes = Vec::new();
        let mut closed = None;
        for request in drained.drain(..) {
            match request {
                Request::Since { .. }
                | Request::Replay { .. }
                | Request::Batch { .. }
                | Request::Last { .. }
                | Request::Unreported { .. }
                | Request::Held { .. }
                | Request::UnsentByPairing { .. } => {
                    self.write(std::mem::take(&mut writes));
                    self.read(request);
                }
                Request::Close { answer } => {
                    self.write(std::mem::take(&mut writes));
                    closed = Some(answer);
                }
                write => writes.push(write),
            }
        }
        self.write(writes);
        closed
    }

    fn read(&mut self, request: Request) {
        match request {
            Request::Since { after, max, answer } => reply(answer, self.store.since(after.as_ref(), max)),
            Request::Replay { after, max, answer } => reply(answer, self.store.replay(after.as_ref(), max)),
            Request::Batch { after, max, answer } => reply(answer, self.store.batch(after.as_ref(), max)),
            Request::Last { answer } => reply::<Option<EventId>>(answer, Ok(self.store.last())),
            Request::Unreported { answer } => reply::<Vec<CommandResult>>(answer, self.store.unreported()),
            Request::Held { answer } => reply(answer, self.store.held()),
            Request::UnsentByPairing { answer } => reply(answer, Ok(self.store.unsent_by_pairing())),
            _ => {}
        }
    }

    fn write(&mut self, requests: Vec<Request>) {
        if requests.is_empty() {
            return;
        }
        let mut result = self.transaction(&requests);
        if matches!(result, Err(OutboxError::Full)) && self.reserve.release() {
            result = self.transaction(&requests);
        }
        match result {
            Ok(outputs) => {
                self.full = false;
                self.announce(&requests);
                for (request, output) in requests.into_iter().zip(outputs) {
                    answer(request, Ok(output));
                }
            }
            Err(OutboxError::Full) => {
                if !self.full {
                    tracing::error!("the disk is full and the reserve used up: scans are not stored");
                }
                self.full = true;
                self.announce(&[]);
                for request in requests {
                    answer(request, Err(OutboxError::Full));
                }
            }
            // One bad request must not take the others with it.
            Err(_) if requests.len() > 1 => requests.into_iter().for_each(|r| self.write(vec![r])),
            Err(error) => {
                tracing::error!(%error, "the outbox cannot write");
                let mut error = Some(error);
                for request in requests {
                    answer(request, Err(error.take().unwrap_or(OutboxError::Closed)));
                }
            }
        }
        self.keep_mark(MARK_EVERY);
    }

    fn transaction(&mut self, requests: &[Request]) -> Result<Vec<Output>, OutboxError> {
        let before = self.store.memory.clone();
        let now_ms = self.clock.latest_ms();
        let run = |store: &mut Store| {
            store.begin()?;
            let outputs: Result<Vec<_>, _> = requests.iter().map(|r| apply(store, r, now_ms)).collect();
            let outputs = outputs?;
            store.commit()?;
            Ok(outputs)
        };
        run(&mut self.store).map_err(|error| {
            self.store.rollback();
            self.store.memory = before;
            as_full(error)
        })
    }

    /// Tells the watchers what the commit changed.
    fn announce(&mut self, requests: &[Request]) {
        let stats = up::Outbox { unsent: self.store.unsent(), full: self.full };
        self.stats.send_if_modified(|old| {
            let changed = *old != stats;
            *old = stats;
            changed
        });
        let count = |wanted: fn(&Request) -> bool| requests.iter().filter(|r| wanted(r)).count() as u64;
        let events =
            count(|r| matches!(r, Request::Append { .. } | Request::Rewind { .. } | Request::SetPairing { .. }));
        let results = count(|r| matches!(r, Request::Finish { .. } | Request::Resolve { .. } | Request::Begin { .. }));
        if events + results > 0 {
            self.pulse.send_modify(|p| {
                p.events += events;
                p.results += results;
            });
        }
    }

    /// Writes the mark when it lags by `lag` events, or names another epoch.
    fn keep_mark(&mut self, lag: i64) {
        let Some((epoch, high)) = self.store.position() else { return };
        if epoch == self.mark.epoch && high < self.mark.high.saturating_add(lag) {
            return;
        }
        let mark = Mark { epoch, high, ..self.mark.clone() };
        match mark::write(&self.mark_path, &mark) {
            Ok(()) => self.mark = mark,
            // Not written means behind, which is safe.
            Err(error) => tracing::warn!(%error, "cannot write the outbox's mark"),
        }
    }

    fn housekeeping(&mut self) {
        self.next_round = Instant::now() + self.options.housekeeping;
        self.keep_mark(1);
        self.reserve.retake();
        if self.full && self.reserve.has_room() {
            self.full = false;
            self.announce(&[]);
        }
        match self.clean() {
            Ok(0) => {}
            Ok(deleted) => {
                tracing::debug!(outbox.deleted = deleted, "old records left the outbox");
                self.next_round = Instant::now() + CLEANING;
            }
            Err(error) => tracing::warn!(%error, "the outbox could not be cleaned"),
        }
    }

    /// One bounded pass; how many rows went.
    fn clean(&mut self) -> Result<usize, OutboxError> {
        let now_ms = self.clock.latest_ms();
        let before = self.store.memory.clone();
        let millis = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        let keep_time = now_ms.abs_diff(self.stored_time_ms) >= TIME_EVERY_MS.unsigned_abs();
        let note_settled = now_ms.abs_diff(self.settled_ms) >= SETTLED_EVERY_MS.unsigned_abs();
        let options = &self.options;
        let run = |store: &mut Store| {
            store.begin()?;
            if keep_time {
                store.set_highest_ms(now_ms)?;
            }
            if note_settled {
                store.note_settled(now_ms)?;
            }
            let events = store.clean(options.keep_bytes, now_ms.saturating_sub(millis(options.keep_sent)))?;
            let commands = store.clean_commands(now_ms.saturating_sub(millis(options.keep_commands)))?;
            store.commit()?;
            Ok(events + commands)
        };
        let result = run(&mut self.store);
        if result.is_err() {
            self.store.rollback();
            self.store.memory = before;
        } else {
            self.stored_time_ms = if keep_time { now_ms } else { self.stored_time_ms };
            self.settled_ms = if note_settled { now_ms } else { self.settled_ms };
        }
        result
    }

    fn close(mut self) {
        self.keep_mark(1);
        if let Err(error) = self.clean() {
            tracing::warn!(%error, "the outbox could not be cleaned");
        }
        self.store.close();
    }
}

fn apply(store: &mut Store, request: &Request, now_ms: i64) -> Result<Output, OutboxError> {
    match request {
        Request::Append { device, at_ms, body, .. } => store.append(device, *at_ms, body).map(Output::Event),
        Request::Ack { ack, .. } => store.ack(ack).map(|()| Output::Unit),
        Request::Rewind { committed, .. } => {
            if store.rewind(committed, mark::new_epoch()?)? {
                tracing::warn!(
                    "the ERP has events that this outbox never gave out: it was restored; a new epoch begins"
                );
            }
            Ok(Output::Unit)
        }
        Request::SetPairing { pairing, .. } => {
            store.set_pairing(pairing.as_ref());
            Ok(Output::Unit)
        }
        Request::Discard { pairing, .. } => store.discard(pairing).map(Output::Count),
        Request::Begin { id, digest, origin, .. } => {
            store.begin_command(id, digest, *origin, now_ms).map(Output::Begun)
        }
        Request::Finish { id, outcome, .. } => store.finish_command(id, outcome).map(|()| Output::Unit),
        Request::Resolve { id, outcome, .. } => store.resolve_command(id, outcome).map(|()| Output::Unit),
        Request::Reported { result, .. } => store.reported(result).map(|()| Output::Unit),
        Request::Hold { job, .. } => store.hold(job).map(|()| Output::Unit),
        Request::StartHeld { id, .. } => store.start_held(id).map(|started| Output::Count(u64::from(started))),
        // Reads and the end are served elsewhere.
        _ => Ok(Output::Unit),
    }
}

fn answer(request: Request, result: Result<Output, OutboxError>) {
    let unit = |result: Result<Output, OutboxError>| result.map(|_| ());
    match (request, result) {
        (Request::Append { answer, .. }, Ok(Output::Event(event))) => reply(answer, Ok(event)),
        (Request::Append { answer, .. }, Err(error)) => reply(answer, Err(error)),
        (Request::Discard { answer, .. } | Request::StartHeld { answer, .. }, Ok(Output::Count(count))) => {
            reply(answer, Ok(count));
        }
        (Request::Discard { answer, .. } | Request::StartHeld { answer, .. }, Err(error)) => reply(answer, Err(error)),
        (Request::Begin { answer, .. }, Ok(Output::Begun(begun))) => reply(answer, Ok(begun)),
        (Request::Begin { answer, .. }, Err(error)) => reply(answer, Err(error)),
        (
            Request::Ack { answer, .. }
            | Request::Rewind { answer, .. }
            | Request::SetPairing { answer, .. }
            | Request::Finish { answer, .. }
            | Request::Resolve { answer, .. }
            | Request::Reported { answer, .. }
            | Request::Hold { answer, .. },
            result,
        ) => reply(answer, unit(result)),
        _ => {}
    }
}

fn reply<T>(answer: Answer<T>, result: Result<T, OutboxError>) {
    if answer.send(result).is_err() {
        tracing::trace!("nobody waits for this answer of the outbox any more");
    }
}

fn open_store(path: &Path, options: &Options) -> Result<Store, OutboxError> {
    let name = path.display().to_string();
    let open_error = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OutboxError::Locked(name.clone()),
        _ => OutboxError::Open { path: name.clone(), source },
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = match &options.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str()),
        None => Connection::open_with_flags(path, flags),
    }
    .map_err(open_error)?;
    let synchronous = match options.synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Off => "OFF",
    };
    let setup = || {
        db.busy_timeout(Duration::from_secs(1))?;
        // Exclusive before WAL: then the WAL's index lives in this process's memory and no shared-memory file is made
        // (https://www.sqlite.org/wal.html#noshm).
        db.execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA auto_vacuum = NONE; PRAGMA cache_size = -256;
             PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 8388608;",
        )?;
        let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0))?;
        debug_assert_eq!(mode, "wal");
        db.execute_batch(&format!("PRAGMA synchronous = {synchronous};"))?;
        db.set_prepared_statement_cache_capacity(32);
        Ok(())
    };
    setup().map_err(open_error)?;
    Store::open(db, &name).map_err(|error| match error {
        OutboxError::Sql(source) => open_error(source),
        other => other,
    })
}

fn is_damaged(error: &OutboxError) -> bool {
    let (OutboxError::Open { source, .. } | OutboxError::Sql(source)) = error else { return false };
    matches!(source.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

/// A file that SQLite cannot read is kept for whoever can, and the box goes on with a new one.
fn set_aside(path: &Path, error: &OutboxError) -> Result<(), OutboxError> {
    for suffix in ["", "-wal"] {
        let from = PathBuf::from(format!("{}{suffix}", path.display()));
        let to = PathBuf::from(format!("{}.damaged-{}{suffix}", path.display(), wall_ms()));
        match std::fs::rename(&from, &to) {
            Ok(()) => tracing::error!(%error, kept = %to.display(), "the outbox was damaged; a new one is made"),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(OutboxError::Io { path: from.display().to_string(), source }),
        }
    }
    Ok(())
}

fn as_full(error: OutboxError) -> OutboxError {
    match &error {
        OutboxError::Sql(sql) if sql.sqlite_error_code() == Some(ErrorCode::DiskFull) => OutboxError::Full,
        _ => error,
    }
}

/// The latest time seen. A clock that runs ahead would spoil it for ever, so the ERP's time replaces it.
#[derive(Debug)]
pub(super) struct Clock(Mutex<Latest>);

#[derive(Debug)]
struct Latest {
    highest_ms: i64,
    /// The ERP's time and when it was told.
    trusted: Option<(i64, Instant)>,
}

impl Clock {
    fn new(highest_ms: i64) -> Self {
        Self(Mutex::new(Latest { highest_ms, trusted: None }))
    }

    pub(super) fn latest_ms(&self) -> i64 {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = match latest.trusted {
            Some((ms, at)) => ms.saturating_add(i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX)),
            None => wall_ms(),
        };
        latest.highest_ms = latest.highest_ms.max(now);
        latest.highest_ms
    }

    pub(super) fn trust(&self, erp_now_ms: i64) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = Latest { highest_ms: erp_now_ms, trusted: Some((erp_now_ms, Instant::now())) };
    }
}

pub(super) fn wall_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
