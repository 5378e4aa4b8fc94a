//! From the engine to the client.

use data_encoding::BASE64;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Value as Json, json};

use crate::{
    resolve::Kind,
    value::{Id, Value},
};

/// A stored value. A many2one field is its bare id here; see [`name_of`].
pub(crate) fn to_json(kind: &Kind, value: Value) -> Json {
    match value {
        Value::Null => empty(kind),
        Value::Bool(v) => v.into(),
        Value::Int(v) => v.into(),
        Value::Float(v) => v.into(),
        Value::Decimal(v) => v.to_f64().into(),
        // Nothing is nothing, however it is kept.
        Value::Text(v) if v.is_empty() => false.into(),
        Value::Text(v) => v.into(),
        Value::Date(v) => v.to_string().into(),
        Value::DateTime(v) => v.strftime("%Y-%m-%d %H:%M:%S").to_string().into(),
        Value::Json(Json::Null) => false.into(),
        Value::Json(v) => v,
        Value::Bytes(v) if v.is_empty() => false.into(),
        Value::Bytes(v) => BASE64.encode(&v).into(),
        Value::Id(v) => v.0.into(),
        Value::Ids(v) => v.into_iter().map(|id| Json::from(id.0)).collect(),
        // Only ever written; as it came.
        Value::Commands(v) => serde_json::to_value(v).unwrap_or_default(),
    }
}

fn empty(kind: &Kind) -> Json {
    match kind {
        Kind::Integer => 0.into(),
        Kind::Float | Kind::Decimal { .. } | Kind::Monetary { .. } => 0.0.into(),
        Kind::One2Many { .. } | Kind::Many2Many { .. } => json!([]),
        _ => false.into(),
    }
}

/// A many2one field with its record's name.
pub(crate) fn name_of(id: Id, name: &str) -> Json {
    json!([id.0, name])
}
