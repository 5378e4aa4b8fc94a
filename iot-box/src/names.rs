//! Under which names and addresses browsers may reach the box.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// The machine's own names and addresses, and the port of the local API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    hostname: String,
    /// Without loopback and link-local ones.
    addresses: Vec<IpAddr>,
    listen: SocketAddr,
}

impl Names {
    pub(crate) fn of_machine(listen: SocketAddr) -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let hostname = read("/proc/sys/kernel/hostname").trim().to_ascii_lowercase();
        let addresses = if listen.ip().is_unspecified() {
            let v4 = local_v4(&read("/proc/net/fib_trie")).into_iter().map(IpAddr::V4);
            let v6 = local_v6(&read("/proc/net/if_inet6")).into_iter().map(IpAddr::V6);
            v4.chain(v6.filter(|_| listen.is_ipv6())).collect()
        } else {
            vec![listen.ip()]
        };
        Self { hostname, addresses, listen }
    }

    pub(crate) fn listen(&self) -> SocketAddr {
        self.listen
    }

    pub(crate) fn port(&self) -> u16 {
        self.listen.port()
    }

    /// For certificates.
    pub(crate) fn certificate_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.addresses.iter().map(IpAddr::to_string).collect();
        names.extend(self.local_name());
        names.extend(["localhost".to_owned(), "127.0.0.1".to_owned()]);
        names.dedup();
        names
    }

    /// `https://` addresses for browsers, best first.
    pub(crate) fn urls(&self) -> Vec<String> {
        let port = self.port();
        let mut urls: Vec<String> =
            self.addresses.iter().map(|ip| format!("https://{}", SocketAddr::new(*ip, port))).collect();
        urls.extend(self.local_name().map(|name| format!("https://{name}:{port}")));
        if urls.is_empty() {
            urls.push(format!("https://localhost:{port}"));
        }
        urls
    }

    fn local_name(&self) -> Option<String> {
        let plain = !self.hostname.is_empty() && self.hostname.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        plain.then(|| format!("{}.local", self.hostname))
    }

    /// Whether a request's `Host` names this box. `local` is the address at which the connection arrived. Anything
    /// else may be a page of somebody who pointed their own name at us (DNS rebinding).
    pub(crate) fn is_own_host(&self, host: &str, local: SocketAddr, certificate_names: &[String]) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name, port.parse().ok()),
            _ => (host, Some(443)),
        };
        if port != Some(self.port()) {
            return false;
        }
        let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return ip == local.ip().to_canonical();
        }
        let name = name.to_ascii_lowercase();
        name == "localhost"
            || name == self.hostname
            || self.local_name().is_some_and(|own| own == name)
            || certificate_names.iter().any(|own| matches_name(own, &name))
    }
}

/// `*.x.example` stands for one label before `.x.example`.
fn matches_name(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(zone) => name.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == zone),
        None => pattern == name,
    }
}

/// Local addresses in the kernel's routing trie: a leaf line (`|-- 10.0.0.5`) is followed by `/32 host LOCAL`.
fn local_v4(fib_trie: &str) -> BTreeSet<Ipv4Addr> {
    let mut found = BTreeSet::new();
    let mut leaf = None;
    for line in fib_trie.lines() {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(leaf.filter(|ip| !ip.is_loopback() && !ip.is_link_local()));
        }
    }
    found
}

/// One address a line, as 32 hex digits.
fn local_v6(if_inet6: &str) -> BTreeSet<Ipv6Addr> {
    if_inet6
        .lines()
        .filter_map(|line| u128::from_str_radix(line.split_whitespace().next()?, 16).ok())
        .map(Ipv6Addr::from)
        .filter(|ip| !ip.is_loopback() && !ip.is_unicast_link_local())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            hostname: "till-3".into(),
            addresses: vec!["10.0.0.5".parse().unwrap()],
            listen: "0.0.0.0:8443".parse().unwrap(),
        }
    }

    #[test]
    fn only_the_boxs_own_names_are_hosts() {
        let local = "10.0.0.5:8443".parse().unwrap();
        let certificate = ["*.abc.box.example".to_owned()];
        let own = |host: &str| names().is_own_host(host, local, &certificate);
        for good in
            ["10.0.0.5:8443", "till-3.local:8443", "TILL-3:8443", "localhost:8443", "10-0-0-5.abc.box.example:8443"]
        {
            assert!(own(good), "{good}");
        }
        for bad in [
            "evil.example:8443",
            "10.0.0.5",
            "10.0.0.5:80",
            "10.0.0.6:8443",
            "127.0.0.1:8443",
            "a.b.abc.box.example:8443",
            ".abc.box.example:8443",
            "",
            ":8443",
            "[::1]:8443",
        ] {
            assert!(!own(bad), "{bad}");
        }
    }

    #[test]
    fn local_addresses_are_read_from_the_kernel() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.0.0.0\n        /24 link UNICAST\n     |-- 10.0.0.5\n        \
                    /32 host LOCAL\n     |-- 10.0.0.255\n        /32 link BROADCAST\n     |-- 127.0.0.1\n        /32 host LOCAL\n";
        assert_eq!(local_v4(trie), BTreeSet::from([Ipv4Addr::new(10, 0, 0, 5)]));
        let inet6 =
            "00000000000000000000000000000001 01 80 10 80 lo\nfd000000000000000000000000000005 02 40 00 80 eth0\n";
        assert_eq!(local_v6(inet6), BTreeSet::from(["fd00::5".parse().unwrap()]));
    }

    #[test]
    fn addresses_for_people_carry_the_port() {
        assert_eq!(names().urls(), ["https://10.0.0.5:8443", "https://till-3.local:8443"]);
    }
}
