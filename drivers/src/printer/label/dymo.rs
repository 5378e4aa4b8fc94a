//! DYMO LabelWriter 300, 400 and 450, and the tape half of the DUO. Source: DYMO, "LabelWriter 450 Series Printers
//! Technical Reference Manual"; for tape, "LabelWriter DUO Technical Reference".

use std::time::Duration;

use crate::printer::{
    Document, canvas,
    error::EncodeError,
    profile::Profile,
    status::Status,
    stream::{Dialect, Heard},
};

/// SYN: a row of dots follows.
const SYN: u8 = 0x16;

#[derive(Debug, Default)]
pub(in crate::printer) struct Dymo;

impl Dialect for Dymo {
    const DOCUMENT: fn(&Document, &Profile) -> Result<Vec<u8>, EncodeError> = encode;
    const DRAWER: Option<fn(&Profile, &mut Vec<u8>)> = None;
    const ASK_EVERY: Duration = Duration::from_millis(800);

    fn greeting(&mut self) -> Vec<u8> {
        // A torn job may have left it waiting for a row of up to 84 bytes; escapes fill that up and mean nothing else.
        let mut out = vec![0x1b; 85];
        out.push(b'@');
        out
    }

    fn question(&self) -> &'static [u8] {
        b"\x1bA"
    }

    fn sign(&mut self, _: &mut Vec<u8>, _: [u8; 4]) -> bool {
        false
    }

    /// Status: bit 0 ready, 1 top of form, 5 no paper, 6 jam, 7 error.
    fn hear(&mut self, byte: u8) -> Option<Heard> {
        if byte & 0b0001_1100 != 0 {
            return Some(Heard::Garbage);
        }
        let (out, jam, broken) = (byte & 0x20 != 0, byte & 0x40 != 0, byte & 0x80 != 0);
        let busy = byte & 0x01 == 0 && !(out || jam || broken);
        Some(Heard::Status(Status { paper_out: out, paper_jam: jam, broken, busy, ..Status::default() }))
    }
}

fn encode(document: &Document, profile: &Profile) -> Result<Vec<u8>, EncodeError> {
    let dots = canvas::draw(document, profile)?;
    let row_bytes = dots.row_bytes().min(255);
    // ESC @ reset, ESC B left edge, ESC D bytes a row, ESC h 300 dpi down, ESC e usual density.
    let mut out = vec![0x1b, b'@', 0x1b, b'B', 0, 0x1b, b'D', row_bytes as u8, 0x1b, b'h', 0x1b, b'e'];
    // ESC L: the longest feed that looks for the next label; the highest bit set means a roll without labels.
    let length = if profile.label_dots > 0 { profile.label_dots.saturating_add(300).min(0x7fff) } else { 0xffff };
    out.extend_from_slice(&[0x1b, b'L', (length >> 8) as u8, length as u8]);
    let mut white = 0u32;
    for row in dots.rows.chunks_exact(dots.row_bytes().max(1)) {
        if row.iter().all(|byte| *byte == 0) {
            white += 1;
            continue;
        }
        skip(&mut white, &mut out);
        out.push(SYN);
        out.extend_from_slice(&row[..row_bytes]);
    }
    skip(&mut white, &mut out);
    out.extend_from_slice(&[0x1b, b'E']); // ESC E: feed to where it can be torn off
    Ok(out)
}

/// ESC f 1 n: feed n rows.
fn skip(white: &mut u32, out: &mut Vec<u8>) {
    while *white > 0 {
        let rows = (*white).min(255) as u8;
        out.extend_from_slice(&[0x1b, b'f', 1, rows]);
        *white -= u32::from(rows);
    }
}

/// The tape half of a DUO; it says nothing.
#[derive(Debug, Default)]
pub(in crate::printer) struct DymoTape;

impl Dialect for DymoTape {
    const DOCUMENT: fn(&Document, &Profile) -> Result<Vec<u8>, EncodeError> = encode_tape;
    const DRAWER: Option<fn(&Profile, &mut Vec<u8>)> = None;
    const ASK_EVERY: Duration = Duration::from_secs(60);

    fn greeting(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn question(&self) -> &'static [u8] {
        b""
    }

    fn sign(&mut self, _: &mut Vec<u8>, _: [u8; 4]) -> bool {
        false
    }

    fn hear(&mut self, _: u8) -> Option<Heard> {
        Some(Heard::Garbage)
    }
}

/// Rows that lie between the print head and the cutter, and the tape's lead before the first dot.
const TO_CUTTER: usize = 61;
const LEAD: usize = 14;

fn encode_tape(document: &Document, profile: &Profile) -> Result<Vec<u8>, EncodeError> {
    let dots = canvas::draw_tape(document, profile)?;
    let row_bytes = dots.row_bytes().min(255);
    // ESC C 0: black on white. ESC D 0 and SYNs feed without a dot.
    let mut out = vec![0x1b, b'C', 0, 0x1b, b'D', 0];
    out.resize(out.len() + LEAD, SYN);
    out.extend_from_slice(&[0x1b, b'B', 0, 0x1b, b'D', row_bytes as u8]);
    for row in dots.rows.chunks_exact(dots.row_bytes().max(1)) {
        out.push(SYN);
        out.extend_from_slice(&row[..row_bytes]);
    }
    out.extend_from_slice(&[0x1b, b'D', 0]);
    out.resize(out.len() + TO_CUTTER, SYN);
    out.extend_from_slice(&[0x1b, b'E']); // ESC E: cut
    Ok(out)
}
