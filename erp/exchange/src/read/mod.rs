//! Files to rows: the format by the first bytes, then one reader per format.

mod cfb;
mod csv;
mod encoding;
mod ods;
mod packed;
mod separator;
mod xls;
mod xlsx;

use std::{
    io::{Read, Seek, SeekFrom},
    sync::mpsc::{Receiver, sync_channel},
};

pub use csv::CsvRows;

use crate::{Cell, Error};

/// A file, in memory or on disk.
pub trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    Xlsx,
    Xls,
    Ods,
}

/// What a file may take. The defaults let a million rows through and stop files made to exhaust the reader.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Rows, blank ones not counted.
    pub rows: u64,
    /// Columns of one row.
    pub columns: u64,
    /// Bytes of one row of CSV: an open quotation ends here.
    pub row_bytes: u64,
    /// Bytes of a packed file, all of its entries unpacked.
    pub unpacked: u64,
    /// Bytes of the texts that XLSX keeps once for all its cells: the one part that is held in memory.
    pub shared_strings: u64,
    /// Entries of a packed file.
    pub entries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: 2_000_000,
            columns: 2_000,
            row_bytes: 16 << 20,
            unpacked: 2 << 30,
            shared_strings: 128 << 20,
            entries: 10_000,
        }
    }
}

/// How to read; what is `None` is guessed.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `utf-8`, `utf-16`, `windows-1252`, `latin1`, `gb18030`, ...
    pub encoding: Option<String>,
    pub separator: Option<char>,
    /// The text delimiter; a quotation mark unless told.
    pub quoting: Option<char>,
    pub sheet: Option<String>,
    pub limits: Limits,
    /// Where an earlier reading stopped: the rows before it are not read again.
    pub resume: Option<Resume>,
}

/// A place between two rows of a CSV file in UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume {
    pub byte: u64,
    pub line: u64,
    /// Cells that a row has.
    pub width: usize,
}

/// One row that is not blank.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// The row as a spreadsheet counts it; in CSV the line that it begins on. From 1.
    pub line: u64,
    /// As many cells as the first row has, and more where `found` says so.
    pub cells: Vec<Cell>,
    /// Cells that the row really had: less than the first row's were filled up, more are kept when they are not blank.
    pub found: usize,
}

/// An open file: what was guessed, and its rows.
pub struct Table {
    pub format: Format,
    /// Of a CSV file: the encoding that its texts are read in.
    pub encoding: Option<String>,
    pub separator: Option<char>,
    pub sheets: Vec<String>,
    pub sheet: Option<String>,
    pub rows: Rows,
}

pub struct Rows {
    from: From,
    width: Option<usize>,
    taken: u64,
    limits: Limits,
}

enum From {
    Csv(Box<CsvRows>),
    /// Rows made by a thread, since the spreadsheet readers borrow from themselves. It ends when this is dropped.
    Thread(Receiver<Result<Vec<Row>, Error>>, std::vec::IntoIter<Row>),
}

/// Rows that travel from the reading thread at once.
const CHUNK: usize = 256;

/// Opens a table of any format.
///
/// # Errors
/// When the file is no table, not readable in the encoding, or exceeds the limits.
pub fn open(mut source: Box<dyn Source>, options: &Options) -> Result<Table, Error> {
    let mut head = [0; 8];
    let read = read_head(&mut *source, &mut head)?;
    match format(&head[..read]) {
        Packed::Zip => {
            let (kind, source) = packed::check(source, &options.limits)?;
            match kind {
                Format::Ods => ods::open(source, options),
                _ => xlsx::open(source, options),
            }
        }
        Packed::Compound => xls::open(source, options),
        Packed::No => csv::open(source, options),
    }
}

enum Packed {
    Zip,
    Compound,
    No,
}

fn format(head: &[u8]) -> Packed {
    match head {
        [b'P', b'K', 3, 4, ..] => Packed::Zip,
        [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1] => Packed::Compound,
        _ => Packed::No,
    }
}

fn read_head(source: &mut dyn Source, head: &mut [u8]) -> Result<usize, Error> {
    let mut read = 0;
    source.seek(SeekFrom::Start(0))?;
    while read < head.len() {
        match source.read(&mut head[read..])? {
            0 => break,
            n => read += n,
        }
    }
    source.seek(SeekFrom::Start(0))?;
    Ok(read)
}

/// The sheet asked for, else the first.
fn choose(sheets: &[String], asked: Option<&str>) -> Result<String, Error> {
    match asked {
        Some(name) if sheets.iter().any(|s| s == name) => Ok(name.to_owned()),
        Some(name) => Err(Error::NoSheet(name.to_owned())),
        None => sheets.first().cloned().ok_or_else(|| Error::Damaged("it has no sheet".into())),
    }
}

/// What a reading thread hands its rows to. `false`: nobody wants more.
struct Sender {
    to: std::sync::mpsc::SyncSender<Result<Vec<Row>, Error>>,
    chunk: Vec<Row>,
}

impl Sender {
    fn row(&mut self, row: Row) -> bool {
        self.chunk.push(row);
        self.chunk.len() < CHUNK || self.flush()
    }

    fn flush(&mut self) -> bool {
        self.chunk.is_empty() || self.to.send(Ok(std::mem::take(&mut self.chunk))).is_ok()
    }
}

impl Rows {
    fn csv(rows: CsvRows, options: &Options) -> Self {
        let width = options.resume.map(|r| r.width);
        Self { from: From::Csv(Box::new(rows)), width, taken: 0, limits: options.limits }
    }

    /// Runs `read` on a thread of its own; a panic in it (the spreadsheet readers are not ours) is a damaged file.
    fn thread(
        options: &Options,
        read: impl FnOnce(&mut Sender) -> Result<(), Error> + Send + 'static,
    ) -> Result<Self, Error> {
        let (to, rows) = sync_channel(4);
        std::thread::Builder::new().name("spreadsheet".into()).spawn(move || {
            let mut sender = Sender { to, chunk: Vec::with_capacity(CHUNK) };
            let result = guard(|| read(&mut sender));
            sender.flush();
            if let Err(error) = result {
                // Nobody listens: the rows are not wanted any more, nor is the error.
                drop(sender.to.send(Err(error)));
            }
        })?;
        Ok(Self { from: From::Thread(rows, Vec::new().into_iter()), width: None, taken: 0, limits: options.limits })
    }

    /// Where the next row begins, to go on from there later. CSV in UTF-8 only.
    pub fn resume(&self) -> Option<Resume> {
        match &self.from {
            From::Csv(rows) => {
                let (byte, line) = rows.position()?;
                Some(Resume { byte, line, width: self.width? })
            }
            From::Thread(..) => None,
        }
    }

    fn raw(&mut self) -> Result<Option<Row>, Error> {
        match &mut self.from {
            From::Csv(rows) => rows.next_row(),
            From::Thread(rows, chunk) => {
                if let Some(row) = chunk.next() {
                    return Ok(Some(row));
                }
                match rows.recv() {
                    Ok(Ok(next)) => {
                        *chunk = next.into_iter();
                        Ok(chunk.next())
                    }
                    Ok(Err(error)) => Err(error),
                    Err(_) => Ok(None),
                }
            }
        }
    }
}

impl Iterator for Rows {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut row = match self.raw() {
                Ok(Some(row)) => row,
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            };
            if row.cells.iter().all(Cell::is_blank) {
                continue;
            }
            self.taken += 1;
            if self.taken > self.limits.rows {
                return Some(Err(Error::TooMany { what: "rows", limit: self.limits.rows }));
            }
            if row.cells.len() as u64 > self.limits.columns {
                return Some(Err(Error::TooMany { what: "columns", limit: self.limits.columns }));
            }
            row.found = row.cells.len();
            let width = *self.width.get_or_insert(row.cells.len());
            if row.cells.len() < width {
                row.cells.resize(width, Cell::Empty);
            }
            while row.cells.len() > width && row.cells.last().is_some_and(Cell::is_blank) {
                row.cells.pop();
                row.found -= 1;
            }
            return Some(Ok(row));
        }
    }
}

/// The spreadsheet readers index into what a file says; a panic in them is the file's fault.
fn guard<T>(read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(Error::Damaged("it is not as its format asks".into())))
}
