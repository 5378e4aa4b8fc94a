use std::io::Write;

use super::{
    Writer,
    biff::{self, Strings},
    compound, long, serial, sheet_name,
};
use crate::{Cell, Error};

const ROWS: u64 = 65_536;
const COLUMNS: usize = 256;

/// XLS as spreadsheet programs since 1997 read it. The format ends at 65,536 rows and 256 columns.
pub struct XlsWriter<W: Write + Send> {
    to: W,
    sheet: String,
    cells: Vec<u8>,
    strings: Strings,
    row: u32,
    columns: u16,
    frozen: bool,
}

impl<W: Write + Send> XlsWriter<W> {
    pub fn new(to: W, sheet: &str) -> Self {
        let (cells, strings) = (Vec::new(), Strings::default());
        Self { to, sheet: sheet_name(sheet), cells, strings, row: 0, columns: 0, frozen: false }
    }

    fn check(&mut self, columns: usize) -> Result<(), Error> {
        if u64::from(self.row) >= ROWS {
            let rows = u64::from(self.row) + 1;
            return Err(Error::TooManyRows {
                rows,
                limit: ROWS,
                format: "an XLS sheet",
                advice: "export as XLSX or CSV",
            });
        }
        if columns > COLUMNS {
            return Err(Error::TooManyColumns { columns, limit: COLUMNS, format: "an XLS sheet" });
        }
        self.columns = self.columns.max(columns as u16);
        Ok(())
    }

    fn put(&mut self, kind: u16, column: usize, format: u16, value: &[u8]) {
        let mut body = Vec::with_capacity(6 + value.len());
        for word in [self.row as u16, column as u16, format] {
            body.extend_from_slice(&word.to_le_bytes());
        }
        body.extend_from_slice(value);
        biff::record(&mut self.cells, kind, &body);
    }

    fn text(&mut self, column: usize, format: u16, text: &str) -> Result<(), Error> {
        long(u64::from(self.row) + 1, column, text)?;
        let place = self.strings.place(text);
        self.put(0x00FD, column, format, &place.to_le_bytes());
        Ok(())
    }
}

impl<W: Write + Send> Writer for XlsWriter<W> {
    fn header(&mut self, labels: &[String]) -> Result<(), Error> {
        self.check(labels.len())?;
        for (column, label) in labels.iter().enumerate() {
            self.text(column, biff::BOLD, label)?;
        }
        self.frozen = self.row == 0;
        self.row += 1;
        Ok(())
    }

    fn row(&mut self, cells: &[Cell]) -> Result<(), Error> {
        self.check(cells.len())?;
        for (column, cell) in cells.iter().enumerate() {
            match cell {
                Cell::Empty => {}
                Cell::Number(number) if number.is_finite() => {
                    self.put(0x0203, column, biff::PLAIN, &number.to_le_bytes());
                }
                Cell::Bool(truth) => self.put(0x0205, column, biff::PLAIN, &[u8::from(*truth), 0]),
                Cell::Date(date) if let Some(days) = serial(date.at(0, 0, 0, 0)) => {
                    self.put(0x0203, column, biff::DATE, &days.to_le_bytes());
                }
                Cell::DateTime(when) if let Some(days) = serial(*when) => {
                    self.put(0x0203, column, biff::DATETIME, &days.to_le_bytes());
                }
                other => self.text(column, biff::PLAIN, &other.text())?,
            }
        }
        self.row += 1;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        let mut stream = biff::globals(&self.sheet, &self.strings);
        stream.extend(biff::sheet(&self.cells, self.row, self.columns, self.frozen));
        Ok(compound::write(stream, &mut self.to)?)
    }
}
