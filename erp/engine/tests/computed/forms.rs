use erp_engine::{
    Context, Env, Id, Value,
    declare::{App, Code},
    domain, values,
};
use serde_json::{Map, Value as Json, json};

use super::orders::{self, one, order_in};
use crate::on_both;

fn clever() -> App {
    App::new("clever", "Clever").depends(&["orders"]).code(
        Code::new()
            .onchange("order", "name", |_, draft| {
                Box::pin(async move {
                    if *draft.value("name") == Value::from("none") {
                        draft.warn("No name", "an order should have a name");
                    }
                    Ok(())
                })
            })
            .onchange("order", "region_id", |env, draft| {
                Box::pin(async move {
                    let Value::Id(region) = *draft.value("region_id") else { return Ok(()) };
                    let region = env.read("region", &[region], &["name"]).await?;
                    draft.set("name", format!("for {}", region[0].get_str("name")));
                    Ok(())
                })
            })
            .default("order", "name", |env| {
                Box::pin(async move { Ok(format!("order {}", env.count("order", &domain!()).await? + 1).into()) })
            }),
    )
}

async fn onchange(env: &mut Env, ids: Json, values: Json, changed: Json, spec: Json) -> Json {
    env.call("order", "onchange", vec![ids, values, changed, spec], Map::new()).await.unwrap()
}

on_both! {
    async fn a_new_form_shows_defaults_and_what_follows_from_them(db: TestDb) {
        let engine = db.open(&[orders::app(), clever()]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let region = env.create("region", values! { "name" => "south" }).await.unwrap();
        let spec = json!({"name": {}, "region_id": {}, "label": {}, "amount": {}, "line_ids": {"fields": {"price": {}}}});
        let answer = onchange(&mut env, json!([]), json!({}), json!([]), spec.clone()).await;
        assert_eq!(answer["value"]["name"], "order 1");
        assert_eq!(answer["value"]["label"], "order 1 in ");
        let Json::Object(context) = json!({"default_region_id": region.0}) else { panic!() };
        env.set_context(Context::from_json(context));
        let answer = onchange(&mut env, json!([]), json!({}), json!([]), spec).await;
        assert_eq!(answer["value"]["region_id"], json!([region.0, "south"]));
        assert_eq!(answer["value"]["name"], "for south", "the function of a default runs too");
        assert_eq!(answer["value"]["label"], "for south in south");
        let made = env.create("order", values! {}).await.unwrap();
        assert_eq!(one(&mut env, "order", made, "region_id").await, Value::Id(region));
        assert_eq!(one(&mut env, "order", made, "name").await, Value::from("order 1"));
    }

    async fn lines_in_a_form_count_before_they_are_saved(db: TestDb) {
        let engine = db.open(&[orders::app(), clever()]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let region = env.create("region", values! { "name" => "r" }).await.unwrap();
        let order = order_in(&mut env, region).await;
        let ids = env.create_many("line", vec![
            values! { "order_id" => order, "price" => 10, "quantity" => 1 },
            values! { "order_id" => order, "price" => 20, "quantity" => 1 },
        ]).await.unwrap();
        let (a, b) = (ids[0].0, ids[1].0);
        env.commit().await.unwrap();

        let mut env = engine.superuser("test").await.unwrap();
        let spec = json!({"amount": {}, "lines": {}, "line_ids": {"fields": {"subtotal": {}, "region_path": {}}}});
        let lines = json!([[1, a, {"quantity": 3}], [0, "virtual_1", {"price": 5, "quantity": 2}], [2, b, false]]);
        let answer = onchange(&mut env, json!([order.0]), json!({"line_ids": lines}), json!(["line_ids"]), spec).await;
        assert_eq!(answer["value"]["amount"], 40);
        assert!(answer["value"].get("lines").is_none(), "two lines before and after: {answer}");
        let told = answer["value"]["line_ids"].as_array().unwrap();
        assert!(told.contains(&json!([1, a, {"subtotal": 30}])), "{answer}");
        assert!(told.contains(&json!([0, "virtual_1", {"region_path": "r", "subtotal": 10}])), "{answer}");
        assert_eq!(one(&mut env, "order", order, "amount").await, Value::Int(30), "nothing is written");
    }

    async fn a_line_looked_at_by_itself_sees_the_form_that_it_stands_in(db: TestDb) {
        let engine = db.open(&[orders::app(), clever()]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let north = env.create("region", values! { "name" => "north" }).await.unwrap();
        let south = env.create("region", values! { "name" => "south" }).await.unwrap();
        let order = order_in(&mut env, north).await;
        let line = env.create("line", values! { "order_id" => order, "price" => 10 }).await.unwrap();
        env.commit().await.unwrap();
        let mut env = engine.superuser("test").await.unwrap();
        let spec = json!({"region_path": {}, "subtotal": {}});
        let mut ask = async |ids: Json, values: Json| {
            let args = vec![ids, values, json!(["price"]), spec.clone()];
            env.call("line", "onchange", args, Map::new()).await.unwrap()["value"].clone()
        };
        // The order is not saved at all, or not as its form stands.
        let new = json!({"price": 5, "quantity": 2, "order_id": {"region_id": south.0, "name": "new", "line_ids": [[0, "v", {}]]}});
        assert_eq!(ask(json!([]), new).await, json!({"region_path": "south", "subtotal": 10}));
        let moved = json!({"price": 20, "order_id": {"id": order.0, "region_id": south.0}});
        assert_eq!(ask(json!([line.0]), moved).await, json!({"region_path": "south", "subtotal": 20}));
        let same = json!({"price": 20, "order_id": {"id": order.0}});
        assert_eq!(ask(json!([line.0]), same).await, json!({"subtotal": 20}));
    }

    async fn a_changed_field_changes_others_and_warns(db: TestDb) {
        let engine = db.open(&[orders::app(), clever()]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let r = env.create("region", values! { "name" => "r" }).await.unwrap();
        let north = env.create("region", values! { "name" => "north", "parent_id" => r }).await.unwrap();
        let order = order_in(&mut env, r).await;
        env.create("line", values! { "order_id" => order, "price" => 10 }).await.unwrap();
        let spec = json!({"name": "1", "label": "", "label_size": "", "region_id": "1"});
        let answer = onchange(&mut env, json!([order.0]), json!({"region_id": north.0}), json!("region_id"), spec.clone()).await;
        assert_eq!(
            answer["value"],
            json!({"name": "for north", "label": "for north in r/north", "label_size": "for north in r/north".len()})
        );
        let answer = onchange(&mut env, json!([order.0]), json!({"name": "none"}), json!("name"), spec).await;
        assert_eq!(answer["warning"]["message"], "an order should have a name");
        let answer = onchange(&mut env, json!([order.0]), json!({"name": "x"}), json!("name"), json!({"amount": ""})).await;
        assert_eq!(answer, json!({"value": {}}), "what does not follow from the name is not told");
    }

    async fn people_set_defaults_for_themselves_and_for_all(db: TestDb) {
        let engine = db.open(&[orders::app()]).await;
        let mut env = engine.superuser("test").await.unwrap();
        env.set_default("tag", "weight", Some(json!(7)), None, None).await.unwrap();
        env.set_default("tag", "name", Some(json!("mine")), Some(999), None).await.unwrap();
        let tag = env.create("tag", values! {}).await.unwrap();
        assert_eq!(one(&mut env, "tag", tag, "weight").await, Value::Int(7));
        assert_eq!(one(&mut env, "tag", tag, "name").await, Value::Null, "that is somebody else's");
        let answer = env.call("tag", "default_get", vec![json!(["weight", "name"])], Map::new()).await.unwrap();
        assert_eq!(answer, json!({"weight": 7}));
        let args = vec![json!("tag"), json!("weight"), json!(9)];
        env.call("ir.default", "set", args, Map::new()).await.unwrap();
        let tag: Id = env.create("tag", values! {}).await.unwrap();
        assert_eq!(one(&mut env, "tag", tag, "weight").await, Value::Int(9));
        let error = env.set_default("tag", "weight", Some(json!("much")), None, None).await.unwrap_err();
        assert!(error.to_string().contains("weight"), "{error}");
    }
}
