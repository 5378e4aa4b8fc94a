//! Barcode scanners.

mod code;
mod ending;
pub mod evdev;
pub mod gs1;
pub mod hid_pos;
pub mod serial;
mod text;

pub use code::{Code, Timing};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Code(Code),
}
