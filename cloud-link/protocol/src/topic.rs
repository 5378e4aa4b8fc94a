//! `iot/v1/<db>/<box>/up|down/<leaf>`. A box may publish only below its own `up/` and subscribe only below its own
//! `down/`; the hub checks both against the client certificate.

use crate::ids::{BoxId, DbName};

/// QoS 1: batches of events, [`crate::up::EventBatch`].
pub const EVENTS: &str = "up/events";
/// QoS 1, retained: [`crate::up::State`]; the last will is the same with `online: false`.
pub const STATE: &str = "up/state";
/// QoS 0: [`crate::up::Live`], what the eye follows (a weight that settles); lost ones do not matter.
pub const LIVE: &str = "up/live";
/// QoS 1: [`crate::up::CommandResult`].
pub const RESULTS: &str = "up/results";
/// QoS 1: [`crate::up::Goodbye`], the box ends the pairing.
pub const GOODBYE: &str = "up/goodbye";
/// QoS 1: [`crate::down::Hello`], first message of a session.
pub const HELLO: &str = "down/hello";
/// QoS 1: [`crate::down::Ack`], after the ERP's commit.
pub const ACK: &str = "down/ack";
/// QoS 1: [`crate::down::Command`].
pub const COMMANDS: &str = "down/commands";

pub fn prefix(db: &DbName, box_id: &BoxId) -> String {
    format!("iot/v1/{db}/{box_id}/")
}

pub fn topic(db: &DbName, box_id: &BoxId, leaf: &str) -> String {
    format!("iot/v1/{db}/{box_id}/{leaf}")
}

/// The filter a box subscribes to.
pub fn down_filter(db: &DbName, box_id: &BoxId) -> String {
    format!("iot/v1/{db}/{box_id}/down/#")
}

/// Splits a topic into database, box and leaf (`up/events`).
pub fn parse(topic: &str) -> Option<(DbName, BoxId, &str)> {
    let rest = topic.strip_prefix("iot/v1/")?;
    let (db, rest) = rest.split_once('/')?;
    let (box_id, leaf) = rest.split_once('/')?;
    Some((db.parse().ok()?, box_id.parse().ok()?, leaf))
}
