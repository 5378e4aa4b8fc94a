//! Tables from people's files and back. Knows no records: cells in, cells out.
//!
//! Reading: [`open`] looks at the first bytes (CSV, XLSX, XLS or ODS), checks a packed file against [`Limits`] before any
//! parser sees it, and gives a [`Table`] whose rows come one by one, in memory that does not grow with the file (XLS, at
//! most 65,536 rows, is the exception). [`guess`] says what a column holds; numbers, dates and booleans are read by the
//! same rules. Writing: [`write`] makes CSV, XLSX and XLS.

mod cell;
mod error;
pub mod guess;
pub mod read;
pub mod write;

pub use cell::Cell;
pub use error::Error;
pub use read::{Format, Limits, Options, Resume, Row, Rows, Source, Table, open};
