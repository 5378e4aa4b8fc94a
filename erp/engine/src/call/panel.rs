//! The panel beside a list: categories to choose one of, filters to choose several of, with the numbers of records.
//!
//! Each answer takes two queries over the records (which values occur, how many records each has within what is chosen
//! elsewhere) and one over the values, whatever their number.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value as Json, json};

use super::{reading, wire};
use crate::{
    declare::{Call, Done},
    domain::{Domain, Op},
    error::Error,
    execute::{Env, Search},
    plan::Grouping,
    resolve::{FieldDef, Kind, ModelDef},
    value::{Id, Value},
};

/// What both kinds of sections are asked with.
struct Asked {
    search: Domain,
    category: Domain,
    filter: Domain,
    comodel: Domain,
    counters: bool,
    expand: bool,
    limit: Option<usize>,
}

impl Asked {
    fn of(call: &mut Call) -> Result<Asked, Error> {
        let is = |name: &str| call.args.get(name).is_some_and(|json| *json == true);
        let (counters, expand) = (is("enable_counters"), is("expand"));
        let limit: Option<usize> = call.opt("limit")?;
        Ok(Asked {
            search: reading::domain_of(call, "search_domain")?,
            category: reading::domain_of(call, "category_domain")?,
            filter: reading::domain_of(call, "filter_domain")?,
            comodel: reading::domain_of(call, "comodel_domain")?,
            counters,
            expand,
            limit: limit.filter(|limit| *limit > 0),
        })
    }

    fn too_many(&self, found: usize) -> bool {
        self.limit.is_some_and(|limit| found >= limit)
    }
}

fn too_many() -> Json {
    json!({"error_msg": "Too many items to display."})
}

/// A value of the field: a record's id or a choice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Own {
    Record(Id),
    Choice(String),
}

/// How many records have each value of the field.
async fn counts(env: &mut Env, model: &str, field: &FieldDef, domain: Domain) -> Result<HashMap<Own, u64>, Error> {
    let by = Grouping { by: vec![field.name.clone()], order: Some(String::new()), ..Grouping::default() };
    let groups = env.read_group(model, &domain, &by).await.map_err(|error| reading::about(error, &domain))?;
    let own = |value: &Value| match value {
        Value::Id(id) => Some(Own::Record(*id)),
        Value::Text(text) => Some(Own::Choice(text.clone())),
        _ => None,
    };
    Ok(groups.rows.iter().filter_map(|row| Some((own(&row.keys.first()?.value)?, row.count))).collect())
}

fn choices(field: &FieldDef) -> Option<&[(String, String)]> {
    match &field.kind {
        Kind::Selection { options } => Some(options),
        _ => None,
    }
}

/// The choices of a selection field, as both kinds of sections show them.
fn of_choices(
    asked: &Asked,
    options: &[(String, String)],
    image: &HashMap<Own, u64>,
    counted: &HashMap<Own, u64>,
) -> Vec<Json> {
    let mut rows = Vec::new();
    for (value, label) in options {
        let own = Own::Choice(value.clone());
        if !asked.expand && !image.contains_key(&own) {
            continue;
        }
        let mut row = Map::from_iter([("id".to_owned(), json!(value)), ("display_name".to_owned(), json!(label))]);
        if asked.counters {
            row.insert("__count".to_owned(), counted.get(&own).copied().unwrap_or(0).into());
        }
        rows.push(row.into());
    }
    rows
}

fn of_kind<'m>(model: &'m ModelDef, name: &str, lists: bool) -> Result<&'m FieldDef, Error> {
    let field = model.field(name)?;
    match &field.kind {
        Kind::Many2One { .. } | Kind::Selection { .. } => Ok(field),
        Kind::Many2Many { .. } if lists => Ok(field),
        _ => Err(Error::User(format!(
            "the field {name} of {} cannot stand in a search panel; a category takes a many2one or selection field, a filter a many2many field besides",
            model.name
        ))),
    }
}

fn has_value(field: &FieldDef) -> Domain {
    Domain::leaf(field.name.clone(), Op::Ne, Value::Bool(false))
}

/// Values of which one is chosen, as a tree where the other model has one.
pub(super) fn select_range(env: &mut Env, mut call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let registry = env.registry().clone();
        let model = registry.model(&call.model)?;
        let field = of_kind(model, &call.arg::<String>("field_name")?, false)?;
        let hierarchize = call.args.get("hierarchize").is_none_or(|json| *json != false);
        let asked = Asked::of(&mut call)?;
        let model_domain = asked.search.clone().and(has_value(field));
        let extra = asked.category.clone().and(asked.filter.clone());
        let image = match asked.expand {
            true => HashMap::new(),
            false => counts(env, &model.name, field, model_domain.clone()).await?,
        };
        let counted = match asked.counters {
            true => counts(env, &model.name, field, model_domain.and(extra)).await?,
            false => HashMap::new(),
        };
        if let Some(options) = choices(field) {
            let values = of_choices(&asked, options, &image, &counted);
            return Ok(json!({"parent_field": false, "values": values}));
        }
        let comodel = registry.model(field.kind.comodel().map_or("", |name| name))?;
        let parent = comodel.parent.as_deref().filter(|_| hierarchize);
        let shown: Vec<Id> = image.keys().filter_map(record).collect();
        let op = if parent.is_some() { Op::ParentOf } else { Op::In };
        let mut domain = asked.comodel.clone();
        if !asked.expand {
            domain = domain.and(Domain::leaf("id", op, shown.as_slice()));
        }
        let fields: Vec<&str> = parent.into_iter().chain(reading::name_field(comodel)).collect();
        let limit = asked.limit.and_then(|limit| u64::try_from(limit).ok());
        let search = Search { limit, ..Search::default() };
        let found = env.search_read(&comodel.name, &domain, &fields, search).await?;
        if asked.too_many(found.len()) {
            return Ok(too_many());
        }
        let parent_of = |row: &crate::Record| match parent.map(|parent| row.value(parent)) {
            Some(Value::Id(id)) => Some(*id),
            _ => None,
        };
        let parents: HashMap<Id, Option<Id>> = found.iter().map(|row| (row.id, parent_of(row))).collect();
        let start: Vec<Id> = if asked.expand { found.iter().map(|row| row.id).collect() } else { shown };
        let kept = if parent.is_some() { whole_branches(&parents, &start) } else { parents.keys().copied().collect() };
        let mut totals: HashMap<Id, u64> =
            counted.iter().filter_map(|(own, count)| Some((record(own)?, *count))).collect();
        if parent.is_some() {
            add_to_parents(&parents, &kept, &mut totals);
        }
        let name = reading::name_field(comodel);
        let values = found.iter().filter(|row| kept.contains(&row.id)).map(|row| {
            let label = reading::label(comodel, name, row);
            let mut value =
                Map::from_iter([("id".to_owned(), json!(row.id.0)), ("display_name".to_owned(), json!(label))]);
            if asked.counters {
                value.insert("__count".to_owned(), totals.get(&row.id).copied().unwrap_or(0).into());
            }
            if let Some(parent) = parent {
                value.insert(parent.to_owned(), parent_of(row).map_or(Json::Bool(false), |id| id.0.into()));
            }
            Json::Object(value)
        });
        let values: Vec<Json> = values.collect();
        Ok(json!({"parent_field": parent.map_or(Json::Bool(false), Json::from), "values": values}))
    })
}

fn record(own: &Own) -> Option<Id> {
    match own {
        Own::Record(id) => Some(*id),
        Own::Choice(_) => None,
    }
}

/// These records and what is above them, where the way to the top is there: a branch that hangs in the air is none.
fn whole_branches(parents: &HashMap<Id, Option<Id>>, start: &[Id]) -> HashSet<Id> {
    let mut kept = HashSet::new();
    for id in start {
        let mut branch = vec![*id];
        let whole = loop {
            let Some(at) = branch.last() else { break false };
            match parents.get(at) {
                None => break false,
                Some(None) => break true,
                Some(Some(next)) if kept.contains(next) => break true,
                Some(Some(next)) if branch.contains(next) => break false,
                Some(Some(next)) => branch.push(*next),
            }
        };
        if whole {
            kept.extend(branch);
        }
    }
    kept
}

/// A record's number has those of all below it.
fn add_to_parents(parents: &HashMap<Id, Option<Id>>, kept: &HashSet<Id>, totals: &mut HashMap<Id, u64>) {
    let own: Vec<(Id, u64)> =
        totals.iter().filter(|(id, _)| kept.contains(id)).map(|(id, count)| (*id, *count)).collect();
    for (id, count) in own {
        let mut at = parents.get(&id).copied().flatten();
        for _ in 0..parents.len() {
            let Some(above) = at.filter(|above| kept.contains(above)) else { break };
            *totals.entry(above).or_default() += count;
            at = parents.get(&above).copied().flatten();
        }
    }
}

/// Values of which several are chosen, under headings where `group_by` names a field of theirs.
pub(super) fn select_multi_range(env: &mut Env, mut call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let registry = env.registry().clone();
        let model = registry.model(&call.model)?;
        let field = of_kind(model, &call.arg::<String>("field_name")?, true)?;
        let asked = Asked::of(&mut call)?;
        let model_domain = asked.search.clone().and(asked.category.clone()).and(has_value(field));
        let image = match asked.expand {
            true => HashMap::new(),
            false => counts(env, &model.name, field, model_domain.clone()).await?,
        };
        let counting = model_domain.and(asked.filter.clone());
        let counted = match asked.counters {
            true => counts(env, &model.name, field, counting.clone()).await?,
            false => HashMap::new(),
        };
        if let Some(options) = choices(field) {
            return Ok(json!({"values": of_choices(&asked, options, &image, &counted)}));
        }
        let comodel = registry.model(field.kind.comodel().map_or("", |name| name))?;
        let group_by: Option<String> = call.opt("group_by")?;
        let heading = group_by.as_deref().map(|name| comodel.field(name)).transpose()?;
        let mut domain = asked.comodel.clone();
        if !asked.expand {
            let shown: Vec<Id> = image.keys().filter_map(record).collect();
            domain = domain.and(Domain::leaf("id", Op::In, shown.as_slice()));
        }
        let name = reading::name_field(comodel);
        let fields: Vec<&str> = heading.map(|field| field.name.as_str()).into_iter().chain(name).collect();
        let limit = asked.limit.and_then(|limit| u64::try_from(limit).ok());
        let found = env.search_read(&comodel.name, &domain, &fields, Search { limit, ..Search::default() }).await?;
        if asked.too_many(found.len()) {
            return Ok(too_many());
        }
        let headings = match heading {
            Some(field) => headings(env, field, &found).await?,
            None => HashMap::new(),
        };
        // What is chosen under the other headings narrows the numbers of each.
        let mut narrowed: BTreeMap<String, HashMap<Own, u64>> = BTreeMap::new();
        let by_group: Map<String, Json> = call.opt("group_domain")?.unwrap_or_default();
        for (group, _) in headings.values().filter(|_| asked.counters) {
            let key = group.to_string();
            if let (Some(json), false) = (by_group.get(&key), narrowed.contains_key(&key)) {
                let own = Domain::from_json(json)
                    .map_err(|error| Error::Argument { name: "group_domain".to_owned(), problem: error.to_string() })?;
                let found = counts(env, &model.name, field, counting.clone().and(own)).await?;
                narrowed.insert(key, found);
            }
        }
        let values = found.iter().map(|row| {
            let label = reading::label(comodel, name, row);
            let mut value =
                Map::from_iter([("id".to_owned(), json!(row.id.0)), ("display_name".to_owned(), json!(label))]);
            let mut numbers = &counted;
            if let Some((group, name)) = headings.get(&row.id) {
                numbers = narrowed.get(&group.to_string()).unwrap_or(numbers);
                value.insert("group_id".to_owned(), group.clone());
                value.insert("group_name".to_owned(), name.as_str().into());
            }
            if asked.counters {
                value.insert("__count".to_owned(), numbers.get(&Own::Record(row.id)).copied().unwrap_or(0).into());
            }
            Json::Object(value)
        });
        Ok(json!({"values": values.collect::<Vec<Json>>()}))
    })
}

/// (id, name) of the heading that each record stands under.
async fn headings(
    env: &mut Env,
    field: &FieldDef,
    rows: &[crate::Record],
) -> Result<HashMap<Id, (Json, String)>, Error> {
    const NONE: &str = "Not Set";
    let mut names: HashMap<Id, String> = HashMap::new();
    if let Kind::Many2One { comodel, .. } = &field.kind {
        let mut ids: Vec<Id> = rows
            .iter()
            .filter_map(|row| match row.value(&field.name) {
                Value::Id(id) => Some(*id),
                _ => None,
            })
            .collect();
        ids.sort_unstable();
        ids.dedup();
        names = reading::names(env, comodel, &ids).await?.into_iter().collect();
    }
    let heading = |value: &Value| match (value, &field.kind) {
        (Value::Null, _) => (Json::Bool(false), NONE.to_owned()),
        (Value::Id(id), _) => (id.0.into(), names.get(id).cloned().unwrap_or_default()),
        (Value::Text(value), Kind::Selection { options }) => {
            let label = options.iter().find(|(option, _)| option == value).map_or(value, |(_, label)| label);
            (json!(value), label.clone())
        }
        (value, kind) => {
            let json = wire::to_json(kind, value.clone());
            let name = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
            (json, name)
        }
    };
    Ok(rows.iter().map(|row| (row.id, heading(row.value(&field.name)))).collect())
}
