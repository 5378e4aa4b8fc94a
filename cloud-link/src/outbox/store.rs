//! The file: schema, and what can be asked of it. Every method runs inside the caller's transaction.

use link_protocol::{
    down::Ack,
    ids::{DeviceId, Epoch, EventId, PairingId},
    up::{Event, EventBody},
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    OutboxError,
    cleaner::{Facts, RunFacts},
};

const FORMAT: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
-- Events of one epoch and one pairing, numbered without a gap from first_n; seq goes along from first_seq.
CREATE TABLE run (
    run INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    pairing TEXT,
    first_n INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    acked_n INTEGER NOT NULL
);
CREATE TABLE event (
    n INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    device TEXT NOT NULL,
    body TEXT NOT NULL
);
-- Up to n everything of the run was settled at at_ms; a row an hour at most.
CREATE TABLE settled (
    run INTEGER NOT NULL,
    n INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (run, n)
) WITHOUT ROWID;
CREATE TABLE command (
    k INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    digest BLOB NOT NULL,
    pairing TEXT,
    begun_ms INTEGER NOT NULL,
    report INTEGER NOT NULL,
    outcome TEXT,
    state INTEGER NOT NULL
);
CREATE INDEX open_command ON command (k) WHERE state < 2;
";

#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    run: i64,
    epoch: u64,
    pairing: Option<PairingId>,
    first_n: i64,
    first_seq: i64,
    acked_n: i64,
}

impl Run {
    fn id_of(&self, n: i64) -> EventId {
        EventId { epoch: epoch_id(self.epoch), seq: u64::try_from(self.first_seq + (n - self.first_n)).unwrap_or(0) }
    }

    /// The number of a seq; it may lie outside of the run.
    fn n_of(&self, seq: u64) -> i64 {
        i64::try_from(seq).unwrap_or(i64::MAX).saturating_sub(self.first_seq).saturating_add(self.first_n)
    }
}

/// What is kept in memory of the file; taken back when a transaction fails.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    runs: Vec<Run>,
    next_n: i64,
    epoch: u64,
    pub(super) pairing: Option<PairingId>,
    /// Highest number that an ERP can know of: what was in the file at the start, and what batches gave out since.
    given_out: i64,
    /// First number of this process's life.
    start_n: i64,
}

pub(super) struct Store {
    pub(super) db: Connection,
    pub(super) memory: Memory,
}

pub(super) fn epoch_id(epoch: u64) -> Epoch {
    Epoch::from_bits(epoch)
}

pub(super) fn record(error: impl std::fmt::Display) -> OutboxError {
    OutboxError::Record(error.to_string())
}

impl Store {
    /// Makes the tables if they are not there, reads the runs, and settles what a crash left open.
    pub(super) fn open(db: Connection, path: &str) -> Result<Self, OutboxError> {
        let found: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0))?;
        if found > FORMAT {
            return Err(OutboxError::Newer { path: path.to_owned(), found });
        }
        let mut store = Self { db, memory: Memory::default() };
        store.begin()?;
        if found == 0 {
            store.db.execute_batch(SCHEMA)?;
            store.db.execute_batch(&format!("PRAGMA user_version = {FORMAT}"))?;
            store.memory.next_n = 1;
        } else {
            store.read_runs()?;
        }
        store.db.execute_batch(super::held::SCHEMA)?;
        store.settle_interrupted()?;
        store.forget_settled()?;
        store.commit()?;
        store.memory.start_n = store.memory.next_n;
        store.memory.given_out = store.memory.next_n - 1;
        Ok(store)
    }

    pub(super) fn begin(&self) -> rusqlite::Result<()> {
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(drop)
    }

    pub(super) fn commit(&self) -> rusqlite::Result<()> {
        self.db.prepare_cached("COMMIT")?.execute([]).map(drop)
    }

    /// After an error SQLite may have rolled back by itself.
    pub(super) fn rollback(&self) {
        if !self.db.is_autocommit()
            && let Err(error) = self.db.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "the outbox cannot roll back");
        }
    }

    fn read_runs(&mut self) -> Result<(), OutboxError> {
        let mut query = self
            .db
            .prepare("SELECT run, epoch, pairing, first_n, first_seq, acked_n FROM run ORDER BY first_n, run")?;
        let rows = query.query_map([], |r| {
            let epoch: i64 = r.get(1)?;
            let pairing: Option<String> = r.get(2)?;
            Ok((r.get(0)?, epoch.cast_unsigned(), pairing, r.get(3)?, r.get(4)?, r.get(5)?))
        })?;
        let mut runs = Vec::new();
        for row in rows {
            let (run, epoch, pairing, first_n, first_seq, acked_n) = row?;
            let pairing = pairing.map(|p| p.parse()).transpose().map_err(record)?;
            runs.push(Run { run, epoch, pairing, first_n, first_seq, acked_n });
        }
        drop(query);
        let highest: Option<i64> = self.db.query_row("SELECT max(n) FROM event", [], |r| r.get(0))?;
        let after_runs = runs.last().map_or(1, |r| r.first_n);
        self.memory.next_n = highest.map_or(1, |n| n + 1).max(after_runs);
        self.memory.epoch = runs.last().map_or(0, |r| r.epoch);
        self.memory.runs = runs;
        Ok(())
    }

    /// Epoch and highest number, for the mark; `None` for a new file.
    pub(super) fn position(&self) -> Option<(u64, i64)> {
        (!self.memory.runs.is_empty()).then_some((self.memory.epoch, self.memory.next_n - 1))
    }

    /// A new life of the file. Events before keep their names.
    pub(super) fn renew_epoch(&mut self, epoch: u64) -> Result<(), OutboxError> {
        self.memory.epoch = epoch;
        self.ensure_run().map(drop)
    }

    pub(super) fn set_pairing(&mut self, pairing: Option<&PairingId>) {
        self.memory.pairing = pairing.cloned();
    }

    // Events

    pub(super) fn append(&mut self, device: &DeviceId, at_ms: i64, body: &EventBody) -> Result<Event, OutboxError> {
        let at = self.ensure_run()?;
        let n = self.memory.next_n;
        let text = serde_json::to_string(body).map_err(record)?;
        self.db
            .prepare_cached("INSERT INTO event (n, at_ms, device, body) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![n, at_ms, device.as_str(), text])?;
        self.memory.next_n += 1;
        Ok(Event { id: self.memory.runs[at].id_of(n), device: device.clone(), at_ms, body: body.clone() })
    }

    /// Index of the run that the next event belongs to.
    fn ensure_run(&mut self) -> Result<usize, OutboxError> {
        let memory = &self.memory;
        if let Some(last) = memory.runs.last()
            && last.epoch == memory.epoch
            && last.pairing == memory.pairing
        {
            return Ok(memory.runs.len() - 1);
        }
        let used = |(i, r): (usize, &Run)| r.first_seq + (self.end(i) - r.first_n);
        let same_epoch = memory.runs.iter().enumerate().filter(|(_, r)| r.epoch == memory.epoch);
        let first_seq = same_epoch.map(used).max().unwrap_or(0) + 1;
        self.db.execute(
            "INSERT INTO run (epoch, pairing, first_n, first_seq, acked_n) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                memory.epoch.cast_signed(),
                memory.pairing.as_ref().map(PairingId::as_str),
                memory.next_n,
                first_seq,
                memory.next_n - 1
            ],
        )?;
        let run = Run {
            run: self.db.last_insert_rowid(),
            epoch: memory.epoch,
            pairing: memory.pairing.clone(),
            first_n: memory.next_n,
            first_seq,
            acked_n: memory.next_n - 1,
        };
        self.memory.runs.push(run);
        Ok(self.memory.runs.len() - 1)
    }

    /// Last number of the run at this index; below its first if it is empty.
    fn end(&self, index: usize) -> i64 {
        self.memory.runs.get(index + 1).map_or(self.memory.next_n, |next| next.first_n) - 1
    }

    pub(super) fn ack(&mut self, ack: &Ack) -> Result<(), OutboxError> {
        for index in 0..self.memory.runs.len() {
            let end = self.end(index);
            let run = &self.memory.runs[index];
            if run.pairing.is_some() && run.pairing == self.memory.pairing && epoch_id(run.epoch) == ack.epoch {
                let n = run.n_of(ack.seq).min(end);
                if n > run.acked_n {
                    self.set_acked(index, n)?;
                }
            }
        }
        Ok(())
    }

    fn set_acked(&mut self, index: usize, n: i64) -> Result<(), OutboxError> {
        let run = &mut self.memory.runs[index];
        self.db.prepare_cached("UPDATE run SET acked_n = ?2 WHERE run = ?1")?.execute(params![run.run, n])?;
        run.acked_n = n;
        Ok(())
    }

    /// See [`super::Outbox::rewind`]. True: the ERP has events that this file never gave out, so it was restored, and
    /// what was appended since the start was renamed into `epoch`.
    pub(super) fn rewind(&mut self, committed: &[Ack], epoch: u64) -> Result<bool, OutboxError> {
        let mut restored = false;
        for index in 0..self.memory.runs.len() {
            let end = self.end(index);
            let run = &self.memory.runs[index];
            if run.pairing.is_none() || run.pairing != self.memory.pairing || end < run.first_n {
                continue;
            }
            let id = epoch_id(run.epoch);
            let seq = committed.iter().find(|a| a.epoch == id).map_or(0, |a| a.seq);
            let n = run.n_of(seq);
            restored |= run.epoch == self.memory.epoch && n > self.memory.given_out.max(self.memory.start_n - 1);
            let lowest: Option<i64> = self
                .db
                .prepare_cached("SELECT min(n) FROM event WHERE n BETWEEN ?1 AND ?2")?
                .query_row(params![run.first_n, end], |r| r.get(0))?;
            // What is no longer kept cannot be sent again.
            let floor = lowest.unwrap_or(end + 1) - 1;
            let target = n.clamp(floor.min(end), end);
            if target != run.acked_n {
                let run = run.run;
                self.set_acked(index, target)?;
                self.db.execute("DELETE FROM settled WHERE run = ?1 AND n > ?2", params![run, target])?;
            }
        }
        if restored {
            self.rename_since_start(epoch)?;
        }
        Ok(restored)
    }

    /// Events of this process's life get names of a new epoch: under their old ones the ERP has others.
    fn rename_since_start(&mut self, epoch: u64) -> Result<(), OutboxError> {
        let start = self.memory.start_n;
        self.memory.epoch = epoch;
        let spanning = self.memory.runs.iter().rposition(|r| r.first_n < start);
        let mut later: Vec<Run> = self.memory.runs.drain(spanning.map_or(0, |i| i + 1)..).collect();
        if let Some(index) = spanning {
            let run = &self.memory.runs[index];
            let has_new = later.first().map_or(self.memory.next_n, |r| r.first_n) > start;
            if has_new {
                let split = Run { run: 0, first_n: start, acked_n: start - 1, epoch, ..run.clone() };
                later.insert(0, split);
            }
            if run.acked_n >= start {
                self.set_acked(index, start - 1)?;
            }
        }
        let mut seq = 1;
        for i in 0..later.len() {
            let end = later.get(i + 1).map_or(self.memory.next_n, |r| r.first_n);
            let run = &mut later[i];
            if run.run != 0 {
                self.db.execute("DELETE FROM run WHERE run = ?1", [run.run])?;
                self.db.execute("DELETE FROM settled WHERE run = ?1", [run.run])?;
            }
            (run.epoch, run.first_seq, run.acked_n) = (epoch, seq, run.first_n - 1);
            seq += end - run.first_n;
            self.db.execute(
                "INSERT INTO run (epoch, pairing, first_n, first_seq, acked_n) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    epoch.cast_signed(),
                    run.pairing.as_ref().map(PairingId::as_str),
                    run.first_n,
                    run.first_seq,
                    run.acked_n
                ],
            )?;
            run.run = self.db.last_insert_rowid();
        }
        self.memory.runs.extend(later);
        self.ensure_run().map(drop)
    }

    pub(super) fn discard(&mut self, pairing: &PairingId) -> Result<u64, OutboxError> {
        let mut discarded = 0;
        for index in 0..self.memory.runs.len() {
            let end = self.end(index);
            let run = &self.memory.runs[index];
            if run.pairing.as_ref() == Some(pairing) && run.acked_n < end {
                let from = run.acked_n + 1;
                // The newest row stays: the next number follows from it. It counts as settled like the others.
                let last = end.min(self.memory.next_n - 2);
                discarded += end - run.acked_n;
                self.db.execute("DELETE FROM event WHERE n BETWEEN ?1 AND ?2", params![from, last])?;
                self.set_acked(index, end)?;
            }
        }
        Ok(u64::try_from(discarded).unwrap_or(0))
    }

    pub(super) fn since(&self, after: Option<&EventId>, max: usize) -> Result<Vec<Event>, OutboxError> {
        let from = after.and_then(|id| self.n_of(id)).unwrap_or(0);
        self.events(from, self.memory.next_n - 1, max)
    }

    /// Like `since`, without what happened under other pairings.
    pub(super) fn replay(&self, after: Option<&EventId>, max: usize) -> Result<Vec<Event>, OutboxError> {
        let after = after.and_then(|id| self.n_of(id)).unwrap_or(0);
        let mut found = Vec::new();
        for index in 0..self.memory.runs.len() {
            let end = self.end(index);
            let run = &self.memory.runs[index];
            let from = after.max(run.first_n - 1);
            if run.pairing == self.memory.pairing && from < end && found.len() < max {
                found.extend(self.events(from, end, max - found.len())?);
            }
        }
        Ok(found)
    }

    pub(super) fn batch(&mut self, after: Option<&EventId>, max: usize) -> Result<Vec<Event>, OutboxError> {
        let after = after.and_then(|id| self.n_of(id)).unwrap_or(0);
        let mut batch = Vec::new();
        if self.memory.pairing.is_none() {
            return Ok(batch);
        }
        for index in 0..self.memory.runs.len() {
            let end = self.end(index);
            let run = &self.memory.runs[index];
            let from = run.acked_n.max(after).max(run.first_n - 1);
            if run.pairing == self.memory.pairing && from < end && batch.len() < max {
                batch.extend(self.events(from, end, max - batch.len())?);
                let last = batch.last().map_or(0, |event: &Event| run.n_of(event.id.seq));
                self.memory.given_out = self.memory.given_out.max(last);
            }
        }
        Ok(batch)
    }

    pub(super) fn last(&self) -> Option<EventId> {
        let n = self.memory.next_n - 1;
        let index = (0..self.memory.runs.len()).rfind(|i| self.memory.runs[*i].first_n <= n)?;
        Some(self.memory.runs[index].id_of(n))
    }

    /// The number of an event that was given out; it need not be kept any more.
    fn n_of(&self, id: &EventId) -> Option<i64> {
        (0..self.memory.runs.len()).find_map(|i| {
            let run = &self.memory.runs[i];
            let n = run.n_of(id.seq);
            (epoch_id(run.epoch) == id.epoch && n >= run.first_n - 1 && n <= self.end(i)).then_some(n)
        })
    }

    /// Events with `after < n <= end`, oldest first.
    fn events(&self, after: i64, end: i64, max: usize) -> Result<Vec<Event>, OutboxError> {
        let mut query = self
            .db
            .prepare_cached("SELECT n, at_ms, device, body FROM event WHERE n > ?1 AND n <= ?2 ORDER BY n LIMIT ?3")?;
        let mut rows = query.query(params![after, end, i64::try_from(max).unwrap_or(i64::MAX)])?;
        let mut events = Vec::with_capacity(max.min(512));
        let mut index = 0;
        while let Some(row) = rows.next()? {
            let n: i64 = row.get(0)?;
            while self.memory.runs.get(index + 1).is_some_and(|next| next.first_n <= n) {
                index += 1;
            }
            let Some(run) = self.memory.runs.get(index) else { break };
            let body = serde_json::from_str(row.get_ref(3)?.as_str().map_err(record)?).map_err(record)?;
            let device = row.get_ref(2)?.as_str().map_err(record)?.parse().map_err(record)?;
            events.push(Event { id: run.id_of(n), device, at_ms: row.get(1)?, body });
        }
        Ok(events)
    }

    /// Unsent events of the current pairing.
    pub(super) fn unsent(&self) -> u64 {
        let current = |i: &usize| {
            let run = &self.memory.runs[*i];
            run.pairing.is_some() && run.pairing == self.memory.pairing
        };
        (0..self.memory.runs.len()).filter(current).map(|i| self.unsent_of(i)).sum()
    }

    fn unsent_of(&self, index: usize) -> u64 {
        u64::try_from(self.end(index) - self.memory.runs[index].acked_n).unwrap_or(0)
    }

    pub(super) fn unsent_by_pairing(&self) -> Vec<(PairingId, u64)> {
        let mut all: Vec<(PairingId, u64)> = Vec::new();
        for (index, run) in self.memory.runs.iter().enumerate() {
            let (Some(pairing), unsent) = (&run.pairing, self.unsent_of(index)) else { continue };
            match all.iter_mut().find(|(p, _)| p == pairing) {
                _ if unsent == 0 => {}
                Some((_, sum)) => *sum += unsent,
                None => all.push((pairing.clone(), unsent)),
            }
        }
        all
    }

    // Housekeeping

    pub(super) fn highest_ms(&self) -> Result<i64, OutboxError> {
        let value =
            self.db.query_row("SELECT value FROM meta WHERE key = 'highest_ms'", [], |r| r.get(0)).optional()?;
        Ok(value.unwrap_or(0))
    }

    pub(super) fn set_highest_ms(&self, ms: i64) -> Result<(), OutboxError> {
        self.db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('highest_ms', ?1)", [ms])?;
        Ok(())
    }

    /// Notes how far each run is settled now.
    pub(super) fn note_settled(&self, now_ms: i64) -> Result<(), OutboxError> {
        for index in 0..self.memory.runs.len() {
            let (run, n) = (&self.memory.runs[index], self.settled_n(index));
            if n >= run.first_n {
                self.db.execute(
                    "INSERT INTO settled (run, n, at_ms) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                    params![run.run, n, now_ms],
                )?;
            }
        }
        Ok(())
    }

    fn settled_n(&self, index: usize) -> i64 {
        let run = &self.memory.runs[index];
        if run.pairing.is_some() { run.acked_n } else { self.end(index) }
    }

    /// One bounded pass of the cleaner. Rows deleted.
    pub(super) fn clean(&mut self, keep_bytes: u64, before_ms: i64) -> Result<usize, OutboxError> {
        let mut runs = Vec::with_capacity(self.memory.runs.len());
        for index in 0..self.memory.runs.len() {
            let (run, end) = (&self.memory.runs[index], self.end(index));
            let lowest: Option<i64> = self.db.query_row(
                "SELECT min(n) FROM event WHERE n BETWEEN ?1 AND ?2",
                params![run.first_n, end],
                |r| r.get(0),
            )?;
            let long_ago: Option<i64> = self.db.query_row(
                "SELECT max(n) FROM settled WHERE run = ?1 AND at_ms <= ?2",
                params![run.run, before_ms],
                |r| r.get(0),
            )?;
            if let Some(lowest) = lowest {
                let settled_long_ago = long_ago.unwrap_or(lowest - 1);
                runs.push(RunFacts { lowest, settled: self.settled_n(index), settled_long_ago });
            }
        }
        let rows: u64 = runs.first().map_or(0, |r| u64::try_from(self.memory.next_n - r.lowest).unwrap_or(0));
        let used_bytes = self.used_bytes()?;
        let newest = self.memory.next_n - 1;
        let ranges = super::cleaner::plan(Facts { runs: &runs, used_bytes, keep_bytes, rows, newest });
        let mut deleted = 0;
        for (first, last) in ranges {
            deleted += self.db.execute("DELETE FROM event WHERE n BETWEEN ?1 AND ?2", params![first, last])?;
        }
        self.db.execute("DELETE FROM settled WHERE at_ms < ?1 AND n < (SELECT min(n) FROM event)", [before_ms])?;
        self.forget_empty_runs()?;
        Ok(deleted)
    }

    /// Runs of earlier epochs without an event left say nothing any more; those of this epoch say which seqs are used.
    fn forget_empty_runs(&mut self) -> Result<(), OutboxError> {
        let lowest: Option<i64> = self.db.query_row("SELECT min(n) FROM event", [], |r| r.get(0))?;
        let lowest = lowest.unwrap_or(self.memory.next_n);
        while let [first, second, ..] = self.memory.runs.as_slice()
            && first.epoch != self.memory.epoch
            && second.first_n <= lowest
        {
            self.db.execute("DELETE FROM settled WHERE run = ?1", [first.run])?;
            self.db.execute("DELETE FROM run WHERE run = ?1", [first.run])?;
            self.memory.runs.remove(0);
        }
        Ok(())
    }

    fn used_bytes(&self) -> Result<u64, OutboxError> {
        let pragma = |name: &str| self.db.query_row(&format!("PRAGMA {name}"), [], |r| r.get::<_, i64>(0));
        let pages = pragma("page_count")? - pragma("freelist_count")?;
        Ok(u64::try_from(pages * pragma("page_size")?).unwrap_or(0))
    }

    /// Closes the file; what the WAL holds is moved into it.
    pub(super) fn close(self) {
        if let Err((_, error)) = self.db.close() {
            tracing::warn!(%error, "the outbox did not close well; nothing is lost");
        }
    }
}
