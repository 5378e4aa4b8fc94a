//! Groups of records as clients ask for them: `read_group`, and `formatted_read_group` of later versions.

use jiff::civil::Date;
use serde_json::{Map, Value as Json, json};

use super::{reading, wire};
use crate::{
    declare::{Call, Done},
    domain::Domain,
    error::Error,
    execute::{Env, Fill, Group, Groups, Key, Search},
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
            week_start: week_start(env, &by).await?,
            having: None,
        };
        let groups = env.read_group(&call.model, &domain, &grouping).await;
        let mut groups = groups.map_err(|e| reading::about(e, &domain))?;
        fill_temporal(env, model, &grouping, &mut groups)?;
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
        let registry = env.registry().clone();
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
            week_start: week_start(env, &by).await?,
            having: Some(reading::domain_of(&mut call, "having")?),
        };
        let groups = env.read_group(&call.model, &domain, &grouping).await;
        let mut groups = groups.map_err(|e| reading::about(e, &domain))?;
        fill_temporal(env, registry.model(&call.model)?, &grouping, &mut groups)?;
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

/// The first day of the week in the language of the context, 0 is Monday. Monday where nobody says.
pub(super) async fn week_start(env: &mut Env, by: &[String]) -> Result<u8, Error> {
    const LANGUAGES: &str = "res.lang";
    if by.iter().all(|spec| !spec.ends_with(":week")) {
        return Ok(0);
    }
    let Some(lang) = env.context().lang.clone() else { return Ok(0) };
    let known = env.registry().model(LANGUAGES).is_ok_and(|model| model.find("week_start").is_some());
    if !known {
        return Ok(0);
    }
    let own = crate::domain!(["code", "=", &*lang], ["active", "in", [true, false]]);
    let mut env = env.sudo("the first day of the week");
    let rows = env.search_read(LANGUAGES, &own, &["week_start"], Search::default().limit(1)).await?;
    // There 1 is Monday.
    let day = rows.first().and_then(|row| row.get_str("week_start").parse::<u8>().ok());
    Ok(day.map_or(0, |day| (day + 6) % 7))
}

/// `fill_temporal` of the context: true, or `{fill_from, fill_to, min_groups}` with days.
fn fill_temporal(env: &Env, model: &ModelDef, grouping: &Grouping, groups: &mut Groups) -> Result<(), Error> {
    let wrong = |problem: &str| Error::Argument { name: "fill_temporal".to_owned(), problem: problem.to_owned() };
    let fill = match env.context().get("fill_temporal") {
        None | Some(Json::Null | Json::Bool(false)) => return Ok(()),
        Some(Json::Object(parts)) => {
            let day = |name: &str| match parts.get(name) {
                None | Some(Json::Null | Json::Bool(false)) => Ok(None),
                // Also of a time only the day counts.
                Some(json) => json
                    .as_str()
                    .and_then(|text| text.get(..10))
                    .and_then(|text| text.parse::<Date>().ok())
                    .map(Some)
                    .ok_or_else(|| wrong(&format!("{name}: {json} is no day such as 2026-11-21"))),
            };
            let least = parts.get("min_groups").and_then(Json::as_u64).unwrap_or_default();
            let min_groups = usize::try_from(least).unwrap_or(usize::MAX);
            Fill { from: day("fill_from")?, to: day("fill_to")?, min_groups }
        }
        Some(_) if groups.rows.is_empty() => return Ok(()),
        Some(_) => Fill::default(),
    };
    match &grouping.by[..] {
        [spec] if is_span(model, spec) => env.fill_groups(&model.name, spec, grouping.week_start, groups, fill),
        _ => Ok(()),
    }
}
