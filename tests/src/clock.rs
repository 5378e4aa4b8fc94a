//! One clock for all processes of a run.

/// CLOCK_MONOTONIC in microseconds: the simulators stamp with the same clock.
pub fn monotonic_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1000
}

/// Milliseconds from `earlier`, a stamp of [`monotonic_us`], to now.
pub fn ms_since(earlier: u64) -> f64 {
    ms_between(earlier, monotonic_us())
}

#[expect(clippy::cast_precision_loss, reason = "differences of microseconds fit")]
pub fn ms_between(earlier: u64, later: u64) -> f64 {
    later.saturating_sub(earlier) as f64 / 1000.0
}
