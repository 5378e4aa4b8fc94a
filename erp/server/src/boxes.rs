//! Boxes and their devices, as people see them.

use jiff::Timestamp;
use link_protocol::ids::{BoxId, DeviceId};
use serde::Serialize;

use crate::{error::ServiceError, state::Uid};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PairingState {
    Pending,
    Paired,
    Unpaired,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BoxRow {
    pub box_id: BoxId,
    pub name: String,
    pub serial: String,
    pub version: String,
    pub state: PairingState,
    pub online: bool,
    pub last_seen: Option<Timestamp>,
    /// Addresses under which browsers on the LAN reach the box.
    pub urls: Vec<String>,
    /// Events still on the box.
    pub unsent: u64,
    pub outbox_full: bool,
    pub certificate_not_after: Option<Timestamp>,
    /// In words, what is wrong and what to do; empty when all is well.
    pub message: String,
    pub devices: Vec<DeviceRow>,
}

/// `class`, `connection` and `status` are the words of `link_protocol::up`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceRow {
    pub identifier: DeviceId,
    pub name: String,
    pub class: String,
    pub connection: String,
    pub driver: String,
    pub manufacturer: String,
    pub model: String,
    pub status: String,
    pub message: String,
}

#[derive(Debug, Clone)]
pub struct Boxes {}

impl Boxes {
    /// All boxes, by name, with their devices.
    pub async fn list(&self, _uid: Uid) -> Result<Vec<BoxRow>, ServiceError> {
        Ok(vec![])
    }

    pub async fn get(&self, _uid: Uid, box_id: &BoxId) -> Result<BoxRow, ServiceError> {
        Err(ServiceError::NotFound(format!("there is no box {box_id}")))
    }

    /// Gives back the name as it stands now: cleaned and unique.
    pub async fn rename(&self, _uid: Uid, box_id: &BoxId, _name: &str) -> Result<String, ServiceError> {
        Err(ServiceError::NotFound(format!("there is no box {box_id}")))
    }

    /// Revokes the box's certificate and cuts its session. Unsent events stay on the box.
    pub async fn unpair(&self, _uid: Uid, box_id: &BoxId) -> Result<(), ServiceError> {
        Err(ServiceError::NotFound(format!("there is no box {box_id}")))
    }
}
