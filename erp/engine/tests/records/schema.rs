use erp_engine::{
    Search, Value,
    declare::{App, DataRow, Field, Model},
    domain, values,
};

use super::shop::{self, ADMIN};
use crate::on_both;

on_both! {
    async fn an_app_that_grows_adds_columns_tables_and_indexes_and_keeps_the_records(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let shelf = shop::shelf(&mut env, "A").await;
        env.commit().await.unwrap();
        engine.close().await;

        let more = App::new("more", "More")
            .depends(&["shop"])
            .model(Model::new("aisle", "Aisle").field(Field::char("name").required()))
            .model(
                Model::extend("shelf")
                    .field(Field::integer("height").required().default(180))
                    .field(Field::boolean("lit"))
                    .field(Field::char("tag").unique())
                    .field(Field::many2one("aisle", "aisle")),
            )
            .data(DataRow::new("first", "aisle").set("name", "First"))
            .data(DataRow::new("back", "shelf").set("name", "Back").set_ref("aisle", "first"));
        let apps = [more, shop::app()];
        let engine = db.open(&apps).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let old = env.read("shelf", &[shelf], &["name", "height", "lit", "aisle"]).await.unwrap();
        assert_eq!(old[0].get_str("name"), "A");
        assert_eq!(*old[0].value("lit"), Value::Bool(false));
        assert_eq!(env.count("shelf", &domain!(["aisle.name", "=", "First"])).await.unwrap(), 1);
        env.write("shelf", &[shelf], values! { "tag" => "x" }).await.unwrap();
        assert!(env.create("shelf", values! { "name" => "B", "tag" => "x" }).await.is_err(), "the new index is there");
        drop(env);
        engine.close().await;

        let engine = db.open(&apps).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let backs = env.search("shelf", &domain!(["name", "=", "Back"]), Search::default()).await.unwrap();
        assert_eq!(backs.len(), 1, "data rows are made once");
        assert_eq!(env.by_external_id("more.back").await.unwrap(), Some(backs[0]));
        assert_eq!(env.by_external_id("more.nothing").await.unwrap(), None);
    }

    async fn two_processes_may_open_an_empty_database_at_once(db: TestDb) {
        let (first, second) = (db.connect().await, db.connect().await);
        let apps = [shop::app()];
        let (a, b) = tokio::join!(erp_engine::Engine::open(first, &apps), erp_engine::Engine::open(second, &apps));
        let mut env = a.unwrap().begin(ADMIN).await.unwrap();
        b.unwrap().begin(ADMIN).await.unwrap();
        assert_eq!(env.count("user", &domain!(["active", "in", [true, false]])).await.unwrap(), 3);
    }
}
