//! Cells as values of fields, where the cell alone decides.

use jiff::{
    civil::{Date, DateTime},
    tz::TimeZone,
};
use serde_json::{Value as Json, json};

use super::{columns::Column, message::quoted};
use crate::{
    call::wire,
    resolve::{Kind, coerce},
    value::Value,
};

/// What a cell became, or the reason why it cannot, with what helps to correct it.
pub(super) enum Cell {
    Is(Value),
    /// Usable, with a doubt that is told.
    Doubtful(Value, String),
    Wrong(String, Json),
}

pub(super) fn value(column: &Column<'_>, cell: &Json, zone: &TimeZone) -> Cell {
    let field = column.field;
    let text = match cell {
        Json::String(text) => text.trim(),
        _ => "",
    };
    match (&field.kind, cell) {
        (Kind::Boolean, Json::String(_)) => return boolean(text),
        (Kind::Selection { options }, Json::String(_)) => return choice(column, options, text),
        (Kind::DateTime, Json::String(_)) => {
            if let Some(time) = local(text, zone) {
                return Cell::Is(Value::DateTime(time));
            }
        }
        (Kind::Json, Json::String(_)) => {
            return match serde_json::from_str(text) {
                Ok(json) => Cell::Is(Value::Json(json)),
                Err(error) => Cell::Wrong(format!("{} is not JSON ({error})", quoted(text)), Json::Bool(false)),
            };
        }
        _ => {}
    }
    let kept = match &field.kind {
        // Texts keep their blanks; only numbers and the like are read without them.
        Kind::Char { .. } | Kind::Text | Kind::Html => cell.clone(),
        _ if matches!(cell, Json::String(_)) => Json::String(text.to_owned()),
        _ => cell.clone(),
    };
    let made = wire::from_json(&field.kind, kept).and_then(|value| coerce::to_store(field, value));
    match made {
        Ok(value) => Cell::Is(value),
        Err(problem) => Cell::Wrong(format!("{problem}, in field '{}'", column.label), Json::Bool(false)),
    }
}

fn boolean(text: &str) -> Cell {
    match text.to_lowercase().as_str() {
        "1" | "true" | "yes" | "t" | "y" => Cell::Is(Value::Bool(true)),
        "" | "0" | "false" | "no" | "f" | "n" => Cell::Is(Value::Bool(false)),
        _ => {
            let doubt = format!("{} is not known as true or false and was taken for yes", quoted(text));
            Cell::Doubtful(Value::Bool(true), doubt)
        }
    }
}

/// By key or label, capitals or not.
fn choice(column: &Column<'_>, options: &[(String, String)], text: &str) -> Cell {
    let wanted = text.to_lowercase();
    let found = options
        .iter()
        .find(|(key, _)| key == text)
        .or_else(|| {
            let own = column.options.iter().find(|(_, label)| label.to_lowercase() == wanted);
            let key = own.map(|(key, _)| *key);
            options.iter().find(|(known, _)| key == Some(known.as_str()))
        })
        .or_else(|| options.iter().find(|(key, label)| key.to_lowercase() == wanted || label.to_lowercase() == wanted));
    match found {
        Some((key, _)) => Cell::Is(Value::Text(key.clone())),
        None => {
            let labels: Vec<&str> = column.options.iter().map(|(_, label)| label.as_str()).collect();
            let problem = format!(
                "{} is no choice of field '{}'; the choices are {}",
                quoted(text),
                column.label,
                labels.join(", ")
            );
            Cell::Wrong(problem, json!(labels))
        }
    }
}

/// A time without a zone is one of the user's zone.
fn local(text: &str, zone: &TimeZone) -> Option<jiff::Timestamp> {
    let civil = match text.len() {
        10 => text.parse::<Date>().ok()?.at(0, 0, 0, 0),
        16 | 19.. if !text.ends_with(['Z', 'z']) && !text[10..].contains(['+', '-']) => {
            let seconds = if text.len() == 16 { ":00" } else { "" };
            format!("{}{seconds}", text.replacen(' ', "T", 1)).parse::<DateTime>().ok()?
        }
        _ => return None,
    };
    zone.to_zoned(civil).ok().map(|zoned| zoned.timestamp())
}
