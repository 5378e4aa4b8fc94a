//! A domain judged in memory.

use crate::value::Value;

/// Where the values of a record come from.
pub trait Lookup {
    /// The value of a field.
    fn value(&self, field: &str) -> Value;
}
