use erp_engine::{Context, Env, Error, Id, Search, Uid, domain, values};
use jiff::{Span, civil::Date, tz::TimeZone};
use serde_json::{Value as Json, json};

use super::office::{self, call, partner_of, queued, read, try_call};
use crate::on_both;

/// `days` from today where the zone is.
fn day(days: i64, zone: &str) -> Date {
    let today = jiff::Timestamp::now().to_zoned(TimeZone::get(zone).unwrap()).date();
    today.checked_add(Span::new().days(days)).unwrap()
}

async fn schedule(env: &mut Env, deal: Id, days: i64) -> Id {
    let what = json!({"date_deadline": day(days, "UTC").to_string(), "summary": format!("in {days}")});
    let made = call(env, "deal.deal", "activity_schedule", json!([[deal]]), what).await;
    Id(made[0].as_i64().unwrap())
}

async fn found(env: &mut Env, domain: Json) -> Json {
    call(env, "deal.deal", "search", json!([domain]), json!({"order": "id"})).await
}

on_both! {
    async fn an_activity_has_what_its_type_says_unless_something_else_is_said(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.engine.superuser("test").await.unwrap();
        let kind = env.create("mail.activity.type", values! {
            "name" => "Visit", "summary" => "Bring samples", "default_note" => "<p>Ask for Carl</p>",
            "default_user_id" => Id(office.bob.0), "delay_count" => 2, "delay_unit" => "weeks",
        }).await.unwrap();
        env.commit().await.unwrap();
        env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let by_type = json!({"activity_type_id": kind});
        let made = call(&mut env, "deal.deal", "activity_schedule", json!([[deal]]), by_type).await;
        let fields = ["summary", "note", "user_id", "date_deadline", "state", "res_name", "activity_type_id"];
        let seen = read(&mut env, "mail.activity", Id(made[0].as_i64().unwrap()), &fields).await;
        assert_eq!(seen["summary"], json!("Bring samples"));
        assert_eq!(seen["note"], json!("<p>Ask for Carl</p>"));
        assert_eq!(seen["user_id"], json!([office.bob.0, "Bob"]));
        assert_eq!(seen["date_deadline"], json!(day(14, "UTC").to_string()));
        assert_eq!(seen["state"], json!("planned"));
        assert_eq!(seen["res_name"], json!("Chairs"));

        let other = json!({
            "activity_type_id": kind, "summary": "Call first", "user_id": office.ann, "date_deadline": "2030-01-31",
        });
        let made = call(&mut env, "deal.deal", "activity_schedule", json!([[deal]]), other).await;
        let seen = read(&mut env, "mail.activity", Id(made[0].as_i64().unwrap()), &fields).await;
        assert_eq!((&seen["summary"], &seen["date_deadline"]), (&json!("Call first"), &json!("2030-01-31")));
        assert_eq!(seen["user_id"], json!([office.ann.0, "Ann"]));
        // Nobody named: who makes it does it. The to-do is the type when none is named.
        let made = call(&mut env, "deal.deal", "activity_schedule", json!([[deal]]), json!({})).await;
        let seen = read(&mut env, "mail.activity", Id(made[0].as_i64().unwrap()), &fields).await;
        assert_eq!((&seen["activity_type_id"][1], &seen["user_id"][1]), (&json!("To-Do"), &json!("Ann")));
        assert_eq!(seen["date_deadline"], json!(day(5, "UTC").to_string()));
    }

    async fn the_dialog_fills_in_what_the_chosen_type_says(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let call_type = env.by_external_id("mail.mail_activity_data_call").await.unwrap().unwrap();
        let draft = json!({"res_model": "deal.deal", "res_id": deal, "activity_type_id": call_type, "user_id": office.ann});
        let spec = json!({"res_model": {}, "res_id": {}, "activity_type_id": {}, "summary": {}, "date_deadline": {}, "user_id": {}});
        let answer = call(&mut env, "mail.activity", "onchange", json!([[], draft, ["activity_type_id"], spec]), json!({})).await;
        assert_eq!(answer["value"]["summary"], json!("Call"));
        assert_eq!(answer["value"]["date_deadline"], json!(day(2, "UTC").to_string()));
    }

    async fn red_is_late_yellow_is_today_green_is_to_come(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let mut deals = Vec::new();
        for name in ["late", "today", "later", "nothing", "late and later"] {
            deals.push(office.deal(&mut env, name).await);
        }
        let late = schedule(&mut env, deals[0], -1).await;
        let now = schedule(&mut env, deals[1], 0).await;
        let later = schedule(&mut env, deals[2], 3).await;
        schedule(&mut env, deals[4], 9).await;
        schedule(&mut env, deals[4], -9).await;
        for (activity, state) in [(late, "overdue"), (now, "today"), (later, "planned")] {
            assert_eq!(read(&mut env, "mail.activity", activity, &["state"]).await["state"], json!(state));
            let with = call(&mut env, "mail.activity", "search", json!([[["state", "=", state]]]), json!({})).await;
            assert!(with.as_array().unwrap().contains(&json!(activity)), "{state}: {with}");
        }
        let mut states = Vec::new();
        for deal in &deals {
            states.push(read(&mut env, "deal.deal", *deal, &["activity_state"]).await["activity_state"].clone());
        }
        assert_eq!(json!(states), json!(["overdue", "today", "planned", false, "overdue"]));
        assert_eq!(found(&mut env, json!([["activity_state", "=", "overdue"]])).await, json!([deals[0], deals[4]]));
        assert_eq!(found(&mut env, json!([["activity_state", "=", "today"]])).await, json!([deals[1]]));
        assert_eq!(found(&mut env, json!([["activity_state", "=", "planned"]])).await, json!([deals[2]]));
        assert_eq!(found(&mut env, json!([["activity_state", "=", false]])).await, json!([deals[3]]));
        assert_eq!(found(&mut env, json!([["activity_state", "in", ["today", "planned"]]])).await, json!([deals[1], deals[2]]));
        assert_eq!(found(&mut env, json!([["activity_state", "!=", "overdue"]])).await, json!([deals[1], deals[2], deals[3]]));
    }

    async fn the_day_is_that_of_who_is_to_do_it(db: TestDb) {
        let office = office::open(db).await;
        // Twenty-five hours apart: never the same day.
        let (east, west) = ("Pacific/Kiritimati", "Pacific/Niue");
        let mut env = office.engine.superuser("test").await.unwrap();
        env.write("res.users", &[Id(office.ann.0)], values! { "tz" => east }).await.unwrap();
        env.write("res.users", &[Id(office.bob.0)], values! { "tz" => west }).await.unwrap();
        env.commit().await.unwrap();
        env = office.of(office.ann).await;
        let (anns, bobs) = (office.deal(&mut env, "Ann's").await, office.deal(&mut env, "Bob's").await);
        for (deal, user, zone) in [(anns, office.ann, east), (bobs, office.bob, west)] {
            let what = json!({"date_deadline": day(0, zone).to_string(), "user_id": user});
            let made = call(&mut env, "deal.deal", "activity_schedule", json!([[deal]]), what).await;
            let seen = read(&mut env, "mail.activity", Id(made[0].as_i64().unwrap()), &["state"]).await;
            assert_eq!(seen["state"], json!("today"), "{zone}");
            assert_eq!(read(&mut env, "deal.deal", deal, &["activity_state"]).await["activity_state"], json!("today"));
        }
        assert_eq!(found(&mut env, json!([["activity_state", "=", "today"]])).await, json!([anns, bobs]));
        // Without a date the type's delay counts from one's own day.
        let call_type = json!({"act_type_xmlid": "mail.mail_activity_data_email"});
        let made = call(&mut env, "deal.deal", "activity_schedule", json!([[anns]]), call_type).await;
        let seen = read(&mut env, "mail.activity", Id(made[0].as_i64().unwrap()), &["date_deadline"]).await;
        assert_eq!(seen["date_deadline"], json!(day(0, east).to_string()));
    }

    async fn records_tell_of_their_next_activity_and_are_found_by_it(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let (chairs, tables) = (office.deal(&mut env, "Chairs").await, office.deal(&mut env, "Tables").await);
        let later = schedule(&mut env, chairs, 5).await;
        let what = json!({"act_type_xmlid": "mail.mail_activity_data_call", "date_deadline": day(1, "UTC").to_string(), "user_id": office.bob});
        let sooner = call(&mut env, "deal.deal", "activity_schedule", json!([[chairs]]), what).await[0].clone();
        let fields = ["activity_ids", "activity_user_id", "activity_type_id", "activity_summary", "activity_date_deadline", "my_activity_date_deadline"];
        let seen = read(&mut env, "deal.deal", chairs, &fields).await;
        assert_eq!(seen["activity_ids"], json!([sooner, later]));
        assert_eq!((&seen["activity_user_id"][1], &seen["activity_type_id"][1]), (&json!("Bob"), &json!("Call")));
        assert_eq!(seen["activity_date_deadline"], json!(day(1, "UTC").to_string()));
        assert_eq!(seen["my_activity_date_deadline"], json!(day(5, "UTC").to_string()));
        for (domain, expected) in [
            (json!([["activity_user_id", "=", office.bob]]), json!([chairs])),
            (json!([["activity_user_id", "=", false]]), json!([tables])),
            (json!([["activity_ids.user_id.name", "=", "Bob"]]), json!([chairs])),
            (json!([["activity_ids", "=", false]]), json!([tables])),
            (json!([["activity_type_id.name", "=", "Call"]]), json!([chairs])),
            (json!([["activity_type_id", "ilike", "call"]]), json!([chairs])),
            (json!([["activity_summary", "ilike", "in 5"]]), json!([chairs])),
            (json!([["my_activity_date_deadline", "<=", day(5, "UTC").to_string()]]), json!([chairs])),
            (json!([["my_activity_date_deadline", "<=", day(4, "UTC").to_string()]]), json!([])),
            (json!([["activity_date_deadline", "<=", day(1, "UTC").to_string()]]), json!([chairs])),
        ] {
            assert_eq!(found(&mut env, domain.clone()).await, expected, "{domain}");
        }
    }

    async fn what_is_done_stays_in_the_chatter_with_its_remark_and_files(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let activity = schedule(&mut env, deal, 0).await;
        let done = json!({"feedback": "He agreed\nto <all>"});
        let message = call(&mut env, "mail.activity", "action_feedback", json!([[activity]]), done).await;
        let fields = ["body", "subtype_id", "mail_activity_type_id", "is_internal"];
        let seen = read(&mut env, "mail.message", Id(message.as_i64().unwrap()), &fields).await;
        assert_eq!(seen["body"], json!("<p><b>To-Do done</b>: in 0 (Ann)</p><p>He agreed</p><p>to &lt;all&gt;</p>"));
        assert_eq!((&seen["subtype_id"][1], &seen["mail_activity_type_id"][1]), (&json!("Activities"), &json!("To-Do")));
        assert_eq!(read(&mut env, "deal.deal", deal, &["activity_ids"]).await["activity_ids"], json!([]));
    }

    async fn a_requested_document_closes_its_activity(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let request = json!({"act_type_xmlid": "mail.mail_activity_data_upload_document", "summary": "Signed offer", "user_id": office.bob});
        let asked = call(&mut env, "deal.deal", "activity_schedule", json!([[deal]]), request).await;
        let asked = Id(asked[0].as_i64().unwrap());
        assert_eq!(read(&mut env, "mail.activity", asked, &["activity_category"]).await["activity_category"], json!("upload_file"));
        env.commit().await.unwrap();

        env = office.of(office.bob).await;
        let file = values! { "name" => "signed.pdf", "datas" => b"%PDF-1.4".to_vec(), "res_model" => "deal.deal", "res_id" => deal.0 };
        let file = env.create("ir.attachment", file).await.unwrap();
        call(&mut env, "mail.activity", "action_feedback", json!([[asked]]), json!({"attachment_ids": [file]})).await;
        let chatter = call(&mut env, "deal.deal", "message_fetch", json!([[deal]]), json!({"limit": 1})).await;
        assert_eq!(chatter[0]["attachments"][0]["name"], json!("signed.pdf"));
        assert_eq!(chatter[0]["author"]["name"], json!("Bob"));
        let seen = read(&mut env, "deal.deal", deal, &["activity_ids", "message_attachment_count"]).await;
        assert_eq!((&seen["activity_ids"], &seen["message_attachment_count"]), (&json!([]), &json!(1)));
    }

    async fn canceling_an_activity_leaves_no_note(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let before = read(&mut env, "deal.deal", deal, &["message_ids"]).await;
        let activity = schedule(&mut env, deal, 0).await;
        env.unlink("mail.activity", &[activity]).await.unwrap();
        assert_eq!(read(&mut env, "deal.deal", deal, &["message_ids"]).await, before);
        // All of a type at once, as apps do.
        let two = [schedule(&mut env, deal, 1).await, schedule(&mut env, deal, 2).await];
        let todo = json!([[deal], ["mail.mail_activity_data_todo"]]);
        let moved = json!({"date_deadline": "2031-05-06", "new_user_id": office.bob});
        call(&mut env, "deal.deal", "activity_reschedule", todo.clone(), moved).await;
        let seen = read(&mut env, "mail.activity", two[0], &["date_deadline", "user_id"]).await;
        assert_eq!((&seen["date_deadline"], &seen["user_id"][1]), (&json!("2031-05-06"), &json!("Bob")));
        let of_ann = json!({"user_id": office.ann});
        call(&mut env, "deal.deal", "activity_unlink", todo.clone(), of_ann).await;
        assert_eq!(env.count("mail.activity", &domain!(["res_id", "=", deal.0])).await.unwrap(), 2);
        call(&mut env, "deal.deal", "activity_feedback", todo, json!({"feedback": "all"})).await;
        assert_eq!(env.count("mail.activity", &domain!(["res_id", "=", deal.0])).await.unwrap(), 0);
    }

    async fn who_is_given_something_to_do_follows_and_is_told(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let bob = partner_of(&mut env, office.bob).await;
        let mine = schedule(&mut env, deal, 1).await;
        let what = json!({"act_type_xmlid": "mail.mail_activity_data_call", "user_id": office.bob, "date_deadline": "2030-02-03"});
        call(&mut env, "deal.deal", "activity_schedule", json!([[deal]]), what).await;
        let followers = read(&mut env, "deal.deal", deal, &["message_partner_ids"]).await["message_partner_ids"].clone();
        assert!(followers.as_array().unwrap().contains(&json!(bob)), "{followers}");
        env.write("mail.activity", &[mine], values! { "user_id" => Id(office.bob.0) }).await.unwrap();
        env.commit().await.unwrap();
        let mails = queued(&office.engine).await;
        let told: Vec<(&str, &str)> = mails.iter().map(|(to, subject, _)| (to.as_str(), subject.as_str())).collect();
        let to = "\"Bob\" <bob@office.example>";
        assert_eq!(told, [(to, "Chairs: Call assigned to you"), (to, "Chairs: To-Do assigned to you")]);
        assert!(mails[0].2.contains("due 2030-02-03"), "{mails:?}");
    }

    async fn only_who_may_change_the_record_gives_something_to_do_about_it(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let anns = schedule(&mut env, deal, 1).await;
        let what = json!({"user_id": office.eve});
        let eves = call(&mut env, "deal.deal", "activity_schedule", json!([[deal]]), what).await[0].clone();
        env.commit().await.unwrap();

        env = office.of(office.eve).await;
        let refused = try_call(&mut env, "deal.deal", "activity_schedule", json!([[deal]]), json!({})).await;
        assert!(matches!(refused, Err(Error::AccessDenied { .. })), "{refused:?}");
        env = office.of(office.eve).await;
        let seen = call(&mut env, "mail.activity", "search", json!([[]]), json!({"order": "id"})).await;
        assert_eq!(seen, json!([anns, eves]), "who reads the record sees what is planned");
        // Bob may change the record, yet the activity is neither his nor made by him.
        env = office.of(office.bob).await;
        let refused = env.write("mail.activity", &[anns], values! { "summary" => "mine now" }).await;
        assert!(matches!(refused, Err(Error::AccessDenied { .. })), "{refused:?}");
    }

    async fn nobody_is_given_something_to_do_that_he_may_not_see(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.engine.superuser("test").await.unwrap();
        let portal = env.by_external_id("base.group_portal").await.unwrap().unwrap();
        let outside = values! { "login" => "pia", "name" => "Pia", "groups_id" => vec![portal] };
        let outside = Uid(env.create("res.users", outside).await.unwrap().0);
        env.commit().await.unwrap();
        env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        let refused = try_call(&mut env, "deal.deal", "activity_schedule", json!([[deal]]), json!({"user_id": outside})).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.starts_with("Pia may not read this record"), "{refused}");
    }

    async fn the_clock_in_the_header_counts_ones_own_by_model(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let deal = office.deal(&mut env, "Chairs").await;
        for days in [-3, -1, 0, 4] {
            schedule(&mut env, deal, days).await;
        }
        call(&mut env, "deal.deal", "activity_schedule", json!([[deal]]), json!({"user_id": office.bob})).await;
        call(&mut env, "res.partner", "activity_schedule", json!([[office.customer]]), json!({})).await;
        let menu = call(&mut env, "res.users", "systray_get_activities", json!([]), json!({})).await;
        let model = env.sudo("test").search("ir.model", &domain!(["model", "=", "deal.deal"]), Search::default()).await.unwrap();
        assert_eq!(menu[0], json!({
            "id": model[0], "model": "deal.deal", "name": "Deal", "app": "deal", "type": "activity",
            "total_count": 3, "overdue_count": 2, "today_count": 1, "planned_count": 1,
        }));
        assert_eq!((&menu[1]["model"], &menu[1]["planned_count"]), (&json!("res.partner"), &json!(1)));
        assert_eq!(menu.as_array().unwrap().len(), 2);
    }

    async fn the_activity_view_has_a_cell_for_each_record_and_type(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.of(office.ann).await;
        let (chairs, tables) = (office.deal(&mut env, "Chairs").await, office.deal(&mut env, "Tables").await);
        let late = schedule(&mut env, chairs, -2).await;
        let later = schedule(&mut env, chairs, 7).await;
        let data = call(&mut env, "mail.activity", "get_activity_data", json!(["deal.deal", []]), json!({})).await;
        let todo = env.by_external_id("mail.mail_activity_data_todo").await.unwrap().unwrap();
        assert_eq!(data["activity_res_ids"], json!([chairs, tables]));
        assert_eq!(data["names"][tables.to_string()], json!("Tables"));
        assert_eq!(data["grouped_activities"], json!({ chairs.to_string(): { todo.to_string(): {
            "count": 2, "ids": [late, later], "o_closest_deadline": day(-2, "UTC").to_string(), "state": "overdue",
        }}}));
        let types = data["activity_types"].as_array().unwrap();
        assert!(types.iter().any(|kind| kind["name"] == "To-Do" && kind["id"] == json!(todo)), "{types:?}");
        let one = call(&mut env, "mail.activity", "get_activity_data", json!(["deal.deal", [["name", "=", "Tables"]]]), json!({})).await;
        assert_eq!((&one["activity_res_ids"], &one["grouped_activities"]), (&json!([tables]), &json!({})));
    }

    async fn lists_of_types_are_those_of_the_model_and_those_of_all(db: TestDb) {
        let office = office::open(db).await;
        let mut env = office.engine.superuser("test").await.unwrap();
        env.create("mail.activity.type", values! { "name" => "Only deals", "res_model" => "deal.deal" }).await.unwrap();
        env.create("mail.activity.type", values! { "name" => "Only contacts", "res_model" => "res.partner" }).await.unwrap();
        let french = Context { lang: Some("fr_FR".to_owned()), ..Context::default() };
        env.set_context(french);
        env.commit().await.unwrap();
        env = office.of(office.ann).await;
        let data = call(&mut env, "mail.activity", "get_activity_data", json!(["deal.deal"]), json!({})).await;
        let names: Vec<&str> = data["activity_types"].as_array().unwrap().iter().map(|kind| kind["name"].as_str().unwrap()).collect();
        assert!(names.contains(&"Only deals") && !names.contains(&"Only contacts"), "{names:?}");
        let refused = try_call(&mut env, "mail.activity.type", "create", json!([{"name": "Mine"}]), json!({})).await;
        assert!(matches!(refused, Err(Error::AccessDenied { .. })), "settings are for administrators: {refused:?}");
    }
}
