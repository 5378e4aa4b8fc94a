//! Can the clock be right?

use super::{Facts, Finding, ok, warning, wrong};
use crate::certificate;

/// Between the box and the ERP.
const TOLERANCE_MS: i64 = 120_000;
const DAY_MS: i64 = 86_400_000;
const YEAR_MS: i64 = 365 * DAY_MS;
/// No machine runs one build for longer.
const LONGEST_MS: i64 = 20 * YEAR_MS;

const ADVICE: &str = "Set it, or give the box a time server; certificates are judged by it.";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let built_ms = env!("IOT_BOX_BUILT_S").parse::<i64>().unwrap_or(0) * 1000;
    // The daemon's time is the ERP's only once the two have talked.
    let erp_ms = facts.daemon.as_ref().ok().filter(|s| s.connected).map(|s| s.latest_time_ms);
    let ended_ms = facts.grant.as_ref().and_then(|(_, grant)| certificate::facts(&grant.client_certificate));
    vec![judge(facts.now_ms, built_ms, erp_ms, ended_ms.map(|f| f.not_after_ms))]
}

/// `end_ms`: of the certificate with which the box signs in.
fn judge(now_ms: i64, built_ms: i64, erp_ms: Option<i64>, end_ms: Option<i64>) -> Finding {
    if now_ms < built_ms - TOLERANCE_MS {
        return wrong("The clock is wrong: it stands before the day on which this program was built.", ADVICE);
    }
    if now_ms > built_ms.saturating_add(LONGEST_MS) {
        return wrong("The clock is wrong: it is twenty years ahead of this program.", ADVICE);
    }
    match erp_ms {
        Some(erp_ms) if (now_ms - erp_ms).abs() > TOLERANCE_MS => {
            let way = if now_ms > erp_ms { "ahead of" } else { "behind" };
            warning(format!("The clock is {} {way} the ERP's.", span((now_ms - erp_ms).abs())), ADVICE)
        }
        Some(_) => ok("The clock agrees with the ERP's."),
        // A box that was away for so long is rarer than a clock that was never set.
        None if end_ms.is_some_and(|end_ms| now_ms > end_ms.saturating_add(YEAR_MS)) => wrong(
            "The clock is wrong, or the box was away for years: by it, its certificates ended more than a year ago.",
            ADVICE,
        ),
        None => ok("The clock is plausible."),
    }
}

/// In the largest unit of which there are at least two.
fn span(ms: i64) -> String {
    let units = [(YEAR_MS, "years"), (DAY_MS, "days"), (3_600_000, "hours")];
    match units.into_iter().find(|(unit, _)| ms >= 2 * unit) {
        Some((unit, name)) => format!("{} {name}", ms / unit),
        None => format!("{} minutes", ms / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Level;

    #[test]
    fn a_clock_ten_years_off_is_found() {
        const BUILT: i64 = 60 * YEAR_MS;
        let end = Some(BUILT + 2 * YEAR_MS);
        assert_eq!(judge(BUILT - 10 * YEAR_MS, BUILT, None, end).level, Level::Wrong);
        assert_eq!(judge(BUILT + 30 * YEAR_MS, BUILT, None, None).level, Level::Wrong);
        assert_eq!(judge(BUILT + 10 * YEAR_MS, BUILT, None, end).level, Level::Wrong);
        assert_eq!(judge(BUILT + 10 * YEAR_MS, BUILT, Some(BUILT), end).level, Level::Warning);
        assert_eq!(judge(BUILT + YEAR_MS, BUILT, Some(BUILT + YEAR_MS + 1_000), end).level, Level::Ok);
        assert_eq!(judge(BUILT + YEAR_MS, BUILT, None, end).level, Level::Ok);
    }

    #[test]
    fn how_far_off_it_is_is_said_in_the_unit_people_would_use() {
        let said = |ms| judge(60 * YEAR_MS, 59 * YEAR_MS, Some(60 * YEAR_MS + ms), None).message;
        assert_eq!(said(600_000), "The clock is 10 minutes behind the ERP's.");
        assert_eq!(said(-7_200_000), "The clock is 2 hours ahead of the ERP's.");
        assert_eq!(said(-3_651 * DAY_MS), "The clock is 10 years ahead of the ERP's.");
    }
}
