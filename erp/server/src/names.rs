//! By which names and addresses this server is reached.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use erp_engine::{Engine, Search, domain};
use link_protocol::ids::DbName;

use crate::{
    ca::{is_private, local_addresses, slug},
    cli::Serve,
    config::{Config, origin, split_origin, url_host},
    init::Usage,
    place::{self, Place},
};

const ZONE: &str = "iot.internal";

/// This computer's name, as a DNS label.
pub(crate) fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    slug(name.trim().split('.').next().unwrap_or_default())
}

pub(crate) async fn config(
    engine: &Engine,
    args: &Serve,
    db: DbName,
    place: &Place,
    listen: SocketAddr,
    mqtt_listen: Option<SocketAddr>,
) -> anyhow::Result<Config> {
    let mut env = engine.superuser("read the company's name").await?;
    let company = env.search_read("res.company", &domain!(), &["name"], Search::order("id").limit(1)).await?;
    drop(env);
    let reach = Reach::new(listen, args.public_url.as_deref(), &hostname(), &local_addresses())?;
    Ok(Config {
        data: place.data.clone(),
        db,
        erp_name: company.first().map_or("ERP", |c| c.get_str("name")).to_owned(),
        listen,
        mqtt_listen,
        public_url: reach.public_url,
        origins: reach.origins,
        zone: place::setting(engine, place::ZONE).await?.unwrap_or_else(|| ZONE.to_owned()),
        own_names: reach.names,
        own_addresses: reach.addresses,
    })
}

#[derive(Debug, PartialEq)]
struct Reach {
    public_url: String,
    origins: Vec<String>,
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Reach {
    fn new(listen: SocketAddr, public_url: Option<&str>, hostname: &str, local: &[IpAddr]) -> Result<Self, Usage> {
        let port = listen.port();
        let mut names = vec!["localhost".to_owned()];
        let mut addresses: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into()];
        if !listen.ip().is_loopback() {
            names.extend([hostname.to_owned(), format!("{hostname}.local")]);
        }
        if listen.ip().is_unspecified() {
            // Link-local IPv6 addresses mean nothing without their interface.
            let usable = |a: &&IpAddr| !a.is_loopback() && !matches!(a, IpAddr::V6(v6) if v6.is_unicast_link_local());
            // 0.0.0.0 hears no IPv6; [::] hears both.
            let heard = |a: &&IpAddr| listen.is_ipv6() || a.is_ipv4();
            addresses.extend(local.iter().filter(usable).filter(heard).filter(|a| is_private(**a)));
        } else if !addresses.contains(&listen.ip()) {
            addresses.push(listen.ip());
        }
        let given = public_url.map(|u| u.trim_end_matches('/'));
        let public_url = match given {
            Some(url) => match split_origin(url) {
                Some((host, port)) => origin(&host.to_ascii_lowercase(), port),
                None => return Err(Usage::new(format!("--public-url {url}: write it as https://erp.example[:port]"))),
            },
            // An address that other computers can use, if there is one.
            None => {
                let host = addresses.iter().find(|a| !a.is_loopback()).map_or("localhost".to_owned(), |a| url_host(*a));
                origin(&host, port)
            }
        };
        let mut origins = vec![public_url.clone()];
        origins.extend(names.iter().map(|n| origin(n, port)));
        origins.extend(addresses.iter().map(|a| origin(&url_host(*a), port)));
        let mut seen = std::collections::HashSet::new();
        origins.retain(|o| seen.insert(o.clone()));
        if let Some((host, _)) = split_origin(&public_url) {
            match host.trim_matches(['[', ']']).parse::<IpAddr>() {
                Ok(address) if !addresses.contains(&address) => addresses.push(address),
                Ok(_) => {}
                Err(_) if !names.iter().any(|n| n == host) => names.push(host.to_owned()),
                Err(_) => {}
            }
        }
        Ok(Self { public_url, origins, names, addresses })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(listen: &str, public_url: Option<&str>) -> Reach {
        let local = ["127.0.0.1", "192.168.1.5", "203.0.113.7", "fe80::1", "fd00::5"].map(|a| a.parse().unwrap());
        Reach::new(listen.parse().unwrap(), public_url, "counter", &local).unwrap()
    }

    #[test]
    fn on_loopback_the_server_is_localhost_and_nothing_else() {
        let r = reach("127.0.0.1:8069", None);
        assert_eq!(r.public_url, "https://localhost:8069");
        assert_eq!(r.origins, ["https://localhost:8069", "https://127.0.0.1:8069"]);
    }

    #[test]
    fn on_all_addresses_the_private_ones_are_its_names() {
        let r = reach("0.0.0.0:443", None);
        assert_eq!(r.public_url, "https://192.168.1.5");
        assert_eq!(r.names, ["localhost", "counter", "counter.local"]);
        assert_eq!(r.addresses, ["127.0.0.1", "192.168.1.5"].map(|a| a.parse::<IpAddr>().unwrap()));
        let r = reach("[::]:443", None);
        assert_eq!(r.addresses, ["127.0.0.1", "192.168.1.5", "fd00::5"].map(|a| a.parse::<IpAddr>().unwrap()));
        assert!(r.origins.contains(&"https://[fd00::5]".to_owned()));
    }

    #[test]
    fn the_public_address_comes_first_and_must_be_one() {
        let r = reach("0.0.0.0:8069", Some("https://ERP.example/"));
        assert_eq!((r.public_url.as_str(), r.origins[0].as_str()), ("https://erp.example", "https://erp.example"));
        assert!(r.names.contains(&"erp.example".to_owned()));
        for bad in ["http://erp.example", "erp.example", "https://erp.example/path", "https://u@erp.example"] {
            assert!(Reach::new("127.0.0.1:1".parse().unwrap(), Some(bad), "c", &[]).is_err(), "{bad}");
        }
    }
}
