//! What every request handler can reach.

use std::sync::Arc;

use crate::{
    boxes::Boxes, bus::Bus, ca::Authority, commands::Commands, config::Config, enrol::Enrolment, events::Events,
    hub::Link, rpc::Rpc, sessions::Sessions, tills::Tills,
};

pub use erp_engine::{Engine, Uid};

/// Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    pub config: Arc<Config>,
    pub engine: Engine,
    pub bus: Bus,
    pub link: Arc<dyn Link>,
    pub ca: Arc<Authority>,
    pub sessions: Sessions,
    pub boxes: Boxes,
    pub events: Events,
    pub enrol: Enrolment,
    pub commands: Commands,
    pub tills: Tills,
    pub rpc: Rpc,
}
