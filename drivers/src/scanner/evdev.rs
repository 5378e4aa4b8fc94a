//! Scanners that type: keyboards to the kernel, grabbed so that a code goes nowhere else.

use std::time::Instant;

use super::{
    Event,
    ending::{Ending, torn},
    serial::looks_like_scanner,
};
use crate::{
    device::{
        BoxFuture, Class, Condition, Device, DeviceCtx, DeviceError, DeviceEvent, Driver, Fault, Identity, OpenError,
        Outcome, Reason, Score,
    },
    io::{
        Channel, Io,
        evdev::{Record, Records},
    },
    keyboard::us::Layout,
    port::{PortInfo, PortKind},
    runner::{Action, Input, Limits, Protocol, drive},
};

const LONGEST: usize = super::serial::LONGEST;

const EV_SYN: u16 = 0;
const SYN_DROPPED: u16 = 3;
const EV_KEY: u16 = 1;
const KEY_TAB: u16 = 15;
const KEY_ENTER: u16 = 28;
const KEY_KPENTER: u16 = 96;

#[derive(Debug, Default)]
pub struct EvdevScanner {
    records: Records,
    layout: Layout,
    code: String,
    ending: Ending,
    discarding: bool,
    faulty: bool,
}

impl EvdevScanner {
    fn key(&mut self, code: u16, value: i32, out: &mut Vec<Action>) {
        let pressed = value == 1;
        if pressed && matches!(code, KEY_ENTER | KEY_KPENTER | KEY_TAB) {
            if !self.code.is_empty() || self.discarding {
                self.ending.terminator();
            }
            self.end(out);
            return;
        }
        let Some(character) = self.layout.key(code, value) else { return };
        if self.discarding {
            return;
        }
        if self.code.len() >= LONGEST {
            self.code.clear();
            self.discarding = true;
            self.faulty = true;
            let message = format!(
                "the scanner typed more than {LONGEST} characters without an end: set it to end each code with Enter"
            );
            out.push(Action::Condition(Condition::Error(Fault::Garbled, message)));
            return;
        }
        self.code.push(character);
    }

    fn end(&mut self, out: &mut Vec<Action>) {
        self.discarding = false;
        if self.code.is_empty() {
            return;
        }
        if self.faulty {
            self.faulty = false;
            out.push(Action::Condition(Condition::Ready));
        }
        out.push(Action::Emit(DeviceEvent::Scanner(Event::Code(std::mem::take(&mut self.code)))));
    }
}

impl Protocol for EvdevScanner {
    fn step(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        match input {
            Input::Started => out.push(Action::Condition(Condition::Ready)),
            Input::Bytes(bytes) => {
                for &byte in bytes {
                    match self.records.push(byte) {
                        Some(record) if record.kind == EV_KEY => self.key(record.code, record.value, out),
                        // The kernel's buffer ran over and keys are lost: half a code is worse than none.
                        Some(Record { kind: EV_SYN, code: SYN_DROPPED, .. }) => {
                            self.layout = Layout::default();
                            self.code.clear();
                            self.discarding = true;
                            self.faulty = true;
                            let message = "the scanner typed faster than the box could read: scan it again".to_owned();
                            out.push(Action::Condition(Condition::Warning(message)));
                        }
                        _ => {}
                    }
                }
                let inside = self.discarding || !self.code.is_empty();
                out.push(Action::Deadline(inside.then(|| now + self.ending.patience())));
            }
            Input::Deadline if self.ending.silence() => self.end(out),
            Input::Deadline => {
                self.code.clear();
                self.discarding = false;
                self.faulty = true;
                out.push(Action::Condition(torn()));
            }
            Input::Command { id, .. } => {
                let message = "a scanner takes no commands".to_owned();
                out.push(Action::Reply(id, Outcome::Rejected(Reason::Unsupported, message)));
            }
            Input::Written | Input::Closed => {}
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub struct EvdevScannerDriver;

impl Driver for EvdevScannerDriver {
    fn name(&self) -> &'static str {
        "scanner.evdev"
    }

    fn class(&self) -> Class {
        Class::Scanner
    }

    fn claims(&self, port: &PortInfo) -> Option<Score> {
        if !matches!(port.kind, PortKind::Evdev { .. }) {
            return None;
        }
        if port.assigned.as_deref() == Some(self.name()) {
            return Some(Score::Assigned);
        }
        looks_like_scanner(port, &["scanner", "barcode", "bar code", "reader"])
    }

    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        Box::pin(async move {
            let channel = io.input(port, true).await?;
            let identity = Identity {
                name: "Barcode scanner".to_owned(),
                manufacturer: port.manufacturer.clone(),
                model: port.product.clone(),
            };
            Ok(Box::new(Scanner { channel, identity }) as Box<dyn Device>)
        })
    }
}

struct Scanner {
    channel: Box<dyn Channel>,
    identity: Identity,
}

impl Device for Scanner {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn run(self: Box<Self>, ctx: DeviceCtx) -> BoxFuture<'static, Result<(), DeviceError>> {
        Box::pin(drive(EvdevScanner::default(), self.channel, ctx, Limits::default()))
    }
}
