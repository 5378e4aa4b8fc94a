use std::io;

/// Why a file cannot be read or written. Rows are counted as a spreadsheet program counts them, from 1.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not text in the encoding that was chosen or guessed.
    #[error(
        "row {row}: byte {byte} of the file is no {encoding}; choose the encoding that the file was saved with, or save it as UTF-8"
    )]
    Encoding { encoding: String, row: u64, byte: u64 },
    #[error("the encoding '{0}' is not known; save the file as UTF-8")]
    UnknownEncoding(String),
    #[error("this is neither a text file nor a spreadsheet; give a .csv, .xlsx, .xls or .ods file")]
    UnknownFormat,
    #[error("row {row} opens a quotation that is not closed within {limit} bytes; check the text delimiter")]
    OpenQuote { row: u64, limit: u64 },
    #[error("the separator must be one ASCII character, such as a comma; '{0}' is not")]
    Separator(String),
    #[error("the file has more than {limit} {what}; divide it")]
    TooMany { what: &'static str, limit: u64 },
    #[error("the file unpacks to more than {limit} bytes of {what}; such a file is not read")]
    Bomb { what: &'static str, limit: u64 },
    #[error("the spreadsheet is damaged: {0}; open it in a spreadsheet program and save it again")]
    Damaged(String),
    #[error("the spreadsheet is protected by a password; save it without one")]
    Password,
    #[error("there is no sheet '{0}' in the file")]
    NoSheet(String),
    #[error("row {row}, column {column}: {length} characters, and a spreadsheet's cell takes 32,767; export as CSV")]
    LongCell { row: u64, column: u64, length: usize },
    #[error("{rows} rows, and {format} takes {limit}; {advice}")]
    TooManyRows { rows: u64, limit: u64, format: &'static str, advice: &'static str },
    #[error("{columns} columns, and {format} takes {limit}")]
    TooManyColumns { columns: usize, limit: usize, format: &'static str },
    #[error("the file cannot be read or written: {0}")]
    Io(io::Error),
}

impl From<io::Error> for Error {
    /// Errors of ours that travelled through somebody's `Read` come out as they were.
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(ours) => ours,
            Err(error) => Self::Io(error),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}
