//! search, read and their kin.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::wire;
use crate::{
    declare::{Call, Done},
    domain::{Domain, Leaf, Op},
    error::{Error, Operation},
    execute::{Env, Search},
    record::Record,
    resolve::{FieldDef, Kind, ModelDef, Registry, shorten},
    value::{Id, Value},
};

pub(super) fn search(env: &mut Env, mut call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let domain = domain_of(&mut call, "domain")?;
        if call.args.get("count").is_some_and(|count| *count == true) {
            return Ok(env.count(&call.model, &domain).await?.into());
        }
        let ids = env.search(&call.model, &domain, window(&call)?).await.map_err(|e| about(e, &domain))?;
        Ok(ids.into_iter().map(|id| Json::from(id.0)).collect())
    })
}

pub(super) fn search_count(env: &mut Env, mut call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let domain = domain_of(&mut call, "domain")?;
        let count = env.count(&call.model, &domain).await.map_err(|e| about(e, &domain))?;
        let limit: Option<u64> = call.opt("limit")?;
        Ok(limit.filter(|limit| *limit > 0).map_or(count, |limit| count.min(limit)).into())
    })
}

pub(super) fn search_read(env: &mut Env, mut call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let domain = domain_of(&mut call, "domain")?;
        let search = window(&call)?;
        let registry = env.registry().clone();
        let wanted = Wanted::of(env, &registry, &mut call)?;
        let found = env.search_read(&call.model, &domain, &wanted.names(), search).await;
        wanted.answer(env, found.map_err(|e| about(e, &domain))?).await
    })
}

pub(super) fn read(env: &mut Env, mut call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let registry = env.registry().clone();
        let wanted = Wanted::of(env, &registry, &mut call)?;
        let found = existing(env, &call.model, &call.ids, &wanted.names()).await;
        wanted.answer(env, found.map_err(|e| about(e, &Domain::True))?).await
    })
}

/// In the order of `ids`. A record that is gone is left out; one that is there and not for the user is an error.
pub(super) async fn existing(env: &mut Env, model: &str, ids: &[Id], fields: &[&str]) -> Result<Vec<Record>, Error> {
    let mut found: HashMap<Id, Record> = HashMap::with_capacity(ids.len());
    let fields = if fields.is_empty() { &["id"][..] } else { fields };
    let context = env.context().clone();
    // Who names a record gets it, archived or not.
    env.set_context(context.clone().with("active_test", false));
    let read = read_chunks(env, model, ids, fields, &mut found).await;
    env.set_context(context);
    read?;
    let mut records = Vec::with_capacity(ids.len());
    for id in ids {
        match found.get(id) {
            Some(record) => records.push(record.clone()),
            None => match env.why_not_found(model, *id, Operation::Read).await? {
                Error::Missing { .. } => {}
                denied => return Err(denied),
            },
        }
    }
    Ok(records)
}

async fn read_chunks(
    env: &mut Env,
    model: &str,
    ids: &[Id],
    fields: &[&str],
    found: &mut HashMap<Id, Record>,
) -> Result<(), Error> {
    // Also for no ids at all: a wrong field or a missing right does not depend on the data.
    for chunk in ids.chunks(5_000).chain(ids.is_empty().then_some([].as_slice())) {
        let domain = Domain::leaf("id", Op::In, chunk);
        let records = env.search_read(model, &domain, fields, Search::order("id")).await?;
        found.extend(records.into_iter().map(|record| (record.id, record)));
    }
    Ok(())
}

pub(super) fn exists(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        env.check_right(&call.model, Operation::Read)?;
        let mut there = env.sudo("which records exist");
        let context = there.context().clone();
        there.set_context(context.clone().with("active_test", false));
        let domain = Domain::leaf("id", Op::In, call.ids.as_slice());
        let found = there.search(&call.model, &domain, Search::order("id")).await;
        there.set_context(context);
        let found = found?;
        Ok(call.ids.iter().filter(|id| found.contains(id)).map(|id| Json::from(id.0)).collect())
    })
}

/// Names of records, missing ones left out.
pub(super) async fn names(env: &mut Env, model: &str, ids: &[Id]) -> Result<Vec<(Id, String)>, Error> {
    let registry = env.registry().clone();
    let def = registry.model(model)?;
    let field = name_field(def);
    let found = existing(env, model, ids, field.as_slice()).await?;
    Ok(found.into_iter().map(|record| (record.id, label(def, field, &record))).collect())
}

/// The field that names a record, if the model has one.
pub(super) fn name_field(model: &ModelDef) -> Option<&str> {
    ["display_name"]
        .into_iter()
        .chain(model.rec_name.as_deref())
        .find(|name| model.find(name).is_some_and(|field| field.is_column() || field.is_computed()))
}

pub(super) fn label(model: &ModelDef, field: Option<&str>, record: &Record) -> String {
    match field.map(|field| record.value(field)) {
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Null) => String::new(),
        Some(Value::Int(number)) => number.to_string(),
        _ => format!("{},{}", model.name, record.id),
    }
}

fn pairs(names: Vec<(Id, String)>) -> Json {
    names.into_iter().map(|(id, name)| wire::name_of(id, &name)).collect()
}

pub(super) fn name_get(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move { Ok(pairs(names(env, &call.model, &call.ids).await?)) })
}

pub(super) fn name_search(env: &mut Env, mut call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let within = domain_of(&mut call, "args")?;
        let operator: String = call.opt("operator")?.unwrap_or_else(|| "ilike".to_owned());
        let name: String = call.opt("name")?.unwrap_or_default();
        let op = Op::parse(&operator).ok_or_else(|| bad_operator(&operator))?;
        let registry = env.registry().clone();
        let model = registry.model(&call.model)?;
        let mut by_name = Domain::False;
        let own = model.rec_name.as_deref().into_iter();
        for field in own.chain(model.name_search.iter().map(String::as_str)) {
            by_name = by_name.or(Domain::leaf(field.to_owned(), op, name.as_str()));
        }
        let domain = if name.is_empty() || by_name == Domain::False { within } else { within.and(by_name) };
        let limit: Option<u64> = call.opt("limit")?;
        let search = Search { limit: limit.filter(|limit| *limit > 0), ..Search::default() };
        let field = name_field(model);
        let found = env.search_read(&call.model, &domain, &[field.unwrap_or("id")], search).await;
        let found = found.map_err(|e| about(e, &domain))?;
        Ok(pairs(found.into_iter().map(|record| (record.id, label(model, field, &record))).collect()))
    })
}

/// What a call wants to read and how it is answered.
struct Wanted<'r> {
    columns: Vec<Column<'r>>,
}

struct Column<'r> {
    field: &'r FieldDef,
    name: NameOf,
}

enum NameOf {
    /// No many2one field, or its bare id is wanted.
    Nothing,
    /// Comes with the same query, as the value at this path.
    Path(String),
    /// Asked for afterwards.
    Later,
}

impl<'r> Wanted<'r> {
    fn of(env: &Env, registry: &'r Registry, call: &mut Call) -> Result<Wanted<'r>, Error> {
        let model = registry.model(&call.model)?;
        let asked: Vec<String> = call.opt("fields")?.unwrap_or_default();
        let with_names = call.args.get("load").is_some_and(|load| *load == "_classic_read");
        let mut columns: Vec<Column<'r>> = Vec::with_capacity(asked.len());
        let mut add = |field: &'r FieldDef| {
            if field.kind != Kind::Id && !columns.iter().any(|column| column.field.name == field.name) {
                let name = if with_names { name_path(env, registry, field) } else { NameOf::Nothing };
                columns.push(Column { field, name });
            }
        };
        match asked.is_empty() {
            true => env.readable_fields(model).into_iter().filter_map(|name| model.find(name)).for_each(add),
            false => {
                for name in &asked {
                    add(model.field(name).map_err(|e| about(e, &Domain::True))?);
                }
            }
        }
        Ok(Wanted { columns })
    }

    /// The fields, then the paths of names. Never empty, which would mean every field.
    fn names(&self) -> Vec<&str> {
        let fields = self.columns.iter().map(|column| column.field.name.as_str());
        let paths = self.columns.iter().filter_map(|column| match &column.name {
            NameOf::Path(path) => Some(path.as_str()),
            _ => None,
        });
        let names: Vec<&str> = fields.chain(paths).collect();
        if names.is_empty() { vec!["id"] } else { names }
    }

    async fn answer(&self, env: &mut Env, records: Vec<Record>) -> Result<Json, Error> {
        let others = self.other_names(env, &records).await?;
        Ok(records.into_iter().map(|record| self.json(record, &others)).collect())
    }

    /// Names that did not come with the query: made by a function, or of records that the user may not see himself.
    /// That something refers to a record tells its name.
    async fn other_names(&self, env: &mut Env, records: &[Record]) -> Result<HashMap<(usize, Id), String>, Error> {
        let mut all = HashMap::new();
        let mut paths = self.columns.len();
        for (at, column) in self.columns.iter().enumerate() {
            let named = match column.name {
                NameOf::Nothing => continue,
                NameOf::Later => None,
                NameOf::Path(_) => {
                    paths += 1;
                    Some(paths - 1)
                }
            };
            let Some(comodel) = column.field.kind.comodel() else { continue };
            let unnamed = records.iter().filter(|r| named.is_none_or(|name| r.values[name].is_null()));
            let mut ids: Vec<Id> = unnamed.filter_map(|r| id_of(&r.values[at])).collect();
            ids.sort_unstable();
            ids.dedup();
            if !ids.is_empty() {
                let found = names(&mut env.sudo("names of records that others refer to"), comodel, &ids).await?;
                all.extend(found.into_iter().map(|(id, name)| ((at, id), name)));
            }
        }
        Ok(all)
    }

    fn json(&self, record: Record, others: &HashMap<(usize, Id), String>) -> Json {
        let mut object = Map::new();
        object.insert("id".to_owned(), record.id.0.into());
        let mut values = record.values;
        let mut names = values.split_off(self.columns.len().min(values.len())).into_iter();
        for (at, (column, value)) in self.columns.iter().zip(values).enumerate() {
            let name = match &column.name {
                NameOf::Path(_) => names.next(),
                _ => None,
            };
            let json = match (&column.name, &value, name) {
                (NameOf::Nothing, ..) => wire::to_json(&column.field.kind, value),
                (_, Value::Id(id), Some(Value::Text(name))) => wire::name_of(*id, &name),
                (_, Value::Id(id), _) => wire::name_of(*id, others.get(&(at, *id)).map_or("", String::as_str)),
                _ => wire::to_json(&column.field.kind, value),
            };
            object.insert(column.field.name.clone(), json);
        }
        Json::Object(object)
    }
}

fn id_of(value: &Value) -> Option<Id> {
    match value {
        Value::Id(id) => Some(*id),
        _ => None,
    }
}

fn name_path(env: &Env, registry: &Registry, field: &FieldDef) -> NameOf {
    let Kind::Many2One { comodel, .. } = &field.kind else { return NameOf::Nothing };
    let Ok(comodel) = registry.model(comodel) else { return NameOf::Nothing };
    let readable = field.is_column() && env.check_right(&comodel.name, Operation::Read).is_ok();
    match name_field(comodel).and_then(|name| comodel.find(name)) {
        Some(name) if readable && name.is_column() && name.kind.is_text() => {
            NameOf::Path(format!("{}.{}", field.name, name.name))
        }
        _ => NameOf::Later,
    }
}

/// A domain among the arguments; nothing, null and false stand for all records.
pub(super) fn domain_of(call: &mut Call, name: &str) -> Result<Domain, Error> {
    let sent = call.args.remove(name).unwrap_or(Json::Null);
    if matches!(sent, Json::Bool(false)) {
        return Ok(Domain::True);
    }
    Domain::from_json(&sent).map_err(|error| match error {
        crate::DomainError::UnknownOperator { op: operator, .. } => {
            let leaf =
                sent.as_array().into_iter().flatten().find(|leaf| leaf.get(1).is_some_and(|op| *op == *operator));
            Error::Value(format!("Invalid operator in condition {}", leaf.map(python).unwrap_or_default()))
        }
        other => Error::Value(format!("Invalid domain on model {:?}: {other}", call.model)),
    })
}

fn bad_operator(operator: &str) -> Error {
    Error::Value(format!("Invalid operator {:?}", shorten(operator)))
}

/// offset, limit and order of a call. A limit of nothing is none.
pub(super) fn window(call: &Call) -> Result<Search, Error> {
    let limit: Option<u64> = call.opt("limit")?;
    let offset: Option<u64> = call.opt("offset")?;
    let order: Option<String> = call.opt("order")?;
    Ok(Search {
        order: order.filter(|order| !order.trim().is_empty()),
        limit: limit.filter(|limit| *limit > 0),
        offset: offset.unwrap_or_default(),
    })
}

/// A field that does not exist, in the words that clients know: in the condition that names it, else of the model.
pub(super) fn about(error: Error, domain: &Domain) -> Error {
    let Error::NoSuchField { model, field } = &error else { return error };
    Error::Value(match leaf_with(domain, field) {
        Some(leaf) => {
            format!("Invalid field {model}.{field} in condition ('{}', '{}', ...)", leaf.path, leaf.op.name())
        }
        None => format!("Invalid field '{field}' on model '{model}'"),
    })
}

fn leaf_with<'d>(domain: &'d Domain, field: &str) -> Option<&'d Leaf> {
    match domain {
        Domain::Leaf(leaf) => leaf.path.split('.').any(|step| step == field).then_some(leaf),
        Domain::And(parts) | Domain::Or(parts) => parts.iter().find_map(|part| leaf_with(part, field)),
        Domain::Not(inner) => leaf_with(inner, field),
        _ => None,
    }
}

/// As Python writes a tuple of a condition.
fn python(leaf: &Json) -> String {
    let part = |json: &Json| match json {
        Json::String(text) => format!("'{}'", shorten(text)),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Null => "None".to_owned(),
        other => shorten(&other.to_string()),
    };
    let parts: Vec<String> = leaf.as_array().into_iter().flatten().map(part).collect();
    format!("({})", parts.join(", "))
}
