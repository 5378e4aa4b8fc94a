//! Receipt printers on a raw socket (port 9100) or on USB.

use super::{Profile, Protocol};
use crate::{
    device::{BoxFuture, Class, Device, DeviceCtx, DeviceError, Driver, Identity, OpenError, Score},
    io::{Channel, Io, Line},
    port::{PortInfo, PortKind},
    runner::{Limits, drive},
};

#[derive(Debug, Clone, Copy, Default)]
pub struct EscPosTcp;

#[derive(Debug, Clone, Copy, Default)]
pub struct EscPosUsb;

/// Makers of receipt printers that understand ESC/POS.
const MAKERS: [&str; 6] = ["bixolon", "citizen", "custom", "rongta", "xprinter", "snbc"];
/// What stands in the names of receipt printers, and not in those of the same makers' office printers.
const MODELS: [&str; 10] =
    ["tm-", "esc/pos", "escpos", "receipt", "srp-", "ct-s", "pos-80", "pos-58", "pos80", "pos58"];

/// What the descriptors say: model, else maker.
fn by_name(port: &PortInfo) -> Option<Score> {
    let maker = port.manufacturer.to_ascii_lowercase();
    let product = port.product.to_ascii_lowercase();
    if MODELS.iter().any(|word| product.contains(word)) {
        return Some(Score::Model);
    }
    MAKERS.iter().any(|word| maker.contains(word)).then_some(Score::Maker)
}

impl Driver for EscPosTcp {
    fn name(&self) -> &'static str {
        "printer.escpos_tcp"
    }

    fn class(&self) -> Class {
        Class::Printer
    }

    fn claims(&self, port: &PortInfo) -> Option<Score> {
        if !matches!(port.kind, PortKind::Tcp { .. }) {
            return None;
        }
        if port.assigned.as_deref() == Some(self.name()) {
            return Some(Score::Assigned);
        }
        // Somebody gave its address, so it is a printer for receipts; what announces itself by another name is an
        // office printer, which would print pages of nonsense.
        let nameless = port.manufacturer.is_empty() && port.product.is_empty();
        by_name(port).or(nameless.then_some(Score::Generic))
    }

    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        Box::pin(open(port, io))
    }
}

impl Driver for EscPosUsb {
    fn name(&self) -> &'static str {
        "printer.escpos_usb"
    }

    fn class(&self) -> Class {
        Class::Printer
    }

    fn claims(&self, port: &PortInfo) -> Option<Score> {
        let PortKind::UsbPrinter { languages, .. } = &port.kind else { return None };
        if port.assigned.as_deref() == Some(self.name()) {
            return Some(Score::Assigned);
        }
        let languages = languages.to_ascii_lowercase();
        let speaks = languages.split(',').any(|language| matches!(language.trim(), "esc/pos" | "escpos"));
        if speaks { Some(Score::Model) } else { by_name(port) }
    }

    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        Box::pin(open(port, io))
    }
}

async fn open(port: &PortInfo, io: &dyn Io) -> Result<Box<dyn Device>, OpenError> {
    let channel = io.stream(port, Line::N8_9600).await?;
    let identity = Identity {
        name: if port.product.is_empty() { "Receipt printer".to_owned() } else { port.product.clone() },
        manufacturer: port.manufacturer.clone(),
        model: port.product.clone(),
    };
    Ok(Box::new(Printer { channel, identity, profile: Profile::for_model(&port.product) }))
}

struct Printer {
    channel: Box<dyn Channel>,
    identity: Identity,
    profile: Profile,
}

impl Device for Printer {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn run(self: Box<Self>, ctx: DeviceCtx) -> BoxFuture<'static, Result<(), DeviceError>> {
        Box::pin(drive(Protocol::new(self.profile), self.channel, ctx, Limits::default()))
    }
}
