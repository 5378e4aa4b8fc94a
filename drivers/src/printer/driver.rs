//! Printers on a raw socket (port 9100), on USB, and on a serial line (also Bluetooth's) that a person named.

use super::{
    escpos,
    label::{Dymo, DymoTape, Epl, Tspl, Zpl},
    models::{self, Identified},
    profile::{Language, Profile},
    setup,
    star::Star,
    stream,
};
use crate::{
    device::{BoxFuture, Class, Device, DeviceCtx, DeviceError, Driver, Identity, OpenError, Score},
    io::{Channel, Io, Line},
    port::{PortInfo, PortKind},
    runner::{Limits, drive},
};

/// One language on every kind of port; ESC/POS has a driver for each kind, since its names are in use.
#[derive(Debug)]
pub struct PrinterDriver {
    name: &'static str,
    language: Language,
    /// Only for serial lines.
    serial_only: bool,
}

pub const STAR: PrinterDriver = driver("printer.star", Language::Star);
pub const ZPL: PrinterDriver = driver("printer.zpl", Language::Zpl);
pub const EPL: PrinterDriver = driver("printer.epl", Language::Epl);
pub const TSPL: PrinterDriver = driver("printer.tspl", Language::Tspl);
pub const DYMO: PrinterDriver = driver("printer.dymo", Language::Dymo);
pub const DYMO_TAPE: PrinterDriver = driver("printer.dymo_tape", Language::DymoTape);
pub const ESCPOS_SERIAL: PrinterDriver =
    PrinterDriver { serial_only: true, ..driver("printer.escpos_serial", Language::EscPos) };

const fn driver(name: &'static str, language: Language) -> PrinterDriver {
    PrinterDriver { name, language, serial_only: false }
}

/// Who it is by its descriptors, if it speaks `language`.
pub(super) fn claims(port: &PortInfo, language: Language) -> Option<Score> {
    models::identify(port).filter(|found| found.language == language).map(|found| found.score)
}

impl Driver for PrinterDriver {
    fn name(&self) -> &'static str {
        self.name
    }

    fn class(&self) -> Class {
        Class::Printer
    }

    fn claims(&self, port: &PortInfo) -> Option<Score> {
        let serial = matches!(port.kind, PortKind::Serial { .. });
        let other = matches!(port.kind, PortKind::Tcp { .. } | PortKind::UsbPrinter { .. }) && !self.serial_only;
        if port.assigned.as_deref() == Some(self.name) && (serial || other) {
            return Some(Score::Assigned);
        }
        // Nothing is sent to a serial line on a guess.
        if other { claims(port, self.language) } else { None }
    }

    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        Box::pin(open(port, io, self.language))
    }
}

pub(super) async fn open(port: &PortInfo, io: &dyn Io, language: Language) -> Result<Box<dyn Device>, OpenError> {
    let channel = io.stream(port, line(port)).await?;
    let found = models::identify(port).filter(|found| found.language == language);
    let found = found.unwrap_or(Identified::only(language, Score::Generic));
    let kind = if matches!(language, Language::EscPos | Language::Star) { "Receipt printer" } else { "Label printer" };
    let identity = Identity {
        name: if port.product.is_empty() { kind.to_owned() } else { port.product.clone() },
        manufacturer: port.manufacturer.clone(),
        model: port.product.clone(),
    };
    let profile = found.profile();
    let setup = setup::apply(profile, &port.settings);
    let warning = setup.warnings.join("; ");
    if !warning.is_empty() {
        tracing::warn!(port.id = %port.id.0, warning, "some of the printer's settings are not used");
    }
    Ok(Box::new(Printer { channel, identity, language, found: profile, profile: setup.profile, warning }))
}

/// Receipt printers leave the factory with 9600 baud or more; a person who set another speed has set it here, too.
fn line(port: &PortInfo) -> Line {
    let baud = port.settings.get("baud").and_then(|baud| baud.parse().ok());
    Line { baud: baud.filter(|baud| (300..=921_600).contains(baud)).unwrap_or(9600), ..Line::N8_9600 }
}

struct Printer {
    channel: Box<dyn Channel>,
    identity: Identity,
    language: Language,
    found: Profile,
    profile: Profile,
    warning: String,
}

impl Device for Printer {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn run(self: Box<Self>, ctx: DeviceCtx) -> BoxFuture<'static, Result<(), DeviceError>> {
        let Self { channel, found, profile, warning, .. } = *self;
        let limits = Limits::default();
        macro_rules! speak {
            ($dialect:expr) => {
                Box::pin(drive(stream::Protocol::new($dialect, found, profile, warning), channel, ctx, limits))
            };
        }
        match self.language {
            Language::Star => speak!(Star::default()),
            Language::Zpl => speak!(Zpl::default()),
            Language::Epl => speak!(Epl::default()),
            Language::Tspl => speak!(Tspl),
            Language::Dymo => speak!(Dymo),
            Language::DymoTape => speak!(DymoTape),
            // IPP has a driver of its own.
            Language::EscPos | Language::Ipp => {
                Box::pin(drive(escpos::Protocol::with(found, profile, warning), channel, ctx, limits))
            }
        }
    }
}
