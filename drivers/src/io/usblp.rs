//! USB printers by the kernel's usblp driver.
//!
//! usblp sends one transfer at a time and says "written" as soon as it has begun. A printer that holds its bytes back
//! (no paper, cover open) would go unnoticed, and closing the file would lose them. So bytes count as written here
//! when the printer has taken them, which usblp tells by becoming writable again.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, unix::AsyncFd},
    time::Sleep,
};

/// Some printers answer an idle bulk IN with an empty packet instead of NAK, and again as soon as they are asked anew.
const AFTER_EMPTY: Duration = Duration::from_millis(20);

pub(super) struct UsbPrinter {
    file: AsyncFd<File>,
    /// Size of the transfer that the printer has not taken yet.
    in_flight: Option<usize>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl UsbPrinter {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        Ok(Self { file: super::sys::watch(file)?, in_flight: None, pause: None })
    }

    /// Tokio's readiness can be one transfer old; this is how it is now. An error when the printer is gone.
    fn takes_bytes(&self) -> io::Result<bool> {
        let mut fds = [PollFd::new(self.file.get_ref(), PollFlags::OUT)];
        rustix::event::poll(&mut fds, Some(&Timespec::default()))?;
        let flags = fds[0].revents();
        if flags.intersects(PollFlags::HUP | PollFlags::ERR) {
            return Err(io::Error::from_raw_os_error(libc::ENODEV));
        }
        Ok(flags.contains(PollFlags::OUT))
    }
}

impl AsyncRead for UsbPrinter {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if let Some(pause) = &mut this.pause {
                ready!(pause.as_mut().poll(cx));
                this.pause = None;
            }
            let mut ready = ready!(this.file.poll_read_ready(cx))?;
            match ready.try_io(|file| file.get_ref().read(buf.initialize_unfilled())) {
                Ok(Ok(0)) if buf.remaining() > 0 => {
                    this.pause = Some(Box::pin(tokio::time::sleep(AFTER_EMPTY)));
                }
                Ok(Ok(n)) => {
                    buf.advance(n);
                    return Poll::Ready(Ok(()));
                }
                // It has no bulk IN at all (protocol 1, unidirectional): there is nothing to hear but its end.
                Ok(Err(error)) if error.raw_os_error() == Some(libc::EINVAL) => {
                    this.takes_bytes()?;
                    ready.clear_ready();
                }
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for UsbPrinter {
    /// Called again with the same bytes until they are written, as every writer does that does not give up.
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            let mut ready = ready!(this.file.poll_write_ready(cx))?;
            if !this.takes_bytes()? {
                ready.clear_ready();
                continue;
            }
            if let Some(size) = this.in_flight.take() {
                return Poll::Ready(Ok(size.min(bytes.len())));
            }
            match ready.try_io(|file| file.get_ref().write(bytes)) {
                Ok(Ok(size)) => this.in_flight = Some(size),
                Ok(Err(error)) => return Poll::Ready(Err(error)),
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
