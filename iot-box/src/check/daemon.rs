//! Does the daemon run, with all its parts?

use super::{Facts, Finding, ok, wrong};
use crate::control::AskError;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let dir = facts.dir.path().display();
    match &facts.daemon {
        Ok(status) => {
            let address = status.urls.first().map_or("", String::as_str);
            let mut findings =
                vec![ok(format!("The box \u{201c}{}\u{201d} runs; its page is {address}.", status.name))];
            findings.extend(status.gave_up.iter().map(|(unit, why)| {
                wrong(
                    format!("The part \u{201c}{unit}\u{201d} of the daemon failed too often and is off: {why}."),
                    "Restart iot-box; if it fails again, report it with the log.",
                )
            }));
            findings
        }
        Err(AskError::NotRunning(_)) => {
            vec![wrong(
                format!("No iot-box runs on {dir}."),
                "Start it with iot-box run, or name its directory with --data.",
            )]
        }
        Err(error) => vec![wrong(format!("{error}."), "Run this as the user of iot-box, or restart iot-box.")],
    }
}
