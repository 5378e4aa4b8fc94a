use std::collections::{BTreeSet, HashSet};

use super::{ChangeKind, Env, env::ids, read::CHUNK};
use crate::{
    declare::OnDelete,
    domain::{Domain, Op},
    error::{Error, Operation},
    plan::{Planner, Wanted},
    resolve::{ModelDef, Registry},
    value::{Id, Value},
};

/// Models in one chain of cascades; a chain that is longer goes round in a circle of records.
const DEEPEST: usize = 32;

impl Env {
    /// Deletes the records, and what each reference to them says: refuse, delete along, or empty the field. A record
    /// that is gone or not to be deleted is an error, and nothing stays.
    pub async fn unlink(&mut self, model: &str, ids: &[Id]) -> Result<(), Error> {
        let registry = self.registry.clone();
        let model = registry.model(model)?;
        self.check_usable()?;
        self.actor.check(model, Operation::Unlink)?;
        if ids.is_empty() {
            return Ok(());
        }
        let ids: BTreeSet<Id> = ids.iter().copied().collect();
        let ids: Vec<Id> = ids.into_iter().collect();
        self.ready_to_write().await?;
        // Rules first, while every record that they look at is still there.
        for chunk in ids.chunks(CHUNK) {
            let domain = Domain::leaf("id", Op::In, chunk);
            let statement = self.planner(&registry).count_for(model, &domain, Operation::Unlink)?;
            if self.number(statement).await? < chunk.len() as u64 {
                return Err(self.first_not_deletable(&registry, model, chunk).await?);
            }
        }
        self.delete(&registry, model, ids, 0).await
    }

    async fn first_not_deletable(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        chunk: &[Id],
    ) -> Result<Error, Error> {
        for id in chunk {
            let domain = Domain::leaf("id", Op::Eq, *id);
            let statement = self.planner(registry).count_for(model, &domain, Operation::Unlink)?;
            if self.number(statement).await? == 0 {
                return self.missing_or_denied(registry, &model.name, *id, Operation::Unlink).await;
            }
        }
        Ok(Error::Aborted)
    }

    /// As the system: who may delete a box may delete its devices with it.
    async fn delete(&mut self, registry: &Registry, model: &ModelDef, ids: Vec<Id>, depth: usize) -> Result<(), Error> {
        if depth > DEEPEST {
            return Err(self.fail(Error::Aborted));
        }
        for reference in &model.referenced_by {
            let child = registry.model(&reference.model)?;
            let mut found: Vec<Id> = Vec::new();
            for chunk in ids.chunks(CHUNK) {
                found.extend(self.referring(registry, child, &reference.field, chunk).await?);
            }
            let going: HashSet<Id> =
                if child.name == model.name { ids.iter().copied().collect() } else { HashSet::new() };
            found.retain(|id| !going.contains(id));
            if found.is_empty() {
                continue;
            }
            match reference.ondelete {
                OnDelete::Restrict => {
                    let refused = Error::StillReferenced {
                        model: model.name.to_string(),
                        by_model: child.label.clone(),
                        by_field: reference.field.clone(),
                        count: found.len() as u64,
                    };
                    return Err(self.fail(refused));
                }
                OnDelete::Cascade => Box::pin(self.delete(registry, child, found, depth + 1)).await?,
                OnDelete::SetNull => {
                    let field = child.field(&reference.field)?;
                    for chunk in found.chunks(CHUNK) {
                        let domain = Domain::leaf("id", Op::In, chunk);
                        let statement = self.as_system(registry, |planner| {
                            planner.update(child, &domain, vec![(field, Value::Null)])
                        })?;
                        self.change(child, statement).await?;
                    }
                    self.pending.add(&child.name, ChangeKind::Written, found);
                }
            }
        }
        for chunk in ids.chunks(CHUNK) {
            let domain = Domain::leaf("id", Op::In, chunk);
            let statement = self.as_system(registry, |planner| planner.delete(model, &domain))?;
            let deleted = self.change(model, statement).await?;
            self.pending.add(&model.name, ChangeKind::Deleted, deleted);
        }
        Ok(())
    }

    async fn referring(
        &mut self,
        registry: &Registry,
        child: &ModelDef,
        field: &str,
        parents: &[Id],
    ) -> Result<Vec<Id>, Error> {
        let domain = Domain::leaf(field.to_owned(), Op::In, parents);
        let wanted = Wanted { domain: &domain, order: Some("id"), limit: None, offset: 0, lock: false };
        let select = self.as_system(registry, |planner| planner.select(child, &[], &wanted))?;
        Ok(ids(self.query(select.statement, &select.readings).await?))
    }

    fn as_system<T>(
        &self,
        registry: &Registry,
        plan: impl FnOnce(&mut Planner<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let system = super::Actor::superuser("what a deletion takes along");
        plan(&mut Planner::new(registry, &system, self.planner(registry).dialect))
    }
}
