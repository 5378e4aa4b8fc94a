//! `default_get` and `onchange`: what a form shows before anything is saved.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::super::{reading, wire, writing};
use crate::{
    declare::{Call, Done},
    error::Error,
    execute::{Env, Form},
    record::Command,
    resolve::{Kind, ModelDef, Registry},
    value::{Id, Value},
};

pub(in crate::call) fn default_get(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let registry = env.registry().clone();
        let model = registry.model(&call.model)?;
        let names: Vec<String> = call.arg("fields_list")?;
        let known: Vec<&str> = names.iter().map(String::as_str).filter(|name| model.find(name).is_some()).collect();
        let values = env.default_values(&call.model, &known).await?;
        let mut out = Map::new();
        for (name, value) in values.iter() {
            out.insert(name.to_owned(), wire::to_json(&model.field(name)?.kind, value.clone()));
        }
        Ok(Json::Object(out))
    })
}

/// `ir.default.set(model_name, field_name, value, user_id, company_id)`: `true` is the user himself, or his company.
pub(in crate::call) fn default_set(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let (model, field): (String, String) = (call.arg("model_name")?, call.arg("field_name")?);
        let own = |given: Option<&Json>, own: Option<i64>| match given {
            Some(Json::Bool(true)) => own,
            Some(json) => json.as_i64(),
            None => None,
        };
        let user = own(call.args.get("user_id"), env.uid().map(|uid| uid.0));
        let company = own(call.args.get("company_id"), env.context().companies.first().map(|company| company.0));
        let value = call.args.get("value").cloned();
        env.set_default(&model, &field, value, user, company).await?;
        Ok(true.into())
    })
}

/// Fields that the form shows; of a list, those of its lines.
#[derive(Debug, Default)]
struct Shown {
    fields: BTreeMap<String, Shown>,
    /// A record is told with these of its fields, `{"id": 5, "display_name": "x"}`, instead of `[5, "x"]`.
    as_object: bool,
}

impl Shown {
    /// `{"name": {}, "line_ids": {"fields": {"price": {}}}}`, or as older clients say it `{"name": "1", "line_ids.price": ""}`.
    fn parse(spec: &Map<String, Json>) -> Shown {
        let mut shown = Shown::default();
        for (path, json) in spec {
            let mut at = &mut shown;
            for name in path.split('.') {
                at = at.fields.entry(name.to_owned()).or_default();
            }
            if let Some(inner) = json.get("fields").and_then(Json::as_object) {
                at.as_object = true;
                at.fields.extend(Shown::parse(inner).fields);
            }
        }
        shown
    }
}

pub(in crate::call) fn onchange(env: &mut Env, mut call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let registry = env.registry().clone();
        let model = registry.model(&call.model)?;
        env.check_right(&call.model, crate::Operation::Read)?;
        let Some(Json::Object(sent)) = call.args.remove("values") else { return Err(writing::no_dict("values")) };
        let changed: Vec<String> = match call.args.remove("field_name") {
            Some(Json::String(name)) if !name.is_empty() => vec![name],
            Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let shown = match call.args.get("field_onchange") {
            Some(Json::Object(spec)) => Shown::parse(spec),
            _ => Shown::default(),
        };
        let id = call.ids.first().copied().or_else(|| sent.get("id").and_then(Json::as_i64).map(Id));
        if let Some(id) = id {
            env.check_access(&call.model, &[id], crate::Operation::Read).await?;
        }
        let mut form = Form::new(&model.name, id);
        put(env, &registry, model, &mut form, 0, sent).await?;
        env.fill_form(&mut form, &changed).await?;
        let value = told(env, &registry, &form, 0, &shown).await?;
        let mut out = Map::from_iter([("value".to_owned(), Json::Object(value))]);
        if let [(title, _), ..] = &form.warnings[..] {
            let messages: Vec<&str> = form.warnings.iter().map(|(_, message)| message.as_str()).collect();
            let warning = json!({"title": title, "message": messages.join("\n\n"), "type": "dialog"});
            out.insert("warning".to_owned(), warning);
        }
        Ok(Json::Object(out))
    })
}

/// What a client sent, into the form.
async fn put(
    env: &mut Env,
    registry: &Registry,
    model: &ModelDef,
    form: &mut Form,
    at: usize,
    sent: Map<String, Json>,
) -> Result<(), Error> {
    for (name, json) in sent {
        // Names of what a form shows besides fields.
        let Some(field) = model.find(&name).filter(|field| field.kind != Kind::Id) else { continue };
        if let (Kind::Many2One { comodel, .. }, Json::Object(_), 0) = (&field.kind, &json, at) {
            Box::pin(put_owner(env, registry, form, &name, registry.model(comodel)?, json)).await?;
            continue;
        }
        let (Some(comodel), Json::Array(list)) = (field.kind.comodel().filter(|_| field.kind.is_list()), &json) else {
            let value = writing::value_of(registry, model, field, json)?;
            if !field.kind.is_list() {
                form.nodes[at].values.insert(name, value);
            }
            continue;
        };
        form.nodes[at].lists.entry(name.clone()).or_default();
        if let Some(id) = form.nodes[at].id {
            let saved = env.read(&model.name, &[id], &[name.as_str()]).await?;
            if let Some(Value::Ids(ids)) = saved.first().map(|record| record.value(&name)) {
                form.apply(registry, at, field, comodel, None, Command::Set(ids.clone()))?;
            }
        }
        if !list.is_empty() && list.iter().all(Json::is_i64) {
            let ids = list.iter().filter_map(Json::as_i64).map(Id).collect();
            form.apply(registry, at, field, comodel, None, Command::Set(ids))?;
            continue;
        }
        let other = registry.model(comodel)?;
        for command in list {
            // A line that is not saved has a name of the client's own.
            let key = command.get(1).and_then(Json::as_str).map(str::to_owned);
            let mut inner = |vals: &Map<String, Json>| {
                let known = vals.iter().filter(|(name, _)| other.find(name).is_some());
                let known: Map<String, Json> = known.map(|(name, json)| (name.clone(), json.clone())).collect();
                writing::values(registry, other, known).map_err(|error| error.to_string())
            };
            let command = Command::from_json(command, &mut inner).map_err(|problem| Error::Validation {
                model: model.name.to_string(),
                field: name.clone(),
                problem,
            })?;
            form.apply(registry, at, field, comodel, key, command)?;
        }
    }
    Ok(())
}

/// A line is looked at by itself, and the record that it belongs to comes along as it stands in its own form.
async fn put_owner(
    env: &mut Env,
    registry: &Registry,
    form: &mut Form,
    inverse: &str,
    model: &ModelDef,
    sent: Json,
) -> Result<(), Error> {
    let Json::Object(mut sent) = sent else { return Ok(()) };
    let id = sent.remove("id").and_then(|id| id.as_i64()).map(Id);
    if let Some(id) = id {
        env.check_access(&model.name, &[id], crate::Operation::Read).await?;
        form.nodes[0].values.insert(inverse.to_owned(), Value::Id(id));
    }
    let owner = form.add_owner(inverse, &model.name, id);
    // Its lists have this line in them as it was; what matters to a line is the record's own.
    sent.retain(|name, _| model.find(name).is_some_and(|field| !field.kind.is_list()));
    put(env, registry, model, form, owner, sent).await
}

/// What changed of the record, as far as the form shows it.
async fn told(
    env: &mut Env,
    registry: &Registry,
    form: &Form,
    at: usize,
    shown: &Shown,
) -> Result<Map<String, Json>, Error> {
    let node = &form.nodes[at];
    let model = registry.model(&node.model)?;
    let mut out = Map::new();
    let everything = shown.fields.is_empty();
    let mut names: Vec<&String> = node.changed.iter().chain(node.lists.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let field = model.field(name)?;
        if !(everything || shown.fields.contains_key(name)) || !env.may_see(field) {
            continue;
        }
        let inner = shown.fields.get(name);
        if let Some(lines) = node.lists.get(name) {
            let commands = Box::pin(lines_told(env, registry, form, lines, node.changed.contains(name), inner)).await?;
            if !commands.is_empty() || node.changed.contains(name) {
                out.insert(name.clone(), Json::Array(commands));
            }
            continue;
        }
        let value = node.values.get(name).cloned().unwrap_or_default();
        let json = match (&field.kind, &value) {
            (Kind::Many2One { comodel, .. }, Value::Id(id)) => {
                let names = reading::names(env, comodel, &[*id]).await?;
                let label = names.first().map_or("", |(_, name)| name.as_str());
                match inner.is_some_and(|inner| inner.as_object) {
                    true => json!({"id": id.0, "display_name": label}),
                    false => wire::name_of(*id, label),
                }
            }
            (kind, Value::Ids(ids)) if kind.is_list() => {
                json!([[6, 0, ids.iter().map(|id| id.0).collect::<Vec<_>>()]])
            }
            _ => wire::to_json(&field.kind, value),
        };
        out.insert(name.clone(), json);
    }
    Ok(out)
}

/// Commands for the lines that are not as the client knows them; all lines where the list itself was given.
async fn lines_told(
    env: &mut Env,
    registry: &Registry,
    form: &Form,
    lines: &[usize],
    given: bool,
    inner: Option<&Shown>,
) -> Result<Vec<Json>, Error> {
    let nothing = Shown::default();
    let mut commands = Vec::new();
    if given {
        commands.push(json!([5]));
    }
    for at in lines {
        let line = &form.nodes[*at];
        let mut changed = told(env, registry, form, *at, inner.unwrap_or(&nothing)).await?;
        if given && line.id.is_none() {
            let model = registry.model(&line.model)?;
            for (name, value) in &line.values {
                if !changed.contains_key(name) {
                    changed.insert(name.clone(), wire::to_json(&model.field(name)?.kind, value.clone()));
                }
            }
        }
        match line.id {
            Some(id) if changed.is_empty() && given => commands.push(json!([4, id.0, false])),
            Some(id) if !changed.is_empty() => commands.push(json!([1, id.0, changed])),
            None if given || !changed.is_empty() => {
                let key = line.key.as_deref().map_or(json!(0), Json::from);
                commands.push(json!([0, key, changed]));
            }
            _ => {}
        }
    }
    Ok(commands)
}
