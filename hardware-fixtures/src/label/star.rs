//! Reader of Star Line Mode and StarPRNT: text, raster, cut, drawer, automatic status.

use super::{Query, Reader, Understood, parse::Page};
use crate::printer::{Font, character};

const ESC: u8 = 0x1b;

pub(super) struct Star {
    dots: usize,
    page: Page,
    word: Vec<u8>,
    line: String,
    text: String,
    align: u8,
    large: bool,
    bold: bool,
    page_number: u8,
    raster: bool,
}

impl Star {
    pub(super) fn new(dots: usize) -> Self {
        Self {
            dots,
            page: Page::new(dots),
            word: Vec::new(),
            line: String::new(),
            text: String::new(),
            align: 0,
            large: false,
            bold: false,
            page_number: 0,
            raster: false,
        }
    }

    fn print_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let size = if self.large { 2 } else { 1 };
        let width = line.chars().count() * 12 * size;
        let room = self.dots.saturating_sub(width);
        let left = match self.align {
            1 => room / 2,
            2 => room,
            _ => 0,
        };
        let top = self.page.height();
        self.page.feed(30 * size);
        for (column, c) in line.chars().enumerate() {
            for (y, row) in Font::A.glyph(c).rows.iter().enumerate() {
                for x in (0..12).filter(|x| row >> (11 - x) & 1 == 1) {
                    for (dx, dy) in (0..size * size).map(|n| (n % size, n / size)) {
                        let x = left + (column * 12 + x) * size + dx;
                        // One dot: the highest bit of a byte.
                        self.page.place(x, top + y * size + dy, 1, &[0x80], 1);
                        if self.bold {
                            self.page.place(x + 1, top + y * size + dy, 1, &[0x80], 1);
                        }
                    }
                }
            }
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// Whether the command is complete.
    fn command(&mut self, out: &mut Vec<Understood>) -> bool {
        match self.word[..] {
            [ESC] | [ESC, 0x1e | 0x1d | b'i' | b'd' | b'a' | b'*' | 0x07] => return false,
            [ESC, 0x1e, _] | [ESC, 0x1d, b'a' | b't'] | [ESC, b'i', _] | [ESC, 0x07, _] => return false,
            [ESC, b'*', b'r'] | [ESC, b'*', b'r', b'P' | b'E' | b'F' | b'Y'] => return false,
            [ESC, b'*', b'r', b'P' | b'E' | b'F' | b'Y', .., last] if last != 0 => return false,
            [ESC, b'@'] => {
                let (text, page) = (std::mem::take(&mut self.text), std::mem::take(&mut self.page));
                *self = Self { text, page, ..Self::new(self.dots) };
                return true;
            }
            [ESC, 0x1e, b'a', _] => out.push(Understood::Query(Query::StarStatus)),
            [ESC, 0x1e, b'E', _] => out.push(Understood::Query(Query::StarResetCount)),
            [ESC, 0x1d, b'a', n] => self.align = n,
            [ESC, 0x1d, b't', n] => self.page_number = n,
            [ESC, b'E'] => self.bold = true,
            [ESC, b'F'] => self.bold = false,
            [ESC, b'i', n, _] => self.large = n > 0,
            [ESC, b'a', lines] => self.page.feed(30 * usize::from(lines)),
            [ESC, b'*', b'r', b'A'] => self.raster = true,
            [ESC, b'*', b'r', b'B'] => self.raster = false,
            [ESC, b'*', b'r', b'P' | b'E' | b'F' | b'Y', ..] | [ESC, 0x07, _, _] => {}
            [ESC, b'd', _] => {
                let (sheet, text) = (self.page.take(), std::mem::take(&mut self.text));
                out.push(Understood::Print { sheet, text, copies: 1, then: Vec::new() });
            }
            _ => out.push(Understood::Problem(format!("{:02x?}", self.word))),
        }
        true
    }
}

impl Reader for Star {
    fn push(&mut self, byte: u8, out: &mut Vec<Understood>) {
        if self.raster
            && self.word.first().is_none_or(|first| *first == b'b')
            && (byte == b'b' || !self.word.is_empty())
        {
            self.word.push(byte);
            if let [b'b', low, high, ..] = self.word[..] {
                let bytes = usize::from(low) + 256 * usize::from(high);
                if self.word.len() == 3 + bytes {
                    let (row, top) = (self.word.split_off(3), self.page.height());
                    self.page.place(0, top, bytes, &row, 1);
                    self.word.clear();
                }
            }
            return;
        }
        if !self.word.is_empty() || byte == ESC {
            self.word.push(byte);
            if self.command(out) {
                self.word.clear();
            }
            return;
        }
        match byte {
            b'\n' => self.print_line(),
            0x07 | 0x1a => out.push(Understood::Drawer),
            0x17 => out.push(Understood::Count),
            // Star's numbers of code pages, as the numbers of the fonts' tables.
            byte => {
                let page = match self.page_number {
                    32 => 16,
                    5 => 18,
                    10 => 17,
                    _ => 19,
                };
                self.line.push(character(byte, page, 0));
            }
        }
    }

    fn reset(&mut self) {
        *self = Self::new(self.dots);
        debug_assert!(self.page.is_empty());
    }
}
