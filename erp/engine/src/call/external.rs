//! External ids, and who made records.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use super::{reading, wire};
use crate::{
    declare::{Call, Done},
    domain::{Domain, Op},
    error::Error,
    execute::{Env, Search},
    resolve::{Kind, shorten},
    value::{Id, Value},
};

const MODEL: &str = "ir.model.data";

/// The external ids of records, the oldest first.
pub(super) async fn of_records(
    env: &mut Env,
    model: &str,
    ids: &[Id],
) -> Result<HashMap<Id, Vec<(String, bool)>>, Error> {
    let registry = env.registry().clone();
    let def = registry.model(MODEL)?;
    let module = module_field(&registry)?;
    let noupdate = def.find("noupdate").is_some();
    let mut fields = vec![module, "name", "res_id"];
    fields.extend(noupdate.then_some("noupdate"));
    let mut all: HashMap<Id, Vec<(String, bool)>> = HashMap::new();
    for chunk in ids.chunks(5_000) {
        let numbers: Vec<Value> = chunk.iter().map(|id| Value::Int(id.0)).collect();
        let domain = Domain::leaf("model", Op::Eq, model).and(Domain::leaf("res_id", Op::In, numbers));
        let found = env.sudo("external ids").search_read(MODEL, &domain, &fields, Search::order("id")).await?;
        for row in found {
            let full = format!("{}.{}", row.get_str(module), row.get_str("name"));
            all.entry(Id(row.get("res_id")?)).or_default().push((full, *row.value("noupdate") == Value::Bool(true)));
        }
    }
    Ok(all)
}

fn module_field(registry: &crate::resolve::Registry) -> Result<&'static str, Error> {
    Ok(if registry.model(MODEL)?.find("module").is_some() { "module" } else { "app" })
}

pub(super) fn get_external_id(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let known = of_records(env, &call.model, &call.ids).await?;
        let first = |id: &Id| known.get(id).and_then(|all| all.first()).map_or("", |(name, _)| name.as_str());
        Ok(Json::Object(call.ids.iter().map(|id| (id.to_string(), first(id).into())).collect()))
    })
}

pub(super) fn get_metadata(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let registry = env.registry().clone();
        let model = registry.model(&call.model)?;
        let stamps = ["create_uid", "create_date", "write_uid", "write_date"];
        let fields: Vec<&str> = stamps.into_iter().filter(|name| model.find(name).is_some()).collect();
        let found = reading::existing(env, &call.model, &call.ids, &fields).await?;
        let known = of_records(env, &call.model, &call.ids).await?;
        let mut users: Vec<Id> = found
            .iter()
            .flat_map(|r| r.iter())
            .filter_map(|(_, v)| if let Value::Id(id) = v { Some(*id) } else { None })
            .collect();
        users.sort_unstable();
        users.dedup();
        let users: HashMap<Id, String> = match model.find("create_uid").and_then(|field| field.kind.comodel()) {
            Some(comodel) => {
                reading::names(&mut env.sudo("who made records"), comodel, &users).await?.into_iter().collect()
            }
            None => HashMap::new(),
        };
        let mut answer = Vec::with_capacity(found.len());
        for record in found {
            let mut object = Map::new();
            object.insert("id".to_owned(), record.id.0.into());
            for name in stamps {
                let json = match record.value(name).clone() {
                    Value::Id(id) => wire::name_of(id, users.get(&id).map_or("", String::as_str)),
                    value => wire::to_json(&Kind::DateTime, value),
                };
                object.insert(name.to_owned(), json);
            }
            let ids = known.get(&record.id).map(Vec::as_slice).unwrap_or_default();
            object.insert("xmlid".to_owned(), ids.first().map_or(false.into(), |(name, _)| name.as_str().into()));
            object.insert("noupdate".to_owned(), ids.first().is_some_and(|(_, noupdate)| *noupdate).into());
            let list: Vec<Json> =
                ids.iter().map(|(name, noupdate)| json!({"xmlid": name, "noupdate": noupdate})).collect();
            object.insert("xmlids".to_owned(), list.into());
            answer.push(Json::Object(object));
        }
        Ok(answer.into())
    })
}

/// Model and id of an external id, unless the record is not the user's to see.
async fn look_up(env: &mut Env, module: &str, name: &str) -> Result<Option<(String, Id)>, Error> {
    let registry = env.registry().clone();
    let by = module_field(&registry)?;
    let domain = Domain::leaf(by, Op::Eq, module).and(Domain::leaf("name", Op::Eq, name));
    let found = env.sudo("external ids").search_read(MODEL, &domain, &["model", "res_id"], Search::default()).await?;
    found.first().map(|row| Ok((row.get_str("model").to_owned(), Id(row.get("res_id")?)))).transpose()
}

fn unknown(full: &str) -> Error {
    Error::Value(format!("External ID not found in the system: {}", shorten(full)))
}

pub(super) fn check_object_reference(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let (module, name): (String, String) = (call.arg("module")?, call.arg("xml_id")?);
        let full = format!("{module}.{name}");
        let (model, id) = look_up(env, &module, &name).await?.ok_or_else(|| unknown(&full))?;
        match reading::existing(env, &model, &[id], &["id"]).await {
            Ok(found) if !found.is_empty() => Ok(json!([model, id.0])),
            Ok(_) => Ok(json!([model, false])),
            Err(Error::AccessDenied { .. }) if call.args.get("raise_on_access_error") != Some(&Json::Bool(true)) => {
                Ok(json!([model, false]))
            }
            Err(error) => Err(error),
        }
    })
}

pub(super) fn xmlid_to_res_model_res_id(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let full: String = call.arg("xmlid")?;
        let found = match full.split_once('.') {
            Some((module, name)) => look_up(env, module, name).await?,
            None => None,
        };
        match found {
            Some((model, id)) => Ok(json!([model, id.0])),
            None if call.args.get("raise_if_not_found") == Some(&Json::Bool(true)) => Err(unknown(&full)),
            None => Ok(json!([false, false])),
        }
    })
}
