//! A value made fit for a field, or the reason why it cannot be.

use std::sync::LazyLock;

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use rust_decimal::{Decimal, RoundingStrategy};

use super::registry::{FieldDef, Kind, shorten};
use crate::{
    record::Command,
    value::{Id, Value},
};

/// What of formatted text stays: looks, but nothing that runs, loads by itself or covers the page.
static HARMLESS: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let mut builder = ammonia::Builder::default();
    builder
        .add_generic_attributes(["class", "dir", "style"])
        .add_generic_attribute_prefixes(["data-"])
        .add_tags(["font", "section", "article", "label"])
        .add_tag_attributes("font", ["color"])
        .filter_style_properties(STYLES.into_iter().collect());
    builder
});

const STYLES: [&str; 27] = [
    "background-color",
    "border",
    "border-bottom",
    "border-collapse",
    "border-color",
    "border-left",
    "border-radius",
    "border-right",
    "border-style",
    "border-top",
    "border-width",
    "color",
    "font-family",
    "font-size",
    "font-style",
    "font-weight",
    "height",
    "line-height",
    "list-style-type",
    "margin",
    "max-width",
    "padding",
    "text-align",
    "text-decoration",
    "vertical-align",
    "white-space",
    "width",
];

/// For storing: length and choice are checked, decimals rounded half away from zero to the field's scale, times cut to
/// the microsecond. Whether an empty value is allowed is asked elsewhere.
pub(crate) fn to_store(field: &FieldDef, value: Value) -> Result<Value, String> {
    if field.kind.is_list() {
        return to_commands(value).map(Value::Commands);
    }
    let value = to_kind(&field.kind, value)?;
    match (&field.kind, &value) {
        (Kind::Char { size: Some(size) }, Value::Text(text)) if text.chars().count() > *size as usize => {
            Err(format!("{} characters are more than {size}; shorten it", text.chars().count()))
        }
        (Kind::Selection { options }, Value::Text(text)) if !options.iter().any(|(value, _)| value == text) => {
            let known = options.iter().map(|(value, _)| value.as_str()).collect::<Vec<_>>().join(", ");
            Err(format!("{:?} is not one of {known}", shorten(text)))
        }
        (kind, Value::Decimal(decimal)) if kind.digits().is_some() => {
            let (digits, scale) = kind.digits().unwrap_or_default();
            let rounded = decimal.round_dp_with_strategy(scale, RoundingStrategy::MidpointAwayFromZero);
            let limit = Decimal::from(10u64.pow(digits - scale));
            if rounded.abs() >= limit {
                return Err(format!("{decimal} has more than {} digits before the point", digits - scale));
            }
            let mut exact = rounded;
            exact.rescale(scale);
            Ok(Value::Decimal(exact))
        }
        (Kind::Boolean, Value::Null) => Ok(Value::Bool(false)),
        (Kind::Html, Value::Text(html)) => Ok(Value::Text(HARMLESS.clean(html).to_string())),
        (Kind::Reference { models }, Value::Text(text)) => match text.split_once(',') {
            Some((model, id)) if models.iter().any(|(known, _)| known == model) && id.parse::<u32>().is_ok() => {
                Ok(value)
            }
            _ => {
                let known = models.iter().map(|(model, _)| model.as_str()).collect::<Vec<_>>().join(", ");
                Err(format!("{:?} is no record such as \"model,7\" of one of {known}", shorten(text)))
            }
        },
        _ => Ok(value),
    }
}

/// What is written to a list of records, as changes of it.
pub(crate) fn to_commands(value: Value) -> Result<Vec<Command>, String> {
    match value {
        Value::Null | Value::Bool(false) => Ok(vec![Command::Clear]),
        Value::Ids(ids) => Ok(vec![Command::Set(ids)]),
        Value::Id(id) => Ok(vec![Command::Set(vec![id])]),
        Value::Int(id) => Ok(vec![Command::Set(vec![Id(id)])]),
        Value::Commands(commands) => Ok(commands),
        Value::Json(serde_json::Value::Array(list)) => Command::list_from_json(&list),
        other => Err(format!("{} is no list of records", described(&other))),
    }
}

/// To the kind of value that a field holds, without its limits: what a domain compares with.
pub(crate) fn to_kind(kind: &Kind, value: Value) -> Result<Value, String> {
    let wrong = |value: &Value, wanted: &str| Err(format!("{} is not {wanted}", described(value)));
    match (kind, value) {
        (_, Value::Null) => Ok(Value::Null),
        // JSON and its older clients say `false` for an empty field.
        (kind, Value::Bool(false)) if *kind != Kind::Boolean && *kind != Kind::Json => Ok(Value::Null),

        (
            Kind::Char { .. } | Kind::Text | Kind::Html | Kind::Reference { .. } | Kind::Selection { .. },
            Value::Text(text),
        ) => {
            // PostgreSQL cannot hold it, and no screen shows it.
            if text.contains('\0') {
                return Err("it contains a NUL character; remove it".to_owned());
            }
            Ok(Value::Text(text))
        }
        (Kind::Char { .. } | Kind::Text | Kind::Html | Kind::Reference { .. } | Kind::Selection { .. }, other) => {
            wrong(&other, "a text")
        }

        (Kind::Integer, Value::Int(int)) => Ok(Value::Int(int)),
        (Kind::Integer, Value::Float(float)) if float.fract() == 0.0 && float.abs() < 9e15 => {
            Ok(Value::Int(float as i64))
        }
        (Kind::Integer, Value::Id(id)) => Ok(Value::Int(id.0)),
        (Kind::Integer, other) => wrong(&other, "an integer"),

        (Kind::Id | Kind::Many2One { .. } | Kind::One2Many { .. } | Kind::Many2Many { .. }, Value::Id(id)) => {
            Ok(Value::Id(id))
        }
        (Kind::Id | Kind::Many2One { .. } | Kind::One2Many { .. } | Kind::Many2Many { .. }, Value::Int(int)) => {
            Ok(Value::Id(Id(int)))
        }
        (Kind::Id | Kind::Many2One { .. } | Kind::One2Many { .. } | Kind::Many2Many { .. }, other) => {
            wrong(&other, "a record id")
        }

        (Kind::Float, Value::Float(float)) if float.is_finite() => Ok(Value::Float(float)),
        (Kind::Float, Value::Int(int)) => Ok(Value::Float(int as f64)),
        (Kind::Float, Value::Decimal(decimal)) => {
            f64::try_from(decimal).map(Value::Float).map_err(|_| format!("{decimal} is not a float"))
        }
        (Kind::Float, other) => wrong(&other, "a finite float"),

        (Kind::Decimal { .. } | Kind::Monetary { .. }, Value::Decimal(decimal)) => Ok(Value::Decimal(decimal)),
        (Kind::Decimal { .. } | Kind::Monetary { .. }, Value::Int(int)) => Ok(Value::Decimal(Decimal::from(int))),
        (Kind::Decimal { .. } | Kind::Monetary { .. }, Value::Float(float)) => {
            Decimal::try_from(float).map(Value::Decimal).map_err(|_| format!("{float} is not a decimal"))
        }
        (Kind::Decimal { .. } | Kind::Monetary { .. }, Value::Text(text)) => text
            .trim()
            .parse()
            .map(Value::Decimal)
            .map_err(|_| format!("{:?} is not a decimal such as 12.50", shorten(&text))),
        (Kind::Decimal { .. } | Kind::Monetary { .. }, other) => wrong(&other, "a decimal"),

        (Kind::Boolean, Value::Bool(bool)) => Ok(Value::Bool(bool)),
        (Kind::Boolean, Value::Int(int @ (0 | 1))) => Ok(Value::Bool(int == 1)),
        (Kind::Boolean, other) => wrong(&other, "true or false"),

        (Kind::Date, Value::Date(date)) => Ok(Value::Date(date)),
        // Their day, in UTC.
        (Kind::Date, Value::DateTime(time)) => in_range(time.to_zoned(TimeZone::UTC).date()),
        (Kind::Date, Value::Text(text)) => {
            let text = text.trim();
            let day = text.parse::<Date>().or_else(|error| match text.parse::<DateTime>() {
                Ok(time) if text.len() > 10 => Ok(time.date()),
                _ => Err(error),
            });
            day.map_err(|_| format!("{:?} is not a date such as 2026-11-21", shorten(text))).and_then(in_range)
        }
        (Kind::Date, other) => wrong(&other, "a date"),

        (Kind::DateTime, Value::DateTime(time)) => to_microseconds(time).map(Value::DateTime),
        (Kind::DateTime, Value::Date(date)) => parse_time(&date.to_string())
            .ok_or_else(|| format!("{date} is too far away"))
            .and_then(to_microseconds)
            .map(Value::DateTime),
        (Kind::DateTime, Value::Text(text)) => parse_time(&text)
            .ok_or_else(|| format!("{:?} is not a time such as 2026-11-21 08:30:00 (UTC)", shorten(&text)))
            .and_then(to_microseconds)
            .map(Value::DateTime),
        (Kind::DateTime, other) => wrong(&other, "a date and time"),

        (Kind::Json, Value::Json(json)) => Ok(Value::Json(json)),
        (Kind::Json, Value::Bool(v)) => Ok(Value::Json(v.into())),
        (Kind::Json, Value::Int(v)) => Ok(Value::Json(v.into())),
        (Kind::Json, Value::Float(v)) => Ok(Value::Json(v.into())),
        (Kind::Json, Value::Text(v)) => Ok(Value::Json(v.into())),
        (Kind::Json, other) => wrong(&other, "a JSON value"),

        (Kind::Binary { .. } | Kind::Image { .. }, Value::Bytes(bytes)) => Ok(Value::Bytes(bytes)),
        (Kind::Binary { .. } | Kind::Image { .. }, other) => wrong(&other, "bytes"),
    }
}

/// With a zone, or without one and then in UTC; a date alone is its first moment.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let civil = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(Into::into)).ok()?;
        civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}

/// Both databases keep microseconds; years of four digits keep the text form sorted.
fn to_microseconds(time: Timestamp) -> Result<Timestamp, String> {
    let cut = Timestamp::from_microsecond(time.as_microsecond()).map_err(|error| error.to_string())?;
    let year = cut.to_zoned(TimeZone::UTC).year();
    if (1..=9999).contains(&year) { Ok(cut) } else { Err(format!("the year {year} is not between 1 and 9999")) }
}

fn in_range(date: Date) -> Result<Value, String> {
    if (1..=9999).contains(&date.year()) {
        Ok(Value::Date(date))
    } else {
        Err(format!("the year {} is not between 1 and 9999", date.year()))
    }
}

fn described(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("the text {:?}", shorten(text)),
        Value::Int(v) => v.to_string(),
        Value::Float(v) => v.to_string(),
        Value::Decimal(v) => v.to_string(),
        Value::Bool(v) => v.to_string(),
        other => other.kind().to_owned(),
    }
}
