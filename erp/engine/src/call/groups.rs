//! Groups of records as clients ask for them: `read_group`, and `formatted_read_group` of later versions.

use serde_json::{Map, Value as Json, json};

use super::{reading, wire};
use crate::{
    declare::{Call, Done},
    domain::Domain,
    error::Error,
    execute::{Env, Group, Key},
    plan::{Grouping, default_aggregator},
    resolve::{Kind, ModelDef},
    value::Value,
};

/// A text or a list of texts.
fn texts(call: &Call, name: &str) -> Result<Vec<String>, Error> {
    match call.args.get(name) {
        Some(Json::String(one)) => Ok(vec![one.clone()]),
        _ => Ok(call.opt(name)?.unwrap_or_default()),
    }
}

/// The field of `create_date:month`.
fn field_of(spec: &str) -> &str {
    spec.split(':').next().unwrap_or(spec)
}

/// What a group's records have in common.
fn key_json(key: &Key) -> Json {
    match (&key.value, &key.label, &key.range) {
        (Value::Id(id), label, _) => wire::name_of(*id, label.as_deref().unwrap_or_default()),
        (_, Some(label), Some(_)) => label.as_str().into(),
        (value, ..) => plain(value),
    }
}

fn plain(value: &Value) -> Json {
    match value {
        Value::Null => false.into(),
        // The kind matters to empty values only.
        value => wire::to_json(&Kind::Text, value.clone()),
    }
}

fn is_lazy(call: &Call) -> bool {
    !matches!(call.args.get("lazy"), Some(Json::Bool(false) | Json::Null))
}

/// What a call groups by now: the first of what it names when it is lazy.
pub(super) fn grouped_by(call: &Call) -> Result<Vec<String>, Error> {
    let mut by = texts(call, "groupby")?;
    if is_lazy(call) {
        by.truncate(1);
    }
    Ok(by)
}

pub(super) fn read_group(env: &mut Env, mut call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let domain = reading::domain_of(&mut call, "domain")?;
        let all = texts(&call, "groupby")?;
        let (lazy, by) = (is_lazy(&call), grouped_by(&call)?);
        let registry = env.registry().clone();
        let model = registry.model(&call.model)?;
        let aggregates = summed(model, &texts(&call, "fields")?, &all);
        let search = reading::window(&call)?;
        let order: Option<String> = call.opt("orderby")?;
        let count_name = match (lazy, by.first()) {
            (true, Some(first)) => format!("{}_count", field_of(first)),
            _ => "__count".to_owned(),
        };
        let grouping = Grouping {
            by: by.clone(),
            aggregates: aggregates.iter().map(|(_, spec)| spec.clone()).collect(),
            order: order.filter(|order| !order.trim().is_empty()).map(|order| order.replace(&count_name, "__count")),
            limit: search.limit,
            offset: search.offset,
            ..Grouping::default()
        };
        let groups = env.read_group(&call.model, &domain, &grouping).await.map_err(|e| reading::about(e, &domain))?;
        let answer = groups.rows.into_iter().map(|group| {
            let Group { keys, count, values, domain: own } = group;
            let mut row = Map::new();
            let mut ranges = Map::new();
            for (spec, key) in by.iter().zip(&keys) {
                row.insert(spec.clone(), key_json(key));
                if is_span(model, spec) {
                    ranges.insert(
                        spec.clone(),
                        key.range
                            .as_ref()
                            .map_or(false.into(), |(from, to)| json!({"from": plain(from), "to": plain(to)})),
                    );
                }
            }
            for ((name, _), value) in aggregates.iter().zip(&values) {
                row.insert(name.clone(), plain(value));
            }
            row.insert(count_name.clone(), count.into());
            row.insert("__domain".to_owned(), own.and(domain.clone()).to_json());
            if !ranges.is_empty() {
                row.insert("__range".to_owned(), Json::Object(ranges));
            }
            if lazy && all.len() > 1 {
                row.insert("__context".to_owned(), json!({"group_by": all[1..]}));
            }
            Json::Object(row)
        });
        Ok(answer.collect())
    })
}

/// Whether the groups are spans of time.
fn is_span(model: &ModelDef, spec: &str) -> bool {
    model.find(field_of(spec)).is_some_and(|field| matches!(field.kind, Kind::Date | Kind::DateTime))
}

/// (name in the answer, what is asked for) of the fields that can be summed up; others are named by habit.
fn summed(model: &ModelDef, fields: &[String], by: &[String]) -> Vec<(String, String)> {
    let grouped = |name: &str| by.iter().any(|spec| field_of(spec) == name);
    let asked = fields.iter().filter_map(|spec| match spec.split_once(':') {
        // `total:sum(amount)` and `amount:sum`.
        Some((name, _)) => Some((name.to_owned(), spec.clone())),
        None => {
            let field = model.find(spec).filter(|field| !grouped(&field.name))?;
            let aggregator = default_aggregator(field)?;
            Some((spec.clone(), format!("{spec}:{aggregator}")))
        }
    });
    asked.filter(|(name, _)| name != "id" && name != "__count").collect()
}

pub(super) fn formatted_read_group(env: &mut Env, mut call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let domain = reading::domain_of(&mut call, "domain")?;
        let (by, asked) = (texts(&call, "groupby")?, texts(&call, "aggregates")?);
        let aggregates: Vec<String> = asked.iter().filter(|spec| *spec != "__count").cloned().collect();
        let search = reading::window(&call)?;
        let grouping = Grouping {
            by: by.clone(),
            aggregates: aggregates.clone(),
            order: search.order,
            limit: search.limit,
            offset: search.offset,
            ..Grouping::default()
        };
        let groups = env.read_group(&call.model, &domain, &grouping).await.map_err(|e| reading::about(e, &domain))?;
        let answer = groups.rows.into_iter().map(|group| {
            let mut row = Map::new();
            for (spec, key) in by.iter().zip(&group.keys) {
                let json = match (&key.range, &key.label) {
                    (Some(_), Some(label)) => json!([plain(&key.value), label]),
                    _ => key_json(key),
                };
                row.insert(spec.clone(), json);
            }
            for (spec, value) in aggregates.iter().zip(&group.values) {
                row.insert(spec.clone(), plain(value));
            }
            if asked.iter().any(|spec| spec == "__count") {
                row.insert("__count".to_owned(), group.count.into());
            }
            row.insert("__extra_domain".to_owned(), extra(group.domain));
            Json::Object(row)
        });
        Ok(answer.collect())
    })
}

fn extra(domain: Domain) -> Json {
    domain.to_json()
}
