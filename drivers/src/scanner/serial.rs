//! Scanners on a serial port (or a USB one that acts as such).
//!
//! A code ends with CR, LF, CR LF, Tab, or with a silence for scanners that send no terminator ([`super::ending`]).

use std::time::Instant;

use super::{
    Event,
    code::{Frame, PREFIX, SUFFIX, Stopwatch},
    ending::{END, Ending, IDLE, Terminator, torn},
    text,
};
use crate::{
    device::{
        BoxFuture, Class, Condition, Device, DeviceCtx, DeviceError, DeviceEvent, Driver, Fault, Identity, OpenError,
        Outcome, Reason, Score,
    },
    io::{Channel, Io, Line},
    port::{Bus, PortInfo, PortKind},
    runner::{Action, Input, Limits, Protocol, drive},
    setting::{Kind, Options, Setting},
};

/// The largest symbols (QR 40-L, Aztec, Data Matrix) hold under 7,100 characters.
pub const LONGEST: usize = 8192;

#[derive(Debug, Default)]
pub struct SerialScanner {
    code: Vec<u8>,
    ending: Ending,
    frame: Frame,
    watch: Stopwatch,
    /// The code grew too long: the rest of it is dropped.
    discarding: bool,
    faulty: bool,
    ready: bool,
}

impl SerialScanner {
    pub fn new(options: &Options) -> Self {
        Self { ending: Ending::new(options), frame: Frame::new(options), ..Self::default() }
    }

    fn push(&mut self, now: Instant, byte: u8, out: &mut Vec<Action>) {
        let terminator = match byte {
            b'\r' | b'\n' => Some(Terminator::Enter),
            b'\t' => Some(Terminator::Tab),
            _ => None,
        };
        if terminator.is_some_and(|terminator| self.ending.ends(terminator)) {
            if !self.code.is_empty() || self.discarding {
                self.ending.terminator();
            }
            self.end(out);
        } else if self.discarding {
        } else if self.code.len() == LONGEST {
            self.code.clear();
            self.discarding = true;
            self.faulty = true;
            self.ready = false;
            let message = format!(
                "the scanner sent more than {LONGEST} characters without an end: set it to end each code with Enter \
                 (CR) and to 9600 baud, 8 data bits, no parity, then scan again"
            );
            out.push(Action::Condition(Condition::Error(Fault::Garbled, message)));
        } else {
            self.watch.step(now);
            self.code.push(byte);
        }
    }

    fn end(&mut self, out: &mut Vec<Action>) {
        self.discarding = false;
        let code = self.frame.code(&text::decode(&self.code), self.watch.take());
        self.code.clear();
        let Some(code) = code else { return };
        if self.faulty {
            self.faulty = false;
            self.ready(out);
        }
        out.push(Action::Emit(DeviceEvent::Scanner(Event::Code(code))));
    }

    fn ready(&mut self, out: &mut Vec<Action>) {
        if !self.ready {
            self.ready = true;
            out.push(Action::Condition(Condition::Ready));
        }
    }
}

impl Protocol for SerialScanner {
    fn step(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        match input {
            // A scanner says nothing until it scans: an open port is all there is to know.
            Input::Started => self.ready(out),
            Input::Bytes(bytes) => {
                for &byte in bytes {
                    self.push(now, byte, out);
                }
                let inside = self.discarding || !self.code.is_empty();
                out.push(Action::Deadline(inside.then(|| now + self.ending.patience())));
            }
            Input::Deadline if self.ending.silence() => self.end(out),
            Input::Deadline => {
                self.code.clear();
                self.discarding = false;
                (self.faulty, self.ready) = (true, false);
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

const BAUD: Setting = Setting {
    name: "baud",
    label: "Baud rate",
    hint: "As the scanner is set. Without a choice 9600; USB scanners do not care.",
    kind: Kind::Choice(|| {
        &[
            ("1200", "1200"),
            ("2400", "2400"),
            ("4800", "4800"),
            ("9600", "9600"),
            ("19200", "19200"),
            ("38400", "38400"),
            ("57600", "57600"),
            ("115200", "115200"),
        ]
    }),
};

#[derive(Debug, Clone, Copy, Default)]
pub struct SerialScannerDriver;

const MAKERS: [&str; 8] =
    ["datalogic", "honeywell", "zebra", "symbol", "newland", "metrologic", "hand held products", "opticon"];

/// Whether descriptors name a scanner, and how surely.
pub(super) fn looks_like_scanner(port: &PortInfo, product_words: &[&str]) -> Option<Score> {
    let maker = port.manufacturer.to_ascii_lowercase();
    let product = port.product.to_ascii_lowercase();
    if product_words.iter().any(|word| product.contains(word) || maker.contains(word)) {
        return Some(Score::Model);
    }
    // Some put their name into the product string alone.
    MAKERS.iter().any(|word| maker.contains(word) || product.contains(word)).then_some(Score::Maker)
}

impl Driver for SerialScannerDriver {
    fn name(&self) -> &'static str {
        "scanner.serial"
    }

    fn class(&self) -> Class {
        Class::Scanner
    }

    fn claims(&self, port: &PortInfo) -> Option<Score> {
        if !matches!(port.kind, PortKind::Serial { .. }) {
            return None;
        }
        if port.assigned.as_deref() == Some(self.name()) {
            return Some(Score::Assigned);
        }
        if port.bus == Bus::Serial {
            return None;
        }
        looks_like_scanner(port, &["scanner", "barcode", "bar code"])
    }

    fn settings(&self) -> &'static [Setting] {
        &[BAUD, END, IDLE, PREFIX, SUFFIX]
    }

    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        Box::pin(async move {
            let options = Options::of(port);
            let line = Line { baud: options.whole("baud").unwrap_or(9600), ..Line::N8_9600 };
            let channel = io.stream(port, line).await?;
            let identity = Identity {
                name: "Barcode scanner".to_owned(),
                manufacturer: port.manufacturer.clone(),
                model: port.product.clone(),
            };
            Ok(Box::new(Scanner { channel, identity, protocol: SerialScanner::new(&options) }) as Box<dyn Device>)
        })
    }
}

struct Scanner {
    channel: Box<dyn Channel>,
    identity: Identity,
    protocol: SerialScanner,
}

impl Device for Scanner {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn run(self: Box<Self>, ctx: DeviceCtx) -> BoxFuture<'static, Result<(), DeviceError>> {
        Box::pin(drive(self.protocol, self.channel, ctx, Limits::default()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What does not depend on the time between two chunks.
    fn timeless(mut actions: Vec<Action>) -> Vec<Action> {
        for action in &mut actions {
            if let Action::Emit(DeviceEvent::Scanner(Event::Code(code))) = action {
                code.timing = Default::default();
            }
        }
        actions
    }

    fn run(chunks: &[&[u8]]) -> Vec<Action> {
        let (mut scanner, mut out, now) = (SerialScanner::default(), Vec::new(), Instant::now());
        for chunk in chunks {
            scanner.step(now, Input::Bytes(chunk), &mut out).unwrap();
        }
        out.retain(|action| !matches!(action, Action::Deadline(_)));
        timeless(out)
    }

    fn codes(chunks: &[&[u8]]) -> Vec<String> {
        let code = |action| match action {
            Action::Emit(DeviceEvent::Scanner(Event::Code(code))) => {
                Some(format!("{}{}", code.symbology.unwrap_or_default(), code.text))
            }
            _ => None,
        };
        run(chunks).into_iter().filter_map(code).collect()
    }

    #[test]
    fn bytes_that_are_no_utf8_are_latin_1_and_gs_stays() {
        assert_eq!(codes(&[b"caf\xe9\r"]), ["caf\u{e9}"]);
        assert_eq!(codes(&["caf\u{e9}\r".as_bytes()]), ["caf\u{e9}"]);
        assert_eq!(codes(&[b"\x02]C101040\x1d10ABC\x03\0\r"]), ["]C101040\u{1d}10ABC"]);
    }

    #[test]
    fn the_longest_code_passes_and_one_more_character_does_not() {
        let mut code = vec![b'1'; LONGEST];
        code.push(b'\r');
        assert_eq!(codes(&[&code])[0].len(), LONGEST);
        code.insert(0, b'1');
        assert!(codes(&[&code]).is_empty());
    }

    /// Each chunk is followed by as much silence as ends or drops what is open.
    fn with_silences(chunks: &[&[u8]]) -> Vec<Action> {
        let (mut scanner, mut out, mut now) = (SerialScanner::default(), Vec::new(), Instant::now());
        for chunk in chunks {
            scanner.step(now, Input::Bytes(chunk), &mut out).unwrap();
            if let Some(Action::Deadline(Some(at))) = out.pop_if(|a| matches!(a, Action::Deadline(_))) {
                now = at;
                scanner.step(now, Input::Deadline, &mut out).unwrap();
            }
        }
        timeless(out)
    }

    fn code(text: &str) -> Action {
        let code = super::super::Code { text: text.to_owned(), symbology: None, timing: Default::default() };
        Action::Emit(DeviceEvent::Scanner(Event::Code(code)))
    }

    #[test]
    fn without_terminators_a_silence_ends_a_code() {
        assert_eq!(with_silences(&[b"4006381", b"333931"]), [code("4006381"), code("333931")]);
    }

    #[test]
    fn half_a_code_of_a_scanner_that_sends_terminators_is_dropped_and_said() {
        let said = with_silences(&[b"4006381333931\r", b"40063", b"76543210\r"]);
        assert_eq!(
            said,
            [code("4006381333931"), Action::Condition(torn()), Action::Condition(Condition::Ready), code("76543210")]
        );
    }

    #[test]
    fn a_scanner_whose_terminator_was_taken_away_is_heard_again_from_the_second_code_on() {
        let said = with_silences(&[b"4006381333931\r", b"11111111", b"22222222"]);
        assert_eq!(said.last(), Some(&code("22222222")));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_chunks_give_the_same_codes_and_the_next_one_counts(
            soup in prop::collection::vec(prop_oneof![4 => any::<u8>(), 1 => Just(b'\r'), 1 => Just(b'\n')], 0..300),
            cuts in prop::collection::vec(1usize..9, 1..50),
        ) {
            let (mut chunks, mut rest, mut cuts) = (Vec::new(), &soup[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (head, tail) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                chunks.push(head);
                rest = tail;
            }
            chunks.push(b"\r4006381333931\r");
            let whole = [&soup[..], b"\r4006381333931\r"].concat();
            prop_assert_eq!(run(&chunks), run(&[&whole]));
            let codes = codes(&chunks);
            prop_assert_eq!(codes.last().map(String::as_str), Some("4006381333931"));
        }
    }
}
