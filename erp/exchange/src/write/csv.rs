use std::io::Write;

use super::Writer;
use crate::{Cell, Error};

/// CSV in UTF-8 with commas; every text in quotation marks.
pub struct CsvWriter<W: Write> {
    writer: csv::Writer<W>,
    safe: bool,
}

impl<W: Write> CsvWriter<W> {
    /// `safe`: a text that a spreadsheet program would run as a formula gets an apostrophe before it. Not for files that
    /// are to be imported again.
    pub fn new(to: W, safe: bool) -> Self {
        let writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Necessary).from_writer(to);
        Self { writer, safe }
    }

    fn field(&mut self, text: &str, is_text: bool) -> Result<(), Error> {
        if self.safe && is_text && text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            let text = format!("'{text}");
            return self.writer.write_field(text).map_err(failed);
        }
        self.writer.write_field(text).map_err(failed)
    }
}

fn failed(error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(io) => io.into(),
        other => Error::Io(std::io::Error::other(format!("{other:?}"))),
    }
}

impl<W: Write + Send> Writer for CsvWriter<W> {
    fn header(&mut self, labels: &[String]) -> Result<(), Error> {
        for label in labels {
            self.field(label, true)?;
        }
        self.writer.write_record(None::<&[u8]>).map_err(failed)
    }

    fn row(&mut self, cells: &[Cell]) -> Result<(), Error> {
        for cell in cells {
            self.field(&cell.text(), matches!(cell, Cell::Text(_)))?;
        }
        self.writer.write_record(None::<&[u8]>).map_err(failed)
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        Ok(self.writer.flush()?)
    }
}
