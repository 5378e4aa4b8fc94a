//! Deadlines of commands, judged on the ERP's clock as the box estimates it; the box's own wall clock has no say.

use std::time::Duration;

use link_protocol::down::Command;
use tokio::time::Instant;

#[derive(Debug, Clone, Copy)]
pub(super) struct ErpClock {
    now_ms: i64,
    at: Instant,
}

impl ErpClock {
    /// The ERP said `now_ms` and it took `round_trip` from the question to the answer.
    pub(super) fn new(now_ms: i64, round_trip: Duration, heard: Instant) -> Self {
        let half = i64::try_from(round_trip.as_millis() / 2).unwrap_or(0);
        Self { now_ms: now_ms.saturating_add(half), at: heard }
    }

    pub(super) fn now_ms(&self, now: Instant) -> i64 {
        let since = now.saturating_duration_since(self.at).as_millis();
        self.now_ms.saturating_add(i64::try_from(since).unwrap_or(i64::MAX))
    }

    /// When the command's first byte has to be out; `None`: it is too late.
    pub(super) fn deadline(&self, command: &Command, now: Instant) -> Option<Instant> {
        let end_ms = command.issued_ms.saturating_add(i64::from(command.ttl_ms));
        let left = end_ms.saturating_sub(self.now_ms(now)).min(i64::from(command.ttl_ms));
        u64::try_from(left).ok().filter(|left| *left > 0).map(|left| now + Duration::from_millis(left))
    }
}

#[cfg(test)]
mod tests {
    use link_protocol::down::CommandBody;

    use super::*;

    fn command(issued_ms: i64, ttl_ms: u32) -> Command {
        Command {
            v: 1,
            id: "command-1".parse().unwrap(),
            device: "printer".parse().unwrap(),
            issued_ms,
            ttl_ms,
            body: CommandBody::OpenDrawer,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_counts_on_the_erps_clock_and_half_the_round_trip() {
        let heard = Instant::now();
        let clock = ErpClock::new(1_000_000, Duration::from_millis(200), heard);
        assert_eq!(clock.now_ms(heard), 1_000_100);
        let later = heard + Duration::from_secs(2);
        assert_eq!(clock.deadline(&command(1_000_000, 5_000), later), Some(later + Duration::from_millis(2_900)));
        assert_eq!(clock.deadline(&command(1_000_000, 2_100), later), None);
        assert_eq!(clock.deadline(&command(0, 5_000), later), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_from_the_future_lives_no_longer_than_its_time() {
        let now = Instant::now();
        let clock = ErpClock::new(0, Duration::ZERO, now);
        assert_eq!(clock.deadline(&command(i64::MAX, 3_000), now), Some(now + Duration::from_secs(3)));
    }
}
