use erp_engine::{Domain, Error, Id, Search, Value, domain, values};
use rust_decimal::Decimal;
use serde_json::json;

use super::shop::{self, ADMIN};
use crate::on_both;

on_both! {
    async fn every_kind_of_value_comes_back_as_it_went_in(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let shelf = shop::shelf(&mut env, "A").await;
        let given = values! {
            "name" => "Tea", "code" => "Ünï\u{1F375}", "note" => "two\nlines", "stock" => i64::MIN, "weight" => 0.1,
            "price" => Decimal::new(-1234, 2), "fresh" => true, "best_before" => jiff::civil::date(2027, 2, 28),
            "counted_at" => "2026-11-21T08:30:00.123456Z".parse::<jiff::Timestamp>().unwrap(), "state" => "sold",
            "extra" => json!({"a": [1, null, "\u{0}"], "b": {"c": 1.5}}), "picture" => vec![0u8, 255, 0], "shelf" => shelf,
        };
        let id = env.create("item", given.clone()).await.unwrap();
        let names: Vec<&str> = given.iter().map(|(name, _)| name).collect();
        let read = env.read("item", &[id], &names).await.unwrap();
        for (name, value) in given.iter() {
            assert_eq!(read[0].value(name), value, "{name}");
        }
        env.commit().await.unwrap();
        let mut env = engine.begin(ADMIN).await.unwrap();
        assert_eq!(env.read("item", &[id], &names).await.unwrap(), read, "and the same after the commit");
    }

    async fn empty_values_come_back_empty(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let id = env.create("item", values! { "name" => "Tea", "price" => Value::Null }).await.unwrap();
        let read = env.read("item", &[id], &[]).await.unwrap();
        let empty: Vec<&str> = read[0].iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name).collect();
        let expected = ["code", "note", "stock", "weight", "price", "best_before", "counted_at", "extra", "picture", "shelf", "backup_shelf"];
        assert_eq!(empty, expected);
        assert_eq!(*read[0].value("fresh"), Value::Bool(false), "a boolean is never empty");
    }

    async fn search_orders_limits_and_pages(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let (a, b) = (shop::shelf(&mut env, "A").await, shop::shelf(&mut env, "B").await);
        let rows = [("tea", Some(b), Some(3)), ("jam", Some(a), None), ("oil", None, Some(1)), ("ham", Some(a), Some(2))];
        let rows = rows.map(|(name, shelf, stock)| values! { "name" => name, "shelf" => shelf, "stock" => stock });
        env.create_many("item", rows.to_vec()).await.unwrap();
        let mut names = async |search: Search| -> Vec<String> {
            let found = env.search_read("item", &Domain::all(), &["name"], search).await.unwrap();
            found.iter().map(|record| record.get_str("name").to_owned()).collect()
        };
        assert_eq!(names(Search::default()).await, ["tea", "oil", "jam", "ham"], "the model's own order");
        assert_eq!(names(Search::order("stock")).await, ["oil", "ham", "tea", "jam"], "empty ones last");
        assert_eq!(names(Search::order("stock DESC")).await, ["jam", "tea", "ham", "oil"]);
        assert_eq!(names(Search::order("shelf.name, name")).await, ["ham", "jam", "tea", "oil"]);
        assert_eq!(names(Search::order("name").limit(2).offset(1)).await, ["jam", "oil"]);
        assert_eq!(names(Search::order("name").offset(3)).await, ["tea"]);
        assert_eq!(names(Search::default().limit(0)).await, [""; 0]);
    }

    async fn relations_are_read_through_both_ways(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let (a, b) = (shop::shelf(&mut env, "A").await, shop::shelf(&mut env, "B").await);
        let tea = env.create("item", values! { "name" => "tea", "shelf" => a }).await.unwrap();
        let jam = env.create("item", values! { "name" => "jam", "shelf" => a }).await.unwrap();
        let shelves = env.read("shelf", &[b, a], &["items"]).await.unwrap();
        assert_eq!(shelves[0].get::<Vec<Id>>("items").unwrap(), []);
        assert_eq!(shelves[1].get::<Vec<Id>>("items").unwrap(), [tea, jam], "in the items' own order");
        let items = env.read("item", &[jam], &["shelf", "shelf.name"]).await.unwrap();
        assert_eq!((items[0].get::<Id>("shelf").unwrap(), items[0].get_str("shelf.name")), (a, "A"));

        let with = domain!(["items", "!=", false]);
        assert_eq!(env.search("shelf", &with, Search::default()).await.unwrap(), [a]);
        let without = domain!(["items", "=", false]);
        assert_eq!(env.search("shelf", &without, Search::default()).await.unwrap(), [b]);
        let of_tea = domain!(["items", "in", [tea]]);
        assert_eq!(env.search("shelf", &of_tea, Search::default()).await.unwrap(), [a]);
        let by_name = domain!(["items.name", "=", "jam"]);
        assert_eq!(env.search("shelf", &by_name, Search::default()).await.unwrap(), [a]);
    }

    async fn reading_a_record_that_is_gone_says_so(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let error = env.read("item", &[Id(77)], &["name"]).await.unwrap_err();
        assert_eq!(error.to_string(), "item: record 77 does not exist; it may have been deleted, reload the page");
    }

    async fn more_ids_than_one_statement_takes_are_read_in_their_order(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let rows = (0..12_000).map(|n| values! { "name" => format!("n{n}"), "stock" => n }).collect();
        let mut ids = env.create_many("item", rows).await.unwrap();
        ids.reverse();
        let read = env.read("item", &ids, &["stock"]).await.unwrap();
        assert_eq!(read[0].get::<i64>("stock").unwrap(), 11_999);
        assert_eq!(read.iter().map(|record| record.id).collect::<Vec<_>>(), ids);
        env.write("item", &ids, values! { "fresh" => true }).await.unwrap();
        assert_eq!(env.count("item", &domain!(["fresh", "=", true])).await.unwrap(), 12_000);
    }

    async fn a_hostile_domain_or_order_is_refused_and_does_nothing(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        env.create("item", values! { "name" => "tea", "note" => "'; DROP TABLE \"item\"; --" }).await.unwrap();
        let evil = "name\" = '' OR 1=1 --";
        let refused = [
            env.search("item", &Domain::leaf(evil, erp_engine::Op::Eq, "x"), Search::default()).await,
            env.search("item", &Domain::all(), Search::order(evil)).await,
            env.search("item\"; DROP TABLE item; --", &Domain::all(), Search::default()).await,
            env.search("item", &domain!(["shelf.items.shelf.items.shelf.items.shelf.items.shelf.name", "=", "x"]), Search::default()).await,
            env.search("item", &domain!(["name", "ilike", "%a".repeat(30)]), Search::default()).await,
            env.search("item", &domain!(["stock", "=", "x"]), Search::default()).await,
            env.search("item", &domain!("|", ["stock", "=", 1]), Search::default()).await,
        ];
        for result in refused {
            assert!(matches!(result, Err(Error::NoSuchField { .. } | Error::NoSuchModel(_) | Error::Domain { .. } | Error::Order { .. })), "{result:?}");
        }
        let found = domain!(["note", "=", "'; DROP TABLE \"item\"; --"]);
        assert_eq!(env.count("item", &found).await.unwrap(), 1);
        let long: Vec<i64> = (0..9_000).collect();
        assert_eq!(env.count("item", &domain!(["stock", "in", long])).await.unwrap(), 0);
        let many = (0..480).fold(Domain::False, |all, n| all.or(domain!(["stock", "=", n], ["name", "=", "x"])));
        assert!(env.count("item", &many).await.is_err(), "960 conditions are too many");
        let many = (0..480).fold(Domain::False, |all, n| all.or(domain!(["stock", "=", n])));
        assert_eq!(env.count("item", &many).await.unwrap(), 0);
    }

    async fn patterns_know_wildcards_and_letter_case_alike(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        for name in ["Oat 50%", "oat_drink", "OAT [x]*?", "back\\slash"] {
            env.create("item", values! { "name" => name }).await.unwrap();
        }
        let mut count = async |domain: Domain| env.count("item", &domain).await.unwrap();
        assert_eq!(count(domain!(["name", "like", "oat"])).await, 1);
        assert_eq!(count(domain!(["name", "ilike", "oat"])).await, 3);
        assert_eq!(count(domain!(["name", "not ilike", "oat"])).await, 1);
        assert_eq!(count(domain!(["name", "like", "\\%"])).await, 1);
        assert_eq!(count(domain!(["name", "=like", "oat\\_%"])).await, 1);
        assert_eq!(count(domain!(["name", "=like", "___ [x]*_"])).await, 1);
        assert_eq!(count(domain!(["name", "=ilike", "OAT%"])).await, 3);
        assert_eq!(count(domain!(["name", "like", "\\"])).await, 1, "a lone backslash is itself");
    }
}
