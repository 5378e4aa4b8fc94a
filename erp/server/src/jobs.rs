//! Scheduled actions and queued jobs, done while the server runs.

use std::time::Duration;

use erp_engine::{Change, Engine};
use jiff::Timestamp;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;

/// Other programs on the same database put work in the queue too, and nobody tells this one.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// For work to end by itself when the server stops; then it is taken back, and done after the next start.
const STOP_TIME: Duration = Duration::from_secs(10);

pub(crate) async fn run(engine: Engine, stop: CancellationToken) {
    let mut changes = engine.changes();
    while !stop.is_cancelled() {
        let work = engine.run_next_job(Timestamp::now());
        tokio::pin!(work);
        let done = tokio::select! {
            done = &mut work => done,
            () = stop.cancelled() => {
                if tokio::time::timeout(STOP_TIME, work).await.is_err() {
                    tracing::warn!("Work was stopped on its way; it is done again after the next start.");
                }
                return;
            }
        };
        match done {
            Ok(Some(_)) => continue,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "Work that is due could not be looked up."),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(until_due(&engine).await) => {}
            () = woken(&mut changes) => {}
        }
    }
}

async fn until_due(engine: &Engine) -> Duration {
    match engine.next_job_due().await {
        Ok(Some(due)) => {
            let wait = due.duration_since(Timestamp::now());
            // Never at once: what could not be claimed is somebody else's for now.
            Duration::try_from(wait).unwrap_or_default().clamp(Duration::from_millis(200), LOOK_AGAIN)
        }
        Ok(None) => LOOK_AGAIN,
        Err(error) => {
            tracing::warn!(%error, "When work is due could not be looked up.");
            LOOK_AGAIN
        }
    }
}

/// Until this program changes what is to be done.
async fn woken(changes: &mut Receiver<Change>) {
    loop {
        match changes.recv().await {
            Ok(change) if matches!(&*change.model, "ir.cron" | "ir.job") => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use erp_engine::{
        Db,
        declare::{App, Code, Field, Model},
        domain, values,
    };
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn queued_work_is_done_at_once_and_a_stop_lets_it_end() {
        let app = App::new("work", "Work").model(Model::new("done", "Done").field(Field::integer("n"))).code(
            Code::new().task("work.slow", |env, payload| {
                Box::pin(async move {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    env.create("done", values! { "n" => payload["n"].as_i64() }).await.map(drop)
                })
            }),
        );
        let dir = tempfile::tempdir().unwrap();
        let db = Db::connect(&format!("sqlite:{}", dir.path().join("a.db").display())).await.unwrap();
        let engine = Engine::open(db, &[app]).await.unwrap();
        let stop = CancellationToken::new();
        let worker = tokio::spawn(run(engine.clone(), stop.clone()));
        let enqueue = async |n: i64| {
            let mut env = engine.superuser("test").await.unwrap();
            env.enqueue("work.slow", json!({ "n": n })).await.unwrap();
            env.commit().await.unwrap();
        };
        let count = async || engine.superuser("test").await.unwrap().count("done", &domain!()).await.unwrap();
        enqueue(1).await;
        let start = Instant::now();
        while count().await < 1 {
            assert!(start.elapsed() < Duration::from_secs(10), "it was not told of the work");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        enqueue(2).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.cancel();
        worker.await.unwrap();
        assert_eq!(count().await, 2);
    }
}
