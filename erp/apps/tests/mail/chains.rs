use erp_engine::{Id, Search, domain, values};
use jiff::{Span, civil::Date, tz::TimeZone};
use serde_json::json;

use super::office::{self, call, read, try_call};
use crate::on_both;

fn day(days: i64) -> Date {
    jiff::Timestamp::now().to_zoned(TimeZone::UTC).date().checked_add(Span::new().days(days)).unwrap()
}

on_both! {
    async fn a_triggered_activity_begins_when_the_one_before_is_done(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.engine.superuser("test").await.unwrap();
        let mut kind = async |values| env.create("mail.activity.type", values).await.unwrap();
        let after_deadline = kind(values! { "name" => "Send offer", "delay_count" => 3, "delay_from" => "previous_activity" }).await;
        let after_today = kind(values! {
            "name" => "Ring", "delay_count" => 1, "delay_unit" => "weeks", "delay_from" => "current_date",
            "summary" => "Ring them", "default_user_id" => Id(office.bob.0), "chaining_type" => "trigger", "triggered_next_type_id" => after_deadline,
        }).await;
        let first = kind(values! { "name" => "First", "chaining_type" => "trigger", "triggered_next_type_id" => after_today }).await;
        env.commit().await.unwrap();

        env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let what = json!({"activity_type_id": first, "date_deadline": day(-10).to_string()});
        let made = call(&mut env, "deal.deal", "activity_schedule", json!([[deal]]), what).await;
        let next = call(&mut env, "mail.activity", "action_feedback_schedule_next", json!([made]), json!({})).await;
        assert_eq!(next, json!(false), "it begins by itself");
        let fields = ["summary", "user_id", "date_deadline", "automated", "previous_activity_type_id"];
        let there = env.search("mail.activity", &domain!(["res_id", "=", deal.0]), Search::default()).await.unwrap();
        assert_eq!(there.len(), 1);
        let seen = read(&mut env, "mail.activity", there[0], &fields).await;
        assert_eq!((&seen["summary"], &seen["user_id"][1]), (&json!("Ring them"), &json!("Bob")));
        assert_eq!(seen["date_deadline"], json!(day(7).to_string()), "a week after it was done");
        assert_eq!((&seen["automated"], &seen["previous_activity_type_id"][1]), (&json!(true), &json!("First")));
        env.write("mail.activity", &there, values! { "date_deadline" => day(20) }).await.unwrap();
        env.commit().await.unwrap();

        env = office.of(office.bob).await;
        call(&mut env, "mail.activity", "action_done", json!([there]), json!({})).await;
        let there = env.search("mail.activity", &domain!(["res_id", "=", deal.0]), Search::default()).await.unwrap();
        let seen = read(&mut env, "mail.activity", there[0], &fields).await;
        assert_eq!(seen["date_deadline"], json!(day(23).to_string()), "three days after the deadline before");
        assert_eq!(seen["user_id"][1], json!("Bob"), "who did the one before does the next");
        call(&mut env, "mail.activity", "action_done", json!([there]), json!({})).await;
        assert_eq!(env.count("mail.activity", &domain!(["res_id", "=", deal.0])).await.unwrap(), 0, "the chain has an end");
    }

    async fn suggested_activities_are_offered_with_their_deadline(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.engine.superuser("test").await.unwrap();
        let mut kind = async |values| env.create("mail.activity.type", values).await.unwrap();
        let offer = kind(values! { "name" => "Offer", "delay_count" => 1, "delay_unit" => "months", "summary" => "Write it" }).await;
        let ring = kind(values! { "name" => "Ring", "delay_count" => 4, "delay_from" => "current_date" }).await;
        let first = kind(values! { "name" => "Visit", "suggested_next_type_ids" => vec![offer, ring] }).await;
        let plain = kind(values! { "name" => "Plain" }).await;
        env.commit().await.unwrap();

        env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let what = json!({"activity_type_id": first, "date_deadline": "2026-01-31"});
        let made = call(&mut env, "deal.deal", "activity_schedule", json!([[deal]]), what).await;
        let dialog = call(&mut env, "mail.activity", "action_feedback_schedule_next", json!([made]), json!({"feedback": "ok"})).await;
        assert_eq!((&dialog["res_model"], &dialog["target"]), (&json!("mail.activity"), &json!("new")));
        assert_eq!(dialog["context"]["recommended_activity_type_ids"], json!([offer, ring]));
        assert_eq!(dialog["context"]["default_activity_type_id"], json!(false), "two are suggested: the person picks");
        // The dialog with its context: the deadline counts from the one before, or from today.
        for (kind, deadline) in [(offer, "2026-02-28".to_owned()), (ring, day(4).to_string())] {
            let draft = json!({"activity_type_id": kind, "res_model": "deal.deal", "res_id": deal});
            let spec = json!({"activity_type_id": {}, "date_deadline": {}, "summary": {}});
            let answer = call(&mut env, "mail.activity", "onchange", json!([[], draft, ["activity_type_id"], spec]),
                json!({"context": dialog["context"]})).await;
            assert_eq!(answer["value"]["date_deadline"], json!(deadline));
            let made = call(&mut env, "mail.activity", "create", json!([{"activity_type_id": kind}]),
                json!({"context": dialog["context"]})).await;
            let fields = ["date_deadline", "has_recommended_activities", "recommended_activity_type_ids", "previous_activity_type_id", "res_name"];
            let seen = read(&mut env, "mail.activity", Id(made.as_i64().unwrap()), &fields).await;
            assert_eq!(seen["date_deadline"], json!(deadline));
            assert_eq!(seen["res_name"], json!("Chairs"));
            assert_eq!(seen["has_recommended_activities"], json!(true));
            assert_eq!(seen["recommended_activity_type_ids"], json!([offer, ring]));
        }
        let made = call(&mut env, "deal.deal", "activity_schedule", json!([[deal]]), json!({"activity_type_id": plain, "context": {}})).await;
        let seen = read(&mut env, "mail.activity", Id(made[0].as_i64().unwrap()), &["has_recommended_activities"]).await;
        assert_eq!(seen["has_recommended_activities"], json!(false));
    }

    async fn a_type_that_triggers_says_what(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.engine.superuser("test").await.unwrap();
        let refused = try_call(&mut env, "mail.activity.type", "create", json!([{"name": "X", "chaining_type": "trigger"}]), json!({})).await;
        assert!(refused.unwrap_err().to_string().contains("choose the activity that is triggered next"));
        env = office.engine.superuser("test").await.unwrap();
        let refused = try_call(&mut env, "mail.activity.type", "create", json!([{"name": "X", "delay_count": -1}]), json!({})).await;
        assert!(refused.unwrap_err().to_string().contains("cannot be negative"));
    }
}
