//! Scanners that type: keyboards to the kernel, grabbed so that a code goes nowhere else.

use std::time::Instant;

use super::{
    Event,
    code::{Frame, PREFIX, SUFFIX, Stopwatch},
    ending::{END, Ending, IDLE, Terminator, torn},
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
    keyboard::{
        evdev::{IS_SCANNER, LAYOUT},
        layout::{Keyboard, Layout},
    },
    port::{PortInfo, PortKind},
    runner::{Action, Input, Limits, Protocol, drive},
    setting::{Options, Setting},
};

const LONGEST: usize = super::serial::LONGEST;

const EV_SYN: u16 = 0;
const SYN_DROPPED: u16 = 3;
const EV_KEY: u16 = 1;
pub(crate) const KEY_TAB: u16 = 15;
pub(crate) const KEY_ENTER: u16 = 28;
pub(crate) const KEY_KPENTER: u16 = 96;

#[derive(Debug, Default)]
pub struct EvdevScanner {
    records: Records,
    keyboard: Keyboard,
    code: String,
    ending: Ending,
    frame: Frame,
    watch: Stopwatch,
    discarding: bool,
    faulty: bool,
}

impl EvdevScanner {
    pub fn new(options: &Options) -> Self {
        let layout = options.get("layout").and_then(Layout::named).unwrap_or_default();
        Self {
            keyboard: Keyboard::new(layout),
            ending: Ending::new(options),
            frame: Frame::new(options),
            ..Self::default()
        }
    }

    fn key(&mut self, now: Instant, code: u16, value: i32, out: &mut Vec<Action>) {
        let terminator = match code {
            KEY_ENTER | KEY_KPENTER => Some(Terminator::Enter),
            KEY_TAB => Some(Terminator::Tab),
            _ => None,
        };
        if terminator.is_some_and(|terminator| self.ending.ends(terminator)) {
            if value == 1 {
                if !self.code.is_empty() || self.discarding {
                    self.ending.terminator();
                }
                self.end(out);
            }
            return;
        }
        if value == 1 {
            self.watch.step(now);
        }
        let before = self.code.len();
        self.keyboard.key(code, value, &mut self.code);
        if self.discarding {
            self.code.truncate(before);
        } else if self.code.len() > LONGEST {
            self.code.clear();
            self.discarding = true;
            self.faulty = true;
            let message = format!(
                "the scanner typed more than {LONGEST} characters without an end: set it to end each code with Enter"
            );
            out.push(Action::Condition(Condition::Error(Fault::Garbled, message)));
        }
    }

    fn end(&mut self, out: &mut Vec<Action>) {
        self.discarding = false;
        let timing = self.watch.take();
        let Some(code) = self.frame.code(&std::mem::take(&mut self.code), timing) else { return };
        if self.faulty {
            self.faulty = false;
            out.push(Action::Condition(Condition::Ready));
        }
        out.push(Action::Emit(DeviceEvent::Scanner(Event::Code(code))));
    }
}

impl Protocol for EvdevScanner {
    fn step(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        match input {
            Input::Started => out.push(Action::Condition(Condition::Ready)),
            Input::Bytes(bytes) => {
                for &byte in bytes {
                    match self.records.push(byte) {
                        Some(record) if record.kind == EV_KEY => self.key(now, record.code, record.value, out),
                        // The kernel's buffer ran over and keys are lost: half a code is worse than none.
                        Some(Record { kind: EV_SYN, code: SYN_DROPPED, .. }) => {
                            self.keyboard.reset();
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
                self.watch.take();
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
        match port.settings.get(IS_SCANNER.name).map(String::as_str) {
            Some("yes") => Some(Score::Model),
            Some("no") => None,
            _ => looks_like_scanner(port, &["scanner", "barcode", "bar code", "reader"]),
        }
    }

    fn settings(&self) -> &'static [Setting] {
        &[IS_SCANNER, LAYOUT, END, IDLE, PREFIX, SUFFIX]
    }

    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        Box::pin(async move {
            let channel = io.input(port, true).await?;
            let identity = Identity {
                name: "Barcode scanner".to_owned(),
                manufacturer: port.manufacturer.clone(),
                model: port.product.clone(),
            };
            let protocol = EvdevScanner::new(&Options::of(port));
            Ok(Box::new(Scanner { channel, identity, protocol }) as Box<dyn Device>)
        })
    }
}

struct Scanner {
    channel: Box<dyn Channel>,
    identity: Identity,
    protocol: EvdevScanner,
}

impl Device for Scanner {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn run(self: Box<Self>, ctx: DeviceCtx) -> BoxFuture<'static, Result<(), DeviceError>> {
        Box::pin(drive(self.protocol, self.channel, ctx, Limits::default()))
    }
}
