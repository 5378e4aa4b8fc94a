use erp_engine::{Error, Id, Search, domain, values};

use super::shop::{self, ADMIN, CLERK, GONE};
use crate::on_both;

fn denied<T: std::fmt::Debug>(result: Result<T, Error>, part: &str) {
    match result {
        Err(error @ Error::AccessDenied { .. }) => {
            assert!(error.to_string().starts_with("ben may not "), "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
        other => panic!("not denied: {other:?}"),
    }
}

on_both! {
    async fn nobody_begins_as_a_user_who_is_gone(db: TestDb) {
        let engine = shop::open(db).await;
        for uid in [GONE, erp_engine::Uid(99), erp_engine::Uid(-1)] {
            assert!(matches!(engine.begin(uid).await.err(), Some(Error::NoSuchUser(_))));
        }
    }

    async fn rights_are_asked_for_every_operation(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(CLERK).await.unwrap();
        denied(env.create("shelf", values! { "name" => "A" }).await, "create Shelf (shelf): this needs the group Shop / Administrator");
        denied(env.write("shelf", &[Id(1)], values! { "name" => "A" }).await, "change Shelf");
        denied(env.unlink("item", &[Id(1)]).await, "delete Item");
        denied(env.search("user", &domain!(), Search::default()).await, "read User");
        denied(env.count("event", &domain!()).await, "read Event");
    }

    async fn rules_hide_records_from_search_read_count_and_paths(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let open = shop::shelf(&mut env, "open").await;
        let closed = env.create("shelf", values! { "name" => "closed", "closed" => true }).await.unwrap();
        let tea = env.create("item", values! { "name" => "tea", "shelf" => open, "backup_shelf" => closed }).await.unwrap();
        let jam = env.create("item", values! { "name" => "jam", "shelf" => closed }).await.unwrap();
        env.commit().await.unwrap();

        let mut env = engine.begin(CLERK).await.unwrap();
        assert_eq!(env.search("shelf", &domain!(), Search::default()).await.unwrap(), [open]);
        assert_eq!(env.count("item", &domain!()).await.unwrap(), 1);
        denied(env.read("item", &[tea, jam], &["name"]).await, "outside the rules for this user (items on open shelves)");
        let path = domain!(["backup_shelf.name", "=", "closed"]);
        assert_eq!(env.count("item", &path).await.unwrap(), 0, "a path does not lead behind a rule");
        let read = env.read("item", &[tea], &["backup_shelf.name"]).await.unwrap();
        assert!(read[0].value("backup_shelf.name").is_null());
    }

    async fn rules_hold_for_what_is_written_and_what_it_becomes(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let open = shop::shelf(&mut env, "open").await;
        let closed = env.create("shelf", values! { "name" => "closed", "closed" => true }).await.unwrap();
        let tea = env.create("item", values! { "name" => "tea", "shelf" => open }).await.unwrap();
        let jam = env.create("item", values! { "name" => "jam", "shelf" => closed }).await.unwrap();
        let label = env.create("label", values! { "text" => "ada's", "item" => tea }).await.unwrap();
        env.commit().await.unwrap();

        denied(engine.begin(CLERK).await.unwrap().write("item", &[jam], values! { "stock" => 1 }).await, "outside the rules");
        denied(engine.begin(CLERK).await.unwrap().write("item", &[tea], values! { "shelf" => closed }).await, "the result would be outside");
        denied(engine.begin(CLERK).await.unwrap().create("item", values! { "name" => "x", "shelf" => closed }).await, "the result would be outside");
        denied(engine.begin(CLERK).await.unwrap().unlink("label", &[label]).await, "outside the rules for this user (own labels)");
        let mut env = engine.begin(CLERK).await.unwrap();
        let own = env.create("label", values! { "text" => "ben's", "item" => tea }).await.unwrap();
        let written = env.write_where("label", &domain!(), values! { "text" => "new" }).await.unwrap();
        assert_eq!(written, [own], "a change of everything changes what the user may change");
        env.unlink("label", &[own]).await.unwrap();
    }

    async fn a_field_for_others_is_neither_read_nor_guessed(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let shelf = env.create("shelf", values! { "name" => "A", "alarm_code" => "1234" }).await.unwrap();
        env.create("item", values! { "name" => "tea", "shelf" => shelf }).await.unwrap();
        assert!(env.write("user", &[Id(1)], values! { "password" => "x" }).await.is_err(), "not even an administrator");
        env.commit().await.unwrap();

        let mut env = engine.begin(CLERK).await.unwrap();
        denied(env.read("shelf", &[shelf], &["alarm_code"]).await, "field alarm_code needs the group Shop / Administrator");
        denied(env.count("shelf", &domain!(["alarm_code", "=like", "1%"])).await, "field alarm_code");
        denied(env.count("item", &domain!(["shelf.alarm_code", "=like", "1%"])).await, "field alarm_code");
        denied(env.search("shelf", &domain!(), Search::order("alarm_code")).await, "field alarm_code");
        denied(env.search("item", &domain!(), Search::order("shelf.alarm_code")).await, "field alarm_code");
        let all = env.read("shelf", &[shelf], &[]).await.unwrap();
        assert!(all[0].iter().all(|(name, _)| name != "alarm_code"));
    }
}
