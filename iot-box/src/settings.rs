//! What a technician set: `settings.toml` in the data directory. One owner; everybody else watches.

use std::{collections::BTreeMap, io, net::SocketAddr, path::PathBuf, sync::Arc};

use link_protocol::enrol::{NameError, check_name};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};

use crate::{data_dir::write_staged, payments::ports::Terminal};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// What people call the box; empty until somebody names it.
    pub(crate) name: String,
    /// Where the ERP is, when it is not found by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) erp_url: Option<String>,
    /// Print addresses and pairing code on each receipt printer once after the start.
    pub(crate) status_ticket: bool,
    /// Printers that were added by address.
    pub(crate) network_printers: Vec<SocketAddr>,
    /// Payment terminals that were added.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) terminals: Vec<Terminal>,
    /// Programs that may run as external drivers, by absolute path; set in this file alone, never on a page.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) external_drivers: Vec<PathBuf>,
    /// Printers that speak IPP, added by address: `192.168.1.60:631/ipp/print`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ipp_printers: Vec<String>,
    /// By device id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) devices: BTreeMap<String, DeviceSettings>,
    /// More printers on devices that are there: the same device under other settings. By device id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) more_printers: BTreeMap<String, MorePrinter>,
}

/// A second logical printer on one device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MorePrinter {
    /// The device that prints.
    pub(crate) on: String,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) options: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DeviceSettings {
    /// What people call it, instead of what it calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// The driver chosen for a port that says nothing of what is plugged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) driver: Option<String>,
    /// What its driver is told, under the driver's own keys.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) options: BTreeMap<String, String>,
}

impl Settings {
    /// The chosen driver of a device, and what it is told.
    pub(crate) fn chosen(&self, device: &str) -> (Option<String>, BTreeMap<String, String>) {
        let Some(set) = self.devices.get(device) else { return Default::default() };
        let mut options = set.options.clone();
        if let Some(name) = &set.name {
            name_as_option(name, &mut options);
        }
        (set.driver.clone(), options)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: String::new(),
            erp_url: None,
            status_ticket: true,
            network_printers: Vec::new(),
            terminals: Vec::new(),
            external_drivers: Vec::new(),
            ipp_printers: Vec::new(),
            devices: BTreeMap::new(),
            more_printers: BTreeMap::new(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("cannot save {path}: {source}; look at the free space with iot-box check")]
    Save { path: PathBuf, source: io::Error },
    #[error("cannot write the settings as TOML: {0}")]
    Encode(#[from] toml::ser::Error),
    #[error("{0}")]
    Invalid(&'static str),
    #[error("{0}.")]
    Refused(String),
}

#[derive(Clone)]
pub(crate) struct SettingsStore {
    path: PathBuf,
    current: Arc<watch::Sender<Arc<Settings>>>,
    /// Held while a change is written, so that two changes cannot lose one another.
    writing: Arc<Mutex<()>>,
}

impl SettingsStore {
    /// A file that cannot be read is put aside as `settings.toml.broken` and said in the log: the box runs without.
    pub(crate) fn open(path: PathBuf) -> Self {
        let settings = match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).unwrap_or_else(|error| {
                let aside = path.with_extension("toml.broken");
                tracing::error!(
                    error = error.message(),
                    path = %path.display(),
                    "settings cannot be understood: they are put aside as settings.toml.broken, the box runs with defaults"
                );
                if let Err(error) = std::fs::rename(&path, &aside) {
                    tracing::error!(%error, "cannot put the broken settings aside");
                }
                Settings::default()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Settings::default(),
            Err(error) => {
                tracing::error!(%error, path = %path.display(), "settings cannot be read, the box runs with defaults");
                Settings::default()
            }
        };
        Self { path, current: Arc::new(watch::Sender::new(Arc::new(settings))), writing: Arc::default() }
    }

    pub(crate) fn current(&self) -> Arc<Settings> {
        self.current.borrow().clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Settings>> {
        self.current.subscribe()
    }

    /// On disk when it returns; watchers see it after that.
    pub(crate) async fn change(
        &self,
        change: impl FnOnce(&mut Settings) -> Result<(), SettingsError>,
    ) -> Result<(), SettingsError> {
        let _writing = self.writing.lock().await;
        let mut settings = (*self.current()).clone();
        change(&mut settings)?;
        let text = toml::to_string_pretty(&settings)?;
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || write_staged(&path, text.as_bytes()))
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|source| SettingsError::Save { path: self.path.clone(), source })?;
        self.current.send_replace(Arc::new(settings));
        Ok(())
    }
}

/// An IPP printer's address as [`Settings::ipp_printers`] keeps it.
pub(crate) fn ipp_address(kept: &str) -> Option<(SocketAddr, String)> {
    let (address, path) = kept.split_once('/')?;
    Some((address.parse().ok()?, format!("/{path}")))
}

/// Printers' names may hold settings (`TM-U220__IMC_LDV__`).
pub(crate) fn name_as_option(name: &str, options: &mut BTreeMap<String, String>) {
    if name.contains("__") {
        options.insert("name".to_owned(), name.to_owned());
    }
}

/// A name for a box or a device as a person typed it: one visible line, as the ERP takes it.
pub(crate) fn clean_name(typed: &str) -> Result<String, SettingsError> {
    let name = typed.trim();
    check_name(name).map_err(|error| {
        SettingsError::Invalid(match error {
            NameError::Empty => "Type a name.",
            NameError::TooLong(_) => "The name is too long: 63 characters at most.",
            NameError::Character(_) => "The name holds characters that cannot be shown.",
        })
    })?;
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_on_disk_and_watchers_see_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        let store = SettingsStore::open(path.clone());
        let watch = store.watch();
        let set = |s: &mut Settings| {
            s.name = "Shop".into();
            s.devices.entry("usb-1".into()).or_default().driver = Some("scale.toledo_8217".into());
            Ok(())
        };
        store.change(set).await.unwrap();
        assert_eq!(watch.borrow().name, "Shop");
        assert_eq!(*SettingsStore::open(path).current(), **watch.borrow());
    }

    #[test]
    fn broken_settings_are_put_aside_and_the_box_runs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        std::fs::write(&path, "name = [").unwrap();
        assert_eq!(*SettingsStore::open(path.clone()).current(), Settings::default());
        assert!(!path.exists() && path.with_extension("toml.broken").exists());
    }

    #[test]
    fn names_are_one_visible_line() {
        assert_eq!(
            clean_name("  Caf\u{e9} \u{30b7}\u{30e7}\u{30c3}\u{30d7} ").unwrap(),
            "Caf\u{e9} \u{30b7}\u{30e7}\u{30c3}\u{30d7}"
        );
        for bad in ["", "  ", "a\nb", "a\u{202e}b", "a\u{200b}b", &"x".repeat(64)] {
            assert!(clean_name(bad).is_err(), "{bad:?}");
        }
    }
}
