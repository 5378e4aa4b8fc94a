//! Views as they are kept, put together.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    cache::Audience,
    models::{ACTION, VIEW},
};
use crate::{
    domain::{Domain, Op},
    error::Error,
    execute::{Env, Search},
    record::Record,
    value::{Id, Value},
    view::{self, Combined, Origin, References, ViewKind, ViewSource, Wanted},
};

const FIELDS: [&str; 10] =
    ["name", "model", "type", "arch", "inherit_id", "priority", "mode", "active", "groups_id", "id"];

/// Whether this transaction changed what views are made of, so that what others know is not true for it, nor what it
/// finds for others.
pub(super) fn is_own(env: &Env) -> bool {
    [VIEW, super::models::MENU, "res.groups", "ir.model.data"].iter().any(|model| env.has_changed(model))
}

pub(super) fn audience(env: &Env) -> Audience {
    Audience {
        groups: env.principal().map(|own| own.group_ids()),
        lang: env.context().lang.clone(),
        debug: env.is_debug(),
    }
}

/// All views for records of a model, archived ones too, with those that they extend.
pub(super) async fn of_model(env: &mut Env, model: &str) -> Result<Arc<Vec<ViewSource>>, Error> {
    let registry = env.registry().clone();
    let own = is_own(env);
    if !own && let Some(known) = registry.screens.sources(&model.to_owned()) {
        return Ok(known);
    }
    let mut found = read(env, Domain::leaf("model", Op::Eq, model)).await?;
    // Views that those start from, and what extends them, even where somebody gave them another model.
    loop {
        let known: Vec<Id> = found.iter().map(|view| Id(view.id)).collect();
        let above: Vec<Id> =
            found.iter().filter_map(|view| view.inherit_id.map(Id)).filter(|id| !known.contains(id)).collect();
        let near =
            Domain::leaf("id", Op::In, above.as_slice()).or(
                Domain::leaf("inherit_id", Op::In, known.as_slice()).and(Domain::leaf("mode", Op::Eq, "extension"))
            );
        let more = read(env, near.and(Domain::leaf("id", Op::NotIn, known.as_slice()))).await?;
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    let found = Arc::new(found);
    if !own {
        registry.screens.keep_sources(model.to_owned(), found.clone());
    }
    Ok(found)
}

/// Archived views too: only extensions that are active count, but a view that is asked for by its id need not be.
async fn read(env: &mut Env, domain: Domain) -> Result<Vec<ViewSource>, Error> {
    let mut env = env.sudo("views are put together");
    let context = env.context().clone();
    env.set_context(crate::Context { lang: None, active_test: false, ..context.clone() });
    let rows = env.search_read(VIEW, &domain, &FIELDS, Search::order("priority, id")).await;
    let rows = match rows {
        Ok(rows) => name(&mut env, rows).await,
        Err(error) => Err(error),
    };
    env.set_context(context);
    rows
}

async fn name(env: &mut Env, rows: Vec<Record>) -> Result<Vec<ViewSource>, Error> {
    let ids: Vec<Id> = rows.iter().map(|row| row.id).collect();
    let names = external_ids(env, VIEW, &ids).await?;
    Ok(rows.iter().map(|row| source(row, names.get(&row.id).cloned())).collect())
}

fn source(row: &Record, external_id: Option<String>) -> ViewSource {
    ViewSource {
        id: row.id.0,
        origin: Origin { name: row.get_str("name").to_owned(), external_id },
        model: row.get_str("model").to_owned(),
        kind: ViewKind::from_name(row.get_str("type")),
        arch: row.get_str("arch").to_owned(),
        inherit_id: match row.value("inherit_id") {
            Value::Id(id) => Some(id.0),
            _ => None,
        },
        priority: match row.value("priority") {
            Value::Int(priority) => *priority,
            _ => 16,
        },
        primary: row.get_str("mode") == "primary",
        active: *row.value("active") == Value::Bool(true),
        groups: match row.value("groups_id") {
            Value::Ids(ids) => ids.iter().map(|id| id.0).collect(),
            _ => Vec::new(),
        },
    }
}

/// `app.name` of records.
pub(super) async fn external_ids(env: &mut Env, model: &str, ids: &[Id]) -> Result<HashMap<Id, String>, Error> {
    let numbers: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let domain = Domain::leaf("model", Op::Eq, model).and(Domain::leaf("res_id", Op::In, numbers.as_slice()));
    let mut env = env.sudo("external ids of records");
    let rows =
        env.search_read("ir.model.data", &domain, &["module", "name", "res_id"], Search::order("id desc")).await?;
    let named = rows.iter().filter_map(|row| match row.value("res_id") {
        Value::Int(id) => Some((Id(*id), format!("{}.{}", row.get_str("module"), row.get_str("name")))),
        _ => None,
    });
    Ok(named.collect())
}

/// The whole view with its extensions, its references to records replaced by their ids.
pub(super) async fn combined(env: &mut Env, model: &str, id: i64) -> Result<Arc<Combined>, Error> {
    let registry = env.registry().clone();
    let own = is_own(env);
    if !own && let Some(known) = registry.screens.combined(&id) {
        return Ok(known);
    }
    let views = of_model(env, model).await?;
    let (view, _) = put_together(env, &views, id).await?;
    let view = Arc::new(view);
    if !own {
        registry.screens.keep_combined(id, view.clone());
    }
    Ok(view)
}

/// The view, and the records that it names.
pub(super) async fn put_together(
    env: &mut Env,
    views: &[ViewSource],
    id: i64,
) -> Result<(Combined, References), Error> {
    let mut view = view::combine(views, id).map_err(wrong)?;
    let references = references(env, &view.wanted()).await?;
    view::expand(&mut view, &references).map_err(wrong)?;
    Ok((view, references))
}

/// What a person is told who wrote a view that does not fit.
pub(super) fn wrong(error: view::ViewError) -> Error {
    Error::Validation { model: VIEW.to_owned(), field: "arch".to_owned(), problem: error.to_string() }
}

/// The records with these external ids; groups and actions besides, for hints.
async fn references(env: &mut Env, wanted: &Wanted) -> Result<References, Error> {
    let names: Vec<&str> = wanted.external_ids.iter().filter_map(|id| Some(id.split_once('.')?.1)).collect();
    let mut found = References::default();
    if !wanted.actions.is_empty() {
        let ids: Vec<Id> = wanted.actions.iter().copied().map(Id).collect();
        let domain = Domain::leaf("id", Op::In, ids.as_slice());
        let there = env.sudo("actions that views name").search(ACTION, &domain, Search::order("id")).await?;
        found.action_ids.extend(there.into_iter().map(|id| id.0));
    }
    if names.is_empty() {
        return Ok(found);
    }
    let names: Vec<Value> = names.into_iter().map(Value::from).collect();
    let domain = Domain::leaf("name", Op::In, names);
    let mut env = env.sudo("records that views name");
    let rows = env.search_read("ir.model.data", &domain, &["module", "name", "model", "res_id"], Search::order("id"));
    for row in rows.await? {
        let external_id = format!("{}.{}", row.get_str("module"), row.get_str("name"));
        let Value::Int(id) = *row.value("res_id") else { continue };
        let model = row.get_str("model");
        let known: &mut BTreeMap<String, i64> = match model {
            "res.groups" => &mut found.groups,
            model if model.starts_with("ir.actions.") => &mut found.actions,
            _ => &mut found.others,
        };
        known.insert(external_id, id);
    }
    Ok(found)
}
