//! Pictures: `GS v 0`, or `ESC *` for printers that know only that.

use crate::printer::{
    bitmap::{self, Bitmap},
    error::EncodeError,
    profile::{Profile, Raster},
    setup::Column,
};

/// Printers with small memories take at most this many rows at a time.
const SLICE: usize = 255;

pub(super) fn write(picture: &[u8], profile: &Profile, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let dots = match Bitmap::from_pbm(picture) {
        Some(dots) if fits(&dots, profile) => dots,
        _ => dots(picture, profile)?,
    };
    match profile.raster {
        Raster::Column(column) => columns(&dots, column, profile, out),
        Raster::None => return Err(EncodeError::NoPictures),
        _ => slices(&dots, out),
    }
    Ok(())
}

/// Prepared for this printer already.
fn fits(dots: &Bitmap, profile: &Profile) -> bool {
    match profile.raster {
        Raster::Column(column) => dots.width <= across(column, profile),
        _ => dots.width <= u32::from(profile.dots),
    }
}

fn dots(picture: &[u8], profile: &Profile) -> Result<Bitmap, EncodeError> {
    match profile.raster {
        Raster::Column(column) => bitmap::picture(picture, |width, height| column_size(column, profile, width, height)),
        Raster::None => Err(EncodeError::NoPictures),
        _ => bitmap::picture(picture, bitmap::fit(profile.dots)),
    }
}

/// Dots across at this density.
fn across(column: Column, profile: &Profile) -> u32 {
    u32::from(profile.dots) / if column.high_horizontal { 1 } else { 2 }
}

/// Dots across and down differ with the density (reference, `ESC *`): a thermal printer's low density is a half of its
/// dots across and a third down, a dot-matrix printer has 72 dpi down.
fn column_size(column: Column, profile: &Profile, width: u32, height: u32) -> (u32, u32) {
    let dpi = u64::from(profile.dpi);
    let dpi_across = if column.high_horizontal { dpi } else { dpi / 2 };
    let dpi_down = match (profile.impact(), column.high_vertical) {
        (true, _) => 72,
        (false, true) => dpi,
        (false, false) => dpi / 3,
    };
    let wanted = u64::from(width) * u64::from(column.scale) / 100 * dpi_across / dpi;
    let new_width = wanted.clamp(1, u64::from(across(column, profile)));
    let new_height = (u64::from(height) * new_width * dpi_down).div_ceil(u64::from(width.max(1)) * dpi_across.max(1));
    (u32::try_from(new_width).unwrap_or(1), u32::try_from(new_height).unwrap_or(u32::MAX).max(1))
}

/// GS v 0, normal size.
fn slices(dots: &Bitmap, out: &mut Vec<u8>) {
    let row_bytes = dots.row_bytes();
    out.reserve(dots.rows.len() + 8 * dots.rows.len().div_ceil(row_bytes * SLICE));
    for slice in dots.rows.chunks(row_bytes * SLICE) {
        out.extend_from_slice(&[0x1d, b'v', b'0', 0, row_bytes as u8, (row_bytes >> 8) as u8]);
        out.extend_from_slice(&[(slice.len() / row_bytes) as u8, 0]);
        out.extend_from_slice(slice);
    }
}

/// ESC * m nL nH: strips of 8 or 24 dots, one column after the other, the topmost dot in the highest bit.
fn columns(dots: &Bitmap, column: Column, profile: &Profile, out: &mut Vec<u8>) {
    let strip = if column.high_vertical { 24 } else { 8 };
    let mode = u8::from(column.high_horizontal) + if column.high_vertical { 32 } else { 0 };
    // ESC 3: the height of a strip in motion units, 1/144 inch on dot-matrix and half a dot on thermal printers, where
    // a strip is 24 dots high either way.
    let spacing = if profile.impact() { 16 } else { 48 };
    out.extend_from_slice(&[0x1b, b'3', spacing]);
    let [low, high] = (dots.width as u16).to_le_bytes();
    for top in (0..dots.height).step_by(strip as usize) {
        out.extend_from_slice(&[0x1b, b'*', mode, low, high]);
        for x in 0..dots.width {
            for eight in (top..top + strip).step_by(8) {
                let bits = (eight..eight + 8).fold(0u8, |byte, y| byte << 1 | u8::from(dots.is_black(x, y)));
                out.push(bits);
            }
        }
        out.push(b'\n');
    }
    out.extend_from_slice(&[0x1b, b'2']); // ESC 2: the usual line spacing
}
