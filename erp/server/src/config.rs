//! Settings of a running server.

use std::{net::SocketAddr, path::PathBuf};

use link_protocol::ids::DbName;

#[derive(Debug, Clone)]
pub struct Config {
    pub data: PathBuf,
    pub db: DbName,
    pub listen: SocketAddr,
    /// Where boxes find MQTT: the same port, or one of its own.
    pub mqtt_listen: Option<SocketAddr>,
    /// How people reach the pages: `https://erp.example:8069`, no slash at the end.
    pub public_url: String,
    /// Page origins that may talk to this server and to its boxes; `public_url` is the first.
    pub origins: Vec<String>,
    /// The DNS zone of box names.
    pub zone: String,
}
