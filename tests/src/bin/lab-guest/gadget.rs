//! USB devices made by the kernel's own gadget drivers behind `dummy_hcd`: for the host side of the same kernel they
//! are plugged in like any other.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

const CONFIGFS: &str = "/sys/kernel/config/usb_gadget";

/// What the descriptors say.
pub(super) struct About {
    pub(super) vendor: u16,
    pub(super) product_id: u16,
    pub(super) manufacturer: &'static str,
    pub(super) product: &'static str,
    pub(super) serial: &'static str,
}

pub(super) struct Gadget {
    dir: PathBuf,
    udc: String,
}

impl Gadget {
    /// `controller`: each holds one gadget. `function`: a driver of the kernel (`hid`, `acm`, `printer`) with its
    /// attributes.
    pub(super) fn new(controller: usize, about: &About, function: &str, attributes: &[(&str, &[u8])]) -> Result<Self> {
        let dir = Path::new(CONFIGFS).join(about.serial);
        let put = |file: &str, value: &[u8]| {
            fs::write(dir.join(file), value).with_context(|| format!("gadget {}: {file}", about.serial))
        };
        fs::create_dir_all(dir.join("strings/0x409")).context("making a gadget (is libcomposite loaded?)")?;
        fs::create_dir_all(dir.join("configs/c.1"))?;
        put("idVendor", format!("{:#06x}", about.vendor).as_bytes())?;
        put("idProduct", format!("{:#06x}", about.product_id).as_bytes())?;
        put("bcdUSB", b"0x0200")?;
        put("strings/0x409/manufacturer", about.manufacturer.as_bytes())?;
        put("strings/0x409/product", about.product.as_bytes())?;
        put("strings/0x409/serialnumber", about.serial.as_bytes())?;
        let function = format!("functions/{function}.{}", about.serial);
        fs::create_dir(dir.join(&function)).with_context(|| format!("the kernel has no {function}"))?;
        for (name, value) in attributes {
            put(&format!("{function}/{name}"), value)?;
        }
        symlink(dir.join(&function), dir.join("configs/c.1/function"))?;
        Ok(Self { dir, udc: format!("dummy_udc.{controller}") })
    }

    pub(super) fn plug(&self) -> Result<()> {
        fs::write(self.dir.join("UDC"), &self.udc).with_context(|| format!("plugging into {}", self.udc))
    }

    pub(super) fn unplug(&self) -> Result<()> {
        fs::write(self.dir.join("UDC"), "\n").context("unplugging")
    }
}

/// A keyboard as the HID specification's appendix B.1 has it: eight bytes a report.
pub(super) const KEYBOARD: [(&str, &[u8]); 4] = [
    ("protocol", b"1"),
    ("subclass", b"1"),
    ("report_length", b"8"),
    (
        "report_desc",
        b"\x05\x01\x09\x06\xa1\x01\x05\x07\x19\xe0\x29\xe7\x15\x00\x25\x01\x75\x01\x95\x08\x81\x02\x95\x01\x75\x08\
          \x81\x03\x95\x05\x75\x01\x05\x08\x19\x01\x29\x05\x91\x02\x95\x01\x75\x03\x91\x03\x95\x06\x75\x08\x15\x00\
          \x25\x65\x05\x07\x19\x00\x29\x65\x81\x00\xc0",
    ),
];

/// The reports of a US keyboard that types `text` and Enter: each key down, then up.
pub(super) fn typed(text: &str) -> Vec<[u8; 8]> {
    let mut reports = Vec::new();
    for character in text.chars().chain(['\n']) {
        let (shift, usage) = match character {
            'a'..='z' => (0, character as u8 - b'a' + 0x04),
            'A'..='Z' => (0x02, character as u8 - b'A' + 0x04),
            '1'..='9' => (0, character as u8 - b'1' + 0x1e),
            '0' => (0, 0x27),
            '-' => (0, 0x2d),
            '\n' => (0, 0x28),
            other => panic!("no key for {other:?}"),
        };
        reports.push([shift, 0, usage, 0, 0, 0, 0, 0]);
        reports.push([0; 8]);
    }
    reports
}
