//! Receipt printers on a raw socket (port 9100).

use super::{Profile, Protocol};
use crate::{
    device::{BoxFuture, Class, Device, DeviceCtx, DeviceError, Driver, Identity, OpenError, Score},
    io::{Channel, Io, Line},
    port::{PortInfo, PortKind},
    runner::{Limits, drive},
};

#[derive(Debug, Clone, Copy, Default)]
pub struct EscPosTcp;

/// Makers of receipt printers that understand ESC/POS.
const MAKERS: [&str; 6] = ["bixolon", "citizen", "custom", "rongta", "xprinter", "snbc"];
/// What stands in the names of receipt printers, and not in those of the same makers' office printers.
const MODELS: [&str; 8] = ["tm-", "esc/pos", "escpos", "receipt", "srp-", "ct-s", "pos-80", "pos-58"];

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
        let maker = port.manufacturer.to_ascii_lowercase();
        let product = port.product.to_ascii_lowercase();
        if MODELS.iter().any(|word| product.contains(word)) {
            Some(Score::Model)
        } else if MAKERS.iter().any(|word| maker.contains(word)) {
            Some(Score::Maker)
        } else {
            // Somebody gave its address, so it is a printer for receipts; what announces itself by another name is an
            // office printer, which would print pages of nonsense.
            (maker.is_empty() && product.is_empty()).then_some(Score::Generic)
        }
    }

    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        Box::pin(async move {
            let channel = io.stream(port, Line::N8_9600).await?;
            let identity = Identity {
                name: if port.product.is_empty() { "Receipt printer".to_owned() } else { port.product.clone() },
                manufacturer: port.manufacturer.clone(),
                model: port.product.clone(),
            };
            let profile = Profile::for_model(&port.product);
            Ok(Box::new(Printer { channel, identity, profile }) as Box<dyn Device>)
        })
    }
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
