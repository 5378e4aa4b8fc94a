//! Lines laid out on paper, in dots.

use super::{
    barcode,
    font::{Font, Glyph},
    picture::Sheet,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Align {
    #[default]
    Left,
    Centre,
    Right,
}

/// How the next characters look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) font: Font,
    pub(crate) wide: usize,
    pub(crate) high: usize,
    pub(crate) bold: bool,
    pub(crate) underline: usize,
    pub(crate) inverse: bool,
    pub(crate) spacing: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { font: Font::A, wide: 1, high: 1, bold: false, underline: 0, inverse: false, spacing: 0 }
    }
}

/// A rectangle of dots, 1 is black.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bitmap {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) dots: Vec<u8>,
}

impl Bitmap {
    pub(crate) fn from_fn(width: usize, height: usize, black: impl Fn(usize, usize) -> bool) -> Self {
        let dots = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| u8::from(black(x, y)));
        Self { width, height, dots: dots.collect() }
    }

    fn from_glyph(glyph: &Glyph, style: Style) -> Self {
        let (width, height) = ((glyph.width + style.spacing) * style.wide, glyph.rows.len() * style.high);
        Self::from_fn(width, height, |x, y| {
            let row = glyph.rows[y / style.high];
            let column = x / style.wide;
            let ink = |column: usize| column < glyph.width && row >> (glyph.width - 1 - column) & 1 == 1;
            let struck = ink(column) || (style.bold && column > 0 && ink(column - 1));
            (struck || y + style.underline >= height) != style.inverse
        })
    }
}

/// Graphics data as ESC/POS sends it, row by row, eight dots a byte, drawn `sx` by `sy` times as large.
pub(crate) fn raster(row_bytes: usize, rows: usize, data: &[u8], sx: usize, sy: usize) -> Bitmap {
    Bitmap::from_fn(row_bytes * 8 * sx, rows * sy, |x, y| {
        let (x, y) = (x / sx, y / sy);
        data.get(y * row_bytes + x / 8).is_some_and(|byte| byte >> (7 - x % 8) & 1 == 1)
    })
}

/// The columns of ESC *: 8 dots a byte, or 24 dots in three.
pub(crate) fn columns(mode: u8, data: &[u8]) -> Bitmap {
    let (bytes, sx) = (if mode >= 32 { 3 } else { 1 }, if mode & 1 == 0 { 2 } else { 1 });
    Bitmap::from_fn(data.len() / bytes * sx, 24, |x, y| {
        let row = y * bytes / 3;
        data[x / sx * bytes + row / 8] >> (7 - row % 8) & 1 == 1
    })
}

#[derive(Debug)]
pub(crate) struct Paper {
    width: usize,
    dots: Vec<u8>,
    line: Vec<(usize, Bitmap)>,
    line_text: String,
    x: usize,
    pub(crate) align: Align,
    pub(crate) line_spacing: usize,
    pub(crate) left_margin: usize,
    pub(crate) area: usize,
    text: String,
}

pub(crate) const LINE_SPACING: usize = 30;

impl Paper {
    pub(crate) fn new(width: usize) -> Self {
        Self {
            width,
            dots: Vec::new(),
            line: Vec::new(),
            line_text: String::new(),
            x: 0,
            align: Align::Left,
            line_spacing: LINE_SPACING,
            left_margin: 0,
            area: width,
            text: String::new(),
        }
    }

    /// As ESC @ leaves it: what is in the line is lost.
    pub(crate) fn reset_format(&mut self) {
        self.line.clear();
        self.line_text.clear();
        self.x = 0;
        self.align = Align::Left;
        self.line_spacing = LINE_SPACING;
        self.left_margin = 0;
        self.area = self.width;
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn height(&self) -> usize {
        self.dots.len() / self.width
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn line_is_empty(&self) -> bool {
        self.line.is_empty()
    }

    fn room(&self) -> usize {
        self.area.min(self.width.saturating_sub(self.left_margin))
    }

    pub(crate) fn character(&mut self, c: char, style: Style) {
        let bitmap = Bitmap::from_glyph(&style.font.glyph(c), style);
        if self.x > 0 && self.x + bitmap.width > self.room() {
            self.line_feed();
        }
        self.line_text.push(c);
        self.place(bitmap);
    }

    /// Column graphics stand in the line like characters.
    pub(crate) fn place(&mut self, bitmap: Bitmap) {
        let width = bitmap.width;
        self.line.push((self.x, bitmap));
        self.x += width;
    }

    pub(crate) fn tab_to(&mut self, x: usize) {
        let spaces = x.saturating_sub(self.x) / Font::A.width();
        self.line_text.extend(std::iter::repeat_n(' ', spaces));
        self.x = self.x.max(x);
    }

    pub(crate) fn move_to(&mut self, x: usize) {
        self.tab_to(x);
        self.x = x;
    }

    pub(crate) fn position(&self) -> usize {
        self.x
    }

    /// Prints the line and feeds by the line spacing, or by the tallest thing in the line.
    pub(crate) fn line_feed(&mut self) {
        let height = self.print_line();
        self.feed(self.line_spacing.saturating_sub(height));
        self.text.push_str(self.line_text.trim_end());
        self.text.push('\n');
        self.line_text.clear();
    }

    /// Prints the line and feeds by `dots` instead of the line spacing.
    pub(crate) fn print_and_feed(&mut self, dots: usize) {
        if self.line.is_empty() {
            return self.feed(dots);
        }
        let height = self.print_line();
        self.feed(dots.saturating_sub(height));
        self.text.push_str(self.line_text.trim_end());
        self.text.push('\n');
        self.line_text.clear();
    }

    fn print_line(&mut self) -> usize {
        let height = self.line.iter().map(|(_, bitmap)| bitmap.height).max().unwrap_or(0);
        let indent = self.indent(self.x);
        let top = self.height();
        self.feed(height);
        for (x, bitmap) in std::mem::take(&mut self.line) {
            self.blit(indent + x, top + height - bitmap.height, &bitmap);
        }
        self.x = 0;
        height
    }

    fn indent(&self, width: usize) -> usize {
        let spare = self.room().saturating_sub(width);
        self.left_margin
            + match self.align {
                Align::Left => 0,
                Align::Centre => spare / 2,
                Align::Right => spare,
            }
    }

    pub(crate) fn feed(&mut self, dots: usize) {
        self.dots.resize(self.dots.len() + dots * self.width, 0);
    }

    /// Prints a picture at once, below the line; `note` is what it is in the plain text.
    pub(crate) fn picture(&mut self, bitmap: &Bitmap, note: &str) {
        if !self.line.is_empty() {
            self.line_feed();
        }
        let top = self.height();
        self.feed(bitmap.height);
        self.blit(self.indent(bitmap.width), top, bitmap);
        // Slices of one picture make one note.
        if !note.is_empty() && !self.text.ends_with(&format!("{note}\n")) {
            self.text.push_str(note);
            self.text.push('\n');
        }
    }

    fn blit(&mut self, left: usize, top: usize, bitmap: &Bitmap) {
        for (y, row) in bitmap.dots.chunks(bitmap.width.max(1)).enumerate() {
            for (x, dot) in row.iter().enumerate().filter(|(x, _)| left + x < self.width) {
                self.dots[(top + y) * self.width + left + x] |= dot;
            }
        }
    }

    /// Bars with their text above (1), below (2) or both (3).
    pub(crate) fn barcode(&mut self, bars: &barcode::Bars, module: usize, height: usize, text: u8, font: Font) {
        let width = bars.modules.len() * module;
        if width > self.room() {
            // As the printer does: a code that does not fit is not printed.
            let nothing = Bitmap { width: 0, height: 0, dots: Vec::new() };
            return self.picture(&nothing, &format!("[{} too wide]", bars.name));
        }
        let bitmap = Bitmap::from_fn(width, height, |x, _| bars.modules[x / module]);
        let note = format!("[{} {}]", bars.name, bars.text);
        let label = |paper: &mut Self| {
            let (align, text_width) = (paper.align, bars.text.chars().count() * font.width());
            let left = paper.indent(width) + width.saturating_sub(text_width) / 2;
            let top = paper.height();
            paper.feed(font.height() + 2);
            for (i, c) in bars.text.chars().enumerate() {
                let style = Style { font, ..Style::default() };
                paper.blit(left + i * font.width(), top + 1, &Bitmap::from_glyph(&font.glyph(c), style));
            }
            paper.align = align;
        };
        if !self.line.is_empty() {
            self.line_feed();
        }
        if text & 1 != 0 {
            label(self);
        }
        self.picture(&bitmap, &note);
        if text & 2 != 0 {
            label(self);
        }
    }

    /// Cuts `inside` dots above the end: what is below stays in the printer and becomes the top of the next piece.
    pub(crate) fn cut(&mut self, inside: usize) -> (Sheet, String) {
        let keep = self.dots.len() - inside.min(self.height()) * self.width;
        let rest = self.dots.split_off(keep);
        let dots = std::mem::replace(&mut self.dots, rest);
        (Sheet { width: self.width, dots }, std::mem::take(&mut self.text))
    }
}
