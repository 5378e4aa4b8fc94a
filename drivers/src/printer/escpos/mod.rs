//! ESC/POS, the language of nearly all receipt printers.
//!
//! Source: Epson's "ESC/POS Command Reference"; commands carry its names in comments. [`encode`] turns a document into
//! bytes and knows nothing of connections; [`Protocol`] gets them to the printer and finds out what became of them.
//! Why there is an encoder of our own: `docs/adr/0004-own-escpos-encoder.md`.

mod barcode;
mod driver;
mod encode;
mod protocol;
mod qr;
mod raster;
mod reply;

pub use super::{
    error::EncodeError,
    profile::{CodePage, DrawerPin, Profile},
};
pub use driver::{EscPosTcp, EscPosUsb};
pub use encode::encode;
pub use protocol::Protocol;

#[cfg(test)]
mod tests;
