//! The device table as everybody else sees it.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use drivers::{PortId, Request};
use link_protocol::{ids::DeviceId, up::Device};
use tokio::sync::mpsc;

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) device: Device,
    /// Present while the device is open.
    pub(crate) requests: Option<mpsc::Sender<Request>>,
    /// Drivers that a person may choose for this port.
    pub(crate) choices: Vec<&'static str>,
    /// What a person can set for it; what is set is in `options`.
    pub(crate) settings: &'static [drivers::Setting],
    /// Where it is plugged in.
    pub(crate) port: Arc<drivers::PortInfo>,
    /// The driver was chosen by a person.
    pub(crate) assigned: bool,
    /// What its driver is told, as a person set it.
    pub(crate) options: BTreeMap<String, String>,
    /// A second logical printer: on which device, and under which settings it prints.
    pub(crate) more_on: Option<(DeviceId, BTreeMap<String, String>)>,
    /// The group that owns a port we may not open.
    pub(crate) denied_group: Option<String>,
    /// Where a network device is.
    pub(crate) address: Option<SocketAddr>,
}

impl Entry {
    fn same_as(&self, other: &Self) -> bool {
        let same_channel = match (&self.requests, &other.requests) {
            (Some(a), Some(b)) => a.same_channel(b),
            (None, None) => true,
            _ => false,
        };
        same_channel
            && self.device == other.device
            && self.choices == other.choices
            && self.assigned == other.assigned
            && self.options == other.options
            && self.more_on == other.more_on
            && self.denied_group == other.denied_group
    }
}

/// In the order in which the devices first came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table(pub(crate) Vec<Entry>);

impl Table {
    pub(crate) fn get(&self, id: &DeviceId) -> Option<&Entry> {
        self.0.iter().find(|e| e.device.id == *id)
    }

    pub(crate) fn devices(&self) -> Vec<Device> {
        self.0.iter().map(|e| e.device.clone()).collect()
    }

    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| a.same_as(b))
    }
}

/// A device id is its port's id as the wire allows it. What had to be changed carries a hash of the original, so that
/// two ports never share a device id.
pub(crate) fn device_id(port: &PortId) -> DeviceId {
    if let Ok(id) = port.0.parse() {
        return id;
    }
    let hash = ring::digest::digest(&ring::digest::SHA256, port.0.as_bytes());
    let hash = data_encoding::HEXLOWER.encode(hash.as_ref().get(..4).unwrap_or_default());
    let allowed = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | '+' | '#');
    let readable: String = port.0.chars().take(100).map(|c| if allowed(c) { c } else { '-' }).collect();
    let text = format!("{readable}~{hash}");
    // At most 109 allowed characters: always an id.
    text.parse().unwrap_or_else(|error| unreachable!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_port_id_is_the_device_id() {
        assert_eq!(device_id(&PortId("usb-0403:6001-A1".into())).as_str(), "usb-0403:6001-A1");
    }

    #[test]
    fn odd_port_ids_become_distinct_device_ids() {
        let ids: Vec<_> = ["a b", "a/b", "a+b", "", "\u{e9}\u{202e}", &"x".repeat(500), &"x".repeat(501)]
            .map(|id| device_id(&PortId(id.into())))
            .into();
        for (i, id) in ids.iter().enumerate() {
            assert!(!ids[..i].contains(id), "{id}");
        }
        assert!(ids[0].as_str().starts_with("a-b~"), "{}", ids[0]);
    }
}
