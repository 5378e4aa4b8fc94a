//! Checkout-Dialogue 06 of European checkout scales (Mettler-Toledo, Bizerba, Dibal, Ohaus Aviator, scanner-scales).
//!
//! Sources: DIVA service manual (Magellan 8500) 6.1.8, pages 58 to 62; Ohaus Aviator 7000 service manual 6.1.3; Cely PI-100
//! manual 7.5. Every dialogue begins with the till's EOT, and every answer of the scale is answered with EOT.
//!
//! ```text
//!  till                                   scale
//!  EOT STX 01 ESC unit price ESC ETX ->
//!                                     <-  ACK                       price taken
//!                                     <-  STX 11 ESC 2 Z ETX        prove yourself, random number Z
//!                                     <-  NAK                       something is wrong: ask with record 08
//!  EOT ENQ                           ->
//!                                     <-  STX 02 ESC unit ESC weight ESC price ESC amount ETX
//!                                     <-  NAK
//!  EOT STX 08 ETX                    ->
//!                                     <-  STX 09 ESC status ETX
//!  EOT STX 10 ESC CS KW ETX          ->
//!                                     <-  ACK; after EOT ENQ: STX 11 ESC 1 ETX valid, STX 11 ESC 0 ETX invalid
//! ```
//!
//! The proof: CS is a checksum of the till's software (16 bits), KW is the remainder of CS times x^16 divided by a
//! polynomial that the scale's maker gives to the till's maker. CS is rotated left by the high hexadecimal digit of Z, KW
//! right by the low one; both travel as four capital hexadecimal digits. The polynomial is a setting, since it is not
//! public; without it a scale that asks for the proof gives no weight. CS is the hash of our frozen module.
//!
//! The scale answers a weight once: it wants the load to change before the next one (status 21). What was shown stays
//! true meanwhile. It takes a tare by key, or with the price; it cannot be zeroed over the cable.

use std::time::Duration;

use super::{
    State, Unit, Weight,
    desk::{Act, Confirms, Dialect, Heard, Times},
    legal,
};
use crate::setting::Options;

const STX: u8 = 0x02;
const ETX: u8 = 0x03;
const EOT: u8 = 0x04;
const ENQ: u8 = 0x05;
const ACK: u8 = 0x06;
const NAK: u8 = 0x15;
const ESC: u8 = 0x1b;
const LONGEST: usize = 48;

#[derive(Debug)]
pub struct Dialog06 {
    line: String,
    price_digits: usize,
    /// With its leading term; `None` while nobody has set it.
    polynomial: Option<u32>,
    stage: Stage,
    record: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    /// Record 01 is out.
    Priced,
    /// EOT ENQ is out.
    Asked,
    /// Record 08 is out.
    Why,
    /// Record 10 is out.
    Proving,
    /// EOT ENQ after record 10.
    Proved,
}

impl Dialog06 {
    pub fn new(options: &Options, line: String) -> Self {
        let digits = options.get("polynomial").unwrap_or_default();
        let polynomial = u32::from_str_radix(digits, 16).ok().filter(|p| *p != 0);
        Self {
            line,
            price_digits: if options.is("price_digits", "5") { 5 } else { 6 },
            // Four digits leave the leading term out, which every polynomial of degree 16 has.
            polynomial: polynomial.map(|p| if p <= 0xffff { p | 0x1_0000 } else { p }),
            stage: Stage::Idle,
            record: None,
        }
    }

    fn control(&mut self, byte: u8) -> Heard {
        match (self.stage, byte) {
            (Stage::Priced, ACK) => self.go(Stage::Asked, &[EOT, ENQ]),
            (Stage::Proving, ACK) => self.go(Stage::Proved, &[EOT, ENQ]),
            (Stage::Priced | Stage::Asked | Stage::Proving | Stage::Proved, NAK) => {
                self.go(Stage::Why, &[EOT, EOT, STX, b'0', b'8', ETX])
            }
            _ => Heard::Garbage,
        }
    }

    fn go(&mut self, stage: Stage, bytes: &[u8]) -> Heard {
        self.stage = stage;
        Heard::Reply(bytes.to_vec())
    }

    fn record(&mut self, record: &[u8], heard: &mut Vec<Heard>) {
        let fields: Vec<&[u8]> = record.split(|b| *b == ESC).collect();
        let meaning = match (&fields[..], self.stage) {
            ([b"02", unit, weight, ..], Stage::Asked) => weighed(unit, weight),
            ([b"09", [s1, s0, ..]], Stage::Why) => status(*s1, *s0),
            ([b"11", [b'2', z @ ..]], Stage::Priced) => return heard.push(self.prove(z)),
            // Valid: the weighing begins anew.
            ([b"11", [b'1', ..]], Stage::Proved) => Heard::Unchanged,
            ([b"11", [b'0', ..]], Stage::Proved) => Heard::Trouble(
                "the scale refuses the checksum: the polynomial in its settings on this page is not the one of this scale",
            ),
            _ => Heard::Garbage,
        };
        self.stage = Stage::Idle;
        heard.push(Heard::Reply(vec![EOT]));
        heard.push(meaning);
    }

    fn prove(&mut self, z: &[u8]) -> Heard {
        let z = std::str::from_utf8(z).ok().filter(|z| z.len() == 2).and_then(|z| u8::from_str_radix(z, 16).ok());
        let (Some(z), Some(polynomial)) = (z, self.polynomial) else {
            self.stage = Stage::Idle;
            return Heard::Trouble(
                "the scale asks for a checksum: type the polynomial, which its dealer has, in its settings on this page",
            );
        };
        let (cs, kw) = proof(checksum(), polynomial, z);
        let record = format!("10\u{1b}{cs:04X}{kw:04X}");
        self.go(Stage::Proving, &[&[EOT, EOT, STX], record.as_bytes(), &[ETX]].concat())
    }
}

/// What stands for our software: the first 16 bits of the frozen module's hash.
fn checksum() -> u16 {
    u16::from_str_radix(&super::LEGAL_SHA256[..4], 16).unwrap_or(0)
}

/// CS and KW, turned by the scale's random number.
fn proof(cs: u16, polynomial: u32, z: u8) -> (u16, u16) {
    (cs.rotate_left(u32::from(z >> 4)), remainder(cs, polynomial).rotate_right(u32::from(z & 0x0f)))
}

/// Of `cs * x^16` divided by a polynomial of degree 16.
fn remainder(cs: u16, polynomial: u32) -> u16 {
    let mut rest = u32::from(cs) << 16;
    let divisor = polynomial << (polynomial.leading_zeros());
    let degree = 31 - polynomial.leading_zeros();
    let mut divisor = divisor;
    for bit in (degree..32).rev() {
        if rest >> bit & 1 == 1 {
            rest ^= divisor;
        }
        divisor >>= 1;
    }
    rest as u16
}

fn weighed(unit: &[u8], digits: &[u8]) -> Heard {
    let (unit, decimals) = match unit {
        b"3" => (Unit::Kg, 3),
        b"2" => (Unit::Lb, 3),
        b"1" => (Unit::Lb, 2),
        b"0" => return Heard::Trouble("the scale weighs in pounds and ounces: set it to kg or to decimal pounds"),
        _ => return Heard::Garbage,
    };
    let count = std::str::from_utf8(digits).ok().filter(|d| d.len() == 5 && d.bytes().all(|b| b.is_ascii_digit()));
    let Some(digits) = count.and_then(|d| legal::counted(d.parse().ok()?, -decimals)) else { return Heard::Garbage };
    // The scale does not say whether a tare key was pressed: the weight is what its customer display shows.
    let weight = Weight { digits, unit, net: false };
    Heard::Shows(legal::state(true, &weight), Some(weight))
}

/// Record 09.
fn status(s1: u8, s0: u8) -> Heard {
    match &[s1, s0] {
        b"20" | b"22" => Heard::Shows(State::Motion, None),
        b"00" | b"21" => Heard::Unchanged,
        // Less than the smallest weight that may be sold: as good as empty.
        b"30" => Heard::Shows(State::Zero, None),
        b"31" => Heard::Shows(State::UnderZero, None),
        b"32" => Heard::Shows(State::OverCapacity, None),
        b"11" => Heard::Trouble("the scale does not take the price: set another number of price digits on this page"),
        b"10" | b"12" | b"13" => Heard::Trouble("the scale does not know the record: it is not set to Dialog 06"),
        _ => Heard::Garbage,
    }
}

impl Dialect for Dialog06 {
    fn name(&self) -> String {
        format!("Dialog 06, {}", self.line)
    }

    /// A unit price is part of every weighing; the till computes its own prices, so it is 1.
    fn question(&mut self) -> Vec<u8> {
        self.stage = Stage::Priced;
        let record = format!("01\u{1b}{:0width$}\u{1b}", 1, width = self.price_digits);
        [&[EOT, STX], record.as_bytes(), &[ETX]].concat()
    }

    fn act(&mut self, _: Act) -> Option<(Vec<u8>, Confirms)> {
        None
    }

    fn push(&mut self, byte: u8, _: Option<Act>, heard: &mut Vec<Heard>) {
        let byte = byte & 0x7f;
        match (&mut self.record, byte) {
            (_, STX) => self.record = Some(Vec::new()),
            (Some(record), ETX) => {
                let record = std::mem::take(record);
                self.record = None;
                self.record(&record, heard);
            }
            (Some(record), _) if record.len() < LONGEST => record.push(byte),
            (Some(_), _) => {
                self.record = None;
                heard.push(Heard::Garbage);
            }
            (None, byte) => {
                let meaning = self.control(byte);
                heard.push(meaning);
            }
        }
    }

    fn give_up(&mut self) {
        self.stage = Stage::Idle;
        self.record = None;
    }

    fn times(&self) -> Times {
        // A scale may hold its answer while the weight is not at rest.
        Times {
            breath: Duration::from_millis(50),
            answer: Duration::from_secs(7),
            act: Duration::from_secs(7),
            patience: Duration::from_secs(8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remainder_is_that_of_the_known_crc() {
        // CRC-16/XMODEM (0x11021, no start value) of the two bytes 12 34.
        let crc = |bytes: [u8; 2]| {
            let mut crc = 0_u16;
            for byte in bytes {
                crc ^= u16::from(byte) << 8;
                for _ in 0..8 {
                    crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
                }
            }
            crc
        };
        for cs in [0x0000, 0x1234, 0xffff, 0x8001, 0x0001] {
            assert_eq!(remainder(cs, 0x1_1021), crc(cs.to_be_bytes()), "{cs:04x}");
        }
    }

    #[test]
    fn the_high_digit_turns_the_checksum_left_and_the_low_one_the_remainder_right() {
        let (cs, kw) = proof(0x1234, 0x1_1021, 0x47);
        assert_eq!(cs, 0x2341);
        assert_eq!(kw, remainder(0x1234, 0x1_1021).rotate_right(7));
    }
}
