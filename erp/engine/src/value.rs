//! The values that records hold, and the conversions to and from Rust's own types.

use std::fmt;

use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::record::Command;

/// Database id of a record. Ids are positive, made by the database and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(pub i64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Id of a user, whose rights an environment has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Uid(pub i64);

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The value of a field. `Ids` is what a list of records reads as, and written it replaces the list; `Commands` is only
/// ever written, and changes one.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Decimal(Decimal),
    Text(String),
    Date(Date),
    /// A point in time, kept to the microsecond.
    DateTime(Timestamp),
    Json(serde_json::Value),
    Bytes(Vec<u8>),
    Id(Id),
    Ids(Vec<Id>),
    Commands(Vec<Command>),
}

impl Value {
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    pub fn as_id(&self) -> Option<Id> {
        match self {
            Value::Id(id) => Some(*id),
            _ => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What an error message calls this value.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Decimal(_) => "a decimal",
            Value::Text(_) => "a text",
            Value::Date(_) => "a date",
            Value::DateTime(_) => "a date and time",
            Value::Json(_) => "a JSON value",
            Value::Bytes(_) => "bytes",
            Value::Id(_) => "a record id",
            Value::Ids(_) => "a list of record ids",
            Value::Commands(_) => "changes of a list of records",
        }
    }

    /// From a plain JSON value, before the field says what it must become.
    pub fn from_json(json: &serde_json::Value) -> Value {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(b) => Value::Bool(*b),
            serde_json::Value::Number(n) => match (n.as_i64(), n.as_f64()) {
                (Some(int), _) => Value::Int(int),
                (None, Some(float)) => Value::Float(float),
                (None, None) => Value::Null,
            },
            serde_json::Value::String(s) => Value::Text(s.clone()),
            other => Value::Json(other.clone()),
        }
    }
}

/// JSON for web pages: decimals as text (no rounding by the reader), times as RFC 3339 in UTC, bytes as their number.
impl Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => s.serialize_none(),
            Value::Bool(v) => s.serialize_bool(*v),
            Value::Int(v) => s.serialize_i64(*v),
            Value::Float(v) => s.serialize_f64(*v),
            Value::Decimal(v) => s.collect_str(v),
            Value::Text(v) => s.serialize_str(v),
            Value::Date(v) => s.collect_str(v),
            Value::DateTime(v) => s.collect_str(v),
            Value::Json(v) => v.serialize(s),
            Value::Bytes(v) => s.serialize_u64(v.len() as u64),
            Value::Id(v) => v.serialize(s),
            Value::Ids(v) => v.serialize(s),
            Value::Commands(v) => v.serialize(s),
        }
    }
}

macro_rules! from {
    ($($from:ty => |$v:ident| $to:expr),* $(,)?) => { $(
        impl From<$from> for Value {
            fn from($v: $from) -> Value { $to }
        }
    )* };
}

from! {
    bool => |v| Value::Bool(v),
    i64 => |v| Value::Int(v),
    i32 => |v| Value::Int(v.into()),
    u32 => |v| Value::Int(v.into()),
    u16 => |v| Value::Int(v.into()),
    u8 => |v| Value::Int(v.into()),
    f64 => |v| Value::Float(v),
    Decimal => |v| Value::Decimal(v),
    &str => |v| Value::Text(v.to_owned()),
    &String => |v| Value::Text(v.clone()),
    String => |v| Value::Text(v),
    Date => |v| Value::Date(v),
    Timestamp => |v| Value::DateTime(v),
    serde_json::Value => |v| Value::Json(v),
    Vec<u8> => |v| Value::Bytes(v),
    &[u8] => |v| Value::Bytes(v.to_owned()),
    Id => |v| Value::Id(v),
    &Id => |v| Value::Id(*v),
    Uid => |v| Value::Id(Id(v.0)),
    Vec<Id> => |v| Value::Ids(v),
    &[Id] => |v| Value::Ids(v.to_owned()),
    Vec<Command> => |v| Value::Commands(v),
    Command => |v| Value::Commands(vec![v]),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Value {
        v.map_or(Value::Null, Into::into)
    }
}

/// Rust types that a field can be read as.
pub trait FromValue: Sized {
    const EXPECTED: &'static str;
    fn from_value(value: &Value) -> Option<Self>;
}

macro_rules! read {
    ($($to:ty, $expected:literal => $($pattern:pat => $value:expr),+ ;)*) => { $(
        impl FromValue for $to {
            const EXPECTED: &'static str = $expected;
            fn from_value(value: &Value) -> Option<$to> {
                match value { $($pattern => $value,)+ _ => None }
            }
        }
    )* };
}

read! {
    bool, "a boolean" => Value::Bool(v) => Some(*v), Value::Null => Some(false);
    i64, "an integer" => Value::Int(v) => Some(*v), Value::Id(v) => Some(v.0);
    u32, "a positive integer" => Value::Int(v) => u32::try_from(*v).ok();
    u64, "a positive integer" => Value::Int(v) => u64::try_from(*v).ok();
    f64, "a float" => Value::Float(v) => Some(*v), Value::Int(v) => Some(*v as f64);
    Decimal, "a decimal" => Value::Decimal(v) => Some(*v), Value::Int(v) => Some(Decimal::from(*v));
    String, "a text" => Value::Text(v) => Some(v.clone());
    Date, "a date" => Value::Date(v) => Some(*v);
    Timestamp, "a date and time" => Value::DateTime(v) => Some(*v);
    serde_json::Value, "a JSON value" => Value::Json(v) => Some(v.clone()), Value::Null => Some(serde_json::Value::Null);
    Vec<u8>, "bytes" => Value::Bytes(v) => Some(v.clone());
    Id, "a record id" => Value::Id(v) => Some(*v);
    Uid, "a user id" => Value::Id(v) => Some(Uid(v.0));
    Vec<Id>, "a list of record ids" => Value::Ids(v) => Some(v.clone());
}

impl FromValue for Value {
    const EXPECTED: &'static str = "any value";
    fn from_value(value: &Value) -> Option<Value> {
        Some(value.clone())
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    fn from_value(value: &Value) -> Option<Option<T>> {
        if value.is_null() { Some(None) } else { T::from_value(value).map(Some) }
    }
}
