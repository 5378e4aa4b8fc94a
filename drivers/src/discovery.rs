//! Finds ports: kernel uevents for speed, a rescan for certainty.

use std::{net::SocketAddr, time::Duration};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::port::{PortChange, PortInfo};

#[derive(Debug, Clone)]
pub struct Options {
    pub rescan: Duration,
    /// Network printers that a person added by address.
    pub network_printers: Vec<SocketAddr>,
    /// Look for printers by mDNS (`_pdl-datastream._tcp`).
    pub mdns: bool,
    /// Ports that exist without hardware (simulators). They pass through the same registry and drivers. Whoever holds
    /// the sender may change the list at any time: a row that goes is reported as vanished, one that comes or changes
    /// as appeared. A sender that is dropped leaves the last list standing.
    pub extra: watch::Receiver<Vec<PortInfo>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rescan: Duration::from_secs(5),
            network_printers: Vec::new(),
            mdns: true,
            extra: watch::channel(Vec::new()).1,
        }
    }
}

/// Reports every port once as it appears and once as it vanishes, until `cancel`.
pub async fn run(options: Options, changes: mpsc::Sender<PortChange>, cancel: CancellationToken) {
    let _ = (options, changes);
    cancel.cancelled().await;
}
