//! Saving a form, and whether somebody else saved the record meanwhile.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::Value as Json;

use super::{
    super::{reading, writing},
    read,
    tree::Tree,
};
use crate::{
    declare::{Call, Done},
    error::Error,
    execute::Env,
    value::{Id, Value},
};

pub(in crate::call) fn web_save(env: &mut Env, mut call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let tree = Tree::parse(call.args.get("specification"))?;
        let next: Option<i64> = call.opt("next_id")?;
        let Some(Json::Object(vals)) = call.args.remove("vals") else { return Err(writing::no_dict("vals")) };
        let registry = env.registry().clone();
        let values = writing::values(&registry, registry.model(&call.model)?, vals)?;
        let mut ids = call.ids.clone();
        if ids.is_empty() {
            ids = vec![env.create(&call.model, values).await?];
        } else if !values.is_empty() {
            check_unchanged(env, &call.model, &ids).await?;
            env.write(&call.model, &ids, values).await?;
        }
        // The form goes on to the next record.
        let shown = next.map_or(ids, |next| vec![Id(next)]);
        read(env, &call.model, &shown, &tree).await
    })
}

/// The context may say when the client read a record: `{"__last_update": {"res.partner,5": "2026-01-31 10:00:00"}}`.
/// Then a record that somebody has changed since is left as it is, and who and when is told.
pub(in crate::call) async fn check_unchanged(env: &mut Env, model: &str, ids: &[Id]) -> Result<(), Error> {
    let known = match env.context().get("__last_update") {
        None | Some(Json::Null | Json::Bool(false)) => return Ok(()),
        Some(known) => known.clone(),
    };
    let registry = env.registry().clone();
    if registry.model(model)?.find("write_date").is_none() {
        return Ok(());
    }
    for id in ids {
        let text = match &known {
            Json::String(text) => Some(text.as_str()),
            Json::Object(all) => {
                let found = all.get(&format!("{model},{id}")).or_else(|| all.get(&id.to_string()));
                found.and_then(Json::as_str)
            }
            _ => None,
        };
        let Some(text) = text else { continue };
        let seen = parse(text).ok_or_else(|| Error::Argument {
            name: "__last_update".to_owned(),
            problem: format!("{:?} is no time, such as 2026-01-31 10:00:00", crate::resolve::shorten(text)),
        })?;
        // Locked until the write, so that two who save at once do not both find it unchanged.
        let record =
            env.sudo("when a record was changed").read_for_update(model, *id, &["write_date", "write_uid"]).await?;
        let Value::DateTime(changed) = record.value("write_date") else { continue };
        let is_later = match text.contains('.') {
            true => *changed > seen,
            // Without a fraction the client knows the second only.
            false => changed.as_second() > seen.as_second(),
        };
        if is_later {
            let by = match record.value("write_uid") {
                Value::Id(id) => Some(*id),
                Value::Int(id) => Some(Id(*id)),
                _ => None,
            };
            let who = who(env, by).await?;
            return Err(Error::Conflict { model: model.to_owned(), id: *id, who, when: shown(env, *changed) });
        }
    }
    Ok(())
}

fn parse(text: &str) -> Option<Timestamp> {
    let at: DateTime = text.trim().trim_end_matches('Z').parse().ok()?;
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

async fn who(env: &mut Env, uid: Option<Id>) -> Result<String, Error> {
    let registry = env.registry().clone();
    let users = registry.principals.as_ref().map(|principals| principals.model.clone());
    let (Some(users), Some(id)) = (users, uid) else { return Ok("the system".to_owned()) };
    let names = reading::names(&mut env.sudo("who changed a record"), &users, &[id]).await?;
    Ok(names.into_iter().next().map_or_else(|| "somebody".to_owned(), |(_, name)| name))
}

/// In the person's own time.
fn shown(env: &Env, at: Timestamp) -> String {
    let zone = env.context().tz.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
    at.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}
