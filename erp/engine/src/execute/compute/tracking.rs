//! What became of fields with `tracking` in a transaction, told once, before its commit.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use super::{Gathered, Recomputed};
use crate::{
    declare::{Hook, Tracked},
    error::Error,
    execute::{ChangeKind, Env},
    resolve::{FieldDef, ModelDef, Registry},
    value::{Id, Value},
};

/// Rounds of hooks that themselves change tracked fields.
const MAX_ROUNDS: usize = 20;

/// For each model: (record, field) -> what it held when the transaction began.
pub(in crate::execute) type Before = BTreeMap<Arc<str>, BTreeMap<(Id, String), Vec<Value>>>;

impl Env {
    fn is_tracking(&self, model: &ModelDef) -> bool {
        let hooked = |hook: &Hook| matches!(hook, Hook::Tracked(_));
        model.behaviour.hooks.iter().any(hooked) && !self.context().flag("tracking_disable")
    }

    /// Whether anything must be known of records before these fields of them are written.
    pub(in crate::execute) fn is_noting(&self, registry: &Registry, model: &ModelDef, fields: &[&str]) -> bool {
        self.is_tracking(model) || self.must_mark_before(registry, model, fields)
    }

    pub(in crate::execute) async fn note_before_write(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        ids: &[Id],
        fields: &[&str],
    ) -> Result<(), Error> {
        if !self.is_tracking(model) {
            return Ok(());
        }
        let tracked = |name: &&&str| model.find(name).is_some_and(|field| field.tracking.is_some());
        let paths: Vec<String> = fields.iter().filter(tracked).map(|name| (*name).to_owned()).collect();
        if paths.is_empty() {
            return Ok(());
        }
        let found = self.gather(registry, model, ids, &paths).await?;
        for path in &paths {
            self.note(model, path, &found, 0..found.ids.len());
        }
        Ok(())
    }

    pub(super) fn note_recomputed(
        &mut self,
        model: &ModelDef,
        fields: &[&FieldDef],
        found: &Gathered,
        rows: &[Recomputed],
    ) {
        if !self.is_tracking(model) {
            return;
        }
        for (at, field) in fields.iter().enumerate().filter(|(_, field)| field.tracking.is_some()) {
            let changed: HashSet<Id> = rows.iter().filter(|row| row.values[at].is_some()).map(|row| row.id).collect();
            let of_changed = (0..found.ids.len()).filter(|row| changed.contains(&found.ids[*row]));
            self.note(model, &field.name, found, of_changed);
        }
    }

    fn note(&mut self, model: &ModelDef, field: &str, found: &Gathered, rows: impl Iterator<Item = usize>) {
        let known = self.tracked.entry(model.name.clone()).or_default();
        for row in rows {
            known.entry((found.ids[row], field.to_owned())).or_insert_with(|| found.of(field, row).to_vec());
        }
    }

    /// Calls the hooks with what really changed. What they change in turn is told too.
    pub(in crate::execute) async fn tell_tracked(&mut self) -> Result<(), Error> {
        let registry = self.registry.clone();
        for _ in 0..MAX_ROUNDS {
            self.settle().await?;
            let before = std::mem::take(&mut self.tracked);
            if before.is_empty() {
                return Ok(());
            }
            for (model, before) in before {
                let model = registry.model(&model)?;
                // What a record was made with is no change of it.
                let made: HashSet<Id> = self.pending.ids_of(&model.name, ChangeKind::Created).collect();
                let ids: BTreeSet<Id> = before.keys().map(|(id, _)| *id).filter(|id| !made.contains(id)).collect();
                let ids: Vec<Id> = ids.into_iter().collect();
                let paths: BTreeSet<String> = before.keys().map(|(_, field)| field.clone()).collect();
                let paths: Vec<String> = paths.into_iter().collect();
                let now = self.gather(&registry, model, &ids, &paths).await?;
                let rows: HashMap<Id, usize> = now.ids.iter().enumerate().map(|(row, id)| (*id, row)).collect();
                let mut changes = Vec::new();
                for ((id, name), old) in before {
                    let Some(row) = rows.get(&id) else { continue };
                    let new = now.of(&name, *row);
                    if old != new {
                        let list = model.field(&name)?.kind.is_list();
                        let (old, new) = (as_value(list, old), as_value(list, new.to_vec()));
                        changes.push(Tracked { id, field: name, old, new });
                    }
                }
                if changes.is_empty() {
                    continue;
                }
                for hook in &model.behaviour.hooks {
                    if let Hook::Tracked(run) = hook {
                        run(self, &model.name, &changes).await?;
                    }
                }
            }
        }
        Err(self.fail(Error::User(
            "what is done about changes changes records without end; see the apps' hooks".to_owned(),
        )))
    }
}

fn as_value(list: bool, mut values: Vec<Value>) -> Value {
    if !list {
        return values.pop().unwrap_or_default();
    }
    let id = |value: Value| match value {
        Value::Id(id) => Some(id),
        _ => None,
    };
    Value::Ids(values.into_iter().filter_map(id).collect())
}
