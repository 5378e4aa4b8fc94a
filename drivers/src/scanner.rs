//! Barcode scanners.

mod ending;
pub mod evdev;
pub mod serial;
mod text;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// One code, without terminator.
    Code(String),
}
