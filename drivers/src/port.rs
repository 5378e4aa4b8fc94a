//! Places where a device can be: a serial port, an input device, a network address.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use crate::payment;

/// Stable name of a port or of what is plugged into it: serial number, else bus path; never `/dev/ttyUSB0`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortId(pub String);

/// Everything discovery knows of a port without sending it a byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortInfo {
    pub id: PortId,
    pub kind: PortKind,
    pub bus: Bus,
    /// USB vendor and product id, where there are such.
    pub usb: Option<(u16, u16)>,
    /// As the descriptors say it; empty when they do not.
    pub manufacturer: String,
    pub product: String,
    pub serial_number: String,
    pub access: Access,
    /// The driver a person chose for this port, by [`crate::Driver::name`].
    pub assigned: Option<String>,
    /// What a person set for what is plugged in here, under its driver's own keys (a printer's `model`); a driver
    /// leaves alone what it does not know.
    pub settings: BTreeMap<String, String>,
}

impl PortInfo {
    /// A port that may be opened and says nothing of itself.
    pub fn new(id: PortId, kind: PortKind, bus: Bus) -> Self {
        Self {
            id,
            kind,
            bus,
            usb: None,
            manufacturer: String::new(),
            product: String::new(),
            serial_number: String::new(),
            access: Access::Ok,
            assigned: None,
            settings: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortKind {
    /// A tty (or a pty that stands in for one).
    Serial { path: PathBuf },
    /// An input device (`/dev/input/event3`).
    Evdev { path: PathBuf },
    /// A HID device that is no keyboard (`/dev/hidraw0`).
    Hid {
        path: PathBuf,
        /// Its report descriptor, which says what it is and how long its reports are ([`crate::hid`]).
        descriptor: Vec<u8>,
    },
    /// A raw printer socket (usually port 9100).
    Tcp { address: SocketAddr },
    /// A payment terminal that a person added.
    Terminal(Box<payment::Setup>),
    /// A printer or print server that speaks IPP.
    Ipp { address: SocketAddr, path: String },
    /// A USB printer (`/dev/usb/lp0`).
    UsbPrinter {
        path: PathBuf,
        /// What it understands, as it says itself: `ESC/POS`, `ESCPL2,BDC`. From its IEEE 1284 id.
        languages: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    Usb,
    /// A serial port of the machine itself.
    Serial,
    Bluetooth,
    Network,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    Ok,
    /// There, but not for us: `group` owns it.
    Denied {
        group: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "ports come and go a few times a day")]
pub enum PortChange {
    Appeared(PortInfo),
    Vanished(PortId),
}
