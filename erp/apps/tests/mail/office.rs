//! An office: three who work there, a visitor from outside, and a model of its own with every kind of tracked field.

use erp_engine::{
    Engine, Env, Error, Id, Search, Uid,
    declare::{App, Field, Model},
    domain, values,
};
use serde_json::{Map, Value as Json, json};

use crate::support::TestDb;

fn app() -> App {
    App::new("deal", "Deals")
        .depends(&["base", "mail"])
        .model(
            Model::new("deal.deal", "Deal")
                .with_mixin("mail.thread")
                .with_mixin("mail.activity.mixin")
                .field(Field::char("name").required().tracking())
                .field(Field::many2one("partner_id", "res.partner").label("Customer").tracking())
                .field(Field::selection("stage", &[("new", "New"), ("won", "Won")]).default("new").tracking())
                .field(Field::monetary("amount").tracking())
                .field(Field::many2one("currency_id", "res.currency"))
                .field(Field::integer("people").tracking())
                .field(Field::float("chance").tracking())
                .field(Field::boolean("urgent").tracking())
                .field(Field::date("closes").tracking())
                .field(Field::datetime("called_at").tracking())
                .field(Field::text("story").tracking())
                .field(Field::char("secret_plan"))
                .field(Field::integer("margin").groups(&["base.group_system"]).tracking())
                .field(Field::many2one("user_id", "res.users").label("Salesperson").tracking()),
        )
        .access("base.group_partner_manager", "deal.deal", "crud")
        .access("base.group_user", "deal.deal", "r")
}

pub(super) struct Office {
    pub(super) engine: Engine,
    /// May change contacts and deals.
    pub(super) ann: Uid,
    /// The same.
    pub(super) bob: Uid,
    /// May only look.
    pub(super) eve: Uid,
    /// A customer, no user.
    pub(super) customer: Id,
}

pub(super) async fn open(db: &TestDb) -> Office {
    let mut apps = erp_apps::all();
    apps.push(app());
    let engine = db.open(&apps).await;
    let mut env = engine.superuser("test").await.unwrap();
    let mut group = async |name: &str| env.by_external_id(name).await.unwrap().unwrap();
    let (staff, contacts) = (group("base.group_user").await, group("base.group_partner_manager").await);
    let mut user = async |name: &str, groups: Vec<Id>| {
        let new = values! {
            "login" => name.to_lowercase(), "name" => name, "email" => format!("{}@office.example", name.to_lowercase()),
            "groups_id" => groups,
        };
        Uid(env.create("res.users", new).await.unwrap().0)
    };
    let ann = user("Ann", vec![staff, contacts]).await;
    let bob = user("Bob", vec![staff, contacts]).await;
    let eve = user("Eve", vec![staff]).await;
    let customer = values! { "name" => "Carl Customer", "email" => "carl@customer.example" };
    let customer = env.create("res.partner", customer).await.unwrap();
    let base = values! { "key" => "web.base.url", "value" => "https://erp.office.example:8069" };
    env.create("ir.config_parameter", base).await.unwrap();
    env.commit().await.unwrap();
    Office { engine, ann, bob, eve, customer }
}

impl Office {
    pub(super) async fn of(&self, uid: Uid) -> Env {
        self.engine.begin(uid).await.unwrap()
    }

    pub(super) async fn deal(&self, env: &mut Env, name: &str) -> Id {
        env.create("deal.deal", values! { "name" => name }).await.unwrap()
    }
}

pub(super) async fn partner_of(env: &mut Env, uid: Uid) -> Id {
    let mut env = env.sudo("test");
    env.read("res.users", &[Id(uid.0)], &["partner_id"]).await.unwrap()[0].get("partner_id").unwrap()
}

pub(super) async fn try_call(
    env: &mut Env,
    model: &str,
    method: &str,
    args: Json,
    kwargs: Json,
) -> Result<Json, Error> {
    let (Json::Array(args), Json::Object(kwargs)) = (args, kwargs) else { panic!("a list and an object") };
    env.call(model, method, args, kwargs).await
}

pub(super) async fn call(env: &mut Env, model: &str, method: &str, args: Json, kwargs: Json) -> Json {
    try_call(env, model, method, args, kwargs).await.unwrap()
}

/// As a client reads it.
pub(super) async fn read(env: &mut Env, model: &str, id: Id, fields: &[&str]) -> Map<String, Json> {
    let rows = call(env, model, "read", json!([[id], fields]), json!({})).await;
    rows[0].as_object().unwrap().clone()
}

/// What is queued: (to, subject, body), in order.
pub(super) async fn queued(engine: &Engine) -> Vec<(String, String, String)> {
    let mut env = engine.superuser("test").await.unwrap();
    let fields = ["email_to", "subject", "body_html"];
    let found = env.search_read("mail.mail", &domain!(), &fields, Search::order("id")).await.unwrap();
    let text = |row: &erp_engine::Record, field: &str| row.get_str(field).to_owned();
    found.iter().map(|row| (text(row, "email_to"), text(row, "subject"), text(row, "body_html"))).collect()
}
