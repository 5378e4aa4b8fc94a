//! A cut receipt as a picture.

use std::io::Cursor;

use image::{GrayImage, ImageFormat, Luma};

/// A cut piece of paper: `width` dots a row, 1 is black.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    pub width: usize,
    pub dots: Vec<u8>,
}

impl Sheet {
    pub fn height(&self) -> usize {
        self.dots.len().checked_div(self.width).unwrap_or(0)
    }

    pub fn is_black(&self, x: usize, y: usize) -> bool {
        x < self.width && self.dots.get(y * self.width + x).is_some_and(|dot| *dot != 0)
    }
}

const TABLE: u8 = 0xD8;
const PAPER: u8 = 0xFC;
const INK: u8 = 0x1C;
/// Paper beside what the head reaches: 80 mm paper has 72 mm of dots.
const MARGIN: usize = 32;
const BORDER: usize = 24;
const SHADOW: usize = 10;
/// Height of the teeth the cutter leaves.
const TOOTH: usize = 6;

/// Draws the sheet on a table, with margins, the cutter's teeth and a shadow.
pub fn png(sheet: &Sheet) -> Result<Vec<u8>, image::ImageError> {
    let (paper_width, paper_height) = (sheet.width + 2 * MARGIN, sheet.height() + 2 * TOOTH);
    let (width, height) = (paper_width + 2 * BORDER, paper_height + 2 * BORDER);
    let picture = GrayImage::from_fn(width as u32, height as u32, |x, y| {
        let (x, y) = (x as usize, y as usize);
        let on_paper = |x: usize, y: usize| {
            let (Some(x), Some(y)) = (x.checked_sub(BORDER), y.checked_sub(BORDER)) else { return false };
            let tooth = (x % (2 * TOOTH)).abs_diff(TOOTH);
            x < paper_width && y >= tooth && y + tooth < paper_height
        };
        let shade = if on_paper(x, y) {
            let dot = x.checked_sub(BORDER + MARGIN).zip(y.checked_sub(BORDER + TOOTH));
            if dot.is_some_and(|(x, y)| sheet.is_black(x, y)) { INK } else { PAPER }
        } else {
            let near = (1..=SHADOW).find(|d| on_paper(x.saturating_sub(*d), y.saturating_sub(*d)));
            near.map_or(TABLE, |d| TABLE - (SHADOW - d) as u8 * 5)
        };
        Luma([shade])
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_shows_the_dots_inside_a_margin() {
        let mut sheet = Sheet { width: 16, dots: vec![0; 16 * 20] };
        sheet.dots[5 * 16 + 3] = 1;
        let picture = image::load_from_memory(&png(&sheet).unwrap()).unwrap().to_luma8();
        let at = |x: usize, y: usize| picture.get_pixel(x as u32, y as u32).0[0];
        assert_eq!(at(BORDER + MARGIN + 3, BORDER + TOOTH + 5), INK);
        assert_eq!(at(BORDER + MARGIN + 4, BORDER + TOOTH + 5), PAPER);
        assert_eq!(at(0, 0), TABLE);
    }
}
