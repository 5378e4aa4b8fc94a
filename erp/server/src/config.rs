//! Settings of a running server.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use link_protocol::ids::DbName;

#[derive(Debug, Clone)]
pub struct Config {
    pub data: PathBuf,
    pub db: DbName,
    /// What people call this ERP: its company.
    pub erp_name: String,
    pub listen: SocketAddr,
    /// Where boxes find MQTT besides the main port.
    pub mqtt_listen: Option<SocketAddr>,
    /// How people reach the pages: `https://erp.example:8069`, no slash at the end.
    pub public_url: String,
    /// Page origins that may talk to this server and to its boxes; `public_url` is the first.
    pub origins: Vec<String>,
    /// The DNS zone of box names.
    pub zone: String,
    /// Names in the ERP's own certificate, which boxes check.
    pub own_names: Vec<String>,
    pub own_addresses: Vec<IpAddr>,
}

/// Scheme and default port left out as browsers do: `https://erp.example` is port 443.
pub fn origin(host: &str, port: u16) -> String {
    if port == 443 { format!("https://{host}") } else { format!("https://{host}:{port}") }
}

/// Host and port of `https://host[:port]`, brackets of an IPv6 address kept.
pub fn split_origin(url: &str) -> Option<(&str, u16)> {
    let authority = url.strip_prefix("https://")?;
    if authority.is_empty() || authority.contains(['/', '@', '?', '#', ' ']) {
        return None;
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => port.parse().ok().map(|p| (host, p)),
        _ => Some((authority, 443)),
    }
}

/// An address as it stands in a URL.
pub fn url_host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(a) => a.to_string(),
        IpAddr::V6(a) => format!("[{a}]"),
    }
}

impl Config {
    /// The `Host` header of a request to one of our origins.
    pub fn is_our_host(&self, host: &str) -> bool {
        self.origins.iter().any(|o| o.strip_prefix("https://").is_some_and(|h| h.eq_ignore_ascii_case(host)))
    }

    pub fn is_our_origin(&self, origin: &str) -> bool {
        self.origins.iter().any(|o| o == origin)
    }

    /// `host:port` of MQTT for a box that reached us as `host` (a `Host` header): that way works for it, if our
    /// certificate has that name.
    pub fn mqtt_address(&self, host: &str) -> String {
        let asked = format!("https://{host}");
        let public = split_origin(&self.public_url);
        let (host, port) = match split_origin(&asked) {
            Some((name, port)) if self.has_name(name) => (name, port),
            _ => public.unwrap_or(("localhost", self.listen.port())),
        };
        let port = self.mqtt_listen.map_or(port, |l| l.port());
        format!("{host}:{port}")
    }

    fn has_name(&self, host: &str) -> bool {
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => self.own_addresses.contains(&address),
            Err(_) => self.own_names.iter().any(|n| n.eq_ignore_ascii_case(host)),
        }
    }
}

#[cfg(test)]
pub(crate) fn example() -> Config {
    Config {
        data: PathBuf::from("/nowhere"),
        db: "shop".parse().unwrap(),
        erp_name: "Demo shop".to_owned(),
        listen: "0.0.0.0:8069".parse().unwrap(),
        mqtt_listen: None,
        public_url: "https://erp.example".to_owned(),
        origins: vec!["https://erp.example".to_owned(), "https://192.168.1.5:8069".to_owned()],
        zone: "iot.internal".to_owned(),
        own_names: vec!["localhost".to_owned(), "erp.example".to_owned()],
        own_addresses: vec!["127.0.0.1".parse().unwrap(), "192.168.1.5".parse().unwrap()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_finds_mqtt_where_it_found_the_erp() {
        let mut config = example();
        assert_eq!(config.mqtt_address("192.168.1.5:8069"), "192.168.1.5:8069");
        assert_eq!(config.mqtt_address("evil.example:1"), "erp.example:443");
        assert_eq!(config.mqtt_address(""), "erp.example:443");
        config.mqtt_listen = Some("0.0.0.0:8883".parse().unwrap());
        assert_eq!(config.mqtt_address("localhost:8069"), "localhost:8883");
    }

    #[test]
    fn only_whole_hosts_and_origins_are_ours() {
        let config = example();
        assert!(config.is_our_host("ERP.example") && config.is_our_host("192.168.1.5:8069"));
        assert!(!config.is_our_host("erp.example:8069") && !config.is_our_host("erp.example.evil"));
        assert!(config.is_our_origin("https://erp.example") && !config.is_our_origin("http://erp.example"));
        assert_eq!(split_origin("https://[fd00::1]:8069"), Some(("[fd00::1]", 8069)));
        assert_eq!(split_origin("https://[fd00::1]"), Some(("[fd00::1]", 443)));
        assert_eq!(split_origin("https://a/b"), None);
    }
}
