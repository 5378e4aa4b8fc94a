//! Scheduled actions and queued jobs, on both databases.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::atomic::{AtomicU32, Ordering};

use erp_engine::{
    Engine, Error, Search, Value,
    declare::{App, Code, Field, Model},
    domain, values,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

fn app() -> App {
    App::new("work", "Work")
        .model(Model::new("done", "Done").field(Field::char("what")).field(Field::integer("n")))
        .code(
            Code::new()
                .job("work.clean", "Clean up", 3_600, |env| {
                    Box::pin(async move { env.create("done", values! { "what" => "clean" }).await.map(drop) })
                })
                .job("work.broken", "Broken", 600, |env| {
                    Box::pin(async move {
                        env.create("done", values! { "what" => "broken" }).await?;
                        Err(Error::User("the printer is on fire".to_owned()))
                    })
                })
                .task("work.count", |env, payload| {
                    Box::pin(async move {
                        let n = payload["n"].as_i64().unwrap_or(0);
                        env.create("done", values! { "what" => "count", "n" => n }).await?;
                        match n {
                            13 => Err(Error::User("thirteen brings bad luck".to_owned())),
                            14 => panic!("a defect in the work"),
                            _ => Ok(()),
                        }
                    })
                }),
        )
}

async fn done(engine: &Engine, what: &str) -> u64 {
    engine.superuser("test").await.unwrap().count("done", &domain!(["what", "=", what])).await.unwrap()
}

/// Only the one action is active.
async fn only(engine: &Engine, job: &str) {
    let mut env = engine.superuser("test").await.unwrap();
    env.write_where("ir.cron", &domain!(["job", "!=", job]), values! { "active" => false }).await.unwrap();
    env.commit().await.unwrap();
}

async fn cron(engine: &Engine, job: &str) -> erp_engine::Record {
    let mut env = engine.superuser("test").await.unwrap();
    let found = domain!(["job", "=", job], ["active", "in", [true, false]]);
    env.search_read("ir.cron", &found, &[], Search::default()).await.unwrap().remove(0)
}

fn hours(n: i64) -> SignedDuration {
    SignedDuration::from_hours(n)
}

on_both! {
    async fn a_scheduled_action_runs_when_it_is_due_and_once_for_what_was_missed(db: TestDb) {
        let engine = db.open(&[app()]).await;
        only(&engine, "work.clean").await;
        let now = Timestamp::now();
        assert_eq!(engine.run_due_jobs(now).await.unwrap(), 1);
        assert_eq!(engine.run_due_jobs(now).await.unwrap(), 0, "its next time is an hour away");
        let next: Timestamp = cron(&engine, "work.clean").await.get("nextcall").unwrap();
        assert!(next > now && next <= now + hours(1));
        assert_eq!(engine.next_job_due().await.unwrap(), Some(next));
        assert_eq!(engine.run_due_jobs(now + hours(50)).await.unwrap(), 1);
        assert_eq!(engine.run_due_jobs(now + hours(50)).await.unwrap(), 0);
        assert_eq!(done(&engine, "clean").await, 2);
        let next: Timestamp = cron(&engine, "work.clean").await.get("nextcall").unwrap();
        assert!(next > now + hours(50) && next <= now + hours(51), "{next}");
    }

    async fn an_action_that_fails_waits_longer_each_time_and_is_stopped_with_a_reason(db: TestDb) {
        let engine = db.open(&[app()]).await;
        only(&engine, "work.broken").await;
        let mut now = Timestamp::now();
        let mut waits = Vec::new();
        for _ in 0..9 {
            assert_eq!(engine.run_due_jobs(now).await.unwrap(), 0);
            let next: Timestamp = cron(&engine, "work.broken").await.get("nextcall").unwrap();
            waits.push((next.as_second() - now.max(Timestamp::now()).as_second()).max(0));
            now = next;
        }
        assert!(waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
        engine.run_due_jobs(now).await.unwrap();
        let row = cron(&engine, "work.broken").await;
        assert_eq!(*row.value("active"), Value::Bool(false));
        let outcome = row.get_str("outcome");
        assert!(outcome.contains("10 failures") && outcome.contains("the printer is on fire"), "{outcome}");
        assert_eq!(done(&engine, "broken").await, 0, "nothing that it wrote stays");
        let mut env = engine.superuser("test").await.unwrap();
        env.write("ir.cron", &[row.id], values! { "active" => true }).await.unwrap();
        env.commit().await.unwrap();
        assert_eq!(*cron(&engine, "work.broken").await.value("failure_count"), Value::Int(0));
    }

    async fn queued_work_is_done_once_and_only_after_its_transaction(db: TestDb) {
        let engine = db.open(&[app()]).await;
        only(&engine, "none").await;
        let mut env = engine.superuser("test").await.unwrap();
        env.enqueue("work.count", json!({"n": 1})).await.unwrap();
        drop(env);
        assert_eq!(engine.run_due_jobs(Timestamp::now()).await.unwrap(), 0, "rolled back with its cause");
        let mut env = engine.superuser("test").await.unwrap();
        let now = env.now();
        env.enqueue("work.count", json!({"n": 2})).await.unwrap();
        env.enqueue_at("work.count", json!({"n": 3}), now + hours(1)).await.unwrap();
        assert!(env.enqueue("work.unknown", json!({})).await.is_err());
        env.commit().await.unwrap();
        assert_eq!(engine.run_due_jobs(Timestamp::now()).await.unwrap(), 1);
        assert_eq!(engine.run_due_jobs(now + hours(2)).await.unwrap(), 1);
        assert_eq!(engine.run_due_jobs(now + hours(9)).await.unwrap(), 0);
        assert_eq!(done(&engine, "count").await, 2);
    }

    async fn queued_work_that_fails_or_breaks_down_is_tried_again_and_then_kept_with_its_error(db: TestDb) {
        let engine = db.open(&[app()]).await;
        only(&engine, "none").await;
        let mut env = engine.superuser("test").await.unwrap();
        env.enqueue("work.count", json!({"n": 13})).await.unwrap();
        env.enqueue("work.count", json!({"n": 14})).await.unwrap();
        env.commit().await.unwrap();
        let start = Timestamp::now();
        for round in 0..12 {
            assert_eq!(engine.run_due_jobs(start + hours(10 * round)).await.unwrap(), 0);
        }
        let mut env = engine.superuser("test").await.unwrap();
        let left = env.search_read("ir.job", &domain!(["state", "=", "failed"]), &["error", "attempts"], Search::order("id")).await.unwrap();
        let errors: Vec<&str> = left.iter().map(|job| job.get_str("error")).collect();
        assert_eq!(errors, ["thirteen brings bad luck", "it broke down; the program's log says where"]);
        assert!(left.iter().all(|job| *job.value("attempts") == Value::Int(10)));
        assert_eq!(done(&engine, "count").await, 0);
    }

    async fn of_several_programs_one_does_each_piece_of_work(db: TestDb) {
        let first = db.open(&[app()]).await;
        only(&first, "none").await;
        let mut env = first.superuser("test").await.unwrap();
        for n in 100..140 {
            env.enqueue("work.count", json!({"n": n})).await.unwrap();
        }
        env.commit().await.unwrap();
        let second = db.open(&[app()]).await;
        let now = Timestamp::now();
        let total = AtomicU32::new(0);
        let work = async |engine: &Engine| {
            let did = engine.run_due_jobs(now).await.unwrap();
            total.fetch_add(did as u32, Ordering::Relaxed);
        };
        tokio::join!(work(&first), work(&second), work(&first), work(&second));
        assert_eq!(total.load(Ordering::Relaxed), 40);
        assert_eq!(done(&first, "count").await, 40);
    }

    async fn an_action_runs_on_demand_and_work_left_by_a_killed_program_is_found(db: TestDb) {
        let engine = db.open(&[app()]).await;
        only(&engine, "work.clean").await;
        let now = Timestamp::now();
        engine.run_due_jobs(now).await.unwrap();
        let mut env = engine.superuser("test").await.unwrap();
        env.trigger("work.clean").await.unwrap();
        env.commit().await.unwrap();
        assert_eq!(engine.run_due_jobs(Timestamp::now()).await.unwrap(), 1);
        let mut env = engine.superuser("test").await.unwrap();
        let job = env.enqueue("work.count", json!({"n": 5})).await.unwrap();
        env.write("ir.job", &[job], values! { "claimed_until" => now + SignedDuration::from_secs(60) }).await.unwrap();
        env.commit().await.unwrap();
        assert_eq!(engine.run_due_jobs(Timestamp::now()).await.unwrap(), 0, "somebody is at it");
        assert_eq!(engine.run_due_jobs(now + SignedDuration::from_secs(61)).await.unwrap(), 1);
    }

    async fn what_gathers_is_swept_up_when_its_time_has_come_and_not_at_once(db: TestDb) {
        let dialogs = App::new("dialogs", "Dialogs")
            .model(Model::new("dialog", "Dialog").transient().field(Field::char("text")))
            .model(Model::new("paper", "Paper").field(Field::binary("scan")));
        let engine = db.open(&[app(), dialogs]).await;
        let mut env = engine.superuser("test").await.unwrap();
        env.create("dialog", values! { "text" => "half typed" }).await.unwrap();
        let failed = values! { "name" => "work.count", "state" => "failed", "error" => "bad luck" };
        env.create("ir.job", failed).await.unwrap();
        let paper = env.create("paper", values! { "scan" => b"a page".to_vec() }).await.unwrap();
        env.commit().await.unwrap();
        for job in ["base.sweep_files", "base.sweep_transient", "base.sweep_jobs"] {
            let first: Timestamp = cron(&engine, job).await.get("nextcall").unwrap();
            assert!(first > Timestamp::now() + SignedDuration::from_mins(30), "{job}");
        }
        let sweep = async |job: &str| {
            let mut env = engine.superuser("test").await.unwrap();
            let due = values! { "active" => true, "nextcall" => Timestamp::now() };
            env.write_where("ir.cron", &domain!(["job", "=", job], ["active", "in", [true, false]]), due).await.unwrap();
            env.commit().await.unwrap();
            only(&engine, job).await;
            engine.run_due_jobs(Timestamp::now()).await.unwrap();
            let row = cron(&engine, job).await;
            assert_eq!(*row.value("failure_count"), Value::Int(0), "{}", row.get_str("outcome"));
        };
        let left = async |model: &str| engine.superuser("test").await.unwrap().count(model, &domain!()).await.unwrap();
        sweep("base.sweep_transient").await;
        sweep("base.sweep_jobs").await;
        assert_eq!((left("dialog").await, left("ir.job").await), (1, 1), "both are young");
        let table = |sql: &'static str| db.sql(sql);
        table("UPDATE dialog SET write_date = '2020-01-01T00:00:00.000000Z'").await;
        table("UPDATE ir_job SET due = '2020-01-01T00:00:00.000000Z'").await;
        sweep("base.sweep_transient").await;
        sweep("base.sweep_jobs").await;
        assert_eq!((left("dialog").await, left("ir.job").await), (0, 0));

        let mut env = engine.superuser("test").await.unwrap();
        env.unlink("paper", &[paper]).await.unwrap();
        env.commit().await.unwrap();
        assert_eq!(db.stored_files(), 1);
        db.age_files();
        sweep("base.sweep_files").await;
        assert_eq!(db.stored_files(), 0);
    }
}
