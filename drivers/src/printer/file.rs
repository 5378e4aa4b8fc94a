//! Files as people and reports have them: checked, and turned into what the printer takes.

use super::{
    Block, Document, File, FileType,
    error::EncodeError,
    pdf,
    profile::{Language, Profile},
};

/// The longest file: a report of many pages.
const LONGEST: usize = 16 * 1024 * 1024;

/// A file that is what it says it is, and that this printer can print.
pub(super) fn check(file: &File, profile: &Profile) -> Result<(), EncodeError> {
    if file.data.is_empty() {
        return Err(EncodeError::Empty);
    }
    if file.data.len() > LONGEST {
        return Err(EncodeError::TooLong);
    }
    let found = kind(&file.data);
    let wanted = match file.kind {
        FileType::Pdf => "PDF",
        FileType::Jpeg => "JPEG picture",
        FileType::Png => "PNG picture",
        FileType::Raw(wanted) if wanted == profile.language => {
            // A PDF sent as ZPL prints metres of its source.
            return match found {
                "PDF" | "JPEG picture" | "PNG picture" => Err(EncodeError::WrongType { wanted: wanted.name(), found }),
                _ => Ok(()),
            };
        }
        FileType::Raw(wanted) => return Err(EncodeError::OtherLanguage { wanted, speaks: profile.language }),
    };
    if found == wanted { Ok(()) } else { Err(EncodeError::WrongType { wanted, found }) }
}

/// What the first bytes say.
fn kind(data: &[u8]) -> &'static str {
    // ISO 32000-1, 7.5.2, and its implementation note 13: within the first 1024 bytes.
    let head = &data[..data.len().min(1024)];
    if data.starts_with(b"\xff\xd8\xff") {
        "JPEG picture"
    } else if data.starts_with(b"\x89PNG\r\n\x1a\n") {
        "PNG picture"
    } else if head.windows(5).any(|five| five == b"%PDF-") {
        "PDF"
    } else if data.starts_with(b"GIF8") {
        "GIF picture"
    } else if head.trim_ascii_start().starts_with(b"^XA") || head.trim_ascii_start().starts_with(b"~") {
        "ZPL"
    } else if head.starts_with(b"PK\x03\x04") {
        "ZIP archive"
    } else if head.starts_with(b"<") {
        "HTML or XML"
    } else {
        "unknown data"
    }
}

/// What a picture or PDF is as a document; each page ends with a cut.
pub(super) fn documents(file: &File, profile: &Profile) -> Result<Vec<Document>, EncodeError> {
    check(file, profile)?;
    let page = |picture| Document { blocks: vec![Block::Image(picture)], cut: true, open_drawer: false };
    let pages = match file.kind {
        FileType::Pdf => pdf::pages(&file.data, u32::from(profile.dots))?.iter().map(|b| page(b.to_pbm())).collect(),
        FileType::Jpeg | FileType::Png => vec![page(file.data.clone())],
        FileType::Raw(_) => Vec::new(),
    };
    Ok(std::iter::repeat_n(pages, usize::from(file.copies.clamp(1, 99))).flatten().collect())
}

impl Language {
    /// What of it ends a job, so that a file without an end does not swallow the next one.
    pub(super) const fn ends_with(self) -> &'static [u8] {
        match self {
            Self::Zpl | Self::Epl | Self::Tspl => b"\r\n",
            _ => b"",
        }
    }
}
