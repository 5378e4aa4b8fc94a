//! Pictures (`GS v 0`).

use std::io::Cursor;

use image::{GrayImage, ImageReader, Limits, Luma, imageops};

use super::{encode::EncodeError, profile::Profile};
use crate::printer::{Block, Document};

/// Printers with small memories take at most this many rows at a time.
const SLICE: usize = 255;
/// Two metres of paper.
const LONGEST: u32 = 16_000;
/// Begins a bitmap (portable bitmap, raw): rows of bits, black is one, the leftmost dot in the highest bit, which is
/// also how `GS v 0` wants it.
const BITMAP: &[u8] = b"P4\n";

/// Turns the pictures of a document into bitmaps, which [`write`] only has to copy. What is no picture stays, for
/// [`write`] to refuse.
pub(super) fn prepare(document: &mut Document, profile: &Profile) {
    for block in &mut document.blocks {
        if let Block::Image(picture) = block
            && !picture.starts_with(BITMAP)
            && let Ok(dots) = dots(picture, profile)
        {
            let mut bitmap = format!("P4\n{} {}\n", dots.width(), dots.height()).into_bytes();
            pack(&dots, &mut bitmap);
            *picture = bitmap;
        }
    }
}

pub(super) fn write(picture: &[u8], profile: &Profile, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    if let Some((row_bytes, rows)) = bitmap(picture, profile) {
        slices(row_bytes, rows, out);
        return Ok(());
    }
    let dots = dots(picture, profile)?;
    let mut rows = Vec::new();
    pack(&dots, &mut rows);
    slices(dots.width().div_ceil(8) as usize, &rows, out);
    Ok(())
}

/// GS v 0, normal size.
fn slices(row_bytes: usize, rows: &[u8], out: &mut Vec<u8>) {
    for slice in rows.chunks(row_bytes * SLICE) {
        out.extend_from_slice(&[0x1d, b'v', b'0', 0, row_bytes as u8, (row_bytes >> 8) as u8]);
        out.extend_from_slice(&[(slice.len() / row_bytes) as u8, 0]);
        out.extend_from_slice(slice);
    }
}

/// Bytes per row, and the rows, of a bitmap that fits on the paper.
fn bitmap<'a>(picture: &'a [u8], profile: &Profile) -> Option<(usize, &'a [u8])> {
    let rest = picture.strip_prefix(BITMAP)?;
    let header = rest.iter().position(|&b| b == b'\n')?;
    let (width, height) = std::str::from_utf8(&rest[..header]).ok()?.split_once(' ')?;
    let (width, height): (u32, u32) = (width.parse().ok()?, height.parse().ok()?);
    let (row_bytes, rows) = (width.div_ceil(8) as usize, &rest[header + 1..]);
    let fits = (1..=u32::from(profile.dots)).contains(&width) && (1..=LONGEST).contains(&height);
    (fits && rows.len() == row_bytes * height as usize).then_some((row_bytes, rows))
}

fn pack(dots: &GrayImage, out: &mut Vec<u8>) {
    for row in dots.rows() {
        let mut byte = 0;
        for (x, dot) in row.enumerate() {
            byte |= u8::from(dot.0[0] < 128) << (7 - x % 8);
            if x % 8 == 7 {
                out.push(std::mem::take(&mut byte));
            }
        }
        if !dots.width().is_multiple_of(8) {
            out.push(byte);
        }
    }
}

/// Decodes, flattens on white, scales down to the paper's width, dithers.
fn dots(picture: &[u8], profile: &Profile) -> Result<GrayImage, EncodeError> {
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
    dither(&mut gray);
    Ok(gray)
}

/// Floyd-Steinberg. `image::imageops::dither` panics on pictures that are one dot wide.
fn dither(gray: &mut GrayImage) {
    let width = gray.width() as usize;
    // Sixteenths of what the row before and this row hand on, with a dot of margin on both sides.
    let (mut here, mut below) = (vec![0i32; width + 2], vec![0i32; width + 2]);
    for row in gray.chunks_exact_mut(width) {
        for (x, dot) in row.iter_mut().enumerate() {
            let wanted = i32::from(*dot) + here[x + 1] / 16;
            let got = if wanted < 128 { 0 } else { 255 };
            let error = wanted - got;
            *dot = got as u8;
            here[x + 2] += error * 7;
            below[x] += error * 3;
            below[x + 1] += error * 5;
            below[x + 2] += error;
        }
        std::mem::swap(&mut here, &mut below);
        below.fill(0);
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
