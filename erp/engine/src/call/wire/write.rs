//! From the client to the engine. Says what is wrong before a database sees it.

use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde_json::Value as Json;

use crate::{
    resolve::{Kind, coerce, shorten},
    value::{Id, Value},
};

/// A value for a field that is no list; those come as [`commands`].
pub(crate) fn from_json(kind: &Kind, sent: Json) -> Result<Value, String> {
    match (kind, sent) {
        (Kind::Json, Json::Bool(false) | Json::Null) => Ok(Value::Null),
        (Kind::Json, sent) => Ok(Value::Json(sent)),
        (Kind::Boolean, Json::Null) => Ok(Value::Bool(false)),
        (Kind::Boolean, Json::Bool(value)) => Ok(Value::Bool(value)),
        (Kind::Boolean, sent) => match sent.as_i64() {
            Some(number @ (0 | 1)) => Ok(Value::Bool(number == 1)),
            _ => Err(wrong(&sent, "true or false")),
        },
        (_, Json::Null | Json::Bool(false)) => Ok(Value::Null),
        (Kind::Char { .. } | Kind::Text | Kind::Html | Kind::Selection { .. } | Kind::Reference { .. }, sent) => {
            text(sent)
        }
        (Kind::Integer | Kind::Id, sent) => integer(&sent).map(Value::Int),
        (Kind::Float, sent) => float(&sent),
        (Kind::Decimal { .. } | Kind::Monetary { .. }, sent) => decimal(&sent),
        (Kind::Date, sent) => date(&sent),
        (Kind::DateTime, sent) => datetime(&sent),
        (Kind::Binary { .. } | Kind::Image { .. }, sent) => bytes(&sent),
        (Kind::Many2One { .. }, sent) => record(&sent),
        (Kind::One2Many { .. } | Kind::Many2Many { .. }, sent) => Err(wrong(&sent, "a list of commands")),
    }
}

fn wrong(sent: &Json, wanted: &str) -> String {
    format!("{} is not {wanted}", shorten(&sent.to_string()))
}

fn text(sent: Json) -> Result<Value, String> {
    match sent {
        Json::String(text) if text.is_empty() => Ok(Value::Null),
        Json::String(text) => Ok(Value::Text(text)),
        // Phone numbers and codes that a client took for numbers.
        Json::Number(number) => Ok(Value::Text(number.to_string())),
        other => Err(wrong(&other, "a text")),
    }
}

fn integer(sent: &Json) -> Result<i64, String> {
    let whole = |float: f64| (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64);
    let number = match sent {
        Json::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
        Json::String(text) => text.trim().parse().ok(),
        Json::Bool(true) => Some(1),
        _ => None,
    };
    number.ok_or_else(|| wrong(sent, "an integer"))
}

fn float(sent: &Json) -> Result<Value, String> {
    let number = match sent {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|n| n.is_finite()).map(Value::Float).ok_or_else(|| wrong(sent, "a number"))
}

fn decimal(sent: &Json) -> Result<Value, String> {
    let number: Option<Decimal> = match sent {
        // By its text: 0.1 stays 0.1.
        Json::Number(number) => {
            let text = number.to_string();
            text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok())
        }
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.map(Value::Decimal).ok_or_else(|| wrong(sent, "a decimal number"))
}

fn date(sent: &Json) -> Result<Value, String> {
    let Json::String(text) = sent else { return Err(wrong(sent, "a date such as 2026-11-21")) };
    let text = text.trim();
    if text.is_empty() {
        return Ok(Value::Null);
    }
    // Clients send a time along; the date is what counts.
    let day = text.split(['T', ' ']).next().unwrap_or_default();
    let known = day.len() == 10 && text.len() < 40;
    let date = known.then(|| day.parse::<Date>().ok()).flatten();
    date.filter(|d| d.year() > 0).map(Value::Date).ok_or_else(|| wrong(sent, "a date such as 2026-11-21"))
}

fn datetime(sent: &Json) -> Result<Value, String> {
    let form = "a time such as 2026-11-21 08:30:00, in UTC";
    let Json::String(text) = sent else { return Err(wrong(sent, form)) };
    let text = text.trim();
    if text.is_empty() {
        return Ok(Value::Null);
    }
    coerce::parse_time(text).map(Value::DateTime).ok_or_else(|| wrong(sent, form))
}

/// Line breaks and missing padding are what encoders differ in.
static LENIENT: LazyLock<Option<Encoding>> = LazyLock::new(|| {
    let mut base64 = Specification::new();
    base64.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    base64.ignore.push_str(" \t\r\n=");
    base64.encoding().ok()
});

fn bytes(sent: &Json) -> Result<Value, String> {
    let wrong = || "it is not base64 text".to_owned();
    let (Json::String(text), Some(base64)) = (sent, LENIENT.as_ref()) else { return Err(wrong()) };
    match base64.decode(text.as_bytes()) {
        Ok(bytes) if bytes.is_empty() => Ok(Value::Null),
        Ok(bytes) => Ok(Value::Bytes(bytes)),
        Err(_) => Err(wrong()),
    }
}

/// An id, or the pair that reading answers.
fn record(sent: &Json) -> Result<Value, String> {
    let id = match sent {
        Json::Array(pair) => match pair.as_slice() {
            [id, Json::String(_)] => id.as_i64(),
            _ => None,
        },
        other => other.as_i64(),
    };
    match id {
        Some(0) => Ok(Value::Null),
        Some(id) => Ok(Value::Id(Id(id))),
        None => Err(wrong(sent, "the id of a record")),
    }
}
