//! Serial ports, input devices and USB printers, as sysfs describes them. A machine without sysfs (a container) has none.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    hid,
    io::access,
    port::{Bus, PortId, PortInfo, PortKind},
};

/// Where to look; tests have trees of their own.
#[derive(Debug, Clone)]
pub struct Roots {
    pub sys: PathBuf,
    pub dev: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { sys: "/sys".into(), dev: "/dev".into() }
    }
}

pub(super) fn scan(roots: &Roots) -> Vec<PortInfo> {
    let mut ports = serial_ports(roots);
    ports.extend(input_devices(roots));
    ports.extend(usb_printers(roots));
    ports.extend(hid_devices(roots));
    // Cheap adapters share one serial number; the second gets a number of its own rather than none at all.
    let mut seen = HashSet::new();
    for port in &mut ports {
        let base = port.id.0.clone();
        let mut number = 2;
        while !seen.insert(port.id.0.clone()) {
            port.id.0 = format!("{base}-{number}");
            number += 1;
        }
    }
    ports
}

fn serial_ports(roots: &Roots) -> Vec<PortInfo> {
    let consoles = attribute(&roots.sys.join("class/tty/console"), "active");
    let mut ports = Vec::new();
    for (name, entry) in entries(&roots.sys.join("class/tty")) {
        // Virtual terminals have no device; PORT_UNKNOWN (0) is a UART that a PC could have had.
        let Ok(device) = fs::canonicalize(entry.join("device")) else { continue };
        if attribute(&entry, "type") == "0" || consoles.split(' ').any(|console| console == name) {
            continue;
        }
        let path = roots.dev.join(&name);
        let Ok(access) = access(&path) else { continue };
        let usb = UsbDevice::above(&device, &roots.sys);
        let id = match &usb {
            Some(usb) => {
                let port = attribute(&device, "port_number");
                let port = if matches!(port.as_str(), "" | "0") { String::new() } else { format!("-p{port}") };
                format!("usb-{}{port}", usb.name())
            }
            // Built in: it is where it is.
            None => format!("serial-{name}"),
        };
        let bus = if usb.is_some() {
            Bus::Usb
        } else if name.starts_with("rfcomm") {
            Bus::Bluetooth
        } else {
            Bus::Serial
        };
        let usb = usb.unwrap_or_default();
        ports.push(PortInfo {
            id: PortId(id),
            kind: PortKind::Serial { path },
            bus,
            usb: usb.ids,
            manufacturer: usb.manufacturer,
            product: usb.product,
            serial_number: usb.serial,
            access,
            assigned: None,
            settings: Default::default(),
        });
    }
    ports
}

/// What the kernel's usblp has taken on: USB's printer class, whoever made it.
fn usb_printers(roots: &Roots) -> Vec<PortInfo> {
    let mut ports = Vec::new();
    for (name, entry) in entries(&roots.sys.join("class/usbmisc")) {
        if name.strip_prefix("lp").is_none_or(|number| number.parse::<u32>().is_err()) {
            continue;
        }
        let Ok(device) = fs::canonicalize(entry.join("device")) else { continue };
        let Some(usb) = UsbDevice::above(&device, &roots.sys) else { continue };
        let path = roots.dev.join("usb").join(&name);
        let Ok(access) = access(&path) else { continue };
        // GET_DEVICE_ID's answer; its length has two bytes, and usblp reads 1 KiB of it.
        let id1284 = descriptor(&device, "ieee1284_id", 1024);
        let says = |keys: [&str; 2]| {
            let mut fields = id1284.split(';').filter_map(|field| field.split_once(':'));
            fields.find(|(key, _)| keys.iter().any(|k| key.trim().eq_ignore_ascii_case(k))).map(|(_, v)| v.trim())
        };
        let or = |said: Option<&str>, other: &str| said.filter(|said| !said.is_empty()).unwrap_or(other).to_owned();
        ports.push(PortInfo {
            id: PortId(format!("usb-{}", usb.name())),
            kind: PortKind::UsbPrinter { path, languages: or(says(["CMD", "COMMAND SET"]), "") },
            bus: Bus::Usb,
            usb: usb.ids,
            manufacturer: or(says(["MFG", "MANUFACTURER"]), &usb.manufacturer),
            product: or(says(["MDL", "MODEL"]), &usb.product),
            serial_number: usb.serial,
            access,
            assigned: None,
            settings: Default::default(),
        });
    }
    ports
}

/// HID devices that are neither keyboard nor mouse: point-of-sale devices by their usage pages. What types is an input
/// device already.
fn hid_devices(roots: &Roots) -> Vec<PortInfo> {
    let mut ports = Vec::new();
    for (name, entry) in entries(&roots.sys.join("class/hidraw")) {
        let Ok(device) = fs::canonicalize(entry.join("device")) else { continue };
        let Ok(descriptor) = fs::read(device.join("report_descriptor")) else { continue };
        if !hid::Descriptor::parse(&descriptor).applications.iter().any(|usage| POS_PAGES.contains(&(usage >> 16))) {
            continue;
        }
        let path = roots.dev.join(&name);
        let Ok(access) = access(&path) else { continue };
        let usb = UsbDevice::above(&device, &roots.sys);
        let uevent = fs::read_to_string(device.join("uevent")).unwrap_or_default();
        let says = |key: &str| uevent.lines().find_map(|l| l.strip_prefix(key)).unwrap_or_default().trim().to_owned();
        let place = match &usb {
            Some(usb) => usb.name(),
            None => plain(&[says("HID_ID="), says("HID_UNIQ=")].join("-")),
        };
        let bus = if usb.is_none() && says("HID_ID=").starts_with("0005:") { Bus::Bluetooth } else { Bus::Usb };
        let usb = usb.unwrap_or_default();
        ports.push(PortInfo {
            usb: usb.ids,
            manufacturer: usb.manufacturer,
            product: if usb.product.is_empty() { says("HID_NAME=") } else { usb.product },
            serial_number: usb.serial,
            access,
            ..PortInfo::new(PortId(format!("hid-{place}")), PortKind::Hid { path, descriptor }, bus)
        });
    }
    ports
}

/// Bar code scanners and scales (HID Point of Sale Usage Tables 1.02).
const POS_PAGES: [u32; 2] = [0x8c, 0x8d];

const BUS_USB: u16 = 0x03;
const BUS_BLUETOOTH: u16 = 0x05;

fn input_devices(roots: &Roots) -> Vec<PortInfo> {
    let mut ports = Vec::new();
    for (name, entry) in entries(&roots.sys.join("class/input")) {
        if !name.starts_with("event") {
            continue;
        }
        let Ok(device) = fs::canonicalize(entry.join("device")) else { continue };
        if !types_keys(&attribute(&device, "capabilities/key")) {
            continue;
        }
        let path = roots.dev.join("input").join(&name);
        let Ok(access) = access(&path) else { continue };
        let hex = |what| u16::from_str_radix(&attribute(&device, what), 16).unwrap_or(0);
        let (bus, vendor, product) = (hex("id/bustype"), hex("id/vendor"), hex("id/product"));
        let usb = UsbDevice::above(&device, &roots.sys);
        let [phys, uniq] = ["phys", "uniq"].map(|what| attribute(&device, what));
        let place = match &usb {
            Some(usb) => usb.name(),
            None => {
                let own = if uniq.is_empty() { phys } else { uniq };
                format!("{vendor:04x}:{product:04x}-{}", plain(&own))
            }
        };
        let usb = usb.unwrap_or_default();
        ports.push(PortInfo {
            id: PortId(format!("input-{place}")),
            kind: PortKind::Evdev { path },
            bus: match bus {
                BUS_USB => Bus::Usb,
                BUS_BLUETOOTH => Bus::Bluetooth,
                _ => Bus::Serial,
            },
            usb: (vendor != 0).then_some((vendor, product)),
            manufacturer: usb.manufacturer,
            product: attribute(&device, "name"),
            serial_number: usb.serial,
            access,
            assigned: None,
            settings: Default::default(),
        });
    }
    ports
}

/// Whether the bitmap has a key that people or scanners type: Esc to Delete, or F13 to F24 (pedals). Mice, power
/// buttons and volume knobs have keys too.
fn types_keys(bitmap: &str) -> bool {
    // Words of the kernel's `long`, the lowest last (input_bits_to_string).
    let word_bits = usize::BITS as usize;
    bitmap.split(' ').rev().enumerate().any(|(number, word)| {
        let word = u64::from_str_radix(word, 16).unwrap_or(0);
        (0..word_bits).any(|bit| {
            let key = number * word_bits + bit;
            word >> bit & 1 == 1 && (matches!(key, 1..=111) || matches!(key, 183..=194))
        })
    })
}

/// How often the kernel asks a USB device for news: `bInterval` of its interrupt endpoint, as sysfs tells it in time.
pub fn polling_interval(port: &PortInfo) -> Option<Duration> {
    let class = match port.kind {
        PortKind::Evdev { .. } => "input",
        PortKind::Hid { .. } => "hidraw",
        _ => return None,
    };
    let roots = Roots::default();
    let node = port.path()?.file_name()?;
    let device = fs::canonicalize(roots.sys.join("class").join(class).join(node).join("device")).ok()?;
    interval_above(&device, &roots.sys)
}

pub(super) fn interval_above(device: &Path, sys: &Path) -> Option<Duration> {
    let interface = device.ancestors().take_while(|p| *p != sys).find(|p| p.join("bInterfaceNumber").exists())?;
    let endpoints = entries(interface).into_iter().filter(|(name, _)| name.starts_with("ep_8"));
    let intervals = endpoints.filter_map(|(_, endpoint)| {
        let text = attribute(&endpoint, "interval");
        match (text.strip_suffix("ms"), text.strip_suffix("us")) {
            (Some(ms), _) => ms.parse().ok().map(Duration::from_millis),
            (_, Some(us)) => us.parse().ok().map(Duration::from_micros),
            _ => None,
        }
    });
    intervals.filter(|interval| !interval.is_zero()).min()
}

#[derive(Debug, Default)]
struct UsbDevice {
    ids: Option<(u16, u16)>,
    manufacturer: String,
    product: String,
    serial: String,
    /// `1-1.4`: where it is plugged.
    place: String,
    interface: String,
}

impl UsbDevice {
    /// The USB device that `device` is part of.
    fn above(device: &Path, sys: &Path) -> Option<Self> {
        let mut interface = String::new();
        for place in device.ancestors().take_while(|place| *place != sys) {
            if interface.is_empty() {
                interface = attribute(place, "bInterfaceNumber");
            }
            let hex = |what| u16::from_str_radix(&attribute(place, what), 16).ok();
            if let (Some(vendor), Some(product)) = (hex("idVendor"), hex("idProduct")) {
                return Some(Self {
                    ids: Some((vendor, product)),
                    manufacturer: attribute(place, "manufacturer"),
                    product: attribute(place, "product"),
                    serial: attribute(place, "serial"),
                    place: place.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                    interface,
                });
            }
        }
        None
    }

    /// By serial number, so that another socket does not make it another device; by socket where it has none.
    fn name(&self) -> String {
        let (vendor, product) = self.ids.unwrap_or_default();
        let own = if self.serial.is_empty() { &self.place } else { &self.serial };
        let interface = if self.interface.is_empty() { "00" } else { &self.interface };
        format!("{vendor:04x}:{product:04x}-{}-if{interface}", plain(own))
    }
}

/// Sorted, so that a scan gives the same list each time.
fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(list) = fs::read_dir(folder) else { return Vec::new() };
    let mut entries: Vec<_> =
        list.flatten().map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).collect();
    entries.sort();
    entries
}

/// Descriptors are written by whoever made the device: control characters and endless strings are not passed on.
fn attribute(folder: &Path, name: &str) -> String {
    descriptor(folder, name, 256)
}

fn descriptor(folder: &Path, name: &str, longest: usize) -> String {
    let Ok(bytes) = fs::read(folder.join(name)) else { return String::new() };
    let text = String::from_utf8_lossy(&bytes);
    text.chars().filter(|c| !c.is_control()).take(longest).collect::<String>().trim().to_owned()
}

fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-._:/".contains(c) { c } else { '_' }).take(64).collect()
}
