//! Posting a message: the row, who is told, and by what way.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::atomic::{AtomicU64, Ordering},
};

use erp_engine::{
    Env, Error, Id, Operation, Search,
    declare::{Call, Code, Method},
    domain, values,
};
use serde_json::{Value as Json, json};

use super::{
    outgoing,
    thread::{self, own_partner},
};

/// Tells messages of one transaction apart.
static POSTED: AtomicU64 = AtomicU64::new(0);

/// Message-Ids of earlier messages that a mail names.
const ANCESTORS: u64 = 5;

pub(super) fn code() -> Code {
    Code::new()
        .method(
            Method::on_records("mail.thread", "message_post", |env, call| Box::pin(message_post(env, call)))
                .optional("body", "")
                .optional("subject", Json::Null)
                .optional("message_type", "notification")
                .optional("email_from", Json::Null)
                .optional("author_id", Json::Null)
                .optional("parent_id", Json::Null)
                .optional("subtype_xmlid", Json::Null)
                .optional("subtype_id", Json::Null)
                .optional("partner_ids", Json::Null)
                .optional("attachments", Json::Null)
                .optional("attachment_ids", Json::Null)
                .optional("body_is_html", false)
                .doc("Posts a message on one record and tells its followers; answers with the message's id."),
        )
        .method(
            Method::on_records("mail.thread", "message_fetch", |env, call| Box::pin(fetch(env, call)))
                .optional("limit", 30)
                .optional("before", Json::Null)
                .readonly()
                .doc("The record's messages, newest first, as its chatter shows them."),
        )
        .method(
            Method::on_records("mail.message", "set_message_done", |env, call| Box::pin(done(env, call)))
                .doc("Takes the messages out of one's inbox."),
        )
        .method(
            Method::on_records("mail.message", "mark_all_as_read", |env, call| Box::pin(done(env, call)))
                .doc("The same for all messages when none is named."),
        )
}

/// What is posted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Post {
    /// HTML; made harmless when it is stored.
    pub(crate) body: String,
    pub(crate) subject: Option<String>,
    /// `comment`, `notification`, `email` or `user_notification`.
    pub(crate) message_type: String,
    /// A note where there is none.
    pub(crate) subtype: Option<Id>,
    pub(crate) parent: Option<Id>,
    pub(crate) partners: Vec<Id>,
    pub(crate) attachments: Vec<Id>,
    pub(crate) author: Option<Id>,
    pub(crate) email_from: Option<String>,
    pub(crate) activity_type: Option<Id>,
}

async fn message_post(env: &mut Env, call: Call) -> Result<Json, Error> {
    let id = call.one()?;
    must_write(env, &call.model, &[id]).await?;
    let text: String = call.opt("body")?.unwrap_or_default();
    // As Odoo 16 does: what comes over the API is HTML already.
    let body = if text.contains('<') || call.arg::<bool>("body_is_html").unwrap_or(false) {
        text
    } else {
        text.lines().map(|line| format!("<p>{}</p>", escaped(line))).collect()
    };
    let subtype = match (call.opt::<i64>("subtype_id")?, call.opt::<String>("subtype_xmlid")?) {
        (Some(id), _) => Some(Id(id)),
        (None, Some(name)) => {
            let name = if name.contains('.') { name } else { format!("mail.{name}") };
            let found = env.sudo("the subtype of a message").by_external_id(&name).await?;
            Some(found.ok_or_else(|| Error::User(format!("there is no message subtype {name}")))?)
        }
        (None, None) => None,
    };
    let own = own_partner(env).await?;
    let author = call.opt::<i64>("author_id")?.map(Id);
    if author.is_some() && author != own && !env.has_group("base.group_system") {
        return Err(Error::User("a message cannot be posted in somebody else's name".to_owned()));
    }
    let mut attachments: Vec<Id> =
        call.opt::<Vec<i64>>("attachment_ids")?.unwrap_or_default().into_iter().map(Id).collect();
    for (name, content) in call.opt::<Vec<(String, String)>>("attachments")?.unwrap_or_default() {
        let content = data_encoding::BASE64
            .decode(content.as_bytes())
            .map_err(|_| Error::User(format!("the attachment {name} is not base64")))?;
        let new = values! { "name" => name, "datas" => content, "res_model" => &*call.model, "res_id" => id.0 };
        attachments.push(env.create("ir.attachment", new).await?);
    }
    // A mail would carry them to people outside.
    must_read(env, "ir.attachment", &attachments).await?;
    let post = Post {
        body,
        subject: call.opt("subject")?,
        message_type: call.opt("message_type")?.unwrap_or_else(|| "notification".to_owned()),
        subtype,
        parent: call.opt::<i64>("parent_id")?.map(Id),
        partners: call.opt::<Vec<i64>>("partner_ids")?.unwrap_or_default().into_iter().map(Id).collect(),
        attachments,
        author: author.or(own),
        email_from: call.opt("email_from")?,
        activity_type: None,
    };
    Ok(json!(self::post(env, &call.model, id, post).await?.0))
}

/// Stores the message and tells who is to be told. Needs the right to read the record; so does a comment of a portal
/// user on what he may see.
pub(crate) async fn post(env: &mut Env, model: &str, id: Id, post: Post) -> Result<Id, Error> {
    must_read(env, model, &[id]).await?;
    let mut env = env.sudo("a message and who is told of it");
    let subtype = match post.subtype {
        Some(subtype) => Some(subtype),
        None => env.by_external_id("mail.mt_note").await?,
    };
    let internal = match subtype {
        Some(subtype) => {
            let found = env.read("mail.message.subtype", &[subtype], &["internal"]).await?;
            found.first().map(|found| found.get::<bool>("internal")).transpose()?.unwrap_or(false)
        }
        None => true,
    };
    let record_name = names(&mut env, model, &[id]).await?.remove(&id).unwrap_or_default();
    let email_from = match (&post.email_from, post.author) {
        (Some(from), _) => Some(from.clone()),
        (None, Some(author)) => {
            let found = env.read("res.partner", &[author], &["email_formatted"]).await?;
            found.first().map(|found| found.get_str("email_formatted").to_owned()).filter(|from| !from.is_empty())
        }
        (None, None) => None,
    };
    let host = outgoing::host(&mut env).await?;
    let count = POSTED.fetch_add(1, Ordering::Relaxed);
    let token = format!("<{}.{count}.{}-{model}@{host}>", env.now().as_microsecond(), id.0);
    let new = values! {
        "model" => model,
        "res_id" => id.0,
        "record_name" => &record_name,
        "subject" => post.subject.clone(),
        "body" => &post.body,
        "message_type" => &post.message_type,
        "subtype_id" => subtype,
        "is_internal" => internal,
        "parent_id" => post.parent,
        "partner_ids" => post.partners.clone(),
        "attachment_ids" => post.attachments.clone(),
        "author_id" => post.author,
        "email_from" => email_from.clone(),
        "message_id" => token,
        "mail_activity_type_id" => post.activity_type,
    };
    let message = env.create("mail.message", new).await?;
    if !post.attachments.is_empty() {
        let homeless = domain!(["id", "in", &post.attachments], ["res_id", "in", [0i64]]);
        env.write_where("ir.attachment", &homeless, values! { "res_model" => model, "res_id" => id.0 }).await?;
    }
    let mut told: BTreeSet<Id> = post.partners.iter().copied().collect();
    if let Some(subtype) = subtype {
        let following = domain!(["res_model", "=", model], ["res_id", "=", id.0], ["subtype_ids", "in", [subtype]]);
        for row in env.search_read("mail.followers", &following, &["partner_id"], Search::default()).await? {
            told.extend(row.get::<Option<Id>>("partner_id")?);
        }
    }
    told.retain(|partner| Some(*partner) != post.author);
    // Who takes part in a conversation hears of its answers.
    let by_hand = matches!(post.message_type.as_str(), "comment" | "email");
    if let (Some(author), true, false) = (post.author, by_hand, env.context().flag("mail_create_nosubscribe")) {
        thread::follow(&mut env, model, id, &[author]).await?;
    }
    if env.context().flag("mail_post_autofollow") && by_hand {
        thread::follow(&mut env, model, id, &post.partners).await?;
    }
    tell(&mut env, message, &told, internal, &record_name, &post, email_from).await?;
    Ok(message)
}

/// A user who reads in the ERP gets it there, everybody else by mail, in his language.
async fn tell(
    env: &mut Env,
    message: Id,
    told: &BTreeSet<Id>,
    internal: bool,
    record_name: &str,
    post: &Post,
    email_from: Option<String>,
) -> Result<(), Error> {
    let told: Vec<Id> = told.iter().copied().collect();
    if told.is_empty() {
        return Ok(());
    }
    let users = env
        .search_read(
            "res.users",
            &domain!(["partner_id", "in", &told], ["active", "=", true]),
            &["partner_id", "notification_type", "share"],
            Search::default(),
        )
        .await?;
    let mut inbox = Vec::new();
    let mut employees = BTreeSet::new();
    for user in &users {
        let partner: Id = user.get("partner_id")?;
        if !user.get::<bool>("share")? {
            employees.insert(partner);
            if user.get_str("notification_type") == "inbox" {
                inbox.push(partner);
            }
        }
    }
    let partners = env.read("res.partner", &told, &["email_formatted", "lang"]).await?;
    let mut by_language: BTreeMap<String, Vec<(Id, String)>> = BTreeMap::new();
    let mut notifications = Vec::new();
    for partner in &partners {
        if inbox.contains(&partner.id) {
            notifications.push(values! {
                "mail_message_id" => message, "res_partner_id" => partner.id,
                "notification_type" => "inbox", "notification_status" => "sent",
            });
        } else if internal && !employees.contains(&partner.id) {
            // A note is for the people of the house, whoever follows the record.
        } else if !partner.get_str("email_formatted").is_empty() {
            let language = partner.get_str("lang").to_owned();
            by_language.entry(language).or_default().push((partner.id, partner.get_str("email_formatted").to_owned()));
        }
    }
    let references = if by_language.is_empty() { String::new() } else { ancestors(env, message).await? };
    for (language, recipients) in by_language {
        let subject = post.subject.clone().unwrap_or_else(|| format!("Re: {record_name}"));
        let mail = outgoing::Mail {
            subject,
            email_from: email_from.clone(),
            message,
            language,
            references: references.clone(),
            attachments: post.attachments.clone(),
        };
        for (partner, address) in recipients {
            let queued = outgoing::queue(env, &mail, &post.body, record_name, partner, &address).await?;
            notifications.push(values! {
                "mail_message_id" => message, "res_partner_id" => partner, "mail_mail_id" => queued,
                "notification_type" => "email", "notification_status" => "ready", "is_read" => true,
            });
        }
    }
    env.create_if_new("mail.notification", notifications).await?;
    Ok(())
}

/// Message-Ids of what was said on the record before, oldest first: RFC 5322, section 3.6.4.
async fn ancestors(env: &mut Env, message: Id) -> Result<String, Error> {
    let found = env.read("mail.message", &[message], &["model", "res_id", "parent_id.message_id"]).await?;
    let Some(own) = found.first() else { return Ok(String::new()) };
    let before = domain!(
        ["model", "=", own.get_str("model")],
        ["res_id", "=", own.get::<i64>("res_id")?],
        ["id", "<", message.0],
        ["message_type", "in", ["comment", "email"]],
        ["message_id", "!=", false],
    );
    let latest = Search::order("id desc").limit(ANCESTORS);
    let mut ids: Vec<String> = Vec::new();
    for row in env.search_read("mail.message", &before, &["message_id"], latest).await?.iter().rev() {
        ids.push(row.get_str("message_id").to_owned());
    }
    // What it answers stands last.
    let parent = own.get_str("parent_id.message_id");
    if !parent.is_empty() {
        ids.retain(|id| id != parent);
        ids.push(parent.to_owned());
    }
    Ok(ids.join(" "))
}

/// Tells a contact, in his language, that something on a record was given to him.
pub(super) async fn assigned(
    env: &mut Env,
    model: &str,
    id: Id,
    partner: Id,
    author: Option<Id>,
    template: &str,
    more: &[(&str, String)],
) -> Result<(), Error> {
    let found = env.read("res.partner", &[partner], &["lang"]).await?;
    let language = found.first().map(|partner| partner.get_str("lang").to_owned()).unwrap_or_default();
    let label = env.registry().model(model)?.label.clone();
    let name = names(env, model, &[id]).await?.remove(&id).unwrap_or_default();
    let mut told = BTreeMap::from([("ctx.record_name", name), ("ctx.model", label)]);
    told.extend(more.iter().map(|(name, text)| (*name, text.clone())));
    let (subject, body) = outgoing::rendered(env, template, &language, &told).await?;
    let post = Post {
        body,
        subject: Some(subject),
        message_type: "user_notification".to_owned(),
        partners: vec![partner],
        author,
        ..Post::default()
    };
    self::post(env, model, id, post).await.map(drop)
}

async fn fetch(env: &mut Env, call: Call) -> Result<Json, Error> {
    let id = call.one()?;
    let limit: u64 = call.opt("limit")?.unwrap_or(30);
    let mut domain = domain!(["model", "=", &*call.model], ["res_id", "=", id.0]);
    if let Some(before) = call.opt::<i64>("before")? {
        domain = domain.and(domain!(["id", "<", before]));
    }
    let fields = [
        "date",
        "subject",
        "body",
        "message_type",
        "subtype_id.name",
        "is_internal",
        "author_id",
        "author_id.complete_name",
        "email_from",
        "attachment_ids",
        "parent_id",
    ];
    let messages = env.search_read("mail.message", &domain, &fields, Search::order("id desc").limit(limit)).await?;
    let ids: Vec<Id> = messages.iter().map(|message| message.id).collect();
    let mut values = env
        .sudo("what changed, as far as the reader may see the fields")
        .search_read(
            "mail.tracking.value",
            &domain!(["mail_message_id", "in", &ids]),
            &["mail_message_id", "field_name", "field_desc", "old_value", "new_value"],
            Search::default(),
        )
        .await?;
    values.retain(|value| env.may_read(&call.model, value.get_str("field_name")));
    let files = env
        .search_read(
            "ir.attachment",
            &domain!([
                "id",
                "in",
                messages.iter().filter_map(|m| m.get::<Vec<Id>>("attachment_ids").ok()).flatten().collect::<Vec<Id>>()
            ]),
            &["name", "mimetype", "file_size"],
            Search::default(),
        )
        .await?;
    let shown = messages.iter().map(|message| {
        let of_it = |value: &&erp_engine::Record| *value.value("mail_message_id") == message.id.into();
        let attached: Vec<Id> = message.get("attachment_ids").unwrap_or_default();
        json!({
            "id": message.id,
            "date": message.value("date"),
            "subject": message.value("subject"),
            "body": message.value("body"),
            "message_type": message.value("message_type"),
            "subtype": message.value("subtype_id.name"),
            "is_internal": message.value("is_internal"),
            "author": { "id": message.value("author_id"), "name": message.value("author_id.complete_name") },
            "email_from": message.value("email_from"),
            "parent_id": message.value("parent_id"),
            "attachments": files.iter().filter(|file| attached.contains(&file.id)).collect::<Vec<_>>(),
            "tracking": values.iter().filter(of_it).map(|value| json!({
                "field": value.value("field_name"),
                "label": value.value("field_desc"),
                "old": value.value("old_value"),
                "new": value.value("new_value"),
            })).collect::<Vec<_>>(),
        })
    });
    Ok(Json::Array(shown.collect()))
}

async fn done(env: &mut Env, call: Call) -> Result<Json, Error> {
    let Some(partner) = own_partner(env).await? else { return Ok(json!(true)) };
    let mut domain = domain!(["res_partner_id", "=", partner], ["is_read", "=", false]);
    if !call.ids.is_empty() {
        domain = domain.and(domain!(["mail_message_id", "in", &call.ids]));
    }
    let now = env.now();
    let mut env = env.sudo("what one has read");
    env.write_where("mail.notification", &domain, values! { "is_read" => true, "read_date" => now }).await?;
    Ok(json!(true))
}

pub(super) async fn must_read(env: &mut Env, model: &str, ids: &[Id]) -> Result<(), Error> {
    env.check_access(model, ids, Operation::Read).await
}

pub(super) async fn must_write(env: &mut Env, model: &str, ids: &[Id]) -> Result<(), Error> {
    env.check_access(model, ids, Operation::Write).await
}

/// What people call these records.
pub(super) async fn names(env: &mut Env, model: &str, ids: &[Id]) -> Result<HashMap<Id, String>, Error> {
    let field = env.registry().model(model)?.rec_name.clone();
    let Some(field) = field else {
        return Ok(ids.iter().map(|id| (*id, format!("{model},{id}"))).collect());
    };
    let context = env.context().clone();
    env.set_context(context.clone().with("active_test", false));
    let found = env.search_read(model, &domain!(["id", "in", ids]), &[&field], Search::default()).await;
    env.set_context(context);
    Ok(found?.iter().map(|record| (record.id, record.get_str(&field).to_owned())).collect())
}

/// Plain text inside HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
