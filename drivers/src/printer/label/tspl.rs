//! TSPL. Source: TSC, "TSPL/TSPL2 Programming": `BITMAP`, `PRINT`, `<ESC>!?`.

use std::time::Duration;

use crate::printer::{
    Document, canvas,
    error::EncodeError,
    profile::Profile,
    status::Status,
    stream::{Dialect, Heard},
};

/// Its answers are single bytes.
#[derive(Debug, Default)]
pub(in crate::printer) struct Tspl;

impl Dialect for Tspl {
    const DOCUMENT: fn(&Document, &Profile) -> Result<Vec<u8>, EncodeError> = encode;
    const DRAWER: Option<fn(&Profile, &mut Vec<u8>)> = None;
    const ASK_EVERY: Duration = Duration::from_millis(800);

    fn greeting(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn question(&self) -> &'static [u8] {
        b"\x1b!?"
    }

    /// TSPL has no word for it.
    fn sign(&mut self, _: &mut Vec<u8>, _: [u8; 4]) -> bool {
        false
    }

    /// Immediate status: bit 0 head open, 1 jam, 2 no paper, 3 no ribbon, 4 paused, 5 printing, 7 another error.
    fn hear(&mut self, byte: u8) -> Option<Heard> {
        if byte & 0x40 != 0 {
            return Some(Heard::Garbage);
        }
        Some(Heard::Status(Status {
            cover_open: byte & 0x01 != 0,
            paper_jam: byte & 0x02 != 0,
            paper_out: byte & 0x04 != 0,
            ribbon_out: byte & 0x08 != 0,
            paused: byte & 0x10 != 0,
            busy: byte & 0x20 != 0,
            broken: byte & 0x80 != 0,
            ..Status::default()
        }))
    }
}

fn encode(document: &Document, profile: &Profile) -> Result<Vec<u8>, EncodeError> {
    let dots = canvas::draw(document, profile)?;
    let mut out = String::from("\r\n");
    if profile.label_dots > 0 {
        out.push_str(&format!("SIZE {} dot,{} dot\r\nGAP 3 mm,0 mm\r\n", dots.width, dots.height));
    }
    out.push_str(&format!("DIRECTION 0\r\nREFERENCE 0,0\r\nCLS\r\nBITMAP 0,0,{},{},0,", dots.row_bytes(), dots.height));
    let mut out = out.into_bytes();
    // In BITMAP a one is white.
    out.extend(dots.rows.iter().map(|byte| !byte));
    out.extend_from_slice(b"\r\nPRINT 1,1\r\n");
    Ok(out)
}
