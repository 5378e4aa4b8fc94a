//! CSV row by row.

use std::io::SeekFrom;

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::{Format, Options, Row, Rows, Source, Table, encoding, separator};
use crate::{Cell, Error};

/// Bytes of text that the separator is guessed from.
const SAMPLE: u64 = 256 << 10;

pub(super) fn builder(separator: u8, quote: Option<u8>) -> ReaderBuilder {
    let mut builder = ReaderBuilder::new();
    // Only a line feed ends a row, so that lines can be counted; the carriage return before it is taken off later.
    builder.has_headers(false).flexible(true).delimiter(separator).buffer_capacity(64 << 10);
    builder.terminator(csv::Terminator::Any(b'\n'));
    match quote {
        Some(quote) => builder.quote(quote),
        None => builder.quoting(false),
    };
    builder
}

pub(super) fn open(mut source: Box<dyn Source>, options: &Options) -> Result<Table, Error> {
    let encoding = match &options.encoding {
        Some(name) if !name.is_empty() => {
            let asked = encoding::named(name)?;
            // `utf-16` says nothing about the order of bytes; the file's mark does.
            if asked.name().starts_with("UTF-16") { encoding::guess(&mut *source).unwrap_or(asked) } else { asked }
        }
        _ => encoding::guess(&mut *source)?,
    };
    let quote = match options.quoting {
        None => Some(b'"'),
        Some(quote) => Some(ascii(quote)?),
    };
    let (byte, line) = options.resume.map_or((0, 1), |r| (r.byte, r.line));
    let limit = options.limits.row_bytes;
    let separator = match options.separator {
        Some(separator) => ascii(separator)?,
        None => {
            source.seek(SeekFrom::Start(0))?;
            let mut decoded = encoding::Decoded::new(source, encoding, 0, 1, SAMPLE);
            let mut text = vec![0; 64 << 10];
            let mut sample = Vec::new();
            let mut whole = false;
            while (sample.len() as u64) < SAMPLE {
                match std::io::Read::read(&mut decoded, &mut text)? {
                    0 => {
                        whole = true;
                        break;
                    }
                    n => sample.extend_from_slice(&text[..n]),
                }
            }
            source = decoded.into_source();
            separator::guess(&String::from_utf8_lossy(&sample), whole, quote)
        }
    };
    source.seek(SeekFrom::Start(byte))?;
    // Only UTF-8 gives a place in the file from a place in the text.
    let mut head = [0; 3];
    let mark = byte == 0 && super::read_head(&mut *source, &mut head)? == 3 && head == [0xEF, 0xBB, 0xBF];
    source.seek(SeekFrom::Start(byte))?;
    let base = (encoding == encoding_rs::UTF_8).then_some(byte + if mark { 3 } else { 0 });
    let decoded = encoding::Decoded::new(source, encoding, byte, line, limit);
    let rows = CsvRows {
        reader: builder(separator, quote).from_reader(decoded),
        record: ByteRecord::new(),
        base,
        line: line - 1,
        limit,
    };
    Ok(Table {
        format: Format::Csv,
        encoding: Some(encoding.name().to_ascii_lowercase()),
        separator: Some(char::from(separator)),
        sheets: Vec::new(),
        sheet: None,
        rows: Rows::csv(rows, options),
    })
}

fn ascii(c: char) -> Result<u8, Error> {
    u8::try_from(c).ok().filter(|b| b.is_ascii() && !b"\r\n".contains(b)).ok_or_else(|| Error::Separator(c.to_string()))
}

/// The rows of a CSV file, blank ones included.
pub struct CsvRows {
    reader: Reader<encoding::Decoded>,
    record: ByteRecord,
    base: Option<u64>,
    line: u64,
    limit: u64,
}

impl CsvRows {
    pub(super) fn next_row(&mut self) -> Result<Option<Row>, Error> {
        self.reader.get_mut().row_begins();
        let begins = self.line + self.reader.position().line();
        match self.reader.read_byte_record(&mut self.record) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => {
                return Err(match error.into_kind() {
                    csv::ErrorKind::Io(io) => match io.into() {
                        Error::OpenQuote { limit, .. } => Error::OpenQuote { row: begins, limit },
                        other => other,
                    },
                    other => Error::Damaged(format!("{other:?}")),
                });
            }
        }
        // The rest of a file in one cell: a quotation that nothing closes.
        if self.record.as_slice().len() as u64 > self.limit {
            return Err(Error::OpenQuote { row: begins, limit: self.limit });
        }
        // The reader passes over empty lines before a row, so the row's line is counted back from its end.
        let inside = self.record.as_slice().iter().filter(|b| **b == b'\n').count() as u64;
        let ended = u64::from(!self.reader.is_done());
        let line = (self.line + self.reader.position().line()).saturating_sub(inside + ended).max(begins);
        let mut cells: Vec<Cell> =
            self.record.iter().map(|cell| Cell::from(String::from_utf8_lossy(cell).into_owned())).collect();
        if let Some(Cell::Text(last)) = cells.last_mut()
            && last.ends_with('\r')
        {
            last.pop();
            if last.is_empty() {
                cells.pop();
                cells.push(Cell::Empty);
            }
        }
        Ok(Some(Row { line, cells, found: 0 }))
    }

    /// Byte in the file and line where the next row begins.
    pub(super) fn position(&self) -> Option<(u64, u64)> {
        let position = self.reader.position();
        Some((self.base? + position.byte(), self.line + position.line()))
    }
}
