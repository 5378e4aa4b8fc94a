use std::sync::atomic::Ordering;

use erp_engine::{ChangeKind, Command, Id, Value, values};

use super::orders::{self, CALLS, one, order_in};
use crate::on_both;

on_both! {
    async fn a_change_reaches_what_depends_on_it_however_far(db: TestDb) {
        let engine = db.open(&[orders::app()]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let world = env.create("region", values! { "name" => "world" }).await.unwrap();
        let europe = env.create("region", values! { "name" => "europe", "parent_id" => world }).await.unwrap();
        let order = order_in(&mut env, europe).await;
        let line = env.create("line", values! { "order_id" => order, "price" => 5, "quantity" => 3 }).await.unwrap();
        assert_eq!(one(&mut env, "region", world, "total").await, Value::Int(15));
        env.write("line", &[line], values! { "price" => 7 }).await.unwrap();
        assert_eq!(one(&mut env, "region", world, "total").await, Value::Int(21));
        env.commit().await.unwrap();

        let mut changes = engine.changes();
        let mut env = engine.superuser("test").await.unwrap();
        env.unlink("line", &[line]).await.unwrap();
        env.commit().await.unwrap();
        let mut told: Vec<(String, ChangeKind)> = Vec::new();
        while let Ok(change) = changes.try_recv() {
            told.push((change.model.to_string(), change.kind));
        }
        assert!(told.contains(&("region".to_owned(), ChangeKind::Written)), "{told:?}");
        let mut env = engine.superuser("test").await.unwrap();
        assert_eq!(one(&mut env, "region", world, "total").await, Value::Int(0));
        env.write("region", &[world], values! { "name" => "all" }).await.unwrap();
        assert_eq!(one(&mut env, "region", europe, "path").await, Value::from("all/europe"));
        assert_eq!(one(&mut env, "order", order, "label_size").await, Value::Int("o in all/europe".len() as i64));
    }

    async fn both_the_old_and_the_new_owner_of_a_line_are_computed_anew(db: TestDb) {
        let engine = db.open(&[orders::app()]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let region = env.create("region", values! { "name" => "r" }).await.unwrap();
        let (a, b) = (order_in(&mut env, region).await, order_in(&mut env, region).await);
        let line = env.create("line", values! { "order_id" => a, "price" => 5 }).await.unwrap();
        assert_eq!(one(&mut env, "order", a, "amount").await, Value::Int(5));
        env.write("line", &[line], values! { "order_id" => b }).await.unwrap();
        assert_eq!(one(&mut env, "order", a, "amount").await, Value::Int(0));
        assert_eq!(one(&mut env, "order", b, "amount").await, Value::Int(5));
        let here = erp_engine::domain!(["id", "=", line]);
        env.write_where("line", &here, values! { "order_id" => a }).await.unwrap();
        assert_eq!(one(&mut env, "order", b, "amount").await, Value::Int(0));
        env.write("line", &[line], values! { "active" => false }).await.unwrap();
        assert_eq!(one(&mut env, "order", a, "lines").await, Value::Int(0), "an archived line is on no list");
    }

    async fn links_count_from_both_of_their_sides(db: TestDb) {
        let engine = db.open(&[orders::app()]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let region = env.create("region", values! { "name" => "r" }).await.unwrap();
        let order = order_in(&mut env, region).await;
        let tag = env.create("tag", values! { "name" => "t", "weight" => 4 }).await.unwrap();
        env.create("line", values! { "order_id" => order, "price" => 9 }).await.unwrap();
        env.write("order", &[order], values! { "tag_ids" => vec![Command::Link(tag)] }).await.unwrap();
        assert_eq!(one(&mut env, "order", order, "weight").await, Value::Int(5));
        assert_eq!(one(&mut env, "tag", tag, "orders").await, Value::Int(9));
        env.write("tag", &[tag], values! { "order_ids" => Vec::<Id>::new() }).await.unwrap();
        assert_eq!(one(&mut env, "order", order, "weight").await, Value::Int(0));
        assert_eq!(one(&mut env, "tag", tag, "orders").await, Value::Int(0));
        env.write("tag", &[tag], values! { "order_ids" => vec![order] }).await.unwrap();
        assert_eq!(one(&mut env, "order", order, "weight").await, Value::Int(5));
        env.unlink("tag", &[tag]).await.unwrap();
        assert_eq!(one(&mut env, "order", order, "weight").await, Value::Int(0));
    }

    async fn a_thousand_lines_of_one_order_are_one_sum(db: TestDb) {
        let engine = db.open(&[orders::app()]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let region = env.create("region", values! { "name" => "r" }).await.unwrap();
        let order = order_in(&mut env, region).await;
        assert_eq!(one(&mut env, "order", order, "amount").await, Value::Int(0));
        let before = CALLS.load(Ordering::Relaxed);
        for _ in 0..100 {
            env.create("line", values! { "order_id" => order, "price" => 1, "quantity" => 0 }).await.unwrap();
        }
        let lines = vec![values! { "order_id" => order, "price" => 2 }; 1_000];
        env.create_many("line", lines).await.unwrap();
        assert_eq!(one(&mut env, "order", order, "amount").await, Value::Int(2_000));
        // Other tests of this program count too; a call for each line would be more than a thousand.
        assert!(CALLS.load(Ordering::Relaxed) - before < 500);
    }

    async fn two_who_add_lines_to_one_order_do_not_lose_each_others(db: TestDb) {
        let engine = db.open(&[orders::app()]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let region = env.create("region", values! { "name" => "r" }).await.unwrap();
        let order = order_in(&mut env, region).await;
        env.commit().await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let engine = engine.clone();
            tasks.spawn(async move {
                for _ in 0..10 {
                    loop {
                        let mut env = engine.superuser("test").await.unwrap();
                        env.create("line", values! { "order_id" => order, "price" => 1 }).await.unwrap();
                        match env.commit().await {
                            Ok(()) => break,
                            Err(error) => assert!(error.is_retryable(), "{error}"),
                        }
                    }
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let mut env = engine.superuser("test").await.unwrap();
        assert_eq!(one(&mut env, "order", order, "amount").await, Value::Int(40));
        assert_eq!(one(&mut env, "region", region, "total").await, Value::Int(40));
    }

    async fn records_in_a_circle_are_named_instead_of_computed_for_ever(db: TestDb) {
        let engine = db.open(&[orders::app()]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let a = env.create("region", values! { "name" => "a" }).await.unwrap();
        let b = env.create("region", values! { "name" => "b", "twin_id" => a }).await.unwrap();
        env.write("region", &[a], values! { "twin_id" => b }).await.unwrap();
        let error = env.commit().await.unwrap_err();
        assert!(error.to_string().contains("lead back to themselves"), "{error}");
    }

    async fn what_is_computed_is_not_written_and_says_what_is(db: TestDb) {
        let engine = db.open(&[orders::app()]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let error = env.create("line", values! { "subtotal" => 5 }).await.unwrap_err();
        assert_eq!(error.to_string(), "line, field subtotal: it is computed; write price, quantity instead");
    }

    async fn a_field_that_becomes_computed_later_has_its_values_at_once(db: TestDb) {
        use erp_engine::declare::{App, Field, Model};
        let app = |fields: Vec<Field>| {
            let model = Model::new("thing", "Thing").field(Field::integer("size"));
            App::new("things", "Things").model(fields.into_iter().fold(model, Model::field))
        };
        let engine = db.open(&[app(vec![])]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let ids = env.create_many("thing", vec![values! { "size" => 4 }; 3]).await.unwrap();
        env.commit().await.unwrap();
        engine.close().await;
        let engine = db.open(&[app(vec![Field::integer("double").computed("size * 2").stored()])]).await;
        let mut env = engine.superuser("test").await.unwrap();
        assert_eq!(env.count("thing", &erp_engine::domain!(["double", "=", 8])).await.unwrap(), 3);
        assert_eq!(one(&mut env, "thing", ids[2], "double").await, Value::Int(8));
    }
}
