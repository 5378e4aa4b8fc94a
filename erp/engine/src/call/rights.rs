//! What the user may do, asked beforehand; and who he is.

use serde_json::{Map, Value as Json};

use crate::{
    declare::{Call, Done},
    error::{Error, Operation},
    execute::Env,
    value::Id,
};

fn operation(call: &Call, name: &str) -> Result<Operation, Error> {
    let sent: String = call.arg(name)?;
    match sent.as_str() {
        "read" => Ok(Operation::Read),
        "write" => Ok(Operation::Write),
        "create" => Ok(Operation::Create),
        "unlink" => Ok(Operation::Unlink),
        _ => Err(Error::Argument {
            name: name.to_owned(),
            problem: "it must be read, write, create or unlink".to_owned(),
        }),
    }
}

/// A right that is missing: false, or an error where the caller wants one.
fn answer(checked: Result<(), Error>, raise: bool) -> Result<Json, Error> {
    match checked {
        Ok(()) => Ok(true.into()),
        Err(Error::AccessDenied { .. }) if !raise => Ok(false.into()),
        Err(error) => Err(error),
    }
}

fn raises(call: &Call) -> bool {
    !matches!(call.args.get("raise_exception"), Some(Json::Bool(false) | Json::Null))
}

pub(super) fn check_access_rights(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let operation = operation(&call, "operation")?;
        answer(env.check_right(&call.model, operation), raises(&call))
    })
}

/// `ir.model.access.check(model, mode)`.
pub(super) fn access_check(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let model: String = call.arg("model")?;
        let operation = operation(&call, "mode")?;
        answer(env.check_right(&model, operation), raises(&call))
    })
}

pub(super) fn check_access_rule(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let operation = operation(&call, "operation")?;
        env.check_access(&call.model, &call.ids, operation).await?;
        Ok(Json::Null)
    })
}

pub(super) fn has_access(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let operation = operation(&call, "operation")?;
        let checked = env.check_access(&call.model, &call.ids, operation).await;
        answer(checked, false)
    })
}

/// `res.users.context_get`: what clients send back as context.
pub(super) fn context_get(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let mut answer = Map::new();
        let registry = env.registry().clone();
        let model = registry.model(&call.model)?;
        let kept: Vec<&str> = ["lang", "tz"].into_iter().filter(|name| model.find(name).is_some()).collect();
        if let Some(uid) = env.uid() {
            let found = match kept.is_empty() {
                true => Vec::new(),
                false => env.sudo("a user's own language").read(&call.model, &[Id(uid.0)], &kept).await?,
            };
            let text = |name: &str| found.first().map_or("", |user| user.get_str(name)).to_owned();
            let (lang, tz) = (text("lang"), text("tz"));
            answer.insert("lang".to_owned(), if lang.is_empty() { "en_US".into() } else { lang.into() });
            answer.insert("tz".to_owned(), if tz.is_empty() { false.into() } else { tz.into() });
            answer.insert("uid".to_owned(), uid.0.into());
        }
        Ok(Json::Object(answer))
    })
}
