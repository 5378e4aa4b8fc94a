//! Are the certificates in their time, and for how long?

use super::{Facts, Finding, ok, warning, wrong};
use crate::certificate;

const SOON_MS: i64 = 14 * 86_400_000;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let Some((_, grant)) = &facts.grant else { return Vec::new() };
    let judged = [
        ("with which the box signs in to the ERP", &grant.client_certificate),
        ("that browsers see", &grant.server_certificate),
        ("of the ERP's authority", &grant.server_ca),
    ];
    let judge_one = |(what, pem): (&str, &String)| match certificate::facts(pem) {
        Some(of) => judge(what, of.not_before_ms, of.not_after_ms, facts.now_ms),
        None => wrong(format!("The certificate {what} cannot be read."), "Pair the box again."),
    };
    judged.into_iter().map(judge_one).collect()
}

fn judge(what: &str, not_before_ms: i64, not_after_ms: i64, now_ms: i64) -> Finding {
    const DAY_MS: i64 = 86_400_000;
    let again = "Keep the box connected to the ERP, which renews it; else pair the box again.";
    if now_ms < not_before_ms {
        return wrong(format!("The certificate {what} is not valid yet."), "Check the clock of the box.");
    }
    match not_after_ms - now_ms {
        left if left <= 0 => {
            wrong(format!("The certificate {what} has ended."), format!("Check the clock of the box. {again}"))
        }
        left if left < SOON_MS => warning(format!("The certificate {what} ends in {} days.", left / DAY_MS), again),
        left => ok(format!("The certificate {what} is valid for {} days.", left / DAY_MS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Level;

    #[test]
    fn the_end_is_said_two_weeks_before() {
        const DAY: i64 = 86_400_000;
        let level = |now| judge("x", 10 * DAY, 100 * DAY, now * DAY).level;
        assert_eq!([9, 10, 85, 87, 100].map(level), [Level::Wrong, Level::Ok, Level::Ok, Level::Warning, Level::Wrong]);
    }
}
