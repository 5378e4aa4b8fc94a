//! The one clock of the simulators: `CLOCK_MONOTONIC` in microseconds, so that stamps compare across processes.

use std::{io, os::fd::OwnedFd};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// Microseconds of `CLOCK_MONOTONIC`.
pub type Micros = u64;

pub fn now_us() -> Micros {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000
}

/// A timer that keeps a character's time: tokio's own counts in milliseconds, a character at 9600 baud lasts 1.04.
#[derive(Debug)]
pub(crate) struct Timer {
    fd: AsyncFd<OwnedFd>,
    armed: Option<Micros>,
}

impl Timer {
    pub(crate) fn new() -> io::Result<Self> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self { fd: crate::sys::watch(fd)?, armed: None })
    }

    /// Waits until `deadline`, for ever if there is none. Dropping the future loses nothing.
    pub(crate) async fn until(&mut self, deadline: Option<Micros>) -> io::Result<()> {
        let Some(deadline) = deadline else { return std::future::pending().await };
        if self.armed != Some(deadline) {
            // A zero time would disarm the timer.
            let at = deadline.max(1);
            let value = Timespec {
                tv_sec: i64::try_from(at / 1_000_000).unwrap_or(i64::MAX),
                tv_nsec: i64::try_from(at % 1_000_000).unwrap_or(0) * 1_000,
            };
            let spec = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
            timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::ABSTIME, &spec)?;
            self.armed = Some(deadline);
        }
        loop {
            let mut guard = self.fd.readable().await?;
            let mut ticks = [0u8; 8];
            match guard.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut ticks)?)) {
                Ok(Ok(_)) => {
                    self.armed = None;
                    return Ok(());
                }
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_timer_does_not_fire_early_and_can_be_moved_forward() {
        let mut timer = Timer::new().unwrap();
        let start = now_us();
        tokio::select! {
            _ = timer.until(Some(start + 60_000_000)) => panic!("a minute has not passed"),
            _ = tokio::task::yield_now() => {}
        }
        timer.until(Some(start + 3_000)).await.unwrap();
        let waited = now_us() - start;
        assert!((3_000..500_000).contains(&waited), "waited {waited} us");
    }
}
