//! How long to wait before the next connection.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// A connection that held so long starts the waiting anew.
const GOOD: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// `held`: how long the last connection lasted; `random`: evenly from 0 to 1, so that a shop's boxes do not come
    /// back all at once.
    pub(super) fn next(&mut self, held: Option<Duration>, random: f64) -> Duration {
        if held.is_some_and(|held| held >= GOOD) {
            self.failures = 0;
        }
        let full = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        full.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_start_anew_after_a_good_connection() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..9).map(|_| backoff.next(None, 1.0).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(backoff.next(Some(Duration::from_secs(1)), 0.0).as_millis(), 15_000);
        assert_eq!(backoff.next(Some(Duration::from_secs(60)), 0.0).as_millis(), 250);
    }
}
