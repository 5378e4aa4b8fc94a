//! Pictures (`GS v 0`).

use std::io::Cursor;

use image::{GrayImage, ImageReader, Limits, Luma, imageops};

use super::{encode::EncodeError, profile::Profile};

/// Printers with small memories take at most this many rows at a time.
const SLICE: u32 = 255;
/// Two metres of paper.
const LONGEST: u32 = 16_000;

/// Decodes, flattens on white, scales down to the paper's width, dithers.
pub(super) fn write(picture: &[u8], profile: &Profile, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut gray = decode(picture)?;
    let width = u32::from(profile.dots);
    if gray.width() > width {
        let height = (u64::from(gray.height()) * u64::from(width)).div_ceil(u64::from(gray.width()));
        let height = u32::try_from(height).unwrap_or(u32::MAX).max(1);
        gray = imageops::resize(&gray, width, height, imageops::FilterType::Triangle);
    }
    if gray.height() > LONGEST {
        return Err(EncodeError::ImageTooLong);
    }
    imageops::dither(&mut gray, &imageops::BiLevel);
    let row_bytes = gray.width().div_ceil(8);
    let [x_low, x_high] = u16::try_from(row_bytes).map_err(|_| EncodeError::ImageTooLong)?.to_le_bytes();
    let mut top = 0;
    while top < gray.height() {
        let rows = SLICE.min(gray.height() - top);
        // GS v 0, normal size.
        out.extend_from_slice(&[0x1d, b'v', b'0', 0, x_low, x_high, rows as u8, 0]);
        for y in top..top + rows {
            pack_row(&gray, y, row_bytes, out);
        }
        top += rows;
    }
    Ok(())
}

/// Black dots are ones, the leftmost in the highest bit.
fn pack_row(gray: &GrayImage, y: u32, row_bytes: u32, out: &mut Vec<u8>) {
    for x in 0..row_bytes {
        let mut byte = 0;
        for bit in 0..8 {
            let dot = 8 * x + bit;
            if dot < gray.width() && gray.get_pixel(dot, y).0[0] < 128 {
                byte |= 0x80 >> bit;
            }
        }
        out.push(byte);
    }
}

fn decode(picture: &[u8]) -> Result<GrayImage, EncodeError> {
    let mut reader =
        ImageReader::new(Cursor::new(picture)).with_guessed_format().map_err(|e| EncodeError::Image(e.into()))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(10_000);
    limits.max_image_height = Some(40_000);
    limits.max_alloc = Some(64 * 1024 * 1024);
    reader.limits(limits);
    let picture = reader.decode()?.into_luma_alpha8();
    Ok(GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [gray, alpha] = picture.get_pixel(x, y).0.map(u32::from);
        Luma([((gray * alpha + 255 * (255 - alpha)) / 255) as u8])
    }))
}
