//! Finds ports: kernel uevents for speed, a rescan for certainty.
//!
//! Sources are sysfs (serial ports, input devices and USB printers), mDNS, and lists that people or simulators give. They meet in one
//! [`Table`], which alone decides what is reported. Nothing here opens a port or sends it a byte.

mod mdns;
mod sysfs;
mod table;
mod uevents;

pub use sysfs::{Roots, polling_interval};
pub use table::Table;

use std::{net::SocketAddr, path::Path, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::port::{Access, Bus, PortChange, PortId, PortInfo, PortKind};

#[derive(Debug, Clone)]
pub struct Options {
    pub rescan: Duration,
    /// Network printers that a person added by address.
    pub network_printers: Vec<SocketAddr>,
    /// The same by IPP, with the path of its address (`/ipp/print`).
    pub ipp_printers: Vec<(SocketAddr, String)>,
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
            ipp_printers: Vec::new(),
            mdns: true,
            extra: watch::channel(Vec::new()).1,
        }
    }
}

/// After a uevent: when the device node is there, and when udev has given it its group.
const SETTLE: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(700)];

/// Reports every port once as it appears and once as it vanishes, until `cancel` or until nobody listens. A port whose
/// properties change (another path, permission granted) vanishes and appears again.
pub async fn run(options: Options, changes: mpsc::Sender<PortChange>, cancel: CancellationToken) {
    let roots = Roots::default();
    let watching = watch_ports(options, &roots, &changes);
    tokio::select! {
        () = cancel.cancelled() => {}
        () = watching => {}
        () = changes.closed() => {}
    }
}

async fn watch_ports(options: Options, roots: &Roots, changes: &mpsc::Sender<PortChange>) {
    let Options { rescan, network_printers, ipp_printers, mdns, mut extra } = options;
    let mut configured: Vec<PortInfo> = network_printers.into_iter().map(network_printer).collect();
    configured.extend(ipp_printers.into_iter().map(|(address, path)| ipp_printer(address, path)));
    let mut uevents = uevents::Uevents::open();
    let mut browser = if mdns { mdns::Browser::start() } else { None };
    let mut table = Table::default();
    let mut hardware = scan(roots).await;
    let mut extra_lives = true;
    let mut next_scan = Instant::now() + rescan;
    let mut settling: Vec<Instant> = Vec::new();
    loop {
        let mut ports = extra.borrow_and_update().clone();
        ports.extend(configured.iter().cloned());
        ports.extend(hardware.iter().cloned());
        if let Some(browser) = &browser {
            ports.extend(browser.ports());
        }
        if report(table.update(ports), changes).await.is_err() {
            return;
        }
        let wake = settling.iter().copied().chain([next_scan]).min().unwrap_or(next_scan);
        tokio::select! {
            changed = extra.changed(), if extra_lives => extra_lives = changed.is_ok(),
            () = mdns::next(&mut browser) => {}
            event = uevents::next(&mut uevents) => {
                settling = SETTLE.map(|after| Instant::now() + after).to_vec();
                // Reported at once and even if it is back before the next scan: its driver holds a dead file.
                if let Some(path) = event.removed {
                    hardware.retain(|port| port.path() != Some(path.as_path()));
                    if report(table.remove_path(&path), changes).await.is_err() {
                        return;
                    }
                }
            }
            () = tokio::time::sleep_until(wake) => {
                let now = Instant::now();
                settling.retain(|at| *at > now);
                if next_scan <= now {
                    next_scan = now + rescan;
                }
                hardware = scan(roots).await;
            }
        }
    }
}

async fn scan(roots: &Roots) -> Vec<PortInfo> {
    let roots = roots.clone();
    // Some sysfs attributes ask the device; the runtime's threads have better things to wait for.
    tokio::task::spawn_blocking(move || sysfs::scan(&roots)).await.unwrap_or_default()
}

async fn report(
    list: Vec<PortChange>,
    changes: &mpsc::Sender<PortChange>,
) -> Result<(), mpsc::error::SendError<PortChange>> {
    for change in list {
        changes.send(change).await?;
    }
    Ok(())
}

fn network_printer(address: SocketAddr) -> PortInfo {
    PortInfo {
        id: PortId(format!("tcp-{address}")),
        kind: PortKind::Tcp { address },
        bus: Bus::Network,
        usb: None,
        manufacturer: String::new(),
        product: String::new(),
        serial_number: String::new(),
        access: Access::Ok,
        assigned: None,
        settings: Default::default(),
    }
}

fn ipp_printer(address: SocketAddr, path: String) -> PortInfo {
    let id = PortId(format!("ipp-{address}{path}"));
    PortInfo { id, kind: PortKind::Ipp { address, path }, ..network_printer(address) }
}

impl PortInfo {
    /// The device node, where there is one.
    pub fn path(&self) -> Option<&Path> {
        match &self.kind {
            PortKind::Serial { path }
            | PortKind::Evdev { path }
            | PortKind::Hid { path, .. }
            | PortKind::UsbPrinter { path, .. } => Some(path),
            PortKind::Tcp { .. } | PortKind::Ipp { .. } | PortKind::Terminal(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
