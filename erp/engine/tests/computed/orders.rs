//! Regions in a tree, their orders, the orders' lines and tags: every kind of dependency once.

use std::sync::atomic::{AtomicU64, Ordering};

use erp_engine::{
    Env, Error, Id, Value,
    declare::{App, Code, Field, Hook, Inputs, Model, OnDelete, Records},
    values,
};

pub(super) static CALLS: AtomicU64 = AtomicU64::new(0);

pub(super) fn app() -> App {
    App::new("orders", "Orders").model(region()).model(order()).model(line()).model(tag()).code(code())
}

fn region() -> Model {
    Model::new("region", "Region")
        .field(Field::char("name").required())
        .field(Field::many2one("parent_id", "region"))
        .field(Field::one2many("child_ids", "region", "parent_id"))
        .field(Field::one2many("order_ids", "order", "region_id"))
        .field(Field::integer("total").compute("region_total", &["order_ids.amount", "child_ids.total"]).stored())
        .field(Field::many2one("twin_id", "region"))
        .field(Field::char("twins").compute("region_twins", &["name", "twin_id.twins"]).stored())
        .field(Field::char("path").compute("region_path", &["name", "parent_id.path"]).stored())
}

fn order() -> Model {
    Model::new("order", "Order")
        .field(Field::char("name"))
        .field(Field::many2one("region_id", "region"))
        .field(Field::one2many("line_ids", "line", "order_id"))
        .field(Field::many2many("tag_ids", "tag"))
        .field(Field::integer("amount").compute("order_amount", &["line_ids.subtotal"]).stored())
        .field(Field::integer("lines").compute("order_lines", &["line_ids"]).stored())
        .field(Field::integer("weight").compute("order_weight", &["tag_ids.weight", "tag_ids"]).stored())
        .field(Field::char("region_name").related("region_id.name").stored())
        .field(Field::char("label").compute("order_label", &["name", "region_id.path"]))
        .field(Field::integer("label_size").compute("order_label_size", &["label"]).stored())
}

fn line() -> Model {
    Model::new("line", "Line")
        .field(Field::many2one("order_id", "order").ondelete(OnDelete::Cascade))
        .field(Field::integer("price"))
        .field(Field::integer("quantity").default(1))
        .field(Field::boolean("active").default(true))
        .field(Field::integer("subtotal").computed("price * quantity").stored())
        .field(Field::many2one("region_id", "region").related("order_id.region_id").stored())
        .field(Field::char("region_path").related("region_id.path").stored())
        .check("positive", "quantity >= 0", "a quantity cannot be negative")
}

fn tag() -> Model {
    Model::new("tag", "Tag")
        .field(Field::char("name"))
        .field(Field::integer("weight"))
        .field(Field::many2many("order_ids", "order"))
        .field(Field::integer("orders").compute("tag_orders", &["order_ids.amount"]).stored())
}

pub(super) fn sum(values: &[Value]) -> i64 {
    values.iter().map(|value| if let Value::Int(int) = value { *int } else { 0 }).sum()
}

fn code() -> Code {
    let path = |inputs: &Inputs<'_>| -> Result<Value, Error> {
        let parent = inputs.str("parent_id.path");
        let name = inputs.str("name");
        Ok(if parent.is_empty() { name.into() } else { format!("{parent}/{name}").into() })
    };
    Code::new()
        .pure("region_total", |i| Ok((sum(i.list("order_ids.amount")) + sum(i.list("child_ids.total"))).into()))
        .pure("region_path", path)
        .pure("region_twins", |i| Ok(format!("{} {}", i.str("name"), i.str("twin_id.twins")).into()))
        .pure("order_amount", |i| {
            CALLS.fetch_add(1, Ordering::Relaxed);
            Ok(sum(i.list("line_ids.subtotal")).into())
        })
        .pure("order_lines", |i| Ok((i.list("line_ids").len() as i64).into()))
        .pure("order_weight", |i| Ok((sum(i.list("tag_ids.weight")) + i.list("tag_ids").len() as i64).into()))
        .pure("order_label", |i| Ok(format!("{} in {}", i.str("name"), i.str("region_id.path")).into()))
        .pure("order_label_size", |i| Ok((i.str("label").len() as i64).into()))
        .pure("tag_orders", |i| Ok(sum(i.list("order_ids.amount")).into()))
}

pub(super) async fn one(env: &mut Env, model: &str, id: Id, field: &str) -> Value {
    env.read(model, &[id], &[field]).await.unwrap()[0].value(field).clone()
}

pub(super) async fn order_in(env: &mut Env, region: Id) -> Id {
    env.create("order", values! { "name" => "o", "region_id" => region }).await.unwrap()
}

/// An app on top of the orders that says no or does more.
pub(super) fn watcher(hook: Hook) -> App {
    App::new("watcher", "Watcher").depends(&["orders"]).code(Code::new().hook("line", hook))
}

pub(super) fn refuse<'a>(env: &'a mut Env, records: Records<'a>) -> erp_engine::declare::Done<'a> {
    Box::pin(async move {
        let found = env.read(records.model, records.ids, &["subtotal"]).await?;
        match found.iter().any(|line| line.get::<i64>("subtotal").unwrap_or(0) > 1_000) {
            true => Err(Error::User("a line cannot cost more than 1000".to_owned())),
            false => Ok(()),
        }
    })
}
