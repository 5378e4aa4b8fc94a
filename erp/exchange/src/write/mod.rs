//! Rows to files. Each writer takes one header and then rows, and gives the file at its end.

mod biff;
mod compound;
mod csv;
mod xls;
mod xlsx;

use std::io::Write;

pub use csv::CsvWriter;
pub use xls::XlsWriter;
pub use xlsx::XlsxWriter;

use crate::{Cell, Error};

/// The longest text of a spreadsheet's cell.
const LONGEST: usize = 32_767;

/// A table being written.
pub trait Writer: Send {
    /// The first row, in bold where the format knows it.
    ///
    /// # Errors
    /// When the format cannot hold it, or the file cannot be written.
    fn header(&mut self, labels: &[String]) -> Result<(), Error>;

    /// # Errors
    /// When the format cannot hold the row, or the file cannot be written.
    fn row(&mut self, cells: &[Cell]) -> Result<(), Error>;

    /// # Errors
    /// When the file cannot be written.
    fn finish(self: Box<Self>) -> Result<(), Error>;
}

/// A writer by the name of the format: `csv`, `xlsx` or `xls`.
pub fn writer<'a>(
    format: &str,
    sheet: &str,
    safe: bool,
    to: Box<dyn Write + Send + 'a>,
) -> Option<Result<Box<dyn Writer + 'a>, Error>> {
    Some(match format {
        "csv" => Ok(Box::new(CsvWriter::new(to, safe))),
        "xlsx" => XlsxWriter::new(to, sheet).map(|w| Box::new(w) as _),
        "xls" => Ok(Box::new(XlsWriter::new(to, sheet))),
        _ => return None,
    })
}

/// A sheet's name without the signs that spreadsheets refuse, 31 long at most.
fn sheet_name(name: &str) -> String {
    let name: String = name.chars().filter(|c| !r"[]:*?/\".contains(*c) && !c.is_control()).take(31).collect();
    let name = name.trim_matches('\'').trim();
    // 31 is counted in UTF-16.
    let mut name = name.to_owned();
    while name.encode_utf16().count() > 31 {
        name.pop();
    }
    if name.is_empty() { "Sheet1".to_owned() } else { name }
}

fn long(row: u64, column: usize, text: &str) -> Result<(), Error> {
    // Bytes are at least as many.
    if text.len() > LONGEST {
        let length = text.encode_utf16().count();
        if length > LONGEST {
            return Err(Error::LongCell { row, column: column as u64 + 1, length });
        }
    }
    Ok(())
}

/// Days since the spreadsheets' epoch, 1899-12-30. Before 1900-03-01 they count a day that never was.
fn serial(at: jiff::civil::DateTime) -> Option<f64> {
    let days = at.date().since(jiff::civil::date(1899, 12, 30)).ok()?.get_days();
    let seconds = i32::from(at.hour()) * 3600 + i32::from(at.minute()) * 60 + i32::from(at.second());
    (days >= 61).then(|| f64::from(days) + f64::from(seconds) / 86_400.0)
}
