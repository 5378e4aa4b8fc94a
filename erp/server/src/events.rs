//! Stored events, for pages and programs.

use std::collections::HashMap;

use erp_engine::{Domain, Engine, Search, Uid, domain};
use jiff::Timestamp;
use link_protocol::ids::{BoxId, Epoch};
use serde::Serialize;

use crate::error::ServiceError;

/// Rows that one call gives at most.
const MOST: usize = 1000;

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

#[derive(Clone)]
pub struct Events {
    engine: Engine,
}

impl Events {
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// The newest `limit` events, newest first.
    pub async fn latest(&self, uid: Uid, limit: usize) -> Result<Vec<EventRow>, ServiceError> {
        self.query(uid, Query { limit, ..Query::default() }).await
    }

    /// Events stored after record `after`, oldest first, at most `limit`.
    pub async fn after(&self, uid: Uid, after: i64, limit: usize) -> Result<Vec<EventRow>, ServiceError> {
        self.rows(uid, &domain!(["id", ">", after]), "id", limit).await
    }

    /// What the Events page shows: newest first. With `after`, the newest ones beyond it.
    pub async fn query(&self, uid: Uid, query: Query) -> Result<Vec<EventRow>, ServiceError> {
        let mut all = vec![];
        if let Some((box_id, device)) = &query.device {
            all.push(domain!(["box.box_id", "=", box_id.as_str()], ["device", "=", device.as_str()]));
        }
        all.extend(query.after.map(|after| domain!(["id", ">", after])));
        all.extend(query.before.map(|before| domain!(["id", "<", before])));
        self.rows(uid, &Domain::And(all), "id desc", query.limit).await
    }

    async fn rows(&self, uid: Uid, which: &Domain, order: &str, limit: usize) -> Result<Vec<EventRow>, ServiceError> {
        let mut env = self.engine.begin(uid).await?;
        let fields = ["box.box_id", "box.name", "device", "epoch", "seq", "type", "data", "at", "received_at"];
        let search = Search::order(order).limit(limit.min(MOST) as u64);
        let rows = env.search_read("iot.event", which, &fields, search).await?;
        let devices =
            env.search_read("iot.device", &domain!(), &["box.box_id", "identifier", "name"], Search::default()).await?;
        let names: HashMap<(&str, &str), &str> =
            devices.iter().map(|d| ((d.get_str("box.box_id"), d.get_str("identifier")), d.get_str("name"))).collect();
        rows.iter()
            .map(|r| {
                let (box_id, device) = (r.get_str("box.box_id"), r.get_str("device"));
                Ok(EventRow {
                    id: r.id.0,
                    r#box: box_id.parse().map_err(ServiceError::internal)?,
                    box_name: r.get_str("box.name").to_owned(),
                    device: device.to_owned(),
                    device_name: names.get(&(box_id, device)).copied().unwrap_or_default().to_owned(),
                    epoch: r.get_str("epoch").parse().map_err(ServiceError::internal)?,
                    seq: r.get("seq")?,
                    r#type: r.get_str("type").to_owned(),
                    data: r.get("data")?,
                    at: r.get("at")?,
                    received_at: r.get("received_at")?,
                })
            })
            .collect()
    }
}
