//! What each protocol answers, byte by byte.
//!
//! Sources: MT-SICS reference manual 11780711 (`S`, `SI`, `SIR`, `Z`, `T`, `TA`, `TAC`, `ES`); DIVA service manual
//! 6.1.8 for Dialog 06; CAS PD-II manual 3.1.6 and CI-600D manual 10-1; NCI 6702 manual page 14; Adam AZextra manual
//! page 16.

use super::platform::{Platform, Protocol, Settings};
use crate::clock::Micros;

const STX: u8 = 2;
const ETX: u8 = 3;
const EOT: u8 = 4;
const ENQ: u8 = 5;
const ACK: u8 = 6;
const NAK: u8 = 0x15;
const ESC: u8 = 0x1b;

/// A protocol's memory between bytes.
#[derive(Debug)]
pub(super) struct Speaker {
    protocol: Protocol,
    every_us: Micros,
    /// Sends by itself at this time.
    next: Option<Micros>,
    line: Vec<u8>,
    dialog: Dialog,
}

#[derive(Debug, Default)]
struct Dialog {
    inside: bool,
    /// A price was sent, so that a weight may be asked for.
    priced: bool,
    error: [u8; 2],
    polynomial: Option<u32>,
    proved: bool,
    /// The answer to the next EOT ENQ tells whether the checksums were right.
    verdict: Option<bool>,
    /// The load of the last weighing: another one has to come before the next.
    weighed: Option<i64>,
    random: u8,
}

impl Speaker {
    pub(super) fn new(settings: &Settings) -> Self {
        let streams = matches!(settings.protocol, Protocol::CasStream | Protocol::AndStream);
        let dialog = Dialog {
            polynomial: u32::from_str_radix(&settings.polynomial, 16).ok(),
            error: *b"00",
            ..Dialog::default()
        };
        Self {
            protocol: settings.protocol,
            every_us: settings.every_ms.max(1) * 1_000,
            next: streams.then_some(0),
            line: Vec::new(),
            dialog,
        }
    }

    pub(super) fn next_wake(&self) -> Option<Micros> {
        self.next
    }

    /// What it says by itself now.
    pub(super) fn poll(&mut self, now: Micros, platform: &Platform) -> Vec<u8> {
        if self.next.is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.next = Some(now + self.every_us);
        match self.protocol {
            Protocol::MtSics => sics_reading(now, platform),
            protocol => stream_line(now, platform, protocol == Protocol::CasStream),
        }
    }

    pub(super) fn hear(&mut self, now: Micros, byte: u8, platform: &mut Platform) -> Vec<u8> {
        match self.protocol {
            Protocol::CasStream | Protocol::AndStream => Vec::new(),
            Protocol::MtSics | Protocol::MtSicsBasic => match self.line(byte, b'\n') {
                Some(line) => self.sics(now, &line, platform),
                None => Vec::new(),
            },
            Protocol::Adam => match self.line(byte, b'\n').as_deref() {
                Some(b"P") => adam_line(now, platform),
                Some(b"T") => {
                    platform.set_tare(now);
                    Vec::new()
                }
                Some(b"Z") => {
                    platform.set_zero(now);
                    Vec::new()
                }
                _ => Vec::new(),
            },
            Protocol::Nci => match self.line(byte & 0x7f, b'\r') {
                Some(line) => nci(now, &line, platform),
                None => Vec::new(),
            },
            Protocol::CasPd => match byte {
                ENQ if platform.at_rest(now) || platform.over(now) => vec![ACK],
                ENQ => vec![NAK],
                0x11 => cas_block(now, platform),
                _ => Vec::new(),
            },
            Protocol::Dialog06 => self.dialog(now, byte & 0x7f, platform),
        }
    }

    /// A command line without its end.
    fn line(&mut self, byte: u8, end: u8) -> Option<Vec<u8>> {
        if byte != end {
            self.line.push(byte);
            let excess = self.line.len().saturating_sub(64);
            self.line.drain(..excess);
            return None;
        }
        let line = std::mem::take(&mut self.line);
        Some(line.trim_ascii().to_vec())
    }

    fn sics(&mut self, now: Micros, line: &[u8], platform: &mut Platform) -> Vec<u8> {
        let basic = self.protocol == Protocol::MtSicsBasic;
        let answer = |text: String| format!("{text}\r\n").into_bytes();
        match line {
            b"" => Vec::new(),
            b"SI" => {
                self.next = None;
                sics_reading(now, platform)
            }
            b"SIR" if !basic => {
                self.next = Some(now + self.every_us);
                sics_reading(now, platform)
            }
            b"S" => {
                self.next = None;
                if platform.at_rest(now) { sics_reading(now, platform) } else { answer("S I".into()) }
            }
            b"Z" if !platform.at_rest(now) => answer("Z I".into()),
            b"Z" => {
                let above = platform.gross(now) > 0;
                answer(if platform.set_zero(now) {
                    "Z A".into()
                } else {
                    format!("Z {}", if above { '+' } else { '-' })
                })
            }
            b"T" if !basic && !platform.at_rest(now) => answer("T I".into()),
            b"T" if !basic => {
                let done = platform.set_tare(now);
                answer(if done {
                    format!("T S {:>10} {}", platform.digits(platform.tare), platform.unit)
                } else {
                    "T -".into()
                })
            }
            b"TA" if !basic => answer(format!("TA A {:>10} {}", platform.digits(platform.tare), platform.unit)),
            b"TAC" if !basic => {
                platform.tare = 0;
                answer("TAC A".into())
            }
            b"@" => {
                self.next = None;
                answer("I4 A \"0123456789\"".into())
            }
            _ => answer("ES".into()),
        }
    }

    fn dialog(&mut self, now: Micros, byte: u8, platform: &mut Platform) -> Vec<u8> {
        match byte {
            EOT => {
                self.dialog.inside = false;
                Vec::new()
            }
            STX => {
                self.line.clear();
                self.dialog.inside = true;
                Vec::new()
            }
            ETX if self.dialog.inside => {
                self.dialog.inside = false;
                let record = std::mem::take(&mut self.line);
                self.record(&record)
            }
            ENQ if !self.dialog.inside => self.result(now, platform),
            byte if self.dialog.inside && self.line.len() < 64 => {
                self.line.push(byte);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn record(&mut self, record: &[u8]) -> Vec<u8> {
        let dialog = &mut self.dialog;
        let fields: Vec<&[u8]> = record.split(|b| *b == ESC).collect();
        match fields[..] {
            [b"01", price, b""] => {
                if !matches!(price.len(), 5 | 6) || !price.iter().all(u8::is_ascii_digit) {
                    dialog.error = *b"11";
                    return vec![NAK];
                }
                if dialog.polynomial.is_some() && !dialog.proved {
                    dialog.random = dialog.random.wrapping_mul(5).wrapping_add(0x47);
                    return [&[STX], format!("11\x1b2{:02X}", dialog.random).as_bytes(), &[ETX]].concat();
                }
                dialog.priced = true;
                vec![ACK]
            }
            [b"08"] => [&[STX][..], b"09\x1b", &dialog.error, &[ETX]].concat(),
            [b"10", sums] => {
                dialog.verdict = Some(dialog.right(sums));
                vec![ACK]
            }
            _ => {
                dialog.error = *b"10";
                vec![NAK]
            }
        }
    }

    fn result(&mut self, now: Micros, platform: &Platform) -> Vec<u8> {
        let dialog = &mut self.dialog;
        if let Some(right) = dialog.verdict.take() {
            dialog.proved = right;
            return [&[STX], format!("11\x1b{}", u8::from(right)).as_bytes(), &[ETX]].concat();
        }
        let load = platform.net(now);
        let error = if !dialog.priced {
            Some(*b"01")
        } else if platform.over(now) {
            Some(*b"32")
        } else if load < 0 || platform.under(now) {
            Some(*b"31")
        } else if !platform.at_rest(now) {
            Some(*b"20")
        } else if dialog.weighed == Some(load) {
            Some(*b"21")
        } else if load == 0 {
            Some(*b"30")
        } else {
            None
        };
        if let Some(error) = error {
            if error == *b"30" {
                dialog.weighed = None;
            }
            dialog.error = error;
            return vec![NAK];
        }
        dialog.weighed = Some(load);
        [&[STX], format!("02\x1b3\x1b{load:05}\x1b000001\x1b000001").as_bytes(), &[ETX]].concat()
    }
}

impl Dialog {
    /// CS (turned left by the high digit) and KW (turned right by the low one) belong together.
    fn right(&self, sums: &[u8]) -> bool {
        let text = std::str::from_utf8(sums).unwrap_or_default();
        let (Some(polynomial), 8) = (self.polynomial, text.len()) else { return false };
        let parse = |part: &str| u16::from_str_radix(part, 16).unwrap_or(0);
        let cs = parse(&text[..4]).rotate_right(u32::from(self.random >> 4));
        let kw = parse(&text[4..]).rotate_left(u32::from(self.random & 15));
        // Polynomial division of CS followed by 16 zero bits, written out bit by bit.
        let mut rest = u64::from(cs) << 16;
        for bit in (16..32).rev() {
            if rest >> bit & 1 == 1 {
                rest ^= u64::from(polynomial) << (bit - 16);
            }
        }
        text == text.to_uppercase() && rest as u16 == kw
    }
}

fn sics_reading(now: Micros, platform: &Platform) -> Vec<u8> {
    let text = if platform.over(now) {
        "S +".to_owned()
    } else if platform.under(now) {
        "S -".to_owned()
    } else {
        let rest = if platform.at_rest(now) { 'S' } else { 'D' };
        format!("S {rest} {:>10} {}", platform.display(now), platform.unit)
    };
    format!("{text}\r\n").into_bytes()
}

fn stream_line(now: Micros, platform: &Platform, cas: bool) -> Vec<u8> {
    let state = if platform.over(now) {
        "OL"
    } else if platform.at_rest(now) {
        "ST"
    } else {
        "US"
    };
    let kind = if platform.tare != 0 { "NT" } else { "GS" };
    let net = platform.net(now);
    let head = format!("{state},{kind},");
    if cas {
        let lamps =
            0x80 | u8::from(net == 0) | u8::from(platform.tare != 0) << 1 | u8::from(platform.at_rest(now)) << 6;
        let value = format!(",{:>8} {:>2}\r\n", platform.digits(net), platform.unit);
        return [head.as_bytes(), &[b'1', lamps], value.as_bytes()].concat();
    }
    let sign = if net < 0 { '-' } else { '+' };
    format!("{head}{sign}{:0>7}{:>2}\r\n", platform.digits(net.abs()), platform.unit).into_bytes()
}

fn adam_line(now: Micros, platform: &Platform) -> Vec<u8> {
    let net = platform.net(now);
    let sign = if net < 0 { '-' } else { '+' };
    format!("{sign}{:>9} {}\r\n", platform.digits(net.abs()), platform.unit).into_bytes()
}

fn nci(now: Micros, command: &[u8], platform: &mut Platform) -> Vec<u8> {
    match command {
        b"W" => {
            let display = if platform.over(now) {
                "^^^^^^".to_owned()
            } else if platform.under(now) {
                "______".to_owned()
            } else {
                format!("{:0>6}", platform.display(now))
            };
            let value = format!("\n{display}{}\r", platform.unit.to_uppercase()).into_bytes();
            [value, nci_status(now, platform)].concat()
        }
        b"S" => nci_status(now, platform),
        b"Z" => {
            platform.set_zero(now);
            nci_status(now, platform)
        }
        b"T" => {
            platform.set_tare(now);
            nci_status(now, platform)
        }
        _ => b"\n?\r\x03".to_vec(),
    }
}

fn nci_status(now: Micros, platform: &Platform) -> Vec<u8> {
    let first = 0x30 | u8::from(!platform.at_rest(now)) | u8::from(platform.gross(now) == 0) << 1;
    let second = 0x70 | u8::from(platform.under(now)) | u8::from(platform.over(now)) << 1;
    let third = 0x31 | u8::from(platform.tare != 0) << 2;
    vec![b'\n', first, second, third, b'\r', ETX]
}

fn cas_block(now: Micros, platform: &Platform) -> Vec<u8> {
    let net = platform.net(now);
    let body = if platform.over(now) {
        format!("UFFFFFFF{:>2}", platform.unit)
    } else {
        let rest = if platform.at_rest(now) { 'S' } else { 'U' };
        let sign = if net < 0 { '-' } else { ' ' };
        format!("{rest}{sign}{:0>6}{:>2}", platform.digits(net.abs()), platform.unit)
    };
    let bcc = body.bytes().fold(0, |sum, byte| sum ^ byte);
    [&[1, STX], body.as_bytes(), &[bcc, ETX, EOT]].concat()
}
