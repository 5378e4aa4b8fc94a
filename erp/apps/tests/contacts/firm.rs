//! A database with its apps and a bookkeeper who keeps the contacts.

use erp_engine::{Engine, Env, Error, Id, Uid, values};
use serde_json::{Map, Value as Json};

use crate::support::TestDb;

pub(super) struct Firm {
    pub(super) engine: Engine,
    pub(super) clerk: Uid,
}

pub(super) async fn open(db: &TestDb) -> Firm {
    let engine = db.open(&erp_apps::all()).await;
    let mut env = engine.superuser("test").await.unwrap();
    let staff = env.by_external_id("base.group_user").await.unwrap().unwrap();
    let contacts = env.by_external_id("base.group_partner_manager").await.unwrap().unwrap();
    let clerk = values! { "login" => "clerk", "name" => "Clerk", "groups_id" => vec![staff, contacts] };
    let clerk = Uid(env.create("res.users", clerk).await.unwrap().0);
    env.commit().await.unwrap();
    Firm { engine, clerk }
}

impl Firm {
    pub(super) async fn clerk(&self) -> Env {
        self.engine.begin(self.clerk).await.unwrap()
    }

    pub(super) async fn system(&self) -> Env {
        self.engine.superuser("test").await.unwrap()
    }
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

pub(super) async fn contact(env: &mut Env, values: Json) -> Id {
    let made = call(env, "res.partner", "create", Json::Array(vec![values]), serde_json::json!({})).await;
    Id(made.as_i64().unwrap())
}

pub(super) async fn read(env: &mut Env, id: Id, fields: &[&str]) -> Map<String, Json> {
    let rows = call(env, "res.partner", "read", serde_json::json!([[id], fields]), serde_json::json!({})).await;
    rows[0].as_object().unwrap().clone()
}

/// One field of a contact.
pub(super) async fn get(env: &mut Env, id: Id, field: &str) -> Json {
    read(env, id, &[field]).await[field].clone()
}

pub(super) async fn write(env: &mut Env, id: Id, values: Json) {
    call(env, "res.partner", "write", serde_json::json!([[id], values]), serde_json::json!({})).await;
}
