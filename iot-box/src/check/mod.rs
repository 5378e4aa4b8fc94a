//! `iot-box check`: what is wrong, in plain words, and what to do about it. With a running daemon and without.

mod certificates;
mod clock;
mod daemon;
mod data_dir;
mod devices;
mod disk;
mod erp;
mod ports;

use cloud_link::{identity::Identity, pairing::PairingStore};
use drivers::BoxFuture;
use link_protocol::enrol::Grant;
use serde::Serialize;

use crate::{
    clock::now_ms,
    control::{self, Answer, AskError, Request, Status},
    data_dir::DataDir,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    Ok,
    /// Works, and will not for long, or not for everything.
    Warning,
    Wrong,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    pub(crate) message: String,
    /// What to do; empty when all is well.
    pub(crate) advice: String,
}

fn ok(message: impl Into<String>) -> Finding {
    Finding { level: Level::Ok, message: message.into(), advice: String::new() }
}

fn warning(message: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { level: Level::Warning, message: message.into(), advice: advice.into() }
}

fn wrong(message: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { level: Level::Wrong, message: message.into(), advice: advice.into() }
}

/// What the checks look at, read once.
pub(crate) struct Facts {
    dir: DataDir,
    daemon: Result<Status, AskError>,
    /// Of the pairing, whether the daemon runs or not.
    grant: Option<(Identity, Grant)>,
    /// Why the pairing cannot be read.
    pairing_error: Option<String>,
    now_ms: i64,
}

struct Check {
    name: &'static str,
    run: for<'a> fn(&'a Facts) -> BoxFuture<'a, Vec<Finding>>,
}

/// In the order in which a person would look.
const CHECKS: &[Check] = &[
    Check { name: "daemon", run: |f| Box::pin(async { daemon::check(f) }) },
    Check { name: "data_dir", run: |f| Box::pin(async { data_dir::check(f) }) },
    Check { name: "disk", run: |f| Box::pin(async { disk::check(f) }) },
    Check { name: "clock", run: |f| Box::pin(async { clock::check(f) }) },
    Check { name: "ports", run: |f| Box::pin(ports::check(f)) },
    Check { name: "devices", run: |f| Box::pin(async { devices::check(f) }) },
    Check { name: "erp", run: |f| Box::pin(erp::check(f)) },
    Check { name: "certificates", run: |f| Box::pin(async { certificates::check(f) }) },
];

#[derive(Debug, Serialize)]
struct Row {
    check: &'static str,
    #[serde(flatten)]
    finding: Finding,
}

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    ok: bool,
    checks: Vec<Row>,
}

pub(crate) async fn run(dir: &DataDir) -> Report {
    let facts = gather(dir).await;
    let mut checks = Vec::new();
    for check in CHECKS {
        let findings = (check.run)(&facts).await;
        checks.extend(findings.into_iter().map(|finding| Row { check: check.name, finding }));
    }
    Report { ok: checks.iter().all(|r| r.finding.level != Level::Wrong), checks }
}

async fn gather(dir: &DataDir) -> Facts {
    let daemon = match control::ask(dir.path(), &dir.control_socket(), &Request::Status).await {
        Ok(Answer::Status(status)) => Ok(*status),
        Ok(Answer::Done(_) | Answer::Failed(_) | Answer::Scanners(_)) => {
            Err(AskError::OtherVersion(dir.path().to_owned()))
        }
        Err(error) => Err(error),
    };
    let (grant, pairing_error) = match pairing(dir) {
        Ok(grant) => (grant, None),
        Err(error) => (None, Some(error)),
    };
    Facts { dir: dir.clone(), daemon, grant, pairing_error, now_ms: now_ms() }
}

/// Makes nothing that is not there.
fn pairing(dir: &DataDir) -> Result<Option<(Identity, Grant)>, String> {
    let there = |name: &str| dir.path().join(name).exists();
    if !there("pairing.json") || !there("identity/box.key") || !there("identity/https.key") {
        return Ok(None);
    }
    let store = PairingStore::open(dir.path()).map_err(|e| e.to_string())?;
    let identity = Identity::load_or_create(dir.path()).map_err(|e| e.to_string())?;
    Ok(store.current().map(|pairing| (identity, pairing.grant.clone())))
}

impl Report {
    pub(crate) fn all_well(&self) -> bool {
        self.ok
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    pub(crate) fn text(&self, colour: bool) -> String {
        let mut text = String::new();
        for Row { finding, .. } in &self.checks {
            let (word, code) = match finding.level {
                Level::Ok => ("ok     ", "32"),
                Level::Warning => ("warning", "33"),
                Level::Wrong => ("WRONG  ", "31"),
            };
            match colour {
                true => text.push_str(&format!("\u{1b}[{code}m{word}\u{1b}[0m  {}\n", finding.message)),
                false => text.push_str(&format!("{word}  {}\n", finding.message)),
            }
            if !finding.advice.is_empty() {
                text.push_str(&format!("         {}\n", finding.advice));
            }
        }
        let of = |level| self.checks.iter().filter(|r| r.finding.level == level).count();
        text.push_str(&match (of(Level::Wrong), of(Level::Warning)) {
            (0, 0) => "All is well.".to_owned(),
            (0, 1) => "One warning.".to_owned(),
            (0, n) => format!("{n} warnings."),
            (1, _) => "One thing is wrong.".to_owned(),
            (n, _) => format!("{n} things are wrong."),
        });
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_empty_directory_says_that_no_daemon_runs_and_makes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let report = run(&DataDir::new(dir.path().to_owned())).await;
        assert!(!report.all_well());
        let text = report.text(false);
        assert!(text.contains("WRONG    No iot-box runs") && text.contains("iot-box run"), "{text}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(json["checks"][0]["check"], "daemon");
        assert_eq!(json["checks"][0]["level"], "wrong");
    }
}
