//! Star's receipt printers: Line Mode and StarPRNT, and the raster mode that is all the TSP100 family knows.
//!
//! Source: Star Micronics, "Star Line Mode Command Specifications" and "StarPRNT Command Specifications"; appendix
//! "ASB Status" for [`Star::hear`]. A job is signed with `ETB`, which the printer counts when everything before it is
//! on paper, and tells at once.

use std::time::Duration;

use super::{
    Align, Block, Document,
    bitmap::{self, Bitmap},
    canvas,
    codepage::Speller,
    error::EncodeError,
    layout::{columns_of, wrap},
    profile::{DrawerPin, Profile, Raster},
    status::Status,
    stream::{Dialect, Heard},
};

/// ESC RS a 1: send the status by itself, now and whenever it changes. Asking in other ways is not allowed meanwhile
/// (ASB Status, note 4), so saying it again is the question.
const AUTOMATIC_STATUS: &[u8] = &[0x1b, 0x1e, b'a', 1];
const LONGEST: usize = 4 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Star {
    partial: Vec<u8>,
    /// What the counter will say after each job that was signed, oldest first.
    signed: std::collections::VecDeque<(u8, [u8; 4])>,
    count: u8,
    last_count: Option<u8>,
    /// A meaning that waits for the next call: one status may say two things.
    waiting: Option<Heard>,
}

impl Dialect for Star {
    const DOCUMENT: fn(&Document, &Profile) -> Result<Vec<u8>, EncodeError> = encode;
    const DRAWER: Option<fn(&Profile, &mut Vec<u8>)> = Some(pulse);
    const ASK_EVERY: Duration = Duration::from_secs(3);

    fn greeting(&mut self) -> Vec<u8> {
        *self = Self::default();
        // ESC RS E: the counter begins at 0.
        vec![0x1b, 0x1e, b'E', 0]
    }

    fn question(&self) -> &'static [u8] {
        AUTOMATIC_STATUS
    }

    fn sign(&mut self, job: &mut Vec<u8>, mark: [u8; 4]) -> bool {
        // ESC @ in the job ends automatic status on some models; ETB tells only while it is on.
        job.extend_from_slice(AUTOMATIC_STATUS);
        job.push(0x17);
        self.count = (self.count + 1) % 32;
        self.signed.push_back((self.count, mark));
        true
    }

    fn hear(&mut self, byte: u8) -> Option<Heard> {
        if byte & 0b1001_0001 == 0b0000_0001 {
            // A header in the middle of a status: that one was torn.
            self.partial.clear();
        } else if self.partial.is_empty() || byte & 0b1001_0001 != 0 {
            self.partial.clear();
            return Some(Heard::Garbage);
        }
        self.partial.push(byte);
        let length = length(self.partial[0]);
        if !(7..=15).contains(&length) {
            self.partial.clear();
            return Some(Heard::Garbage);
        }
        if self.partial.len() < length {
            return None;
        }
        let asb = std::mem::take(&mut self.partial);
        let at = |n: usize| asb.get(n).copied().unwrap_or(0);
        let status = Status {
            cover_open: at(2) & 0x20 != 0,
            offline: at(2) & 0x08 != 0,
            drawer_pin_high: at(2) & 0x04 != 0,
            too_hot: at(3) & 0x40 != 0,
            broken: at(3) & 0x24 != 0,
            cutter_jam: at(3) & 0x08 != 0,
            paper_jam: at(4) & 0x08 != 0,
            paper_out: at(5) & 0x08 != 0,
            paper_low: at(5) & 0x06 != 0,
            ..Status::default()
        };
        let count = asb.get(7).map(|b| b >> 1 & 0x07 | b >> 2 & 0x18);
        if let Some(count) = count.filter(|_| self.last_count.replace(count.unwrap_or(0)) != count)
            && let Some(place) = self.signed.iter().position(|(wanted, _)| *wanted == count)
        {
            let mark = self.signed[place].1;
            self.signed.drain(..=place);
            self.waiting = Some(Heard::Status(status));
            return Some(Heard::Printed(mark));
        }
        Some(Heard::Status(status))
    }

    fn more(&mut self) -> Option<Heard> {
        self.waiting.take()
    }
}

/// Bytes of a status by its first one: bits 1 to 3, and 5 and 6 above them.
fn length(header: u8) -> usize {
    usize::from(header >> 1 & 0x07 | header >> 2 & 0x18)
}

/// BEL drives the first drawer, SUB the second.
fn pulse(profile: &Profile, out: &mut Vec<u8>) {
    match profile.drawer_pin {
        // ESC BEL: 200 ms on, 200 ms off, in units of 10 ms.
        DrawerPin::Two => out.extend_from_slice(&[0x1b, 0x07, 20, 20, 0x07]),
        DrawerPin::Five => out.push(0x1a),
    }
}

pub(super) fn encode(document: &Document, profile: &Profile) -> Result<Vec<u8>, EncodeError> {
    if document.blocks.is_empty() && !document.open_drawer {
        return Err(EncodeError::Empty);
    }
    let mut out = vec![0x1b, b'@']; // ESC @: initialise
    if document.open_drawer {
        pulse(profile, &mut out);
    }
    if profile.raster == Raster::StarOnly {
        if !document.blocks.is_empty() {
            raster(&canvas::draw(document, profile)?, &mut out);
        }
    } else {
        let speller = Speller::new(profile.code_pages, &[0x1b, 0x1d, b't']);
        let mut encoder = Encoder { profile, out, speller, align: Align::Left, bold: false, large: false };
        for block in &document.blocks {
            encoder.block(block)?;
            if encoder.out.len() > LONGEST {
                return Err(EncodeError::TooLong);
            }
        }
        encoder.style(Align::Left, false, false);
        out = encoder.out;
    }
    if document.cut && profile.cutter {
        out.extend_from_slice(&[0x1b, b'd', 3]); // ESC d: feed to the cutter, leave one point uncut
    } else if document.cut {
        out.extend_from_slice(&[0x1b, b'a', 4]); // ESC a: feed four lines
    }
    Ok(out)
}

struct Encoder<'a> {
    profile: &'a Profile,
    out: Vec<u8>,
    speller: Speller,
    align: Align,
    bold: bool,
    large: bool,
}

impl Encoder<'_> {
    fn block(&mut self, block: &Block) -> Result<(), EncodeError> {
        let columns = usize::from(self.profile.columns);
        match block {
            Block::Text { text, align, bold, large } => {
                self.style(*align, *bold, *large);
                for paragraph in text.split('\n') {
                    let paragraph = paragraph.strip_suffix('\r').unwrap_or(paragraph);
                    for line in wrap(paragraph, columns / if *large { 2 } else { 1 }) {
                        self.line(line);
                    }
                }
            }
            Block::Columns { left, right, bold } => {
                self.style(Align::Left, *bold, false);
                self.columns(left, right, columns);
            }
            Block::Rule => {
                self.style(Align::Left, false, false);
                self.line(&"-".repeat(columns));
            }
            Block::Feed(lines) => self.out.extend_from_slice(&[0x1b, b'a', *lines]),
            Block::Barcode(_) | Block::Qr(_) if self.profile.raster != Raster::None => {
                self.style(Align::Left, false, false);
                raster(&canvas::draw_block(block, self.profile)?, &mut self.out);
            }
            // A dot-matrix printer prints no codes; the digits are of use still.
            Block::Barcode(data) | Block::Qr(data) => {
                self.style(Align::Center, false, false);
                wrap(data, columns).for_each(|line| self.line(line));
            }
            Block::Image(picture) => {
                if self.profile.raster == Raster::None {
                    return Err(EncodeError::NoPictures);
                }
                self.style(Align::Left, false, false);
                let picture = bitmap::picture(picture, bitmap::fit(self.profile.dots))?;
                let mut centred = Bitmap::new(u32::from(self.profile.dots), picture.height);
                centred.draw(&picture, (centred.width - picture.width) / 2, 0);
                raster(&centred, &mut self.out);
            }
        }
        Ok(())
    }

    fn columns(&mut self, left: &str, right: &str, columns: usize) {
        let right_width = columns_of(right);
        if right_width + 9 > columns {
            wrap(left, columns).for_each(|line| self.line(line));
            for line in wrap(right, columns) {
                self.out.resize(self.out.len() + columns - columns_of(line), b' ');
                self.line(line);
            }
            return;
        }
        for (number, line) in wrap(left, columns - right_width - 1).enumerate() {
            self.speller.write(line, &mut self.out);
            if number == 0 {
                self.out.resize(self.out.len() + columns - columns_of(line) - right_width, b' ');
                self.speller.write(right, &mut self.out);
            }
            self.out.push(b'\n');
        }
    }

    fn line(&mut self, line: &str) {
        self.speller.write(line, &mut self.out);
        self.out.push(b'\n');
    }

    /// Sends only what changes.
    fn style(&mut self, align: Align, bold: bool, large: bool) {
        if self.align != align {
            self.align = align;
            let n = match align {
                Align::Left => 0,
                Align::Center => 1,
                Align::Right => 2,
            };
            self.out.extend_from_slice(&[0x1b, 0x1d, b'a', n]); // ESC GS a: justification
        }
        if self.bold != bold {
            self.bold = bold;
            self.out.extend_from_slice(&[0x1b, if bold { b'E' } else { b'F' }]); // ESC E, ESC F: emphasised
        }
        if self.large != large {
            self.large = large;
            let n = u8::from(large);
            self.out.extend_from_slice(&[0x1b, b'i', n, n]); // ESC i: character size
        }
    }
}

/// Raster mode: in, pages of any length, rows of `b nL nH data`, out.
fn raster(dots: &Bitmap, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x1b*rA\x1b*rP0\0");
    let [low, high] = (dots.row_bytes() as u16).to_le_bytes();
    for row in dots.rows.chunks_exact(dots.row_bytes().max(1)) {
        // White at the end of a row need not be sent, but a row has at least one byte.
        out.extend_from_slice(&[b'b', low, high]);
        out.extend_from_slice(row);
    }
    out.extend_from_slice(b"\x1b*rB");
}
