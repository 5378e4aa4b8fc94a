//! What a tracked change holds: the values as people read them, and as what they are, by type.

use std::collections::{BTreeMap, HashMap};

use erp_engine::{
    Env, Error, Id, Value, Values,
    declare::Tracked,
    resolve::{FieldDef, Kind, ModelDef},
};
use jiff::{civil::Time, tz::TimeZone};

use super::message;

/// (model, record): what people call it.
pub(super) type Names = HashMap<(String, Id), String>;

/// Names of the records that tracked many2one fields held and hold.
pub(super) async fn named(
    env: &mut Env,
    def: &ModelDef,
    changes: &[Tracked],
) -> Result<HashMap<(String, Id), String>, Error> {
    let mut wanted: BTreeMap<String, Vec<Id>> = BTreeMap::new();
    for change in changes {
        let Some(comodel) = def.field(&change.field)?.kind.comodel() else { continue };
        for value in [&change.old, &change.new] {
            match value {
                Value::Id(id) => wanted.entry(comodel.to_string()).or_default().push(*id),
                Value::Ids(ids) => wanted.entry(comodel.to_string()).or_default().extend(ids),
                _ => {}
            }
        }
    }
    let mut names = HashMap::new();
    for (model, ids) in wanted {
        for (id, name) in message::names(env, &model, &ids).await? {
            names.insert((model.clone(), id), name);
        }
    }
    Ok(names)
}

/// In which money the tracked amounts are, by record and field.
pub(super) async fn currencies(
    env: &mut Env,
    def: &ModelDef,
    changes: &[Tracked],
) -> Result<HashMap<(Id, String), Id>, Error> {
    let mut found = HashMap::new();
    for change in changes {
        let Kind::Monetary { currency } = &def.field(&change.field)?.kind else { continue };
        for record in env.read(&def.name, &[change.id], &[currency]).await? {
            if let Value::Id(currency) = record.value(currency) {
                found.insert((change.id, change.field.clone()), *currency);
            }
        }
    }
    Ok(found)
}

pub(super) fn type_name(field: &FieldDef) -> &'static str {
    match field.kind {
        Kind::Many2One { .. } => "many2one",
        Kind::One2Many { .. } => "one2many",
        Kind::Many2Many { .. } => "many2many",
        Kind::Selection { .. } => "selection",
        Kind::Monetary { .. } => "monetary",
        Kind::Float | Kind::Decimal { .. } => "float",
        Kind::Integer => "integer",
        Kind::Boolean => "boolean",
        Kind::Date => "date",
        Kind::DateTime => "datetime",
        Kind::Text | Kind::Html => "text",
        _ => "char",
    }
}

/// Writes a value into the columns `<side>_value...` of a row.
pub(super) fn put(row: &mut Values, side: &str, field: &FieldDef, value: &Value, names: &Names) {
    let shown = shown(field, value, names);
    let mut set = |kind: &str, value: Value| {
        row.set(format!("{side}_value{kind}"), value);
    };
    match (value, &field.kind) {
        (Value::Null, _) => {}
        (Value::Id(id), _) => {
            set("_integer", id.0.into());
            set("_char", shown.clone());
        }
        (Value::Bool(yes), _) => set("_integer", i64::from(*yes).into()),
        (Value::Int(number), _) => set("_integer", (*number).into()),
        (Value::Float(number), _) => set("_float", (*number).into()),
        (Value::Decimal(amount), Kind::Monetary { .. }) => set("_monetary", (*amount).into()),
        (Value::Decimal(number), _) => set("_float", f64::try_from(*number).map_or(Value::Null, Value::Float)),
        (Value::DateTime(_), _) => set("_datetime", value.clone()),
        (Value::Date(day), _) => {
            let midnight = day.to_datetime(Time::midnight()).to_zoned(TimeZone::UTC);
            set("_datetime", midnight.map_or(Value::Null, |at| at.timestamp().into()));
        }
        (Value::Text(_), Kind::Text | Kind::Html) => set("_text", value.clone()),
        _ => set("_char", shown.clone()),
    }
    set("", shown);
}

/// A value as a person reads it in a note.
fn shown(field: &FieldDef, value: &Value, names: &Names) -> Value {
    let name = |id: &Id| {
        let comodel = field.kind.comodel().map(|name| name.to_string()).unwrap_or_default();
        names.get(&(comodel, *id)).cloned().unwrap_or_else(|| id.to_string())
    };
    match (value, &field.kind) {
        (Value::Text(key), Kind::Selection { options }) => {
            options.iter().find(|(option, _)| option == key).map_or(key.clone(), |(_, label)| label.clone()).into()
        }
        (Value::Text(text), _) => text.clone().into(),
        (Value::Bool(yes), _) => if *yes { "Yes" } else { "No" }.into(),
        (Value::Id(id), _) => name(id).into(),
        (Value::Ids(ids), _) => ids.iter().map(name).collect::<Vec<_>>().join(", ").into(),
        (Value::Int(v), _) => v.to_string().into(),
        (Value::Float(v), _) => v.to_string().into(),
        (Value::Decimal(v), _) => v.normalize().to_string().into(),
        (Value::Date(v), _) => v.to_string().into(),
        (Value::DateTime(v), _) => v.strftime("%Y-%m-%d %H:%M:%S").to_string().into(),
        _ => Value::Null,
    }
}
