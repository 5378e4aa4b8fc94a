//! Receipt printers on a raw socket (port 9100) or on USB.

use crate::{
    device::{BoxFuture, Class, Device, Driver, OpenError, Score},
    io::Io,
    port::{PortInfo, PortKind},
    printer::{
        driver::{claims, open},
        profile::Language,
    },
};

#[derive(Debug, Clone, Copy, Default)]
pub struct EscPosTcp;

#[derive(Debug, Clone, Copy, Default)]
pub struct EscPosUsb;

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
        claims(port, Language::EscPos).or(nameless.then_some(Score::Generic))
    }

    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        Box::pin(open(port, io, Language::EscPos))
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
        if !matches!(port.kind, PortKind::UsbPrinter { .. }) {
            return None;
        }
        if port.assigned.as_deref() == Some(self.name()) {
            return Some(Score::Assigned);
        }
        claims(port, Language::EscPos)
    }

    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        Box::pin(open(port, io, Language::EscPos))
    }
}
