//! May the daemon open the ports that there are?

use std::{collections::BTreeMap, time::Duration};

use drivers::{Access, PortChange, discovery};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{Facts, Finding, ok, wrong};

/// Discovery's first look takes less.
const LOOK: Duration = Duration::from_millis(1500);

pub(super) async fn check(facts: &Facts) -> Vec<Finding> {
    let denied = match &facts.daemon {
        Ok(status) => status.denied.clone(),
        // As whoever runs this.
        Err(_) => look().await,
    };
    let mut by_group: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (device, group) in denied {
        by_group.entry(group).or_default().push(device);
    }
    if by_group.is_empty() {
        return vec![ok("No port is closed to the box.")];
    }
    by_group
        .into_iter()
        .map(|(group, devices)| {
            wrong(
                format!("The box may not open: {}.", devices.join(", ")),
                format!(
                    "Add the user of iot-box to the group {group} (usermod -aG {group} USER), then start it again."
                ),
            )
        })
        .collect()
}

async fn look() -> Vec<(String, String)> {
    let (tx, mut changes) = mpsc::channel(64);
    let cancel = CancellationToken::new();
    let options = discovery::Options { mdns: false, ..discovery::Options::default() };
    let looking = tokio::spawn(discovery::run(options, tx, cancel.clone()));
    let mut denied = Vec::new();
    let collect = async {
        while let Some(change) = changes.recv().await {
            if let PortChange::Appeared(port) = change
                && let Access::Denied { group } = port.access
            {
                let name = if port.product.is_empty() { port.id.0 } else { port.product };
                denied.push((name, group));
            }
        }
    };
    // It ends by the time-out: discovery goes on for ever.
    drop(timeout(LOOK, collect).await);
    cancel.cancel();
    drop(timeout(LOOK, looking).await);
    denied
}
