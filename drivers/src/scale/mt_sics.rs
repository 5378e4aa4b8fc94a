//! MT-SICS, the Mettler-Toledo Standard Interface Command Set of laboratory and industrial scales.
//!
//! Source: "MT-SICS Reference Manual" (11780711 for NewClassic balances, 11781363 for weigh modules), chapters 2 and 3.
//! Lines end with CR LF. 9600 baud, 8 data bits, no parity unless set otherwise.
//!
//! | host | scale |
//! |---|---|
//! | `SIR` | readings again and again: `S S     100.00 g` at rest, `S D     100.00 g` moving |
//! | | `S +` over, `S -` under the range, `S I` cannot weigh now |
//! | `SI` | one such reading (where `SIR` is not known: `ES`) |
//! | `Z` | `Z A` done, `Z I` cannot now, `Z +`, `Z -` out of the zero range |
//! | `T` | `T S     100.00 g` done, with the tare; `T I`, `T +`, `T -` |
//! | `TA` | `TA A     100.00 g`: the tare; `TA I` |
//! | any | `ES` unknown, `ET` garbled on the line, `EL` wrong parameter |
//!
//! Weights are net. Whether a tare is subtracted is asked at the start and after every command of ours; a tare that
//! somebody sets by key in between shows as net from the next such question on.

use super::{
    State,
    desk::{Act, Confirms, Dialect, Heard, Times},
    legal,
};
use crate::{device::Reason, lines::Lines, setting::Options};

#[derive(Debug)]
pub struct MtSics {
    lines: Lines,
    /// `SIR` is not understood: `SI` each time.
    single: bool,
    net: bool,
    /// The tare was asked for on this connection.
    tare_known: bool,
    baud: u32,
}

impl MtSics {
    pub fn new(options: &Options, baud: u32) -> Self {
        Self {
            lines: Lines::new(b'\n', 64),
            single: options.is("readings", "single"),
            net: false,
            tare_known: false,
            baud,
        }
    }

    fn line(&mut self, line: &[u8], acting: Option<Act>, heard: &mut Vec<Heard>) {
        let mut words = line.split(|b| *b == b' ').filter(|word| !word.is_empty());
        let (Some(command), status) = (words.next(), words.next()) else { return };
        let rest: Vec<&[u8]> = words.collect();
        heard.push(match (command, status) {
            (b"S" | b"SI" | b"SIR", Some(b"+")) => Heard::Shows(State::OverCapacity, None),
            (b"S" | b"SI" | b"SIR", Some(b"-")) => Heard::Shows(State::UnderZero, None),
            // It is taring, or starting.
            (b"S" | b"SI" | b"SIR", Some(b"I")) => Heard::Shows(State::Motion, None),
            (b"S", Some(at_rest @ (b"S" | b"D"))) => match rest[..] {
                [number, unit] => match legal::weight(number, unit, self.net) {
                    Some(weight) => Heard::Shows(legal::state(at_rest == b"S", &weight), Some(weight)),
                    None if legal::digits(number).is_some() => Heard::Trouble(
                        "the scale weighs in a unit that goods are not sold by: set it to kg, g, lb or oz",
                    ),
                    None => Heard::Garbage,
                },
                _ => Heard::Garbage,
            },
            (b"TA", Some(b"A")) => {
                self.net =
                    rest.first().and_then(|number| legal::digits(number)).is_some_and(|tare| !legal::is_zero(&tare));
                Heard::Unchanged
            }
            (b"TA", Some(b"I")) => Heard::Unchanged,
            (b"Z", Some(b"A")) if acting == Some(Act::Zero) => {
                (self.net, self.tare_known) = (false, false);
                Heard::Done
            }
            (b"T", Some(b"S")) if acting == Some(Act::Tare) => {
                self.net =
                    rest.first().and_then(|number| legal::digits(number)).is_some_and(|tare| !legal::is_zero(&tare));
                Heard::Done
            }
            (b"Z" | b"T", Some(b"I")) if acting.is_some() => {
                Heard::Refused(Reason::Unstable, "the scale did not come to rest: keep it still and try again")
            }
            (b"Z", Some(b"+" | b"-")) if acting.is_some() => Heard::Refused(
                Reason::DeviceError,
                "too far from zero: clear the plate, or switch the scale off and on",
            ),
            (b"T", Some(b"+" | b"-")) if acting.is_some() => {
                Heard::Refused(Reason::DeviceError, "the load is out of the tare range: take the load off")
            }
            (b"ES", None) if acting.is_some() => {
                Heard::Refused(Reason::Unsupported, "this scale does not know the command: use its own key")
            }
            // `TA` is of level 1: a scale of level 0 has no tare.
            (b"ES", None) if !self.tare_known => {
                self.tare_known = true;
                Heard::Unchanged
            }
            (b"ES", None) if !self.single => {
                self.single = true;
                Heard::Reply(b"SI\r\n".to_vec())
            }
            // The serial number that a scale says of itself when it is switched on.
            (b"I4", Some(b"A")) => {
                self.tare_known = false;
                Heard::Unchanged
            }
            _ => Heard::Garbage,
        });
        if command == b"TA" {
            self.tare_known = true;
        }
    }
}

impl Dialect for MtSics {
    fn name(&self) -> String {
        format!("MT-SICS, {} baud, 8 data bits, no parity", self.baud)
    }

    fn question(&mut self) -> Vec<u8> {
        match (self.tare_known, self.single) {
            (false, _) => b"TA\r\n".to_vec(),
            (true, true) => b"SI\r\n".to_vec(),
            (true, false) => b"SIR\r\n".to_vec(),
        }
    }

    fn streams(&self) -> bool {
        self.tare_known && !self.single
    }

    fn act(&mut self, act: Act) -> Option<(Vec<u8>, Confirms)> {
        let command: &[u8] = match act {
            // A scale with a tare weighs net; who zeroes it wants neither.
            Act::Zero if self.net => b"TAC\r\nZ\r\n",
            Act::Zero => b"Z\r\n",
            Act::Tare => b"T\r\n",
        };
        Some((command.to_vec(), Confirms::ByAnswer))
    }

    fn push(&mut self, byte: u8, acting: Option<Act>, heard: &mut Vec<Heard>) {
        match self.lines.push(byte) {
            None => {}
            // `TAC A` is the first half of our own zero command.
            Some(Ok(line)) if line.starts_with(b"TAC") => {}
            Some(Ok(line)) => self.line(&line, acting, heard),
            Some(Err(())) => heard.push(Heard::Garbage),
        }
    }

    fn times(&self) -> Times {
        // `Z` and `T` wait for rest as long as the scale is set to, mostly some seconds.
        Times { act: std::time::Duration::from_secs(10), ..Times::default() }
    }
}
