//! Stored events, for pages and programs.

use jiff::Timestamp;
use link_protocol::ids::{BoxId, Epoch};
use serde::Serialize;

use crate::{error::ServiceError, state::Uid};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventRow {
    /// Record id: give the largest one seen as `after` to go on from there.
    pub id: i64,
    pub r#box: BoxId,
    pub box_name: String,
    /// The device's identifier, and its name if the box still has it.
    pub device: String,
    pub device_name: String,
    pub epoch: Epoch,
    pub seq: u64,
    /// `barcode`, `weight`, ...; also types this server does not know.
    pub r#type: String,
    pub data: serde_json::Value,
    /// The box's clock at the event; it may be wrong.
    pub at: Option<Timestamp>,
    pub received_at: Option<Timestamp>,
}

/// Which events, newest first.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Of one device only.
    pub device: Option<(BoxId, String)>,
    /// Records with a larger id only.
    pub after: Option<i64>,
    /// Records with a smaller id only.
    pub before: Option<i64>,
    pub limit: usize,
}

#[derive(Debug, Clone)]
pub struct Events {}

impl Events {
    /// The newest `limit` events, newest first.
    pub async fn latest(&self, _uid: Uid, _limit: usize) -> Result<Vec<EventRow>, ServiceError> {
        Ok(vec![])
    }

    /// Events stored after record `after`, oldest first, at most `limit`.
    pub async fn after(&self, _uid: Uid, _after: i64, _limit: usize) -> Result<Vec<EventRow>, ServiceError> {
        Ok(vec![])
    }

    /// What the Events page shows: newest first. With `after`, the newest ones beyond it.
    pub async fn query(&self, _uid: Uid, _query: Query) -> Result<Vec<EventRow>, ServiceError> {
        Ok(vec![])
    }
}
