//! Which names and addresses the server CA signs for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rcgen::{CidrSubnet, GeneralSubtree, NameConstraints};
use serde::{Deserialize, Serialize};

/// RFC 1918, loopback and link-local; RFC 4193, loopback and link-local.
const PRIVATE_V4: [(Ipv4Addr, u8); 5] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
];
const PRIVATE_V6: [(Ipv6Addr, u8); 3] = [
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::LOCALHOST, 128),
];

/// Besides the private address ranges, which are always permitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraints {
    /// Each with everything below it.
    pub names: Vec<String>,
    /// Public addresses by which the ERP is reached; nothing else of their network.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
}

impl Constraints {
    /// `local` and `localhost`, the zone of box names, this computer's name and the host of the public address.
    pub fn new(zone: &str, hostname: &str, public_host: &str) -> Self {
        let mut names = vec!["local".to_owned(), "localhost".to_owned(), zone.to_owned()];
        let mut addresses = vec![];
        match public_host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) if !is_private(ip) => addresses.push(ip),
            Ok(_) => {}
            Err(_) => names.push(public_host.to_ascii_lowercase()),
        }
        names.push(hostname.to_ascii_lowercase());
        names.retain(|n| is_dns_name(n));
        let mut seen = vec![];
        names.retain(|n| {
            let new = !seen.contains(n);
            seen.push(n.clone());
            new
        });
        Self { names, addresses }
    }

    pub fn permits_name(&self, name: &str) -> bool {
        let bare = name.strip_prefix("*.").unwrap_or(name);
        is_dns_name(bare)
            && self.names.iter().any(|n| {
                bare.eq_ignore_ascii_case(n)
                    || bare.len() > n.len()
                        && bare.as_bytes()[bare.len() - n.len() - 1] == b'.'
                        && bare[bare.len() - n.len()..].eq_ignore_ascii_case(n)
            })
    }

    pub fn permits_address(&self, address: IpAddr) -> bool {
        is_private(address) || self.addresses.contains(&address)
    }

    pub(super) fn to_extension(&self) -> NameConstraints {
        let mut permitted: Vec<GeneralSubtree> = self.names.iter().cloned().map(GeneralSubtree::DnsName).collect();
        let v4 = PRIVATE_V4.iter().map(|(net, bits)| CidrSubnet::from_v4_prefix(net.octets(), *bits));
        let v6 = PRIVATE_V6.iter().map(|(net, bits)| CidrSubnet::from_v6_prefix(net.octets(), *bits));
        let own = self.addresses.iter().map(|a| CidrSubnet::from_addr_prefix(*a, if a.is_ipv4() { 32 } else { 128 }));
        permitted.extend(v4.chain(v6).chain(own).map(GeneralSubtree::IpAddress));
        NameConstraints { permitted_subtrees: permitted, excluded_subtrees: vec![] }
    }
}

pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => {
            PRIVATE_V4.iter().any(|(net, bits)| a.to_bits() >> (32 - bits) == net.to_bits() >> (32 - bits))
        }
        IpAddr::V6(a) => {
            PRIVATE_V6.iter().any(|(net, bits)| a.to_bits() >> (128 - bits) == net.to_bits() >> (128 - bits))
        }
    }
}

fn is_dns_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// A box's name as a DNS label: `Shop (2)` becomes `shop-2`.
pub fn slug(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(63);
    let out = out.trim_end_matches('-');
    if out.is_empty() { "iot-box".to_owned() } else { out.to_owned() }
}

/// Addresses of this computer's network interfaces.
pub fn local_addresses() -> Vec<IpAddr> {
    let mut out: Vec<IpAddr> =
        if_addrs::get_if_addrs().unwrap_or_default().iter().map(if_addrs::Interface::ip).collect();
    out.sort();
    out.dedup();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_private_and_loopback_addresses_are_private() {
        for yes in ["10.1.2.3", "172.31.0.1", "192.168.1.7", "127.0.0.1", "169.254.3.4", "fd00::1", "fe80::1", "::1"] {
            assert!(is_private(yes.parse().unwrap()), "{yes}");
        }
        for no in ["8.8.8.8", "172.32.0.1", "172.15.0.1", "192.169.0.1", "11.0.0.1", "2001:db8::1", "::2", "0.0.0.0"] {
            assert!(!is_private(no.parse().unwrap()), "{no}");
        }
    }

    #[test]
    fn a_permitted_name_covers_what_is_below_it_and_nothing_beside_it() {
        let c = Constraints::new("iot.internal", "Counter", "erp.example.com");
        for yes in ["localhost", "shop.local", "*.abc.iot.internal", "counter", "erp.example.com", "a.erp.example.com"]
        {
            assert!(c.permits_name(yes), "{yes}");
        }
        for no in ["example.com", "evilerp.example.com", "shop.locale", "notlocal", "", "a b.local", "-a.local"] {
            assert!(!c.permits_name(no), "{no}");
        }
        assert!(Constraints::new("iot.internal", "x", "203.0.113.9").permits_address("203.0.113.9".parse().unwrap()));
        assert!(!c.permits_address("203.0.113.9".parse().unwrap()));
    }

    #[test]
    fn any_box_name_becomes_a_dns_label() {
        assert_eq!(slug("Shop (2)"), "shop-2");
        assert_eq!(slug("  Café  Zürich!"), "caf-z-rich");
        assert_eq!(slug("☕☕"), "iot-box");
        assert_eq!(slug(&"x".repeat(90)).len(), 63);
    }
}
