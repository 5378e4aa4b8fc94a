//! The printer's fonts: Spleen by Frederic Cambus (BSD 2-clause), 12x24 as font A and 8x16 in a 9x17 cell as font B.

use std::{collections::HashMap, sync::LazyLock};

/// Rows of dots; the leftmost dot is the highest of `width` bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glyph {
    pub(crate) width: usize,
    pub(crate) rows: Vec<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Font {
    #[default]
    A,
    B,
}

static FONT_A: LazyLock<HashMap<char, Glyph>> = LazyLock::new(|| psf2(spleen_font::FONT_12X24).unwrap_or_default());
static FONT_B: LazyLock<HashMap<char, Glyph>> = LazyLock::new(|| psf1(spleen_font::FONT_8X16).unwrap_or_default());

impl Font {
    pub(crate) fn width(self) -> usize {
        match self {
            Self::A => 12,
            Self::B => 9,
        }
    }

    pub(crate) fn height(self) -> usize {
        match self {
            Self::A => 24,
            Self::B => 17,
        }
    }

    /// A character the font lacks shows as an empty box, as a person would see it on the paper.
    pub(crate) fn glyph(self, c: char) -> Glyph {
        let table = match self {
            Self::A => &*FONT_A,
            Self::B => &*FONT_B,
        };
        let cell = (self.width(), self.height());
        let Some(glyph) = table.get(&stand_in(c)) else { return tofu(cell.0, cell.1) };
        let mut rows = glyph.rows.iter().map(|row| row << (cell.0 - glyph.width)).collect::<Vec<_>>();
        rows.resize(cell.1, 0);
        Glyph { width: cell.0, rows }
    }
}

/// Characters of the code pages that the font draws under another name.
fn stand_in(c: char) -> char {
    match c {
        '\u{2014}' => '\u{2500}',
        '\u{201A}' => ',',
        '\u{02C6}' => '^',
        '\u{2219}' => '\u{B7}',
        '\u{25A0}' => '\u{2588}',
        '\u{2017}' => '_',
        '\u{A0}' => ' ',
        other => other,
    }
}

fn tofu(width: usize, height: usize) -> Glyph {
    let full = (1u16 << (width - 2)) - 2;
    let sides = (1 << (width - 2)) | 2;
    let row = |y: usize| match y {
        _ if y < 3 || y > height - 4 => 0,
        _ if y == 3 || y == height - 4 => full | sides,
        _ => sides,
    };
    Glyph { width, rows: (0..height).map(row).collect() }
}

/// PSF 2: a header of 32 bytes, the glyphs, then for each glyph its characters in UTF-8 up to 0xFF.
fn psf2(file: &[u8]) -> Option<HashMap<char, Glyph>> {
    let word = |at: usize| Some(u32::from_le_bytes(file.get(at..at + 4)?.try_into().ok()?) as usize);
    let (start, count, size, width) = (word(8)?, word(16)?, word(20)?, word(28)?);
    let mut names = file.get(start + count * size..)?.split(|byte| *byte == 0xFF);
    let mut table = HashMap::new();
    for bitmap in file.get(start..start + count * size)?.chunks(size) {
        let rows = bitmap.chunks(width.div_ceil(8)).map(|row| {
            let bits = row.iter().fold(0u16, |bits, byte| bits << 8 | u16::from(*byte));
            bits >> (row.len() * 8 - width)
        });
        let glyph = Glyph { width, rows: rows.collect() };
        // After 0xFE come sequences of several characters, which no code page has.
        let single = names.next()?.split(|byte| *byte == 0xFE).next()?;
        for c in std::str::from_utf8(single).ok()?.chars() {
            table.insert(c, glyph.clone());
        }
    }
    Some(table)
}

/// PSF 1: a header of 4 bytes, glyphs 8 dots wide, then for each its characters in UTF-16 up to 0xFFFF.
fn psf1(file: &[u8]) -> Option<HashMap<char, Glyph>> {
    let (mode, height) = (*file.get(2)?, usize::from(*file.get(3)?));
    let count = if mode & 1 == 1 { 512 } else { 256 };
    let units: Vec<u16> =
        file.get(4 + count * height..)?.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    let mut names = units.split(|unit| *unit == 0xFFFF);
    let mut table = HashMap::new();
    for bitmap in file.get(4..4 + count * height)?.chunks(height) {
        let glyph = Glyph { width: 8, rows: bitmap.iter().map(|row| u16::from(*row)).collect() };
        for unit in names.next()?.split(|unit| *unit == 0xFFFE).next()? {
            if let Some(c) = char::from_u32(u32::from(*unit)) {
                table.insert(c, glyph.clone());
            }
        }
    }
    Some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_fonts_have_latin_1_and_the_euro_sign() {
        for font in [Font::A, Font::B] {
            for c in (0x21..0x7F).chain(0xA1..0x100).filter_map(char::from_u32).chain(['€', 'Œ', 'š']) {
                assert_ne!(font.glyph(c), tofu(font.width(), font.height()), "{font:?} lacks {c}");
            }
        }
    }

    #[test]
    fn an_l_is_a_vertical_bar_with_a_foot() {
        let glyph = Font::A.glyph('L');
        let ink: Vec<u32> = glyph.rows.iter().map(|row| row.count_ones()).filter(|ink| *ink > 0).collect();
        assert!(ink.len() > 10 && ink[0] == ink[1] && ink[ink.len() - 1] > ink[0]);
    }
}
