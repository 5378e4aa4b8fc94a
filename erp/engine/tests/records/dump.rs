use erp_engine::{Engine, Load, Search, domain, values};

use super::shop::{self, ADMIN};
use crate::{on_both, support::TestDb};

type Picture = Vec<(String, Vec<String>, i64, Vec<Vec<serde_json::Value>>)>;

async fn picture(engine: &Engine) -> Picture {
    let mut dump = engine.dump().await.unwrap();
    let mut picture = Vec::new();
    for table in dump.tables() {
        let highest = dump.highest(&table).await.unwrap();
        let (mut rows, mut after) = (Vec::new(), Vec::new());
        loop {
            let piece = dump.rows(&table, &mut after).await.unwrap();
            if piece.is_empty() {
                break;
            }
            rows.extend(piece);
        }
        picture.push((table.name, table.columns.into_iter().map(|column| column.name).collect(), highest, rows));
    }
    picture
}

async fn load(picture: &Picture, target: &TestDb) -> Engine {
    let mut load = Load::begin(target.connect().await, &[shop::app()]).await.unwrap();
    let first: Vec<bool> = picture.iter().map(|(name, ..)| load.has(name)).collect();
    for turn in [true, false] {
        for ((name, columns, highest, rows), first) in picture.iter().zip(&first) {
            if *first || !turn {
                load.rows(name, columns, rows.clone()).await.unwrap();
                load.numbered_to(name, *highest).await.unwrap();
            }
        }
        if turn {
            load.resolve().await.unwrap();
        }
    }
    load.finish().await.unwrap();
    target.open(&[shop::app()]).await
}

on_both! {
    async fn what_was_dumped_is_loaded_into_either_database(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let shelf = shop::shelf(&mut env, "dry goods").await;
        let tea = env.create("item", values! { "name" => "té \u{1f375}", "shelf" => shelf }).await.unwrap();
        let gone = env.create("item", values! { "name" => "gone", "shelf" => shelf }).await.unwrap();
        env.create("event", values! { "shelf" => shelf, "epoch" => "e", "seq" => 1, "data" => serde_json::json!({ "a": [null, 1.5] }), "at" => env.now() })
            .await
            .unwrap();
        env.unlink("item", &[gone]).await.unwrap();
        env.commit().await.unwrap();
        let before = picture(&engine).await;
        assert!(before.iter().any(|(name, _, _, rows)| name == "item" && rows.len() == 1));

        for target in [Some(TestDb::sqlite()), TestDb::postgres().await].into_iter().flatten() {
            let loaded = load(&before, &target).await;
            let after = picture(&loaded).await;
            for (before, after) in before.iter().zip(&after) {
                assert_eq!(before, after);
            }
            let mut env = loaded.begin(ADMIN).await.unwrap();
            let found = env.search("item", &domain!(["name", "ilike", "té"]), Search::default()).await.unwrap();
            assert_eq!(found, [tea]);
            let next = env.create("item", values! { "name" => "next", "shelf" => shelf }).await.unwrap();
            assert!(next > gone, "the id of a deleted record is not given again");
            env.commit().await.unwrap();
            let again = Load::begin(target.connect().await, &[shop::app()]).await.err().unwrap().to_string();
            assert!(again.contains("restore into an empty one"), "{again}");
            loaded.close().await;
            target.drop_schema().await;
        }
    }

    async fn a_dump_sees_one_moment_however_long_it_takes(db: TestDb) {
        let engine = shop::open(db).await;
        let mut dump = engine.dump().await.unwrap();
        let table = dump.tables().into_iter().find(|table| table.name == "shelf").unwrap();
        let before = dump.rows(&table, &mut Vec::new()).await.unwrap().len();
        let mut env = engine.begin(ADMIN).await.unwrap();
        shop::shelf(&mut env, "late").await;
        env.commit().await.unwrap();
        assert_eq!(dump.rows(&table, &mut Vec::new()).await.unwrap().len(), before);
        drop(dump);
        let mut dump = engine.dump().await.unwrap();
        assert_eq!(dump.rows(&table, &mut Vec::new()).await.unwrap().len(), before + 1);
    }

    async fn rows_that_do_not_fit_are_refused_by_name_and_nothing_stays(db: TestDb) {
        let engine = shop::open(db).await;
        let before = picture(&engine).await;
        let target = TestDb::sqlite();
        let mut load = Load::begin(target.connect().await, &[shop::app()]).await.unwrap();
        let (name, columns, _, rows) = before.iter().find(|(name, ..)| name == "ir_module_module").unwrap();
        load.rows(name, columns, rows.clone()).await.unwrap();
        let mut wrong = columns.clone();
        wrong[1] = "colour".to_owned();
        let error = load.rows(name, &wrong, rows.clone()).await.unwrap_err().to_string();
        assert!(error.contains("a column colour of ir_module_module"), "{error}");
        let error = load.rows("nothing", &wrong, Vec::new()).await.unwrap_err().to_string();
        assert!(error.contains("a table nothing"), "{error}");
        drop(load);
        Load::begin(target.connect().await, &[shop::app()]).await.unwrap();
    }
}
