//! The value of a `<field>` of a data file, by what the field is.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::Files;
use crate::{
    call::wire,
    expr::{self, Scope, Val},
    record::Command,
    resolve::{FieldDef, Kind},
    value::{Id, Value},
};

/// Names that an expression of a data file knows: external ids, and the time.
pub(super) struct FileScope<'a> {
    pub(super) files: &'a Files<'a>,
    pub(super) now: Timestamp,
}

impl Scope for FileScope<'_> {
    fn path(&self, _: &str) -> Option<Val> {
        None
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn reference(&self, external_id: &str) -> Option<Val> {
        self.files.known.get(&self.files.full(external_id)).map(|external| Val::One(Value::Id(external.id)))
    }
}

/// External ids that an expression names.
pub(super) fn references(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("ref(") {
        let rest = text[at + 4..].trim_start();
        let Some(quote) = rest.chars().next().filter(|c| matches!(c, '\'' | '"')) else { continue };
        if let Some((name, _)) = rest[1..].split_once(quote) {
            found.push(name.to_owned());
        }
    }
    found
}

pub(super) fn evaluated(field: &FieldDef, text: &str, scope: &FileScope<'_>) -> Result<Value, String> {
    let node = expr::parse(text.trim()).map_err(|error| format!("eval {text:?}: {error}"))?;
    let value = expr::eval(&node, scope).map_err(|error| format!("eval {text:?}: {error}"))?;
    match &field.kind {
        Kind::Json => value.to_json().map(Value::Json).map_err(|error| error.to_string()),
        kind if kind.is_list() => commands(&value.to_json().map_err(|error| error.to_string())?),
        Kind::Char { .. } | Kind::Text | Kind::Html => match value {
            Val::One(Value::Text(text)) => Ok(Value::Text(text)),
            Val::One(Value::Null | Value::Bool(false)) => Ok(Value::Null),
            // A domain or context written as what it is.
            other => other.to_json().map(|json| Value::Text(json.to_string())).map_err(|error| error.to_string()),
        },
        _ => value.into_value().map_err(|error| error.to_string()),
    }
}

fn commands(json: &Json) -> Result<Value, String> {
    match json {
        Json::Array(list) => Command::list_from_json(list).map(Value::Commands),
        _ => Err("a list of records takes commands such as [(6, 0, [ref('a')])]".to_owned()),
    }
}

/// Of the text that stands in the element.
pub(super) fn plain(field: &FieldDef, text: &str) -> Result<Value, String> {
    let trimmed = text.trim();
    let json = match &field.kind {
        Kind::Char { .. } | Kind::Text | Kind::Html => Json::from(text),
        _ if trimmed.is_empty() => Json::Bool(false),
        Kind::Integer | Kind::Id | Kind::Many2One { .. } => {
            trimmed.parse::<i64>().map_err(|_| format!("{trimmed:?} is no whole number"))?.into()
        }
        Kind::Float => trimmed.parse::<f64>().map_err(|_| format!("{trimmed:?} is no number"))?.into(),
        Kind::Boolean => match trimmed.to_ascii_lowercase().as_str() {
            "1" | "true" => true.into(),
            "0" | "false" => false.into(),
            _ => return Err(format!("{trimmed:?} is neither True nor False")),
        },
        Kind::Json => serde_json::from_str(trimmed).map_err(|error| error.to_string())?,
        kind if kind.is_list() => return Err("give a list of records by eval or search".to_owned()),
        _ => Json::from(trimmed),
    };
    wire::from_json(&field.kind, json)
}

/// Of the record that `ref` names.
pub(super) fn referred(field: &FieldDef, model: &str, id: Id) -> Result<Value, String> {
    match &field.kind {
        Kind::Many2One { comodel, .. } if **comodel != *model => {
            Err(format!("it refers to a {model}, which does not fit; it takes a {comodel}"))
        }
        Kind::Many2One { .. } => Ok(Value::Id(id)),
        Kind::One2Many { .. } | Kind::Many2Many { .. } => Ok(Value::Commands(vec![Command::Link(id)])),
        Kind::Reference { .. } => Ok(Value::Text(format!("{model},{id}"))),
        Kind::Integer => Ok(Value::Int(id.0)),
        Kind::Char { .. } => Ok(Value::Text(id.to_string())),
        _ => Err("this field holds no record".to_owned()),
    }
}
