//! An activity's life: made with what its type says, done with a note on the record, followed by the next one.

use erp_engine::{
    Env, Error, Id, Search, Uid, Value, Values,
    declare::{Call, Code, Draft, Hook, Method},
    domain, values,
};
use jiff::civil::Date;
use serde_json::{Value as Json, json};

use super::{
    activity::{later, today},
    message::{self, Post, escaped},
};

pub(super) fn code() -> Code {
    let finish = |name: &str, doc: &'static str, run| {
        Method::on_records("mail.activity", name, run)
            .optional("feedback", Json::Null)
            .optional("attachment_ids", Json::Null)
            .doc(doc)
    };
    Code::new()
        .hook("mail.activity", Hook::BeforeCreate(|env, _, rows| Box::pin(before_create(env, rows))))
        .hook("mail.activity", Hook::AfterCreate(|env, on| Box::pin(assigned(env, on.ids))))
        .hook("mail.activity", Hook::AfterWrite(|env, on, fields| Box::pin(written(env, on.ids, fields))))
        .hook("mail.activity.mixin", Hook::AfterUnlink(|env, on| Box::pin(forget(env, on.model, on.ids))))
        .method(finish(
            "action_feedback",
            "Marks the activities as done, with a remark; answers with the note's message id.",
            |env, call| Box::pin(async move { Ok(json!(finish_all(env, call).await?.message)) }),
        ))
        .method(finish("action_done", "Marks the activities as done.", |env, call| {
            Box::pin(async move { Ok(json!(finish_all(env, call).await?.message)) })
        }))
        .method(finish(
            "action_feedback_schedule_next",
            "Marks one activity as done and answers with what the dialog for the next one begins with.",
            |env, call| Box::pin(schedule_next(env, call)),
        ))
        .method(
            Method::on_records("mail.activity.mixin", "activity_feedback", |env, call| Box::pin(feedback(env, call)))
                .param("act_type_xmlids")
                .optional("user_id", Json::Null)
                .optional("feedback", Json::Null)
                .doc("Marks the records' activities of these types as done."),
        )
        .method(
            Method::on_records("mail.activity.mixin", "activity_unlink", |env, call| Box::pin(drop_them(env, call)))
                .param("act_type_xmlids")
                .optional("user_id", Json::Null)
                .doc("Removes the records' activities of these types without a note."),
        )
        .method(
            Method::on_records("mail.activity.mixin", "activity_reschedule", |env, call| {
                Box::pin(reschedule(env, call))
            })
            .param("act_type_xmlids")
            .optional("user_id", Json::Null)
            .optional("date_deadline", Json::Null)
            .optional("new_user_id", Json::Null)
            .doc("Gives the records' activities of these types another day or another person."),
        )
}

/// What the dialog fills in when a type is chosen.
pub(super) async fn type_chosen(env: &mut Env, draft: &mut Draft) -> Result<(), Error> {
    let Value::Id(kind) = *draft.value("activity_type_id") else { return Ok(()) };
    let mut row = Values::new();
    for field in ["previous_activity_type_id", "date_deadline"] {
        row.set(field, Value::Null);
    }
    from_type(env, kind, &mut row, previous_deadline(env)).await?;
    for (field, value) in row.iter().filter(|(_, value)| !value.is_null()) {
        draft.set(field, value.clone());
    }
    Ok(())
}

/// The deadline of the activity that the new one comes after, as "Done & Schedule Next" hands it on.
fn previous_deadline(env: &Env) -> Option<Date> {
    env.context().get("activity_previous_deadline")?.as_str()?.parse().ok()
}

/// Summary, note, person and day of the type, where nothing was given.
async fn from_type(env: &mut Env, kind: Id, row: &mut Values, previous: Option<Date>) -> Result<(), Error> {
    let fields = ["summary", "default_note", "default_user_id", "delay_count", "delay_unit", "delay_from"];
    let found = env.read("mail.activity.type", &[kind], &fields).await?;
    let Some(found) = found.first() else { return Ok(()) };
    let start = match (found.get_str("delay_from"), previous) {
        ("previous_activity", Some(previous)) => previous,
        _ => today(env).await?,
    };
    let deadline = later(start, found.get::<Option<i64>>("delay_count")?.unwrap_or(0), found.get_str("delay_unit"))?;
    for (field, value) in [
        ("summary", found.value("summary").clone()),
        ("note", found.value("default_note").clone()),
        ("user_id", found.value("default_user_id").clone()),
        ("date_deadline", Value::Date(deadline)),
    ] {
        if row.get(field).is_none_or(Value::is_null) && !value.is_null() {
            row.set(field, value);
        }
    }
    Ok(())
}

async fn before_create(env: &mut Env, rows: &mut Vec<Values>) -> Result<(), Error> {
    for row in rows {
        let kind = match row.get("activity_type_id") {
            Some(Value::Id(id)) => Some(*id),
            Some(Value::Int(id)) => Some(Id(*id)),
            _ => None,
        };
        if let Some(kind) = kind {
            let previous = previous_deadline(env);
            from_type(env, kind, row, previous).await?;
        }
        let model = match row.get("res_model") {
            Some(Value::Text(model)) => model.clone(),
            _ => continue,
        };
        if let Some(Value::Int(id)) = row.get("res_id") {
            let id = Id(*id);
            let name = message::names(env, &model, &[id]).await?.remove(&id);
            row.set("res_name", name);
        }
    }
    Ok(())
}

pub(super) async fn make(env: &mut Env, new: Values) -> Result<Id, Error> {
    env.create("mail.activity", new).await
}

async fn written(env: &mut Env, ids: &[Id], fields: &[String]) -> Result<(), Error> {
    match fields.iter().any(|field| field == "user_id") {
        true => assigned(env, ids).await,
        false => Ok(()),
    }
}

/// Who has something to do must be able to see it. He follows the record, and is told when somebody else gave it to him.
async fn assigned(env: &mut Env, ids: &[Id]) -> Result<(), Error> {
    let quiet = env.context().flag("mail_activity_quick_update") || env.context().flag("tracking_disable");
    let own = env.uid().map(|uid| Id(uid.0));
    let author = super::thread::own_partner(env).await?;
    let fields = [
        "res_model",
        "res_id",
        "summary",
        "date_deadline",
        "activity_type_id.name",
        "user_id",
        "user_id.name",
        "user_id.partner_id",
    ];
    let found = env.sudo("who has something to do").read("mail.activity", ids, &fields).await?;
    for activity in found {
        let Some(user) = activity.get::<Option<Id>>("user_id")? else { continue };
        let (model, record) = (activity.get_str("res_model"), Id(activity.get("res_id")?));
        if Some(user) != own {
            let seen = match env.rights_of(Uid(user.0)).await {
                Ok(mut theirs) => message::must_read(&mut theirs, model, &[record]).await.is_ok(),
                // Of somebody made in this transaction, or archived, nothing is known.
                Err(Error::NoSuchUser(_)) => true,
                Err(error) => return Err(error),
            };
            if !seen {
                return Err(Error::User(format!(
                    "{} may not read this record: assign the activity to somebody who may, or give him the right",
                    activity.get_str("user_id.name")
                )));
            }
        }
        let Some(partner) = activity.get::<Option<Id>>("user_id.partner_id")? else { continue };
        let mut env = env.sudo("who has something to do follows the record");
        super::thread::follow(&mut env, model, record, &[partner]).await?;
        if quiet || Some(user) == own {
            continue;
        }
        let more = [
            ("ctx.activity", activity.get_str("activity_type_id.name").to_owned()),
            ("ctx.summary", activity.get_str("summary").to_owned()),
            ("ctx.due", activity.get::<Date>("date_deadline")?.to_string()),
        ];
        message::assigned(&mut env, model, record, partner, author, "mail.activity_assigned_template", &more).await?;
    }
    Ok(())
}

#[derive(Default)]
struct Finished {
    /// Of the last one.
    message: Option<Id>,
}

async fn finish_all(env: &mut Env, call: Call) -> Result<Finished, Error> {
    let feedback: Option<String> = call.opt("feedback")?;
    let attachments: Vec<i64> = call.opt("attachment_ids")?.unwrap_or_default();
    let attachments: Vec<Id> = attachments.into_iter().map(Id).collect();
    finish(env, &call.ids, feedback.as_deref(), &attachments).await
}

/// A note says what was done, the activity goes, and the one that its type triggers comes.
async fn finish(env: &mut Env, ids: &[Id], feedback: Option<&str>, attachments: &[Id]) -> Result<Finished, Error> {
    let fields = [
        "res_model",
        "res_id",
        "summary",
        "note",
        "date_deadline",
        "user_id",
        "user_id.name",
        "activity_type_id",
        "activity_type_id.name",
        "activity_type_id.chaining_type",
        "activity_type_id.triggered_next_type_id",
        "attachment_ids",
    ];
    let mut finished = Finished::default();
    let author = super::thread::own_partner(env).await?;
    let subtype = env.sudo("the subtype of finished activities").by_external_id("mail.mt_activities").await?;
    for activity in env.read("mail.activity", ids, &fields).await? {
        let model = activity.get_str("res_model").to_owned();
        let record = Id(activity.get("res_id")?);
        let mut body = format!("<p><b>{} done</b>", escaped(activity.get_str("activity_type_id.name")));
        if !activity.get_str("summary").is_empty() {
            body += &format!(": {}", escaped(activity.get_str("summary")));
        }
        body += &format!(" ({})</p>", escaped(activity.get_str("user_id.name")));
        if !activity.get_str("note").is_empty() {
            body += &format!("<div>{}</div>", activity.get_str("note"));
        }
        for line in feedback.unwrap_or_default().lines() {
            body += &format!("<p>{}</p>", escaped(line));
        }
        let mut files: Vec<Id> = activity.get("attachment_ids").unwrap_or_default();
        files.extend(attachments);
        let post = Post {
            body,
            message_type: "notification".to_owned(),
            subtype,
            attachments: files,
            author,
            activity_type: activity.get("activity_type_id")?,
            ..Post::default()
        };
        finished.message = Some(message::post(env, &model, record, post).await?);
        // The note first: were the activity gone, nobody could say what was done.
        env.unlink("mail.activity", &[activity.id]).await?;
        let triggered = activity.get::<Option<Id>>("activity_type_id.triggered_next_type_id")?;
        if let ("trigger", Some(kind)) = (activity.get_str("activity_type_id.chaining_type"), triggered) {
            let mut row = values! {
                "res_model" => &model, "res_id" => record.0, "activity_type_id" => kind,
                "previous_activity_type_id" => activity.value("activity_type_id").clone(), "automated" => true,
            };
            from_type(env, kind, &mut row, activity.get("date_deadline")?).await?;
            if row.get("user_id").is_none_or(Value::is_null) {
                row.set("user_id", activity.value("user_id").clone());
            }
            make(env, row).await?;
        }
    }
    Ok(finished)
}

async fn schedule_next(env: &mut Env, call: Call) -> Result<Json, Error> {
    let id = call.one()?;
    let fields = [
        "res_model",
        "res_id",
        "date_deadline",
        "activity_type_id",
        "activity_type_id.chaining_type",
        "activity_type_id.suggested_next_type_ids",
    ];
    let found = env.read("mail.activity", &[id], &fields).await?;
    let Some(before) = found.into_iter().next() else { return Ok(json!(false)) };
    finish_all(env, call).await?;
    if before.get_str("activity_type_id.chaining_type") == "trigger" {
        return Ok(json!(false));
    }
    let suggested: Vec<Id> = before.get("activity_type_id.suggested_next_type_ids").unwrap_or_default();
    // The one suggestion there is comes first; of several the person picks.
    let first = if suggested.len() == 1 { json!(suggested[0]) } else { json!(false) };
    Ok(json!({
        "type": "ir.actions.act_window",
        "name": "Schedule an Activity",
        "res_model": "mail.activity",
        "view_mode": "form",
        "views": [[false, "form"]],
        "target": "new",
        "context": {
            "default_previous_activity_type_id": before.value("activity_type_id"),
            "default_activity_type_id": first,
            "recommended_activity_type_ids": suggested,
            "activity_previous_deadline": before.value("date_deadline"),
            "default_res_id": before.value("res_id"),
            "default_res_model": before.value("res_model"),
        },
    }))
}

/// The records' activities of the types named, of one user if so asked.
async fn named(env: &mut Env, call: &Call) -> Result<Vec<Id>, Error> {
    let names: Vec<String> = call.arg("act_type_xmlids")?;
    let mut types = Vec::new();
    for name in names {
        types.extend(env.by_external_id(&name).await?);
    }
    let ids: Vec<i64> = call.ids.iter().map(|id| id.0).collect();
    let mut domain =
        domain!(["res_model", "=", &*call.model], ["res_id", "in", ids], ["activity_type_id", "in", &types]);
    if let Some(user) = call.opt::<i64>("user_id")? {
        domain = domain.and(domain!(["user_id", "=", Id(user)]));
    }
    env.search("mail.activity", &domain, Search::default()).await
}

async fn feedback(env: &mut Env, call: Call) -> Result<Json, Error> {
    let found = named(env, &call).await?;
    let feedback: Option<String> = call.opt("feedback")?;
    finish(env, &found, feedback.as_deref(), &[]).await?;
    Ok(json!(true))
}

async fn drop_them(env: &mut Env, call: Call) -> Result<Json, Error> {
    let found = named(env, &call).await?;
    env.unlink("mail.activity", &found).await?;
    Ok(json!(true))
}

async fn reschedule(env: &mut Env, call: Call) -> Result<Json, Error> {
    let found = named(env, &call).await?;
    let mut new = Values::new();
    if let Some(day) = call.opt::<String>("date_deadline")? {
        new.set("date_deadline", day);
    }
    if let Some(user) = call.opt::<i64>("new_user_id")? {
        new.set("user_id", Id(user));
    }
    if !new.is_empty() && !found.is_empty() {
        env.write("mail.activity", &found, new).await?;
    }
    Ok(json!(found))
}

async fn forget(env: &mut Env, model: &str, ids: &[Id]) -> Result<(), Error> {
    let mut env = env.sudo("activities of deleted records");
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let found = env
        .search("mail.activity", &domain!(["res_model", "=", model], ["res_id", "in", ids]), Search::default())
        .await?;
    env.unlink("mail.activity", &found).await
}
