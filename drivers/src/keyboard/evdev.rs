//! Keyboards and pedals that the kernel knows. Not grabbed: a keyboard may serve the box's own screen as well.
//!
//! Each press and each release is an event. A contact that bounces (a cheap pedal gives press, release, press within
//! milliseconds) counts once; the same key pressed again within a moment is the second press of a double one.
//!
//! Some scanners call themselves keyboards. Nobody types six keys with 35 ms between them and Enter behind: such a burst is
//! passed on as a code as well, and the device says what to set.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use evdev::KeyCode;

use super::{
    Event,
    layout::{self, Keyboard as Typist, Layout},
};
use crate::{
    device::{
        BoxFuture, Class, Condition, Device, DeviceCtx, DeviceError, DeviceEvent, Driver, Identity, OpenError, Outcome,
        Reason, Score,
    },
    io::{Channel, Io, evdev::Records},
    port::{PortInfo, PortKind},
    runner::{Action, Input, Limits, Protocol, drive},
    scanner::{
        self, Code, Timing,
        evdev::{KEY_ENTER, KEY_KPENTER, KEY_TAB},
    },
    setting::{Kind, Options, Setting},
};

const EV_KEY: u16 = 1;
const EV_SYN: u16 = 0;
const SYN_DROPPED: u16 = 3;
/// Contacts of pedals settle within 10 ms.
const DEBOUNCE: Duration = Duration::from_millis(25);
/// The usual double-click time.
const DOUBLE: Duration = Duration::from_millis(400);
/// Between two keys of a scanner; USB keyboards report every 8 to 10 ms, and a character is a press and a release.
const SCANNER_GAP: Duration = Duration::from_millis(35);
const SCANNER_LEAST: u32 = 6;

pub(crate) const IS_SCANNER: Setting = Setting {
    name: "is_scanner",
    label: "This device is a",
    hint: "Automatic goes by its name. A scanner is taken for the box alone, so that codes do not end up elsewhere.",
    kind: Kind::Choice(|| &[("yes", "Barcode scanner"), ("no", "Keyboard or pedal")]),
};

pub(crate) const LAYOUT: Setting = Setting {
    name: "layout",
    label: "Keyboard layout",
    hint: "The country the scanner is set to, or the keys' print. Automatic is English (US), as scanners leave the factory.",
    kind: Kind::Choice(layout::names),
};

const DEBOUNCE_MS: Setting = Setting {
    name: "debounce_ms",
    label: "Debounce (ms)",
    hint: "A key that is pressed again sooner counts once. Without a number 25.",
    kind: Kind::Whole { min: 0, max: 1000 },
};

const DOUBLE_MS: Setting = Setting {
    name: "double_ms",
    label: "Double press within (ms)",
    hint: "0: presses are not counted together. Without a number 400.",
    kind: Kind::Whole { min: 0, max: 2000 },
};

/// A key's last changes.
#[derive(Debug, Clone, Copy)]
struct Contact {
    pressed_at: Instant,
    count: u8,
    /// The release is held back until it is known not to be a bounce.
    releases_at: Option<Instant>,
}

#[derive(Debug)]
pub struct EvdevKeyboard {
    records: Records,
    typist: Typist,
    contacts: HashMap<u16, Contact>,
    debounce: Duration,
    double: Duration,
    burst: Burst,
    warned: bool,
}

/// Characters that may be a scanner's.
#[derive(Debug, Default)]
struct Burst {
    text: String,
    last: Option<Instant>,
    timing: Timing,
}

impl Burst {
    fn key(&mut self, now: Instant, typed: &str) {
        let gap = self.last.map_or(Duration::MAX, |last| now.saturating_duration_since(last));
        if gap > SCANNER_GAP {
            *self = Self::default();
        } else {
            self.timing.span += gap;
            self.timing.longest_gap = self.timing.longest_gap.max(gap);
        }
        self.last = Some(now);
        self.timing.steps += 1;
        self.text.push_str(typed);
        if self.text.len() > scanner::serial::LONGEST {
            *self = Self::default();
        }
    }

    /// Enter or Tab came.
    fn end(&mut self, now: Instant) -> Option<Code> {
        let burst = std::mem::take(self);
        let fast = burst.last.is_some_and(|last| now.saturating_duration_since(last) <= SCANNER_GAP);
        let long = burst.timing.steps >= SCANNER_LEAST && burst.text.chars().count() >= SCANNER_LEAST as usize;
        (fast && long).then_some(Code { text: burst.text, symbology: None, timing: burst.timing })
    }
}

impl Default for EvdevKeyboard {
    fn default() -> Self {
        Self::new(&Options::default())
    }
}

impl EvdevKeyboard {
    pub fn new(options: &Options) -> Self {
        let ms = |name, usual| options.whole(name).map_or(usual, |ms| Duration::from_millis(ms.into()));
        Self {
            records: Records::default(),
            typist: Typist::new(options.get("layout").and_then(Layout::named).unwrap_or_default()),
            contacts: HashMap::new(),
            debounce: ms("debounce_ms", DEBOUNCE),
            double: ms("double_ms", DOUBLE),
            burst: Burst::default(),
            warned: options.is(IS_SCANNER.name, "no"),
        }
    }

    fn press(&mut self, now: Instant, code: u16, out: &mut Vec<Action>) {
        let mut count = 1;
        if let Some(contact) = self.contacts.get_mut(&code) {
            if contact.releases_at.take().is_some() {
                // It bounced: it never was released.
                return;
            }
            if now.saturating_duration_since(contact.pressed_at) < self.double {
                count = contact.count.saturating_add(1);
            }
        }
        let mut typed = String::new();
        self.typist.key(code, 1, &mut typed);
        self.contacts.insert(code, Contact { pressed_at: now, count, releases_at: None });
        out.push(key(code, true, count, &typed));
        if !matches!(code, KEY_ENTER | KEY_KPENTER | KEY_TAB) {
            self.burst.key(now, &typed);
        } else if !self.warned
            && let Some(scanned) = self.burst.end(now)
        {
            out.push(Action::Emit(DeviceEvent::Scanner(scanner::Event::Code(scanned))));
            let message = "it types as fast as a barcode scanner: if it is one, say so in its settings, so that its \
                           codes go nowhere else; if not, say that too";
            out.push(Action::Condition(Condition::Warning(message.to_owned())));
        }
    }

    fn release(&mut self, now: Instant, code: u16, out: &mut Vec<Action>) {
        self.typist.key(code, 0, &mut String::new());
        let Some(contact) = self.contacts.get_mut(&code) else { return out.push(key(code, false, 1, "")) };
        // A contact bounces when it closes as well as when it opens: what is held long enough is released for good.
        if self.debounce.is_zero() {
            out.push(key(code, false, contact.count, ""));
        } else {
            contact.releases_at = Some(now + self.debounce);
        }
    }

    /// Releases that turned out to be none of a bounce.
    fn settle(&mut self, now: Instant, out: &mut Vec<Action>) {
        let mut due: Vec<(Instant, u16, u8)> = Vec::new();
        for (code, contact) in &mut self.contacts {
            if let Some(at) = contact.releases_at.filter(|at| *at <= now) {
                due.push((at, *code, contact.count));
                contact.releases_at = None;
            }
        }
        due.sort_unstable();
        out.extend(due.into_iter().map(|(_, code, count)| key(code, false, count, "")));
        let double = self.double;
        self.contacts
            .retain(|_, c| c.releases_at.is_some() || now.saturating_duration_since(c.pressed_at) < double * 4);
    }
}

fn key(code: u16, pressed: bool, count: u8, typed: &str) -> Action {
    let text = (!typed.is_empty()).then(|| typed.to_owned());
    let event = Event::Key { key: format!("{:?}", KeyCode(code)), pressed, count, text };
    Action::Emit(DeviceEvent::Keyboard(event))
}

impl Protocol for EvdevKeyboard {
    fn step(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        match input {
            Input::Started => out.push(Action::Condition(Condition::Ready)),
            Input::Bytes(bytes) => {
                self.settle(now, out);
                for &byte in bytes {
                    let Some(record) = self.records.push(byte) else { continue };
                    match (record.kind, record.value) {
                        (EV_KEY, 1) => self.press(now, record.code, out),
                        (EV_KEY, 0) => self.release(now, record.code, out),
                        // Which keys are held is not known any more.
                        (EV_SYN, _) if record.code == SYN_DROPPED => {
                            self.typist.reset();
                            self.burst = Burst::default();
                        }
                        // 2 is the kernel's auto-repeat: a held pedal is one press.
                        _ => {}
                    }
                }
            }
            Input::Command { id, .. } => {
                let message = "a keyboard takes no commands".to_owned();
                out.push(Action::Reply(id, Outcome::Rejected(Reason::Unsupported, message)));
            }
            Input::Deadline => self.settle(now, out),
            Input::Written => return Ok(()),
            Input::Closed => {
                // A key that is let go while the cable comes out was let go.
                self.settle(now + self.debounce, out);
                return Ok(());
            }
        }
        out.push(Action::Deadline(self.contacts.values().filter_map(|contact| contact.releases_at).min()));
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

    fn settings(&self) -> &'static [Setting] {
        &[IS_SCANNER, LAYOUT, DEBOUNCE_MS, DOUBLE_MS]
    }

    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        Box::pin(async move {
            let channel = io.input(port, false).await?;
            let pedal = ["pedal", "footswitch", "foot switch"];
            let product = port.product.to_ascii_lowercase();
            let name = if pedal.iter().any(|word| product.contains(word)) { "Footswitch" } else { "Keyboard" };
            let identity = Identity {
                name: name.to_owned(),
                manufacturer: port.manufacturer.clone(),
                model: port.product.clone(),
            };
            let protocol = EvdevKeyboard::new(&Options::of(port));
            Ok(Box::new(Keyboard { channel, identity, protocol }) as Box<dyn Device>)
        })
    }
}

struct Keyboard {
    channel: Box<dyn Channel>,
    identity: Identity,
    protocol: EvdevKeyboard,
}

impl Device for Keyboard {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn run(self: Box<Self>, ctx: DeviceCtx) -> BoxFuture<'static, Result<(), DeviceError>> {
        Box::pin(drive(self.protocol, self.channel, ctx, Limits::default()))
    }
}

#[cfg(test)]
#[path = "evdev_tests.rs"]
mod tests;
