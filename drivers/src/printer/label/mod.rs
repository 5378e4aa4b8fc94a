//! Label printers: ZPL, EPL, TSPL and DYMO's raster. A label is one picture ([`canvas`](super::canvas)), so that it
//! looks the same on each of them; who has a label in the printer's own language sends it as a file.

mod dymo;
mod epl;
mod tspl;
mod zpl;

pub(super) use dymo::{Dymo, DymoTape};
pub(super) use epl::Epl;
pub(super) use tspl::Tspl;
pub(super) use zpl::Zpl;

#[cfg(test)]
mod tests;
