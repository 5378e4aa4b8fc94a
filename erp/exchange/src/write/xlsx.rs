use std::io::Write;

use rust_xlsxwriter::{Format, Workbook, XlsxError};

use super::{Writer, long, serial, sheet_name};
use crate::{Cell, Error};

/// XLSX with typed cells; rows go to a temporary file, so that memory does not grow with them.
pub struct XlsxWriter<W: Write + Send> {
    book: Workbook,
    to: W,
    bold: Format,
    date: Format,
    datetime: Format,
    row: u32,
}

const ROWS: u64 = 1_048_576;
const COLUMNS: usize = 16_384;

impl<W: Write + Send> XlsxWriter<W> {
    /// # Errors
    /// When the temporary file cannot be made.
    pub fn new(to: W, sheet: &str) -> Result<Self, Error> {
        let mut book = Workbook::new();
        let page = book.add_worksheet_with_constant_memory().map_err(failed)?;
        page.set_name(sheet_name(sheet)).map_err(failed)?;
        page.set_freeze_panes(1, 0).map_err(failed)?;
        Ok(Self {
            book,
            to,
            bold: Format::new().set_bold(),
            date: Format::new().set_num_format("yyyy-mm-dd"),
            datetime: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
            row: 0,
        })
    }

    fn check(&self, columns: usize) -> Result<(), Error> {
        if u64::from(self.row) >= ROWS {
            let rows = u64::from(self.row) + 1;
            return Err(Error::TooManyRows { rows, limit: ROWS, format: "an XLSX sheet", advice: "export as CSV" });
        }
        if columns > COLUMNS {
            return Err(Error::TooManyColumns { columns, limit: COLUMNS, format: "an XLSX sheet" });
        }
        Ok(())
    }
}

fn failed(error: XlsxError) -> Error {
    match error {
        XlsxError::IoError(io) => io.into(),
        other => Error::Io(std::io::Error::other(other.to_string())),
    }
}

impl<W: Write + Send> Writer for XlsxWriter<W> {
    fn header(&mut self, labels: &[String]) -> Result<(), Error> {
        self.check(labels.len())?;
        let page = self.book.worksheet_from_index(0).map_err(failed)?;
        // In constant memory widths come before the first row.
        for (column, label) in labels.iter().enumerate() {
            long(u64::from(self.row) + 1, column, label)?;
            let width = label.chars().count().clamp(10, 60) as f64 + 2.0;
            page.set_column_width(column as u16, width).map_err(failed)?;
        }
        for (column, label) in labels.iter().enumerate() {
            page.write_string_with_format(self.row, column as u16, label, &self.bold).map_err(failed)?;
        }
        self.row += 1;
        Ok(())
    }

    fn row(&mut self, cells: &[Cell]) -> Result<(), Error> {
        self.check(cells.len())?;
        let line = u64::from(self.row) + 1;
        let page = self.book.worksheet_from_index(0).map_err(failed)?;
        for (column, cell) in cells.iter().enumerate() {
            let (row, at) = (self.row, column as u16);
            match cell {
                Cell::Empty => continue,
                Cell::Number(number) if number.is_finite() => page.write_number(row, at, *number),
                Cell::Bool(truth) => page.write_boolean(row, at, *truth),
                Cell::Date(date) if let Some(days) = serial(date.at(0, 0, 0, 0)) => {
                    page.write_number_with_format(row, at, days, &self.date)
                }
                Cell::DateTime(when) if let Some(days) = serial(*when) => {
                    page.write_number_with_format(row, at, days, &self.datetime)
                }
                other => {
                    let text = other.text();
                    long(line, column, &text)?;
                    page.write_string(row, at, text)
                }
            }
            .map_err(failed)?;
        }
        self.row += 1;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        self.book.save_to_writer(&mut self.to).map_err(failed)?;
        Ok(self.to.flush()?)
    }
}
