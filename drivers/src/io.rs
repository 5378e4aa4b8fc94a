//! How drivers reach ports. The real one is [`System`]; tests give drivers pipes instead.

pub mod evdev;
mod hidraw;
mod sys;
mod system;
mod usblp;

pub(crate) use system::keep_alive;
pub use system::{System, access};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    device::{BoxFuture, OpenError},
    port::PortInfo,
};

/// Line settings of a serial port; ignored by other ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    pub baud: u32,
    pub data_bits: u8,
    pub parity: Parity,
    pub stop_bits: u8,
}

impl Line {
    /// What most serial devices leave the factory with.
    pub const N8_9600: Self = Self { baud: 9600, data_bits: 8, parity: Parity::None, stop_bits: 1 };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parity {
    None,
    Even,
    Odd,
}

/// A byte stream to a device.
pub trait Channel: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Channel for T {}

pub trait Io: Send + Sync {
    /// Opens the port as a byte stream, exclusively where the kernel allows it, within five seconds. An input device
    /// gives [`evdev::RECORD`]-sized records, a HID device [`crate::hid::Reports`]; `line` is for serial ports.
    fn stream<'a>(&'a self, port: &'a PortInfo, line: Line) -> BoxFuture<'a, Result<Box<dyn Channel>, OpenError>>;

    /// Opens an input device as [`Io::stream`] does and, with `grab`, takes its keys from every other program, so that
    /// a scanned code does not end up in a terminal.
    fn input<'a>(&'a self, port: &'a PortInfo, grab: bool) -> BoxFuture<'a, Result<Box<dyn Channel>, OpenError>> {
        let _ = grab;
        self.stream(port, Line::N8_9600)
    }
}
