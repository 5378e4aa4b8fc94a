//! USB HID scales: postal, kitchen and checkout scales of usage page 0x8D.
//!
//! Source: HID Point of Sale Usage Tables 1.02, section 4 ("Weighing Devices"). A scale sends a data report a few times a
//! second or on change: status, unit, scaling (power of ten) and weight. Where they lie is in the report descriptor;
//! the common ones have report 3 with one byte each and 16 bits of weight.
//!
//! The output report with *Zero Scale* exists on paper; no scale was found that documents it, so zero and tare are its
//! keys'.

use std::time::{Duration, Instant};

use super::{Command as ScaleCommand, Event, Reading, State, Weight, legal};
use crate::{
    device::{
        BoxFuture, Class, Command, CommandId, Condition, Device, DeviceCtx, DeviceError, DeviceEvent, Driver, Fault,
        Identity, OpenError, Outcome, Reason, Score, Value,
    },
    hid::{Descriptor, Reports, usage},
    io::{Channel, Io, Line},
    port::{PortInfo, PortKind},
    runner::{Action, Input, Limits, Protocol, drive},
};

const PAGE: u16 = 0x8d;
const DATA_WEIGHT: u32 = usage(PAGE, 0x40);
const DATA_SCALING: u32 = usage(PAGE, 0x41);
const UNITS: (u32, u32) = (usage(PAGE, 0x51), usage(PAGE, 0x5c));
const STATES: (u32, u32) = (usage(PAGE, 0x71), usage(PAGE, 0x78));
const QUEUE: usize = 32;
/// A scale that sends only on change is asked by nobody: a weight that is this old still counts.
const STILL_TRUE: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub struct HidScale {
    descriptor: Descriptor,
    reports: Reports,
    shown: Option<(Reading, Instant)>,
    condition: Condition,
    reads: Vec<(CommandId, Instant)>,
}

/// A data report, in the terms of the usage tables.
#[derive(Debug, PartialEq, Eq)]
struct Data {
    status: u8,
    unit: u8,
    exponent: i8,
    counts: i64,
}

impl HidScale {
    pub fn new(descriptor: &[u8]) -> Self {
        Self {
            descriptor: Descriptor::parse(descriptor),
            reports: Reports::default(),
            shown: None,
            condition: Condition::Connecting,
            reads: Vec::new(),
        }
    }

    fn data(&self, report: &[u8]) -> Option<Data> {
        let d = &self.descriptor;
        let status = d.choice(report, STATES.0, STATES.1);
        let unit = d.choice(report, UNITS.0, UNITS.1);
        if let (Some(status), Some(unit), Some(counts)) = (status, unit, d.value(report, DATA_WEIGHT)) {
            let exponent = d.value(report, DATA_SCALING).unwrap_or(0).try_into().ok()?;
            return Some(Data { status: status as u8, unit: unit as u8, exponent, counts });
        }
        // A descriptor that does not name its fields: the layout that every such scale has.
        match *report {
            [3, status @ 1..=8, unit @ 1..=12, exponent, low, high] if d.inputs.iter().all(|f| f.usages.is_empty()) => {
                let counts = i64::from(u16::from_le_bytes([low, high]));
                Some(Data { status: 0x70 + status, unit: 0x50 + unit, exponent: exponent as i8, counts })
            }
            _ => None,
        }
    }

    fn report(&mut self, now: Instant, report: &[u8], out: &mut Vec<Action>) {
        // Attributes, statistics and weight limits are reports as well.
        let Some(data) = self.data(report) else { return };
        let (state, condition) = match data.status {
            0x72 => (State::Zero, Condition::Ready),
            0x73 => (State::Motion, Condition::Ready),
            0x74 => (State::Stable, Condition::Ready),
            0x75 => (State::UnderZero, Condition::Ready),
            0x76 => (State::OverCapacity, Condition::Ready),
            0x77 => (State::Silent, trouble("the scale has lost its calibration: have it serviced")),
            0x78 => (State::ZeroRange, Condition::Ready),
            _ => (State::Silent, trouble("the scale reports a defect: switch it off and on, then have it serviced")),
        };
        let weight = match state {
            State::Stable | State::Zero | State::Motion | State::UnderZero => weight(&data),
            _ => None,
        };
        let foreign = weight.is_none() && matches!(state, State::Stable | State::Motion);
        self.condition(
            if foreign {
                trouble("the scale weighs in a unit that goods are not sold by: set it to kg, g, lb or oz")
            } else {
                condition
            },
            out,
        );
        let state = match (&weight, state) {
            (Some(weight), State::Stable | State::Zero) => legal::state(true, weight),
            (_, state) => state,
        };
        let reading = Reading { state: if foreign { State::Silent } else { state }, weight };
        if let Some(weight) = legal::released(reading.state, reading.weight.as_ref()) {
            for (id, _) in self.reads.drain(..) {
                out.push(Action::Reply(id, Outcome::Done(Value::Weight(weight.clone()))));
            }
        }
        if self.shown.as_ref().is_none_or(|(shown, _)| *shown != reading) {
            out.push(Action::Emit(DeviceEvent::Scale(Event::Reading(reading.clone()))));
        }
        self.shown = Some((reading, now));
    }

    fn condition(&mut self, condition: Condition, out: &mut Vec<Action>) {
        if self.condition != condition {
            self.condition = condition.clone();
            out.push(Action::Condition(condition));
        }
    }

    fn command(&mut self, now: Instant, id: CommandId, command: &Command, before: Instant, out: &mut Vec<Action>) {
        let refusal = match command {
            Command::Scale(ScaleCommand::Read) if self.reads.len() >= QUEUE => {
                (Reason::Busy, "too many commands wait for the scale: try again when they are done")
            }
            Command::Scale(ScaleCommand::Read) => {
                let shown = self.shown.as_ref().filter(|(_, at)| now < *at + STILL_TRUE);
                match shown.and_then(|(shown, _)| legal::released(shown.state, shown.weight.as_ref())) {
                    Some(weight) => out.push(Action::Reply(id, Outcome::Done(Value::Weight(weight.clone())))),
                    None => self.reads.push((id, before)),
                }
                return;
            }
            Command::Scale(_) => {
                (Reason::Unsupported, "this scale takes no zero or tare over its cable: press its key")
            }
            _ => (Reason::Unsupported, "a scale understands read, zero and tare"),
        };
        out.push(Action::Reply(id, Outcome::Rejected(refusal.0, refusal.1.to_owned())));
    }

    fn time(&mut self, now: Instant, out: &mut Vec<Action>) {
        let why = "the weight did not come to rest in time: keep the scale still and try again";
        self.reads.retain(|(id, before)| {
            if *before <= now {
                out.push(Action::Reply(id.clone(), Outcome::Rejected(Reason::Unstable, why.to_owned())));
            }
            *before > now
        });
    }
}

fn trouble(why: &str) -> Condition {
    Condition::Error(Fault::Other, why.to_owned())
}

/// Units of section 4.5; those that nothing is sold by are no weight.
fn weight(data: &Data) -> Option<Weight> {
    let unit: &[u8] = match data.unit {
        0x51 => b"mg",
        0x52 => b"g",
        0x53 => b"kg",
        0x58 => b"t",
        0x5b => b"oz",
        0x5c => b"lb",
        _ => return None,
    };
    // A scale that is under zero sends how far, without a sign.
    let counts = if data.status == 0x75 { -data.counts.abs() } else { data.counts };
    legal::weight(legal::counted(counts, data.exponent)?.as_bytes(), unit, false)
}

impl Protocol for HidScale {
    fn step(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        match input {
            // Many say nothing until their weight changes.
            Input::Started => self.condition(Condition::Ready, out),
            Input::Bytes(bytes) => {
                for &byte in bytes {
                    if let Some(report) = self.reports.push(byte) {
                        self.report(now, &report, out);
                    }
                }
            }
            Input::Command { id, command, before } => self.command(now, id, &command, before, out),
            Input::Deadline => self.time(now, out),
            Input::Written => return Ok(()),
            Input::Closed => {
                let why = "the scale is not connected";
                for (id, _) in self.reads.drain(..) {
                    out.push(Action::Reply(id, Outcome::Rejected(Reason::Offline, why.to_owned())));
                }
                return Ok(());
            }
        }
        out.push(Action::Deadline(self.reads.iter().map(|(_, before)| *before).min()));
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub struct HidScaleDriver;

impl Driver for HidScaleDriver {
    fn name(&self) -> &'static str {
        "scale.hid"
    }

    fn class(&self) -> Class {
        Class::Scale
    }

    fn claims(&self, port: &PortInfo) -> Option<Score> {
        let PortKind::Hid { descriptor, .. } = &port.kind else { return None };
        if port.assigned.as_deref() == Some(self.name()) {
            return Some(Score::Assigned);
        }
        let pages = Descriptor::parse(descriptor).applications;
        pages.iter().any(|usage| usage >> 16 == u32::from(PAGE)).then_some(Score::Generic)
    }

    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        Box::pin(async move {
            let descriptor = match &port.kind {
                PortKind::Hid { descriptor, .. } => descriptor.as_slice(),
                _ => &[],
            };
            let identity = Identity {
                name: "Scale".to_owned(),
                manufacturer: port.manufacturer.clone(),
                model: port.product.clone(),
            };
            let channel = io.stream(port, Line::N8_9600).await?;
            Ok(Box::new(Open { channel, identity, protocol: HidScale::new(descriptor) }) as Box<dyn Device>)
        })
    }
}

struct Open {
    channel: Box<dyn Channel>,
    identity: Identity,
    protocol: HidScale,
}

impl Device for Open {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn run(self: Box<Self>, ctx: DeviceCtx) -> BoxFuture<'static, Result<(), DeviceError>> {
        Box::pin(drive(self.protocol, self.channel, ctx, Limits::default()))
    }
}

#[cfg(test)]
#[path = "hid_tests.rs"]
mod tests;
