//! What the ERP is told of the box without asking: its state, and the weights people look at.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use link_protocol::{
    VERSION,
    ids::DeviceId,
    up::{Live, LiveBody, State},
};
use tokio::sync::{
    broadcast::error::RecvError,
    mpsc::{self, error::TrySendError},
    watch,
};
use tokio_util::sync::CancellationToken;

use crate::{hub::Kind, link::Link, router::Router, supervisor::Exit};

/// Between two live weights of one device on their way to the ERP.
const LIVE_EVERY: Duration = Duration::from_millis(100);
/// States that follow each other faster than this become one.
const STATE_EVERY: Duration = Duration::from_millis(100);

pub(crate) fn empty() -> State {
    State {
        v: VERSION,
        online: true,
        name: String::new(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        urls: Vec::new(),
        devices: Vec::new(),
        outbox: link_protocol::up::Outbox::default(),
        certificate_not_after_ms: None,
    }
}

/// Keeps `state` equal to what there is.
pub(crate) async fn publish(
    link: Arc<Link>,
    router: Arc<Router>,
    state: Arc<watch::Sender<State>>,
    cancel: CancellationToken,
) -> Exit {
    let mut table = router.table();
    let mut stats = router.outbox().stats();
    let mut settings = link.settings.watch();
    let mut names = link.names.subscribe();
    let mut pairing = link.store.subscribe();
    loop {
        let now = State {
            v: VERSION,
            online: true,
            name: link.box_name(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            urls: names.borrow_and_update().urls(),
            devices: table.borrow_and_update().devices(),
            outbox: stats.borrow_and_update().clone(),
            certificate_not_after_ms: Some(link.certificate.not_after_ms()),
        };
        state.send_if_modified(|before| {
            let changed = *before != now;
            *before = now;
            changed
        });
        let changed = tokio::select! {
            () = cancel.cancelled() => return Exit::Finished,
            changed = table.changed() => changed,
            changed = stats.changed() => changed,
            changed = settings.changed() => changed,
            changed = names.changed() => changed,
            changed = pairing.changed() => changed,
        };
        if changed.is_err() {
            return Exit::Finished;
        }
        tokio::time::sleep(STATE_EVERY).await;
    }
}

/// Passes live weights on to the session, at most ten a second of a device; the last one always arrives.
pub(crate) async fn live(router: Arc<Router>, session: mpsc::Sender<Live>, cancel: CancellationToken) -> Exit {
    let mut heard = router.hub().listen();
    let mut throttle = Throttle::default();
    loop {
        let wake = throttle.wake();
        let due = tokio::select! {
            () = cancel.cancelled() => return Exit::Finished,
            message = heard.recv() => match message {
                Ok(message) => match message.kind {
                    Kind::Live(live) => throttle.offer(Instant::now(), live).into_iter().collect(),
                    Kind::Event(_) | Kind::Outcome(_) => Vec::new(),
                },
                Err(RecvError::Lagged(_)) => Vec::new(),
                Err(RecvError::Closed) => return Exit::Finished,
            },
            () = sleep_until(wake), if wake.is_some() => throttle.due(Instant::now()),
        };
        for live in due {
            match session.try_send(live) {
                Ok(()) => {}
                // Nobody connected, or a slow line: the next weight is as good.
                Err(TrySendError::Full(live)) => {
                    if let LiveBody::NotStored { .. } = live.body {
                        tracing::warn!(device.id = %live.device, "event that could not be stored was not sent either");
                    }
                }
                Err(TrySendError::Closed(_)) => return Exit::Finished,
            }
        }
    }
}

async fn sleep_until(time: Option<Instant>) {
    if let Some(time) = time {
        tokio::time::sleep_until(time.into()).await;
    }
}

/// Pure: the last value of each device, let through at most once in [`LIVE_EVERY`].
#[derive(Debug, Default)]
struct Throttle(HashMap<DeviceId, Slot>);

#[derive(Debug)]
struct Slot {
    sent: Instant,
    waiting: Option<Live>,
}

impl Throttle {
    /// What may go now.
    fn offer(&mut self, now: Instant, live: Live) -> Option<Live> {
        if let LiveBody::NotStored { .. } = live.body {
            return Some(live);
        }
        match self.0.get_mut(&live.device) {
            Some(slot) if now.saturating_duration_since(slot.sent) < LIVE_EVERY => {
                slot.waiting = Some(live);
                None
            }
            Some(slot) => {
                *slot = Slot { sent: now, waiting: None };
                Some(live)
            }
            None => {
                self.0.insert(live.device.clone(), Slot { sent: now, waiting: None });
                Some(live)
            }
        }
    }

    fn wake(&self) -> Option<Instant> {
        self.0.values().filter(|s| s.waiting.is_some()).map(|s| s.sent + LIVE_EVERY).min()
    }

    fn due(&mut self, now: Instant) -> Vec<Live> {
        let mut due = Vec::new();
        for slot in self.0.values_mut() {
            if now.saturating_duration_since(slot.sent) >= LIVE_EVERY
                && let Some(live) = slot.waiting.take()
            {
                slot.sent = now;
                due.push(live);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use link_protocol::{
        outcome::{MassUnit, Weight},
        up::{EventBody, LiveWeight, WeightCondition},
    };

    use super::*;

    fn weight(device: &str, digits: &str) -> Live {
        let weight = Some(Weight { weight: digits.into(), unit: MassUnit::Kg, net: false });
        let body = LiveBody::Weight(LiveWeight { condition: WeightCondition::Stable, weight });
        Live { device: device.parse().unwrap(), body }
    }

    #[test]
    fn ten_a_second_pass_and_the_last_one_always_does() {
        let mut throttle = Throttle::default();
        let start = Instant::now();
        let mut sent = Vec::new();
        for ms in 0..1000 {
            let now = start + Duration::from_millis(ms);
            if throttle.wake().is_some_and(|wake| wake <= now) {
                sent.extend(throttle.due(now));
            }
            sent.extend(throttle.offer(now, weight("s", &ms.to_string())));
        }
        sent.extend(throttle.due(start + Duration::from_millis(1100)));
        assert!((10..=12).contains(&sent.len()), "{}", sent.len());
        assert_eq!(sent.last(), Some(&weight("s", "999")));
        assert_eq!(throttle.wake(), None);
    }

    #[test]
    fn devices_do_not_wait_for_each_other_and_lost_events_for_nobody() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        assert!(throttle.offer(now, weight("a", "1")).is_some());
        assert!(throttle.offer(now, weight("b", "1")).is_some());
        for _ in 0..3 {
            let event = EventBody::barcode("1");
            let lost = Live { device: "a".parse().unwrap(), body: LiveBody::NotStored { at_ms: 0, event } };
            assert!(throttle.offer(now, lost).is_some());
        }
    }
}
