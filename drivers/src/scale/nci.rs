//! The NCI interface ("SCP-01", "NCI 3835", "ECR"): NCI, Weigh-Tronix, Fairbanks, Adam MDW and CPW plus in their ECR mode.
//!
//! Sources: NCI 6702 user manual page 14, Avery Weigh-Tronix 7821 user instructions 6.3, Adam MDW user manual 8.5, DIVA
//! service manual pages 34 to 36. 9600 baud, 7 data bits, even parity unless set otherwise.
//!
//! | host | scale |
//! |---|---|
//! | `W` CR | LF, display, unit, CR LF, status, CR ETX; the display is full of `^` over, `_` under the range, `-` without zero |
//! | `Z` CR | zeroes if it can; LF, status, CR ETX |
//! | `T` CR | tares if it can (Adam); LF, status, CR ETX |
//! | other | LF `?` CR ETX |
//!
//! Status: two bytes or more, bit 6 from the second on says that another follows. First: bit 0 moves, 1 at zero, 2 RAM
//! error, 3 EEPROM error. Second: bit 0 under, 1 over capacity, 2 ROM error, 3 calibration lost. Third: bit 2 net, 3
//! no initial zero. Some scales put an `S` in front.

use super::{
    State, Weight,
    desk::{Act, Confirms, Dialect, Heard, Times},
    legal,
};
use crate::device::Reason;

const LF: u8 = b'\n';
const CR: u8 = b'\r';
const ETX: u8 = 0x03;
const LONGEST: usize = 40;

#[derive(Debug)]
pub struct Nci {
    line: String,
    frame: Vec<u8>,
    inside: bool,
}

impl Nci {
    pub fn new(line: String) -> Self {
        Self { line, frame: Vec::new(), inside: false }
    }
}

/// What an answer says: LF and ETX are removed.
fn answer(frame: &[u8], acting: Option<Act>, heard: &mut Vec<Heard>) {
    let parts: Vec<&[u8]> = frame.split(|b| *b == CR || *b == LF).filter(|part| !part.is_empty()).collect();
    let (value, status) = match parts[..] {
        [[b'?']] if acting.is_some() => {
            let why = "this scale does not know the command: use its own key";
            return heard.push(Heard::Refused(Reason::Unsupported, why));
        }
        [status] => (None, status),
        [value, status] => (Some(value), status),
        _ => return heard.push(Heard::Garbage),
    };
    let Some(status) = Status::read(status) else { return heard.push(Heard::Garbage) };
    if let Some(trouble) = status.trouble() {
        return heard.push(Heard::Trouble(trouble));
    }
    match acting {
        Some(act) => heard.push(status.outcome(act)),
        None => heard.push(shows(value, status)),
    }
}

fn shows(value: Option<&[u8]>, status: Status) -> Heard {
    let bars = |bar: u8| value.is_some_and(|v| v.len() > 2 && v[..v.len() - 2].iter().all(|b| *b == bar || *b == b' '));
    if status.over || bars(b'^') {
        return Heard::Shows(State::OverCapacity, None);
    }
    if status.under || bars(b'_') {
        return Heard::Shows(State::UnderZero, None);
    }
    if status.no_zero || bars(b'-') {
        return Heard::Shows(State::ZeroRange, None);
    }
    let weight = value.and_then(|value| {
        let unit = value.iter().position(u8::is_ascii_alphabetic)?;
        legal::weight(&value[..unit], &value[unit..], status.net)
    });
    match weight {
        Some(weight) => Heard::Shows(status.state(&weight), Some(weight)),
        // Some send the status alone while they move.
        None if value.is_none() && status.moves => Heard::Shows(State::Motion, None),
        None if value.is_none() => Heard::Unchanged,
        None => Heard::Garbage,
    }
}

#[derive(Debug, Clone, Copy)]
struct Status {
    moves: bool,
    zero: bool,
    defect: bool,
    under: bool,
    over: bool,
    net: bool,
    no_zero: bool,
}

impl Status {
    fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(b"S").unwrap_or(bytes);
        // Bits 4 and 5 are always 1, so that a status never looks like a number's sign or a blank.
        if bytes.len() < 2 || bytes.iter().any(|b| b & 0x30 != 0x30) {
            return None;
        }
        let bit = |byte: usize, bit: u8| bytes.get(byte).is_some_and(|b| b >> bit & 1 == 1);
        Some(Self {
            moves: bit(0, 0),
            zero: bit(0, 1),
            defect: bit(0, 2) || bit(0, 3) || bit(1, 2) || bit(1, 3),
            under: bit(1, 0),
            over: bit(1, 1),
            net: bit(2, 2),
            no_zero: bit(2, 3),
        })
    }

    fn trouble(self) -> Option<&'static str> {
        self.defect.then_some("the scale reports a defect of its memory or calibration: have it serviced")
    }

    fn state(self, weight: &Weight) -> State {
        let state = legal::state(!self.moves, weight);
        if state == State::Stable && self.zero && legal::is_zero(&weight.digits) { State::Zero } else { state }
    }

    fn outcome(self, act: Act) -> Heard {
        match act {
            _ if self.over => Heard::Refused(Reason::DeviceError, "the scale is overloaded: take the load off"),
            _ if self.moves => Heard::Refused(Reason::Unstable, "the scale moves: keep it still and try again"),
            Act::Zero if self.zero => Heard::Done,
            Act::Zero => Heard::Refused(
                Reason::DeviceError,
                "too far from zero: clear the plate, or switch the scale off and on",
            ),
            Act::Tare if self.net => Heard::Done,
            Act::Tare => Heard::Refused(
                Reason::DeviceError,
                "the scale took no tare: put the container on it, and see that tare is enabled in its setup",
            ),
        }
    }
}

impl Dialect for Nci {
    fn name(&self) -> String {
        format!("NCI (ECR, SCP-01), {}", self.line)
    }

    fn question(&mut self) -> Vec<u8> {
        b"W\r".to_vec()
    }

    fn act(&mut self, act: Act) -> Option<(Vec<u8>, Confirms)> {
        let command: &[u8] = match act {
            Act::Zero => b"Z\r",
            Act::Tare => b"T\r",
        };
        Some((command.to_vec(), Confirms::ByAnswer))
    }

    fn push(&mut self, byte: u8, acting: Option<Act>, heard: &mut Vec<Heard>) {
        let byte = byte & 0x7f;
        match (byte, self.inside) {
            (LF, false) => {
                self.frame.clear();
                self.inside = true;
            }
            (ETX, true) => {
                self.inside = false;
                answer(&std::mem::take(&mut self.frame), acting, heard);
            }
            (_, true) if self.frame.len() < LONGEST => self.frame.push(byte),
            _ => {
                self.inside = false;
                heard.push(Heard::Garbage);
            }
        }
    }

    fn give_up(&mut self) {
        self.inside = false;
    }

    fn times(&self) -> Times {
        Times::default()
    }
}
