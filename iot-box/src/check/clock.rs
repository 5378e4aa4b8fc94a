//! Can the clock be right?

use super::{Facts, Finding, ok, warning, wrong};

/// Between the box and the ERP.
const TOLERANCE_MS: i64 = 120_000;
/// No machine runs one build for longer.
const LONGEST_MS: i64 = 20 * 365 * 86_400_000;

const ADVICE: &str = "Set it, or give the box a time server; certificates are judged by it.";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let built_ms = env!("IOT_BOX_BUILT_S").parse::<i64>().unwrap_or(0) * 1000;
    // The daemon's time is the ERP's only once the two have talked.
    let erp_ms = facts.daemon.as_ref().ok().filter(|s| s.connected).map(|s| s.latest_time_ms);
    vec![judge(facts.now_ms, built_ms, erp_ms)]
}

fn judge(now_ms: i64, built_ms: i64, erp_ms: Option<i64>) -> Finding {
    if now_ms < built_ms - TOLERANCE_MS {
        return wrong("The clock is wrong: it stands before the day on which this program was built.", ADVICE);
    }
    if now_ms > built_ms.saturating_add(LONGEST_MS) {
        return wrong("The clock is wrong: it is twenty years ahead of this program.", ADVICE);
    }
    match erp_ms {
        Some(erp_ms) if (now_ms - erp_ms).abs() > TOLERANCE_MS => {
            let minutes = (now_ms - erp_ms).abs() / 60_000;
            let way = if now_ms > erp_ms { "ahead of" } else { "behind" };
            warning(format!("The clock is {minutes} minutes {way} the ERP's."), ADVICE)
        }
        Some(_) => ok("The clock agrees with the ERP's."),
        None => ok("The clock is plausible."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Level;

    #[test]
    fn a_clock_ten_years_off_is_found() {
        const YEAR: i64 = 365 * 86_400_000;
        let built = 60 * YEAR;
        assert_eq!(judge(built - 10 * YEAR, built, None).level, Level::Wrong);
        assert_eq!(judge(built + 30 * YEAR, built, None).level, Level::Wrong);
        assert_eq!(judge(built + 10 * YEAR, built, Some(built)).level, Level::Warning);
        assert_eq!(judge(built + YEAR, built, Some(built + YEAR + 1_000)).level, Level::Ok);
        let said = judge(built + YEAR, built, Some(built + YEAR + 600_000)).message;
        assert_eq!(said, "The clock is 10 minutes behind the ERP's.");
    }
}
