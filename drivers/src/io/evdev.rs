//! Input devices as a byte stream, so that scanners and keyboards are protocols like the rest.

use std::{
    io,
    path::Path,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Size of a record: type (2 bytes), code (2), value (4), little endian; the kernel's `input_event` without its time.
pub const RECORD: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    pub kind: u16,
    pub code: u16,
    pub value: i32,
}

impl Record {
    pub fn to_bytes(self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        bytes[..2].copy_from_slice(&self.kind.to_le_bytes());
        bytes[2..4].copy_from_slice(&self.code.to_le_bytes());
        bytes[4..].copy_from_slice(&self.value.to_le_bytes());
        bytes
    }

    pub fn from_bytes(bytes: [u8; RECORD]) -> Self {
        let [k0, k1, c0, c1, v0, v1, v2, v3] = bytes;
        Self {
            kind: u16::from_le_bytes([k0, k1]),
            code: u16::from_le_bytes([c0, c1]),
            value: i32::from_le_bytes([v0, v1, v2, v3]),
        }
    }
}

/// Puts records together again from bytes in any chunking.
#[derive(Debug, Default)]
pub struct Records {
    partial: [u8; RECORD],
    have: usize,
}

impl Records {
    pub fn push(&mut self, byte: u8) -> Option<Record> {
        self.partial[self.have] = byte;
        self.have += 1;
        if self.have < RECORD {
            return None;
        }
        self.have = 0;
        Some(Record::from_bytes(self.partial))
    }
}

/// An open input device. Raw: evdev's other stream hides that the kernel dropped events, and then a code that lacks its
/// middle looks whole.
pub(super) struct Input {
    events: evdev::raw_stream::EventStream,
    /// The rest of a record that did not fit into the reader's buffer.
    rest: Vec<u8>,
}

impl Input {
    pub(super) fn open(path: &Path, grab: bool) -> io::Result<Self> {
        let mut device = evdev::raw_stream::RawDevice::open(path)?;
        if grab {
            device.grab()?;
        }
        Ok(Self { events: device.into_event_stream()?, rest: Vec::new() })
    }
}

impl AsyncRead for Input {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let n = this.rest.len().min(buf.remaining());
            buf.put_slice(&this.rest[..n]);
            this.rest.drain(..n);
            if buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            match this.events.poll_event(cx) {
                Poll::Ready(Ok(event)) => {
                    let record = Record { kind: event.event_type().0, code: event.code(), value: event.value() };
                    this.rest.extend_from_slice(&record.to_bytes());
                }
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending if buf.filled().is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// Nothing is written to input devices.
impl AsyncWrite for Input {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
