//! Records that come with the apps: their fields, values and references.

use std::collections::BTreeMap;

use super::{
    ResolveErrors, coerce,
    registry::{Kind, Registry, RowDef, RowValue},
};
use crate::{
    declare::{App, DataRow, DataValue},
    value::Value,
};

pub(super) fn collect(apps: &[&App], registry: &mut Registry, errors: &mut ResolveErrors) {
    // External id -> model, filled in loading order: a reference can only look back.
    let groups = registry.declared.groups.iter().map(|group| (group.key.clone(), "res.groups".to_owned()));
    let mut known: BTreeMap<String, String> = groups.collect();
    let mut data = Vec::new();
    let mut demo = Vec::new();
    for app in apps {
        data.extend(app.data.iter().filter_map(|row| check(app, row, registry, &mut known, errors)));
    }
    for app in apps {
        demo.extend(app.demo.iter().filter_map(|row| check(app, row, registry, &mut known, errors)));
    }
    registry.data = data;
    registry.demo = demo;
}

fn check(
    app: &App,
    row: &DataRow,
    registry: &Registry,
    known: &mut BTreeMap<String, String>,
    errors: &mut ResolveErrors,
) -> Option<RowDef> {
    let external_id = format!("{}.{}", app.name, row.id);
    let mut wrong = |problem: String| errors.app(&app.name, format_args!("record {external_id}: {problem}"));
    if row.id.is_empty() || row.id.contains('.') {
        wrong("its id must not be empty or contain a dot; the app's name is put before it".to_owned());
    }
    if known.contains_key(&external_id) {
        wrong("this id is there twice".to_owned());
    }
    let Some(model) = registry.models.get(row.model.as_str()) else {
        wrong(format!("no app declares model {}", row.model));
        return None;
    };
    let mut values = Vec::new();
    for (name, value) in &row.values {
        let Some(field) = model.find(name).filter(|field| field.is_written() && field.kind != Kind::Id) else {
            wrong(format!("{} has no stored field {name}", model.name));
            continue;
        };
        match value {
            DataValue::Plain(json) => match coerce::to_store(field, Value::from_json(json)) {
                Ok(value) => values.push((name.clone(), RowValue::Plain(value))),
                Err(problem) => wrong(format!("field {name}: {problem}")),
            },
            DataValue::Ref(to) => {
                let (other, id) = to.external_id.split_once('.').unwrap_or((&app.name, &to.external_id));
                match (known.get(&format!("{other}.{id}")), &field.kind) {
                    (None, _) => wrong(format!("field {name}: no record {other}.{id} comes before it")),
                    (Some(found), Kind::Many2One { comodel, .. }) if *found == **comodel => {
                        values.push((name.clone(), RowValue::Ref { app: other.to_owned(), id: id.to_owned() }));
                    }
                    (Some(found), _) => wrong(format!("field {name}: {other}.{id} is a {found}, which does not fit")),
                }
            }
        }
    }
    for field in model.stored().filter(|field| field.required && field.default.is_none() && field.kind != Kind::Id) {
        let made = model.inherits.iter().any(|(by, _)| *by == field.name);
        if !row.values.contains_key(&field.name) && field.kind != Kind::Boolean && !made {
            wrong(format!("field {}: {} needs a value", field.name, model.name));
        }
    }
    known.insert(external_id, row.model.clone());
    Some(RowDef { app: app.name.clone(), id: row.id.clone(), model: model.name.clone(), values })
}
