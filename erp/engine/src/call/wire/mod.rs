//! Values of fields as clients write and read them: `false` for empty, dates and times as text in UTC, bytes as base64.

mod read;
mod write;

pub(crate) use read::{name_of, to_json};
pub(crate) use write::from_json;

#[cfg(test)]
mod tests;
