//! Keyboards and pedals that the kernel knows. Not grabbed: a keyboard may serve the box's own screen as well.

use std::time::Instant;

use evdev::KeyCode;

use super::Event;
use crate::{
    device::{
        BoxFuture, Class, Condition, Device, DeviceCtx, DeviceError, DeviceEvent, Driver, Identity, OpenError, Outcome,
        Reason, Score,
    },
    io::{Channel, Io, evdev::Records},
    port::{PortInfo, PortKind},
    runner::{Action, Input, Limits, Protocol, drive},
};

const EV_KEY: u16 = 1;

#[derive(Debug, Default)]
pub struct EvdevKeyboard {
    records: Records,
}

impl Protocol for EvdevKeyboard {
    fn step(&mut self, _now: Instant, input: Input<'_>, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        match input {
            Input::Started => out.push(Action::Condition(Condition::Ready)),
            Input::Bytes(bytes) => {
                for &byte in bytes {
                    let Some(record) = self.records.push(byte) else { continue };
                    // 2 is the kernel's auto-repeat: a held pedal is one press.
                    if record.kind == EV_KEY && matches!(record.value, 0 | 1) {
                        let key = format!("{:?}", KeyCode(record.code));
                        let event = Event::Key { key, pressed: record.value == 1 };
                        out.push(Action::Emit(DeviceEvent::Keyboard(event)));
                    }
                }
            }
            Input::Command { id, .. } => {
                let message = "a keyboard takes no commands".to_owned();
                out.push(Action::Reply(id, Outcome::Rejected(Reason::Unsupported, message)));
            }
            Input::Deadline | Input::Written | Input::Closed => {}
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub struct EvdevKeyboardDriver;

impl Driver for EvdevKeyboardDriver {
    fn name(&self) -> &'static str {
        "keyboard.evdev"
    }

    fn class(&self) -> Class {
        Class::Keyboard
    }

    fn claims(&self, port: &PortInfo) -> Option<Score> {
        if !matches!(port.kind, PortKind::Evdev { .. }) {
            return None;
        }
        let assigned = port.assigned.as_deref() == Some(self.name());
        Some(if assigned { Score::Assigned } else { Score::Generic })
    }

    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        Box::pin(async move {
            let channel = io.input(port, false).await?;
            let identity = Identity {
                name: "Keyboard".to_owned(),
                manufacturer: port.manufacturer.clone(),
                model: port.product.clone(),
            };
            Ok(Box::new(Keyboard { channel, identity }) as Box<dyn Device>)
        })
    }
}

struct Keyboard {
    channel: Box<dyn Channel>,
    identity: Identity,
}

impl Device for Keyboard {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn run(self: Box<Self>, ctx: DeviceCtx) -> BoxFuture<'static, Result<(), DeviceError>> {
        Box::pin(drive(EvdevKeyboard::default(), self.channel, ctx, Limits::default()))
    }
}
