use erp_engine::{Search, domain, values};
use serde_json::{Value as Json, json};

use super::office::{self, call};
use crate::on_both;

on_both! {
    async fn every_kind_of_tracked_field_is_noted_with_what_it_was_and_is(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let euro = env.by_external_id("base.EUR").await.unwrap();
        let deal = env.create("deal.deal", values! { "name" => "Chairs", "currency_id" => euro, "people" => 2 }).await.unwrap();
        env.commit().await.unwrap();
        env = office.of(office.ann).await;
        let new = json!({
            "name": "Tables", "partner_id": office.customer, "stage": "won", "amount": 12.5, "people": 3, "chance": 0.25,
            "urgent": true, "closes": "2026-12-24", "called_at": "2026-11-22 10:30:00", "story": "long\nstory",
            "secret_plan": "is not tracked",
        });
        call(&mut env, "deal.deal", "write", json!([[deal], new]), json!({})).await;
        // The note is written with the rest of the transaction, once.
        env.commit().await.unwrap();
        env = office.of(office.ann).await;
        let chatter = call(&mut env, "deal.deal", "message_fetch", json!([[deal]]), json!({"limit": 1})).await;
        let told: Vec<(&str, &Json, &Json)> = chatter[0]["tracking"].as_array().unwrap().iter()
            .map(|value| (value["field"].as_str().unwrap(), &value["old"], &value["new"])).collect();
        let none = &Json::Null;
        let find = |field: &str| told.iter().find(|(name, ..)| *name == field).map(|(_, old, new)| (*old, *new));
        assert_eq!(find("name"), Some((&json!("Chairs"), &json!("Tables"))));
        assert_eq!(find("partner_id"), Some((none, &json!("Carl Customer"))));
        assert_eq!(find("stage"), Some((&json!("New"), &json!("Won"))));
        assert_eq!(find("amount"), Some((none, &json!("12.5"))));
        assert_eq!(find("people"), Some((&json!("2"), &json!("3"))));
        assert_eq!(find("urgent"), Some((&json!("No"), &json!("Yes"))));
        assert_eq!(find("closes"), Some((none, &json!("2026-12-24"))));
        assert_eq!(find("secret_plan"), None);

        let fields = [
            "field_name", "field_type", "new_value_integer", "new_value_float", "new_value_monetary", "new_value_char",
            "new_value_text", "new_value_datetime", "old_value_char", "old_value_integer", "currency_id",
        ];
        let id = chatter[0]["id"].clone();
        let refused = env.call("mail.tracking.value", "search_read", vec![], serde_json::Map::new()).await.unwrap_err();
        assert!(matches!(refused, erp_engine::Error::AccessDenied { .. }), "{refused}");
        drop(env);
        let mut env = office.engine.superuser("test").await.unwrap();
        let rows = call(&mut env, "mail.tracking.value", "search_read", json!([[["mail_message_id", "=", id]], fields]), json!({})).await;
        let row = |field: &str| rows.as_array().unwrap().iter().find(|row| row["field_name"] == field).unwrap().clone();
        assert_eq!((&row("name")["field_type"], &row("name")["old_value_char"]), (&json!("char"), &json!("Chairs")));
        let partner = row("partner_id");
        assert_eq!(partner["field_type"], json!("many2one"));
        assert_eq!((&partner["new_value_integer"], &partner["new_value_char"]), (&json!(office.customer), &json!("Carl Customer")));
        assert_eq!((&row("stage")["field_type"], &row("stage")["new_value_char"]), (&json!("selection"), &json!("Won")));
        let amount = row("amount");
        assert_eq!((&amount["field_type"], &amount["new_value_monetary"]), (&json!("monetary"), &json!(12.5)));
        assert_eq!(amount["currency_id"], json!([euro, "EUR"]));
        assert_eq!((&row("people")["old_value_integer"], &row("people")["new_value_integer"]), (&json!(2), &json!(3)));
        assert_eq!(row("chance")["new_value_float"], json!(0.25));
        assert_eq!(row("urgent")["new_value_integer"], json!(1));
        assert_eq!(row("closes")["new_value_datetime"], json!("2026-12-24 00:00:00"));
        assert_eq!(row("called_at")["new_value_datetime"], json!("2026-11-22 10:30:00"));
        assert_eq!((&row("story")["field_type"], &row("story")["new_value_text"]), (&json!("text"), &json!("long\nstory")));
    }

    async fn who_may_not_see_a_field_does_not_see_what_it_was(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        env.commit().await.unwrap();
        env = office.engine.superuser("test").await.unwrap();
        env.write("deal.deal", &[deal], values! { "margin" => 40, "people" => 7 }).await.unwrap();
        env.commit().await.unwrap();
        let told = async |mut env: erp_engine::Env| {
            let chatter = call(&mut env, "deal.deal", "message_fetch", json!([[deal]]), json!({"limit": 1})).await;
            let values = chatter[0]["tracking"].as_array().unwrap().iter();
            values.map(|value| value["field"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(told(office.of(office.ann).await).await, ["people"]);
        assert_eq!(told(office.engine.superuser("test").await.unwrap()).await, ["margin", "people"]);
    }

    async fn a_write_that_changes_nothing_notes_nothing(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let more = vec![values! { "name" => "A" }, values! { "name" => "B", "stage" => "won" }];
        let both = env.create_many("deal.deal", more).await.unwrap();
        env.commit().await.unwrap();
        let told = async || {
            let mut env = office.of(office.ann).await;
            let of_deals = domain!(["model", "=", "deal.deal"], ["tracking_value_ids", "!=", false]);
            let found = env.sudo("test").search_read("mail.message", &of_deals, &["res_id"], Search::order("id")).await.unwrap();
            found.iter().map(|row| row.get::<i64>("res_id").unwrap()).collect::<Vec<_>>()
        };
        env = office.of(office.ann).await;
        env.write("deal.deal", &[deal], values! { "name" => "Chairs", "secret_plan" => "x" }).await.unwrap();
        // There and back again within one transaction is no change.
        env.write("deal.deal", &[deal], values! { "name" => "Tables" }).await.unwrap();
        env.write("deal.deal", &[deal], values! { "name" => "Chairs" }).await.unwrap();
        env.commit().await.unwrap();
        assert_eq!(told().await, [0; 0]);
        // Many at once: a note for each that changed, and for no other.
        env = office.of(office.ann).await;
        env.write("deal.deal", &both, values! { "stage" => "won" }).await.unwrap();
        env.commit().await.unwrap();
        assert_eq!(told().await, [both[0].0]);
    }

    async fn contacts_note_what_their_page_tracks(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        env.write("res.partner", &[office.customer], values! { "email" => "c@new.example", "phone" => "+32 2 290 34 90" }).await.unwrap();
        env.commit().await.unwrap();
        env = office.of(office.ann).await;
        let chatter = call(&mut env, "res.partner", "message_fetch", json!([[office.customer]]), json!({"limit": 1})).await;
        let labels: Vec<&str> = chatter[0]["tracking"].as_array().unwrap().iter().map(|v| v["label"].as_str().unwrap()).collect();
        assert_eq!(labels, ["Email", "Phone"]);
    }
}
