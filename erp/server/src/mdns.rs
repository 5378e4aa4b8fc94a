//! `_iot-erp._tcp.local`: how a box on the same network finds its ERP without being told.

use mdns_sd::{ServiceDaemon, ServiceInfo};

use crate::{config::Config, names::hostname};

const SERVICE: &str = "_iot-erp._tcp.local.";

/// Announced as long as it lives. Nothing depends on it: a token or an address does the same.
pub(crate) struct Announcement(Option<ServiceDaemon>);

impl Announcement {
    pub(crate) fn start(config: &Config) -> Self {
        if config.listen.ip().is_loopback() {
            return Self(None);
        }
        match Self::announce(config) {
            Ok(daemon) => Self(Some(daemon)),
            Err(error) => {
                tracing::warn!(%error, "This server could not be announced on the network; boxes need its address or a token.");
                Self(None)
            }
        }
    }

    fn announce(config: &Config) -> Result<ServiceDaemon, mdns_sd::Error> {
        let daemon = ServiceDaemon::new()?;
        let host = format!("{}.local.", hostname());
        let instance = format!("{} ({})", config.db, hostname());
        let properties = [("db", config.db.as_str()), ("url", config.public_url.as_str()), ("v", "1")];
        let addresses: Vec<std::net::IpAddr> =
            config.own_addresses.iter().copied().filter(|a| !a.is_loopback()).collect();
        let port = config.listen.port();
        let service = ServiceInfo::new(SERVICE, &instance, &host, addresses.as_slice(), port, &properties[..])?;
        daemon.register(service)?;
        Ok(daemon)
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if let Some(daemon) = self.0.take() {
            // The farewell packet goes out on the daemon's own thread.
            daemon.shutdown().ok();
        }
    }
}
