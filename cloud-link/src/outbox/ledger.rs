//! The ledger of commands: each id once, and what came of it. Runs inside the caller's transaction, like the rest of the
//! store.

use link_protocol::{
    ids::{CommandId, PairingId},
    outcome::Outcome,
    up::CommandResult,
};
use rusqlite::{OptionalExtension, params};

use super::{
    Begun, Digest, Origin, OutboxError,
    store::{Store, record},
};

/// `command.state`.
const RUNNING: i64 = 0;
const TO_REPORT: i64 = 1;
const SETTLED: i64 = 2;

/// Commands that stay whatever the clock says, so that one that jumps cannot empty the ledger.
const COMMANDS_KEPT: i64 = 10_000;

impl Store {
    /// Commands that a crash cut off: nobody can say whether they reached the device.
    pub(super) fn settle_interrupted(&self) -> Result<(), OutboxError> {
        let outcome = Outcome::Unknown {
            message: "the box stopped while this ran: look at the device before you repeat it".into(),
        };
        let outcome = serde_json::to_string(&outcome).map_err(record)?;
        let interrupted = self.db.execute(
            "UPDATE command SET outcome = ?1, state = CASE report WHEN 0 THEN ?3 ELSE ?2 END WHERE state < 2 AND state = ?4",
            params![outcome, TO_REPORT, SETTLED, RUNNING],
        )?;
        if interrupted > 0 {
            tracing::warn!(commands = interrupted, "commands were interrupted by a stop; their outcome is unknown");
        }
        Ok(())
    }

    pub(super) fn begin_command(
        &self,
        id: &CommandId,
        digest: &Digest,
        origin: Origin,
        now_ms: i64,
    ) -> Result<Begun, OutboxError> {
        let pairing = self.memory.pairing.as_ref().map(PairingId::as_str);
        let known = self
            .db
            .prepare_cached("SELECT digest, outcome, state FROM command WHERE id = ?1")?
            .query_row([id.as_str()], |r| {
                Ok((r.get::<_, Vec<u8>>(0)?, r.get::<_, Option<String>>(1)?, r.get::<_, i64>(2)?))
            })
            .optional()?;
        let Some((known_digest, outcome, state)) = known else {
            self.db
                .prepare_cached(
                    "INSERT INTO command (id, digest, pairing, begun_ms, report, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![id.as_str(), digest.0, pairing, now_ms, origin == Origin::Link, RUNNING])?;
            return Ok(Begun::Fresh);
        };
        if known_digest != digest.0 {
            return Ok(Begun::Conflict);
        }
        if origin == Origin::Link {
            // Whoever asks again has not heard the outcome.
            let state = if outcome.is_some() { TO_REPORT } else { state };
            self.db
                .prepare_cached("UPDATE command SET report = 1, pairing = ?2, state = ?3 WHERE id = ?1")?
                .execute(params![id.as_str(), pairing, state])?;
        }
        match outcome {
            Some(text) => Ok(Begun::Finished(serde_json::from_str(&text).map_err(record)?)),
            None => Ok(Begun::Running),
        }
    }

    pub(super) fn finish_command(&self, id: &CommandId, outcome: &Outcome) -> Result<(), OutboxError> {
        let outcome = serde_json::to_string(outcome).map_err(record)?;
        self.db
            .prepare_cached(
                "UPDATE command SET outcome = ?2, state = CASE report WHEN 0 THEN ?4 ELSE ?3 END
                 WHERE id = ?1 AND outcome IS NULL",
            )?
            .execute(params![id.as_str(), outcome, TO_REPORT, SETTLED])?;
        self.forget_held(id)
    }

    pub(super) fn unreported(&self) -> Result<Vec<CommandResult>, OutboxError> {
        let pairing = self.memory.pairing.as_ref().map(PairingId::as_str);
        let mut query = self.db.prepare_cached(
            "SELECT id, outcome FROM command WHERE state < 2 AND state = ?2 AND pairing = ?1 ORDER BY k LIMIT 100",
        )?;
        let mut rows = query.query(params![pairing, TO_REPORT])?;
        let mut results = Vec::new();
        while let Some(row) = rows.next()? {
            let id = row.get_ref(0)?.as_str().map_err(record)?.parse().map_err(record)?;
            let outcome = serde_json::from_str(row.get_ref(1)?.as_str().map_err(record)?).map_err(record)?;
            results.push(CommandResult { v: link_protocol::VERSION, id, outcome });
        }
        Ok(results)
    }

    pub(super) fn resolve_command(&self, id: &CommandId, outcome: &Outcome) -> Result<(), OutboxError> {
        let outcome = serde_json::to_string(outcome).map_err(record)?;
        self.db
            .prepare_cached(
                "UPDATE command SET outcome = ?2, state = CASE report WHEN 0 THEN ?4 ELSE ?3 END
                 WHERE id = ?1 AND (outcome IS NULL OR json_extract(outcome, '$.outcome') = 'unknown')",
            )?
            .execute(params![id.as_str(), outcome, TO_REPORT, SETTLED])?;
        Ok(())
    }

    pub(super) fn reported(&self, result: &CommandResult) -> Result<(), OutboxError> {
        let outcome = serde_json::to_string(&result.outcome).map_err(record)?;
        self.db
            .prepare_cached("UPDATE command SET state = ?2 WHERE id = ?1 AND state = ?3 AND outcome = ?4")?
            .execute(params![result.id.as_str(), SETTLED, TO_REPORT, outcome])?;
        Ok(())
    }

    /// Looks at the oldest rows only, so that a pass costs little however long the ledger is.
    pub(super) fn clean_commands(&self, before_ms: i64) -> Result<usize, OutboxError> {
        Ok(self.db.execute(
            "DELETE FROM command WHERE begun_ms < ?1 AND k IN
             (SELECT k FROM command WHERE k <= (SELECT max(k) FROM command) - ?2 ORDER BY k LIMIT 2000)",
            params![before_ms, COMMANDS_KEPT],
        )?)
    }
}
