//! The driver's row: which ports it claims and how it opens them.

use super::{Protocol8217, Settings};
use crate::{
    device::{BoxFuture, Class, Device, DeviceCtx, DeviceError, Driver, Identity, OpenError, Score},
    io::{Channel, Io, Line, Parity},
    port::{Bus, PortInfo, PortKind},
    runner::{Limits, drive},
    scale::Unit,
    setting::{Kind, Setting},
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

    fn settings(&self) -> &'static [Setting] {
        &[Setting {
            name: "unit",
            label: "Unit on the scale's display",
            hint: "The interface does not say it. Without a choice two decimals are pounds, three are kilograms.",
            kind: Kind::Choice(|| &[("kg", "kg"), ("g", "g"), ("lb", "lb"), ("oz", "oz")]),
        }]
    }

    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        Box::pin(async move {
            let channel = io.stream(port, LINE).await?;
            let identity = Identity {
                name: "Scale".to_owned(),
                manufacturer: port.manufacturer.clone(),
                model: if port.product.is_empty() { "Toledo 8217".to_owned() } else { port.product.clone() },
            };
            let unit = match port.settings.get("unit").map(String::as_str) {
                Some("kg") => Some(Unit::Kg),
                Some("g") => Some(Unit::G),
                Some("lb") => Some(Unit::Lb),
                Some("oz") => Some(Unit::Oz),
                _ => None,
            };
            Ok(Box::new(Scale { channel, identity, settings: Settings { unit } }) as Box<dyn Device>)
        })
    }
}

struct Scale {
    channel: Box<dyn Channel>,
    identity: Identity,
    settings: Settings,
}

impl Device for Scale {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn run(self: Box<Self>, ctx: DeviceCtx) -> BoxFuture<'static, Result<(), DeviceError>> {
        Box::pin(drive(Protocol8217::new(self.settings), self.channel, ctx, Limits::default()))
    }
}
