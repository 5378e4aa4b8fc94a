//! XLS: calamine reads the whole book into memory, so the size of its sheets is looked at first.

use std::io::{Cursor, Read};

use calamine::{Data, Reader, Xls, XlsError};

use super::{Format, Limits, Options, Row, Rows, Source, Table, cfb, choose, guard, xlsx};
use crate::{Cell, Error};

/// A file of 65,536 rows of 256 columns is far below.
const FILE: u64 = 128 << 20;
/// Cells of all sheets, the empty ones between the filled ones counted.
const CELLS: u64 = 6_000_000;

pub(super) fn open(source: Box<dyn Source>, options: &Options) -> Result<Table, Error> {
    let mut file = Vec::new();
    source.take(FILE + 1).read_to_end(&mut file)?;
    if file.len() as u64 > FILE {
        return Err(Error::TooMany { what: "bytes", limit: FILE });
    }
    area(&cfb::workbook(&file)?, &options.limits)?;
    let mut book: Xls<_> = guard(|| Xls::new(Cursor::new(file)).map_err(damaged))?;
    let sheets = book.sheet_names();
    let sheet = choose(&sheets, options.sheet.as_deref())?;
    let name = sheet.clone();
    let rows = Rows::thread(options, move |to| {
        let range = book.worksheet_range(&name).map_err(damaged)?;
        let Some((top, left)) = range.start() else { return Ok(()) };
        for (n, cells) in range.rows().enumerate() {
            let mut row =
                Row { line: u64::from(top) + n as u64 + 1, cells: vec![Cell::Empty; left as usize], found: 0 };
            row.cells.extend(cells.iter().map(cell));
            while row.cells.last() == Some(&Cell::Empty) {
                row.cells.pop();
            }
            if !to.row(row) {
                return Ok(());
            }
        }
        Ok(())
    })?;
    Ok(Table { format: Format::Xls, encoding: None, separator: None, sheets, sheet: Some(sheet), rows })
}

fn damaged(error: XlsError) -> Error {
    match error {
        XlsError::Password => Error::Password,
        other => Error::Damaged(other.to_string()),
    }
}

fn cell(value: &Data) -> Cell {
    match value {
        Data::String(text) => Cell::from(text.as_str()),
        Data::Int(number) => Cell::Number(*number as f64),
        Data::Float(number) => Cell::Number(*number),
        Data::Bool(truth) => Cell::Bool(*truth),
        Data::DateTime(at) => xlsx::date(*at),
        Data::DateTimeIso(text) => xlsx::iso(text),
        Data::DurationIso(text) => Cell::from(text.as_str()),
        Data::Error(error) => Cell::Error(xlsx::shown(error)),
        Data::Empty => Cell::Empty,
    }
}

/// Walks the records: every cell record begins with row and column. A sheet's memory is its rectangle.
fn area(book: &[u8], limits: &Limits) -> Result<(), Error> {
    const EOF: u16 = 0x0A;
    let (mut at, mut all) = (0usize, 0u64);
    let (mut rows, mut columns) = (0u64, 0u64);
    while let Some(&[a, b, c, d]) = book.get(at..at + 4).and_then(|h| <&[u8; 4]>::try_from(h).ok()) {
        let (kind, length) = (u16::from_le_bytes([a, b]), usize::from(u16::from_le_bytes([c, d])));
        let body = book.get(at + 4..at + 4 + length).unwrap_or_default();
        at += 4 + length;
        let word = |n: usize| body.get(n..n + 2).map_or(0, |w| u64::from(u16::from_le_bytes([w[0], w[1]])));
        match kind {
            // FORMULA, NUMBER, LABEL, BOOLERR, RK, RSTRING, LABELSST, BLANK
            0x06 | 0x203 | 0x204 | 0x205 | 0x27E | 0xD6 | 0xFD | 0x201 | 0x406 | 0x206 => {
                rows = rows.max(word(0) + 1);
                columns = columns.max(word(2) + 1);
            }
            // MULRK, MULBLANK: the last column stands at the end.
            0xBD | 0xBE => {
                rows = rows.max(word(0) + 1);
                columns = columns.max(word(length.saturating_sub(2)) + 1);
            }
            EOF => {
                all += rows * columns;
                (rows, columns) = (0, 0);
            }
            _ => {}
        }
        if columns > limits.columns.max(256) {
            return Err(Error::TooMany { what: "columns", limit: limits.columns });
        }
    }
    all += rows * columns;
    if all > CELLS { Err(Error::TooMany { what: "cells", limit: CELLS }) } else { Ok(()) }
}
