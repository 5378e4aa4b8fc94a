//! Documents as PDF or JPEG, whichever the printer takes.

use image::{ExtendedColorType, ImageEncoder, codecs::jpeg::JpegEncoder};

use crate::printer::{
    Document, File, FileType,
    bitmap::{self, Bitmap},
    canvas,
    error::EncodeError,
    file, pdf,
    profile::Profile,
};

/// What is sent in one Print-Job.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Page {
    pub(super) mime: &'static str,
    pub(super) data: Vec<u8>,
}

const PDF: &str = "application/pdf";
const JPEG: &str = "image/jpeg";

pub(super) fn of_document(document: &Document, profile: &Profile, takes: &[String]) -> Result<Vec<Page>, EncodeError> {
    one(&canvas::draw(document, profile)?, profile, takes)
}

pub(super) fn of_file(wanted: &File, profile: &Profile, takes: &[String]) -> Result<Vec<Page>, EncodeError> {
    file::check(wanted, profile)?;
    let as_is = |mime: &'static str| vec![Page { mime, data: wanted.data.clone() }];
    let pages = match wanted.kind {
        FileType::Pdf if accepts(takes, PDF) => as_is(PDF),
        FileType::Pdf => {
            let mut pages = Vec::new();
            for page in pdf::pages(&wanted.data, u32::from(profile.dots))? {
                pages.extend(one(&page, profile, takes)?);
            }
            pages
        }
        FileType::Jpeg if accepts(takes, JPEG) => as_is(JPEG),
        FileType::Jpeg | FileType::Png => {
            one(&bitmap::picture(&wanted.data, bitmap::fit(profile.dots))?, profile, takes)?
        }
        FileType::Raw(_) => return Err(EncodeError::NotTaken("bytes in a language of its own")),
    };
    Ok(std::iter::repeat_n(pages, usize::from(wanted.copies.clamp(1, 99))).flatten().collect())
}

/// A printer that says nothing of what it takes takes PDF.
fn accepts(takes: &[String], mime: &str) -> bool {
    takes.iter().any(|one| one == mime) || takes.is_empty() && mime == PDF
}

fn one(dots: &Bitmap, profile: &Profile, takes: &[String]) -> Result<Vec<Page>, EncodeError> {
    if accepts(takes, PDF) {
        return Ok(vec![Page { mime: PDF, data: as_pdf(dots, profile.dpi) }]);
    }
    if !accepts(takes, JPEG) {
        return Err(EncodeError::NotTaken("PDF and no JPEG picture"));
    }
    let gray: Vec<u8> = (0..dots.height)
        .flat_map(|y| (0..dots.width).map(move |x| (x, y)))
        .map(|(x, y)| if dots.is_black(x, y) { 0 } else { 255 })
        .collect();
    let mut data = Vec::new();
    JpegEncoder::new_with_quality(&mut data, 90).write_image(&gray, dots.width, dots.height, ExtendedColorType::L8)?;
    Ok(vec![Page { mime: JPEG, data }])
}

/// One page, as large as the picture and half an inch around it, or A4 where that is larger (ISO 32000-1, 7.5).
fn as_pdf(dots: &Bitmap, dpi: u16) -> Vec<u8> {
    let points = |dots: u32| f64::from(dots) * 72.0 / f64::from(dpi);
    let (width, height) = (points(dots.width), points(dots.height));
    let (page_width, page_height) = ((width + 36.0).max(595.0), (height + 36.0).max(842.0));
    let top = page_height - 18.0 - height;
    let content = format!("{width:.2} 0 0 {height:.2} 18 {top:.2} cm /P Do");
    let picture = format!(
        "<</Type/XObject/Subtype/Image/Width {}/Height {}/ColorSpace/DeviceGray/BitsPerComponent 1/Decode[1 0]/Length {}>>",
        dots.width,
        dots.height,
        dots.rows.len()
    );
    let objects: [(String, &[u8]); 5] = [
        ("<</Type/Catalog/Pages 2 0 R>>".to_owned(), b""),
        ("<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(), b""),
        (
            format!(
                "<</Type/Page/Parent 2 0 R/MediaBox[0 0 {page_width:.2} {page_height:.2}]\
                 /Resources<</XObject<</P 5 0 R>>>>/Contents 4 0 R>>"
            ),
            b"",
        ),
        (format!("<</Length {}>>", content.len()), content.as_bytes()),
        (picture, &dots.rows),
    ];
    let mut out = b"%PDF-1.4\n".to_vec();
    let mut places = Vec::new();
    for (number, (dictionary, stream)) in objects.iter().enumerate() {
        places.push(out.len());
        out.extend_from_slice(format!("{} 0 obj\n{dictionary}\n", number + 1).as_bytes());
        if !stream.is_empty() {
            out.extend_from_slice(b"stream\n");
            out.extend_from_slice(stream);
            out.extend_from_slice(b"\nendstream\n");
        }
        out.extend_from_slice(b"endobj\n");
    }
    let xref = out.len();
    out.extend_from_slice(b"xref\n0 6\n0000000000 65535 f \n");
    for place in places {
        out.extend_from_slice(format!("{place:010} 00000 n \n").as_bytes());
    }
    out.extend_from_slice(format!("trailer<</Size 6/Root 1 0 R>>\nstartxref\n{xref}\n%%EOF\n").as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_page_is_a_pdf_that_shows_the_same_picture() {
        let mut dots = Bitmap::new(1165, 300);
        dots.fill(0, 0, 582, 300);
        let data = as_pdf(&dots, 150);
        let drawn = pdf::pages(&data, 595).unwrap().remove(0);
        assert_eq!((drawn.width, drawn.height), (595, 841), "A4, and the width of the picture");
        // 18 points from the corner the picture begins; it is 559 points wide and 144 high.
        for (x, y, black) in [(30, 30, true), (290, 150, true), (310, 30, false), (30, 170, false), (10, 10, false)] {
            assert_eq!(drawn.is_black(x, y), black, "{x} {y}");
        }
    }
}
