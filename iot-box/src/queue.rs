//! A queue for each printer, which outlives a restart: jobs that may wait until their printer can print.
//!
//! A job is on disk as waiting before anybody is told that it waits, and on disk as started before its first byte. So a
//! power cut leaves it waiting or in doubt, never printed twice and never lost.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use cloud_link::outbox::Held;
use link_protocol::{
    ids::{CommandId, DeviceId},
    outcome::{Outcome, Reason, Value},
    up::DeviceStatus,
};
use tokio::{
    sync::{Mutex as Turn, OwnedMutexGuard},
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::router::{Order, Router, transient};

/// After a refusal, before the printer is tried again although its state has not changed.
const AGAIN: Duration = Duration::from_secs(1);
/// Jobs that may wait for one printer.
const MOST: usize = 500;

#[derive(Default)]
pub(crate) struct Queues {
    /// Whose turn it is at each device; waiters get it in the order in which they asked.
    turns: Mutex<HashMap<DeviceId, Arc<Turn<()>>>>,
    /// Jobs that can be withdrawn.
    waiting: Mutex<HashMap<CommandId, (DeviceId, CancellationToken)>>,
}

/// A place in a queue.
pub(crate) struct Queued {
    turn: std::pin::Pin<Box<dyn Future<Output = OwnedMutexGuard<()>> + Send>>,
    cancelled: CancellationToken,
}

impl Queues {
    /// Lets a job wait for its printer and returns its outcome.
    pub(crate) async fn run(&self, router: &Router, order: Order) -> Outcome {
        let left = order.deadline.saturating_duration_since(Instant::now());
        let until_ms = router.outbox().latest_time_ms() + i64::try_from(left.as_millis()).unwrap_or(i64::MAX / 2);
        let waiting = self.length(&order.device);
        if waiting >= MOST {
            let message = format!("{waiting} jobs wait for this printer: see what is wrong with it first.");
            return rejected(Reason::Busy, message);
        }
        let queued = self.enter(&order);
        let held = Held { id: order.id.clone(), device: order.device.clone(), body: order.body.clone(), until_ms };
        if let Err(error) = router.outbox().hold(held).await {
            self.leave(&order.id);
            return rejected(
                Reason::NotStored,
                format!("The box cannot record the job, so it does not print it: {error}."),
            );
        }
        self.wait(router, &order, queued).await
    }

    /// Takes a place at the end, at once: the order is that of the calls.
    pub(crate) fn enter(&self, order: &Order) -> Queued {
        let cancelled = CancellationToken::new();
        let entry = (order.device.clone(), cancelled.clone());
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(order.id.clone(), entry);
        let turn =
            self.turns.lock().unwrap_or_else(PoisonError::into_inner).entry(order.device.clone()).or_default().clone();
        let mut turn: std::pin::Pin<Box<dyn Future<Output = OwnedMutexGuard<()>> + Send>> = Box::pin(turn.lock_owned());
        // Polled once, it stands in the line; and if it is its turn at once, it keeps that.
        let mut noop = std::task::Context::from_waker(std::task::Waker::noop());
        if let std::task::Poll::Ready(mine) = turn.as_mut().poll(&mut noop) {
            turn = Box::pin(std::future::ready(mine));
        }
        Queued { turn, cancelled }
    }

    pub(crate) async fn wait(&self, router: &Router, order: &Order, queued: Queued) -> Outcome {
        let outcome = self.wait_in_line(router, order, queued).await;
        self.leave(&order.id);
        outcome
    }

    async fn wait_in_line(&self, router: &Router, order: &Order, Queued { turn, cancelled }: Queued) -> Outcome {
        let withdrawn = || rejected(Reason::Cancelled, "It was withdrawn before it began.".to_owned());
        let late = |last: &str| {
            rejected(Reason::Expired, format!("Its time was up before the printer could print it. {last}"))
        };
        let mut last = String::new();
        let _turn = tokio::select! {
            biased;
            () = cancelled.cancelled() => return withdrawn(),
            turn = timeout_at(order.deadline, turn) => match turn {
                Ok(turn) => turn,
                Err(_) => return late("Other jobs wait before it."),
            },
        };
        let mut table = router.table();
        loop {
            let can = |status| matches!(status, DeviceStatus::Ready | DeviceStatus::Warning);
            let ready = table.borrow_and_update().get(&order.device).is_some_and(|entry| can(entry.device.status));
            let neighbour = router.has_neighbour(&order.device);
            if ready || neighbour {
                // From here on it cannot be withdrawn.
                if !self.leave(&order.id) {
                    return withdrawn();
                }
                match router.outbox().start_held(&order.id).await {
                    Ok(true) => {}
                    Ok(false) => return withdrawn(),
                    Err(error) => {
                        return rejected(Reason::NotStored, format!("The box cannot record that it prints: {error}."));
                    }
                }
                match router.try_once(order).await {
                    Outcome::Rejected { reason, message } if transient(reason) && order.deadline > Instant::now() => {
                        last = message;
                        let entry = (order.device.clone(), cancelled.clone());
                        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(order.id.clone(), entry);
                        let held = Held {
                            id: order.id.clone(),
                            device: order.device.clone(),
                            body: order.body.clone(),
                            until_ms: 0,
                        };
                        if let Err(error) = router.outbox().hold(held).await {
                            tracing::warn!(command.id = %order.id, %error, "a job that waits again is not recorded as such");
                        }
                    }
                    outcome => return outcome,
                }
            }
            tokio::select! {
                () = cancelled.cancelled() => return withdrawn(),
                () = tokio::time::sleep_until(order.deadline) => return late(&last),
                () = sleep(AGAIN), if ready || neighbour => {}
                changed = table.changed(), if !ready && !neighbour => if changed.is_err() {
                    // The box stops; the job waits on disk.
                    std::future::pending::<()>().await;
                },
            }
        }
    }

    /// `false`: it was withdrawn.
    fn leave(&self, id: &CommandId) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(id).is_some()
    }

    /// Jobs of all printers that wait.
    pub(crate) fn all(&self) -> usize {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(crate) fn length(&self, device: &DeviceId) -> usize {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.values().filter(|(of, _)| of == device).count()
    }

    pub(crate) fn waiting(&self, device: &DeviceId) -> Vec<CommandId> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.iter().filter(|(_, (of, _))| of == device).map(|(id, _)| id.clone()).collect()
    }

    /// Withdraws a job that has not begun. A power cut in the middle of it leaves doubt, not a print.
    pub(crate) async fn cancel(&self, router: &Router, job: &CommandId) -> Outcome {
        let found = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(job);
        let Some((_, token)) = found else {
            let message = "No such job waits: it has begun, has ended, or was never here.";
            return rejected(Reason::Invalid, message.to_owned());
        };
        if let Err(error) = router.outbox().start_held(job).await {
            tracing::warn!(command.id = %job, %error, "a withdrawn job may wait again after a power cut");
        }
        token.cancel();
        Outcome::Done { value: Value::Nothing }
    }
}

fn rejected(reason: Reason, message: String) -> Outcome {
    Outcome::Rejected { reason, message }
}
