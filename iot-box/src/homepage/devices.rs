//! Driver, name and test of a device; printers by address.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use drivers::{
    Options, Setting, registry,
    scale::probe::{self, Found},
};
use link_protocol::{
    ids::DeviceId,
    outcome::{Outcome, PrintCertainty, Value},
    up::DeviceStatus,
};
use serde::Deserialize;

use super::{
    session::{Flash, Technician},
    settings::flash,
    tell,
};
use crate::{
    app::App,
    settings::{SettingsError, clean_name},
};

/// A printer's raw socket, unless the address names another.
const RAW_PORT: u16 = 9100;

#[derive(Deserialize)]
pub(crate) struct Driver {
    /// Empty: none.
    driver: String,
}

pub(crate) async fn choose_driver(
    State(app): State<App>,
    technician: Technician,
    Path(id): Path<String>,
    Form(form): Form<Driver>,
) -> Redirect {
    let choice = form.driver;
    let known = id.parse::<DeviceId>().ok().and_then(|id| {
        let table = app.router.table().borrow().clone();
        table.get(&id).map(|e| choice.is_empty() || e.choices.contains(&choice.as_str()))
    });
    let done = match known {
        None => Err(SettingsError::Invalid("The box does not know this device any more.")),
        Some(false) => Err(SettingsError::Invalid("This driver does not work on that port.")),
        Some(true) => {
            let changed = app.settings.change(|s| {
                let device = s.devices.entry(id.clone()).or_default();
                device.driver = (!choice.is_empty()).then(|| choice.clone());
                s.devices.retain(|_, d| *d != crate::settings::DeviceSettings::default());
                Ok(())
            });
            changed.await.map(|()| match choice.as_str() {
                "" => "No driver is chosen for the port any more.".to_owned(),
                choice => format!("The port is driven as {choice}."),
            })
        }
    };
    tell(&app, &technician, flash(done))
}

/// The form for what the driver of a device asks for.
pub(crate) async fn settings(State(app): State<App>, technician: Technician, Path(id): Path<String>) -> Response {
    let table = app.router.table().borrow().clone();
    match id.parse::<DeviceId>().ok().and_then(|id| table.get(&id).cloned()) {
        Some(entry) if !entry.settings.is_empty() => {
            let body = super::devices_view::settings(&entry);
            super::overview::framed(&app, "Settings", &body).into_response()
        }
        _ => {
            let error = SettingsError::Invalid("There is nothing to set for this device.");
            tell(&app, &technician, flash(Err(error))).into_response()
        }
    }
}

/// Asks a serial port that nothing drives which scale hangs on it, and drives it so.
pub(crate) async fn find_scale(State(app): State<App>, technician: Technician, Path(id): Path<String>) -> Redirect {
    let table = app.router.table().borrow().clone();
    let port = id.parse::<DeviceId>().ok().and_then(|id| {
        let entry = table.get(&id)?;
        // Never a port that something drives: what hangs there is known, and may print or pay.
        (entry.device.status == DeviceStatus::Unclaimed && entry.device.driver.is_empty()).then(|| entry.port.clone())
    });
    let done = match port {
        None => Err(SettingsError::Invalid("Only a serial port that nothing drives can be asked.")),
        Some(port) => match probe::probe(&port, &drivers::io::System).await {
            Ok(Found::Scale(driver, options)) => {
                let changed = app.settings.change(|s| {
                    let device = s.devices.entry(id.clone()).or_default();
                    device.driver = Some(driver.to_owned());
                    device.options.extend(known(driver, options));
                    Ok(())
                });
                changed.await.map(|()| format!("The scale answered: the port is driven as {driver}."))
            }
            Ok(Found::Printer) => {
                Err(SettingsError::Invalid("A receipt printer answered. Nothing more was sent to it."))
            }
            Ok(Found::Unclear(drivers)) => Err(SettingsError::Refused(format!(
                "The answers fit more than one protocol ({}): choose the driver yourself",
                drivers.join(", ")
            ))),
            Ok(Found::Nothing) => Err(SettingsError::Invalid(
                "No scale answered. See that it is switched on and its interface is set up, then try again; or choose its driver.",
            )),
            Err(error) => Err(SettingsError::Refused(error.to_string())),
        },
    };
    tell(&app, &technician, flash(done))
}

/// Of what was found out, what the driver takes.
fn known(driver: &str, options: Options) -> BTreeMap<String, String> {
    let row = registry::drivers().iter().find(|row| row.name() == driver);
    let settings = row.map_or(&[][..], |row| row.settings());
    options.0.into_iter().filter(|(name, _)| settings.iter().any(|setting| setting.name == name)).collect()
}

/// What the driver of a device asks for; an empty field leaves it to the driver.
pub(crate) async fn set(
    State(app): State<App>,
    technician: Technician,
    Path(id): Path<String>,
    Form(form): Form<BTreeMap<String, String>>,
) -> Redirect {
    let table = app.router.table().borrow().clone();
    let done = match id.parse::<DeviceId>().ok().and_then(|id| table.get(&id).cloned()) {
        None => Err(SettingsError::Invalid("The box does not know this device any more.")),
        Some(entry) => match read(entry.settings, &form) {
            Err(message) => Err(SettingsError::Refused(message)),
            Ok(options) => {
                let changed = app.settings.change(|s| {
                    let set = &mut s.devices.entry(id.clone()).or_default().options;
                    set.retain(|name, _| entry.settings.iter().all(|setting| setting.name != name));
                    set.extend(options);
                    s.devices.retain(|_, d| *d != crate::settings::DeviceSettings::default());
                    Ok(())
                });
                changed.await.map(|()| format!("The settings of {} are saved.", entry.device.name))
            }
        },
    };
    tell(&app, &technician, flash(done))
}

fn read(settings: &[Setting], form: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
    let mut options = BTreeMap::new();
    for setting in settings {
        if let Some(value) = setting.check(form.get(setting.name).map_or("", String::as_str))? {
            options.insert(setting.name.to_owned(), value);
        }
    }
    Ok(options)
}

#[derive(Deserialize)]
pub(crate) struct Name {
    name: String,
}

/// An empty name gives the device its own one back.
pub(crate) async fn rename(
    State(app): State<App>,
    technician: Technician,
    Path(id): Path<String>,
    Form(form): Form<Name>,
) -> Redirect {
    let name = match form.name.trim() {
        "" => Ok(None),
        typed => clean_name(typed).map(Some),
    };
    let done = match (name, id.parse::<DeviceId>()) {
        (Err(error), _) => Err(error),
        (_, Err(_)) => Err(SettingsError::Invalid("The box does not know this device any more.")),
        (Ok(name), Ok(_)) => {
            let changed = app.settings.change(|s| {
                if let (Some(more), Some(name)) = (s.more_printers.get_mut(&id), &name) {
                    more.name.clone_from(name);
                    return Ok(());
                }
                s.devices.entry(id.clone()).or_default().name.clone_from(&name);
                s.devices.retain(|_, d| *d != crate::settings::DeviceSettings::default());
                Ok(())
            });
            changed.await.map(|()| match name {
                Some(name) => format!("The device is now called {name}."),
                None => "The device has its own name again.".to_owned(),
            })
        }
    };
    tell(&app, &technician, flash(done))
}

pub(crate) async fn test(State(app): State<App>, technician: Technician, Path(id): Path<String>) -> Redirect {
    let flash = match id.parse() {
        Ok(id) => printed("Test ticket", &app.tickets.print_test(&id).await),
        Err(_) => Flash::Bad("The box does not know this device any more.".into()),
    };
    tell(&app, &technician, flash)
}

pub(crate) async fn status_ticket(State(app): State<App>, technician: Technician, Path(id): Path<String>) -> Redirect {
    let flash = match id.parse() {
        Ok(id) => printed("Status ticket", &app.tickets.print_status(&id).await),
        Err(_) => Flash::Bad("The box does not know this device any more.".into()),
    };
    tell(&app, &technician, flash)
}

fn printed(what: &str, outcome: &Outcome) -> Flash {
    match outcome {
        Outcome::Done { value: Value::Print { certainty } } => Flash::Good(match certainty {
            PrintCertainty::Sent => format!("{what} sent. The printer does not say whether it printed it."),
            PrintCertainty::Accepted => format!("{what} sent, and the printer reports no error."),
            PrintCertainty::Printed => format!("{what} printed: the printer confirmed it."),
        }),
        Outcome::Done { .. } => Flash::Good(format!("{what} done.")),
        Outcome::Rejected { message, .. } => Flash::Bad(format!("{what} not printed. {message}")),
        Outcome::Unknown { message } => {
            Flash::Bad(format!("{what}: look at the printer, it may or may not have printed. {message}"))
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Address {
    address: String,
}

pub(crate) async fn add_printer(State(app): State<App>, technician: Technician, Form(form): Form<Address>) -> Redirect {
    if let Some(kept) = clean_ipp(&form.address) {
        let told = format!("The printer at ipp://{kept} was added.");
        let change = move |s: &mut crate::settings::Settings| {
            if s.ipp_printers.contains(&kept) {
                return Err(SettingsError::Invalid("This printer was added before."));
            }
            if s.ipp_printers.len() >= 32 {
                return Err(SettingsError::Invalid("32 printers are the most a box takes: remove one first."));
            }
            s.ipp_printers.push(kept);
            Ok(())
        };
        let done = app.settings.change(change).await.map(|()| told);
        return tell(&app, &technician, flash(done));
    }
    let done = match clean_address(&form.address) {
        Some(address) => {
            let changed = app.settings.change(move |s| {
                if s.network_printers.contains(&address) {
                    return Err(SettingsError::Invalid("This printer was added before."));
                }
                if s.network_printers.len() >= 32 {
                    return Err(SettingsError::Invalid("32 printers are the most a box takes: remove one first."));
                }
                s.network_printers.push(address);
                Ok(())
            });
            changed.await.map(|()| format!("The printer at {address} was added."))
        }
        None => Err(SettingsError::Invalid(
            "Type the printer's address, such as 192.168.1.50, 192.168.1.50:9100 or ipp://192.168.1.50/ipp/print.",
        )),
    };
    tell(&app, &technician, flash(done))
}

pub(crate) async fn remove_printer(
    State(app): State<App>,
    technician: Technician,
    Form(form): Form<Address>,
) -> Redirect {
    let done = match clean_address(&form.address) {
        Some(address) => {
            let changed = app.settings.change(move |s| {
                let at = |kept: &String| crate::settings::ipp_address(kept).is_some_and(|(a, _)| a == address);
                s.ipp_printers.retain(|kept| !at(kept));
                s.network_printers.retain(|a| *a != address);
                Ok(())
            });
            changed.await.map(|()| format!("The printer at {address} was removed."))
        }
        None => Err(SettingsError::Invalid("There is no such printer.")),
    };
    tell(&app, &technician, flash(done))
}

/// `ipp://192.168.1.60/ipp/print` as the settings keep it; the port is 631 unless another is typed.
fn clean_ipp(typed: &str) -> Option<String> {
    let rest = typed.trim().strip_prefix("ipp://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, "ipp/print"));
    let address = clean_address(host).map(|address| match host.parse::<SocketAddr>() {
        Ok(_) => address,
        Err(_) => SocketAddr::new(address.ip(), 631),
    })?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~%".contains(c);
    (path.len() <= 100 && path.chars().all(plain)).then(|| format!("{address}/{path}"))
}

/// An address of a device: never one that many machines share.
fn clean_address(typed: &str) -> Option<SocketAddr> {
    let typed = typed.trim();
    let address = match (typed.parse::<SocketAddr>(), typed.parse::<IpAddr>()) {
        (Ok(address), _) => address,
        (_, Ok(ip)) => SocketAddr::new(ip, RAW_PORT),
        _ => return None,
    };
    let ip = address.ip();
    (!ip.is_unspecified() && !ip.is_multicast() && address.port() != 0).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipp_address_has_a_port_and_a_path() {
        let kept = |typed| clean_ipp(typed);
        assert_eq!(kept("ipp://192.168.1.60").as_deref(), Some("192.168.1.60:631/ipp/print"));
        assert_eq!(
            kept(" ipp://192.168.1.60:8631/printers/Office ").as_deref(),
            Some("192.168.1.60:8631/printers/Office")
        );
        for bad in ["192.168.1.60", "ipp://", "ipp://printer/ipp", "ipp://192.168.1.60/a b", "ipp://0.0.0.0/x"] {
            assert_eq!(kept(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_printers_address_needs_no_port() {
        assert_eq!(clean_address(" 192.168.1.50 "), Some("192.168.1.50:9100".parse().unwrap()));
        assert_eq!(clean_address("127.0.0.1:4000"), Some("127.0.0.1:4000".parse().unwrap()));
        for bad in ["", "printer", "0.0.0.0", "224.0.0.1", "192.168.1.50:0", "192.168.1.50:99999"] {
            assert_eq!(clean_address(bad), None, "{bad}");
        }
    }
}
