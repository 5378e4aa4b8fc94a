//! Wall clock. It may be wrong by years on a box: order and life times never hang on it alone.

use std::time::{SystemTime, UNIX_EPOCH};

/// Today in UTC.
pub(crate) fn today() -> drivers::setting::Date {
    const DAY_MS: i64 = 24 * 3600 * 1000;
    let epoch = drivers::setting::Date { year: 1970, month: 1, day: 1 };
    drivers::setting::Date::from_days(now_ms() / DAY_MS).unwrap_or(epoch)
}

/// Unix milliseconds.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
