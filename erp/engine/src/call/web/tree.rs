//! Records with the records that they refer to, as deep as a specification says. One query a field and level, whatever
//! the number of records.

use std::collections::HashMap;

use futures_util::future::BoxFuture;
use serde_json::{Map, Value as Json, json};

use super::super::{reading, wire};
use crate::{
    context::Context,
    domain::{Domain, Op},
    error::Error,
    execute::{Env, Search},
    record::Record,
    resolve::{Kind, ModelDef, Registry},
    value::{Id, Value},
};

/// Relations within relations.
const MAX_DEPTH: usize = 6;
/// Records of one query: databases bound the parameters of a statement.
const CHUNK: usize = 5_000;

/// `{"name": {}, "child_ids": {"fields": {"email": {}}, "limit": 40, "order": "name"}}`
#[derive(Debug, Default)]
pub(super) struct Tree {
    fields: Vec<(String, Branch)>,
}

#[derive(Debug, Default)]
struct Branch {
    inner: Option<Tree>,
    limit: Option<usize>,
    order: Option<String>,
    context: Option<Map<String, Json>>,
    /// A many2one field is `[id, name]`, as `read` answers it.
    pair: bool,
}

pub(super) fn wrong(problem: &str) -> Error {
    Error::Argument { name: "specification".to_owned(), problem: problem.to_owned() }
}

impl Tree {
    pub(super) fn parse(json: Option<&Json>) -> Result<Tree, Error> {
        parse(json.unwrap_or(&Json::Null), MAX_DEPTH)
    }

    pub(super) fn with_names(json: &Json) -> Result<Tree, Error> {
        let mut tree = parse(json, MAX_DEPTH)?;
        tree.fields.iter_mut().for_each(|(_, branch)| branch.pair = true);
        Ok(tree)
    }
}

fn parse(json: &Json, depth: usize) -> Result<Tree, Error> {
    let Some(depth) = depth.checked_sub(1) else { return Err(wrong("relations lie too deep in each other")) };
    let fields = match json {
        Json::Null | Json::Bool(false) => return Ok(Tree::default()),
        Json::Object(fields) => fields,
        _ => return Err(wrong("it is an object of field names, each with an object")),
    };
    let branch = |(name, json): (&String, &Json)| {
        let Json::Object(parts) = json else { return Err(wrong(&format!("{name}: it is an object, such as {{}}"))) };
        let number =
            |name: &str| parts.get(name).and_then(Json::as_u64).and_then(|number| usize::try_from(number).ok());
        let branch = Branch {
            inner: parts.get("fields").map(|inner| parse(inner, depth)).transpose()?,
            limit: number("limit").filter(|limit| *limit > 0),
            order: parts.get("order").and_then(Json::as_str).filter(|order| !order.is_empty()).map(str::to_owned),
            context: parts.get("context").and_then(Json::as_object).cloned(),
            pair: false,
        };
        Ok((name.clone(), branch))
    };
    Ok(Tree { fields: fields.iter().map(branch).collect::<Result<_, Error>>()? })
}

/// The fields to ask the database for.
pub(super) fn columns<'m>(model: &'m ModelDef, tree: &Tree) -> Result<Vec<&'m str>, Error> {
    let mut columns = vec!["id"];
    for (name, _) in &tree.fields {
        match model.find(name) {
            Some(field) if columns.contains(&field.name.as_str()) => {}
            Some(field) => columns.push(&field.name),
            None if name == LAST_UPDATE => columns.extend(model.find("write_date").map(|field| field.name.as_str())),
            None if name == "display_name" => {}
            None => drop(model.field(name)?),
        }
    }
    Ok(columns)
}

const LAST_UPDATE: &str = "__last_update";

/// What the specification names of records that were read with its [`columns`].
pub(super) fn complete<'a>(
    env: &'a mut Env,
    registry: &'a Registry,
    model: &'a ModelDef,
    records: Vec<Record>,
    tree: &'a Tree,
) -> BoxFuture<'a, Result<Vec<Map<String, Json>>, Error>> {
    Box::pin(async move {
        let start = |record: &Record| Map::from_iter([("id".to_owned(), Json::from(record.id.0))]);
        let mut out: Vec<Map<String, Json>> = records.iter().map(start).collect();
        for (name, branch) in &tree.fields {
            let column: Vec<Json> = match model.find(name) {
                Some(field) if field.kind == Kind::Id => continue,
                Some(field) => {
                    let values = records.iter().map(|record| record.value(name).clone()).collect();
                    answers(env, registry, &field.kind, values, branch).await?
                }
                None if name == "display_name" => {
                    let ids: Vec<Id> = records.iter().map(|record| record.id).collect();
                    let names: HashMap<Id, String> =
                        reading::names(env, &model.name, &ids).await?.into_iter().collect();
                    ids.iter().map(|id| names.get(id).map_or("", String::as_str).into()).collect()
                }
                // To the microsecond, so that a change within the same second is seen when it is sent back.
                None => records
                    .iter()
                    .map(|record| match record.value("write_date") {
                        Value::DateTime(at) => at.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string().into(),
                        _ => Json::Bool(false),
                    })
                    .collect(),
            };
            for (object, json) in out.iter_mut().zip(column) {
                object.insert(name.clone(), json);
            }
        }
        Ok(out)
    })
}

/// Records that the user may see, archived ones too.
async fn by_ids(env: &mut Env, model: &str, ids: &[Id], fields: &[&str]) -> Result<Vec<Record>, Error> {
    let context = env.context().clone();
    env.set_context(context.clone().with("active_test", false));
    let mut records = Vec::with_capacity(ids.len());
    let mut failed = None;
    for chunk in ids.chunks(CHUNK) {
        let domain = Domain::leaf("id", Op::In, chunk);
        match env.search_read(model, &domain, fields, Search::order("id")).await {
            Ok(found) => records.extend(found),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    env.set_context(context);
    failed.map_or(Ok(records), Err)
}

/// A field of many records on the wire.
async fn answers(
    env: &mut Env,
    registry: &Registry,
    kind: &Kind,
    values: Vec<Value>,
    branch: &Branch,
) -> Result<Vec<Json>, Error> {
    let Some(comodel) = kind.comodel() else {
        return Ok(values.into_iter().map(|value| wire::to_json(kind, value)).collect());
    };
    let mut linked: Vec<Id> = values.iter().flat_map(links).collect();
    linked.sort_unstable();
    linked.dedup();
    if branch.pair && !kind.is_list() {
        let names = names_of(env, comodel, &linked).await?;
        let pair = |value: Value| match links(&value)[..] {
            [id] => wire::name_of(id, names.get(&id).map_or("", String::as_str)),
            _ => Json::Bool(false),
        };
        return Ok(values.into_iter().map(pair).collect());
    }
    let rank = match &branch.order {
        Some(order) if kind.is_list() => Some(ranks(env, comodel, &linked, order).await?),
        _ => None,
    };
    let Some(inner) = &branch.inner else {
        let plain = |value| wire::to_json(kind, sorted(value, rank.as_ref()));
        return Ok(values.into_iter().map(plain).collect());
    };
    // Of a long list only the first ones are read, but all are told.
    let values: Vec<Value> = values.into_iter().map(|value| sorted(value, rank.as_ref())).collect();
    let limit = branch.limit.unwrap_or(usize::MAX);
    let mut shown: Vec<Id> = values.iter().flat_map(|value| links(value).into_iter().take(limit)).collect();
    shown.sort_unstable();
    shown.dedup();
    let before = env.context().clone();
    if let Some(more) = &branch.context {
        let mut all = before.rest.clone();
        all.extend(more.clone());
        env.set_context(Context::from_json(all));
    }
    let read = inner_records(env, registry, comodel, &shown, inner).await;
    env.set_context(before);
    let read = read?;
    if kind.is_list() {
        let entry = |(at, id): (usize, Id)| match read.get(&id) {
            Some(found) => Some(Json::Object(found.clone())),
            None if at >= limit => Some(json!({"id": id.0})),
            None => None,
        };
        let list = |value: Value| -> Json { links(&value).into_iter().enumerate().filter_map(entry).collect() };
        return Ok(values.into_iter().map(list).collect());
    }
    // That something refers to a record tells its name, even to who may not see it.
    let hidden: Vec<Id> = shown.into_iter().filter(|id| !read.contains_key(id)).collect();
    let names = names_of(env, comodel, &hidden).await?;
    let one = |value: Value| match links(&value)[..] {
        [id] => match read.get(&id) {
            Some(found) => Json::Object(found.clone()),
            None => json!({"id": id.0, "display_name": names.get(&id).map_or("", String::as_str)}),
        },
        _ => Json::Bool(false),
    };
    Ok(values.into_iter().map(one).collect())
}

async fn inner_records(
    env: &mut Env,
    registry: &Registry,
    model: &str,
    ids: &[Id],
    tree: &Tree,
) -> Result<HashMap<Id, Map<String, Json>>, Error> {
    let model = registry.model(model)?;
    let records = by_ids(env, &model.name, ids, &columns(model, tree)?).await?;
    let found: Vec<Id> = records.iter().map(|record| record.id).collect();
    Ok(found.into_iter().zip(complete(env, registry, model, records, tree).await?).collect())
}

async fn names_of(env: &mut Env, model: &str, ids: &[Id]) -> Result<HashMap<Id, String>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let names = reading::names(&mut env.sudo("names of records that others refer to"), model, ids).await?;
    Ok(names.into_iter().collect())
}

async fn ranks(env: &mut Env, model: &str, ids: &[Id], order: &str) -> Result<HashMap<Id, usize>, Error> {
    let context = env.context().clone();
    env.set_context(context.clone().with("active_test", false));
    let domain = Domain::leaf("id", Op::In, ids);
    let ordered = env.search(model, &domain, Search::order(order)).await;
    env.set_context(context);
    Ok(ordered?.into_iter().enumerate().map(|(at, id)| (id, at)).collect())
}

fn links(value: &Value) -> Vec<Id> {
    match value {
        Value::Id(id) => vec![*id],
        Value::Ids(ids) => ids.clone(),
        _ => Vec::new(),
    }
}

fn sorted(value: Value, rank: Option<&HashMap<Id, usize>>) -> Value {
    match (value, rank) {
        (Value::Ids(mut ids), Some(rank)) => {
            ids.sort_by_key(|id| rank.get(id).copied().unwrap_or(usize::MAX));
            Value::Ids(ids)
        }
        (value, _) => value,
    }
}
