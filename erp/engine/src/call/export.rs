//! Export: records become a table of cells.
//!
//! The lines of a list stand in rows of their own below the record's, where the record's columns are empty: as import
//! takes them.

use std::collections::HashMap;

use futures_util::future::BoxFuture;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::{external, import, reading};
use crate::{
    declare::{Call, Done},
    error::Error,
    execute::Env,
    record::Values,
    resolve::{FieldDef, Kind, ModelDef, Registry},
    value::{Id, Value},
};

/// What is read of the records of one model.
struct Node<'r> {
    model: &'r ModelDef,
    /// Columns of external ids, and of database ids.
    external: Vec<usize>,
    database: Vec<usize>,
    cells: Vec<Cell<'r>>,
    below: Vec<(&'r FieldDef, Node<'r>)>,
}

struct Cell<'r> {
    column: usize,
    field: &'r FieldDef,
}

/// The rows of one record, the first with its own values.
type Rows = Vec<Vec<Value>>;

fn add<'r>(
    node: &mut Node<'r>,
    registry: &'r Registry,
    column: usize,
    parts: &[&str],
    compatible: bool,
) -> Result<(), Error> {
    let Some((first, rest)) = parts.split_first() else { return Ok(()) };
    match *first {
        "id" if rest.is_empty() => {
            node.external.push(column);
            return Ok(());
        }
        ".id" if rest.is_empty() => {
            node.database.push(column);
            return Ok(());
        }
        _ => {}
    }
    let field = node.model.field(first)?;
    let Some(comodel) = field.kind.comodel() else {
        if !rest.is_empty() {
            let problem = format!("{} has no fields of its own", field.label);
            return Err(Error::Argument { name: "fields_to_export".into(), problem });
        }
        node.cells.push(Cell { column, field });
        return Ok(());
    };
    let one_cell = match field.kind {
        Kind::Many2One { .. } => rest.is_empty(),
        Kind::Many2Many { .. } => compatible && rest.is_empty(),
        _ => false,
    };
    if one_cell {
        node.cells.push(Cell { column, field });
        return Ok(());
    }
    let place = match node.below.iter().position(|(known, _)| known.name == field.name) {
        Some(place) => place,
        None => {
            node.below.push((field, empty(registry.model(comodel)?)));
            node.below.len() - 1
        }
    };
    let named = ["display_name"];
    let rest = if rest.is_empty() { &named } else { rest };
    let below = &mut node.below[place].1;
    if rest == named && below.model.find("display_name").is_none() {
        let Some(name) = below.model.rec_name.as_deref() else { return Ok(()) };
        return add(below, registry, column, &[name], compatible);
    }
    add(below, registry, column, rest, compatible)
}

fn empty(model: &ModelDef) -> Node<'_> {
    Node { model, external: Vec::new(), database: Vec::new(), cells: Vec::new(), below: Vec::new() }
}

/// `a/b/id`, and `a.id` for the database id.
fn split(path: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = path.split('/').map(str::trim).collect();
    if let Some(last) = parts.pop() {
        match last.strip_suffix(".id").filter(|field| !field.is_empty()) {
            Some(field) => parts.extend([field, ".id"]),
            None => parts.push(last),
        }
    }
    parts
}

impl Env {
    /// Fields of records by their paths, such as `name`, `country_id/id`, `child_ids/name`; one or more rows for each
    /// record. `compatible`: as import takes it again, lists of records in one cell. External ids are made where there
    /// are none.
    pub async fn export_rows(
        &mut self,
        model: &str,
        ids: &[Id],
        paths: &[String],
        compatible: bool,
    ) -> Result<Vec<Vec<Value>>, Error> {
        let registry = self.registry().clone();
        let mut root = empty(registry.model(model)?);
        for (column, path) in paths.iter().enumerate() {
            add(&mut root, &registry, column, &split(path), compatible)?;
        }
        let mut work = Work { width: paths.len(), compatible };
        let mut rows = Vec::new();
        for chunk in ids.chunks(1_000) {
            let mut found = work.export(self, &root, chunk.to_vec()).await?;
            rows.extend(chunk.iter().filter_map(|id| found.remove(id)).flatten());
        }
        Ok(rows)
    }
}

struct Work {
    width: usize,
    compatible: bool,
}

impl Work {
    fn export<'a>(
        &'a mut self,
        env: &'a mut Env,
        node: &'a Node<'_>,
        ids: Vec<Id>,
    ) -> BoxFuture<'a, Result<HashMap<Id, Rows>, Error>> {
        Box::pin(async move {
            let (registry, words) = (env.registry().clone(), env.words());
            let mut fields: Vec<&str> = node.cells.iter().map(|cell| cell.field.name.as_str()).collect();
            for (field, _) in &node.below {
                if !fields.contains(&field.name.as_str()) {
                    fields.push(&field.name);
                }
            }
            let records = reading::existing(env, &node.model.name, &ids, &fields).await?;
            let external = match node.external.is_empty() {
                true => HashMap::new(),
                false => external_ids(env, node.model, &ids).await?,
            };
            let mut names: HashMap<(&str, Id), String> = HashMap::new();
            for cell in &node.cells {
                let Some(comodel) = cell.field.kind.comodel() else { continue };
                let mut wanted: Vec<Id> = records.iter().flat_map(|r| ids_of(r.value(&cell.field.name))).collect();
                wanted.sort_unstable();
                wanted.dedup();
                let mut all = env.sudo("names of records that others refer to");
                let found = reading::names(&mut all, comodel, &wanted).await?;
                names.extend(found.into_iter().map(|(id, name)| ((cell.field.name.as_str(), id), name)));
            }
            let mut below = Vec::with_capacity(node.below.len());
            for (field, inner) in &node.below {
                let mut wanted: Vec<Id> = records.iter().flat_map(|r| ids_of(r.value(&field.name))).collect();
                wanted.sort_unstable();
                wanted.dedup();
                below.push(self.export(env, inner, wanted).await?);
            }
            let mut done = HashMap::with_capacity(records.len());
            for record in &records {
                let mut first = vec![Value::Null; self.width];
                for column in &node.external {
                    first[*column] = external.get(&record.id).map_or(Value::Null, Value::from);
                }
                for column in &node.database {
                    first[*column] = Value::Int(record.id.0);
                }
                for Cell { column, field } in &node.cells {
                    let value = record.value(&field.name);
                    first[*column] = match (&field.kind, value) {
                        (Kind::Many2One { .. } | Kind::Many2Many { .. }, value) => {
                            let all = ids_of(value).into_iter();
                            let named: Vec<&str> = all
                                .filter_map(|id| names.get(&(field.name.as_str(), id)).map(String::as_str))
                                .collect();
                            if named.is_empty() { Value::Null } else { Value::Text(named.join(",")) }
                        }
                        (Kind::Selection { options }, Value::Text(key)) => {
                            let label = options.iter().find(|(known, _)| known == key);
                            let label =
                                label.map(|(_, label)| words.option(&registry, node.model, field, (key, label)));
                            Value::from(label.unwrap_or(key))
                        }
                        (_, value) => value.clone(),
                    };
                }
                let mut rows = vec![first];
                for ((field, inner), found) in node.below.iter().zip(&below) {
                    let all: Vec<&Rows> =
                        ids_of(record.value(&field.name)).iter().filter_map(|id| found.get(id)).collect();
                    let list = matches!(field.kind, Kind::Many2Many { .. });
                    if list && self.compatible && inner.cells.is_empty() && inner.below.is_empty() {
                        join(&mut rows[0], inner, &all);
                        continue;
                    }
                    let mut lines = all.into_iter().flatten().cloned();
                    if let Some(line) = lines.next() {
                        merge(&mut rows[0], line);
                    }
                    rows.extend(lines);
                }
                done.insert(record.id, rows);
            }
            Ok(done)
        })
    }
}

/// External or database ids of a list, with commas.
fn join(row: &mut [Value], inner: &Node<'_>, all: &[&Rows]) {
    for column in inner.external.iter().chain(&inner.database) {
        let texts: Vec<String> = all
            .iter()
            .filter_map(|rows| match &rows.first()?[*column] {
                Value::Text(text) => Some(text.clone()),
                Value::Int(id) => Some(id.to_string()),
                _ => None,
            })
            .collect();
        row[*column] = if texts.is_empty() { Value::Null } else { Value::Text(texts.join(",")) };
    }
}

fn merge(row: &mut [Value], line: Vec<Value>) {
    for (cell, value) in row.iter_mut().zip(line) {
        if !value.is_null() {
            *cell = value;
        }
    }
}

fn ids_of(value: &Value) -> Vec<Id> {
    match value {
        Value::Id(id) => vec![*id],
        Value::Ids(ids) => ids.clone(),
        _ => Vec::new(),
    }
}

/// The external id of each record, made where it has none: by it the record is known when the table comes back.
async fn external_ids(env: &mut Env, model: &ModelDef, ids: &[Id]) -> Result<HashMap<Id, String>, Error> {
    let known = external::of_records(env, &model.name, ids).await?;
    let mut all: HashMap<Id, String> =
        known.into_iter().filter_map(|(id, names)| Some((id, names.into_iter().next()?.0))).collect();
    let module_field = import::module_field(&env.registry().clone())?;
    let salt = env.now().as_nanosecond();
    let mut rows = Vec::new();
    for id in ids.iter().filter(|id| !all.contains_key(id)).copied().collect::<Vec<_>>() {
        let digest = Sha256::digest(format!("{} {id} {salt}", model.name));
        let name = format!("{}_{id}_{}", model.table, data_encoding::HEXLOWER.encode(&digest[..4]));
        all.insert(id, format!("__export__.{name}"));
        rows.push(
            Values::new()
                .with(module_field, "__export__")
                .with("name", name)
                .with("model", &*model.name)
                .with("res_id", id.0),
        );
    }
    if !rows.is_empty() {
        env.sudo("external ids of exported records").create_many(import::EXTERNAL, rows).await?;
    }
    Ok(all)
}

/// `export_data(fields_to_export)`.
pub(super) fn export_data(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let paths: Vec<String> = call.arg("fields_to_export")?;
        let compatible = env.context().get("import_compat").and_then(Json::as_bool).unwrap_or(true);
        let zone = env.context().tz.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
        let rows = env.export_rows(&call.model, &call.ids, &paths, compatible).await?;
        let rows: Vec<Json> =
            rows.into_iter().map(|row| row.into_iter().map(|value| cell(value, &zone)).collect()).collect();
        Ok(json!({ "datas": rows }))
    })
}

/// As import takes it: times of the user's zone, nothing as an empty text.
fn cell(value: Value, zone: &TimeZone) -> Json {
    match value {
        Value::Null => "".into(),
        Value::DateTime(at) => at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string().into(),
        Value::Json(json) => json.to_string().into(),
        value => super::wire::to_json(&Kind::Text, value),
    }
}
