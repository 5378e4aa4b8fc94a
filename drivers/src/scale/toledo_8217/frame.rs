//! Answers, out of bytes in any chunking.

use crate::{
    device::Reason,
    scale::{State, legal},
};

const STX: u8 = 0x02;
const CR: u8 = 0x0d;
/// The longest answer is STX, eight characters, `N`, CR. Anything longer has lost its CR.
const LONGEST: usize = 16;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Leading zeros are removed but one.
    Weight {
        digits: String,
        net: bool,
    },
    Status(Status),
    Garbage,
}

/// The byte after `?` (manual, "Status byte definition"), parity bit removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(u8);

impl Status {
    pub const IN_MOTION: u8 = 1 << 0;
    pub const OVER_CAPACITY: u8 = 1 << 1;
    pub const UNDER_ZERO: u8 = 1 << 2;
    pub const OUTSIDE_ZERO_RANGE: u8 = 1 << 3;
    /// Not an error: the scale shows zero.
    pub const CENTER_OF_ZERO: u8 = 1 << 4;
    /// Not an error: a tare is subtracted.
    pub const NET: u8 = 1 << 5;
    /// Says nothing; keeps the byte printable.
    pub const ALWAYS: u8 = 1 << 6;

    /// Bit 7 is the parity bit where the line is opened with eight data bits; bit 6 is always 1.
    pub fn from_byte(byte: u8) -> Option<Self> {
        let byte = byte & 0x7f;
        (byte & Self::ALWAYS != 0).then_some(Self(byte))
    }

    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    pub fn is_net(self) -> bool {
        self.has(Self::NET)
    }

    /// What the scale shows; `None`: nothing new (the answer to a command that went well).
    ///
    /// Several bits can be set together. What lasts and needs a hand comes first: a scale that is overloaded also
    /// moves.
    pub fn state(self) -> Option<State> {
        if self.has(Self::OVER_CAPACITY) {
            Some(State::OverCapacity)
        } else if self.has(Self::UNDER_ZERO) {
            Some(State::UnderZero)
        } else if self.has(Self::IN_MOTION) {
            Some(State::Motion)
        } else if self.has(Self::OUTSIDE_ZERO_RANGE) {
            Some(State::ZeroRange)
        } else if self.has(Self::CENTER_OF_ZERO) {
            Some(State::Zero)
        } else {
            None
        }
    }

    /// Why `Z` did not work.
    pub(super) fn zero_refusal(self) -> Option<(Reason, &'static str)> {
        self.refusal().or_else(|| {
            let message = "too far from zero: clear the plate, or switch the scale off and on";
            self.has(Self::OUTSIDE_ZERO_RANGE).then_some((Reason::DeviceError, message))
        })
    }

    /// Why `T` did not work. A load is rightly outside the zero range; a tare that was taken shows as net.
    pub(super) fn tare_refusal(self) -> Option<(Reason, &'static str)> {
        self.refusal().or_else(|| {
            let message = "the scale took no tare: put the container on it, and see that tare is enabled in its setup";
            (!self.has(Self::NET)).then_some((Reason::DeviceError, message))
        })
    }

    fn refusal(self) -> Option<(Reason, &'static str)> {
        if self.has(Self::OVER_CAPACITY) {
            Some((Reason::DeviceError, "the scale is overloaded: take the load off"))
        } else if self.has(Self::IN_MOTION) {
            Some((Reason::Unstable, "the scale moves: keep it still and try again"))
        } else if self.has(Self::UNDER_ZERO) {
            Some((Reason::DeviceError, "the scale is under zero: put its plate back, then zero it"))
        } else {
            None
        }
    }
}

/// Collects bytes from STX to CR. STX always starts anew, so that a torn answer costs only itself.
#[derive(Debug, Default)]
pub(super) struct Frames {
    body: Vec<u8>,
    place: Place,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Place {
    /// Between answers.
    #[default]
    Outside,
    Inside,
    /// Bytes without STX, or too many of them: over at the next CR or STX.
    Lost,
}

impl Frames {
    pub(super) fn push(&mut self, byte: u8) -> Option<Frame> {
        let byte = byte & 0x7f;
        match (byte, &self.place) {
            (STX, Place::Inside) => {
                self.body.clear();
                Some(Frame::Garbage)
            }
            (STX, _) => {
                self.body.clear();
                self.place = Place::Inside;
                None
            }
            (CR, Place::Inside) => {
                self.place = Place::Outside;
                Some(parse(&self.body))
            }
            (CR, _) => {
                self.place = Place::Outside;
                None
            }
            (_, Place::Inside) if self.body.len() < LONGEST => {
                self.body.push(byte);
                None
            }
            (_, Place::Lost) => None,
            _ => {
                self.place = Place::Lost;
                Some(Frame::Garbage)
            }
        }
    }
}

fn parse(body: &[u8]) -> Frame {
    let body = &body[body.iter().position(|&b| b != b' ').unwrap_or(body.len())..];
    if let [b'?', status] = body {
        return Status::from_byte(*status).map_or(Frame::Garbage, Frame::Status);
    }
    let (number, net) = match body {
        [number @ .., b'N'] => (number, true),
        number => (number, false),
    };
    match digits(number) {
        Some(digits) => Frame::Weight { digits, net },
        None => Frame::Garbage,
    }
}

/// `00.450` becomes `0.450`.
fn digits(number: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(number).ok()?;
    let (whole, decimals) = text.split_once('.')?;
    let plain = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !plain(whole) || !plain(decimals) || whole.len() > 5 || decimals.len() > 4 {
        return None;
    }
    legal::digits(number)
}
