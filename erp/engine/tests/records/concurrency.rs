use erp_engine::{
    Id,
    declare::{App, Field, Model},
    domain, values,
};

use super::shop::{self, ADMIN};
use crate::on_both;

on_both! {
    async fn transactions_that_read_and_then_write_at_once_all_succeed(db: TestDb) {
        let engine = shop::open(db).await;
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..16 {
            let engine = engine.clone();
            tasks.spawn(async move {
                for round in 0..5 {
                    let mut env = engine.begin(ADMIN).await.unwrap();
                    env.count("shelf", &domain!()).await.unwrap();
                    shop::shelf(&mut env, &format!("{task}-{round}")).await;
                    env.count("shelf", &domain!()).await.unwrap();
                    env.commit().await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        assert_eq!(env.count("shelf", &domain!()).await.unwrap(), 80);
    }

    async fn one_of_many_gets_the_record_that_all_want(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        env.create("item", values! { "name" => "last one" }).await.unwrap();
        env.commit().await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let engine = engine.clone();
            tasks.spawn(async move {
                let mut env = engine.begin(ADMIN).await.unwrap();
                let got = env.write_where("item", &domain!(["state", "=", "new"]), values! { "state" => "sold" }).await.unwrap();
                env.commit().await.unwrap();
                got.len()
            });
        }
        assert_eq!(tasks.join_all().await.into_iter().sum::<usize>(), 1);
    }

    async fn a_record_read_for_update_loses_no_update(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let id = env.create("item", values! { "name" => "tea", "stock" => 0 }).await.unwrap();
        env.commit().await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let engine = engine.clone();
            tasks.spawn(async move {
                let mut env = engine.begin(ADMIN).await.unwrap();
                let stock: i64 = env.read_for_update("item", id, &["stock"]).await.unwrap().get("stock").unwrap();
                env.write("item", &[id], values! { "stock" => stock + 1 }).await.unwrap();
                env.commit().await.unwrap();
            });
        }
        tasks.join_all().await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        assert_eq!(env.read("item", &[id], &["stock"]).await.unwrap()[0].get::<i64>("stock").unwrap(), 20);
    }

    async fn readers_go_on_while_a_writer_takes_its_time(db: TestDb) {
        let engine = shop::open(db).await;
        let mut writer = engine.begin(ADMIN).await.unwrap();
        shop::shelf(&mut writer, "A").await;
        let mut reader = engine.begin(ADMIN).await.unwrap();
        assert_eq!(reader.count("shelf", &domain!()).await.unwrap(), 0, "what is not committed is not seen");
        writer.commit().await.unwrap();
        assert_eq!(reader.count("shelf", &domain!()).await.unwrap(), 1, "each statement sees what was committed before it");
    }

    async fn two_who_put_each_others_record_above_their_own_make_no_circle(db: TestDb) {
        let engine = db.open(&[shop::app(), App::new("tree", "Tree").depends(&["shop"]).model(
            Model::new("node", "Node").field(Field::char("name")).field(Field::many2one("parent_id", "node")).parent("parent_id"),
        )]).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let (a, b) = (env.create("node", values! {}).await.unwrap(), env.create("node", values! {}).await.unwrap());
        env.commit().await.unwrap();
        let put = async |child: Id, parent: Id| {
            let mut env = engine.begin(ADMIN).await?;
            env.write("node", &[child], values! { "parent_id" => parent }).await?;
            // Time for the other one to do the same.
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            env.commit().await
        };
        let (first, second) = tokio::join!(put(a, b), put(b, a));
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        let refused = first.err().or(second.err()).unwrap().to_string();
        assert!(refused.contains("recursive hierarchy"), "{refused}");
        let mut env = engine.begin(ADMIN).await.unwrap();
        assert_eq!(env.count("node", &domain!(["parent_id", "!=", false])).await.unwrap(), 1);
    }
}
