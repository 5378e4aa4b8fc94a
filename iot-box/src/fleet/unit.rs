//! One device's life: open the port, run the driver, pass on what it says, until it is gone.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use drivers::{Condition, DeviceCtx, Driver, Identity, Io, OpenError, PortInfo, Request};
use futures_util::FutureExt;
use link_protocol::ids::DeviceId;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{router::Router, supervisor::Exit};

/// Commands that may wait for one device.
const QUEUE: usize = 16;
/// Events of one device that may wait for the disk.
const EVENTS: usize = 64;
/// Opening has its own time-outs below this one.
const OPEN_WITHIN: Duration = Duration::from_secs(15);

/// What a unit tells the fleet.
#[derive(Debug)]
pub(super) enum Report {
    Opening,
    OpenFailed(OpenError),
    Opened {
        identity: Identity,
        requests: mpsc::Sender<Request>,
    },
    Condition(Condition),
    /// The driver ended, with what was wrong.
    Closed(Option<String>),
    GaveUp(String),
}

/// Says for which device, and for which of its lives, a report is.
#[derive(Clone)]
pub(super) struct Reporter {
    pub(super) device: DeviceId,
    pub(super) life: u64,
    pub(super) reports: mpsc::Sender<(DeviceId, u64, Report)>,
}

impl Reporter {
    pub(super) async fn tell(&self, report: Report) {
        // The fleet is gone only when the daemon ends.
        drop(self.reports.send((self.device.clone(), self.life, report)).await);
    }
}

pub(super) async fn run(
    port: Arc<PortInfo>,
    driver: &'static dyn Driver,
    io: Arc<dyn Io>,
    router: Arc<Router>,
    reporter: Reporter,
    cancel: CancellationToken,
) -> Exit {
    reporter.tell(Report::Opening).await;
    let opened = tokio::select! {
        () = cancel.cancelled() => return Exit::Finished,
        opened = tokio::time::timeout(OPEN_WITHIN, driver.open(&port, &*io)) => opened,
    };
    let device = match opened {
        Ok(Ok(device)) => device,
        Ok(Err(error)) => {
            let why = error.to_string();
            reporter.tell(Report::OpenFailed(error)).await;
            return Exit::Unavailable(why);
        }
        Err(_) => {
            let path = port.id.0.clone();
            let source = std::io::Error::from(std::io::ErrorKind::TimedOut);
            reporter.tell(Report::OpenFailed(OpenError::Io { path, source })).await;
            return Exit::Unavailable("opening took too long".into());
        }
    };

    let (requests, request_rx) = mpsc::channel(QUEUE);
    let (event_tx, mut events) = mpsc::channel(EVENTS);
    let (condition_tx, condition) = watch::channel(Condition::Connecting);
    reporter.tell(Report::Opened { identity: device.identity(), requests }).await;
    let ctx = DeviceCtx { requests: request_rx, events: event_tx, condition: condition_tx, cancel };

    // Three futures of one task, so that an event costs no switch between tasks on its way to the disk. A panic of the
    // driver is caught until what it had said before is stored.
    let driving = AssertUnwindSafe(device.run(ctx)).catch_unwind();
    let pumping = async {
        while let Some(event) = events.recv().await {
            router.emit(&reporter.device, event).await;
        }
    };
    let (ended, (), ()) = tokio::join!(driving, pumping, conditions(condition, &reporter));
    match ended {
        Ok(Ok(())) => {
            reporter.tell(Report::Closed(None)).await;
            Exit::Unavailable("the device ended".into())
        }
        Ok(Err(error)) => {
            reporter.tell(Report::Closed(Some(error.to_string()))).await;
            Exit::Unavailable(error.to_string())
        }
        Err(panic) => {
            reporter.tell(Report::Closed(Some("its driver failed".into()))).await;
            std::panic::resume_unwind(panic)
        }
    }
}

async fn conditions(mut condition: watch::Receiver<Condition>, reporter: &Reporter) {
    while condition.changed().await.is_ok() {
        let now = condition.borrow_and_update().clone();
        reporter.tell(Report::Condition(now)).await;
    }
}
