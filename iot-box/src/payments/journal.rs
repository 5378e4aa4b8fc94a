//! The journal of card transactions: one file for each, on disk before the terminal hears of it.
//!
//! ```text
//!            begin                        end
//!  (nothing) ─────► running ─┬──────────────────────────────► approved, not_charged
//!                            │ cut, restart                        ▲
//!                            └─────────────► in_doubt ── asked ────┤
//!                                                                  ▼
//!                                                              undecided
//! ```
//! A file is replaced as a whole, so a power cut leaves one of two states and never half of one. It holds what the
//! terminal has to be asked with, and what came of it; no card number, since none reaches this program's inside.

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc, time::Duration};

use link_protocol::{
    ids::{CommandId, DeviceId},
    outcome::Outcome,
    payment::{Amount, PaymentKind, PaymentState},
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::data_dir::write_staged;

/// How long decided transactions stay, like command ids.
const KEEP: Duration = Duration::from_secs(30 * 86_400);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) v: u16,
    pub(crate) command: CommandId,
    pub(crate) device: DeviceId,
    /// The transaction's name on the wire.
    pub(crate) key: String,
    pub(crate) act: PaymentKind,
    /// None for a reversal.
    pub(crate) asked: Option<Amount>,
    pub(crate) reference: String,
    /// The terminal's last transaction before this one.
    pub(crate) before: Option<String>,
    /// The terminal's last transaction after it, where it took place.
    #[serde(default)]
    pub(crate) after: Option<String>,
    pub(crate) began_ms: i64,
    pub(crate) state: PaymentState,
    pub(crate) outcome: Option<Outcome>,
    /// The event of this state is stored and the command's outcome recorded.
    pub(crate) told: bool,
}

impl Record {
    pub(crate) fn is_decided(&self) -> bool {
        matches!(self.state, PaymentState::Approved | PaymentState::NotCharged)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Journal {
    dir: PathBuf,
    records: Arc<Mutex<BTreeMap<CommandId, Record>>>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    #[error("cannot read the journal of payments in {path}: {source}; check the rights of the data directory")]
    Read { path: PathBuf, source: io::Error },
    #[error("the payment cannot be written down in {path}: {source}; look at the free space with iot-box check")]
    Write { path: PathBuf, source: io::Error },
}

impl Journal {
    /// What was under way when the box stopped is in doubt now.
    pub(crate) fn open(dir: PathBuf, now_ms: i64) -> Result<Self, JournalError> {
        let read = |source| JournalError::Read { path: dir.clone(), source };
        std::fs::create_dir_all(&dir).map_err(read)?;
        let mut records = BTreeMap::new();
        for entry in std::fs::read_dir(&dir).map_err(read)? {
            let path = entry.map_err(read)?.path();
            if path.extension().is_none_or(|e| e != "json") {
                continue;
            }
            let text = std::fs::read_to_string(&path).map_err(read)?;
            let mut record: Record = match serde_json::from_str(&text) {
                Ok(record) => record,
                Err(error) => {
                    // Put aside, not away: somebody may have to find out what it said.
                    tracing::error!(%error, path = %path.display(), "a payment in the journal cannot be understood");
                    continue;
                }
            };
            if record.state == PaymentState::Running {
                (record.state, record.told) = (PaymentState::InDoubt, false);
            }
            let age = now_ms.saturating_sub(record.began_ms);
            if record.is_decided() && record.told && age > KEEP.as_millis() as i64 {
                std::fs::remove_file(&path).map_err(read)?;
                continue;
            }
            records.insert(record.command.clone(), record);
        }
        Ok(Self { dir, records: Arc::new(Mutex::new(records)) })
    }

    /// On disk when it returns.
    pub(crate) async fn put(&self, record: Record) -> Result<(), JournalError> {
        let mut records = self.records.lock().await;
        let name = ring::digest::digest(&ring::digest::SHA256, record.command.as_str().as_bytes());
        let path = self.dir.join(format!("{}.json", data_encoding::HEXLOWER.encode(&name.as_ref()[..16])));
        let write = |source| JournalError::Write { path: path.clone(), source };
        let text = serde_json::to_vec(&record).map_err(|e| write(io::Error::other(e)))?;
        let to = path.clone();
        let written = tokio::task::spawn_blocking(move || write_staged(&to, &text)).await;
        written.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(write)?;
        records.insert(record.command.clone(), record);
        Ok(())
    }

    pub(crate) async fn get(&self, command: &CommandId) -> Option<Record> {
        self.records.lock().await.get(command).cloned()
    }

    pub(crate) async fn all(&self) -> Vec<Record> {
        self.records.lock().await.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn record(command: &str, state: PaymentState) -> Record {
        Record {
            v: 1,
            command: command.parse().unwrap(),
            device: "terminal-1".parse().unwrap(),
            key: "K000000001".into(),
            act: PaymentKind::Payment,
            asked: Some(Amount { minor: 1250, currency: "EUR".into() }),
            reference: "0042".into(),
            before: Some("0011/".into()),
            after: None,
            began_ms: 0,
            state,
            outcome: None,
            told: true,
        }
    }

    #[tokio::test]
    async fn what_ran_when_the_box_stopped_is_in_doubt_afterwards_and_what_is_decided_stays() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path().join("payments"), 0).unwrap();
        for (command, state) in [
            ("command-1", PaymentState::Running),
            ("command-2", PaymentState::Approved),
            ("command-3", PaymentState::Undecided),
        ] {
            journal.put(record(command, state)).await.unwrap();
        }
        let journal = Journal::open(dir.path().join("payments"), 1).unwrap();
        let states: Vec<_> = journal.all().await.into_iter().map(|r| (r.state, r.told)).collect();
        assert_eq!(
            states,
            [(PaymentState::InDoubt, false), (PaymentState::Approved, true), (PaymentState::Undecided, true)]
        );
        // After a month only doubt is kept.
        let journal = Journal::open(dir.path().join("payments"), 31 * 86_400_000).unwrap();
        assert_eq!(journal.all().await.len(), 2);
    }

    #[tokio::test]
    async fn a_journal_that_cannot_be_written_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path().join("payments"), 0).unwrap();
        std::fs::remove_dir_all(dir.path().join("payments")).unwrap();
        assert!(journal.put(record("command-1", PaymentState::Running)).await.is_err());
        assert_eq!(journal.get(&"command-1".parse().unwrap()).await, None);
    }
}
