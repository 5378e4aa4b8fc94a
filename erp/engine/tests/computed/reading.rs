use erp_engine::{
    Command, Domain, Error, Id, Op, Operand, Search, Value,
    declare::{App, Code},
    domain, values,
};

use super::orders::{self, one, order_in};
use crate::on_both;

/// Fields of orders that are kept nowhere.
fn more() -> App {
    use erp_engine::declare::{Field, Model};
    App::new("more", "More")
        .depends(&["orders"])
        .model(
            Model::extend("order")
                .field(Field::many2many("region_tags", "tag").related("region_id.order_ids.tag_ids"))
                .field(Field::integer("dearest").compute("order_dearest", &["line_ids"]))
                .field(Field::boolean("is_big").compute("order_is_big", &["amount"])),
        )
        .code(
            Code::new()
                .query("order_dearest", |env, records| {
                    Box::pin(async move {
                        let mut found = Vec::new();
                        for id in records.ids {
                            let search = Search::order("price desc").limit(1);
                            let lines =
                                env.search_read("line", &domain!(["order_id", "=", *id]), &["price"], search).await?;
                            found.push(lines.first().map_or(Value::Null, |line| line.value("price").clone()));
                        }
                        Ok(found)
                    })
                })
                .pure("order_is_big", |i| Ok((i.get::<i64>("amount").unwrap_or(0) >= 100).into()))
                .search("order", "is_big", |_, op, operand| {
                    Box::pin(async move {
                        match (op, operand) {
                            (Op::Eq, Operand::One(Value::Bool(true))) => Ok(domain!(["amount", ">=", 100])),
                            (Op::Eq, Operand::One(_)) => Ok(!domain!(["amount", ">=", 100])),
                            _ => Err(Error::User("big is yes or no".to_owned())),
                        }
                    })
                }),
        )
}

on_both! {
    async fn what_is_kept_nowhere_is_computed_when_it_is_read(db: TestDb) {
        let engine = db.open(&[orders::app(), more()]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let region = env.create("region", values! { "name" => "r" }).await.unwrap();
        let (a, b) = (order_in(&mut env, region).await, order_in(&mut env, region).await);
        let tag = env.create("tag", values! { "name" => "t", "weight" => 1 }).await.unwrap();
        env.write("order", &[b], values! { "tag_ids" => vec![Command::Link(tag)] }).await.unwrap();
        env.create("line", values! { "order_id" => a, "price" => 5 }).await.unwrap();
        let dear = env.create("line", values! { "order_id" => a, "price" => 95 }).await.unwrap();
        let read = env.read("order", &[a, b], &["label", "dearest", "is_big", "region_tags", "name"]).await.unwrap();
        assert_eq!(*read[0].value("label"), Value::from("o in r"));
        assert_eq!((read[0].value("dearest"), read[1].value("dearest")), (&Value::Int(95), &Value::Null));
        assert_eq!((read[0].value("is_big"), read[1].value("is_big")), (&true.into(), &false.into()));
        assert_eq!(*read[0].value("region_tags"), Value::Ids(vec![tag]));
        assert_eq!(*read[1].value("name"), Value::from("o"));
        assert_eq!(one(&mut env, "line", dear, "order_id.label").await, Value::from("o in r"));
        let all = env.read("order", &[a], &[]).await.unwrap();
        assert_eq!(all[0].get_str("label"), "o in r");
    }

    async fn a_search_on_what_is_kept_nowhere_asks_its_function(db: TestDb) {
        let engine = db.open(&[orders::app(), more()]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let region = env.create("region", values! { "name" => "r" }).await.unwrap();
        let (a, b) = (order_in(&mut env, region).await, order_in(&mut env, region).await);
        let line = env.create("line", values! { "order_id" => a, "price" => 100 }).await.unwrap();
        let ask = async |env: &mut erp_engine::Env, model: &str, domain: Domain| -> Vec<Id> {
            env.search(model, &domain, Search::default()).await.unwrap()
        };
        assert_eq!(ask(&mut env, "order", domain!(["is_big", "=", true])).await, [a]);
        assert_eq!(ask(&mut env, "order", domain!(["is_big", "!=", true])).await, [b]);
        assert_eq!(ask(&mut env, "line", domain!(["order_id.is_big", "=", true])).await, [line]);
        assert_eq!(ask(&mut env, "region", domain!("!", ["order_ids.is_big", "=", true])).await, []);
        assert_eq!(env.count("order", &domain!(["is_big", "=", false])).await.unwrap(), 1);
        let error = env.search("order", &domain!(["label", "=", "x"]), Search::default()).await.unwrap_err();
        assert!(error.to_string().contains("computed and not kept"), "{error}");
        let error = env.search("order", &domain!(), Search::order("label")).await.unwrap_err();
        assert!(error.to_string().contains("computed and not kept"), "{error}");
    }
}
