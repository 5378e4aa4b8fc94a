//! CAS: the till interface of the PD series, and the 22-byte stream of indicators and bench scales.
//!
//! Sources: CAS PD-II owner's manual, 3.1.6 "TYPE-6 INTERFACE" (also Ohaus Aviator service manual 6.1.1); CAS
//! CI-600D manual 10-1 and NT-200 manual section 14 for the stream. A&D's 18-byte format is the same without device
//! number and lamps, and many makers have it.
//!
//! | PD, type 6: host | scale |
//! |---|---|
//! | ENQ | ACK; NAK while there is nothing to weigh |
//! | DC1 | SOH STX, `S` at rest or `U`, blank, `-` or `F` (overload), six characters, unit, BCC, ETX EOT |
//!
//! BCC is the exclusive or of everything between STX and BCC.
//!
//! | stream | |
//! |---|---|
//! | `ST,GS,` device lamps `,` eight characters blank `kg` CR LF | `ST` at rest, `US` moving, `OL` overload; `GS` gross, `NT` net |
//! | `ST,GS,` eight characters `kg` CR LF | A&D |

use super::{
    State,
    desk::{Act, Confirms, Dialect, Heard, Times},
    legal,
};
use crate::lines::Lines;

const SOH: u8 = 0x01;
const STX: u8 = 0x02;
const ETX: u8 = 0x03;
const EOT: u8 = 0x04;
const ENQ: u8 = 0x05;
const ACK: u8 = 0x06;
const DC1: u8 = 0x11;
const NAK: u8 = 0x15;

/// Between STX and ETX: status, sign, six characters, unit (2), BCC.
const BODY: usize = 11;

#[derive(Debug)]
pub struct CasPd {
    baud: u32,
    place: Place,
    body: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// ENQ is out.
    Called,
    /// DC1 is out; the block begins with SOH STX.
    Waiting,
    Inside,
    Outside,
}

impl CasPd {
    pub fn new(baud: u32) -> Self {
        Self { baud, place: Place::Outside, body: Vec::new() }
    }

    fn block(&self) -> Heard {
        let [status, sign, number @ .., u1, u2, bcc] = &self.body[..] else { return Heard::Garbage };
        if self.body[..BODY - 1].iter().fold(0, |sum, byte| sum ^ byte) & 0x7f != bcc & 0x7f {
            return Heard::Garbage;
        }
        let signed = match sign {
            b'F' => return Heard::Shows(State::OverCapacity, None),
            b' ' => number.to_vec(),
            b'-' => [b"-", number].concat(),
            _ => return Heard::Garbage,
        };
        let at_rest = match status {
            b'S' => true,
            b'U' => false,
            _ => return Heard::Garbage,
        };
        match legal::weight(&signed, &[*u1, *u2], false) {
            Some(weight) => Heard::Shows(legal::state(at_rest, &weight), Some(weight)),
            None => Heard::Garbage,
        }
    }
}

impl Dialect for CasPd {
    fn name(&self) -> String {
        format!("CAS type 6 (ENQ/DC1), {} baud, 8 data bits, no parity", self.baud)
    }

    fn question(&mut self) -> Vec<u8> {
        self.place = Place::Called;
        vec![ENQ]
    }

    fn act(&mut self, _: Act) -> Option<(Vec<u8>, Confirms)> {
        None
    }

    fn push(&mut self, byte: u8, _: Option<Act>, heard: &mut Vec<Heard>) {
        match (&self.place, byte) {
            (Place::Called, ACK) => {
                self.place = Place::Waiting;
                heard.push(Heard::Reply(vec![DC1]));
            }
            // Nothing to send: it moves, or it is out of range. Only a block says which.
            (Place::Called | Place::Waiting, NAK) => {
                self.place = Place::Outside;
                heard.push(Heard::Shows(State::Motion, None));
            }
            (Place::Waiting, SOH) | (Place::Outside, EOT) => {}
            (Place::Waiting, STX) => {
                self.body.clear();
                self.place = Place::Inside;
            }
            // A check character may look like any other: the block's length tells its end.
            (Place::Inside, ETX) if self.body.len() == BODY => {
                self.place = Place::Outside;
                let block = self.block();
                heard.push(block);
            }
            (Place::Inside, _) if self.body.len() < BODY => self.body.push(byte),
            _ => {
                self.place = Place::Outside;
                heard.push(Heard::Garbage);
            }
        }
    }

    fn give_up(&mut self) {
        self.place = Place::Outside;
        self.body.clear();
    }
}

/// A scale that sends lines by itself.
#[derive(Debug)]
pub struct CasStream {
    baud: u32,
    lines: Lines,
}

impl CasStream {
    pub fn new(baud: u32) -> Self {
        Self { baud, lines: Lines::new(b'\n', 40) }
    }
}

/// One line of the stream, without its end; `None`: something else.
pub(super) fn stream_line(line: &[u8]) -> Option<Heard> {
    let at_rest = match line.get(..3)? {
        b"ST," | b"QT," => true,
        b"US," => false,
        b"OL," => return Some(Heard::Shows(State::OverCapacity, None)),
        _ => return None,
    };
    let net = match line.get(3..6)? {
        b"GS," => false,
        b"NT," => true,
        _ => return None,
    };
    let rest = &line[6..];
    // Device number and lamps are two bytes of any value.
    let value = match rest.get(2) {
        Some(b',') if rest.len() >= 11 => &rest[3..],
        _ => rest,
    };
    // Eight characters for most; some makers send one more.
    let (number, unit) = value.split_at(value.iter().position(u8::is_ascii_alphabetic)?);
    let weight = legal::weight(number, unit, net)?;
    Some(Heard::Shows(legal::state(at_rest, &weight), Some(weight)))
}

impl Dialect for CasStream {
    fn name(&self) -> String {
        format!("continuous output (CAS 22 bytes or A&D), {} baud, 8 data bits, no parity", self.baud)
    }

    fn question(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn streams(&self) -> bool {
        true
    }

    fn act(&mut self, _: Act) -> Option<(Vec<u8>, Confirms)> {
        None
    }

    fn push(&mut self, byte: u8, _: Option<Act>, heard: &mut Vec<Heard>) {
        match self.lines.push(byte) {
            None => {}
            Some(Ok(line)) => heard.push(stream_line(&line).unwrap_or(Heard::Garbage)),
            Some(Err(())) => heard.push(Heard::Garbage),
        }
    }

    fn times(&self) -> Times {
        Times { answer: std::time::Duration::from_secs(1), ..Times::default() }
    }
}
