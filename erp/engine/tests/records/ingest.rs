use erp_engine::{ChangeKind, Id, Values, domain, values};
use serde_json::json;

use super::shop;
use crate::on_both;

fn event(shelf: Id, seq: i64) -> Values {
    values! { "shelf" => shelf, "epoch" => "e1", "seq" => seq, "device" => "scanner", "data" => json!({"code": "4006381333931"}) }
}

on_both! {
    async fn events_that_are_here_already_are_left_out(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = shop::system(&engine).await;
        let shelf = shop::shelf(&mut env, "A").await;
        env.commit().await.unwrap();
        let mut changes = engine.changes();

        let mut env = shop::system(&engine).await;
        let first = env.create_if_new("event", (1..=500).map(|seq| event(shelf, seq)).collect()).await.unwrap();
        assert_eq!(first.count(), 500);
        env.commit().await.unwrap();
        assert_eq!(changes.try_recv().unwrap().ids.len(), 500);

        let mut env = shop::system(&engine).await;
        let again = [498, 499, 500, 501, 501, 502].map(|seq| event(shelf, seq)).to_vec();
        let second = env.create_if_new("event", again).await.unwrap();
        let new: Vec<bool> = (0..6).map(|row| second.is_new(row)).collect();
        assert_eq!(new, [false, false, false, true, false, true], "also a repeat within the batch");
        let id = second.0[5].unwrap();
        assert_eq!(env.read("event", &[id], &["seq"]).await.unwrap()[0].get::<i64>("seq").unwrap(), 502);
        assert_eq!(env.create_if_new("event", vec![event(shelf, 1)]).await.unwrap().count(), 0);
        assert_eq!(env.create_if_new("event", vec![event(shelf, 503)]).await.unwrap().count(), 1);
        assert_eq!(env.create_if_new("event", Vec::new()).await.unwrap().count(), 0);
        env.commit().await.unwrap();
        let change = changes.try_recv().unwrap();
        assert_eq!((change.kind, change.ids.len()), (ChangeKind::Created, 3), "only new ones are told");
        let mut env = shop::system(&engine).await;
        assert_eq!(env.count("event", &domain!(["epoch", "=", "e1"])).await.unwrap(), 503);
    }

    async fn the_same_batch_from_many_connections_is_stored_once(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = shop::system(&engine).await;
        let shelf = shop::shelf(&mut env, "A").await;
        env.commit().await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let engine = engine.clone();
            tasks.spawn(async move {
                let mut env = shop::system(&engine).await;
                let made = env.create_if_new("event", (1..=100).map(|seq| event(shelf, seq)).collect()).await.unwrap();
                env.commit().await.unwrap();
                made.count()
            });
        }
        let made: usize = tasks.join_all().await.into_iter().sum();
        assert_eq!(made, 100);
    }
}
