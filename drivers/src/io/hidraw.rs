//! HID devices by the kernel's hidraw: one read gives one report.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, unix::AsyncFd};

use crate::hid::{LONGEST, Reports};

pub(super) struct HidRaw {
    file: AsyncFd<File>,
    /// The rest of a framed report that did not fit into the reader's buffer.
    rest: Vec<u8>,
}

impl HidRaw {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        Ok(Self { file: super::sys::watch(file)?, rest: Vec::new() })
    }
}

impl AsyncRead for HidRaw {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.rest.is_empty() {
            let mut ready = ready!(this.file.poll_read_ready(cx))?;
            let mut report = [0; LONGEST];
            match ready.try_io(|file| file.get_ref().read(&mut report)) {
                Ok(Ok(0)) => return Poll::Ready(Ok(())),
                Ok(Ok(n)) => this.rest = Reports::frame(&report[..n]),
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
        let n = this.rest.len().min(buf.remaining());
        buf.put_slice(&this.rest[..n]);
        this.rest.drain(..n);
        Poll::Ready(Ok(()))
    }
}

/// An output report, with its id in front (0 where the device has none).
impl AsyncWrite for HidRaw {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, report: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            let mut ready = ready!(this.file.poll_write_ready(cx))?;
            match ready.try_io(|file| file.get_ref().write(report)) {
                Ok(result) => return Poll::Ready(result),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
