//! Dots from the forms in which the languages send them.

use crate::printer::Sheet;

/// A page that grows downwards.
#[derive(Debug, Clone, Default)]
pub(super) struct Page {
    width: usize,
    rows: Vec<Vec<u8>>,
}

impl Page {
    pub(super) fn new(width: usize) -> Self {
        Self { width, rows: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bits of whole bytes at a place; what lies outside is lost.
    pub(super) fn place(&mut self, left: usize, top: usize, row_bytes: usize, data: &[u8], ink: u8) {
        for (y, row) in data.chunks(row_bytes.max(1)).enumerate() {
            while self.rows.len() <= top + y {
                self.rows.push(vec![0; self.width]);
            }
            for (x, black) in row.iter().flat_map(|b| (0..8).rev().map(move |bit| b >> bit & 1 == ink)).enumerate() {
                if black && left + x < self.width {
                    self.rows[top + y][left + x] = 1;
                }
            }
        }
    }

    pub(super) fn height(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn feed(&mut self, rows: usize) {
        self.rows.resize(self.rows.len() + rows, vec![0; self.width]);
    }

    pub(super) fn take(&mut self) -> Sheet {
        let rows = std::mem::take(&mut self.rows);
        Sheet { width: self.width, dots: rows.concat() }
    }
}

/// `^GFA` data: hexadecimal, or with the alternative compression scheme.
pub(super) fn zpl_graphic(text: &str, row_bytes: usize) -> Option<Vec<u8>> {
    let row = row_bytes * 2;
    let mut nibbles: Vec<u8> = Vec::new();
    let mut times = 0usize;
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        match c {
            'G'..='Z' => times += (c as usize) - ('G' as usize) + 1,
            'g'..='z' => times += 20 * ((c as usize) - ('g' as usize) + 1),
            ',' | '!' => {
                let fill = row - nibbles.len() % row;
                nibbles.extend(std::iter::repeat_n(if c == '!' { 15 } else { 0 }, fill));
            }
            ':' => {
                let start = nibbles.len().checked_sub(row)?;
                nibbles.extend_from_within(start..start + row);
            }
            _ => {
                let value = c.to_digit(16)? as u8;
                nibbles.extend(std::iter::repeat_n(value, times.max(1)));
                times = 0;
            }
        }
    }
    Some(nibbles.chunks(2).map(|n| n[0] << 4 | n.get(1).copied().unwrap_or(0)).collect())
}
