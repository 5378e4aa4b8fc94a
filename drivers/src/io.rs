//! How drivers reach ports. The real one is [`System`]; tests give drivers pipes instead.

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
    /// Opens the port as a byte stream, exclusively where the kernel allows it, within five seconds.
    fn stream<'a>(&'a self, port: &'a PortInfo, line: Line) -> BoxFuture<'a, Result<Box<dyn Channel>, OpenError>>;
}
