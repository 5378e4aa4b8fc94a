//! Barcode scanners.

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// One code, without terminator.
    Code(String),
}
