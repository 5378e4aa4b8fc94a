//! The fonts of drawn text: Spleen by Frederic Cambus (BSD 2-clause), 12 x 24 and 16 x 32 dots.

use std::{collections::HashMap, sync::LazyLock};

use super::codepage::plainer;

pub(super) struct Font {
    pub(super) width: u32,
    pub(super) height: u32,
    glyphs: HashMap<char, usize>,
    data: &'static [u8],
}

static SMALL: LazyLock<Font> = LazyLock::new(|| Font::read(spleen_font::FONT_12X24, 12, 24));
static LARGE: LazyLock<Font> = LazyLock::new(|| Font::read(spleen_font::FONT_16X32, 16, 32));

impl Font {
    /// About 3 mm high at either density.
    pub(super) fn for_dpi(dpi: u16) -> &'static Self {
        if dpi > 250 { &LARGE } else { &SMALL }
    }

    /// PSF2: eight little-endian words (magic, version, header size, flags, glyphs, bytes a glyph, height, width), the
    /// glyphs, then each one's characters in UTF-8 up to a byte 0xff; 0xfe begins sequences, which are not used here.
    fn read(data: &'static [u8], width: u32, height: u32) -> Self {
        let word = |at: usize| {
            data.get(at * 4..at * 4 + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize)
        };
        let (header, count, size) = (word(2), word(4), word(5));
        let mut glyphs = HashMap::new();
        let names = data.get(header + count * size..).unwrap_or_default();
        for (number, list) in names.split(|b| *b == 0xff).take(count).enumerate() {
            let single = list.split(|b| *b == 0xfe).next().unwrap_or_default();
            for c in String::from_utf8_lossy(single).chars() {
                glyphs.entry(c).or_insert(header + number * size);
            }
        }
        Self { width, height, glyphs, data }
    }

    /// Rows of a character, the leftmost dot in bit 15. What the font lacks prints as `?`.
    pub(super) fn rows(&self, c: char) -> impl Iterator<Item = u16> + '_ {
        let plain = || plainer(c).map(char::from);
        let known = |c: char| self.glyphs.get(&c);
        let c = if c.is_control() { ' ' } else { c };
        let at = known(c).or_else(|| plain().and_then(known)).or_else(|| known('?')).copied();
        let glyph = at.and_then(|at| self.data.get(at..at + 2 * self.height as usize)).unwrap_or_default();
        glyph.chunks_exact(2).map(|row| u16::from_be_bytes([row[0], row[1]]))
    }
}
