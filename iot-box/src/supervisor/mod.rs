//! Keeps the daemon's parts running: a unit is a name, a factory that can make it again, and a restart policy.
//!
//! Each unit has a task of its own and each of its runs a task inside that, so that a panic ends one run and nothing
//! else. A unit that gives up says so; the rest goes on.

mod policy;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use drivers::BoxFuture;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use policy::{Exit, Next, Policy, Restart};

/// How long a unit may take to end after it was told to.
const GRACE: Duration = Duration::from_secs(5);

type Factory = Box<dyn FnMut(CancellationToken) -> BoxFuture<'static, Exit> + Send>;
type Observer = Box<dyn Fn(Health) -> BoxFuture<'static, ()> + Send + Sync>;

pub(crate) struct Unit {
    name: String,
    restart: Restart,
    factory: Factory,
    observer: Option<Observer>,
}

impl Unit {
    /// `factory` is called for each run; the token it gets is fired when the unit shall end.
    pub(crate) fn new<F, R>(name: impl Into<String>, restart: Restart, mut factory: F) -> Self
    where
        F: FnMut(CancellationToken) -> R + Send + 'static,
        R: Future<Output = Exit> + Send + 'static,
    {
        Self { name: name.into(), restart, factory: Box::new(move |cancel| Box::pin(factory(cancel))), observer: None }
    }

    /// Told of every change of health, beside the supervisor's own table.
    pub(crate) fn observed<F>(mut self, observer: F) -> Self
    where
        F: Fn(Health) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    {
        self.observer = Some(Box::new(observer));
        self
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    Running,
    /// Ended, and runs again after `retry_in`.
    Waiting {
        why: String,
        retry_in: Duration,
    },
    GaveUp {
        why: String,
    },
    Finished,
}

pub(crate) type HealthTable = BTreeMap<String, Health>;

#[derive(Clone)]
pub(crate) struct Supervisor {
    tracker: TaskTracker,
    cancel: CancellationToken,
    health: Arc<watch::Sender<HealthTable>>,
}

/// A started unit. Dropping this does not end it.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    cancel: CancellationToken,
    ended: CancellationToken,
}

impl Running {
    pub(crate) fn stop(&self) {
        self.cancel.cancel();
    }

    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

impl Supervisor {
    pub(crate) fn new() -> Self {
        Self {
            tracker: TaskTracker::new(),
            cancel: CancellationToken::new(),
            health: Arc::new(watch::Sender::new(HealthTable::new())),
        }
    }

    pub(crate) fn health(&self) -> watch::Receiver<HealthTable> {
        self.health.subscribe()
    }

    pub(crate) fn start(&self, unit: Unit) -> Running {
        let running = Running { cancel: self.cancel.child_token(), ended: CancellationToken::new() };
        let task = supervise(unit, running.cancel.clone(), self.health.clone());
        let ended = running.ended.clone().drop_guard();
        self.tracker.spawn(async move {
            task.await;
            drop(ended);
        });
        running
    }

    /// Ends every unit and waits for them.
    pub(crate) async fn stop(&self) {
        self.cancel.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

async fn supervise(unit: Unit, cancel: CancellationToken, table: Arc<watch::Sender<HealthTable>>) {
    let Unit { name, restart, mut factory, observer } = unit;
    let told = Told { name, observer, table };
    let mut policy = Policy::new(restart);
    loop {
        told.tell(Health::Running).await;
        let started = Instant::now();
        let run = factory(cancel.clone());
        let exit = run_once(&told.name, run, &cancel).await;
        if cancel.is_cancelled() {
            break;
        }
        match (policy.step(Instant::now(), started, &exit), exit) {
            (Next::Again(retry_in), Exit::Unavailable(why) | Exit::Failed(why)) => {
                told.tell(Health::Waiting { why, retry_in }).await;
                tokio::select! {
                    () = cancel.cancelled() => break,
                    () = tokio::time::sleep(retry_in) => {}
                }
            }
            (Next::GiveUp, Exit::Unavailable(why) | Exit::Failed(why)) => {
                tracing::error!(unit.name = told.name, why, "unit failed too often and stays off until the next start");
                told.tell(Health::GaveUp { why }).await;
                // Its row in the health table stays as long as somebody may want to read it.
                cancel.cancelled().await;
                break;
            }
            (Next::Stop, _) | (_, Exit::Finished) => {
                told.tell(Health::Finished).await;
                break;
            }
        }
    }
    told.table.send_modify(|table| {
        table.remove(&told.name);
    });
}

/// Who hears of a unit's health.
struct Told {
    name: String,
    observer: Option<Observer>,
    table: Arc<watch::Sender<HealthTable>>,
}

impl Told {
    async fn tell(&self, health: Health) {
        self.table.send_modify(|table| {
            table.insert(self.name.clone(), health.clone());
        });
        if let Some(observer) = &self.observer {
            observer(health).await;
        }
    }
}

async fn run_once(name: &str, run: BoxFuture<'static, Exit>, cancel: &CancellationToken) -> Exit {
    let mut task = JoinSet::new();
    task.spawn(run);
    let joined = tokio::select! {
        joined = task.join_next() => joined,
        () = cancel.cancelled() => match tokio::time::timeout(GRACE, task.join_next()).await {
            Ok(joined) => joined,
            Err(_) => {
                tracing::warn!(unit.name = name, "unit did not end in time and was cut off");
                return Exit::Finished;
            }
        },
    };
    match joined {
        Some(Ok(exit)) => exit,
        Some(Err(error)) => {
            let why = panic_text(error);
            tracing::error!(unit.name = name, why, "unit panicked");
            Exit::Failed(why)
        }
        None => Exit::Finished,
    }
}

fn panic_text(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => {
            let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            format!("a defect in the program: {}", text.unwrap_or_else(|| "no message".to_owned()))
        }
        Err(_) => "it was cut off".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const FAST: Restart = Restart {
        first: Duration::from_millis(1),
        max: Duration::from_millis(2),
        limit: 3,
        window: Duration::from_secs(60),
    };

    #[tokio::test]
    async fn a_panicking_unit_is_run_again_and_gives_up_while_another_goes_on() {
        let supervisor = Supervisor::new();
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = runs.clone();
        supervisor.start(Unit::new("bad", FAST, move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            async { panic!("boom") }
        }));
        supervisor.start(Unit::new("good", FAST, |cancel| async move {
            cancel.cancelled().await;
            Exit::Finished
        }));
        let mut health = supervisor.health();
        let table = health.wait_for(|t| matches!(t.get("bad"), Some(Health::GaveUp { .. }))).await.unwrap().clone();
        assert_eq!(runs.load(Ordering::SeqCst), 3);
        assert_eq!(table["good"], Health::Running);
        assert_eq!(table["bad"], Health::GaveUp { why: "a defect in the program: boom".into() });
        supervisor.stop().await;
    }

    #[tokio::test]
    async fn a_stopped_unit_ends_and_leaves_the_table() {
        let supervisor = Supervisor::new();
        let unit = supervisor.start(Unit::new("u", FAST, |cancel| async move {
            cancel.cancelled().await;
            Exit::Failed("told to".into())
        }));
        tokio::task::yield_now().await;
        unit.stop();
        unit.ended().await;
        assert!(supervisor.health().borrow().is_empty());
    }
}
