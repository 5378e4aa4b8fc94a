//! Tools on a serial port: Sylvac's interface, which Tesa, Bowers, Mahr and others have as well, and Mitutoyo's.
//!
//! Sources: Sylvac Opto and Power instruments, "RS232 data format" (Sylvac Power manual page 15, Bowers Unical manual VIII.5);
//! Mitutoyo QM-Height manual 6.2.2, the format of all its RS-232C and USB outputs.
//!
//! | | Sylvac | Mitutoyo |
//! |---|---|---|
//! | line | 4800 baud, 7 data bits, even parity, 2 stop bits | 9600 baud, 8 data bits, no parity |
//! | value | sign, number, CR; with tolerances `<`, `=` or `>` behind | `01A`, sign, eight characters, CR |
//! | asked | `?` CR | by the interface's own command, a setting; else by the tool's key |
//! | unit | `UNI?` CR gives `MM` or `IN` (tools that hear commands) | not said |
//! | fault | `ERR` and a digit | `91` and a digit |
//!
//! A tool that only sends answers any command with its value: the one after `UNI?` is dropped.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{CALIBRATION_DUE, Command as GaugeCommand, Event, RESOLUTION, Scale, UNIT, Unit, digits};
use crate::{
    device::{
        BoxFuture, Class, Command, CommandId, Condition, Device, DeviceCtx, DeviceError, DeviceEvent, Driver, Fault,
        Identity, OpenError, Outcome, Reason, Score, Value,
    },
    io::{Channel, Io, Line, Parity},
    lines::Lines,
    port::{PortInfo, PortKind},
    runner::{Action, Input, Limits, Protocol, drive},
    setting::{Kind, Options, Setting},
};

/// A tool answers within 110 ms; sleeping ones wake on the first question and answer the second.
const ANSWER: Duration = Duration::from_millis(600);
const QUEUE: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Sylvac,
    Mitutoyo,
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Value(String),
    Unit(Unit),
    Fault(&'static str),
    Nonsense,
}

#[derive(Debug)]
pub struct SerialGauge {
    format: Format,
    lines: Lines,
    scale: Scale,
    said_unit: Option<Unit>,
    /// `UNI?` is out until this time; a value that comes before is the answer of a tool that only sends.
    asked_unit: Option<Instant>,
    /// Asks for a value; empty for a tool that sends by its key alone.
    question: Vec<u8>,
    /// The question is out; ask again at this time.
    asked: Option<Instant>,
    reads: VecDeque<(CommandId, Instant)>,
    condition: Condition,
}

impl SerialGauge {
    pub fn new(format: Format, options: &Options) -> Self {
        let question = match format {
            Format::Sylvac => b"?\r".to_vec(),
            Format::Mitutoyo => options.get("request").map_or(Vec::new(), |text| [text.as_bytes(), b"\r"].concat()),
        };
        Self {
            format,
            lines: Lines::new(b'\r', 32),
            scale: Scale::new(options),
            said_unit: None,
            asked_unit: None,
            question,
            asked: None,
            reads: VecDeque::new(),
            condition: Condition::Connecting,
        }
    }

    fn line(&mut self, now: Instant, line: &[u8], out: &mut Vec<Action>) {
        match said(self.format, line) {
            Said::Unit(unit) => {
                self.said_unit = Some(unit);
                self.asked_unit = None;
                self.condition(Condition::Ready, out);
            }
            Said::Value(digits) => {
                self.condition(Condition::Ready, out);
                if self.asked_unit.take().is_some_and(|until| now < until) {
                    return;
                }
                let value = self.scale.measurement(digits, self.said_unit);
                if self.reads.is_empty() {
                    out.push(Action::Emit(DeviceEvent::Gauge(Event::Measured(value))));
                    return;
                }
                self.asked = None;
                for (id, _) in self.reads.drain(..) {
                    out.push(Action::Reply(id, Outcome::Done(Value::Measurement(value.clone()))));
                }
            }
            Said::Fault(why) => {
                self.asked = None;
                for (id, _) in self.reads.drain(..) {
                    out.push(Action::Reply(id, Outcome::Rejected(Reason::DeviceError, why.to_owned())));
                }
                self.condition(Condition::Warning(why.to_owned()), out);
            }
            Said::Nonsense => {
                let why = "the gauge sends something else: check its baud rate and that its driver is the right one";
                self.condition(Condition::Error(Fault::Garbled, why.to_owned()), out);
            }
        }
    }

    fn condition(&mut self, condition: Condition, out: &mut Vec<Action>) {
        if self.condition != condition {
            self.condition = condition.clone();
            out.push(Action::Condition(condition));
        }
    }

    fn ask(&mut self, now: Instant, out: &mut Vec<Action>) {
        if !self.question.is_empty() {
            self.asked = Some(now + ANSWER);
            out.push(Action::Write(self.question.clone()));
        }
    }

    fn command(&mut self, now: Instant, id: CommandId, command: &Command, before: Instant, out: &mut Vec<Action>) {
        let refusal = match command {
            Command::Gauge(GaugeCommand::Read) if self.reads.len() < QUEUE => {
                self.reads.push_back((id, before));
                if self.asked.is_none() {
                    self.ask(now, out);
                }
                return;
            }
            Command::Gauge(GaugeCommand::Read) => (Reason::Busy, "too many ask for this gauge: try again shortly"),
            _ => (Reason::Unsupported, "a gauge understands measure"),
        };
        out.push(Action::Reply(id, Outcome::Rejected(refusal.0, refusal.1.to_owned())));
    }

    fn time(&mut self, now: Instant, out: &mut Vec<Action>) {
        let why = if self.question.is_empty() {
            "no value came: press the data key of the gauge"
        } else {
            "the gauge does not answer: switch it on, check its cable, or press its data key"
        };
        self.reads.retain(|(id, before)| {
            if *before <= now {
                out.push(Action::Reply(id.clone(), Outcome::Rejected(Reason::Offline, why.to_owned())));
            }
            *before > now
        });
        if self.asked.is_some_and(|at| at <= now) {
            self.asked = None;
            if !self.reads.is_empty() {
                self.ask(now, out);
            }
        }
        self.asked_unit = self.asked_unit.filter(|until| now < *until);
    }
}

fn said(format: Format, line: &[u8]) -> Said {
    let text: String = line.iter().map(|b| char::from(b & 0x7f)).collect();
    let text = text.trim();
    match format {
        Format::Sylvac => match text {
            "MM" => Said::Unit(Unit::Mm),
            "IN" => Said::Unit(Unit::Inch),
            "ERR0" => {
                Said::Fault("the gauge's sensor failed: it was moved too fast, or is dirty; set it to zero again")
            }
            "ERR1" => Said::Fault("the gauge does not know the command"),
            "ERR2" => Said::Fault("the gauge understood the box badly: check the cable"),
            "ERR3" => Said::Fault("the gauge is out of its measuring range"),
            _ => number(text.trim_end_matches(['<', '=', '>'])),
        },
        Format::Mitutoyo => match text.as_bytes() {
            [b'0', b'1', b'A', value @ ..] => number(std::str::from_utf8(value).unwrap_or_default()),
            [b'9', b'1', _] => Said::Fault("the gauge gave no value: see that it is switched on and plugged in"),
            _ => Said::Nonsense,
        },
    }
}

fn number(text: &str) -> Said {
    // A value always has its sign: half a line has lost it.
    let signed = text.starts_with(['+', '-', ' ']) || text.contains('.');
    digits(text).filter(|_| signed).map_or(Said::Nonsense, Said::Value)
}

impl Protocol for SerialGauge {
    fn step(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        match input {
            Input::Started => {
                // A tool sleeps until somebody measures: an open port is all there is to know.
                self.condition(Condition::Ready, out);
                if self.format == Format::Sylvac && self.scale.unit().is_none() {
                    self.asked_unit = Some(now + ANSWER);
                    out.push(Action::Write(b"UNI?\r".to_vec()));
                }
            }
            Input::Bytes(bytes) => {
                for &byte in bytes {
                    match self.lines.push(byte) {
                        None => {}
                        Some(Ok(line)) => self.line(now, &line, out),
                        Some(Err(())) => self.line(now, b"too long", out),
                    }
                }
            }
            Input::Command { id, command, before } => self.command(now, id, &command, before, out),
            Input::Deadline => self.time(now, out),
            Input::Written => return Ok(()),
            Input::Closed => {
                for (id, _) in self.reads.drain(..) {
                    let why = "the gauge is not connected".to_owned();
                    out.push(Action::Reply(id, Outcome::Rejected(Reason::Offline, why)));
                }
                return Ok(());
            }
        }
        let wake = self.reads.iter().map(|(_, before)| *before).chain(self.asked).chain(self.asked_unit).min();
        out.push(Action::Deadline(wake));
        Ok(())
    }
}

const BAUD: Setting = Setting {
    name: "baud",
    label: "Baud rate",
    hint: "As the tool or its interface is set. Without a choice its usual one.",
    kind: Kind::Choice(|| {
        &[("1200", "1200"), ("2400", "2400"), ("4800", "4800"), ("9600", "9600"), ("19200", "19200")]
    }),
};

const REQUEST: Setting = Setting {
    name: "request",
    label: "Command that asks for a value",
    hint: "Some interfaces answer one (such as 1). Without it the tool's data key sends.",
    kind: Kind::Text { longest: 8 },
};

#[derive(Debug, Clone, Copy, Default)]
pub struct SylvacDriver;

#[derive(Debug, Clone, Copy, Default)]
pub struct MitutoyoDriver;

/// By hand, or by the maker's own USB cable.
fn claims(port: &PortInfo, name: &str, maker: &str) -> Option<Score> {
    if !matches!(port.kind, PortKind::Serial { .. }) {
        return None;
    }
    if port.assigned.as_deref() == Some(name) {
        return Some(Score::Assigned);
    }
    port.manufacturer.to_ascii_lowercase().contains(maker).then_some(Score::Maker)
}

async fn open(
    port: &PortInfo,
    io: &dyn Io,
    line: Line,
    format: Format,
    maker: &str,
) -> Result<Box<dyn Device>, OpenError> {
    let options = Options::of(port);
    let line = Line { baud: options.whole("baud").unwrap_or(line.baud), ..line };
    let channel = io.stream(port, line).await?;
    let identity = Identity {
        name: "Gauge".to_owned(),
        manufacturer: if port.manufacturer.is_empty() { maker.to_owned() } else { port.manufacturer.clone() },
        model: port.product.clone(),
    };
    Ok(Box::new(Gauge { channel, identity, protocol: SerialGauge::new(format, &options) }) as Box<dyn Device>)
}

impl Driver for SylvacDriver {
    fn name(&self) -> &'static str {
        "gauge.sylvac"
    }

    fn class(&self) -> Class {
        Class::Gauge
    }

    fn claims(&self, port: &PortInfo) -> Option<Score> {
        claims(port, self.name(), "sylvac")
    }

    fn settings(&self) -> &'static [Setting] {
        &[UNIT, RESOLUTION, CALIBRATION_DUE, BAUD]
    }

    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        let line = Line { baud: 4800, data_bits: 7, parity: Parity::Even, stop_bits: 2 };
        Box::pin(open(port, io, line, Format::Sylvac, "Sylvac"))
    }
}

impl Driver for MitutoyoDriver {
    fn name(&self) -> &'static str {
        "gauge.mitutoyo"
    }

    fn class(&self) -> Class {
        Class::Gauge
    }

    fn claims(&self, port: &PortInfo) -> Option<Score> {
        claims(port, self.name(), "mitutoyo")
    }

    fn settings(&self) -> &'static [Setting] {
        &[UNIT, RESOLUTION, CALIBRATION_DUE, BAUD, REQUEST]
    }

    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        Box::pin(open(port, io, Line::N8_9600, Format::Mitutoyo, "Mitutoyo"))
    }
}

struct Gauge {
    channel: Box<dyn Channel>,
    identity: Identity,
    protocol: SerialGauge,
}

impl Device for Gauge {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn run(self: Box<Self>, ctx: DeviceCtx) -> BoxFuture<'static, Result<(), DeviceError>> {
        Box::pin(drive(self.protocol, self.channel, ctx, Limits::default()))
    }
}
