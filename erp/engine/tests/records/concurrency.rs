use erp_engine::{domain, values};

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
}
