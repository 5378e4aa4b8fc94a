//! What every request handler can reach.

use std::sync::Arc;

use crate::{
    boxes::Boxes, bus::Bus, commands::Commands, config::Config, enrol::Enrolment, events::Events, sessions::Sessions,
    tills::Tills,
};

/// A user's record id; every service call is made in the name of one and checked by the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Uid(pub i64);

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct AppState {
    pub config: Arc<Config>,
    pub bus: Bus,
    pub sessions: Sessions,
    pub boxes: Boxes,
    pub events: Events,
    pub enrol: Enrolment,
    pub commands: Commands,
    pub tills: Tills,
}
