//! What an expression becomes.

use std::cmp::Ordering;

use jiff::civil::{DateTime, Time};
use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::{ExprError, time, time::Delta};
use crate::value::{Id, Value};

/// A value while expressions are evaluated: a field's value, or what only exists in between.
#[derive(Clone, Debug, PartialEq)]
pub enum Val {
    One(Value),
    List(Vec<Val>),
    Dict(Vec<(String, Val)>),
    /// A date and time on the user's clocks; taken as UTC where nobody asks for `.to_utc()`.
    Local(DateTime),
    Time(Time),
    Delta(Delta),
}

impl<T: Into<Value>> From<T> for Val {
    fn from(value: T) -> Val {
        Val::One(value.into())
    }
}

impl From<Vec<Val>> for Val {
    fn from(items: Vec<Val>) -> Val {
        Val::List(items)
    }
}

pub(super) const NULL: Val = Val::One(Value::Null);

#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Int(i64),
    Decimal(Decimal),
    Float(f64),
}

impl Val {
    /// From JSON: lists and dictionaries stay what they are.
    pub fn from_json(json: &serde_json::Value) -> Val {
        match json {
            serde_json::Value::Array(items) => Val::List(items.iter().map(Val::from_json).collect()),
            serde_json::Value::Object(map) => {
                Val::Dict(map.iter().map(|(key, value)| (key.clone(), Val::from_json(value))).collect())
            }
            one => Val::One(Value::from_json(one)),
        }
    }

    /// The value as one that fields hold: a list of ids becomes `Ids`, other lists and dictionaries JSON.
    pub fn into_value(self) -> Result<Value, ExprError> {
        Ok(match self {
            Val::One(value) => value,
            Val::Local(local) => Value::DateTime(
                time::to_timestamp(local, &jiff::tz::TimeZone::UTC)
                    .ok_or_else(|| ExprError::eval("this time is too far away"))?,
            ),
            Val::List(items) => {
                let id = |item: &Val| match item {
                    Val::One(Value::Id(id)) => Some(*id),
                    Val::One(Value::Int(id)) => Some(Id(*id)),
                    _ => None,
                };
                match items.iter().map(id).collect::<Option<Vec<Id>>>() {
                    Some(ids) => Value::Ids(ids),
                    None => Value::Json(Val::List(items).to_json()?),
                }
            }
            dict @ Val::Dict(_) => Value::Json(dict.to_json()?),
            Val::Time(_) | Val::Delta(_) => return Err(ExprError::eval(format!("{} cannot be stored", self.kind()))),
        })
    }

    /// Dates and times as texts in the form of the external API, records as their ids.
    pub fn to_json(&self) -> Result<serde_json::Value, ExprError> {
        Ok(match self {
            Val::One(Value::DateTime(at)) => time::wire(*at).into(),
            Val::One(Value::Float(v)) => serde_json::Value::from(*v),
            Val::One(Value::Decimal(v)) => serde_json::Value::from(v.to_f64().unwrap_or_default()),
            Val::One(value) => serde_json::to_value(value).map_err(|error| ExprError::eval(error.to_string()))?,
            Val::Local(local) => time::format(*local, "%Y-%m-%d %H:%M:%S").map_err(ExprError::Eval)?.into(),
            Val::List(items) => items.iter().map(Val::to_json).collect::<Result<Vec<_>, _>>()?.into(),
            Val::Dict(items) => {
                let items = items.iter().map(|(key, value)| Ok((key.clone(), value.to_json()?)));
                serde_json::Value::Object(items.collect::<Result<_, ExprError>>()?)
            }
            Val::Time(_) | Val::Delta(_) => return Err(ExprError::eval(format!("{} has no JSON form", self.kind()))),
        })
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Val::One(value) => value.kind(),
            Val::List(_) => "a list",
            Val::Dict(_) => "a dictionary",
            Val::Local(_) => "a date and time",
            Val::Time(_) => "a time of day",
            Val::Delta(_) => "a span of time",
        }
    }

    /// Whether it counts as true: what is empty or zero does not.
    pub fn is_true(&self) -> bool {
        match self {
            Val::One(value) => match value {
                Value::Null => false,
                Value::Bool(v) => *v,
                Value::Int(v) => *v != 0,
                Value::Float(v) => *v != 0.0,
                Value::Decimal(v) => !v.is_zero(),
                Value::Text(v) => !v.is_empty(),
                Value::Ids(v) => !v.is_empty(),
                Value::Commands(v) => !v.is_empty(),
                Value::Bytes(v) => !v.is_empty(),
                Value::Json(v) => match v {
                    serde_json::Value::Null | serde_json::Value::Bool(false) => false,
                    serde_json::Value::Array(items) => !items.is_empty(),
                    serde_json::Value::Object(map) => !map.is_empty(),
                    serde_json::Value::String(text) => !text.is_empty(),
                    serde_json::Value::Number(number) => number.as_f64() != Some(0.0),
                    serde_json::Value::Bool(true) => true,
                },
                _ => true,
            },
            Val::List(items) => !items.is_empty(),
            Val::Dict(items) => !items.is_empty(),
            Val::Delta(delta) => *delta != Delta::default(),
            Val::Local(_) | Val::Time(_) => true,
        }
    }

    /// Empty is 0, true is 1.
    pub(super) fn number(&self) -> Option<Number> {
        match self {
            Val::One(Value::Null) => Some(Number::Int(0)),
            Val::One(Value::Bool(v)) => Some(Number::Int(i64::from(*v))),
            Val::One(Value::Int(v)) => Some(Number::Int(*v)),
            Val::One(Value::Id(v)) => Some(Number::Int(v.0)),
            Val::One(Value::Float(v)) => Some(Number::Float(*v)),
            Val::One(Value::Decimal(v)) => Some(Number::Decimal(*v)),
            _ => None,
        }
    }

    /// A date, a time, or a text that is one.
    pub(super) fn moment(&self) -> Option<DateTime> {
        match self {
            Val::One(Value::Date(date)) => Some(date.to_datetime(Time::midnight())),
            Val::One(Value::DateTime(at)) => Some(time::utc(*at)),
            Val::Local(local) => Some(*local),
            Val::One(Value::Text(text)) => time::parse(text),
            _ => None,
        }
    }

    pub(super) fn is_moment(&self) -> bool {
        matches!(self, Val::One(Value::Date(_) | Value::DateTime(_)) | Val::Local(_))
    }

    /// The items of anything that is a list.
    pub(super) fn items(&self) -> Option<Vec<Val>> {
        match self {
            Val::List(items) => Some(items.clone()),
            Val::One(Value::Ids(ids)) => Some(ids.iter().map(|id| Val::One(Value::Id(*id))).collect()),
            Val::One(Value::Json(serde_json::Value::Array(items))) => Some(items.iter().map(Val::from_json).collect()),
            Val::Dict(items) => Some(items.iter().map(|(key, _)| Val::One(Value::Text(key.clone()))).collect()),
            _ => None,
        }
    }
}

pub(super) fn equal(a: &Val, b: &Val) -> bool {
    let empty = |v: &Val| matches!(v, Val::One(Value::Null));
    match (a, b) {
        (Val::One(Value::Null), other) | (other, Val::One(Value::Null)) => {
            empty(other) || matches!(other.number(), Some(number) if is_zero(number))
        }
        (Val::Dict(a), Val::Dict(b)) => a == b,
        (Val::Delta(a), Val::Delta(b)) => a == b,
        (Val::Time(a), Val::Time(b)) => a == b,
        _ => match (a.items(), b.items()) {
            (Some(a), Some(b)) => a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| equal(a, b)),
            (None, None) => order(a, b) == Some(Ordering::Equal),
            _ => false,
        },
    }
}

/// Nothing where the two cannot be compared: an empty date is neither before nor after another.
pub(super) fn order(a: &Val, b: &Val) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (a.number(), b.number()) {
        return compare_numbers(a, b);
    }
    match (a, b) {
        (Val::One(Value::Text(a)), Val::One(Value::Text(b))) => Some(a.cmp(b)),
        (Val::Time(a), Val::Time(b)) => Some(a.cmp(b)),
        (Val::Delta(a), Val::Delta(b)) => Some((a.months, a.days, a.seconds).cmp(&(b.months, b.days, b.seconds))),
        (a, b) if a.is_moment() || b.is_moment() => Some(a.moment()?.cmp(&b.moment()?)),
        (Val::List(a), Val::List(b)) => {
            let first = a.iter().zip(b).map(|(a, b)| order(a, b)).find(|found| *found != Some(Ordering::Equal));
            first.unwrap_or(Some(a.len().cmp(&b.len())))
        }
        _ => None,
    }
}

fn is_zero(number: Number) -> bool {
    match number {
        Number::Int(v) => v == 0,
        Number::Decimal(v) => v.is_zero(),
        Number::Float(v) => v == 0.0,
    }
}

pub(super) fn float(number: Number) -> f64 {
    match number {
        Number::Int(v) => v as f64,
        Number::Decimal(v) => v.to_f64().unwrap_or(f64::NAN),
        Number::Float(v) => v,
    }
}

pub(super) fn decimal(number: Number) -> Option<Decimal> {
    match number {
        Number::Int(v) => Some(Decimal::from(v)),
        Number::Decimal(v) => Some(v),
        Number::Float(_) => None,
    }
}

fn compare_numbers(a: Number, b: Number) -> Option<Ordering> {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => Some(a.cmp(&b)),
        (a, b) => match (decimal(a), decimal(b)) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => float(a).partial_cmp(&float(b)),
        },
    }
}
