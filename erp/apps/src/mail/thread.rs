//! What a record with a thread knows of its messages and followers, and what happens to them when it changes.

use std::collections::{BTreeMap, HashMap};

use erp_engine::{
    Domain, Env, Error, Id, Search, Value, Values,
    declare::{Call, Code, Hook, Method, Records, Tracked},
    domain, values,
};
use serde_json::{Value as Json, json};

use super::message::{self, Post};

pub(super) fn code() -> Code {
    Code::new()
        .query("mail.thread_messages", |env, on| Box::pin(lists(env, on, "mail.message", "model", None)))
        .query("mail.thread_followers", |env, on| Box::pin(lists(env, on, "mail.followers", "res_model", None)))
        .query("mail.thread_partners", |env, on| {
            Box::pin(lists(env, on, "mail.followers", "res_model", Some("partner_id")))
        })
        .query("mail.thread_is_follower", |env, on| Box::pin(is_follower(env, on)))
        .query("mail.thread_needaction", |env, on| Box::pin(needaction(env, on)))
        .query("mail.thread_attachment_count", |env, on| Box::pin(attachment_count(env, on)))
        .hook("mail.thread", Hook::AfterCreate(|env, on| Box::pin(created(env, on))))
        .hook("mail.thread", Hook::Tracked(|env, model, changes| Box::pin(tracked(env, model, changes))))
        .hook("mail.thread", Hook::AfterUnlink(|env, on| Box::pin(forget(env, on))))
        .method(
            Method::on_records("mail.thread", "message_subscribe", |env, call| Box::pin(subscribe(env, call)))
                .optional("partner_ids", Json::Null)
                .optional("subtype_ids", Json::Null)
                .doc("Makes contacts follow the records; without subtypes they are told of the default ones."),
        )
        .method(
            Method::on_records("mail.thread", "message_unsubscribe", |env, call| Box::pin(unsubscribe(env, call)))
                .optional("partner_ids", Json::Null)
                .doc("Makes contacts stop following the records."),
        )
}

/// For each record the ids of rows that name it by model and id, or of what a many2one field of them holds.
async fn lists(
    env: &mut Env,
    on: Records<'_>,
    rows: &str,
    model_field: &'static str,
    through: Option<&str>,
) -> Result<Vec<Value>, Error> {
    let domain = of(model_field, on);
    let fields: Vec<&str> = std::iter::once("res_id").chain(through).collect();
    let mut found: HashMap<i64, Vec<Id>> = HashMap::new();
    for row in env.search_read(rows, &domain, &fields, Search::default()).await? {
        let id = match through {
            None => Some(row.id),
            Some(field) => row.get::<Option<Id>>(field)?,
        };
        found.entry(row.get::<i64>("res_id")?).or_default().extend(id);
    }
    Ok(on.ids.iter().map(|id| Value::Ids(found.remove(&id.0).unwrap_or_default())).collect())
}

/// The rows that name these records.
pub(super) fn of(model_field: &'static str, on: Records<'_>) -> Domain {
    let ids: Vec<i64> = on.ids.iter().map(|id| id.0).collect();
    domain!([model_field, "=", on.model], ["res_id", "in", ids])
}

async fn is_follower(env: &mut Env, on: Records<'_>) -> Result<Vec<Value>, Error> {
    let Some(partner) = own_partner(env).await? else { return Ok(vec![false.into(); on.ids.len()]) };
    let domain = of("res_model", on).and(domain!(["partner_id", "=", partner]));
    let found = env.search_read("mail.followers", &domain, &["res_id"], Search::default()).await?;
    let ids: Vec<i64> = found.iter().filter_map(|row| row.get("res_id").ok()).collect();
    Ok(on.ids.iter().map(|id| ids.contains(&id.0).into()).collect())
}

async fn needaction(env: &mut Env, on: Records<'_>) -> Result<Vec<Value>, Error> {
    let Some(partner) = own_partner(env).await? else { return Ok(vec![false.into(); on.ids.len()]) };
    let ids: Vec<i64> = on.ids.iter().map(|id| id.0).collect();
    let unread = domain!(
        ["res_partner_id", "=", partner],
        ["is_read", "=", false],
        ["notification_type", "=", "inbox"],
        ["mail_message_id.model", "=", on.model],
        ["mail_message_id.res_id", "in", ids],
    );
    let found = env.search_read("mail.notification", &unread, &["mail_message_id.res_id"], Search::default()).await?;
    let ids: Vec<i64> = found.iter().filter_map(|row| row.get("mail_message_id.res_id").ok()).collect();
    Ok(on.ids.iter().map(|id| ids.contains(&id.0).into()).collect())
}

async fn attachment_count(env: &mut Env, on: Records<'_>) -> Result<Vec<Value>, Error> {
    // Files of fields are part of the record's form, not of its thread.
    let domain = of("res_model", on).and(domain!(["res_field", "=", false]));
    let found = env.search_read("ir.attachment", &domain, &["res_id"], Search::default()).await?;
    let mut counts: HashMap<i64, i64> = HashMap::new();
    for row in found {
        *counts.entry(row.get("res_id")?).or_default() += 1;
    }
    Ok(on.ids.iter().map(|id| counts.get(&id.0).copied().unwrap_or(0).into()).collect())
}

/// The contact of the user; nothing for the system.
pub(super) async fn own_partner(env: &mut Env) -> Result<Option<Id>, Error> {
    let Some(uid) = env.uid() else { return Ok(None) };
    let mut env = env.sudo("the contact of the user");
    let found = env.read("res.users", &[Id(uid.0)], &["partner_id"]).await?;
    found.first().map(|user| user.get("partner_id")).transpose().map(Option::flatten)
}

/// Who makes a record follows it, and a note says that it was made.
async fn created(env: &mut Env, on: Records<'_>) -> Result<(), Error> {
    let context = env.context();
    if context.flag("tracking_disable") || context.flag("mail_create_nolog") {
        return Ok(());
    }
    let follow = !context.flag("mail_create_nosubscribe");
    let (model, label) = {
        let model = env.registry().model(on.model)?;
        (model.name.to_string(), model.label.clone())
    };
    let author = own_partner(env).await?;
    let mut env = env.sudo("what happens when a record is made");
    if let (true, Some(partner)) = (follow, author) {
        let subtypes = default_subtypes(&mut env, &model).await?;
        let rows = on.ids.iter().map(|id| follower(&model, *id, partner, &subtypes)).collect();
        env.create_if_new("mail.followers", rows).await?;
    }
    let note = env.by_external_id("mail.mt_note").await?;
    let rows = on.ids.iter().map(|id| {
        values! {
            "model" => &model,
            "res_id" => id.0,
            "message_type" => "notification",
            "subtype_id" => note,
            "is_internal" => true,
            "author_id" => author,
            "body" => format!("<p>{} created</p>", message::escaped(&label)),
        }
    });
    env.create_many("mail.message", rows.collect()).await?;
    Ok(())
}

fn follower(model: &str, id: Id, partner: Id, subtypes: &[Id]) -> Values {
    values! { "res_model" => model, "res_id" => id.0, "partner_id" => partner, "subtype_ids" => subtypes.to_vec() }
}

pub(super) async fn default_subtypes(env: &mut Env, model: &str) -> Result<Vec<Id>, Error> {
    let domain = domain!(["default", "=", true], "|", ["res_model", "=", false], ["res_model", "=", model]);
    env.search("mail.message.subtype", &domain, Search::default()).await
}

/// One note for each record: which fields changed from what to what.
async fn tracked(env: &mut Env, model: &str, changes: &[Tracked]) -> Result<(), Error> {
    let registry = env.registry().clone();
    let def = registry.model(model)?;
    let mut by_record: BTreeMap<Id, Vec<&Tracked>> = BTreeMap::new();
    for change in changes {
        by_record.entry(change.id).or_default().push(change);
    }
    let author = own_partner(env).await?;
    let mut env = env.sudo("a note of what changed");
    let names = named(&mut env, def, changes).await?;
    let note = env.by_external_id("mail.mt_note").await?;
    let mut rows = Vec::with_capacity(by_record.len());
    for (id, changes) in by_record {
        rows.push((id, changes));
    }
    let messages = rows.iter().map(|(id, _)| {
        values! {
            "model" => model,
            "res_id" => id.0,
            "message_type" => "notification",
            "subtype_id" => note,
            "is_internal" => true,
            "author_id" => author,
        }
    });
    let ids = env.create_many("mail.message", messages.collect()).await?;
    let mut values = Vec::new();
    for (message, (_, changes)) in ids.into_iter().zip(rows) {
        for change in changes {
            let field = def.field(&change.field)?;
            let shown = |value: &Value| message::shown(field, value, &names);
            values.push(values! {
                "mail_message_id" => message,
                "field_name" => &change.field,
                "field_desc" => &field.label,
                "field_type" => message::type_name(field),
                "old_value" => shown(&change.old),
                "new_value" => shown(&change.new),
                "tracking_sequence" => i64::from(field.tracking.unwrap_or(100)),
            });
        }
    }
    env.create_many("mail.tracking.value", values).await?;
    Ok(())
}

/// Names of the records that tracked many2one fields held and hold.
async fn named(
    env: &mut Env,
    def: &erp_engine::resolve::ModelDef,
    changes: &[Tracked],
) -> Result<HashMap<(String, Id), String>, Error> {
    let mut wanted: BTreeMap<String, Vec<Id>> = BTreeMap::new();
    for change in changes {
        let Some(comodel) = def.field(&change.field)?.kind.comodel() else { continue };
        for value in [&change.old, &change.new] {
            match value {
                Value::Id(id) => wanted.entry(comodel.to_string()).or_default().push(*id),
                Value::Ids(ids) => wanted.entry(comodel.to_string()).or_default().extend(ids),
                _ => {}
            }
        }
    }
    let mut names = HashMap::new();
    for (model, ids) in wanted {
        for (id, name) in message::names(env, &model, &ids).await? {
            names.insert((model.clone(), id), name);
        }
    }
    Ok(names)
}

/// The records are gone, and what was said about them goes along.
async fn forget(env: &mut Env, on: Records<'_>) -> Result<(), Error> {
    let mut env = env.sudo("what was said about deleted records");
    for (rows, field) in [("mail.message", "model"), ("mail.followers", "res_model")] {
        let found = env.search(rows, &of(field, on), Search::default()).await?;
        env.unlink(rows, &found).await?;
    }
    Ok(())
}

async fn subscribe(env: &mut Env, call: Call) -> Result<Json, Error> {
    let partners: Vec<i64> = call.opt("partner_ids")?.unwrap_or_default();
    let subtypes: Option<Vec<i64>> = call.opt("subtype_ids")?;
    message::must_read(env, &call.model, &call.ids).await?;
    let own = own_partner(env).await?;
    if partners.iter().any(|partner| Some(Id(*partner)) != own) {
        message::must_write(env, &call.model, &call.ids).await?;
    }
    let mut env = env.sudo("who follows a record");
    let subtypes = match subtypes {
        Some(subtypes) => subtypes.into_iter().map(Id).collect(),
        None => default_subtypes(&mut env, &call.model).await?,
    };
    for id in &call.ids {
        for partner in &partners {
            let known = domain!(["res_model", "=", &*call.model], ["res_id", "=", id.0], ["partner_id", "=", *partner]);
            match env.search("mail.followers", &known, Search::default()).await?.first() {
                Some(known) => {
                    env.write("mail.followers", &[*known], values! { "subtype_ids" => subtypes.clone() }).await?;
                }
                None => drop(env.create("mail.followers", follower(&call.model, *id, Id(*partner), &subtypes)).await?),
            }
        }
    }
    Ok(json!(true))
}

async fn unsubscribe(env: &mut Env, call: Call) -> Result<Json, Error> {
    let partners: Vec<i64> = call.opt("partner_ids")?.unwrap_or_default();
    message::must_read(env, &call.model, &call.ids).await?;
    let own = own_partner(env).await?;
    if partners.iter().any(|partner| Some(Id(*partner)) != own) {
        message::must_write(env, &call.model, &call.ids).await?;
    }
    let ids: Vec<i64> = call.ids.iter().map(|id| id.0).collect();
    let known = domain!(["res_model", "=", &*call.model], ["res_id", "in", ids], ["partner_id", "in", partners]);
    let mut env = env.sudo("who follows a record");
    let found = env.search("mail.followers", &known, Search::default()).await?;
    env.unlink("mail.followers", &found).await?;
    Ok(json!(true))
}

/// For other apps: a message on a record, as `message_post` makes it.
#[allow(dead_code, reason = "the door for the apps that come")]
pub(crate) async fn post(env: &mut Env, model: &str, id: Id, post: Post) -> Result<Id, Error> {
    message::post(env, model, id, post).await
}
