//! The little app that these tests work with.

use erp_engine::{
    Engine, Env, Id, Uid,
    declare::{App, DataRow, Field, Group, Model, OnDelete, Principals, Rule},
    values,
};
use serde_json::json;

use crate::support::TestDb;

pub(super) const ADMIN: Uid = Uid(1);
pub(super) const CLERK: Uid = Uid(2);
pub(super) const GONE: Uid = Uid(3);

pub(super) fn app() -> App {
    App::new("shop", "Shop")
        .group(Group::new("clerk", "Clerk").users(&["user_clerk"]))
        .group(Group::new("admin", "Administrator").category("Shop").users(&["user_admin", "user_gone"]))
        .principals(Principals::new("user", "active", "login"))
        .model(
            Model::new("user", "User")
                .rec_name("login")
                .field(Field::char("login").required().unique())
                .field(Field::boolean("active").default(true))
                .field(Field::char("password").secret()),
        )
        .model(
            Model::new("shelf", "Shelf")
                .order("name")
                .field(Field::char("name").required().unique())
                .field(Field::boolean("closed"))
                .field(Field::char("alarm_code").groups(&["admin"]))
                .field(Field::one2many("items", "item", "shelf")),
        )
        .model(item())
        .model(
            Model::new("label", "Label")
                .rec_name("text")
                .field(Field::char("text").required())
                .field(Field::many2one("item", "item").required().ondelete(OnDelete::Cascade))
                .field(Field::many2one("owner", "user").default_user()),
        )
        .model(
            Model::new("event", "Event")
                .without_log_access()
                .field(Field::many2one("shelf", "shelf").required().ondelete(OnDelete::Cascade))
                .field(Field::char_len("epoch", 64).required())
                .field(Field::integer("seq").required())
                .field(Field::char("device"))
                .field(Field::json("data"))
                .field(Field::datetime("at"))
                .field(Field::datetime("received_at").default_now())
                .unique(&["shelf", "epoch", "seq"], ""),
        )
        .model(
            Model::new("remark", "Remark")
                .rec_name("text")
                .follows("about", "about_id")
                .field(Field::char("about"))
                .field(Field::integer("about_id"))
                .field(Field::char("text").required()),
        )
        .access("admin", "*", "crud")
        .access("clerk", "remark", "crud")
        .access("clerk", "shelf", "r")
        .access("clerk", "item", "cru")
        .access("clerk", "label", "crud")
        .rule(Rule::new("no closed shelves", "shelf", json!([["closed", "=", false]])).group("clerk"))
        .rule(
            Rule::new(
                "items on open shelves",
                "item",
                json!(["|", ["shelf", "=", null], ["shelf.closed", "=", false]]),
            )
            .group("clerk"),
        )
        .rule(Rule::new("own labels", "label", json!([["owner", "=", {"expr": "uid"}]])).group("clerk"))
        .data(DataRow::new("user_admin", "user").set("login", "ada"))
        .data(DataRow::new("user_clerk", "user").set("login", "ben"))
        .data(DataRow::new("user_gone", "user").set("login", "carl").set("active", false))
}

fn item() -> Model {
    Model::new("item", "Item")
        .order("name desc")
        .field(Field::char_len("name", 20).required())
        .field(Field::char("code").unique())
        .field(Field::text("note"))
        .field(Field::integer("stock"))
        .field(Field::float("weight"))
        .field(Field::decimal("price", 8, 2).default("1.50"))
        .field(Field::boolean("fresh"))
        .field(Field::date("best_before"))
        .field(Field::datetime("counted_at"))
        .field(Field::selection("state", &[("new", "New"), ("sold", "Sold")]).required().default("new"))
        .field(Field::json("extra"))
        .field(Field::bytes("picture"))
        .field(Field::many2one("shelf", "shelf"))
        .field(Field::many2one("backup_shelf", "shelf").ondelete(OnDelete::Restrict))
        .unique(&["name", "shelf"], "there is such an item on this shelf already")
}

pub(super) async fn open(db: &TestDb) -> Engine {
    db.open(&[app()]).await
}

pub(super) async fn system(engine: &Engine) -> Env {
    engine.superuser("test").await.unwrap()
}

pub(super) async fn shelf(env: &mut Env, name: &str) -> Id {
    env.create("shelf", values! { "name" => name }).await.unwrap()
}
