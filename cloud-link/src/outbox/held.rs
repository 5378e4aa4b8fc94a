//! Jobs that wait for their printer, also while the box is off.
//!
//! ```text
//!            hold              start_held
//! running ────────► waiting ◄──────────────► running ── finish_command ──► gone from here
//!                      │ hold (nothing was sent)
//!                      └─ finish_command (cancelled, too late) ──────────► gone from here
//! ```
//!
//! A job that waits is in the ledger as such: a crash leaves it waiting, while one that ran is `Unknown` after it.

use link_protocol::{
    down::CommandBody,
    ids::{CommandId, DeviceId},
};
use rusqlite::params;

use super::{
    OutboxError,
    store::{Store, record},
};

/// `command.state` of a job that waits; below what the session reports.
const WAITING: i64 = -1;
const RUNNING: i64 = 0;

/// Made on every start: files of boxes without it get it.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS held (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    device TEXT NOT NULL,
    body TEXT NOT NULL,
    until_ms INTEGER NOT NULL
);
";

/// A job that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    pub id: CommandId,
    pub device: DeviceId,
    pub body: CommandBody,
    /// After this its first byte may not be sent any more; Unix milliseconds of [`super::Outbox::latest_time_ms`].
    pub until_ms: i64,
}

impl Store {
    pub(super) fn hold(&self, job: &Held) -> Result<(), OutboxError> {
        let waiting = self
            .db
            .prepare_cached("UPDATE command SET state = ?2 WHERE id = ?1 AND outcome IS NULL")?
            .execute(params![job.id.as_str(), WAITING])?;
        if waiting == 0 {
            return Ok(());
        }
        let body = serde_json::to_string(&job.body).map_err(record)?;
        // One that comes back keeps its place.
        self.db
            .prepare_cached(
                "INSERT INTO held (id, device, body, until_ms) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            )?
            .execute(params![job.id.as_str(), job.device.as_str(), body, job.until_ms])?;
        Ok(())
    }

    /// `false`: it does not wait any more (it was cancelled).
    pub(super) fn start_held(&self, id: &CommandId) -> Result<bool, OutboxError> {
        let started = self
            .db
            .prepare_cached("UPDATE command SET state = ?2 WHERE id = ?1 AND state = ?3")?
            .execute(params![id.as_str(), RUNNING, WAITING])?;
        Ok(started == 1)
    }

    pub(super) fn held(&self) -> Result<Vec<Held>, OutboxError> {
        let mut query = self.db.prepare_cached(
            "SELECT held.id, held.device, held.body, held.until_ms FROM held JOIN command ON command.id = held.id
             WHERE command.state = ?1 ORDER BY held.n",
        )?;
        let mut rows = query.query([WAITING])?;
        let mut jobs = Vec::new();
        while let Some(row) = rows.next()? {
            let text = |at: usize| -> Result<&str, OutboxError> { row.get_ref(at)?.as_str().map_err(record) };
            jobs.push(Held {
                id: text(0)?.parse().map_err(record)?,
                device: text(1)?.parse().map_err(record)?,
                body: serde_json::from_str(text(2)?).map_err(record)?,
                until_ms: row.get(3)?,
            });
        }
        Ok(jobs)
    }

    /// What does not wait any more needs no body.
    pub(super) fn forget_settled(&self) -> Result<(), OutboxError> {
        self.db.execute("DELETE FROM held WHERE id NOT IN (SELECT id FROM command WHERE state = ?1)", [WAITING])?;
        Ok(())
    }

    pub(super) fn forget_held(&self, id: &CommandId) -> Result<(), OutboxError> {
        self.db.prepare_cached("DELETE FROM held WHERE id = ?1")?.execute([id.as_str()])?;
        Ok(())
    }
}
