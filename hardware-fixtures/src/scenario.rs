//! A scenario: which devices there are, and how each is set.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{balance, gauge, label, printer, scale, scanner, terminal};

/// What the device's USB descriptors (or its network announcement) would say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Descriptor {
    pub manufacturer: String,
    pub product: String,
    pub serial_number: String,
    /// `vvvv:pppp`; what a network device does not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usb: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    pub id: String,
    pub descriptor: Descriptor,
    pub model: Model,
}

/// The `type` of a device, with its settings.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    Scale8217(scale::Settings),
    Scale(balance::Settings),
    Gauge(gauge::Settings),
    ScannerSerial(scanner::Settings),
    PrinterEscpos(printer::Settings),
    Terminal(terminal::Speaks, terminal::Settings),
    PrinterLabel(label::Settings),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Where printers leave their receipts; relative to the directory of the ports file.
    pub out: PathBuf,
    pub devices: Vec<Device>,
}

#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    #[error("cannot read the scenario {path}: {why}")]
    Read { path: PathBuf, why: std::io::Error },
    #[error("the scenario is not valid TOML: {0}")]
    Toml(#[from] toml::de::Error),
    #[error("device {id}: {why}")]
    Device { id: String, why: toml::de::Error },
    #[error(
        "device {id} has the unknown type \"{model}\": use gauge, scale, scale_8217, printer_escpos, printer_label, \
         scanner_serial, terminal_zvt, terminal_nexo_json or terminal_nexo_xml"
    )]
    Type { id: String, model: String },
    #[error("two devices have the id {0}: give each its own")]
    Twice(String),
    #[error("a device's id is letters, digits, dots, dashes and underscores, not \"{0}\"")]
    Id(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default = "default_out")]
    out: PathBuf,
    #[serde(default)]
    device: Vec<toml::Table>,
}

fn default_out() -> PathBuf {
    "receipts".into()
}

#[derive(Debug, Deserialize)]
struct Head {
    id: String,
    r#type: String,
    #[serde(flatten)]
    descriptor: Descriptor,
}

impl Scenario {
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path).map_err(|why| ScenarioError::Read { path: path.to_owned(), why })?;
        Self::parse(&text)
    }

    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let file: File = toml::from_str(text)?;
        let devices = file.device.into_iter().map(device).collect::<Result<Vec<_>, _>>()?;
        let mut ids = BTreeSet::new();
        for device in &devices {
            if !ids.insert(&device.id) {
                return Err(ScenarioError::Twice(device.id.clone()));
            }
        }
        Ok(Self { out: file.out, devices })
    }
}

/// The keys every device may have; the others are its model's settings.
const COMMON: [&str; 6] = ["id", "type", "manufacturer", "product", "serial_number", "usb"];

fn device(mut table: toml::Table) -> Result<Device, ScenarioError> {
    let id = table.get("id").and_then(toml::Value::as_str).unwrap_or("without an id").to_owned();
    let wrong = |why| ScenarioError::Device { id: id.clone(), why };
    let head: Head = table.clone().try_into().map_err(wrong)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if head.id.is_empty() || !head.id.chars().all(plain) {
        return Err(ScenarioError::Id(head.id));
    }
    table.retain(|key, _| !COMMON.contains(&key));
    let model = match head.r#type.as_str() {
        "gauge" => Model::Gauge(settings(table).map_err(wrong)?),
        "scale" => Model::Scale(settings(table).map_err(wrong)?),
        "scale_8217" => Model::Scale8217(settings(table).map_err(wrong)?),
        "scanner_serial" => Model::ScannerSerial(settings(table).map_err(wrong)?),
        "printer_escpos" => Model::PrinterEscpos(settings(table).map_err(wrong)?),
        "terminal_zvt" => Model::Terminal(terminal::Speaks::Zvt, settings(table).map_err(wrong)?),
        "terminal_nexo_json" => Model::Terminal(terminal::Speaks::NexoJson, settings(table).map_err(wrong)?),
        "terminal_nexo_xml" => Model::Terminal(terminal::Speaks::NexoXml, settings(table).map_err(wrong)?),
        "printer_label" => Model::PrinterLabel(settings(table).map_err(wrong)?),
        _ => return Err(ScenarioError::Type { id: head.id, model: head.r#type }),
    };
    Ok(Device { id: head.id, descriptor: head.descriptor, model })
}

fn settings<T: DeserializeOwned>(table: toml::Table) -> Result<T, toml::de::Error> {
    table.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_we_ship_can_be_read() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut read = 0;
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let scenario = Scenario::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(!scenario.devices.is_empty());
            read += 1;
        }
        assert!(read >= 3);
    }

    #[test]
    fn a_misspelt_setting_is_an_error_that_names_the_device() {
        let text = "[[device]]\nid = \"s\"\ntype = \"scale_8217\"\nsetle_ms = 3\n";
        let error = Scenario::parse(text).unwrap_err().to_string();
        assert!(error.contains("device s") && error.contains("setle_ms"), "{error}");
    }

    #[test]
    fn two_devices_with_one_id_are_refused() {
        let one = "[[device]]\nid = \"s\"\ntype = \"scanner_serial\"\n";
        assert!(matches!(Scenario::parse(&format!("{one}{one}")), Err(ScenarioError::Twice(_))));
    }
}
