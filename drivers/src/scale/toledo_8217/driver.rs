//! The driver's row: which ports it claims and how it opens them.

use super::{Protocol8217, Settings};
use crate::{
    device::{BoxFuture, Class, Device, DeviceCtx, DeviceError, Driver, Identity, OpenError, Score},
    io::{Channel, Io, Line, Parity},
    port::{Bus, PortInfo, PortKind},
    runner::{Limits, drive},
};

const LINE: Line = Line { baud: 9600, data_bits: 7, parity: Parity::Even, stop_bits: 1 };

#[derive(Debug, Clone, Copy, Default)]
pub struct Toledo8217;

impl Driver for Toledo8217 {
    fn name(&self) -> &'static str {
        "scale.toledo_8217"
    }

    fn class(&self) -> Class {
        Class::Scale
    }

    fn claims(&self, port: &PortInfo) -> Option<Score> {
        if !matches!(port.kind, PortKind::Serial { .. }) {
            return None;
        }
        if port.assigned.as_deref() == Some(self.name()) {
            return Some(Score::Assigned);
        }
        // Everything else (a bare adapter, a port of the machine) stays unclaimed until a person says what hangs on
        // it: a probe byte may print, cut or pay.
        let maker = port.manufacturer.to_ascii_lowercase();
        (port.bus == Bus::Usb && maker.contains("mettler")).then_some(Score::Maker)
    }

    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        Box::pin(async move {
            let channel = io.stream(port, LINE).await?;
            let identity = Identity {
                name: "Scale".to_owned(),
                manufacturer: port.manufacturer.clone(),
                model: if port.product.is_empty() { "Toledo 8217".to_owned() } else { port.product.clone() },
            };
            Ok(Box::new(Scale { channel, identity }) as Box<dyn Device>)
        })
    }
}

struct Scale {
    channel: Box<dyn Channel>,
    identity: Identity,
}

impl Device for Scale {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn run(self: Box<Self>, ctx: DeviceCtx) -> BoxFuture<'static, Result<(), DeviceError>> {
        Box::pin(drive(Protocol8217::new(Settings::default()), self.channel, ctx, Limits::default()))
    }
}
