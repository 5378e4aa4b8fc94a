//! What gathers and nobody needs any more: files without a record, records of models for the moment, work that failed
//! long ago. Swept up by scheduled actions, which people see and change as any other.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{
    declare::{App, Code},
    domain,
    error::Error,
    execute::{Env, Search},
};

const HOUR_S: u32 = 3_600;
const DAY_S: u32 = 86_400;
/// A file is written before the row that names it is committed; no transaction takes that long.
const FILE_AGE: Duration = Duration::from_secs(86_400);
/// Somebody may still have the dialog open.
const TRANSIENT_AGE: SignedDuration = SignedDuration::from_hours(4);
/// For an administrator to look at what went wrong.
const FAILED_AGE: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Records deleted at once.
const BATCH: u64 = 1_000;

pub(super) fn declare(app: App) -> App {
    app.code(
        Code::new()
            .sweep("base.sweep_files", "Remove files that no record refers to", DAY_S, |env| Box::pin(files(env)))
            .sweep("base.sweep_transient", "Remove records of dialogs", HOUR_S, |env| Box::pin(transient(env)))
            .sweep("base.sweep_jobs", "Remove queued jobs that failed long ago", DAY_S, |env| Box::pin(failed(env))),
    )
}

async fn files(env: &mut Env) -> Result<(), Error> {
    let removed = env.sweep_files(FILE_AGE).await?;
    tracing::info!(files = removed, "files that no record refers to were removed");
    Ok(())
}

async fn transient(env: &mut Env) -> Result<(), Error> {
    let registry = env.registry().clone();
    for model in registry.models().filter(|model| model.transient && !model.is_abstract && model.log_access) {
        sweep(env, &model.name, "write_date", TRANSIENT_AGE).await?;
    }
    Ok(())
}

async fn failed(env: &mut Env) -> Result<(), Error> {
    let old = before(env.now(), FAILED_AGE);
    let gone = domain!(["state", "=", "failed"], ["due", "<", old]);
    unlink_all(env, "ir.job", &gone).await
}

async fn sweep(env: &mut Env, model: &str, field: &'static str, age: SignedDuration) -> Result<(), Error> {
    let old = before(env.now(), age);
    unlink_all(env, model, &domain!([field, "<", old])).await
}

async fn unlink_all(env: &mut Env, model: &str, gone: &crate::Domain) -> Result<(), Error> {
    let mut env = env.sudo("sweeping up");
    loop {
        let ids = env.search(model, gone, Search::order("id").limit(BATCH)).await?;
        if ids.is_empty() {
            return Ok(());
        }
        env.unlink(model, &ids).await?;
    }
}

fn before(now: Timestamp, age: SignedDuration) -> Timestamp {
    now.checked_sub(age).unwrap_or(now)
}
