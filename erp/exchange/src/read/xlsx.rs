//! XLSX: calamine's cells as they stand in the sheet's XML, gathered to rows.

use std::io::BufReader;

use calamine::{CellErrorType, DataRef, ExcelDateTime, Reader, Xlsx, XlsxError};
use jiff::{
    ToSpan,
    civil::{self, DateTime},
};

use super::{Format, Options, Row, Rows, Sender, Source, Table, choose, guard};
use crate::{Cell, Error};

pub(super) fn open(source: Box<dyn Source>, options: &Options) -> Result<Table, Error> {
    let mut book: Xlsx<_> = guard(|| Xlsx::new(BufReader::new(source)).map_err(damaged))?;
    let sheets = book.sheet_names();
    let sheet = choose(&sheets, options.sheet.as_deref())?;
    let name = sheet.clone();
    let columns = options.limits.columns;
    let rows = Rows::thread(options, move |to| read(&mut book, &name, columns, to))?;
    Ok(Table { format: Format::Xlsx, encoding: None, separator: None, sheets, sheet: Some(sheet), rows })
}

fn read<R: std::io::Read + std::io::Seek>(
    book: &mut Xlsx<R>,
    sheet: &str,
    columns: u64,
    to: &mut Sender,
) -> Result<(), Error> {
    let mut cells = match book.worksheet_cells_reader(sheet) {
        Ok(cells) => cells,
        // A sheet that was never written to may have no sheet data at all.
        Err(XlsxError::XmlEof(_)) => return Ok(()),
        Err(error) => return Err(damaged(error)),
    };
    let mut row = Row::default();
    while let Some(cell) = cells.next_cell().map_err(damaged)? {
        let (line, column) = (u64::from(cell.get_position().0) + 1, cell.get_position().1 as usize);
        if column as u64 >= columns {
            return Err(Error::TooMany { what: "columns", limit: columns });
        }
        if line != row.line {
            if row.line != 0 && !to.row(std::mem::take(&mut row)) {
                return Ok(());
            }
            row.line = line;
        }
        let value = match cell.get_value() {
            DataRef::SharedString(text) => Cell::from(*text),
            DataRef::String(text) => Cell::from(text.as_str()),
            DataRef::Int(number) => Cell::Number(*number as f64),
            DataRef::Float(number) => Cell::Number(*number),
            DataRef::Bool(truth) => Cell::Bool(*truth),
            DataRef::DateTime(at) => date(*at),
            DataRef::DateTimeIso(text) => iso(text),
            DataRef::DurationIso(text) => Cell::from(text.as_str()),
            DataRef::Error(error) => Cell::Error(shown(error)),
            DataRef::Empty => Cell::Empty,
        };
        if value != Cell::Empty {
            if row.cells.len() <= column {
                row.cells.resize(column + 1, Cell::Empty);
            }
            row.cells[column] = value;
        }
    }
    if row.line != 0 {
        to.row(row);
    }
    Ok(())
}

fn damaged(error: XlsxError) -> Error {
    match error {
        XlsxError::Password => Error::Password,
        other => Error::Damaged(other.to_string()),
    }
}

pub(super) fn shown(error: &CellErrorType) -> &'static str {
    match error {
        CellErrorType::Div0 => "#DIV/0!",
        CellErrorType::NA => "#N/A",
        CellErrorType::Name => "#NAME?",
        CellErrorType::Null => "#NULL!",
        CellErrorType::Num => "#NUM!",
        CellErrorType::Ref => "#REF!",
        CellErrorType::Value => "#VALUE!",
        _ => "#ERROR!",
    }
}

/// A spreadsheet's date is a count of days. Without a day it is a time, without a fraction a date.
pub(super) fn date(at: ExcelDateTime) -> Cell {
    let days = at.as_f64();
    if at.is_duration() || !(0.0..2_958_466.0).contains(&days) {
        return Cell::Number(days);
    }
    let (year, month, day, hour, minute, second, milli) = at.to_ymd_hms_milli();
    if days < 1.0 {
        return Cell::Text(format!("{hour:02}:{minute:02}:{second:02}"));
    }
    let made = DateTime::new(
        i16::try_from(year).unwrap_or(i16::MAX),
        i8::try_from(month).unwrap_or(i8::MAX),
        i8::try_from(day).unwrap_or(i8::MAX),
        i8::try_from(hour).unwrap_or(i8::MAX),
        i8::try_from(minute).unwrap_or(i8::MAX),
        i8::try_from(second).unwrap_or(i8::MAX),
        0,
    );
    // 1900-02-29 is no day, though spreadsheets count it.
    let Ok(made) = made else { return Cell::Number(days) };
    let made = if milli >= 500 { made.checked_add(1.second()).unwrap_or(made) } else { made };
    if made.time() == civil::Time::midnight() { Cell::Date(made.date()) } else { Cell::DateTime(made) }
}

pub(super) fn iso(text: &str) -> Cell {
    let text = text.trim().trim_end_matches('Z');
    if text.len() <= 10
        && let Ok(date) = text.parse::<civil::Date>()
    {
        return Cell::Date(date);
    }
    match text.parse::<DateTime>() {
        Ok(at) if at.time() == civil::Time::midnight() => Cell::Date(at.date()),
        Ok(at) => Cell::DateTime(at),
        Err(_) => Cell::from(text),
    }
}
