//! Is there room for events?

use super::{Facts, Finding, ok, warning, wrong};

const LITTLE: u64 = 200 << 20;
const NOTHING: u64 = 16 << 20;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let existing = facts.dir.path().ancestors().find(|p| p.exists());
    if let Some(stat) = existing.and_then(|p| rustix::fs::statvfs(p).ok()) {
        findings.push(free(stat.f_bavail.saturating_mul(stat.f_frsize)));
    }
    if let Ok(status) = &facts.daemon {
        if status.outbox.full {
            findings.push(wrong(
                "The disk is full and the reserve is used up: scans pass on live and are not stored.",
                "Free some space; events are stored again by themselves.",
            ));
        }
        match status.outbox.unsent {
            0 => {}
            n => findings.push(ok(format!("Events that wait for the ERP: {n}."))),
        }
    }
    findings
}

fn free(bytes: u64) -> Finding {
    let mb = bytes >> 20;
    let advice = "Free some space: remove old files, or use a larger card.";
    match bytes {
        0..NOTHING => wrong(format!("The disk has only {mb} MB left."), advice),
        NOTHING..LITTLE => warning(format!("The disk has only {mb} MB left."), advice),
        _ => ok(format!("The disk has {mb} MB left.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Level;

    #[test]
    fn a_disk_that_runs_full_is_said_before_it_is_full() {
        assert_eq!([1 << 20, 100 << 20, 1 << 30].map(|b| free(b).level), [Level::Wrong, Level::Warning, Level::Ok]);
    }
}
