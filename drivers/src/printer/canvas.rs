//! A document as one picture, for printers that print nothing else: labels look the same on every one of them, whatever
//! fonts and code pages it has, and a module of a code is always a whole number of dots.

use fast_qr::{ECL, QRBuilder};

use super::{
    Align, Block, Document, bars,
    bitmap::{self, Bitmap, LONGEST},
    error::EncodeError,
    font::Font,
    layout::{columns_of, wrap},
    profile::Profile,
};

/// Light space before and after a one-dimensional symbol, in modules, together.
const QUIET: usize = 20;
/// The same around a QR code, on each side (ISO/IEC 18004, 9.1).
const QR_QUIET: u32 = 4;

/// As wide as the paper, as long as the document or, where the label has a length, as that.
pub(super) fn draw(document: &Document, profile: &Profile) -> Result<Bitmap, EncodeError> {
    if document.blocks.is_empty() {
        return Err(EncodeError::Empty);
    }
    let mut canvas = Canvas::new(profile, u32::from(profile.dots));
    for block in &document.blocks {
        canvas.block(block)?;
    }
    canvas.finish(u32::from(profile.label_dots))
}

/// A strip of tape: as high as the tape, as long as the longest line, in the order in which it leaves the printer.
pub(super) fn draw_tape(document: &Document, profile: &Profile) -> Result<Bitmap, EncodeError> {
    if document.blocks.is_empty() {
        return Err(EncodeError::Empty);
    }
    let font = Font::for_dpi(profile.dpi);
    let longest = document.blocks.iter().map(|block| match block {
        Block::Text { text, large, .. } => {
            let columns = text.lines().map(columns_of).max().unwrap_or(0) as u32;
            columns * font.width * if *large { 2 } else { 1 }
        }
        Block::Columns { left, right, .. } => (columns_of(left) + columns_of(right) + 2) as u32 * font.width,
        Block::Barcode(data) => bars::modules(data).map_or(0, |m| (m.len() + QUIET) as u32 * 2),
        Block::Qr(_) => u32::from(profile.dots),
        Block::Image(_) => 4 * u32::from(profile.dots),
        Block::Rule | Block::Feed(_) => 0,
    });
    let width = longest.max().unwrap_or(0).clamp(u32::from(profile.dots), 4_000);
    let mut canvas = Canvas::new(profile, width);
    canvas.y = 0;
    for block in &document.blocks {
        canvas.block(block)?;
    }
    Ok(canvas.finish(u32::from(profile.dots))?.turned())
}

/// One bar code as a picture, for languages that have text of their own.
pub(super) fn draw_block(block: &Block, profile: &Profile) -> Result<Bitmap, EncodeError> {
    let mut canvas = Canvas::new(profile, u32::from(profile.dots));
    canvas.y = 0;
    canvas.block(block)?;
    canvas.finish(0)
}

struct Canvas<'a> {
    profile: &'a Profile,
    font: &'static Font,
    dots: Bitmap,
    y: u32,
}

impl<'a> Canvas<'a> {
    fn new(profile: &'a Profile, width: u32) -> Self {
        let dots = Bitmap::new(width, 0);
        Self { profile, font: Font::for_dpi(profile.dpi), dots, y: u32::from(profile.margin_dots) }
    }

    fn finish(mut self, height: u32) -> Result<Bitmap, EncodeError> {
        if self.y > LONGEST {
            return Err(EncodeError::ImageTooLong);
        }
        let height = if height == 0 { self.y.max(1) } else { height };
        self.grow(height);
        Ok(self.dots.with_height(height))
    }

    /// Room down to `height`.
    fn grow(&mut self, height: u32) {
        if height > self.dots.height {
            let dots = std::mem::replace(&mut self.dots, Bitmap::new(0, 0));
            self.dots = dots.with_height(height.min(2 * LONGEST));
        }
    }

    fn take(&mut self, height: u32) -> u32 {
        let top = self.y;
        self.y = self.y.saturating_add(height).min(2 * LONGEST);
        self.grow(self.y);
        top
    }

    fn block(&mut self, block: &Block) -> Result<(), EncodeError> {
        match block {
            Block::Text { text, align, bold, large } => {
                let size = if *large { 2 } else { 1 };
                let columns = (self.dots.width / (self.font.width * size)) as usize;
                for paragraph in text.split('\n') {
                    for line in wrap(paragraph.strip_suffix('\r').unwrap_or(paragraph), columns) {
                        self.line(line, *align, *bold, size);
                    }
                }
            }
            Block::Columns { left, right, bold } => self.columns(left, right, *bold),
            Block::Rule => {
                let top = self.take(self.font.height);
                let thick = (u32::from(self.profile.dpi) / 100).max(1);
                self.dots.fill(0, top + self.font.height / 2, self.dots.width, thick);
            }
            Block::Feed(lines) => drop(self.take(u32::from(*lines) * self.font.height)),
            Block::Barcode(data) => self.barcode(data)?,
            Block::Qr(data) => self.qr(data)?,
            Block::Image(picture) => {
                let picture = bitmap::picture(picture, bitmap::fit(self.dots.width.min(10_000) as u16))?;
                let top = self.take(picture.height);
                self.dots.draw(&picture, (self.dots.width - picture.width) / 2, top);
            }
        }
        if self.y > LONGEST { Err(EncodeError::ImageTooLong) } else { Ok(()) }
    }

    fn line(&mut self, text: &str, align: Align, bold: bool, size: u32) {
        let width = columns_of(text) as u32 * self.font.width * size;
        let room = self.dots.width.saturating_sub(width);
        let left = match align {
            Align::Left => 0,
            Align::Center => room / 2,
            Align::Right => room,
        };
        let top = self.take(self.font.height * size);
        self.text(text, left, top, bold, size);
    }

    fn columns(&mut self, left: &str, right: &str, bold: bool) {
        let columns = (self.dots.width / self.font.width) as usize;
        let right_width = columns_of(right);
        if right_width + 9 > columns {
            wrap(left, columns).for_each(|line| self.line(line, Align::Left, bold, 1));
            wrap(right, columns).for_each(|line| self.line(line, Align::Right, bold, 1));
            return;
        }
        for (number, line) in wrap(left, columns - right_width - 1).enumerate() {
            let top = self.take(self.font.height);
            self.text(line, 0, top, bold, 1);
            if number == 0 {
                let x = self.dots.width - right_width as u32 * self.font.width;
                self.text(right, x, top, bold, 1);
            }
        }
    }

    fn text(&mut self, text: &str, left: u32, top: u32, bold: bool, size: u32) {
        let font = self.font;
        for (column, c) in text.chars().enumerate() {
            let x0 = left + column as u32 * font.width * size;
            for (y, row) in font.rows(c).enumerate() {
                let row = if bold { row | row >> 1 } else { row };
                for x in (0..font.width).filter(|x| row & 0x8000 >> x != 0) {
                    self.dots.fill(x0 + x * size, top + y as u32 * size, size, size);
                }
            }
        }
    }

    fn barcode(&mut self, data: &str) -> Result<(), EncodeError> {
        let modules = bars::modules(data)?;
        let widest = (u32::from(self.profile.dpi) / 70).max(2);
        let module = (1..=widest)
            .rev()
            .find(|module| (modules.len() + QUIET) as u32 * module <= self.dots.width)
            .ok_or(EncodeError::BarcodeTooLong)?;
        let height = u32::from(self.profile.dpi) * 2 / 5;
        let left = (self.dots.width - modules.len() as u32 * module) / 2;
        let top = self.take(height + self.font.height / 4);
        for (number, _) in modules.iter().enumerate().filter(|(_, black)| **black) {
            self.dots.fill(left + number as u32 * module, top, module, height);
        }
        self.line(data, Align::Center, false, 1);
        let _ = self.take(self.font.height / 2);
        Ok(())
    }

    fn qr(&mut self, data: &str) -> Result<(), EncodeError> {
        if data.is_empty() {
            return Err(EncodeError::QrEmpty);
        }
        let code = QRBuilder::new(data).ecl(ECL::M).build();
        let code = code.map_err(|_| EncodeError::QrTooLong { bytes: data.len() })?;
        let side = code.size as u32 + 2 * QR_QUIET;
        let largest = (u32::from(self.profile.dpi) / 33).max(2);
        let module = (self.dots.width / side).min(largest);
        if module == 0 {
            return Err(EncodeError::BarcodeTooLong);
        }
        let left = (self.dots.width - side * module) / 2 + QR_QUIET * module;
        let top = self.take(side * module) + QR_QUIET * module;
        for y in 0..code.size {
            for (x, _) in code[y].iter().take(code.size).enumerate().filter(|(_, dot)| dot.value()) {
                self.dots.fill(left + x as u32 * module, top + y as u32 * module, module, module);
            }
        }
        Ok(())
    }
}
