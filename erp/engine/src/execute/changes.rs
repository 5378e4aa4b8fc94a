//! What a transaction did, told to listeners once it is committed.

use std::{collections::HashSet, sync::Arc};

use crate::{
    resolve::Registry,
    value::{Id, Uid},
};

/// What a committed transaction did to records of one model. Names ids only: what a listener may see of them is judged
/// when he reads.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    pub model: Arc<str>,
    pub kind: ChangeKind,
    pub ids: Arc<[Id]>,
    /// Who did it; nothing for the superuser.
    pub by: Option<Uid>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    Created,
    Written,
    Deleted,
}

/// Gathered while the transaction runs. One change per model and kind, in the order in which they first happened.
#[derive(Default)]
pub(super) struct Pending(Vec<(Arc<str>, ChangeKind, Vec<Id>)>);

/// How much had been gathered at some time.
pub(super) struct Mark(Vec<usize>);

impl Pending {
    pub(super) fn mark(&self) -> Mark {
        Mark(self.0.iter().map(|(_, _, ids)| ids.len()).collect())
    }

    /// Forgets what came after.
    pub(super) fn back_to(&mut self, mark: &Mark) {
        self.0.truncate(mark.0.len());
        for ((_, _, ids), length) in self.0.iter_mut().zip(&mark.0) {
            ids.truncate(*length);
        }
    }

    pub(super) fn add(&mut self, model: &Arc<str>, kind: ChangeKind, ids: impl IntoIterator<Item = Id>) {
        let mut ids = ids.into_iter().peekable();
        if ids.peek().is_none() {
            return;
        }
        match self.0.iter_mut().find(|(known, same, _)| known == model && *same == kind) {
            Some((_, _, known)) => known.extend(ids),
            None => self.0.push((model.clone(), kind, ids.collect())),
        }
    }

    pub(super) fn touches(&self, model: &str) -> bool {
        self.0.iter().any(|(known, ..)| **known == *model)
    }

    /// How often records that are metadata were changed.
    pub(super) fn metadata(&self, registry: &Registry) -> usize {
        let is = |model: &str| registry.models.get(model).is_some_and(|model| model.metadata);
        self.0.iter().filter(|(model, ..)| is(model)).map(|(_, _, ids)| ids.len()).sum()
    }

    /// What was noted of one model and kind.
    pub(super) fn ids_of<'a>(&'a self, model: &'a str, kind: ChangeKind) -> impl Iterator<Item = Id> + 'a {
        let same = move |entry: &&(Arc<str>, ChangeKind, Vec<Id>)| *entry.0 == *model && entry.1 == kind;
        self.0.iter().filter(same).flat_map(|entry| entry.2.iter().copied())
    }

    /// Without what listeners cannot have known of: a record made and deleted in one transaction never was, a write to
    /// one just made is part of its making.
    pub(super) fn into_changes(self, by: Option<Uid>) -> Vec<Change> {
        let of = |model: &Arc<str>, kind: ChangeKind| -> HashSet<Id> {
            let same = |entry: &&(Arc<str>, ChangeKind, Vec<Id>)| entry.0 == *model && entry.1 == kind;
            self.0.iter().filter(same).flat_map(|entry| entry.2.iter().copied()).collect()
        };
        let mut changes = Vec::with_capacity(self.0.len());
        for (model, kind, ids) in &self.0 {
            let (created, deleted) = match (self.0.len(), kind) {
                (1, _) => Default::default(),
                _ => (of(model, ChangeKind::Created), of(model, ChangeKind::Deleted)),
            };
            let told = |id: &Id| match kind {
                ChangeKind::Created => !deleted.contains(id),
                ChangeKind::Written => !created.contains(id) && !deleted.contains(id),
                ChangeKind::Deleted => !created.contains(id),
            };
            let mut seen = HashSet::new();
            let ids: Arc<[Id]> = ids.iter().copied().filter(told).filter(|id| seen.insert(*id)).collect();
            if !ids.is_empty() {
                changes.push(Change { model: model.clone(), kind: *kind, ids, by });
            }
        }
        changes
    }
}
