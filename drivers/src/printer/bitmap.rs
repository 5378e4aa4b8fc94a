//! Black and white pictures, and how they are made of coloured ones.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageReader, Limits, imageops};

use super::error::EncodeError;

/// Two metres of paper.
pub(super) const LONGEST: u32 = 16_000;
/// Begins a bitmap (portable bitmap, raw): rows of bits, black is one, the leftmost dot in the highest bit.
const MAGIC: &[u8] = b"P4\n";

/// Rows of dots; each row begins with a byte of its own, its leftmost dot in the highest bit, black is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitmap {
    pub width: u32,
    pub height: u32,
    pub rows: Vec<u8>,
}

impl Bitmap {
    pub fn new(width: u32, height: u32) -> Self {
        Self { width, height, rows: vec![0; width.div_ceil(8) as usize * height as usize] }
    }

    pub fn row_bytes(&self) -> usize {
        self.width.div_ceil(8) as usize
    }

    /// Outside it is white.
    pub fn is_black(&self, x: u32, y: u32) -> bool {
        x < self.width
            && y < self.height
            && self.rows[y as usize * self.row_bytes() + x as usize / 8] & 0x80 >> (x % 8) != 0
    }

    pub(super) fn blacken(&mut self, x: u32, y: u32) {
        if x < self.width && y < self.height {
            let at = y as usize * self.row_bytes() + x as usize / 8;
            self.rows[at] |= 0x80 >> (x % 8);
        }
    }

    /// What lies outside is left away.
    pub(super) fn fill(&mut self, x: u32, y: u32, width: u32, height: u32) {
        for y in y..y.saturating_add(height).min(self.height) {
            for x in x..x.saturating_add(width).min(self.width) {
                self.blacken(x, y);
            }
        }
    }

    pub(super) fn draw(&mut self, other: &Self, left: u32, top: u32) {
        for y in 0..other.height {
            for x in 0..other.width {
                if other.is_black(x, y) {
                    self.blacken(left + x, top + y);
                }
            }
        }
    }

    /// A quarter turn clockwise.
    pub(super) fn turned(&self) -> Self {
        let mut turned = Self::new(self.height, self.width);
        for y in 0..self.height {
            for x in 0..self.width {
                if self.is_black(x, y) {
                    turned.blacken(self.height - 1 - y, x);
                }
            }
        }
        turned
    }

    /// Cut or filled up with white at the bottom.
    pub(super) fn with_height(mut self, height: u32) -> Self {
        self.rows.resize(self.row_bytes() * height as usize, 0);
        self.height = height;
        self
    }

    /// As a portable bitmap.
    pub(super) fn to_pbm(&self) -> Vec<u8> {
        let mut out = format!("P4\n{} {}\n", self.width, self.height).into_bytes();
        out.extend_from_slice(&self.rows);
        out
    }

    /// A portable bitmap as [`Self::to_pbm`] makes it, if it is one and not larger than paper.
    pub(super) fn from_pbm(picture: &[u8]) -> Option<Self> {
        let rest = picture.strip_prefix(MAGIC)?;
        let header = rest.iter().position(|&b| b == b'\n')?;
        let (width, height) = std::str::from_utf8(&rest[..header]).ok()?.split_once(' ')?;
        let (width, height): (u32, u32) = (width.parse().ok()?, height.parse().ok()?);
        let rows = &rest[header + 1..];
        let possible = (1..=10_000).contains(&width) && (1..=LONGEST).contains(&height);
        (possible && rows.len() == width.div_ceil(8) as usize * height as usize).then(|| Self {
            width,
            height,
            rows: rows.to_vec(),
        })
    }

    fn of_gray(gray: &GrayImage) -> Self {
        let mut rows = Vec::with_capacity(gray.width().div_ceil(8) as usize * gray.height() as usize);
        for row in gray.as_raw().chunks_exact(gray.width().max(1) as usize) {
            for eight in row.chunks(8) {
                let byte = eight.iter().fold(0u8, |byte, dot| byte << 1 | u8::from(*dot < 128));
                rows.push(byte << (8 - eight.len()));
            }
        }
        Self { width: gray.width(), height: gray.height(), rows }
    }
}

/// Decodes, flattens on white, makes it `size(width, height)` large and dithers (Floyd-Steinberg).
pub(super) fn picture(picture: &[u8], size: impl FnOnce(u32, u32) -> (u32, u32)) -> Result<Bitmap, EncodeError> {
    if let Some(bitmap) = Bitmap::from_pbm(picture) {
        let (width, height) = size(bitmap.width, bitmap.height);
        if (width, height) == (bitmap.width, bitmap.height) {
            return Ok(bitmap);
        }
        let gray = GrayImage::from_fn(bitmap.width, bitmap.height, |x, y| {
            image::Luma([if bitmap.is_black(x, y) { 0 } else { 255 }])
        });
        return from_gray(gray, width, height);
    }
    let gray = decode(picture)?;
    let (width, height) = size(gray.width(), gray.height());
    from_gray(gray, width, height)
}

pub(super) fn from_gray(mut gray: GrayImage, width: u32, height: u32) -> Result<Bitmap, EncodeError> {
    if height > LONGEST {
        return Err(EncodeError::ImageTooLong);
    }
    if (width, height) != gray.dimensions() {
        gray = imageops::resize(&gray, width.max(1), height.max(1), imageops::FilterType::Triangle);
    }
    dither(&mut gray);
    Ok(Bitmap::of_gray(&gray))
}

/// As wide as the paper at most, with the same proportions.
pub(super) fn fit(dots: u16) -> impl FnOnce(u32, u32) -> (u32, u32) {
    let paper = u32::from(dots);
    move |width, height| {
        if width <= paper {
            return (width, height);
        }
        let height = (u64::from(height) * u64::from(paper)).div_ceil(u64::from(width));
        (paper, u32::try_from(height).unwrap_or(u32::MAX).max(1))
    }
}

/// Floyd-Steinberg, left to right. `image::imageops::dither` panics on pictures that are one dot wide.
fn dither(gray: &mut GrayImage) {
    let width = gray.width() as usize;
    // Sixteenths of what the row before and this row hand on, with a dot of margin on both sides.
    let (mut here, mut below) = (vec![0i32; width + 2], vec![0i32; width + 2]);
    for row in gray.chunks_exact_mut(width) {
        for (x, dot) in row.iter_mut().enumerate() {
            // Most of a receipt is plain white or black: such a dot hands nothing on.
            if (*dot == 0 || *dot == 255) && (-15..=15).contains(&here[x + 1]) {
                continue;
            }
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

/// The brightness that a JPEG holds beside its colours, without making them: half of the work. `None` for what has no
/// such part, and for what is no JPEG.
fn brightness(picture: &[u8]) -> Option<GrayImage> {
    use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
    if !picture.starts_with(&[0xff, 0xd8]) {
        return None;
    }
    let options = DecoderOptions::default().set_max_width(10_000).set_max_height(40_000);
    let options = options.jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(picture), options);
    decoder.decode_headers().ok()?;
    let (width, height) = decoder.dimensions()?;
    if !matches!(decoder.input_colorspace()?, ColorSpace::YCbCr | ColorSpace::Luma) || width * height > 64 * 1024 * 1024
    {
        return None;
    }
    let pixels = decoder.decode().ok()?;
    GrayImage::from_raw(u32::try_from(width).ok()?, u32::try_from(height).ok()?, pixels)
}

fn decode(picture: &[u8]) -> Result<GrayImage, EncodeError> {
    if let Some(gray) = brightness(picture) {
        return Ok(gray);
    }
    let mut reader =
        ImageReader::new(Cursor::new(picture)).with_guessed_format().map_err(|e| EncodeError::Image(e.into()))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(10_000);
    limits.max_image_height = Some(40_000);
    limits.max_alloc = Some(64 * 1024 * 1024);
    reader.limits(limits);
    Ok(match reader.decode()? {
        DynamicImage::ImageLuma8(gray) => gray,
        // Without transparency there is nothing to flatten.
        picture if !picture.color().has_alpha() => picture.into_luma8(),
        picture => {
            let picture = picture.into_luma_alpha8();
            GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
                let [gray, alpha] = picture.get_pixel(x, y).0.map(u32::from);
                image::Luma([((gray * alpha + 255 * (255 - alpha)) / 255) as u8])
            })
        }
    })
}
