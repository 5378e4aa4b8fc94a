//! The line as a device task sees it: bytes that have arrived, and a way to send.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    pace::{Format, Pace},
    pty::{Pty, Read},
};
use crate::clock::{Micros, Timer, now_us};

/// How long to wait before looking again whether somebody opened the tty.
const CLOSED_US: Micros = 10_000;
/// How often to put a tty that nobody has open in order: a program may have come and gone unseen.
const RESET_US: Micros = 1_000_000;

#[derive(Debug)]
pub(crate) enum LineEvent {
    /// A byte came from the peer.
    Byte(u8),
    /// The last byte queued has left; `at` was taken just before the write.
    Sent { at: Micros },
    /// The time the caller asked to be woken at.
    Wake,
    /// The pty had to be replaced, as a device that enumerates anew: its path changed.
    Remade,
}

#[derive(Debug)]
pub(crate) struct Line {
    pace: Pace,
    check_baud: bool,
    pty: Option<Pty>,
    timer: Timer,
    retry_at: Micros,
    /// When to put the closed tty in order again.
    reset_at: Micros,
    mismatch: Option<u32>,
    lost: u64,
    unheard: u64,
}

impl Line {
    /// A line whose cable is not plugged in yet. With `check_baud`, a peer at another speed meets garbage.
    pub(crate) fn new(format: Format, check_baud: bool) -> io::Result<Self> {
        Ok(Self {
            pace: Pace::new(format),
            check_baud,
            pty: None,
            timer: Timer::new()?,
            retry_at: 0,
            reset_at: 0,
            mismatch: None,
            lost: 0,
            unheard: 0,
        })
    }

    pub(crate) fn plug(&mut self) -> io::Result<PathBuf> {
        let pty = Pty::open()?;
        let path = pty.path().to_owned();
        self.pty = Some(pty);
        self.reset_at = now_us() + RESET_US;
        Ok(path)
    }

    pub(crate) fn unplug(&mut self) {
        self.pty = None;
        self.pace.clear();
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.pty.as_ref().map(Pty::path)
    }

    pub(crate) fn listened_to(&self) -> bool {
        self.pty.as_ref().is_some_and(Pty::listened_to)
    }

    /// Bytes that nobody listened to, and bytes that a full reader lost.
    pub(crate) fn losses(&self) -> (u64, u64) {
        (self.unheard, self.lost)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if self.pty.is_some() {
            self.pace.device_sends(now_us(), bytes);
        }
    }

    /// Waits for the next thing to happen. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self, wake: Option<Micros>) -> io::Result<LineEvent> {
        let mut buffer = [0u8; 512];
        loop {
            let now = now_us();
            if let Some((_, byte)) = self.pace.arrived(now) {
                if self.speaks_our_speed() {
                    return Ok(LineEvent::Byte(byte));
                }
                continue;
            }
            if let Some(byte) = self.pace.sent(now) {
                let at = now_us();
                self.put_on_wire(byte)?;
                if !self.pace.sending() {
                    return Ok(LineEvent::Sent { at });
                }
                continue;
            }
            if wake.is_some_and(|wake| wake <= now) {
                return Ok(LineEvent::Wake);
            }
            let deadline = [self.pace.next(), wake].into_iter().flatten().min();
            let closed_until = (self.retry_at > now).then_some(self.retry_at);
            let Some(pty) = self.pty.as_mut().filter(|_| closed_until.is_none()) else {
                let retry = closed_until.filter(|_| self.pty.is_some());
                self.timer.until([deadline, retry].into_iter().flatten().min()).await?;
                continue;
            };
            tokio::select! {
                done = self.timer.until(deadline) => done?,
                read = pty.read(&mut buffer) => match read? {
                    Read::Bytes(n) => {
                        self.pace.peer_sends(now_us(), &buffer[..n]);
                    }
                    Read::HungUp => self.reset_at = 0,
                    Read::Closed => {
                        let now = now_us();
                        self.retry_at = now + CLOSED_US;
                        if now >= self.reset_at {
                            self.reset_at = now + RESET_US;
                            if self.reset()? {
                                return Ok(LineEvent::Remade);
                            }
                        }
                    }
                },
            }
        }
    }

    /// Nobody has the tty open. True if the pty had to be made anew.
    fn reset(&mut self) -> io::Result<bool> {
        let Some(pty) = &self.pty else { return Ok(false) };
        match pty.reset() {
            Ok(()) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                self.plug()?;
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    fn put_on_wire(&mut self, byte: u8) -> io::Result<()> {
        if !self.listened_to() {
            self.unheard += 1;
            return Ok(());
        }
        let same_speed = self.speaks_our_speed();
        let Some(pty) = &self.pty else { return Ok(()) };
        // What a UART makes of bits of the wrong length is anybody's guess; it is never what was sent.
        let byte = if same_speed { byte } else { byte.rotate_left(3) ^ 0xA5 };
        if !pty.write(byte)? {
            self.lost += 1;
        }
        Ok(())
    }

    fn speaks_our_speed(&mut self) -> bool {
        let ours = self.pace.format().baud;
        let Some(theirs) = self.pty.as_ref().and_then(Pty::baud).filter(|_| self.check_baud) else { return true };
        if theirs == ours {
            self.mismatch = None;
            return true;
        }
        if self.mismatch.replace(theirs) != Some(theirs) {
            let path = self.path().map(|path| path.display().to_string());
            tracing::warn!(
                port.path = path,
                port.baud = theirs,
                device.baud = ours,
                "the tty is set to another speed than the device's: both sides get garbage"
            );
        }
        false
    }
}
