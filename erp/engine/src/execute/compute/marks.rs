//! Which stored computed fields of which records must be computed anew, and how a change finds that out.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use crate::{
    domain::Domain,
    error::Error,
    execute::{Actor, Env, env::ids as ids_of, read::CHUNK},
    plan::{Planner, Reading, Wanted},
    resolve::{Hop, ModelDef, Registry, Trigger},
    value::{Id, Value},
};

/// What a record's mark knows: whether the record was made in this transaction, so that nobody else can change it.
pub(super) type New = bool;

/// Computed field -> records.
pub(super) type Marked = HashMap<usize, BTreeMap<Id, New>>;

/// By level and model, so that what is computed together is found together.
#[derive(Default)]
pub(in crate::execute) struct Marks(BTreeMap<(u32, Arc<str>), Marked>);

impl Marks {
    pub(in crate::execute) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, registry: &Registry, target: usize, ids: impl IntoIterator<Item = Id>, new: New) {
        let computed = &registry.computeds.all[target];
        let mut ids = ids.into_iter().peekable();
        if ids.peek().is_none() {
            return;
        }
        let of_level = self.0.entry((computed.level, computed.model.clone())).or_default();
        let known = of_level.entry(target).or_default();
        for id in ids {
            known.entry(id).or_insert(new);
        }
    }

    /// The next that depend on nothing that is still marked.
    pub(super) fn take(&mut self) -> Option<(Arc<str>, Marked)> {
        self.0.pop_first().map(|((_, model), fields)| (model, fields))
    }

    /// Records that are gone need no values.
    fn forget(&mut self, model: &str, ids: &BTreeSet<Id>) {
        for ((_, of), fields) in &mut self.0 {
            if **of == *model {
                fields.values_mut().for_each(|known| known.retain(|id, _| !ids.contains(id)));
            }
        }
    }
}

impl Env {
    /// Records were made. `kept`: (computed field, record) whose value was given and stays.
    pub(in crate::execute) async fn mark_created(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        ids: &[Id],
        kept: &BTreeSet<(usize, Id)>,
    ) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        for target in registry.computeds.stored_of(&model.name) {
            let wanted = ids.iter().copied().filter(|id| !kept.contains(&(target, *id)));
            self.marks.add(registry, target, wanted, true);
        }
        // Nothing refers to a new record yet; it can only have put itself on a list.
        let by_itself = |trigger: &Trigger| matches!(trigger.hops.first(), Some(Hop::Held { .. }));
        let reached = registry.computeds.reached(&model.name, None);
        self.mark(registry, reached.into_iter().filter(by_itself), ids).await
    }

    /// A computed field of every record that there is.
    pub(in crate::execute) async fn mark_all(
        &mut self,
        registry: &Registry,
        model: &str,
        field: &str,
    ) -> Result<(), Error> {
        let Some(target) = registry.computeds.position(model, field) else { return Ok(()) };
        let model = registry.model(model)?;
        let system = Actor::superuser("a new computed field");
        let wanted = Wanted { domain: &Domain::True, order: Some("id"), limit: None, offset: 0, lock: false };
        let select = Planner::new(registry, &system, self.dialect()).select(model, &[], &wanted)?;
        let all = ids_of(self.query_unsettled(select.statement, &select.readings).await?);
        self.marks.add(registry, target, all, false);
        Ok(())
    }

    /// Before fields are written: what depends on the records by way of these fields, as long as they hold what they do.
    pub(in crate::execute) async fn mark_before_write(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        ids: &[Id],
        fields: &[&str],
    ) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let reached = registry.computeds.reached(&model.name, Some(fields));
        let leaves = |trigger: &Trigger| trigger.hops.iter().any(|hop| passes(hop, model, fields));
        self.mark(registry, reached.into_iter().filter(leaves), ids).await
    }

    /// Whether `mark_before_write` would find anything for these fields of some record.
    pub(in crate::execute) fn must_mark_before(&self, registry: &Registry, model: &ModelDef, fields: &[&str]) -> bool {
        let leaves = |trigger: Trigger| trigger.hops.iter().any(|hop| passes(hop, model, fields));
        registry.computeds.reached(&model.name, Some(fields)).into_iter().any(leaves)
    }

    /// Fields were written, lists among them.
    pub(in crate::execute) async fn mark_written(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        ids: &[Id],
        fields: &[&str],
    ) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let reached = registry.computeds.reached(&model.name, Some(fields));
        self.mark(registry, reached, ids).await
    }

    /// Records are about to be deleted, while everything still leads to and from them.
    pub(in crate::execute) async fn mark_before_unlink(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        ids: &[Id],
    ) -> Result<(), Error> {
        let gone: BTreeSet<Id> = ids.iter().copied().collect();
        let elsewhere = |trigger: &Trigger| !trigger.hops.is_empty();
        let reached = registry.computeds.reached(&model.name, None);
        self.mark(registry, reached.into_iter().filter(elsewhere), ids).await?;
        self.marks.forget(&model.name, &gone);
        Ok(())
    }

    async fn mark(
        &mut self,
        registry: &Registry,
        reached: impl IntoIterator<Item = Trigger>,
        ids: &[Id],
    ) -> Result<(), Error> {
        for trigger in reached {
            let mut at: BTreeSet<Id> = ids.iter().copied().collect();
            for hop in trigger.hops.iter() {
                at = self.hop(registry, hop, at).await?;
                if at.is_empty() {
                    break;
                }
            }
            for target in trigger.targets {
                self.marks.add(registry, target, at.iter().copied(), false);
            }
        }
        Ok(())
    }

    async fn hop(&mut self, registry: &Registry, hop: &Hop, from: BTreeSet<Id>) -> Result<BTreeSet<Id>, Error> {
        let from: Vec<Value> = from.into_iter().map(Value::Id).collect();
        let mut found = BTreeSet::new();
        for chunk in from.chunks(CHUNK) {
            let statement = self.planner(registry).hop(hop, chunk.to_vec())?;
            found.extend(ids_of(self.query_unsettled(statement, &[Reading::Id]).await?));
        }
        Ok(found)
    }
}

/// Whether a write to these fields of the model may end the way.
fn passes(hop: &Hop, model: &ModelDef, fields: &[&str]) -> bool {
    match hop {
        Hop::Holders { model: of, field } => *of == model.name && fields.contains(&field.as_str()),
        Hop::Held { model: of, field, of: name } => {
            let name = name.as_ref().map(|(name, _)| name.as_str());
            *of == model.name && fields.iter().any(|written| written == field || Some(*written) == name)
        }
        Hop::Linked { relation, .. } => fields.iter().any(|written| {
            use crate::resolve::Kind;
            let kind = model.find(written).map(|field| &field.kind);
            matches!(kind, Some(Kind::Many2Many { relation: same, .. }) if same == relation)
        }),
    }
}
