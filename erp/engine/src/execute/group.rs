//! Groups of records with their names, ranges and sums.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

use super::Env;
use crate::{
    domain::{Domain, Op},
    error::Error,
    plan::{Granularity, GroupKey, Grouping},
    resolve::Kind,
    value::Value,
};

/// The groups of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups {
    /// What is grouped by, as it was asked for.
    pub by: Vec<String>,
    /// Aggregates, as they were asked for.
    pub aggregates: Vec<String>,
    pub rows: Vec<Group>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// One for each thing that is grouped by.
    pub keys: Vec<Key>,
    pub count: u64,
    /// One for each aggregate.
    pub values: Vec<Value>,
    /// What a record of this group has, the searched domain left out.
    pub domain: Domain,
}

/// What the records of a group have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// A record's id, a choice, true or false, the first day (or hour, in UTC) of a span; nothing for empty fields.
    pub value: Value,
    /// What people call it: the record's name, the choice's label, the span ("November 2026").
    pub label: Option<String>,
    /// Of dates: the first moment of the span and the first after it, as dates or times as the field is.
    pub range: Option<(Value, Value)>,
}

impl Env {
    /// Records of the domain in groups. Archived ones are left out as in a search.
    pub async fn read_group(&mut self, model: &str, domain: &Domain, grouping: &Grouping) -> Result<Groups, Error> {
        self.check_usable()?;
        let registry = self.registry.clone();
        let def = registry.model(model)?;
        let domain = self.asked_for(&registry, def, domain).await?;
        let (select, zone) = {
            let mut planner = self.planner(&registry);
            (planner.group(def, &domain, grouping)?, crate::expr::Scope::zone(&planner))
        };
        let rows = self.query(select.statement, &select.readings).await?;
        let group = |row: Vec<Value>| {
            let mut columns = row.into_iter();
            let mut keys = Vec::with_capacity(select.keys.len());
            let mut domain = Domain::True;
            for key in &select.keys {
                let (value, name) = (columns.next().unwrap_or_default(), columns.next().unwrap_or_default());
                let key_of_row = key_of(key, value, name, &zone);
                domain = domain.and(leaf_of(key, &key_of_row));
                keys.push(key_of_row);
            }
            let count = match columns.next() {
                Some(Value::Int(count)) => u64::try_from(count).unwrap_or(0),
                _ => 0,
            };
            Group { keys, count, values: columns.collect(), domain }
        };
        Ok(Groups {
            by: grouping.by.clone(),
            rows: rows.into_iter().map(group).collect(),
            aggregates: select.aggregates,
        })
    }

    /// How many groups there are in all, whatever the limit.
    pub async fn count_groups(&mut self, model: &str, domain: &Domain, grouping: &Grouping) -> Result<u64, Error> {
        self.check_usable()?;
        let registry = self.registry.clone();
        let def = registry.model(model)?;
        let domain = self.asked_for(&registry, def, domain).await?;
        let statement = self.planner(&registry).count_groups(def, &domain, grouping)?;
        self.number(statement).await
    }
}

fn key_of(key: &GroupKey, value: Value, name: Value, zone: &TimeZone) -> Key {
    if let (Some(granularity), Value::Text(start)) = (key.granularity, &value) {
        return span_of(granularity, start, key.kind == Kind::DateTime, zone);
    }
    let label = match (&key.kind, &value, name) {
        (Kind::Selection { options }, Value::Text(value), _) => {
            options.iter().find(|(option, _)| option == value).map(|(_, label)| label.clone())
        }
        (_, _, Value::Text(name)) => Some(name),
        _ => None,
    };
    Key { value, label, range: None }
}

pub(super) fn span_of(granularity: Granularity, start: &str, timed: bool, zone: &TimeZone) -> Key {
    let parsed =
        start.parse::<DateTime>().or_else(|_| start.parse::<Date>().map(|day| day.to_datetime(Time::midnight())));
    let Ok(start) = parsed else { return Key { value: Value::Null, label: None, range: None } };
    let end = start.checked_add(granularity.length()).unwrap_or(start);
    let value = |at: DateTime| match timed {
        true => moment(at, zone).map_or(Value::Null, Value::DateTime),
        false => Value::Date(at.date()),
    };
    let range = match (timed, granularity) {
        // A date has no hours.
        (false, Granularity::Hour) => (value(start), value(start.checked_add(1.day()).unwrap_or(start))),
        _ => (value(start), value(end)),
    };
    Key { value: range.0.clone(), label: Some(granularity.label(start)), range: Some(range) }
}

fn moment(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    local.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
}

pub(super) fn leaf_of(key: &GroupKey, found: &Key) -> Domain {
    let leaf = |op: Op, value: &Value| Domain::leaf(key.path.clone(), op, value.clone());
    match (&found.range, &found.value) {
        (Some((from, to)), _) => leaf(Op::Ge, from).and(leaf(Op::Lt, to)),
        // Behind a relation it is also empty where the relation is.
        (None, Value::Null) if key.far => !leaf(Op::Ne, &Value::Bool(false)),
        (None, Value::Null) => leaf(Op::Eq, &Value::Bool(false)),
        (None, value) => leaf(Op::Eq, value),
    }
}
