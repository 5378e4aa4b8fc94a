//! Which type a user is, and the note of who changed users and rights.

use erp_engine::{
    Command, Env, Error, Id, Search, Value, Values,
    declare::{App, Code, Field, Hook, Model, Records},
    domain, values,
};
use serde_json::json;

/// A user is one of these.
const TYPES: [(&str, &str); 3] =
    [("base.group_user", "Internal User"), ("base.group_portal", "Portal"), ("base.group_public", "Public")];

/// What every user may read and write of himself.
pub(super) const OWN: [&str; 9] =
    ["name", "email", "phone", "image_1920", "lang", "tz", "signature", "company_id", "action_id"];

pub(super) fn add(app: App) -> App {
    let mut code = Code::new()
        .hook("res.users", Hook::BeforeCreate(|env, _, rows| Box::pin(internal_unless_said(env, rows))))
        .check("res.users", &["groups_id"], |env, on| Box::pin(one_type(env, on.ids)))
        .check("res.groups", &["users", "implied_ids"], |env, on| Box::pin(one_type_of_members(env, on.ids)));
    for model in ["res.users", "res.groups", "ir.model.access", "ir.rule"] {
        code = code
            .hook(model, Hook::AfterCreate(|env, on| Box::pin(note(env, on, "created", &[]))))
            .hook(model, Hook::AfterWrite(|env, on, fields| Box::pin(note(env, on, "changed", fields))))
            .hook(model, Hook::BeforeUnlink(|env, on| Box::pin(note(env, on, "deleted", &[]))));
    }
    app.model(audit()).code(code)
}

fn audit() -> Model {
    Model::new("ir.audit", "Audit Entry")
        .description("Who changed users, groups and rights")
        .rec_name("action")
        .order("id desc")
        .without_log_access()
        .field(Field::datetime("at").default_now().required().index())
        .field(Field::many2one("user_id", "res.users").label("By").help("Nobody: the system"))
        .field(Field::char_len("model", 64).index())
        .field(Field::integer("res_id").index())
        .field(Field::char_len("action", 64).required())
        .field(Field::char("subject"))
        .field(Field::json("detail"))
}

/// Whom a person makes is internal when nothing else is said.
async fn internal_unless_said(env: &mut Env, rows: &mut [Values]) -> Result<(), Error> {
    if env.uid().is_none() || rows.iter().all(|row| row.get("groups_id").is_some()) {
        return Ok(());
    }
    let Some(internal) = env.sudo("the type of a new user").by_external_id(TYPES[0].0).await? else { return Ok(()) };
    for row in rows.iter_mut().filter(|row| row.get("groups_id").is_none()) {
        row.set("groups_id", vec![Command::Link(internal)]);
    }
    Ok(())
}

async fn one_type_of_members(env: &mut Env, groups: &[Id]) -> Result<(), Error> {
    let found = env.sudo("users of groups").read("res.groups", groups, &["users"]).await?;
    let mut users = Vec::new();
    for group in &found {
        users.extend(group.get::<Vec<Id>>("users")?);
    }
    users.sort_unstable();
    users.dedup();
    one_type(env, &users).await
}

async fn one_type(env: &mut Env, users: &[Id]) -> Result<(), Error> {
    let mut env = env.sudo("types of users");
    let everyone = domain!(["id", "in", users], ["active", "in", [true, false]]);
    let found = env.search_read("res.users", &everyone, &["login", "groups_id"], Search::order("id")).await?;
    for user in &found {
        let groups = env.registry().implied_groups(&user.get::<Vec<Id>>("groups_id")?);
        let mut types = TYPES.iter().filter(|(key, _)| groups.iter().any(|own| own == key));
        if let (Some((_, one)), Some((_, other))) = (types.next(), types.next()) {
            return Err(Error::User(format!(
                "{} cannot be {one} and {other} at once: choose one user type, and no group of an app for those outside",
                user.get_str("login")
            )));
        }
    }
    Ok(())
}

async fn note(env: &mut Env, on: Records<'_>, action: &str, fields: &[String]) -> Result<(), Error> {
    // What the program brings itself is no act of anybody.
    let Some(by) = env.uid() else { return Ok(()) };
    let now = env.now();
    let mut env = env.sudo("audit");
    let name = if on.model == "res.users" { "login" } else { "name" };
    let found = env.read(on.model, on.ids, &[name]).await?;
    let rows = found.iter().map(|record| {
        values! {
            "at" => now,
            "user_id" => by,
            "model" => on.model,
            "res_id" => record.id.0,
            "action" => action,
            "subject" => record.get_str(name),
            "detail" => if fields.is_empty() { Value::Null } else { Value::Json(json!({ "fields": fields })) },
        }
    });
    let rows = rows.collect();
    env.create_many("ir.audit", rows).await.map(drop)
}
