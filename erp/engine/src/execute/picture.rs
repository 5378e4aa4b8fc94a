//! Pictures made fit for a field: no larger than it allows, and no bombs.

use std::io::Cursor;

use image::{ImageFormat, ImageReader, Limits, imageops::FilterType};

/// Pixels of a picture that is decoded at all; a large camera's is half of it.
const MOST_PIXELS: u64 = 100_000_000;
/// Bytes that decoding may take.
const MOST_MEMORY: u64 = 512 * 1024 * 1024;

/// What a content is, by its first bytes.
pub(crate) fn mimetype(content: &[u8]) -> &'static str {
    let starts = |with: &[u8]| content.starts_with(with);
    match content {
        _ if starts(b"\x89PNG\r\n\x1a\n") => "image/png",
        _ if starts(b"\xff\xd8\xff") => "image/jpeg",
        _ if starts(b"GIF87a") || starts(b"GIF89a") => "image/gif",
        _ if starts(b"RIFF") && content.get(8..12) == Some(b"WEBP") => "image/webp",
        _ if starts(b"\0\0\x01\0") => "image/x-icon",
        _ if starts(b"BM") && content.len() > 26 => "image/bmp",
        _ if starts(b"%PDF-") => "application/pdf",
        _ if starts(b"PK\x03\x04") => "application/zip",
        _ if is_svg(content) => "image/svg+xml",
        _ if std::str::from_utf8(&content[..content.len().min(1024)]).is_ok() && !content.contains(&0) => "text/plain",
        _ => "application/octet-stream",
    }
}

fn is_svg(content: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&content[..content.len().min(1024)]).to_ascii_lowercase();
    let head = head.trim_start_matches('\u{feff}').trim_start();
    head.starts_with("<svg") || (head.starts_with("<?xml") || head.starts_with("<!--")) && head.contains("<svg")
}

/// At most this wide and high (0: any), its proportions kept and never made larger. Kinds that cannot be decoded here
/// stay as they are.
pub(crate) fn fit(content: Vec<u8>, max_width: u32, max_height: u32) -> Result<Vec<u8>, String> {
    let format = match mimetype(&content) {
        "image/png" => ImageFormat::Png,
        "image/jpeg" => ImageFormat::Jpeg,
        other if other.starts_with("image/") => return Ok(content),
        _ => return Err("it is no picture; use a PNG, JPEG, GIF, WebP, SVG, BMP or ICO file".to_owned()),
    };
    let broken = |error: image::ImageError| format!("the picture cannot be read ({error}); save it anew and try again");
    let (width, height) = ImageReader::with_format(Cursor::new(&content), format).into_dimensions().map_err(broken)?;
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(format!("the picture has {width} x {height} pixels, which is too many; make it smaller"));
    }
    let (most_wide, most_high) =
        (if max_width == 0 { width } else { max_width }, if max_height == 0 { height } else { max_height });
    if width <= most_wide && height <= most_high {
        return Ok(content);
    }
    let mut reader = ImageReader::with_format(Cursor::new(&content), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let small = reader.decode().map_err(broken)?.resize(most_wide, most_high, FilterType::CatmullRom);
    let mut out = Cursor::new(Vec::new());
    small.write_to(&mut out, format).map_err(broken)?;
    Ok(out.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        image::RgbImage::from_pixel(width, height, image::Rgb([200, 10, 10])).write_to(&mut out, format).unwrap();
        out.into_inner()
    }

    fn size(content: &[u8]) -> (u32, u32) {
        ImageReader::new(Cursor::new(content)).with_guessed_format().unwrap().into_dimensions().unwrap()
    }

    #[test]
    fn a_picture_keeps_its_proportions_and_is_never_made_larger() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let large = picture(400, 100, format);
            assert_eq!(size(&fit(large.clone(), 128, 128).unwrap()), (128, 32));
            assert_eq!(size(&fit(large.clone(), 0, 50).unwrap()), (200, 50));
            assert_eq!(fit(large.clone(), 0, 0).unwrap(), large);
            assert_eq!(fit(large.clone(), 1920, 1920).unwrap(), large);
        }
    }

    #[test]
    fn what_is_no_picture_or_too_large_a_one_is_refused() {
        assert!(fit(b"hello".to_vec(), 10, 10).unwrap_err().starts_with("it is no picture"));
        let mut bomb = picture(10, 10, ImageFormat::Png);
        // The header says 60,000 x 60,000, with its checksum made to fit.
        bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        let sum = crc(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(
            fit(bomb, 10, 10).unwrap_err(),
            "the picture has 60000 x 60000 pixels, which is too many; make it smaller"
        );
        let mut cut = picture(300, 300, ImageFormat::Png);
        cut.truncate(60);
        assert!(fit(cut, 10, 10).unwrap_err().starts_with("the picture cannot be read"));
        assert_eq!(fit(b"<svg xmlns='x'/>".to_vec(), 10, 10).unwrap(), b"<svg xmlns='x'/>");
    }

    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
        })
    }
}
