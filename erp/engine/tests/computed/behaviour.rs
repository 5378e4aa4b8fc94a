use erp_engine::{
    Error, Value,
    declare::{App, Code, Field, Hook, Model},
    values,
};

use super::orders::{self, one, order_in, refuse, watcher};
use crate::on_both;

on_both! {
    async fn a_hook_that_refuses_takes_everything_back(db: TestDb) {
        let engine = db.open(&[orders::app(), watcher(Hook::AfterCreate(refuse))]).await;
        let mut env = engine.superuser("test").await.unwrap();
        env.create("line", values! { "price" => 999 }).await.unwrap();
        let error = env.create("line", values! { "price" => 100, "quantity" => 11 }).await.unwrap_err();
        assert_eq!(error.to_string(), "a line cannot cost more than 1000");
        assert!(matches!(env.commit().await, Err(Error::Aborted)));
    }

    async fn hooks_change_values_and_see_what_was_written(db: TestDb) {
        let code = Code::new()
            .hook("line", Hook::BeforeCreate(|_, _, rows| Box::pin(async move {
                for row in rows {
                    if row.get("quantity").is_none() {
                        row.set("quantity", 2);
                    }
                }
                Ok(())
            })))
            .hook("line", Hook::AfterWrite(|env, records, fields| Box::pin(async move {
                if fields.iter().any(|field| field == "price") {
                    env.write(records.model, records.ids, values! { "quantity" => 9 }).await?;
                }
                Ok(())
            })));
        let watcher = App::new("watcher", "Watcher").depends(&["orders"]).code(code);
        let engine = db.open(&[orders::app(), watcher]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let line = env.create("line", values! { "price" => 10 }).await.unwrap();
        assert_eq!(one(&mut env, "line", line, "subtotal").await, Value::Int(20));
        env.write("line", &[line], values! { "price" => 1 }).await.unwrap();
        assert_eq!(one(&mut env, "line", line, "subtotal").await, Value::Int(9));
    }

    async fn checks_say_their_message_and_nothing_stays(db: TestDb) {
        let engine = db.open(&[orders::app()]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let region = env.create("region", values! { "name" => "r" }).await.unwrap();
        let order = order_in(&mut env, region).await;
        let line = env.create("line", values! { "price" => 1, "order_id" => order }).await.unwrap();
        env.commit().await.unwrap();
        let mut env = engine.superuser("test").await.unwrap();
        let error = env.write("line", &[line], values! { "quantity" => -1 }).await.unwrap_err();
        assert!(error.to_string().contains("a quantity cannot be negative"), "{error}");
        assert!(matches!(env.commit().await, Err(Error::Aborted)));
        let mut env = engine.superuser("test").await.unwrap();
        assert_eq!(one(&mut env, "line", line, "quantity").await, Value::Int(1));
    }

    async fn a_check_function_sees_computed_fields_and_runs_when_they_change(db: TestDb) {
        let code = Code::new().check("order", &["amount"], |env, records| {
            Box::pin(async move {
                let found = env.read(records.model, records.ids, &["amount"]).await?;
                match found.iter().any(|order| order.get::<i64>("amount").unwrap_or(0) > 100) {
                    true => Err(Error::User("an order over 100".to_owned())),
                    false => Ok(()),
                }
            })
        });
        let limit = App::new("limit", "Limit").depends(&["orders"]).code(code);
        let engine = db.open(&[orders::app(), limit]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let region = env.create("region", values! { "name" => "r" }).await.unwrap();
        let order = order_in(&mut env, region).await;
        env.create("line", values! { "price" => 100, "order_id" => order }).await.unwrap();
        assert_eq!(one(&mut env, "order", order, "amount").await, Value::Int(100));
        env.write("order", &[order], values! { "name" => "as full as can be" }).await.unwrap();
        env.create("line", values! { "price" => 1, "order_id" => order }).await.unwrap();
        assert_eq!(env.commit().await.unwrap_err().to_string(), "an order over 100");
    }

    async fn tracked_changes_are_told_once_with_the_first_and_the_last_value(db: TestDb) {
        let app = App::new("box", "Boxes")
            .model(
                Model::new("box", "Box")
                    .field(Field::char("name").tracking())
                    .field(Field::integer("size").tracking())
                    .field(Field::integer("double").computed("size * 2").stored().tracking()),
            )
            .model(Model::new("note", "Note").field(Field::char("text")))
            .code(Code::new().hook("box", Hook::Tracked(|env, _, changes| Box::pin(async move {
                let text = |value: &Value| serde_json::to_string(value).unwrap_or_default();
                for change in changes {
                    let text = format!("{}: {} -> {}", change.field, text(&change.old), text(&change.new));
                    env.create("note", values! { "text" => text }).await?;
                }
                Ok(())
            }))));
        let engine = db.open(&[app]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let id = env.create("box", values! { "name" => "a", "size" => 1 }).await.unwrap();
        env.commit().await.unwrap();
        let mut env = engine.superuser("test").await.unwrap();
        env.write("box", &[id], values! { "name" => "a", "size" => 2 }).await.unwrap();
        assert_eq!(one(&mut env, "box", id, "double").await, Value::Int(4));
        env.write("box", &[id], values! { "size" => 3 }).await.unwrap();
        env.commit().await.unwrap();
        let mut env = engine.superuser("test").await.unwrap();
        let notes = env.search_read("note", &erp_engine::domain!(), &["text"], erp_engine::Search::order("id")).await.unwrap();
        let notes: Vec<&str> = notes.iter().map(|note| note.get_str("text")).collect();
        assert_eq!(notes, ["double: 2 -> 6", "size: 1 -> 3"]);
    }

    async fn an_inverse_writes_what_the_field_is_computed_from(db: TestDb) {
        let code = Code::new()
            .pure("full", |i| Ok(format!("{} {}", i.str("first"), i.str("last")).into()))
            .inverse("person", "full", |env, records, value| {
                Box::pin(async move {
                    let Value::Text(text) = value else { return Ok(()) };
                    let (first, last) = text.split_once(' ').unwrap_or((&text, ""));
                    env.write(records.model, records.ids, values! { "first" => first, "last" => last }).await
                })
            });
        let app = App::new("people", "People")
            .model(
                Model::new("person", "Person")
                    .field(Field::char("first"))
                    .field(Field::char("last"))
                    .field(Field::many2one("boss", "person"))
                    .field(Field::char("boss_last").related("boss.last").stored().writable())
                    .field(Field::char("full").compute("full", &["first", "last"]).stored().writable()),
            )
            .code(code);
        let engine = db.open(&[app]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let ada = env.create("person", values! { "full" => "Ada Lovelace" }).await.unwrap();
        assert_eq!(one(&mut env, "person", ada, "last").await, Value::from("Lovelace"));
        let ben = env.create("person", values! { "full" => "Ben X", "boss" => ada, "boss_last" => "King" }).await.unwrap();
        assert_eq!(one(&mut env, "person", ada, "full").await, Value::from("Ada King"));
        assert_eq!(one(&mut env, "person", ben, "boss_last").await, Value::from("King"));
        env.write("person", &[ben], values! { "boss_last" => "Byron" }).await.unwrap();
        assert_eq!(one(&mut env, "person", ada, "full").await, Value::from("Ada Byron"));
    }
}
