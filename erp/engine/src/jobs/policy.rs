//! When work runs next: pure, and so without a clock.

use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};

/// First wait after a failure; doubled with each further one.
const FIRST_WAIT_S: i64 = 30;
const LONGEST_WAIT_S: i64 = 6 * 3_600;
/// Failures in a row after which work is not tried again by itself.
pub(super) const MOST_FAILURES: i64 = 10;

/// How long to wait after so many failures in a row.
pub(super) fn wait_after(failures: i64) -> SignedDuration {
    let doublings = u32::try_from(failures.clamp(1, 20) - 1).unwrap_or(0);
    SignedDuration::from_secs((FIRST_WAIT_S << doublings).min(LONGEST_WAIT_S))
}

/// The first time of the row `planned`, `planned` + interval, ... that is not past: what was missed runs once, and
/// what runs at six in the morning goes on to do so.
pub(super) fn next(planned: Timestamp, every: i64, unit: &str, now: Timestamp) -> Timestamp {
    let every = every.max(1);
    if unit == "months" {
        let start = planned.to_zoned(TimeZone::UTC).datetime();
        let passed = start.until((jiff::Unit::Month, now.to_zoned(TimeZone::UTC).datetime()));
        let passed = passed.map_or(0, |span| i64::from(span.get_months())).max(0);
        // From the start each time: the 31st stays the 31st after a short month.
        return (passed / every..)
            .take(3)
            .filter_map(|times| start.checked_add(((times + 1) * every).months()).ok())
            .filter_map(|at| at.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp()))
            .find(|at| *at > now)
            .unwrap_or(now);
    }
    let unit_s = match unit {
        "seconds" => 1,
        "minutes" => 60,
        "hours" => 3_600,
        "weeks" => 7 * 86_400,
        _ => 86_400,
    };
    let step = every.saturating_mul(unit_s);
    let behind = now.as_second().saturating_sub(planned.as_second());
    let steps = if behind < 0 { 1 } else { behind / step + 1 };
    let seconds = step.saturating_mul(steps);
    planned.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now)
}

/// Seconds as people say them.
pub(super) fn interval(every_s: u32) -> (i64, &'static str) {
    let every = i64::from(every_s.max(1));
    for (unit, seconds) in [("days", 86_400), ("hours", 3_600), ("minutes", 60)] {
        if every % seconds == 0 {
            return (every / seconds, unit);
        }
    }
    (every, "seconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_was_missed_runs_once_and_keeps_its_hour() {
        let planned = at("2026-01-31T06:00:00Z");
        for (every, unit, now, expected) in [
            (1, "days", "2026-01-31T06:00:00Z", "2026-02-01T06:00:00Z"),
            (1, "days", "2026-03-05T12:34:56Z", "2026-03-06T06:00:00Z"),
            (10, "minutes", "2026-01-31T06:25:00Z", "2026-01-31T06:30:00Z"),
            (1, "weeks", "2026-02-07T05:59:59Z", "2026-02-07T06:00:00Z"),
            (1, "months", "2026-01-31T06:00:01Z", "2026-02-28T06:00:00Z"),
            (1, "months", "2026-03-01T00:00:00Z", "2026-03-31T06:00:00Z"),
            (3, "months", "2027-01-01T00:00:00Z", "2027-01-31T06:00:00Z"),
        ] {
            assert_eq!(next(planned, every, unit, at(now)), at(expected), "{every} {unit} at {now}");
        }
    }

    #[test]
    fn waits_grow_up_to_a_limit() {
        let waits: Vec<i64> = [1, 2, 3, 9, 10, 1_000].map(|n| wait_after(n).as_secs()).to_vec();
        assert_eq!(waits, [30, 60, 120, 7_680, 15_360, 21_600]);
    }

    #[test]
    fn intervals_are_said_in_the_largest_unit_that_fits() {
        let said = [86_400, 7_200, 300, 45, 0].map(interval);
        assert_eq!(said, [(1, "days"), (2, "hours"), (5, "minutes"), (45, "seconds"), (1, "seconds")]);
    }
}
