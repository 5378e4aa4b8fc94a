//! The pseudo-terminal itself.

use std::{
    ffi::OsStr,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, fcntl_dupfd_cloexec},
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, ptsname, unlockpt},
    termios::{OptionalActions, QueueSelector, tcflush, tcgetattr, tcsetattr},
};
use tokio::io::unix::AsyncFd;

use crate::sys;

#[derive(Debug)]
pub(crate) struct Pty {
    master: OwnedFd,
    /// A duplicate that the runtime watches, while a program has the tty open. Made anew each time: to the runtime a
    /// hang-up is final, a pty comes back from it.
    watched: Option<AsyncFd<OwnedFd>>,
    path: PathBuf,
}

/// What a read found.
#[derive(Debug)]
pub(crate) enum Read {
    Bytes(usize),
    /// A program has just closed the tty.
    HungUp,
    /// Nobody has the tty open.
    Closed,
}

impl Pty {
    /// A new pty in raw mode. The tty side stays closed, so that the kernel tells us (by hang-up) whether a program
    /// has it open: a real UART forgets bytes that come while nobody listens.
    pub(crate) fn open() -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let path = ptsname(&master, Vec::new())?;
        let path = Path::new(OsStr::from_bytes(path.as_bytes())).to_owned();
        rustix::io::ioctl_fionbio(&master, true)?;
        let pty = Self { master, watched: None, path };
        pty.reset()?;
        Ok(pty)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the tty in raw mode and drops unread bytes, as a port does between two users. `ResourceBusy` means that
    /// a program that had it exclusively was killed: the kernel keeps that mark as long as this pty lives.
    pub(crate) fn reset(&self) -> io::Result<()> {
        let tty = ioctl_tiocgptpeer(&self.master, OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        let mut settings = tcgetattr(&tty)?;
        settings.make_raw();
        tcsetattr(&tty, OptionalActions::Now, &settings)?;
        tcflush(&tty, QueueSelector::IFlush)?;
        Ok(())
    }

    /// Whether a program has the tty open.
    pub(crate) fn listened_to(&self) -> bool {
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut fds, Some(&now)).is_ok() && !fds[0].revents().contains(PollFlags::HUP)
    }

    /// The speed the other side has set.
    pub(crate) fn baud(&self) -> Option<u32> {
        tcgetattr(&self.master).ok().map(|settings| settings.output_speed())
    }

    /// Waits for bytes. `Closed` at once if nobody has the tty open; ask again a little later.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<Read> {
        let watched = match self.watched.take() {
            None if !self.listened_to() => return Ok(Read::Closed),
            None => sys::watch(fcntl_dupfd_cloexec(&self.master, 0)?)?,
            Some(watched) => watched,
        };
        let watched = self.watched.insert(watched);
        loop {
            let mut guard = watched.readable().await?;
            let hung_up = guard.ready().is_read_closed();
            match guard.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut *buffer)?)) {
                Ok(Ok(n)) => return Ok(Read::Bytes(n)),
                Ok(Err(error)) if error.raw_os_error() != Some(Errno::IO.raw_os_error()) => return Err(error),
                Err(_would_block) if !hung_up => {}
                Ok(Err(_)) | Err(_) => {
                    self.watched = None;
                    return Ok(Read::HungUp);
                }
            }
        }
    }

    /// `false` when the reader is so far behind that its buffer is full: an overrun, the byte is lost.
    pub(crate) fn write(&self, byte: u8) -> io::Result<bool> {
        match rustix::io::write(&self.master, &[byte]) {
            Ok(n) => Ok(n == 1),
            Err(Errno::AGAIN) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
