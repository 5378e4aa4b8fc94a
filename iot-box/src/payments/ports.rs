//! Terminals that a technician added, as ports of the fleet.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use drivers::{
    Access, Bus, PortChange, PortId, PortInfo, PortKind,
    payment::{Currency, Link, Setup, Speaks, external, nexo, zvt},
};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{settings::Settings, supervisor::Exit};

/// The most a box takes.
pub(crate) const TERMINALS: usize = 16;

/// One terminal in `settings.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Terminal {
    pub(crate) protocol: TerminalProtocol,
    /// Name or address; when the terminal connects, its address.
    #[serde(default)]
    pub(crate) host: String,
    /// The terminal's, or ours when the terminal connects.
    #[serde(default)]
    pub(crate) port: u16,
    #[serde(default)]
    pub(crate) connects: Connects,
    #[serde(default = "euro")]
    pub(crate) currency: String,
    /// ZVT: six digits.
    #[serde(default)]
    pub(crate) password: u32,
    /// ZVT: the terminal prints its receipts itself.
    #[serde(default)]
    pub(crate) prints_itself: bool,
    /// nexo: how till and terminal are called.
    #[serde(default)]
    pub(crate) sale_id: String,
    #[serde(default)]
    pub(crate) poi_id: String,
    /// External: one of `external_drivers`, and what it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) program: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) options: BTreeMap<String, String>,
}

fn euro() -> String {
    "EUR".to_owned()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TerminalProtocol {
    Zvt,
    NexoJson,
    NexoXml,
    External,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Connects {
    #[default]
    Box,
    Terminal,
}

impl Terminal {
    /// Stable as long as the terminal stays where it is.
    pub(crate) fn port_id(&self) -> PortId {
        match (&self.program, self.connects) {
            (Some(program), _) => {
                let name = program.file_name().unwrap_or_default().to_string_lossy();
                PortId(format!("terminal-{name}-{}", if self.host.is_empty() { "own" } else { &self.host }))
            }
            (None, Connects::Box) => PortId(format!("terminal-{}:{}", self.host, self.port)),
            (None, Connects::Terminal) => PortId(format!("terminal-{}-at-{}", self.host, self.port)),
        }
    }

    /// What the driver is told, or what is wrong with it. `allowed`: programs that may run as external drivers.
    pub(crate) fn setup(&self, allowed: &[PathBuf]) -> Result<Setup, &'static str> {
        let currency = Currency::of_code(&self.currency).ok_or("Choose a currency that cards are charged in.")?;
        let speaks = match self.protocol {
            TerminalProtocol::Zvt if self.password > 999_999 => return Err("The password has six digits."),
            TerminalProtocol::Zvt => {
                Speaks::Zvt(zvt::Settings { password: self.password, currency, receipts_to_box: !self.prints_itself })
            }
            TerminalProtocol::NexoJson | TerminalProtocol::NexoXml => {
                if !names_a_system(&self.sale_id) || !names_a_system(&self.poi_id) {
                    return Err(
                        "Name till and terminal as the terminal knows them: up to 32 letters, digits and dashes.",
                    );
                }
                let format = match self.protocol {
                    TerminalProtocol::NexoXml => nexo::Format::Xml,
                    _ => nexo::Format::Json,
                };
                Speaks::Nexo(nexo::Settings { format, sale_id: self.sale_id.clone(), poi_id: self.poi_id.clone() })
            }
            TerminalProtocol::External => {
                let program = self.program.clone().filter(|program| allowed.contains(program) && is_plain(program));
                let program =
                    program.ok_or("Choose one of the programs that settings.toml allows as external_drivers.")?;
                let mut options: Vec<_> = self.options.clone().into_iter().collect();
                if !self.host.is_empty() {
                    options.push(("address".to_owned(), self.host.clone()));
                }
                if self.port != 0 {
                    options.push(("port".to_owned(), self.port.to_string()));
                }
                let speaks = Speaks::External(external::Settings { program, currency, options });
                return Ok(Setup { speaks, link: Link::Own });
            }
        };
        if self.port == 0 {
            return Err("Type the port, 1 to 65535.");
        }
        let link = match self.connects {
            Connects::Box if is_host(&self.host) => Link::Connect { host: self.host.clone(), port: self.port },
            Connects::Box => return Err("Type the terminal's name or address, such as 192.168.1.60."),
            Connects::Terminal => {
                // Whoever else connects could approve payments that never were.
                let from: IpAddr = self
                    .host
                    .parse()
                    .map_err(|_| "When the terminal connects, type its IP address: no other machine is let in.")?;
                if self.port < 1024 {
                    return Err("The box listens on ports from 1024 on; 9050 and 9000 are usual.");
                }
                Link::Listen { port: self.port, from }
            }
        };
        Ok(Setup { speaks, link })
    }

    fn port(&self, allowed: &[PathBuf]) -> Option<PortInfo> {
        let setup = match self.setup(allowed) {
            Ok(setup) => setup,
            Err(why) => {
                tracing::error!(terminal.host = self.host, why, "a payment terminal of the settings cannot be used");
                return None;
            }
        };
        Some(PortInfo {
            id: self.port_id(),
            kind: PortKind::Terminal(Box::new(setup)),
            bus: Bus::Network,
            usb: None,
            manufacturer: String::new(),
            product: String::new(),
            serial_number: String::new(),
            access: Access::Ok,
            assigned: None,
            settings: BTreeMap::new(),
        })
    }
}

fn names_a_system(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && !b"<>&\"'\\".contains(&b))
}

fn is_host(text: &str) -> bool {
    let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':');
    (1..=253).contains(&text.len())
        && text.bytes().all(name)
        && text.parse::<IpAddr>().is_ok_and(|ip| !ip.is_unspecified() && !ip.is_multicast())
        || (!text.is_empty()
            && text.len() <= 253
            && !text.contains(':')
            && text.parse::<IpAddr>().is_err()
            && text.bytes().all(name))
}

/// Absolute, and without steps upwards.
fn is_plain(program: &Path) -> bool {
    use std::path::Component;
    program.is_absolute() && program.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)))
}

/// Reports terminals to the fleet as settings come and go.
pub(crate) async fn report(
    mut settings: watch::Receiver<Arc<Settings>>,
    changes: mpsc::Sender<PortChange>,
    cancel: CancellationToken,
) -> Exit {
    let mut known: BTreeMap<PortId, PortInfo> = BTreeMap::new();
    loop {
        let now: BTreeMap<PortId, PortInfo> = {
            let settings = settings.borrow_and_update();
            let ports = settings.terminals.iter().filter_map(|t| t.port(&settings.external_drivers));
            ports.map(|port| (port.id.clone(), port)).collect()
        };
        let gone = known.iter().filter(|(id, port)| now.get(*id) != Some(*port));
        let mut list: Vec<_> = gone.map(|(id, _)| PortChange::Vanished(id.clone())).collect();
        let new = now.iter().filter(|(id, port)| known.get(*id) != Some(*port));
        list.extend(new.map(|(_, port)| PortChange::Appeared(port.clone())));
        for change in list {
            if changes.send(change).await.is_err() {
                return Exit::Finished;
            }
        }
        known = now;
        tokio::select! {
            () = cancel.cancelled() => return Exit::Finished,
            changed = settings.changed() => if changed.is_err() {
                return Exit::Finished;
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn zvt(host: &str, port: u16, connects: Connects) -> Terminal {
        Terminal {
            protocol: TerminalProtocol::Zvt,
            host: host.into(),
            port,
            connects,
            currency: "EUR".into(),
            password: 0,
            prints_itself: false,
            sale_id: String::new(),
            poi_id: String::new(),
            program: None,
            options: BTreeMap::new(),
        }
    }

    #[test]
    fn a_terminal_is_checked_before_it_is_a_port() {
        assert!(zvt("192.168.1.60", 20007, Connects::Box).setup(&[]).is_ok());
        assert!(zvt("terminal.shop.local", 20007, Connects::Box).setup(&[]).is_ok());
        assert!(zvt("192.168.1.60", 9050, Connects::Terminal).setup(&[]).is_ok());
        for (host, port, connects) in [
            ("", 20007, Connects::Box),
            ("a b", 20007, Connects::Box),
            ("0.0.0.0", 20007, Connects::Box),
            ("192.168.1.60", 0, Connects::Box),
            ("terminal.local", 9050, Connects::Terminal),
            ("192.168.1.60", 80, Connects::Terminal),
        ] {
            assert!(zvt(host, port, connects).setup(&[]).is_err(), "{host} {port}");
        }
        let nexo = Terminal { protocol: TerminalProtocol::NexoJson, ..zvt("192.168.1.60", 9000, Connects::Box) };
        assert!(nexo.setup(&[]).is_err(), "without names");
        assert!(Terminal { sale_id: "till-1".into(), poi_id: "P400-1".into(), ..nexo }.setup(&[]).is_ok());
    }

    #[test]
    fn only_programs_on_the_list_are_external_drivers() {
        let program = PathBuf::from("/opt/vendor/terminal");
        let terminal = |program: &str| Terminal {
            protocol: TerminalProtocol::External,
            program: Some(program.into()),
            ..zvt("", 0, Connects::Box)
        };
        let allowed = [program, "/opt/vendor/../../bin/sh".into(), "relative".into()];
        assert!(terminal("/opt/vendor/terminal").setup(&allowed).is_ok());
        for other in ["/bin/sh", "/opt/vendor/../../bin/sh", "relative", "/opt/vendor/terminal "] {
            assert!(terminal(other).setup(&allowed).is_err(), "{other}");
        }
    }
}
