//! Models and fields that people make while everything runs.

use erp_engine::{Engine, Env, Error, Id, Search, Value, Values, domain, values};

use super::shop::{self, ADMIN};
use crate::on_both;

async fn model_id(env: &mut Env, model: &str) -> Id {
    env.search("ir.model", &domain!(["model", "=", model]), Search::default()).await.unwrap()[0]
}

async fn field(env: &mut Env, model: &str, name: &str, ttype: &str, more: Values) -> Result<Id, Error> {
    let model_id = model_id(env, model).await;
    let mut values = values! { "model_id" => model_id, "name" => name, "ttype" => ttype, "field_description" => "Own" };
    for (name, value) in more.iter() {
        values.set(name.to_owned(), value.clone());
    }
    env.create("ir.model.fields", values).await
}

async fn with_field(engine: &Engine, model: &str, name: &str, ttype: &str, more: Values) -> Result<Id, Error> {
    let mut env = engine.begin(ADMIN).await.unwrap();
    let id = field(&mut env, model, name, ttype, more).await?;
    env.commit().await?;
    Ok(id)
}

on_both! {
    async fn a_field_is_there_for_the_next_transaction_and_goes_with_its_row(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let shelf = shop::shelf(&mut env, "A").await;
        env.commit().await.unwrap();

        let color = with_field(&engine, "shelf", "x_color", "char", values! { "index" => true }).await.unwrap();
        let mut env = engine.begin(ADMIN).await.unwrap();
        env.write("shelf", &[shelf], values! { "x_color" => "red" }).await.unwrap();
        assert_eq!(env.count("shelf", &domain!(["x_color", "=", "red"])).await.unwrap(), 1);
        let row = &env.read("ir.model.fields", &[color], &["model", "state"]).await.unwrap()[0];
        assert_eq!((row.get_str("model"), row.get_str("state")), ("shelf", "manual"));
        env.commit().await.unwrap();

        let mut env = engine.begin(ADMIN).await.unwrap();
        env.write("ir.model.fields", &[color], values! { "name" => "x_paint", "field_description" => "Paint" }).await.unwrap();
        env.commit().await.unwrap();
        let mut env = engine.begin(ADMIN).await.unwrap();
        let renamed = env.read("shelf", &[shelf], &["x_paint"]).await.unwrap();
        assert_eq!(renamed[0].get_str("x_paint"), "red", "a new technical name keeps the values");
        assert_eq!(env.registry().model("shelf").unwrap().field("x_paint").unwrap().label, "Paint");
        env.unlink("ir.model.fields", &[color]).await.unwrap();
        env.commit().await.unwrap();
        let mut env = engine.begin(ADMIN).await.unwrap();
        let gone = env.read("shelf", &[shelf], &["x_paint"]).await.unwrap_err();
        assert!(matches!(gone, Error::NoSuchField { .. }), "{gone}");
        drop(env);

        let again = with_field(&engine, "shelf", "x_paint", "integer", values! {}).await.unwrap();
        let mut env = engine.begin(ADMIN).await.unwrap();
        env.write("shelf", &[shelf], values! { "x_paint" => 7 }).await.unwrap();
        assert_eq!(*env.read("shelf", &[shelf], &["x_paint"]).await.unwrap()[0].value("x_paint"), Value::Int(7));
        assert_ne!(again, color);
    }

    async fn a_model_with_relations_works_without_a_restart_and_after_one(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let plan = env.create("ir.model", values! { "name" => "Plan", "model" => "x_plan", "order" => "x_name desc" }).await.unwrap();
        for (name, ttype, more) in [
            ("x_name", "char", values! { "required" => true }),
            ("x_shelf_id", "many2one", values! { "relation" => "shelf", "on_delete" => "cascade" }),
            ("x_state", "selection", values! { "default_value" => "new" }),
            ("x_weight", "float", values! { "digits" => 3 }),
        ] {
            let mut row = values! { "model_id" => plan, "name" => name, "ttype" => ttype, "field_description" => name };
            for (name, value) in more.iter() {
                row.set(name.to_owned(), value.clone());
            }
            let id = env.create("ir.model.fields", row).await.unwrap();
            if ttype == "selection" {
                for value in ["new", "done"] {
                    let option = values! { "field_id" => id, "value" => value, "name" => value.to_uppercase() };
                    env.create("ir.model.fields.selection", option).await.unwrap();
                }
            }
        }
        let shelf_model = model_id(&mut env, "shelf").await;
        let list = values! {
            "model_id" => shelf_model, "name" => "x_plans", "ttype" => "one2many", "relation" => "x_plan", "relation_field" => "x_shelf_id",
        };
        env.create("ir.model.fields", list).await.unwrap();
        env.refresh_metadata().await.unwrap();
        let shelf = shop::shelf(&mut env, "A").await;
        let made = env.create("x_plan", values! { "x_name" => "Spring", "x_shelf_id" => shelf, "x_weight" => 1.5 }).await.unwrap();
        env.commit().await.unwrap();
        engine.close().await;

        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let read = env.read("shelf", &[shelf], &["x_plans"]).await.unwrap();
        assert_eq!(*read[0].value("x_plans"), Value::Ids(vec![made]));
        let plan_row = &env.read("x_plan", &[made], &["x_state", "x_weight", "x_shelf_id.name"]).await.unwrap()[0];
        assert_eq!((plan_row.get_str("x_state"), plan_row.get_str("x_shelf_id.name")), ("new", "A"));
        env.unlink("ir.model", &[plan]).await.unwrap();
        let refused = env.commit().await.unwrap_err().to_string();
        assert!(refused.contains("model shelf: field x_plans: lists model x_plan"), "{refused}");
        let mut env = engine.begin(ADMIN).await.unwrap();
        let list = env.search("ir.model.fields", &domain!(["name", "=", "x_plans"]), Search::default()).await.unwrap();
        env.unlink("ir.model.fields", &list).await.unwrap();
        env.unlink("ir.model", &[plan]).await.unwrap();
        env.commit().await.unwrap();
        let mut env = engine.begin(ADMIN).await.unwrap();
        assert!(matches!(env.count("x_plan", &domain!()).await, Err(Error::NoSuchModel(_))));
    }

    async fn what_does_not_fit_is_refused_with_its_name_and_nothing_stays(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let shelf = shop::shelf(&mut env, "A").await;
        env.commit().await.unwrap();
        let before = engine.registry().version;
        for (name, ttype, more, told) in [
            ("color", "char", values! {}, "field color: the technical name of a custom field begins with x_"),
            ("x_a", "many2one", values! { "relation" => "nothing" }, "field x_a: refers to model nothing"),
            ("x_a", "many2one", values! {}, "field x_a: it needs the model"),
            ("x_a", "selection", values! {}, "field x_a: a selection needs options"),
            ("x_a", "char", values! { "required" => true }, "x_a: it cannot be required: 1 record(s) have no value"),
            ("x_a", "integer", values! { "default_value" => "many" }, "the default \"many\" is no value"),
        ] {
            let refused = with_field(&engine, "shelf", name, ttype, more).await;
            let refused = refused.expect_err(told).to_string();
            assert!(refused.contains(told), "{refused}");
        }
        assert_eq!(engine.registry().version, before, "the running registry stays");
        with_field(&engine, "shelf", "x_a", "integer", values! { "required" => true, "default_value" => "3" }).await.unwrap();
        let mut env = engine.begin(ADMIN).await.unwrap();
        assert_eq!(*env.read("shelf", &[shelf], &["x_a"]).await.unwrap()[0].value("x_a"), Value::Int(3));
        let own = env.search("ir.model.fields", &domain!(["model", "=", "shelf"], ["name", "=", "x_a"]), Search::default()).await.unwrap();
        env.write("ir.model.fields", &own, values! { "ttype" => "date", "default_value" => Value::Null }).await.unwrap();
        let refused = env.commit().await.unwrap_err().to_string();
        assert!(refused.contains("field x_a: its type"), "{refused}");

        let mut env = engine.begin(ADMIN).await.unwrap();
        let base = env.search("ir.model.fields", &domain!(["model", "=", "shelf"], ["name", "=", "name"]), Search::default()).await.unwrap();
        env.write("ir.model.fields", &base, values! { "required" => false }).await.unwrap();
        let refused = env.commit().await.unwrap_err().to_string();
        assert!(refused.contains("field name of shelf (required) is declared by an app"), "{refused}");
    }

    async fn a_field_comes_while_a_long_transaction_is_open(db: TestDb) {
        let engine = shop::open(db).await;
        let mut long = engine.begin(ADMIN).await.unwrap();
        assert_eq!(long.count("item", &domain!()).await.unwrap(), 0);
        with_field(&engine, "shelf", "x_color", "char", values! {}).await.unwrap();
        // It began before: it goes on with the models as they were.
        assert!(long.registry().model("shelf").unwrap().field("x_color").is_err());
        let shelf = shop::shelf(&mut long, "A").await;
        long.commit().await.unwrap();
        let mut env = engine.begin(ADMIN).await.unwrap();
        env.write("shelf", &[shelf], values! { "x_color" => "red" }).await.unwrap();
        env.commit().await.unwrap();

        let mut late = engine.begin(ADMIN).await.unwrap();
        late.count("user", &domain!()).await.unwrap();
        let mut env = engine.begin(ADMIN).await.unwrap();
        let rows = env.search("ir.model.fields", &domain!(["name", "=", "x_color"]), Search::default()).await.unwrap();
        env.unlink("ir.model.fields", &rows).await.unwrap();
        env.commit().await.unwrap();
        let outdated = late.write("shelf", &[shelf], values! { "x_color" => "blue" }).await.unwrap_err();
        assert!(matches!(outdated, Error::Outdated) && outdated.is_retryable(), "{outdated}");
    }

    async fn people_who_make_fields_at_once_all_get_them(db: TestDb) {
        let engine = shop::open(db).await;
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..6 {
            let engine = engine.clone();
            tasks.spawn(async move {
                with_field(&engine, "shelf", &format!("x_f{task}"), "integer", values! {}).await.unwrap();
            });
        }
        tasks.join_all().await;
        let registry = engine.registry();
        let shelf = registry.model("shelf").unwrap();
        assert!((0..6).all(|task| shelf.field(&format!("x_f{task}")).is_ok()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_hears_of_a_new_field() {
    let Some(db) = crate::support::TestDb::postgres().await else { return };
    let (here, there) = (shop::open(&db).await, shop::open(&db).await);
    with_field(&here, "shelf", "x_color", "char", values! {}).await.unwrap();
    let known = async {
        while there.registry().model("shelf").unwrap().field("x_color").is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), known).await.unwrap();
    here.close().await;
    there.close().await;
    db.drop_schema().await;
}
