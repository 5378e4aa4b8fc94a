//! Where ports come from: discovery of the hardware, printers added by address, and simulated ports of `--sim FILE`.
//!
//! Discovery takes the printers' addresses once. When they change it starts anew; what it reports again is known
//! already, and what it does not report any more has vanished in between.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use drivers::{Access, Bus, PortChange, PortId, PortInfo, PortKind, discovery};
use serde::Deserialize;
use tokio::{
    sync::{mpsc, watch},
    time::interval,
};
use tokio_util::sync::CancellationToken;

use crate::{
    payments::ports::{Connects, Terminal, TerminalProtocol},
    settings::{Settings, ipp_address},
};

/// How often the file of simulated ports is looked at.
const SIM_POLL: Duration = Duration::from_millis(250);
/// A discovery that started anew has found everything after this time.
const SWEEP_AFTER: Duration = Duration::from_secs(8);

pub(crate) struct Ports {
    pub(crate) settings: watch::Receiver<Arc<Settings>>,
    pub(crate) sim: Option<PathBuf>,
    pub(crate) changes: mpsc::Sender<PortChange>,
}

/// Reports ports to the fleet until cancelled.
pub(crate) async fn find(ports: &mut Ports, cancel: CancellationToken) {
    let mut known: HashMap<PortId, PortInfo> = HashMap::new();
    let mut sim = SimFile { path: ports.sim.clone(), modified: None, ports: watch::Sender::new(Vec::new()) };
    let mut poll = interval(SIM_POLL);
    sim.look();
    loop {
        let (printers, pages) = added(&ports.settings.borrow_and_update());
        let options = discovery::Options {
            network_printers: printers.clone(),
            ipp_printers: pages.clone(),
            extra: sim.ports.subscribe(),
            ..discovery::Options::default()
        };
        let (tx, mut found) = mpsc::channel(64);
        let round = cancel.child_token();
        let mut discovery = tokio::spawn(discovery::run(options, tx, round.clone()));
        let mut seen: HashSet<PortId> = HashSet::new();
        let sweep = tokio::time::sleep(SWEEP_AFTER);
        tokio::pin!(sweep);
        let mut swept = known.is_empty();
        loop {
            tokio::select! {
                () = cancel.cancelled() => {
                    drop(discovery.await);
                    return;
                }
                ended = &mut discovery => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "discovery failed and starts again");
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    break;
                }
                Some(change) = found.recv() => {
                    match &change {
                        PortChange::Appeared(port) => {
                            seen.insert(port.id.clone());
                            known.insert(port.id.clone(), port.clone());
                        }
                        PortChange::Vanished(id) => {
                            known.remove(id);
                        }
                    }
                    tell(ports, change).await;
                }
                () = &mut sweep, if !swept => {
                    swept = true;
                    forget(ports, &mut known, |port| !seen.contains(&port.id)).await;
                }
                changed = ports.settings.changed() => {
                    let (now, pages_now) = added(&ports.settings.borrow_and_update());
                    if changed.is_err() || now != printers || pages_now != pages {
                        let removed = |a: &SocketAddr| printers.contains(a) && !now.contains(a);
                        forget(ports, &mut known, |port| match &port.kind {
                            PortKind::Tcp { address } => removed(address),
                            PortKind::Ipp { address, path } => {
                                let it = (*address, path.clone());
                                pages.contains(&it) && !pages_now.contains(&it)
                            }
                            _ => false,
                        })
                        .await;
                        break;
                    }
                }
                _ = poll.tick(), if sim.path.is_some() => sim.look(),
            }
        }
        round.cancel();
    }
}

/// Printers that a person added by address: raw sockets, and IPP.
fn added(settings: &Settings) -> (Vec<SocketAddr>, Vec<(SocketAddr, String)>) {
    (settings.network_printers.clone(), settings.ipp_printers.iter().filter_map(|kept| ipp_address(kept)).collect())
}

async fn forget(ports: &Ports, known: &mut HashMap<PortId, PortInfo>, gone: impl Fn(&PortInfo) -> bool) {
    let gone: Vec<PortId> = known.values().filter(|p| gone(p)).map(|p| p.id.clone()).collect();
    for id in gone {
        known.remove(&id);
        tell(ports, PortChange::Vanished(id)).await;
    }
}

async fn tell(ports: &Ports, change: PortChange) {
    if ports.changes.send(change).await.is_err() {
        tracing::debug!("the fleet has ended, ports are not reported any more");
    }
}

struct SimFile {
    path: Option<PathBuf>,
    modified: Option<SystemTime>,
    ports: watch::Sender<Vec<PortInfo>>,
}

impl SimFile {
    /// Reads the file again if it was written since.
    fn look(&mut self) {
        let Some(path) = &self.path else { return };
        let modified = std::fs::metadata(path).and_then(|m| m.modified()).ok();
        if modified == self.modified {
            return;
        }
        self.modified = modified;
        match read_sim_file(path) {
            Ok(ports) => {
                self.ports.send_if_modified(|before| {
                    let changed = *before != ports;
                    *before = ports;
                    changed
                });
            }
            Err(error) => tracing::warn!(error, path = %path.display(), "simulated ports cannot be read"),
        }
    }
}

#[derive(Deserialize)]
struct SimPorts {
    #[serde(default)]
    port: Vec<SimPort>,
}

#[derive(Deserialize)]
struct SimPort {
    kind: SimKind,
    id: String,
    path: Option<PathBuf>,
    address: Option<SocketAddr>,
    #[serde(default)]
    manufacturer: String,
    #[serde(default)]
    product: String,
    #[serde(default)]
    serial_number: String,
    usb: Option<String>,
    /// Of a HID device: its report descriptor in hexadecimal digits.
    #[serde(default)]
    descriptor: String,
    /// A payment terminal's.
    protocol: Option<TerminalProtocol>,
    #[serde(default)]
    calls: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum SimKind {
    Serial,
    Tcp,
    Evdev,
    Hid,
    Terminal,
}

/// The ports that a simulator wrote to its file.
fn read_sim_file(path: &Path) -> Result<Vec<PortInfo>, String> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        // The simulator is not up yet, or has gone.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.to_string()),
    };
    let ports: SimPorts = toml::from_str(&text).map_err(|error| error.message().to_owned())?;
    ports.port.into_iter().map(port_info).collect()
}

fn port_info(port: SimPort) -> Result<PortInfo, String> {
    let lacks = |what: &str| format!("the port {} has no {what}", port.id);
    let (kind, bus) = match port.kind {
        SimKind::Serial => (PortKind::Serial { path: port.path.clone().ok_or_else(|| lacks("path"))? }, Bus::Usb),
        SimKind::Evdev => (PortKind::Evdev { path: port.path.clone().ok_or_else(|| lacks("path"))? }, Bus::Usb),
        SimKind::Hid => {
            let path = port.path.clone().ok_or_else(|| lacks("path"))?;
            let descriptor = data_encoding::HEXLOWER_PERMISSIVE.decode(port.descriptor.as_bytes());
            let descriptor = descriptor.map_err(|_| lacks("descriptor"))?;
            (PortKind::Hid { path, descriptor }, Bus::Usb)
        }
        SimKind::Terminal => (terminal(&port).ok_or_else(|| lacks("address and protocol"))?, Bus::Network),
        SimKind::Tcp => (PortKind::Tcp { address: port.address.ok_or_else(|| lacks("address"))? }, Bus::Network),
    };
    let usb = match &port.usb {
        None => None,
        Some(text) => Some(usb_id(text).ok_or_else(|| format!("usb = {text:?} of {} is not vvvv:pppp", port.id))?),
    };
    Ok(PortInfo {
        id: PortId(port.id),
        kind,
        bus,
        usb,
        manufacturer: port.manufacturer,
        product: port.product,
        serial_number: port.serial_number,
        access: Access::Ok,
        assigned: None,
        settings: Default::default(),
    })
}

/// A simulated terminal, as if a technician had added it.
fn terminal(port: &SimPort) -> Option<PortKind> {
    let address = port.address?;
    let terminal = Terminal {
        protocol: port.protocol?,
        host: address.ip().to_string(),
        port: address.port(),
        connects: if port.calls { Connects::Terminal } else { Connects::Box },
        currency: "EUR".to_owned(),
        password: 0,
        prints_itself: false,
        sale_id: "till".to_owned(),
        poi_id: port.id.clone(),
        program: None,
        options: BTreeMap::new(),
    };
    terminal.setup(&[]).ok().map(|setup| PortKind::Terminal(Box::new(setup)))
}

fn usb_id(text: &str) -> Option<(u16, u16)> {
    let (vendor, product) = text.split_once(':')?;
    Some((u16::from_str_radix(vendor, 16).ok()?, u16::from_str_radix(product, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulators_file_becomes_ports() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ports.toml");
        assert_eq!(read_sim_file(&path), Ok(Vec::new()));
        std::fs::write(
            &path,
            r#"
                control = "/tmp/sim.sock"
                [[port]]
                kind = "serial"
                id = "usb-0922:8003-1"
                path = "/dev/pts/3"
                manufacturer = "Mettler-Toledo"
                product = "Scale"
                serial_number = "1"
                usb = "0922:8003"
                [[port]]
                kind = "tcp"
                id = "tcp-1"
                address = "127.0.0.1:9100"
            "#,
        )
        .unwrap();
        let ports = read_sim_file(&path).unwrap();
        assert_eq!(ports[0].usb, Some((0x0922, 0x8003)));
        assert_eq!(ports[1].bus, Bus::Network);
    }

    #[test]
    fn a_port_without_its_path_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ports.toml");
        std::fs::write(&path, "[[port]]\nkind = \"serial\"\nid = \"x\"\n").unwrap();
        assert_eq!(read_sim_file(&path), Err("the port x has no path".into()));
    }
}
