use erp_engine::{Error, Id, Search, domain, values};
use serde_json::json;

use super::office::{self, call, partner_of, queued, read, try_call};
use crate::on_both;

on_both! {
    async fn who_makes_a_record_follows_it_and_its_chatter_says_so(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let ann = partner_of(&mut env, office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let seen = read(&mut env, "deal.deal", deal, &["message_partner_ids", "message_is_follower", "message_ids"]).await;
        assert_eq!(seen["message_partner_ids"], json!([ann]));
        assert_eq!(seen["message_is_follower"], json!(true));
        assert_eq!(seen["message_ids"].as_array().unwrap().len(), 1);
        let chatter = call(&mut env, "deal.deal", "message_fetch", json!([[deal]]), json!({})).await;
        assert_eq!(chatter[0]["body"], json!("<p>Deal created</p>"));
        assert_eq!(chatter[0]["author"]["name"], json!("Ann"));

        env.set_context(env.context().clone().with("tracking_disable", true));
        let quiet = office.deal(&mut env, "Quiet").await;
        let seen = read(&mut env, "deal.deal", quiet, &["message_partner_ids", "message_ids"]).await;
        assert_eq!(seen["message_partner_ids"], json!([]));
        assert_eq!(seen["message_ids"], json!([]));
    }

    async fn a_comment_goes_to_followers_by_mail_and_a_note_stays_in_the_house(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let bob = partner_of(&mut env, office.bob).await;
        let who = json!({"partner_ids": [bob, office.customer]});
        call(&mut env, "deal.deal", "message_subscribe", json!([[deal]]), who).await;
        let comment = json!({"body": "Hello <all>", "message_type": "comment", "subtype_xmlid": "mail.mt_comment"});
        let comment = call(&mut env, "deal.deal", "message_post", json!([[deal]]), comment).await;
        // To both followers, and not to who wrote it.
        let note = json!({"body": "They pay late.", "subtype_xmlid": "mail.mt_note", "partner_ids": [bob, office.customer]});
        let note = call(&mut env, "deal.deal", "message_post", json!([[deal]]), note).await;
        env.commit().await.unwrap();

        let mails = queued(&office.engine).await;
        let to: Vec<&str> = mails.iter().map(|(to, ..)| to.as_str()).collect();
        let (bobs, carls) = ("\"Bob\" <bob@office.example>", "\"Carl Customer\" <carl@customer.example>");
        assert_eq!(to[..2].iter().copied().collect::<std::collections::BTreeSet<_>>(), [bobs, carls].into());
        assert_eq!(to[2..], [bobs], "the note goes to nobody outside");
        assert_eq!(mails[0].1, "Re: Chairs");
        assert_eq!(mails[2].2, "<div><p>They pay late.</p></div><p>This is about Chairs.</p>");

        env = office.of(office.ann).await;
        let comment = read(&mut env, "mail.message", Id(comment.as_i64().unwrap()), &["body", "is_internal", "message_id"]).await;
        assert_eq!(comment["is_internal"], json!(false));
        assert!(comment["message_id"].as_str().unwrap().ends_with("-deal.deal@erp.office.example>"), "{comment:?}");
        let note = read(&mut env, "mail.message", Id(note.as_i64().unwrap()), &["is_internal", "subtype_id"]).await;
        assert_eq!(note["is_internal"], json!(true));
        assert_eq!(note["subtype_id"][1], json!("Note"));
    }

    async fn html_is_made_harmless_and_plain_text_stays_text(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        for (sent, kept) in [
            ("a & b", "<p>a &amp; b</p>"),
            ("one\ntwo", "<p>one</p><p>two</p>"),
            ("<p>bold <b>x</b></p><script>alert(1)</script>", "<p>bold <b>x</b></p>"),
        ] {
            call(&mut env, "deal.deal", "message_post", json!([[deal]]), json!({"body": sent})).await;
            let chatter = call(&mut env, "deal.deal", "message_fetch", json!([[deal]]), json!({"limit": 1})).await;
            assert_eq!(chatter[0]["body"], json!(kept), "{sent}");
        }
    }

    async fn who_reads_in_the_erp_has_an_inbox_until_it_is_read(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.engine.superuser("test").await.unwrap();
        env.write("res.users", &[Id(office.bob.0)], values! { "notification_type" => "inbox" }).await.unwrap();
        env.commit().await.unwrap();
        env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let other = office.deal(&mut env, "Tables").await;
        let bob = partner_of(&mut env, office.bob).await;
        let post = json!({"body": "Look!", "message_type": "comment", "partner_ids": [bob]});
        let message = call(&mut env, "deal.deal", "message_post", json!([[deal]]), post).await;
        env.commit().await.unwrap();
        assert_eq!(queued(&office.engine).await, []);

        env = office.of(office.bob).await;
        let action_needed = json!([[["message_needaction", "=", true]]]);
        assert_eq!(read(&mut env, "deal.deal", deal, &["message_needaction"]).await["message_needaction"], json!(true));
        assert_eq!(call(&mut env, "deal.deal", "search", action_needed.clone(), json!({})).await, json!([deal]));
        let none = call(&mut env, "deal.deal", "search", json!([[["message_needaction", "!=", true]]]), json!({})).await;
        assert_eq!(none, json!([other]));
        let unread = call(&mut env, "mail.notification", "search_count", json!([[["is_read", "=", false]]]), json!({})).await;
        assert_eq!(unread, json!(1));
        call(&mut env, "mail.message", "set_message_done", json!([[message]]), json!({})).await;
        assert_eq!(call(&mut env, "deal.deal", "search", action_needed, json!({})).await, json!([]));
        env.commit().await.unwrap();
        // It was Bob's alone.
        env = office.of(office.ann).await;
        let theirs = call(&mut env, "mail.notification", "search_count", json!([[]]), json!({})).await;
        assert_eq!(theirs, json!(0));
    }

    async fn followers_come_and_go_and_records_are_found_by_them(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let (ann, bob) = (partner_of(&mut env, office.ann).await, partner_of(&mut env, office.bob).await);
        let (chairs, tables) = (office.deal(&mut env, "Chairs").await, office.deal(&mut env, "Tables").await);
        call(&mut env, "deal.deal", "message_subscribe", json!([[chairs]]), json!({"partner_ids": [bob]})).await;
        // A second time is no second follower.
        call(&mut env, "deal.deal", "message_subscribe", json!([[chairs]]), json!({"partner_ids": [bob]})).await;
        let followers = read(&mut env, "deal.deal", chairs, &["message_follower_ids"]).await;
        assert_eq!(followers["message_follower_ids"].as_array().unwrap().len(), 2);
        let followed = |who: Id| json!([[["message_partner_ids", "in", [who]]]]);
        assert_eq!(call(&mut env, "deal.deal", "search", followed(bob), json!({})).await, json!([chairs]));
        assert_eq!(call(&mut env, "deal.deal", "search", followed(ann), json!({"order": "id"})).await, json!([chairs, tables]));
        let mine = json!([[["message_is_follower", "=", true]]]);
        assert_eq!(call(&mut env, "deal.deal", "search_count", mine, json!({})).await, json!(2));
        call(&mut env, "deal.deal", "message_unsubscribe", json!([[chairs]]), json!({"partner_ids": [bob]})).await;
        assert_eq!(call(&mut env, "deal.deal", "search", followed(bob), json!({})).await, json!([]));
        env.commit().await.unwrap();

        // Who may only look follows by himself, and makes nobody else follow.
        env = office.of(office.eve).await;
        let eve = partner_of(&mut env, office.eve).await;
        call(&mut env, "deal.deal", "message_subscribe", json!([[chairs]]), json!({"partner_ids": [eve]})).await;
        let refused = try_call(&mut env, "deal.deal", "message_subscribe", json!([[chairs]]), json!({"partner_ids": [bob]})).await;
        assert!(matches!(refused, Err(Error::AccessDenied { .. })), "{refused:?}");
    }

    async fn only_what_a_follower_chose_is_told_to_him(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let (bob, note) = (partner_of(&mut env, office.bob).await, env.by_external_id("mail.mt_note").await.unwrap().unwrap());
        let who = json!({"partner_ids": [bob], "subtype_ids": [note]});
        call(&mut env, "deal.deal", "message_subscribe", json!([[deal]]), who).await;
        for subtype in ["mail.mt_comment", "mail.mt_note"] {
            let post = json!({"body": subtype, "subtype_xmlid": subtype});
            call(&mut env, "deal.deal", "message_post", json!([[deal]]), post).await;
        }
        env.commit().await.unwrap();
        let mails = queued(&office.engine).await;
        assert_eq!(mails.len(), 1);
        assert!(mails[0].2.contains("mail.mt_note"), "{mails:?}");
    }

    async fn who_comments_follows_from_then_on(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        env.commit().await.unwrap();
        env = office.of(office.bob).await;
        let is_follower = async |env: &mut erp_engine::Env| {
            read(env, "deal.deal", deal, &["message_is_follower"]).await["message_is_follower"].clone()
        };
        call(&mut env, "deal.deal", "message_post", json!([[deal]]), json!({"body": "noted"})).await;
        assert_eq!(is_follower(&mut env).await, json!(false), "a log entry is no conversation");
        let post = json!({"body": "Hi", "message_type": "comment", "subtype_xmlid": "mt_comment"});
        call(&mut env, "deal.deal", "message_post", json!([[deal]]), post).await;
        assert_eq!(is_follower(&mut env).await, json!(true));
    }

    async fn who_becomes_responsible_follows_and_is_told(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let bob = partner_of(&mut env, office.bob).await;
        env.write("deal.deal", &[deal], values! { "user_id" => Id(office.bob.0) }).await.unwrap();
        let seen = read(&mut env, "deal.deal", deal, &["message_partner_ids"]).await;
        assert!(seen["message_partner_ids"].as_array().unwrap().contains(&json!(bob)), "{seen:?}");
        // He gives it to himself: nobody has to be told.
        env.write("deal.deal", &[deal], values! { "user_id" => Id(office.ann.0) }).await.unwrap();
        env.commit().await.unwrap();
        let mails = queued(&office.engine).await;
        assert_eq!(mails.len(), 1, "{mails:?}");
        assert_eq!((mails[0].0.as_str(), mails[0].1.as_str()), ("\"Bob\" <bob@office.example>", "You have been assigned to Chairs"));
    }

    async fn who_may_only_look_says_nothing_and_nobody_speaks_in_anothers_name(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let bob = partner_of(&mut env, office.bob).await;
        let ann = partner_of(&mut env, office.ann).await;
        let post = json!({"body": "Hi", "message_type": "comment"});
        let said = call(&mut env, "deal.deal", "message_post", json!([[deal]]), post).await;
        env.commit().await.unwrap();
        env = office.of(office.ann).await;
        let forged = try_call(&mut env, "deal.deal", "message_post", json!([[deal]]), json!({"body": "x", "author_id": bob})).await;
        assert!(forged.unwrap_err().to_string().contains("somebody else's name"));
        let forged = env.create("mail.message", values! {
            "model" => "deal.deal", "res_id" => deal.0, "body" => "x", "author_id" => bob, "message_type" => "comment",
        });
        assert!(matches!(forged.await, Err(Error::AccessDenied { .. })));

        env = office.of(office.eve).await;
        let refused = try_call(&mut env, "deal.deal", "message_post", json!([[deal]]), json!({"body": "x"})).await;
        assert!(matches!(refused, Err(Error::AccessDenied { .. })), "{refused:?}");
        let seen = call(&mut env, "deal.deal", "message_fetch", json!([[deal]]), json!({})).await;
        assert_eq!(seen.as_array().unwrap().len(), 2);
        // Another's comment, and what was logged by oneself, stay as they are.
        env = office.of(office.bob).await;
        let changed = try_call(&mut env, "mail.message", "write", json!([[said], {"body": "bye"}]), json!({})).await;
        assert!(matches!(changed, Err(Error::AccessDenied { .. })), "{changed:?}");
        env = office.of(office.ann).await;
        let logged = domain!(["model", "=", "deal.deal"], ["author_id", "=", ann], ["message_type", "=", "notification"]);
        let logged = env.search("mail.message", &logged, Search::default()).await.unwrap();
        let erased = env.unlink("mail.message", &logged).await;
        assert!(matches!(erased, Err(Error::AccessDenied { .. })), "{erased:?}");
        env = office.of(office.ann).await;
        call(&mut env, "mail.message", "write", json!([[said], {"body": "bye"}]), json!({})).await;
    }

    async fn attachments_go_along_and_only_those_one_may_read(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.engine.superuser("test").await.unwrap();
        let secret = env.create("ir.attachment", values! {
            "name" => "salaries.csv", "datas" => b"1000".to_vec(), "res_model" => "ir.config_parameter", "res_id" => 1,
        }).await.unwrap();
        env.commit().await.unwrap();
        env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let content = data_encoding::BASE64.encode(b"%PDF-1.4");
        let post = json!({
            "body": "See there", "subtype_xmlid": "mt_comment", "partner_ids": [office.customer],
            "attachments": [["offer.pdf", content]],
        });
        call(&mut env, "deal.deal", "message_post", json!([[deal]]), post).await;
        let chatter = call(&mut env, "deal.deal", "message_fetch", json!([[deal]]), json!({"limit": 1})).await;
        assert_eq!(chatter[0]["attachments"][0]["name"], json!("offer.pdf"));
        assert_eq!(read(&mut env, "deal.deal", deal, &["message_attachment_count"]).await["message_attachment_count"], json!(1));
        env.commit().await.unwrap();
        let mut system = office.engine.superuser("test").await.unwrap();
        let mail = system.search_read("mail.mail", &domain!(), &["attachment_ids"], Search::default()).await.unwrap();
        assert_eq!(mail[0].get::<Vec<Id>>("attachment_ids").unwrap().len(), 1);
        drop(system);

        env = office.of(office.ann).await;
        let stolen = json!({"body": "x", "partner_ids": [office.customer], "attachment_ids": [secret]});
        let stolen = try_call(&mut env, "deal.deal", "message_post", json!([[deal]]), stolen).await;
        assert!(matches!(stolen, Err(Error::AccessDenied { .. })), "{stolen:?}");
    }

    async fn what_was_said_about_a_record_goes_with_it(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        call(&mut env, "deal.deal", "activity_schedule", json!([[deal]]), json!({})).await;
        env.unlink("deal.deal", &[deal]).await.unwrap();
        let mut env = env.sudo("test");
        for (model, field) in [("mail.message", "model"), ("mail.followers", "res_model"), ("mail.activity", "res_model")] {
            assert_eq!(env.count(model, &domain!([field, "=", "deal.deal"])).await.unwrap(), 0, "{model}");
        }
    }
}
