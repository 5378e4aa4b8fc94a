//! A document as bytes for one printer.

use super::{barcode, qr, raster};
use crate::printer::{
    Align, Block, Document,
    codepage::Speller,
    error::EncodeError,
    layout::{columns_of, wrap},
    profile::{DrawerPin, Profile},
};

/// The longest job: far above any receipt, below what would keep a printer busy for minutes.
const LONGEST: usize = 4 * 1024 * 1024;
/// Left of an amount there has to be room for a word, else the amount gets a line of its own.
const NARROWEST_LEFT: usize = 8;
/// In motion units: 2 to 4 mm, as the printer counts.
const SPACE: u8 = 30;

/// `ESC @` and all that follows, without status questions. Every document leaves the printer as it found it.
pub fn encode(document: &Document, profile: &Profile) -> Result<Vec<u8>, EncodeError> {
    if document.blocks.is_empty() && !document.open_drawer {
        return Err(EncodeError::Empty);
    }
    let mut encoder = Encoder::new(profile);
    // The drawer first: the cashier makes change while the receipt runs.
    if document.open_drawer {
        pulse(profile, &mut encoder.out);
    }
    for block in &document.blocks {
        encoder.block(block)?;
        if encoder.out.len() > LONGEST {
            return Err(EncodeError::TooLong);
        }
    }
    encoder.style(Align::Left, false, false);
    if document.cut && profile.cutter {
        // GS V, function B: feed to the cutter and a little further, leave one point uncut.
        encoder.out.extend_from_slice(&[0x1d, b'V', 66, SPACE]);
    } else if document.cut {
        // ESC d: past the edge at which a person tears.
        encoder.out.extend_from_slice(&[0x1b, b'd', 4]);
    }
    Ok(encoder.out)
}

/// ESC p: 50 ms on, 500 ms off.
pub(super) fn pulse(profile: &Profile, out: &mut Vec<u8>) {
    let pin = match profile.drawer_pin {
        DrawerPin::Two => 0,
        DrawerPin::Five => 1,
    };
    out.extend_from_slice(&[0x1b, b'p', pin, 25, 250]);
}

struct Encoder<'a> {
    profile: &'a Profile,
    out: Vec<u8>,
    speller: Speller,
    align: Align,
    bold: bool,
    large: bool,
}

impl<'a> Encoder<'a> {
    fn new(profile: &'a Profile) -> Self {
        let mut out = Vec::with_capacity(2048);
        out.extend_from_slice(&[0x1b, b'@']); // ESC @: initialise
        Self {
            profile,
            out,
            speller: Speller::new(profile.code_pages, &[0x1b, b't']),
            align: Align::Left,
            bold: false,
            large: false,
        }
    }

    fn block(&mut self, block: &Block) -> Result<(), EncodeError> {
        match block {
            Block::Text { text, align, bold, large } => {
                self.style(*align, *bold, *large);
                let width = usize::from(self.profile.columns) / if *large { 2 } else { 1 };
                for paragraph in text.split('\n') {
                    for line in wrap(paragraph.strip_suffix('\r').unwrap_or(paragraph), width) {
                        self.line(line);
                    }
                }
            }
            Block::Columns { left, right, bold } => {
                self.style(Align::Left, *bold, false);
                self.columns(left, right);
            }
            Block::Rule => {
                self.style(Align::Left, false, false);
                self.fill(b'-', usize::from(self.profile.columns));
                self.out.push(b'\n');
            }
            // ESC d n: print and feed n lines.
            Block::Feed(lines) => self.out.extend_from_slice(&[0x1b, b'd', *lines]),
            Block::Barcode(data) => {
                self.style(Align::Center, false, false);
                barcode::write(data, self.profile, &mut self.out)?;
                self.space();
            }
            Block::Qr(data) => {
                self.style(Align::Center, false, false);
                self.space();
                qr::write(data, self.profile, &mut self.out)?;
                self.space();
            }
            Block::Image(picture) => {
                self.style(Align::Center, false, false);
                raster::write(picture, self.profile, &mut self.out)?;
            }
        }
        Ok(())
    }

    fn columns(&mut self, left: &str, right: &str) {
        let width = usize::from(self.profile.columns);
        let right_width = columns_of(right);
        if right_width + 1 + NARROWEST_LEFT > width {
            for line in wrap(left, width) {
                self.line(line);
            }
            for line in wrap(right, width) {
                self.fill(b' ', width - columns_of(line));
                self.line(line);
            }
            return;
        }
        let left_width = width - right_width - 1;
        for (number, line) in wrap(left, left_width).enumerate() {
            self.speller.write(line, &mut self.out);
            if number == 0 {
                self.fill(b' ', width - columns_of(line) - right_width);
                self.speller.write(right, &mut self.out);
            }
            self.out.push(b'\n');
        }
    }

    /// ESC J: the light margin that readers need around a code.
    fn space(&mut self) {
        self.out.extend_from_slice(&[0x1b, b'J', SPACE]);
    }

    fn line(&mut self, line: &str) {
        self.speller.write(line, &mut self.out);
        self.out.push(b'\n');
    }

    fn fill(&mut self, byte: u8, count: usize) {
        self.out.resize(self.out.len() + count, byte);
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
            self.out.extend_from_slice(&[0x1b, b'a', n]); // ESC a: justification
        }
        if self.bold != bold {
            self.bold = bold;
            self.out.extend_from_slice(&[0x1b, b'E', u8::from(bold)]); // ESC E: emphasised
        }
        if self.large != large {
            self.large = large;
            self.out.extend_from_slice(&[0x1d, b'!', if large { 0x11 } else { 0 }]); // GS !: character size
        }
    }
}
