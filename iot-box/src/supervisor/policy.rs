//! When a unit that ended runs again. Pure: time comes in, a decision goes out.
//!
//! ```text
//!            Finished ───────────────────────────────► Stop
//! running ── Unavailable ── wait, doubled each time ─► Again
//!            Failed ─┬─ fewer than the limit a window ► Again
//!                    └─ limit reached ────────────────► GiveUp
//! ```

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How a unit's run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was for, or was told to stop.
    Finished,
    /// What it needs is not there now (a printer that is switched off). Waiting is right, for ever.
    Unavailable(String),
    /// It should not have ended; too many of these and somebody has to look.
    Failed(String),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Restart {
    pub(crate) first: Duration,
    pub(crate) max: Duration,
    /// This many failures within `window` end the attempts.
    pub(crate) limit: usize,
    pub(crate) window: Duration,
}

impl Restart {
    pub(crate) const DEFAULT: Self =
        Self { first: Duration::from_secs(1), max: Duration::from_secs(60), limit: 5, window: Duration::from_secs(60) };
    /// Devices come back when a person plugs them in and looks at the screen: at most this long after it.
    pub(crate) const DEVICE: Self = Self { max: Duration::from_secs(10), ..Self::DEFAULT };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Stop,
    Again(Duration),
    GiveUp,
}

#[derive(Debug)]
pub(crate) struct Policy {
    restart: Restart,
    delay: Duration,
    failures: VecDeque<Instant>,
}

impl Policy {
    pub(crate) fn new(restart: Restart) -> Self {
        Self { restart, delay: restart.first, failures: VecDeque::new() }
    }

    /// `started` is when the run that ended now began.
    pub(crate) fn step(&mut self, now: Instant, started: Instant, exit: &Exit) -> Next {
        if now.saturating_duration_since(started) >= self.restart.window {
            self.delay = self.restart.first;
        }
        match exit {
            Exit::Finished => return Next::Stop,
            Exit::Unavailable(_) => {}
            Exit::Failed(_) => {
                self.failures.push_back(now);
                while self.failures.front().is_some_and(|&t| now.saturating_duration_since(t) >= self.restart.window) {
                    self.failures.pop_front();
                }
                if self.failures.len() >= self.restart.limit {
                    return Next::GiveUp;
                }
            }
        }
        let delay = self.delay;
        self.delay = (delay * 2).min(self.restart.max);
        Next::Again(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Exit {
        Exit::Failed("x".into())
    }

    #[test]
    fn waits_double_up_to_the_maximum() {
        let mut policy = Policy::new(Restart::DEFAULT);
        let now = Instant::now();
        let waits: Vec<_> = (0..8).map(|_| policy.step(now, now, &Exit::Unavailable("off".into()))).collect();
        let seconds = [1, 2, 4, 8, 16, 32, 60, 60].map(|s| Next::Again(Duration::from_secs(s)));
        assert_eq!(waits, seconds);
    }

    #[test]
    fn five_failures_within_a_minute_are_the_end() {
        let mut policy = Policy::new(Restart::DEFAULT);
        let start = Instant::now();
        for s in 0..4 {
            let now = start + Duration::from_secs(s);
            assert!(matches!(policy.step(now, now, &failed()), Next::Again(_)));
        }
        let now = start + Duration::from_secs(5);
        assert_eq!(policy.step(now, now, &failed()), Next::GiveUp);
    }

    #[test]
    fn rare_failures_never_are() {
        let mut policy = Policy::new(Restart::DEFAULT);
        let start = Instant::now();
        for minute in 0..100 {
            let now = start + Duration::from_secs(60 * minute);
            assert!(matches!(policy.step(now, now, &failed()), Next::Again(_)), "failure {minute}");
        }
    }

    #[test]
    fn what_is_only_unavailable_is_waited_for_for_ever() {
        let mut policy = Policy::new(Restart::DEVICE);
        let now = Instant::now();
        for _ in 0..1_000 {
            assert!(matches!(policy.step(now, now, &Exit::Unavailable("off".into())), Next::Again(_)));
        }
    }

    #[test]
    fn a_long_run_makes_the_next_wait_short_again() {
        let mut policy = Policy::new(Restart::DEFAULT);
        let start = Instant::now();
        for _ in 0..6 {
            policy.step(start, start, &Exit::Unavailable("off".into()));
        }
        let later = start + Duration::from_secs(120);
        assert_eq!(policy.step(later, start, &failed()), Next::Again(Duration::from_secs(1)));
    }

    #[test]
    fn an_ordinary_end_is_an_end() {
        let now = Instant::now();
        assert_eq!(Policy::new(Restart::DEFAULT).step(now, now, &Exit::Finished), Next::Stop);
    }
}
