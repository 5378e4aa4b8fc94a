//! One piece of work: claimed, done, and what came of it written down.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json};
use tokio::task::JoinSet;

use super::{CRONS, QUEUE, policy};
use crate::{
    Domain, Search,
    declare::On,
    domain,
    error::Error,
    execute::{Engine, Env},
    record::{Record, Values},
    value::{Id, Uid, Value},
    values,
};

/// How long a claim lasts unless it is renewed: as long as work waits after the program that did it was killed.
const CLAIM_S: i64 = 60;
const RENEW: Duration = Duration::from_secs(20);
/// The database being busy is no failure of the work; so often it is tried again at once.
const BUSY_TRIES: u32 = 5;

pub(super) struct Work {
    model: &'static str,
    id: Id,
    name: String,
    user: Option<Uid>,
    what: What,
}

#[derive(Clone)]
enum What {
    Job(String),
    Method { model: String, method: String },
    Task { name: String, payload: Json },
}

/// What a scheduled action was when it was claimed.
struct Planned {
    at: Timestamp,
    every: i64,
    unit: String,
}

impl Engine {
    /// The next due piece of work, which nobody else has from now on.
    pub(super) async fn claim(&self, now: Timestamp) -> Result<Option<(Work, Option<Record>)>, Error> {
        let free = || domain!("|", ["claimed_until", "=", Value::Null], ["claimed_until", "<=", now]);
        let due = [
            (CRONS, "priority, nextcall, id", domain!(["active", "=", true], ["nextcall", "<=", now])),
            (QUEUE, "due, id", domain!(["state", "=", "waiting"], ["due", "<=", now])),
        ];
        for (model, order, due) in due {
            let wanted = due.and(free());
            loop {
                let mut env = self.superuser("work that is due").await?;
                let Some(id) = env.search(model, &wanted, Search::order(order).limit(1)).await?.first().copied() else {
                    break;
                };
                let start = now.max(Timestamp::now());
                let until = start.checked_add(SignedDuration::from_secs(CLAIM_S)).unwrap_or(start);
                let own = Domain::leaf("id", crate::Op::Eq, id).and(wanted.clone());
                // Somebody else may have been faster; then there may be other work.
                if env.write_where(model, &own, values! { "claimed_until" => until }).await?.is_empty() {
                    continue;
                }
                let row = env.read(model, &[id], &[]).await?.pop();
                env.commit().await?;
                return Ok(row.map(|row| work_of(model, row)));
            }
        }
        Ok(None)
    }

    /// Whether it did its work.
    pub(super) async fn run_claimed(
        &self,
        (work, planned): (Work, Option<Record>),
        now: Timestamp,
    ) -> Result<bool, Error> {
        tracing::debug!(job.name = %work.name, "Work begins.");
        let mut outcome = self.attempt(&work).await;
        for _ in 1..BUSY_TRIES {
            if !matches!(&outcome, Err(error) if error.is_retryable()) {
                break;
            }
            outcome = self.attempt(&work).await;
        }
        let failed = outcome.as_ref().err().map(ToString::to_string);
        if let Some(problem) = &failed {
            tracing::warn!(job.name = %work.name, problem, "Work failed; it is tried again later.");
        }
        let now = now.max(Timestamp::now());
        match (&planned, &failed) {
            // Its row went with its work.
            (None, None) => {}
            (None, Some(problem)) => self.queued_failed(&work, problem, now).await?,
            (Some(row), failed) => self.scheduled_ended(&work, row, failed.as_deref(), now).await?,
        }
        Ok(failed.is_none())
    }

    /// In a task of its own, so that a panic is a failure like others; dropped, it is ended.
    async fn attempt(&self, work: &Work) -> Result<(), Error> {
        let env = match work.user {
            Some(uid) => self.begin(uid).await?,
            None => self.superuser(&work.name).await?,
        };
        let mut task = JoinSet::new();
        let (what, row) = (work.what.clone(), work.id);
        task.spawn(async move { perform(env, what, row).await });
        loop {
            tokio::select! {
                done = task.join_next() => {
                    return match done {
                        Some(Ok(done)) => done,
                        Some(Err(error)) if error.is_panic() => {
                            Err(Error::User("it broke down; the program's log says where".to_owned()))
                        }
                        _ => Err(Error::Aborted),
                    };
                }
                () = tokio::time::sleep(RENEW) => self.renew(work).await,
            }
        }
    }

    async fn renew(&self, work: &Work) {
        let now = Timestamp::now();
        let until = now.checked_add(SignedDuration::from_secs(CLAIM_S)).unwrap_or(now);
        let renewed = async {
            let mut env = self.superuser("a claim is renewed").await?;
            env.write(work.model, &[work.id], values! { "claimed_until" => until }).await?;
            env.commit().await
        };
        if let Err(error) = renewed.await {
            // On SQLite the work itself may hold the writer; then nobody else can claim anything either.
            tracing::debug!(%error, job.name = %work.name, "A claim was not renewed.");
        }
    }

    async fn scheduled_ended(
        &self,
        work: &Work,
        row: &Record,
        failed: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let planned = Planned {
            at: row.get("nextcall")?,
            every: row.get::<Option<i64>>("interval_number")?.unwrap_or(1),
            unit: row.get_str("interval_type").to_owned(),
        };
        let failures = row.get::<Option<i64>>("failure_count")?.unwrap_or(0) + 1;
        let mut ended = Values::new().with("claimed_until", Value::Null).with("lastcall", now);
        let next = match failed {
            None => {
                ended.set("failure_count", 0).set("outcome", Value::Null);
                policy::next(planned.at, planned.every, &planned.unit, now)
            }
            Some(problem) if failures >= policy::MOST_FAILURES => {
                ended.set("active", false).set("failure_count", failures).set(
                    "outcome",
                    format!("stopped after {failures} failures in a row; activate it again when the cause is gone. The last: {problem}"),
                );
                now
            }
            Some(problem) => {
                ended.set("failure_count", failures).set("outcome", problem.to_owned());
                now.checked_add(policy::wait_after(failures)).unwrap_or(now)
            }
        };
        let mut env = self.superuser("how a scheduled action ended").await?;
        // Deleted meanwhile, or wanted at another time: then that time counts.
        let own = domain!(["id", "=", work.id], ["active", "in", [true, false]]);
        let as_planned = own.clone().and(domain!(["nextcall", "=", planned.at]));
        env.write_where(CRONS, &as_planned, Values::new().with("nextcall", next)).await?;
        env.write_where(CRONS, &own, ended).await?;
        env.commit().await
    }

    async fn queued_failed(&self, work: &Work, problem: &str, now: Timestamp) -> Result<(), Error> {
        let mut env = self.superuser("how queued work failed").await?;
        let own = Domain::leaf("id", crate::Op::Eq, work.id);
        let found = env.search_read(QUEUE, &own, &["attempts"], Search::default()).await?;
        let Some(row) = found.first() else { return Ok(()) };
        let attempts = row.get::<Option<i64>>("attempts")?.unwrap_or(0) + 1;
        let state = if attempts >= policy::MOST_FAILURES { "failed" } else { "waiting" };
        let due = now.checked_add(policy::wait_after(attempts)).unwrap_or(now);
        let ended = values! {
            "attempts" => attempts, "state" => state, "error" => problem, "due" => due, "claimed_until" => Value::Null,
        };
        env.write(QUEUE, &[work.id], ended).await?;
        env.commit().await
    }
}

fn work_of(model: &'static str, row: Record) -> (Work, Option<Record>) {
    let user = match row.value("user_id") {
        Value::Id(id) => Some(Uid(id.0)),
        Value::Int(id) => Some(Uid(*id)),
        _ => None,
    };
    let text = |name: &str| row.get_str(name).to_owned();
    let what = match model {
        QUEUE => {
            let payload = match row.value("payload") {
                Value::Json(json) => json.clone(),
                _ => Json::Null,
            };
            What::Task { name: text("name"), payload }
        }
        _ if row.get_str("job").is_empty() => What::Method { model: text("model"), method: text("method") },
        _ => What::Job(text("job")),
    };
    let work = Work { model, id: row.id, name: text("name"), user, what };
    (work, (model == CRONS).then_some(row))
}

async fn perform(mut env: Env, what: What, row: Id) -> Result<(), Error> {
    let registry = env.registry().clone();
    let gone = |name: &str| Error::User(format!("no app has work by the name {name}; is its app installed?"));
    match what {
        What::Job(name) => {
            let job = registry.jobs.get(&name).ok_or_else(|| gone(&name))?;
            (job.run)(&mut env).await?;
        }
        What::Task { name, payload } => {
            let run = registry.tasks.get(&name).ok_or_else(|| gone(&name))?;
            // Before its work, so that a second runner of a claim that ran out waits and then finds nothing.
            env.sudo("queued work is done").unlink(QUEUE, &[row]).await?;
            run(&mut env, payload).await?;
        }
        What::Method { model, method } => {
            let found = registry.method(&model, &method)?;
            let args = if found.on == On::Records { vec![Json::Array(Vec::new())] } else { Vec::new() };
            env.call(&model, &method, args, Map::new()).await?;
        }
    }
    env.commit().await
}
