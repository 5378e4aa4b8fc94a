//! The thread that owns the file.

use std::{
    path::Path,
    sync::Mutex,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use super::{Options, Outbox, OutboxError};

pub(super) fn start(_dir: &Path, _options: Options) -> Result<Outbox, OutboxError> {
    Err(OutboxError::Closed)
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
    pub(super) fn new(highest_ms: i64) -> Self {
        Self(Mutex::new(Latest { highest_ms, trusted: None }))
    }

    pub(super) fn latest_ms(&self) -> i64 {
        let mut latest = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = match latest.trusted {
            Some((ms, at)) => ms.saturating_add(i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX)),
            None => wall_ms(),
        };
        latest.highest_ms = latest.highest_ms.max(now);
        latest.highest_ms
    }

    pub(super) fn trust(&self, erp_now_ms: i64) {
        let mut latest = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *latest = Latest { highest_ms: erp_now_ms, trusted: Some((erp_now_ms, Instant::now())) };
    }
}

pub(super) fn wall_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
