//! Tools whose cable is a keyboard: they type the value and Enter (Mitutoyo USB Input Tool, Sylvac and Mahr HID cables).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{CALIBRATION_DUE, Command as GaugeCommand, Event, RESOLUTION, Scale, UNIT, digits};
use crate::{
    device::{
        BoxFuture, Class, Command, CommandId, Condition, Device, DeviceCtx, DeviceError, DeviceEvent, Driver, Fault,
        Identity, OpenError, Outcome, Reason, Score, Value,
    },
    io::{Channel, Io, evdev::Records},
    keyboard::{
        evdev::LAYOUT,
        layout::{Keyboard, Layout},
    },
    port::{PortInfo, PortKind},
    runner::{Action, Input, Limits, Protocol, drive},
    scanner::evdev::{KEY_ENTER, KEY_KPENTER, KEY_TAB},
    setting::{Options, Setting},
};

const EV_KEY: u16 = 1;
/// A tool that types no Enter is done when it pauses.
const PAUSE: Duration = Duration::from_millis(300);
const LONGEST: usize = 32;
const QUEUE: usize = 16;

#[derive(Debug)]
pub struct KeyboardGauge {
    records: Records,
    keyboard: Keyboard,
    scale: Scale,
    typed: String,
    until: Option<Instant>,
    reads: VecDeque<(CommandId, Instant)>,
    faulty: bool,
}

impl KeyboardGauge {
    pub fn new(options: &Options) -> Self {
        Self {
            records: Records::default(),
            keyboard: Keyboard::new(options.get("layout").and_then(Layout::named).unwrap_or_default()),
            scale: Scale::new(options),
            typed: String::new(),
            until: None,
            reads: VecDeque::new(),
            faulty: false,
        }
    }

    fn end(&mut self, out: &mut Vec<Action>) {
        self.until = None;
        let typed = std::mem::take(&mut self.typed);
        if typed.trim().is_empty() {
            return;
        }
        let Some(digits) = digits(&typed) else {
            self.faulty = true;
            let why = "the gauge typed something else than a number: set the keyboard layout that its cable types in";
            return out.push(Action::Condition(Condition::Error(Fault::Garbled, why.to_owned())));
        };
        if std::mem::take(&mut self.faulty) {
            out.push(Action::Condition(Condition::Ready));
        }
        let value = self.scale.measurement(digits, None);
        if self.reads.is_empty() {
            out.push(Action::Emit(DeviceEvent::Gauge(Event::Measured(value))));
            return;
        }
        for (id, _) in self.reads.drain(..) {
            out.push(Action::Reply(id, Outcome::Done(Value::Measurement(value.clone()))));
        }
    }

    fn key(&mut self, now: Instant, code: u16, value: i32, out: &mut Vec<Action>) {
        if matches!(code, KEY_ENTER | KEY_KPENTER | KEY_TAB) {
            if value == 1 {
                self.end(out);
            }
            return;
        }
        self.keyboard.key(code, value, &mut self.typed);
        if self.typed.len() > LONGEST {
            self.end(out);
        }
        if !self.typed.is_empty() {
            self.until = Some(now + PAUSE);
        }
    }

    fn reject(&mut self, now: Option<Instant>, reason: Reason, why: &str, out: &mut Vec<Action>) {
        self.reads.retain(|(id, before)| {
            let over = now.is_none_or(|now| *before <= now);
            if over {
                out.push(Action::Reply(id.clone(), Outcome::Rejected(reason, why.to_owned())));
            }
            !over
        });
    }
}

impl Protocol for KeyboardGauge {
    fn step(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        match input {
            Input::Started => out.push(Action::Condition(Condition::Ready)),
            Input::Bytes(bytes) => {
                for &byte in bytes {
                    if let Some(record) = self.records.push(byte).filter(|record| record.kind == EV_KEY) {
                        self.key(now, record.code, record.value, out);
                    }
                }
            }
            // It cannot be asked: the next value that somebody sends is the answer.
            Input::Command { id, command: Command::Gauge(GaugeCommand::Read), before } if self.reads.len() < QUEUE => {
                self.reads.push_back((id, before));
            }
            Input::Command { id, command, .. } => {
                let (reason, why) = match command {
                    Command::Gauge(_) => (Reason::Busy, "too many ask for this gauge: try again shortly"),
                    _ => (Reason::Unsupported, "a gauge understands measure"),
                };
                out.push(Action::Reply(id, Outcome::Rejected(reason, why.to_owned())));
            }
            Input::Deadline => {
                if self.until.is_some_and(|until| until <= now) {
                    self.end(out);
                }
                self.reject(Some(now), Reason::Offline, "no value came: press the data key of the gauge", out);
            }
            Input::Written => return Ok(()),
            Input::Closed => {
                self.reject(None, Reason::Offline, "the gauge is not connected", out);
                return Ok(());
            }
        }
        out.push(Action::Deadline(self.reads.iter().map(|(_, before)| *before).chain(self.until).min()));
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub struct KeyboardGaugeDriver;

impl Driver for KeyboardGaugeDriver {
    fn name(&self) -> &'static str {
        "gauge.keyboard"
    }

    fn class(&self) -> Class {
        Class::Gauge
    }

    fn claims(&self, port: &PortInfo) -> Option<Score> {
        if !matches!(port.kind, PortKind::Evdev { .. }) {
            return None;
        }
        if port.assigned.as_deref() == Some(self.name()) {
            return Some(Score::Assigned);
        }
        let maker = port.manufacturer.to_ascii_lowercase();
        ["mitutoyo", "sylvac"].iter().any(|known| maker.contains(known)).then_some(Score::Maker)
    }

    fn settings(&self) -> &'static [Setting] {
        &[UNIT, RESOLUTION, CALIBRATION_DUE, LAYOUT]
    }

    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        Box::pin(async move {
            let channel = io.input(port, true).await?;
            let identity = Identity {
                name: "Gauge".to_owned(),
                manufacturer: port.manufacturer.clone(),
                model: port.product.clone(),
            };
            let protocol = KeyboardGauge::new(&Options::of(port));
            Ok(Box::new(Gauge { channel, identity, protocol }) as Box<dyn Device>)
        })
    }
}

struct Gauge {
    channel: Box<dyn Channel>,
    identity: Identity,
    protocol: KeyboardGauge,
}

impl Device for Gauge {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn run(self: Box<Self>, ctx: DeviceCtx) -> BoxFuture<'static, Result<(), DeviceError>> {
        Box::pin(drive(self.protocol, self.channel, ctx, Limits::default()))
    }
}
