//! EPL2. Source: Zebra, "EPL2 Programmer's Manual": `GW`, `P`, `US`, `^ee`.

use std::time::Duration;

use crate::printer::{
    Document, canvas,
    error::EncodeError,
    profile::Profile,
    status::Status,
    stream::{Dialect, Heard},
};

const ACK: u8 = 6;
const NAK: u8 = 0x15;

#[derive(Debug, Default)]
pub(in crate::printer) struct Epl {
    line: Vec<u8>,
    /// Digits of an error number that follows NAK.
    refused: Option<Vec<u8>>,
}

impl Dialect for Epl {
    const DOCUMENT: fn(&Document, &Profile) -> Result<Vec<u8>, EncodeError> = encode;
    const DRAWER: Option<fn(&Profile, &mut Vec<u8>)> = None;
    const ASK_EVERY: Duration = Duration::from_millis(800);

    fn greeting(&mut self) -> Vec<u8> {
        *self = Self::default();
        // US: acknowledge each label that is printed.
        b"\r\nUS\r\n".to_vec()
    }

    fn question(&self) -> &'static [u8] {
        b"\r\n^ee\r\n"
    }

    /// Reporting is on: the printer acknowledges each `P`.
    fn sign(&mut self, _: &mut Vec<u8>, _: [u8; 4]) -> bool {
        true
    }

    fn hear(&mut self, byte: u8) -> Option<Heard> {
        if let Some(digits) = &mut self.refused {
            digits.push(byte);
            if digits.len() < 2 {
                return None;
            }
            let number = number(digits);
            self.refused = None;
            return Some(match number {
                // Trouble with paper is asked about; anything else is the job's own fault.
                Some(number) => match status(number) {
                    Some(status) if status.trouble().is_some() => Heard::Status(status),
                    _ => Heard::Refused(number),
                },
                None => Heard::Garbage,
            });
        }
        match byte {
            ACK => Some(Heard::PrintedNext),
            NAK => {
                self.refused = Some(Vec::new());
                None
            }
            // XON and XOFF tell of recovery and error; what it is the question tells.
            0x11 | 0x13 => None,
            b'\r' | b'\n' => {
                let line = std::mem::take(&mut self.line);
                if line.is_empty() {
                    return None;
                }
                // Several errors at once are divided by commas; the first that says something counts.
                let numbers: Option<Vec<u8>> = line.split(|b| *b == b',').map(number).collect();
                let Some(numbers) = numbers else { return Some(Heard::Garbage) };
                let worst = numbers.into_iter().filter_map(status).max_by_key(|s| s.trouble().is_some());
                Some(worst.map_or(Heard::Garbage, Heard::Status))
            }
            byte => {
                self.line.push(byte);
                if self.line.len() <= 64 {
                    return None;
                }
                self.line.clear();
                Some(Heard::Garbage)
            }
        }
    }
}

fn number(digits: &[u8]) -> Option<u8> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Error codes of `^ee`.
fn status(number: u8) -> Option<Status> {
    let fine = Status::default();
    Some(match number {
        // 1 to 6, 8 to 10 and 13 on are mistakes in labels: the printer itself is well.
        0..=6 | 8..=10 | 13..=49 => fine,
        7 => Status { paper_out: true, ..fine },
        11 => Status { cover_open: true, ..fine },
        12 => Status { paused: true, ..fine },
        50 => Status { busy: true, ..fine },
        _ => return None,
    })
}

fn encode(document: &Document, profile: &Profile) -> Result<Vec<u8>, EncodeError> {
    let dots = canvas::draw(document, profile)?;
    let mut out = format!("\r\nN\r\nq{}\r\n", dots.width);
    if profile.label_dots > 0 {
        // Q: length of the label and of the gap after it, 3 mm.
        out.push_str(&format!("Q{},{}\r\n", profile.label_dots, u32::from(profile.dpi) * 3 / 25));
    }
    out.push_str(&format!("GW0,0,{},{},", dots.row_bytes(), dots.height));
    let mut out = out.into_bytes();
    // In EPL a one is white.
    out.extend(dots.rows.iter().map(|byte| !byte));
    out.extend_from_slice(b"\r\nP1\r\n");
    Ok(out)
}
