//! Stored computed fields kept right.
//!
//! ```text
//! create, write, unlink --> marks (which fields of which records, found by the ways back)
//! a read, a search, the commit --> settle: lowest level first
//!     gather what they depend on --> compute --> write what changed --> more marks, on higher levels
//! ```
//!
//! Nothing is computed while records are only made and written, so a thousand of them cost one round. Every query of
//! the transaction settles first; see [`Env::query`](super::Env).

mod expression;
mod gather;
mod given;
mod marks;
mod search;
mod tracking;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use futures_util::future::BoxFuture;

pub(super) use gather::{Gathered, evaluate, fitting};
pub(super) use given::Taken;
pub(super) use marks::Marks;
pub(super) use tracking::Before;

use self::marks::Marked;
use super::{Actor, ChangeKind, Env, create::needs_value, lists::ListChange};
use crate::{
    error::Error,
    plan::{Planner, Reading, UpdateEach},
    record::Command,
    resolve::{FieldDef, ModelDef, Registry, Source},
    value::{Id, Value},
};

/// Records computed together.
const BATCH: usize = 1_000;
/// How often fields of one level may change each other in a row: as deep as a hierarchy can be.
const MAX_ROUNDS: u32 = 500;

/// What one record got.
struct Recomputed {
    id: Id,
    /// As many as fields were computed; nothing where it was not marked.
    values: Vec<Option<Value>>,
}

impl Env {
    /// Computes what is marked, until nothing is.
    pub(super) fn settle(&mut self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            if self.marks.is_empty() || self.settling {
                return Ok(());
            }
            let registry = self.registry.clone();
            self.settling = true;
            let settled = self.settle_all(&registry).await;
            self.settling = false;
            match settled {
                Ok(()) => self.check_recomputed(&registry).await,
                // Marks are lost, so values would be wrong.
                Err(error) => Err(self.fail(error)),
            }
        })
    }

    async fn settle_all(&mut self, registry: &Registry) -> Result<(), Error> {
        let mut rounds: HashMap<Arc<str>, u32> = HashMap::new();
        while let Some((name, fields)) = self.marks.take() {
            let round = rounds.entry(name.clone()).or_default();
            *round += 1;
            if *round > MAX_ROUNDS + registry.computeds.all.len() as u32 {
                let field = fields.keys().next().map_or("", |at| registry.computeds.all[*at].field.as_str());
                return Err(Error::Validation {
                    model: name.to_string(),
                    field: field.to_owned(),
                    problem: "its records lead back to themselves, so it has no value; break the circle".to_owned(),
                });
            }
            let model = registry.model(&name)?;
            let ids: BTreeSet<Id> = fields.values().flat_map(BTreeMap::keys).copied().collect();
            let ids: Vec<Id> = ids.into_iter().collect();
            for chunk in ids.chunks(BATCH) {
                self.recompute(registry, model, &fields, chunk).await?;
            }
        }
        Ok(())
    }

    async fn recompute(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        marked: &Marked,
        ids: &[Id],
    ) -> Result<(), Error> {
        let is_new = |id: &Id| marked.values().filter_map(|known| known.get(id)).all(|new| *new);
        let others: Vec<Id> = ids.iter().copied().filter(|id| !is_new(id)).collect();
        // Two who each add a line to one order must not both compute the total without the other's line.
        if !others.is_empty()
            && let Some(statement) = self.planner(registry).lock(model, &others)
        {
            self.query_unsettled(statement, &[Reading::Id]).await?;
        }
        let mut targets: Vec<usize> = marked.keys().copied().collect();
        targets.sort_unstable();
        let fields = targets
            .iter()
            .map(|at| model.field(&registry.computeds.all[*at].field))
            .collect::<Result<Vec<&FieldDef>, Error>>()?;
        let mut paths: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
        for at in &targets {
            let computed = &registry.computeds.all[*at];
            if !matches!(computed.source, Source::Query(_)) {
                paths.extend(computed.depends.iter().cloned());
            }
        }
        let found = self.gather(registry, model, ids, &paths).await?;

        let mut rows: Vec<Recomputed> =
            found.ids.iter().map(|id| Recomputed { id: *id, values: vec![None; fields.len()] }).collect();
        for (at, (target, field)) in targets.iter().zip(&fields).enumerate() {
            let computed = &registry.computeds.all[*target];
            let values = self.values_of(registry, model, computed, &found).await?;
            for (row, new) in values.into_iter().enumerate() {
                if !marked[target].contains_key(&found.ids[row]) {
                    continue;
                }
                if field.required && new.iter().all(Value::is_null) {
                    return Err(needs_value(self, model, field));
                }
                let (old, new) = (joined(field, found.of(&field.name, row).to_vec()), joined(field, new));
                if !same(&old, &new) {
                    rows[row].values[at] = Some(new);
                }
            }
        }
        rows.retain(|row| row.values.iter().any(Option::is_some));
        self.keep(registry, model, &fields, &found, rows).await
    }

    /// Writes what changed, and marks what depends on it.
    async fn keep(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        fields: &[&FieldDef],
        found: &Gathered,
        rows: Vec<Recomputed>,
    ) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let changed_of =
            |at: usize| -> Vec<Id> { rows.iter().filter(|row| row.values[at].is_some()).map(|row| row.id).collect() };
        let changed: Vec<(usize, Vec<Id>)> =
            (0..fields.len()).map(|at| (at, changed_of(at))).filter(|(_, ids)| !ids.is_empty()).collect();
        for (at, ids) in &changed {
            self.mark_before_write(registry, model, ids, &[fields[*at].name.as_str()]).await?;
        }
        let ids: Vec<Id> = rows.iter().map(|row| row.id).collect();
        self.note_recomputed(model, fields, found, &rows);
        self.ready_to_write().await?;

        let columns: Vec<usize> = changed.iter().map(|(at, _)| *at).filter(|at| !fields[*at].kind.is_list()).collect();
        if !columns.is_empty() {
            let written: Vec<&FieldDef> = columns.iter().map(|at| fields[*at]).collect();
            let position: HashMap<Id, usize> = found.ids.iter().enumerate().map(|(row, id)| (*id, row)).collect();
            let old = |id: &Id, field: &FieldDef| {
                let old = position.get(id).and_then(|row| found.of(&field.name, *row).first());
                old.cloned().unwrap_or_default()
            };
            let values = |row: &Recomputed| {
                let new = |at: &usize| row.values[*at].clone().unwrap_or_else(|| old(&row.id, fields[*at]));
                (row.id, columns.iter().map(new).collect::<Vec<Value>>())
            };
            let each: Vec<(Id, Vec<Value>)> = rows.iter().map(values).collect();
            for part in each.chunks(((self.dialect().max_parameters() - 100) / (columns.len() + 1)).max(1)) {
                let update = UpdateEach { model, columns: &written, rows: part.to_vec(), stamps: Vec::new() };
                let system = Actor::superuser("computed fields");
                let statement = Planner::new(registry, &system, self.dialect()).update_each(update)?;
                self.change_count(model, statement).await?;
            }
        }
        let mut lists: Vec<ListChange<'_>> = Vec::new();
        for (at, field) in fields.iter().enumerate().filter(|(_, field)| field.kind.is_list()) {
            for row in &rows {
                if let Some(Value::Ids(listed)) = &row.values[at] {
                    ListChange::add(&mut lists, field, row.id, vec![Command::Set(listed.clone())]);
                }
            }
        }
        if !lists.is_empty() {
            self.sudo("computed lists").change_lists(registry, model, lists, false).await?;
        }
        for (at, ids) in &changed {
            self.mark_written(registry, model, ids, &[fields[*at].name.as_str()]).await?;
        }
        for (at, ids) in changed {
            self.rechecks.push((model.name.clone(), fields[at].name.clone(), ids));
        }
        self.pending.add(&model.name, ChangeKind::Written, ids);
        Ok(())
    }
}

/// As it is written and compared: a list as one value.
fn joined(field: &FieldDef, mut values: Vec<Value>) -> Value {
    if !field.kind.is_list() {
        return values.pop().unwrap_or_default();
    }
    let id = |value: Value| match value {
        Value::Id(id) => Some(id),
        _ => None,
    };
    Value::Ids(values.into_iter().filter_map(id).collect())
}

/// Lists have no order of their own.
fn same(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Ids(a), Value::Ids(b)) => a.iter().collect::<BTreeSet<&Id>>() == b.iter().collect::<BTreeSet<&Id>>(),
        (old, new) => old == new,
    }
}
