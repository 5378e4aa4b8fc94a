//! What texts mean: numbers, dates, booleans, and what a whole column holds.

mod boolean;
mod column;
mod date;
mod number;

pub use boolean::boolean;
pub use column::{Column, Hints, LINES, column};
pub use date::{Pattern, date_patterns, datetime_patterns};
pub use number::{CURRENCIES, Separators, number};
