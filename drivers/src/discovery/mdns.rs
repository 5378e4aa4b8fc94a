//! Printers that announce a raw socket (`_pdl-datastream._tcp`).

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use mdns_sd::{Receiver, ResolvedService, ServiceDaemon, ServiceEvent};

use crate::port::{Access, Bus, PortId, PortInfo, PortKind};

const SERVICE: &str = "_pdl-datastream._tcp.local.";
/// A hostile network may announce without end.
const MOST: usize = 256;

pub(super) struct Browser {
    daemon: ServiceDaemon,
    events: Receiver<ServiceEvent>,
    found: BTreeMap<String, PortInfo>,
}

impl Browser {
    /// `None` where multicast is not to be had.
    pub(super) fn start() -> Option<Self> {
        let start = || {
            let daemon = ServiceDaemon::new()?;
            let events = daemon.browse(SERVICE)?;
            Ok::<_, mdns_sd::Error>(Self { daemon, events, found: BTreeMap::new() })
        };
        start()
            .inspect_err(|error| tracing::info!(%error, "no mDNS: network printers have to be added by address"))
            .ok()
    }

    pub(super) fn ports(&self) -> impl Iterator<Item = PortInfo> + '_ {
        self.found.values().cloned()
    }

    fn take(&mut self, event: ServiceEvent) -> bool {
        match event {
            ServiceEvent::ServiceResolved(service) if self.found.len() < MOST => match port(&service) {
                Some(port) => self.found.insert(service.get_fullname().to_owned(), port.clone()) != Some(port),
                None => false,
            },
            ServiceEvent::ServiceRemoved(_, name) => self.found.remove(&name).is_some(),
            _ => false,
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its thread ends with it; an answer is of no use.
        self.daemon.shutdown().ok();
    }
}

/// Waits until the list has changed.
pub(super) async fn next(browser: &mut Option<Browser>) {
    while let Some(open) = browser {
        match open.events.recv_async().await {
            Ok(event) => {
                if open.take(event) {
                    return;
                }
            }
            Err(_) => *browser = None,
        }
    }
    std::future::pending().await
}

fn port(service: &ResolvedService) -> Option<PortInfo> {
    // Any of them leads to the printer; the smallest, so that the choice does not change by itself.
    let address = service.get_addresses_v4().into_iter().min()?;
    let text = |key| clean(service.get_property_val_str(key).unwrap_or_default());
    let instance = service.get_fullname().trim_end_matches(SERVICE).trim_end_matches('.');
    let product = [text("usb_MDL"), text("ty"), text("product").trim_matches(['(', ')']).to_owned(), clean(instance)];
    let host = service.get_hostname().trim_end_matches('.').trim_end_matches(".local");
    Some(PortInfo {
        id: PortId(format!("net-{}:{}", clean(host), service.get_port())),
        kind: PortKind::Tcp { address: SocketAddr::new(IpAddr::V4(address), service.get_port()) },
        bus: Bus::Network,
        usb: None,
        manufacturer: text("usb_MFG"),
        product: product.into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| "network printer".to_owned()),
        serial_number: String::new(),
        access: Access::Ok,
        assigned: None,
        settings: Default::default(),
    })
}

/// Names come from the network.
fn clean(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(128).collect::<String>().trim().to_owned()
}
