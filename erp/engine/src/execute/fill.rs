//! Spans of time in which there is no record, among the groups of those in which there are.

use jiff::civil::{Date, DateTime, Time};

use super::{
    Env,
    group::{Group, Groups, Key, leaf_of, span_of},
};
use crate::{
    domain::Domain,
    error::Error,
    plan::{Granularity, GroupKey},
    resolve::{Kind, path},
    value::Value,
};

/// Which spans are shown, whether or not there are records in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// A day of the first; that of the first record where it is absent.
    pub from: Option<Date>,
    /// A day of the last; that of the last record where it is absent.
    pub to: Option<Date>,
    /// At least so many, from the first on.
    pub min_groups: usize,
}

/// Spans of one answer: a day of a wrong century among hours must not fill the memory.
const MAX_SPANS: usize = 5_000;

impl Env {
    /// Adds empty groups to those by one date or time. `spec` is what they are by, such as `create_date:week`;
    /// `week_start`: 0 is Monday. Groups in another order than that of time stay as they are.
    pub fn fill_groups(
        &self,
        model: &str,
        spec: &str,
        week_start: u8,
        groups: &mut Groups,
        fill: Fill,
    ) -> Result<(), Error> {
        let registry = self.registry().clone();
        let (name, granularity) = spec.split_once(':').unwrap_or((spec, "month"));
        let found = path::follow(&registry, registry.model(model)?, name)?;
        let timed = match &found.field.kind {
            Kind::Date => false,
            Kind::DateTime => true,
            _ => return Ok(()),
        };
        let wrong = |problem: String| Error::Argument { name: "fill_temporal".to_owned(), problem };
        let granularity: Granularity = granularity.parse().map_err(wrong)?;
        let zone = crate::expr::Scope::zone(&self.planner(&registry));
        let key = GroupKey {
            path: name.to_owned(),
            kind: found.field.kind.clone(),
            far: !found.steps.is_empty(),
            granularity: Some(granularity),
        };
        let start = |key: &Key| -> Option<DateTime> {
            let at = match &key.value {
                Value::Date(day) => day.to_datetime(Time::midnight()),
                Value::DateTime(at) => at.to_zoned(zone.clone()).datetime(),
                _ => return None,
            };
            Some(granularity.start(at, week_start))
        };
        let there: Vec<Option<DateTime>> = groups.rows.iter().map(|row| row.keys.first().and_then(&start)).collect();
        let known: Vec<DateTime> = there.iter().flatten().copied().collect();
        let backwards = known.windows(2).any(|pair| pair[0] > pair[1]);
        if backwards && known.windows(2).any(|pair| pair[0] < pair[1]) {
            return Ok(());
        }
        let bound = |day: Date| granularity.start(day.to_datetime(Time::midnight()), week_start);
        let (least, most) = (known.iter().min().copied(), known.iter().max().copied());
        let Some(first) = fill.from.map(bound).or(least).or(fill.to.map(bound)) else { return Ok(()) };
        let last = fill.to.map(bound).or(most).unwrap_or(first);
        let mut spans = Vec::new();
        let mut at = first;
        while at <= last || spans.len() < fill.min_groups {
            if spans.len() >= MAX_SPANS {
                return Err(wrong(format!(
                    "more than {MAX_SPANS} spans of a {spec}; choose longer ones or fewer dates"
                )));
            }
            spans.push(at);
            match at.checked_add(granularity.length()) {
                Ok(next) => at = next,
                Err(_) => break,
            }
        }
        let values = vec![Value::Null; groups.aggregates.len()];
        let mut empty: Vec<(DateTime, Group)> = Vec::new();
        for at in spans.into_iter().filter(|at| !known.contains(at)) {
            let text = if granularity == Granularity::Hour { at.to_string() } else { at.date().to_string() };
            let own = span_of(granularity, &text, timed, &zone);
            let domain: Domain = leaf_of(&key, &own);
            empty.push((at, Group { keys: vec![own], count: 0, values: values.clone(), domain }));
        }
        // The group of records without a date stays at its end.
        let rows = std::mem::take(&mut groups.rows);
        let without_first = backwards && there.first() == Some(&None);
        let (mut dated, mut bare): (Vec<(DateTime, Group)>, Vec<Group>) = (empty, Vec::new());
        for (row, at) in rows.into_iter().zip(there) {
            match at {
                Some(at) => dated.push((at, row)),
                None => bare.push(row),
            }
        }
        dated.sort_by_key(|(at, _)| *at);
        if backwards {
            dated.reverse();
        }
        let dated = dated.into_iter().map(|(_, row)| row);
        groups.rows = if without_first { bare.into_iter().chain(dated).collect() } else { dated.chain(bare).collect() };
        Ok(())
    }
}
