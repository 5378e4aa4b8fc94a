//! Records as a file, and what people choose the columns from.

use std::{
    fs::File,
    io::{BufWriter, Seek, SeekFrom, Write},
};

use erp_engine::{Env, Error, Id, Search, Value, declare::Call, domain};
use erp_exchange::{Cell, write};
use jiff::tz::TimeZone;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::fields;

/// Name, label, media type.
pub const FORMATS: [(&str, &str, &str); 3] = [
    ("xlsx", "XLSX", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("csv", "CSV", "text/csv;charset=utf8"),
    ("xls", "XLS", "application/vnd.ms-excel"),
];

/// Records read at once.
const CHUNK: usize = 1_000;
/// Columns of a template.
const COLUMNS: usize = 30;

/// A file that was made, read from its beginning.
pub struct Exported {
    pub file: File,
    pub name: String,
    pub media_type: &'static str,
}

/// What a client asks for.
#[derive(Deserialize)]
struct Wish {
    model: String,
    fields: Vec<Chosen>,
    /// Nothing: all records of the domain.
    #[serde(default)]
    ids: Json,
    #[serde(default)]
    domain: Json,
    #[serde(default)]
    import_compat: bool,
    #[serde(default)]
    context: Json,
}

#[derive(Deserialize)]
struct Chosen {
    name: String,
    #[serde(default)]
    label: String,
}

fn unwritable(error: impl std::fmt::Display) -> Error {
    Error::User(error.to_string())
}

/// `{model, fields: [{name, label}], ids, domain, import_compat}` as a file, in memory that does not grow with it.
///
/// # Errors
/// When the user may not read the records, a field does not exist, or the format cannot hold them.
pub async fn export_file(env: &mut Env, format: &str, wish: Json) -> Result<Exported, Error> {
    let wish: Wish =
        serde_json::from_value(wish).map_err(|e| Error::Argument { name: "data".into(), problem: e.to_string() })?;
    let (_, _, media_type) = FORMATS
        .into_iter()
        .find(|(name, ..)| *name == format)
        .ok_or_else(|| Error::User(format!("there is no export as '{format}'; choose csv, xlsx or xls")))?;
    if let Json::Object(context) = &wish.context {
        env.set_context(super::preview::with(&env.context().clone(), context.clone()));
    }
    let ids: Vec<Id> = match wish.ids.as_array().filter(|ids| !ids.is_empty()) {
        Some(ids) => ids.iter().filter_map(Json::as_i64).map(Id).collect(),
        None => {
            let domain = if wish.domain.is_array() { wish.domain.clone() } else { json!([]) };
            let found = env.call(&wish.model, "search", vec![domain], Map::new()).await?;
            serde_json::from_value(found).map_err(unwritable)?
        }
    };
    let zone = env.context().tz.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
    env.learn_words().await?;
    let label = env.words().model(env.registry().model(&wish.model)?).to_owned();
    let paths: Vec<String> = wish.fields.iter().map(|field| field.name.clone()).collect();
    let headers: Vec<String> = wish
        .fields
        .iter()
        .map(
            |field| if wish.import_compat || field.label.is_empty() { field.name.clone() } else { field.label.clone() },
        )
        .collect();
    let mut file = tempfile::tempfile().map_err(unwritable)?;
    {
        let to: Box<dyn Write + Send> = Box::new(BufWriter::new(file.try_clone().map_err(unwritable)?));
        let made = write::writer(format, &label, !wish.import_compat, to);
        let mut writer = made.ok_or_else(|| unwritable("no such format"))?.map_err(unwritable)?;
        writer.header(&headers).map_err(unwritable)?;
        for chunk in ids.chunks(CHUNK) {
            for row in env.export_rows(&wish.model, chunk, &paths, wish.import_compat).await? {
                let cells: Vec<Cell> = row.into_iter().map(|value| cell(value, &zone)).collect();
                writer.row(&cells).map_err(unwritable)?;
            }
        }
        writer.finish().map_err(unwritable)?;
    }
    file.seek(SeekFrom::Start(0)).map_err(unwritable)?;
    Ok(Exported { file, name: format!("{label} ({}).{format}", wish.model), media_type })
}

fn cell(value: Value, zone: &TimeZone) -> Cell {
    match value {
        Value::Null => Cell::Empty,
        Value::Bool(truth) => Cell::Bool(truth),
        // Beyond this a spreadsheet's number loses digits.
        Value::Int(int) if int.unsigned_abs() > 1 << 53 => Cell::from(int.to_string()),
        Value::Int(int) => Cell::Number(int as f64),
        Value::Float(float) => Cell::Number(float),
        Value::Decimal(decimal) => decimal.to_f64().map_or_else(|| Cell::from(decimal.to_string()), Cell::Number),
        Value::Text(text) => Cell::from(text),
        Value::Date(date) => Cell::Date(date),
        Value::DateTime(at) => Cell::DateTime(at.to_zoned(zone.clone()).datetime()),
        Value::Bytes(bytes) => Cell::from(data_encoding::BASE64.encode(&bytes)),
        Value::Id(id) => Cell::Number(id.0 as f64),
        other => Cell::from(serde_json::to_string(&other).unwrap_or_default()),
    }
}

/// A file with the model's columns and nothing below, to be filled in: it matches by itself when it comes back.
///
/// # Errors
/// When there is no such model or the user may not make records of it.
pub async fn template(env: &mut Env, model: &str) -> Result<Exported, Error> {
    let tree = fields::tree(env, model, 1).await?;
    let registry = env.registry().clone();
    let def = registry.model(model)?;
    let words = env.words();
    let label = words.model(def);
    let mut headers = vec!["External ID".to_owned()];
    let useful = |kind: &str| !matches!(kind, "one2many" | "binary" | "json" | "reference" | "html");
    // As they were declared: the important ones come first.
    for field in def.fields.iter().filter(|field| field.name != "id") {
        if let Some(node) = tree.iter().find(|node| node.name == field.name && useful(&node.kind))
            && headers.len() < COLUMNS
        {
            // A label that two fields share would not say which.
            let shared = tree.iter().filter(|other| other.label == node.label).count() > 1;
            headers.push(if shared { node.name.clone() } else { node.label.clone() });
        }
    }
    let mut file = tempfile::tempfile().map_err(unwritable)?;
    {
        let to: Box<dyn Write + Send> = Box::new(file.try_clone().map_err(unwritable)?);
        let made = write::writer("xlsx", label, false, to);
        let mut writer = made.ok_or_else(|| unwritable("no such format"))?.map_err(unwritable)?;
        writer.header(&headers).map_err(unwritable)?;
        writer.finish().map_err(unwritable)?;
    }
    file.seek(SeekFrom::Start(0)).map_err(unwritable)?;
    Ok(Exported { file, name: format!("{label} template.xlsx"), media_type: FORMATS[0].2 })
}

pub(super) async fn get_import_templates(env: &mut Env, call: Call) -> Result<Json, Error> {
    let label = env.words().model(env.registry().model(&call.model)?).to_owned();
    let path = format!("/base_import/template/{}", call.model);
    Ok(json!([{ "label": format!("Import Template for {label}"), "template": path }]))
}

/// `[{name, label}]` of an export template.
pub(super) async fn namelist(env: &mut Env, call: Call) -> Result<Json, Error> {
    let model: String = call.arg("model")?;
    let export: i64 = call.arg("export_id")?;
    let lines = env
        .search_read("ir.exports.line", &domain!(["export_id", "=", Id(export)]), &["name"], Search::order("id"))
        .await?;
    let mut answer = Vec::new();
    for line in lines {
        let path = line.get_str("name").to_owned();
        let label = label_of(env, &model, &path).await?;
        answer.push(json!({ "name": path, "label": label }));
    }
    Ok(Json::Array(answer))
}

/// Labels along a path, with slashes.
async fn label_of(env: &mut Env, model: &str, path: &str) -> Result<String, Error> {
    let mut labels = Vec::new();
    let mut model = model.to_owned();
    for part in path.split('/') {
        match part {
            "id" => labels.push("External ID".to_owned()),
            ".id" => labels.push("ID".to_owned()),
            name => {
                let fields = env.call(&model, "fields_get", vec![json!([name])], Map::new()).await?;
                let field = &fields[name];
                labels.push(field["string"].as_str().unwrap_or(name).to_owned());
                model = field["relation"].as_str().unwrap_or(&model).to_owned();
            }
        }
    }
    Ok(labels.join("/"))
}

/// Fields that can be exported, with what is needed to open the next level.
pub(super) async fn get_fields(env: &mut Env, call: Call) -> Result<Json, Error> {
    let model: String = call.arg("model")?;
    let prefix: String = call.opt("prefix")?.unwrap_or_default();
    let parent_name: String = call.opt("parent_name")?.unwrap_or_default();
    let compatible: bool = call.arg("import_compat")?;
    let parent_type: String = call.opt("parent_field_type")?.unwrap_or_default();
    let exclude: Vec<String> = call.opt("exclude")?.unwrap_or_default();
    let Json::Object(fields) = env.call(&model, "fields_get", Vec::new(), Map::new()).await? else {
        return Ok(json!([]));
    };
    let referred = matches!(parent_type.as_str(), "many2one" | "many2many");
    let at = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
    let under = |label: &str| if parent_name.is_empty() { label.to_owned() } else { format!("{parent_name}/{label}") };
    let entry = |name: &str, label: &str, kind: &str| {
        json!({ "id": at(name), "value": at(name), "string": under(label), "field_type": kind, "required": false,
                "children": false, "default_export": false, "params": false })
    };
    let mut answer = vec![entry("id", "External ID", "id")];
    if !compatible {
        answer.push(entry(".id", "ID", "integer"));
    }
    let mut rest = Vec::new();
    for (name, field) in &fields {
        let flag = |key: &str| field[key].as_bool().unwrap_or(false);
        let text = |key: &str| field[key].as_str().unwrap_or_default();
        let unwanted = name == "id" || exclude.contains(name) || field["exportable"] == json!(false);
        // Only what import takes again; of a record that is referred to, what it is found by.
        if unwanted || (compatible && (flag("readonly") || referred && name != "name")) {
            continue;
        }
        let (kind, relation) = (text("type"), text("relation"));
        let mut one = entry(name, text("string"), kind);
        one["required"] = flag("required").into();
        one["default_export"] = (compatible && flag("default_export_compatible")).into();
        one["relation_field"] = field["relation_field"].clone();
        let deeper = !relation.is_empty() && at(name).split('/').count() < fields::DEPTH;
        if deeper && !(compatible && referred) {
            one["children"] = true.into();
            one["params"] = json!({ "model": relation, "prefix": at(name), "name": under(text("string")),
                                    "parent_field": field, "parent_field_type": kind });
            if compatible && matches!(kind, "many2one" | "many2many") {
                one["value"] = format!("{}/id", at(name)).into();
            }
        }
        rest.push(one);
    }
    rest.sort_by(|a, b| a["string"].as_str().cmp(&b["string"].as_str()));
    answer.extend(rest);
    Ok(Json::Array(answer))
}
