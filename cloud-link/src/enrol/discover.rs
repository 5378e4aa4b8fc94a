//! An ERP on the same network announces `_iot-erp._tcp.local`.

use std::{net::IpAddr, time::Duration};

use mdns_sd::{ResolvedService, ServiceDaemon, ServiceEvent};

const SERVICE: &str = "_iot-erp._tcp.local.";
const LISTEN: Duration = Duration::from_secs(4);

/// The first ERP that answers, as an `https://` address.
pub(super) async fn find() -> Option<String> {
    let daemon = match ServiceDaemon::new() {
        Ok(daemon) => daemon,
        Err(error) => {
            tracing::debug!(%error, "mDNS is not possible here");
            return None;
        }
    };
    let found = match daemon.browse(SERVICE) {
        Ok(events) => tokio::time::timeout(LISTEN, first(&events)).await.ok().flatten(),
        Err(error) => {
            tracing::debug!(%error, "mDNS cannot look for an ERP");
            None
        }
    };
    if let Err(error) = daemon.shutdown() {
        tracing::debug!(%error, "mDNS did not stop");
    }
    found
}

async fn first(events: &mdns_sd::Receiver<ServiceEvent>) -> Option<String> {
    while let Ok(event) = events.recv_async().await {
        if let ServiceEvent::ServiceResolved(service) = event
            && let Some(url) = url_of(&service)
        {
            return Some(url);
        }
    }
    None
}

fn url_of(service: &ResolvedService) -> Option<String> {
    let mut addresses: Vec<IpAddr> = service.get_addresses().iter().map(mdns_sd::ScopedIp::to_ip_addr).collect();
    // IPv4 first: link-local IPv6 needs a zone that a URL cannot carry.
    addresses.retain(|a| match a {
        IpAddr::V4(_) => true,
        IpAddr::V6(a) => !a.is_unicast_link_local(),
    });
    addresses.sort_by_key(|a| (a.is_ipv6(), a.is_loopback(), *a));
    let port = service.get_port();
    addresses.first().map(|a| match a {
        IpAddr::V4(a) => format!("https://{a}:{port}"),
        IpAddr::V6(a) => format!("https://[{a}]:{port}"),
    })
}
