//! Work that runs by itself: scheduled actions (`ir.cron`) again and again, queued jobs (`ir.job`) once.
//!
//! ```text
//!            claim (a short transaction)        the work (its own)        outcome
//! due row --------------------------------> runs as its user --------> done: next time, or the row is gone
//!    ^                                          |
//!    `--- later, with a growing wait <--- failed, or the program stopped: the claim runs out
//! ```
//!
//! A claim is a row's `claimed_until`. Of several processes one gets it, since the row is written only where it is free
//! at that very moment; whoever works renews it. A queued job's row is deleted by the transaction that does its work, so
//! what it does to records it does once.

mod policy;
mod run;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use crate::{
    Search, domain,
    error::Error,
    execute::{Engine, Env},
    resolve::Registry,
    value::Id,
    values,
};

const CRONS: &str = "ir.cron";
const QUEUE: &str = "ir.job";

impl Env {
    /// Puts work in the queue, to be done after this transaction's commit and only if there is one.
    pub async fn enqueue(&mut self, task: &str, payload: Json) -> Result<Id, Error> {
        let now = self.now();
        self.enqueue_at(task, payload, now).await
    }

    pub async fn enqueue_at(&mut self, task: &str, payload: Json, due: Timestamp) -> Result<Id, Error> {
        if !self.registry().tasks.contains_key(task) {
            return Err(Error::User(format!("no app has work by the name {task}; is the app installed?")));
        }
        let user = self.uid().map(|uid| uid.0);
        let row = values! { "name" => task, "payload" => payload, "due" => due, "user_id" => user };
        self.sudo("work is put in the queue").create(QUEUE, row).await
    }

    /// Has a scheduled action run as soon as this transaction is committed, besides its own times.
    pub async fn trigger(&mut self, job: &str) -> Result<(), Error> {
        let now = self.now();
        let due = values! { "nextcall" => now };
        let wanted = domain!(["job", "=", job], ["active", "=", true], ["nextcall", ">", now]);
        self.sudo("a scheduled action is wanted now").write_where(CRONS, &wanted, due).await.map(drop)
    }

    /// Scheduled actions that apps declare stand as records, so that people see and change their times. What they
    /// changed stays; an action whose app is gone goes too.
    pub(crate) async fn list_jobs(&mut self, registry: &Registry) -> Result<(), Error> {
        let named = domain!(["job", "!=", ""], ["active", "in", [true, false]]);
        let known = self.search_read(CRONS, &named, &["job"], Search::default()).await?;
        let gone: Vec<Id> =
            known.iter().filter(|row| !registry.jobs.contains_key(row.get_str("job"))).map(|row| row.id).collect();
        self.unlink(CRONS, &gone).await?;
        let mut new = Vec::new();
        let now = self.now();
        for job in registry.jobs.values().filter(|job| known.iter().all(|row| row.get_str("job") != job.name)) {
            let (number, unit) = policy::interval(job.every_s);
            let wait = SignedDuration::from_secs(if job.waits { i64::from(job.every_s) } else { 0 });
            new.push(values! {
                "name" => &job.label, "job" => &job.name, "interval_number" => number, "interval_type" => unit,
                "nextcall" => now.checked_add(wait).unwrap_or(now),
            });
        }
        if !new.is_empty() {
            self.create_many(CRONS, new).await?;
        }
        Ok(())
    }
}

impl Engine {
    /// Does everything that is due, one after the other. Answers how many did their work; what failed waits for its next
    /// try and says why. Several may do this at once, in one process or in many.
    pub async fn run_due_jobs(&self, now: Timestamp) -> Result<usize, Error> {
        let mut done = 0;
        while let Some(did) = self.run_next_job(now).await? {
            done += usize::from(did);
        }
        Ok(done)
    }

    /// The most urgent work that is due, and whether it did its work; nothing when none is. Dropped on the way, its
    /// transaction is rolled back, and it is tried again when the claim on it has run out.
    pub async fn run_next_job(&self, now: Timestamp) -> Result<Option<bool>, Error> {
        let Some(work) = self.claim(now).await? else { return Ok(None) };
        self.run_claimed(work, now).await.map(Some)
    }

    /// When the next work is due; nothing when none is waiting.
    pub async fn next_job_due(&self) -> Result<Option<Timestamp>, Error> {
        let mut env = self.superuser("when work is due").await?;
        let mut first: Option<Timestamp> = None;
        for (model, due, domain) in
            [(CRONS, "nextcall", domain!(["active", "=", true])), (QUEUE, "due", domain!(["state", "=", "waiting"]))]
        {
            let search = Search::order(due).limit(1);
            let found = env.search_read(model, &domain, &[due, "claimed_until"], search).await?;
            for row in found {
                let at: Option<Timestamp> = row.get(due)?;
                let free: Option<Timestamp> = row.get("claimed_until")?;
                let at = at.max(free);
                first = [first, at].into_iter().flatten().min();
            }
        }
        Ok(first)
    }
}
