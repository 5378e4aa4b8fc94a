//! A Mettler-Toledo 8217 checkout scale on a serial line, 9600 baud 7E1.

mod engine;
mod task;

pub use engine::{Change, Forced, Scale, Settings, Unit, WeightError};
pub(crate) use task::run;
