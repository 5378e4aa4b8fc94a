//! Import of people's files into any model, with a preview, and export of any records as a file.
//!
//! ```text
//! file (pieces in the database) -> staged on disk -> rows (erp-exchange) -> preview: which column is which field
//!                                                                       -> run: cells by field type -> Env::load
//! ```

mod convert;
mod export;
mod fields;
mod file;
mod matching;
mod models;
mod options;
mod preview;
mod run;

pub use export::{Exported, FORMATS, export_file, template};
pub use file::{PIECE, add_piece, finish_file};
pub(crate) use models::app;
