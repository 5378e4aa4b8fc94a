//! Scales of other protocols than the 8217's: one platform, several speakers.

mod platform;
mod speakers;
mod task;

pub use platform::{Platform, Protocol, Settings};
pub(crate) use task::run;

#[cfg(test)]
mod tests;
