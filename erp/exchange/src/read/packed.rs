//! XLSX and ODS are ZIP files. Each entry is unpacked once and counted before any parser sees it: what the directory says
//! about sizes is only a claim.

use std::io::{Read, SeekFrom};

use zip::ZipArchive;

use super::{Format, Limits, Source};
use crate::Error;

/// Bytes of one tag, text or comment of an XML part: a parser holds it whole.
const NODE: u64 = 1 << 20;

pub(super) fn check(source: Box<dyn Source>, limits: &Limits) -> Result<(Format, Box<dyn Source>), Error> {
    let mut archive = ZipArchive::new(source).map_err(damaged)?;
    if archive.len() as u64 > limits.entries {
        return Err(Error::TooMany { what: "parts", limit: limits.entries });
    }
    let mut total = 0u64;
    let mut format = None;
    let mut buffer = vec![0; 64 << 10];
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(damaged)?;
        let name = entry.name().map_err(damaged)?.to_ascii_lowercase().replace('\\', "/");
        match name.as_str() {
            "xl/workbook.xml" => format = Some(Format::Xlsx),
            "content.xml" => format = format.or(Some(Format::Ods)),
            _ => {}
        }
        // Sheets are read as streams; everything else is held in memory whole.
        let held = !name.starts_with("xl/worksheets/") && name != "content.xml";
        let mut nodes = name.ends_with(".xml").then(Nodes::default);
        let mut size = 0u64;
        loop {
            let read = entry.read(&mut buffer).map_err(|e| Error::Damaged(e.to_string()))?;
            if read == 0 {
                break;
            }
            size += read as u64;
            total += read as u64;
            if total > limits.unpacked {
                return Err(Error::Bomb { what: "sheets", limit: limits.unpacked });
            }
            if nodes.as_mut().is_some_and(|nodes| nodes.longest(&buffer[..read]) > NODE) {
                return Err(Error::Bomb { what: "one cell", limit: NODE });
            }
            if held && size > limits.shared_strings {
                return Err(Error::Bomb { what: "shared texts", limit: limits.shared_strings });
            }
        }
    }
    let mut source = archive.into_inner();
    source.seek(SeekFrom::Start(0))?;
    Ok((format.ok_or(Error::UnknownFormat)?, source))
}

pub(super) fn damaged(error: zip::result::ZipError) -> Error {
    match error {
        zip::result::ZipError::UnsupportedArchive(zip::result::ZipError::PASSWORD_REQUIRED) => Error::Password,
        other => Error::Damaged(other.to_string()),
    }
}

/// Where one node of XML ends and the next begins, for pieces of a file of any size.
#[derive(Default)]
struct Nodes {
    run: u64,
    longest: u64,
    /// The first bytes after a `<`, then the last bytes of what ends at [`Nodes::end`].
    window: [u8; 3],
    in_markup: bool,
    /// Comments and CDATA may hold anything but their own end.
    end: Option<[u8; 3]>,
}

impl Nodes {
    fn longest(&mut self, piece: &[u8]) -> u64 {
        for byte in piece {
            self.run += 1;
            if let Some(end) = self.end {
                self.window = [self.window[1], self.window[2], *byte];
                if self.window == end {
                    self.close();
                }
                continue;
            }
            if self.in_markup && self.run <= 3 {
                self.window[self.run as usize - 1] = *byte;
                if self.run == 3 && self.window == *b"!--" {
                    self.end = Some(*b"-->");
                    self.window = [0; 3];
                    continue;
                }
                if self.run == 3 && self.window == *b"![C" {
                    self.end = Some(*b"]]>");
                    self.window = [0; 3];
                    continue;
                }
            }
            match byte {
                b'<' => {
                    self.close();
                    self.in_markup = true;
                }
                b'>' => self.close(),
                _ => {}
            }
        }
        self.longest.max(self.run)
    }

    fn close(&mut self) {
        self.longest = self.longest.max(self.run);
        self.run = 0;
        self.in_markup = false;
        self.end = None;
    }
}
