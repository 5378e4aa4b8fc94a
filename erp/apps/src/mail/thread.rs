//! What a record with a thread knows of its messages and followers, and what happens to them when it changes.

use std::collections::{BTreeMap, HashMap};

use erp_engine::{
    Domain, Env, Error, Id, Op, Operand, Question, Search, Value, Values,
    declare::{Call, Code, Hook, Method, Records, Tracked},
    domain, values,
};
use serde_json::{Value as Json, json};

use super::{
    message::{self, Post},
    tracking,
};

pub(super) fn code() -> Code {
    Code::new()
        .query("mail.thread_partners", |env, on| Box::pin(partners(env, on)))
        .query("mail.thread_is_follower", |env, on| Box::pin(is_follower(env, on)))
        .query("mail.thread_needaction", |env, on| Box::pin(needaction(env, on)))
        .query("mail.thread_attachment_count", |env, on| Box::pin(attachment_count(env, on)))
        .search("mail.thread", "message_partner_ids", |_, op, operand| {
            Box::pin(async move { Ok(Domain::leaf("message_follower_ids.partner_id", op, operand)) })
        })
        .search("mail.thread", "message_is_follower", |env, op, operand| {
            Box::pin(async move {
                let own = own_partner(env).await?;
                yes_or_no("message_is_follower", op, &operand, domain!(["message_follower_ids.partner_id", "=", own]))
            })
        })
        .search("mail.thread", "message_needaction", |env, op, operand| {
            Box::pin(async move {
                let unread = unread(own_partner(env).await?);
                let unread = Domain::leaf("message_ids.notification_ids", Op::Any, Operand::Domain(Box::new(unread)));
                yes_or_no("message_needaction", op, &operand, unread)
            })
        })
        .hook("mail.thread", Hook::AfterCreate(|env, on| Box::pin(created(env, on))))
        .hook("mail.thread", Hook::AfterWrite(|env, on, fields| Box::pin(written(env, on, fields))))
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

/// The contacts that follow each record.
async fn partners(env: &mut Env, on: Records<'_>) -> Result<Vec<Value>, Error> {
    let mut found: HashMap<i64, Vec<Id>> = HashMap::new();
    let fields = ["res_id", "partner_id"];
    for row in env.search_read("mail.followers", &of("res_model", on), &fields, Search::default()).await? {
        found.entry(row.get::<i64>("res_id")?).or_default().extend(row.get::<Option<Id>>("partner_id")?);
    }
    Ok(on.ids.iter().map(|id| Value::Ids(found.remove(&id.0).unwrap_or_default())).collect())
}

/// A search on a field that is true for the records of a domain.
pub(super) fn yes_or_no(field: &str, op: Op, operand: &Operand, yes: Domain) -> Result<Domain, Error> {
    let wanted = |value: &Value| *value == true.into();
    match (op, operand) {
        (Op::Eq, Operand::One(value)) => Ok(if wanted(value) { yes } else { !yes }),
        (Op::Ne, Operand::One(value)) => Ok(if wanted(value) { !yes } else { yes }),
        (Op::In, Operand::Many(values)) => {
            let no = if values.iter().any(|value| !wanted(value)) { !yes.clone() } else { Domain::False };
            Ok(if values.iter().any(wanted) { yes.or(no) } else { no })
        }
        _ => Err(Error::User(format!("{field} is true or false: search it by =, != or in"))),
    }
}

/// What a contact has in his inbox and has not read.
fn unread(partner: Option<Id>) -> Domain {
    domain!(["res_partner_id", "=", partner], ["is_read", "=", false], ["notification_type", "=", "inbox"])
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
    let about = domain!(["mail_message_id.model", "=", on.model], ["mail_message_id.res_id", "in", ids]);
    let unread = unread(Some(partner)).and(about);
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
    let mut question = Question::new("the contact of a user", uid.0.to_string(), &["res.users"]);
    if let Some(known) = env.recall(&mut question) {
        return Ok(known);
    }
    let mut env = env.sudo("the contact of the user");
    let found = env.read("res.users", &[Id(uid.0)], &["partner_id"]).await?;
    let partner: Option<Id> = found.first().map(|user| user.get("partner_id")).transpose()?.flatten();
    Ok(env.remember(question, partner))
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
    follow_responsible(&mut env, on, author).await
}

/// Who becomes responsible for a record follows it and is told.
async fn written(env: &mut Env, on: Records<'_>, fields: &[String]) -> Result<(), Error> {
    if env.context().flag("tracking_disable") || !fields.iter().any(|field| field == RESPONSIBLE) {
        return Ok(());
    }
    let author = own_partner(env).await?;
    follow_responsible(&mut env.sudo("who is responsible for a record"), on, author).await
}

/// The field that says who is responsible for a record, where a model has it and tracks it.
const RESPONSIBLE: &str = "user_id";

async fn follow_responsible(env: &mut Env, on: Records<'_>, author: Option<Id>) -> Result<(), Error> {
    let named = {
        let model = env.registry().model(on.model)?;
        let responsible = model.field(RESPONSIBLE).ok().filter(|field| field.tracking.is_some());
        responsible.is_some_and(|field| field.kind.comodel().is_some_and(|comodel| &**comodel == "res.users"))
    };
    if !named || env.context().flag("mail_auto_subscribe_no_notify") {
        return Ok(());
    }
    for record in env.read(on.model, on.ids, &["user_id.partner_id"]).await? {
        let Some(partner) = record.get::<Option<Id>>("user_id.partner_id")? else { continue };
        follow(env, on.model, record.id, &[partner]).await?;
        if Some(partner) != author {
            message::assigned(env, on.model, record.id, partner, author, "mail.assigned_template", &[]).await?;
        }
    }
    Ok(())
}

fn follower(model: &str, id: Id, partner: Id, subtypes: &[Id]) -> Values {
    values! { "res_model" => model, "res_id" => id.0, "partner_id" => partner, "subtype_ids" => subtypes.to_vec() }
}

/// They are told of the default subtypes; who follows already goes on as he chose.
pub(super) async fn follow(env: &mut Env, model: &str, id: Id, partners: &[Id]) -> Result<(), Error> {
    let subtypes = default_subtypes(env, model).await?;
    let rows = partners.iter().map(|partner| follower(model, id, *partner, &subtypes)).collect();
    env.create_if_new("mail.followers", rows).await.map(drop)
}

pub(super) async fn default_subtypes(env: &mut Env, model: &str) -> Result<Vec<Id>, Error> {
    let mut question = Question::new("subtypes that followers begin with", model, &["mail.message.subtype"]);
    if let Some(known) = env.recall(&mut question) {
        return Ok(known);
    }
    let domain = domain!(["default", "=", true], "|", ["res_model", "=", false], ["res_model", "=", model]);
    let found = env.search("mail.message.subtype", &domain, Search::default()).await?;
    Ok(env.remember(question, found))
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
    let names = tracking::named(&mut env, def, changes).await?;
    let currencies = tracking::currencies(&mut env, def, changes).await?;
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
            let currency = currencies.get(&(change.id, change.field.clone())).copied();
            let mut row = values! {
                "mail_message_id" => message,
                "field_name" => &change.field,
                "field_desc" => &field.label,
                "field_type" => tracking::type_name(field),
                "tracking_sequence" => i64::from(field.tracking.unwrap_or(100)),
                "currency_id" => currency,
            };
            tracking::put(&mut row, "old", field, &change.old, &names);
            tracking::put(&mut row, "new", field, &change.new, &names);
            values.push(row);
        }
    }
    env.create_many("mail.tracking.value", values).await?;
    Ok(())
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
