use erp_apps::mail::{queue_template, settle, take_back, take_due};
use erp_engine::{Context, Id, Search, domain, values};
use jiff::SignedDuration;
use serde_json::json;

use super::office::{self, call, queued};
use crate::on_both;

on_both! {
    async fn everybody_reads_mail_in_his_language(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.engine.superuser("test").await.unwrap();
        let french = env.search("res.lang", &domain!(["code", "=", "fr_FR"], ["active", "in", [true, false]]), Search::default()).await.unwrap();
        env.write("res.lang", &french, values! { "active" => true }).await.unwrap();
        env.write("res.partner", &[office.customer], values! { "lang" => "fr_FR" }).await.unwrap();
        let template = env.by_external_id("mail.notification_template").await.unwrap().unwrap();
        let assigned = env.by_external_id("mail.assigned_template").await.unwrap().unwrap();
        env.set_context(Context { lang: Some("fr_FR".to_owned()), ..Context::default() });
        let french = values! { "body_html" => "<div>{{ html.body }}</div><p>Il s'agit de {{ ctx.record_name }}.</p>" };
        env.write("mail.template", &[template], french).await.unwrap();
        env.write("mail.template", &[assigned], values! { "subject" => "{{ ctx.record_name }} est à vous" }).await.unwrap();
        env.commit().await.unwrap();

        env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chaises").await;
        let bob = office::partner_of(&mut env, office.bob).await;
        let post = json!({"body": "Bonjour", "subtype_xmlid": "mt_comment", "partner_ids": [bob, office.customer]});
        call(&mut env, "deal.deal", "message_post", json!([[deal]]), post).await;
        env.commit().await.unwrap();
        let mut mails = queued(&office.engine).await;
        mails.sort();
        assert!(mails[0].2.ends_with("This is about Chaises.</p>"), "{mails:?}");
        assert!(mails[1].2.ends_with("Il s'agit de Chaises.</p>"), "{mails:?}");
        env = office.engine.superuser("test").await.unwrap();
        let told = std::collections::BTreeMap::from([("ctx.record_name", "X & Y".to_owned())]);
        queue_template(&mut env, "mail.assigned_template", office.customer, &told).await.unwrap();
        let last = env.search_read("mail.mail", &domain!(), &["subject"], Search::order("id desc").limit(1)).await.unwrap();
        assert_eq!(last[0].get_str("subject"), "X & Y est à vous");
    }

    async fn an_answer_names_what_was_said_before(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let mut ids = Vec::new();
        for n in 0..3 {
            let post = json!({"body": format!("{n}"), "message_type": "comment", "subtype_xmlid": "mt_comment", "partner_ids": [office.customer]});
            ids.push(Id(call(&mut env, "deal.deal", "message_post", json!([[deal]]), post).await.as_i64().unwrap()));
        }
        env.commit().await.unwrap();
        env = office.engine.superuser("test").await.unwrap();
        let said = env.read("mail.message", &ids, &["message_id"]).await.unwrap();
        let mails = env.search_read("mail.mail", &domain!(), &["reference"], Search::order("id")).await.unwrap();
        assert_eq!(mails[0].get_str("reference"), "");
        let both = format!("{} {}", said[0].get_str("message_id"), said[1].get_str("message_id"));
        assert_eq!(mails[2].get_str("reference"), both);
        let different: std::collections::BTreeSet<&str> = said.iter().map(|m| m.get_str("message_id")).collect();
        assert_eq!(different.len(), 3);
    }

    async fn a_mail_is_taken_once_and_tried_again_with_growing_waits(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let post = json!({"body": "Hi", "subtype_xmlid": "mt_comment", "partner_ids": [office.customer]});
        call(&mut env, "deal.deal", "message_post", json!([[deal]]), post).await;
        env.commit().await.unwrap();

        let mut waits = Vec::new();
        for attempt in 0..8 {
            let mut env = office.engine.superuser("test").await.unwrap();
            let taken = take_due(&mut env, 10, "here").await.unwrap();
            assert_eq!(taken.len(), 1, "attempt {attempt}");
            env.commit().await.unwrap();
            let mut env = office.engine.superuser("test").await.unwrap();
            assert_eq!(take_due(&mut env, 10, "here").await.unwrap().len(), 0, "it is being sent");
            settle(&mut env, taken[0].id, taken[0].get("attempts").unwrap(), Err(("451 try later".to_owned(), true))).await.unwrap();
            let row = env.read("mail.mail", &[taken[0].id], &["state", "due", "failure_reason"]).await.unwrap();
            assert_eq!(row[0].get_str("failure_reason"), "451 try later");
            if row[0].get_str("state") == "exception" {
                assert_eq!(attempt, 7);
                env.commit().await.unwrap();
                break;
            }
            let due: jiff::Timestamp = row[0].get("due").unwrap();
            waits.push(due.duration_since(env.now()).as_mins());
            let now = env.now();
            env.write("mail.mail", &[taken[0].id], values! { "due" => now - SignedDuration::from_secs(1) }).await.unwrap();
            env.commit().await.unwrap();
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64]);
        env = office.engine.superuser("test").await.unwrap();
        let told = env.search_read("mail.notification", &domain!(), &["notification_status"], Search::default()).await.unwrap();
        assert_eq!(told[0].get_str("notification_status"), "exception");
        // "Retry" begins anew; what is sent stays sent.
        let mail = env.search("mail.mail", &domain!(), Search::default()).await.unwrap();
        call(&mut env, "mail.mail", "mark_outgoing", json!([mail]), json!({})).await;
        let taken = take_due(&mut env, 10, "here").await.unwrap();
        assert_eq!(taken[0].get::<i64>("attempts").unwrap(), 0);
        settle(&mut env, taken[0].id, 0, Ok(())).await.unwrap();
        call(&mut env, "mail.mail", "mark_outgoing", json!([mail]), json!({})).await;
        assert_eq!(take_due(&mut env, 10, "here").await.unwrap().len(), 0);
    }

    async fn what_a_server_left_behind_goes_out_when_it_is_back(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.engine.superuser("test").await.unwrap();
        env.create("mail.mail", values! { "email_to" => "x@y.example", "subject" => "1" }).await.unwrap();
        assert_eq!(take_due(&mut env, 10, "here").await.unwrap().len(), 1);
        assert_eq!(take_back(&mut env, "there").await.unwrap(), 0, "another server is sending it");
        assert_eq!(take_due(&mut env, 10, "there").await.unwrap().len(), 0);
        assert_eq!(take_back(&mut env, "here").await.unwrap(), 1);
        assert_eq!(take_due(&mut env, 10, "there").await.unwrap().len(), 1);
        // A mail with a secret in it is not kept.
        let mail = env.search("mail.mail", &domain!(), Search::default()).await.unwrap();
        env.write("mail.mail", &mail, values! { "auto_delete" => true }).await.unwrap();
        settle(&mut env, mail[0], 0, Ok(())).await.unwrap();
        assert_eq!(env.count("mail.mail", &domain!()).await.unwrap(), 0);
    }

    async fn a_lasting_refusal_is_not_tried_again_and_a_canceled_mail_is_not_sent(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.engine.superuser("test").await.unwrap();
        let mail = env.create("mail.mail", values! { "email_to" => "x@y.example", "subject" => "1" }).await.unwrap();
        let taken = take_due(&mut env, 10, "here").await.unwrap();
        settle(&mut env, taken[0].id, 0, Err(("550 no such user".to_owned(), false))).await.unwrap();
        let row = env.read("mail.mail", &[mail], &["state"]).await.unwrap();
        assert_eq!(row[0].get_str("state"), "exception");
        let other = env.create("mail.mail", values! { "email_to" => "x@y.example", "subject" => "2" }).await.unwrap();
        call(&mut env, "mail.mail", "cancel", json!([[other]]), json!({})).await;
        assert_eq!(take_due(&mut env, 10, "here").await.unwrap().len(), 0);
    }
}
