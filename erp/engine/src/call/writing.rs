//! create, write and their kin.

use serde_json::{Map, Value as Json};

use super::{reading, web, wire};
use crate::{
    declare::{Call, Done},
    error::Error,
    execute::Env,
    record::{Command, Values},
    resolve::{FieldDef, Kind, ModelDef, Registry},
    value::{Id, Value},
};

pub(super) fn create(env: &mut Env, mut call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let registry = env.registry().clone();
        let model = registry.model(&call.model)?;
        match call.args.remove("vals_list") {
            Some(Json::Object(vals)) => Ok(env.create(&call.model, values(&registry, model, vals)?).await?.0.into()),
            Some(Json::Array(list)) => {
                let rows = list.into_iter().map(|vals| match vals {
                    Json::Object(vals) => values(&registry, model, vals),
                    _ => Err(no_dict("vals_list")),
                });
                let rows = rows.collect::<Result<Vec<_>, _>>()?;
                let made = env.create_many(&call.model, rows).await?;
                Ok(made.into_iter().map(|id| Json::from(id.0)).collect())
            }
            _ => Err(no_dict("vals_list")),
        }
    })
}

pub(super) fn write(env: &mut Env, mut call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let registry = env.registry().clone();
        let model = registry.model(&call.model)?;
        let Some(Json::Object(vals)) = call.args.remove("vals") else { return Err(no_dict("vals")) };
        if let Some(unknown) = vals.keys().find(|name| model.find(name).is_none()) {
            return Err(Error::Key(crate::resolve::shorten(unknown)));
        }
        let values = values(&registry, model, vals)?;
        if !values.is_empty() {
            web::check_unchanged(env, &call.model, &call.ids).await?;
            env.write(&call.model, &call.ids, values).await?;
        }
        Ok(true.into())
    })
}

pub(super) fn copy(env: &mut Env, mut call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let registry = env.registry().clone();
        let model = registry.model(&call.model)?;
        let id = call.one()?;
        let given = match call.args.remove("default") {
            Some(Json::Object(given)) => values(&registry, model, given)?,
            None | Some(Json::Null | Json::Bool(false)) => Values::new(),
            Some(_) => return Err(no_dict("default")),
        };
        Ok(env.copy(&call.model, id, given).await?.0.into())
    })
}

pub(super) fn unlink(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        env.unlink(&call.model, &call.ids).await?;
        Ok(true.into())
    })
}

pub(super) fn name_create(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let registry = env.registry().clone();
        let model = registry.model(&call.model)?;
        let name: String = call.arg("name")?;
        let Some(field) = model.rec_name.clone() else {
            return Err(Error::User(format!(
                "{} has no name to make a record of; create it with its fields",
                model.label
            )));
        };
        let id = env.create(&call.model, Values::new().with(field, name)).await?;
        let made = reading::names(env, &call.model, &[id]).await?;
        Ok(wire::name_of(id, made.first().map_or("", |(_, name)| name)))
    })
}

pub(super) fn archive(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move { set_active(env, &call, &call.ids, false).await })
}

pub(super) fn unarchive(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move { set_active(env, &call, &call.ids, true).await })
}

pub(super) fn toggle_active(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let found = reading::existing(env, &call.model, &call.ids, &["active"]).await?;
        let (active, archived): (Vec<_>, Vec<_>) = found.iter().partition(|r| *r.value("active") == Value::Bool(true));
        let ids = |records: Vec<&crate::record::Record>| records.iter().map(|r| r.id).collect::<Vec<Id>>();
        set_active(env, &call, &ids(active), false).await?;
        set_active(env, &call, &ids(archived), true).await
    })
}

async fn set_active(env: &mut Env, call: &Call, ids: &[Id], active: bool) -> Result<Json, Error> {
    if !ids.is_empty() {
        env.write(&call.model, ids, Values::new().with("active", active)).await?;
    }
    Ok(true.into())
}

pub(super) fn no_dict(name: &str) -> Error {
    Error::Argument { name: name.to_owned(), problem: "it must be an object of field names and values".to_owned() }
}

/// Values as a client sends them.
pub(crate) fn values(registry: &Registry, model: &ModelDef, sent: Map<String, Json>) -> Result<Values, Error> {
    let mut values = Values::new();
    for (name, json) in sent {
        let Some(field) = model.find(&name) else {
            let name = crate::resolve::shorten(&name);
            return Err(Error::Value(format!("Invalid field '{name}' on model '{}'", model.name)));
        };
        // What is read back and sent again with the rest.
        if field.kind == Kind::Id {
            continue;
        }
        let value = value_of(registry, model, field, json)?;
        values.set(name, value);
    }
    Ok(values)
}

/// A field's value as a client sends it.
pub(crate) fn value_of(registry: &Registry, model: &ModelDef, field: &FieldDef, json: Json) -> Result<Value, Error> {
    let value = match &field.kind {
        Kind::One2Many { comodel, .. } | Kind::Many2Many { comodel, .. } => {
            commands(registry, registry.model(comodel)?, json).map(Value::Commands)
        }
        kind => wire::from_json(kind, json),
    };
    value.map_err(|problem| Error::Validation { model: model.name.to_string(), field: field.name.clone(), problem })
}

/// A list of commands, or of ids that replace what is there.
fn commands(registry: &Registry, comodel: &ModelDef, sent: Json) -> Result<Vec<Command>, String> {
    let list = match sent {
        Json::Array(list) => list,
        Json::Null | Json::Bool(false) => return Ok(vec![Command::Clear]),
        other => {
            let other = crate::resolve::shorten(&other.to_string());
            return Err(format!("{other} is no list of commands such as [[6, 0, [1, 2]]]"));
        }
    };
    if !list.is_empty() && list.iter().all(Json::is_i64) {
        return Ok(vec![Command::Set(list.iter().filter_map(Json::as_i64).map(Id).collect())]);
    }
    let mut inner =
        |vals: &Map<String, Json>| values(registry, comodel, vals.clone()).map_err(|error| error.to_string());
    list.iter().map(|command| Command::from_json(command, &mut inner)).collect()
}
