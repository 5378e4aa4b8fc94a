//! What stands beside the row: texts in several languages, values of one company, numbers of documents.

use erp_engine::{
    Context, Engine, Env, Id, Search, Value,
    declare::{App, Field, Model},
    domain, values,
};
use rust_decimal::Decimal;
use serde_json::json;

use crate::{on_both, support::TestDb};

fn app() -> App {
    App::new("goods", "Goods")
        .model(
            Model::new("good", "Good")
                .order("name")
                .field(Field::char("name").required().translate())
                .field(Field::text("note").translate())
                .field(Field::decimal("cost", 10, 2).company_dependent())
                .field(Field::boolean("sold").company_dependent())
                .field(Field::datetime("since").company_dependent())
                .field(Field::date("until").company_dependent())
                .field(Field::char("code").company_dependent().default("none"))
                .field(Field::many2one("maker", "maker").company_dependent()),
        )
        .model(Model::new("maker", "Maker").field(Field::char("name").translate()))
}

async fn open(db: &TestDb) -> (Engine, Env) {
    let engine = db.open(&[app()]).await;
    let env = engine.superuser("test").await.unwrap();
    (engine, env)
}

fn context(json: serde_json::Value) -> Context {
    let serde_json::Value::Object(map) = json else { panic!("no object") };
    Context::from_json(map)
}

fn speak(env: &mut Env, lang: &str) {
    env.set_context(context(json!({ "lang": lang })));
}

async fn names(env: &mut Env) -> Vec<String> {
    let found = env.search_read("good", &domain!(), &["name"], Search::default()).await.unwrap();
    found.iter().map(|record| record.get_str("name").to_owned()).collect()
}

on_both! {
    async fn a_text_is_read_searched_and_ordered_in_the_language_asked_for(db: TestDb) {
        let (_engine, mut env) = open(db).await;
        let apple = env.create("good", values! { "name" => "Apple", "note" => "red" }).await.unwrap();
        let pear = env.create("good", values! { "name" => "Pear" }).await.unwrap();
        speak(&mut env, "fr_FR");
        env.write("good", &[apple], values! { "name" => "Pomme" }).await.unwrap();
        env.write("good", &[pear], values! { "name" => "Poire" }).await.unwrap();
        assert_eq!(names(&mut env).await, ["Poire", "Pomme"]);
        assert_eq!(env.search("good", &domain!(["name", "ilike", "pom"]), Search::default()).await.unwrap(), [apple]);
        assert_eq!(env.count("good", &domain!(["name", "=", "Apple"])).await.unwrap(), 0);
        assert_eq!(env.read("good", &[apple], &["note"]).await.unwrap()[0].get_str("note"), "red", "the source where nothing is translated");
        speak(&mut env, "de_DE");
        assert_eq!(names(&mut env).await, ["Apple", "Pear"]);
        speak(&mut env, "en_US");
        env.write("good", &[apple], values! { "name" => "Green apple" }).await.unwrap();
        assert_eq!(names(&mut env).await, ["Green apple", "Pear"]);
        speak(&mut env, "fr_FR");
        assert_eq!(names(&mut env).await, ["Poire", "Pomme"], "a new source keeps its translations");
        env.write("good", &[apple], values! { "note" => "rouge" }).await.unwrap();
        env.write("good", &[apple], values! { "note" => Value::Null }).await.unwrap();
        speak(&mut env, "en_US");
        assert!(env.read("good", &[apple], &["note"]).await.unwrap()[0].value("note").is_null(), "emptied everywhere");
    }

    async fn a_record_made_in_another_language_has_a_source_text_too(db: TestDb) {
        let (_engine, mut env) = open(db).await;
        speak(&mut env, "fr_FR");
        let made = env.create_many("good", vec![values! { "name" => "Pomme" }, values! { "name" => "Poire" }]).await.unwrap();
        speak(&mut env, "en_US");
        assert_eq!(names(&mut env).await, ["Poire", "Pomme"]);
        env.write("good", &made[..1], values! { "name" => "Apple" }).await.unwrap();
        speak(&mut env, "fr_FR");
        assert_eq!(names(&mut env).await, ["Poire", "Pomme"]);
        env.unlink("good", &made).await.unwrap();
        assert_eq!(env.count("ir.translation", &domain!()).await.unwrap(), 0, "translations go with the record");
    }

    async fn a_path_leads_to_the_text_in_the_language_asked_for(db: TestDb) {
        let (_engine, mut env) = open(db).await;
        let maker = env.create("maker", values! { "name" => "Smith" }).await.unwrap();
        let good = env.create("good", values! { "name" => "Saw", "maker" => maker }).await.unwrap();
        speak(&mut env, "fr_FR");
        env.write("maker", &[maker], values! { "name" => "Forgeron" }).await.unwrap();
        assert_eq!(env.read("good", &[good], &["maker.name"]).await.unwrap()[0].get_str("maker.name"), "Forgeron");
        assert_eq!(env.count("good", &domain!(["maker.name", "=", "Forgeron"])).await.unwrap(), 1);
    }

    async fn each_company_has_its_own_value(db: TestDb) {
        let (_engine, mut env) = open(db).await;
        let maker = env.create("maker", values! { "name" => "Smith" }).await.unwrap();
        let (first, second) = (context(json!({"allowed_company_ids": [1]})), context(json!({"allowed_company_ids": [2, 1]})));
        env.set_context(first.clone());
        let given = values! {
            "cost" => "12.50", "sold" => true, "since" => "2026-01-01 10:00:00", "until" => "2026-05-04", "code" => "A", "maker" => maker,
        };
        let good = env.create("good", given.clone().with("name", "Saw")).await.unwrap();
        let fields = ["cost", "sold", "since", "until", "code", "maker"];
        let own = env.read("good", &[good], &fields).await.unwrap().remove(0);
        assert_eq!(*own.value("cost"), Value::Decimal(Decimal::new(1250, 2)));
        assert_eq!((own.value("sold"), own.value("maker"), own.get_str("code")), (&Value::Bool(true), &Value::Id(maker), "A"));
        assert_eq!(own.get::<jiff::civil::Date>("until").unwrap(), jiff::civil::date(2026, 5, 4));
        assert_eq!(own.get::<jiff::Timestamp>("since").unwrap().to_string(), "2026-01-01T10:00:00Z");
        assert_eq!(env.count("good", &domain!(["cost", ">", 12], ["sold", "=", true], ["maker.name", "=", "Smith"])).await.unwrap(), 1);

        env.set_context(second);
        let other = env.read("good", &[good], &fields).await.unwrap().remove(0);
        assert!(["cost", "since", "until", "maker"].iter().all(|name| other.value(name).is_null()), "{other:?}");
        assert_eq!((other.value("sold"), other.get_str("code")), (&Value::Bool(false), "none"), "the default is everybody's");
        env.write("good", &[good], values! { "cost" => 3, "code" => "B" }).await.unwrap();
        assert_eq!(env.count("good", &domain!(["cost", "=", 3])).await.unwrap(), 1);
        env.set_context(first);
        assert_eq!(env.read("good", &[good], &["code"]).await.unwrap()[0].get_str("code"), "A");
        env.set_context(Context::default());
        env.write("good", &[good], values! { "cost" => 7 }).await.unwrap();
        env.set_context(context(json!({"allowed_company_ids": [3]})));
        assert_eq!(env.count("good", &domain!(["cost", "=", 7])).await.unwrap(), 1, "what is said for no company holds for those that say nothing");
    }

    async fn numbers_follow_each_other_with_their_dates(db: TestDb) {
        let (_engine, mut env) = open(db).await;
        let new = values! { "name" => "Orders", "code" => "order", "prefix" => "SO/%(year)s/%(range_month)s/", "suffix" => "-%(y)s", "padding" => 4, "number_increment" => 5 };
        let id = env.create("ir.sequence", new).await.unwrap();
        let own = values! { "name" => "Ours", "code" => "order", "company" => 2, "use_date_range" => true, "prefix" => "%(range_year)s-" };
        env.create("ir.sequence", own).await.unwrap();
        env.set_context(context(json!({"ir_sequence_date": "2031-02-03"})));
        assert_eq!(env.next_by_code("order").await.unwrap().unwrap(), "SO/2031/02/0001-31");
        assert_eq!(env.next_by_id(id).await.unwrap(), "SO/2031/02/0006-31");
        assert_eq!(env.next_by_code("nothing").await.unwrap(), None);
        for (date, expected) in [("2030-12-31", "2030-1"), ("2031-01-01", "2031-1"), ("2030-01-01", "2030-2")] {
            env.set_context(context(json!({"ir_sequence_date": date, "allowed_company_ids": [2]})));
            assert_eq!(env.next_by_code("order").await.unwrap().unwrap(), expected);
        }
        env.write("ir.sequence", &[id], values! { "prefix" => "%(shoe)s" }).await.unwrap();
        let error = env.next_by_id(id).await.unwrap_err().to_string();
        assert!(error.contains("names no part of a date"), "{error}");
    }

    async fn numbers_are_taken_once_and_leave_no_gap(db: TestDb) {
        let (engine, mut env) = open(db).await;
        env.create("ir.sequence", values! { "name" => "Orders", "code" => "order" }).await.unwrap();
        env.commit().await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..20 {
            let engine = engine.clone();
            tasks.spawn(async move {
                let mut env = engine.superuser("test").await.unwrap();
                let number: i64 = env.next_by_code("order").await.unwrap().unwrap().parse().unwrap();
                if task % 4 == 0 {
                    return None;
                }
                env.commit().await.unwrap();
                Some(number)
            });
        }
        let mut numbers: Vec<i64> = tasks.join_all().await.into_iter().flatten().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=15).collect::<Vec<_>>(), "those of dropped transactions are given again");
        let mut env = engine.superuser("test").await.unwrap();
        let id = env.search("ir.sequence", &domain!(), Search::default()).await.unwrap();
        assert_eq!(env.next_by_id(id[0]).await.unwrap(), "16");
        assert_eq!(env.next_by_id(Id(99)).await.unwrap_err().to_string(), "ir.sequence: record 99 does not exist; it may have been deleted, reload the page");
    }
}
