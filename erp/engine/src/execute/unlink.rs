use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use futures_util::future::BoxFuture;

use super::{ChangeKind, Env, env::ids, read::CHUNK};
use crate::{
    declare::OnDelete,
    domain::{Domain, Op},
    error::{Error, Operation},
    plan::{Planner, Wanted},
    resolve::{ModelDef, Registry},
    value::{Id, Value},
};

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
        self.delete(&registry, model, ids, &mut HashSet::new()).await
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
    ///
    /// What is deleted along goes first, so that it does not hold up what it goes with; `going` ends circles.
    fn delete<'a>(
        &'a mut self,
        registry: &'a Registry,
        model: &'a ModelDef,
        ids: Vec<Id>,
        going: &'a mut HashSet<(Arc<str>, Id)>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.delete_set(registry, model, ids, going))
    }

    async fn delete_set(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        ids: Vec<Id>,
        going: &mut HashSet<(Arc<str>, Id)>,
    ) -> Result<(), Error> {
        going.extend(ids.iter().map(|id| (model.name.clone(), *id)));
        self.before_unlink(model, &ids).await?;
        for action in [OnDelete::Cascade, OnDelete::SetNull, OnDelete::Restrict] {
            for reference in model.referenced_by.iter().filter(|reference| reference.ondelete == action) {
                let child = registry.model(&reference.model)?;
                let mut found: Vec<Id> = Vec::new();
                for chunk in ids.chunks(CHUNK) {
                    found.extend(self.referring(registry, child, &reference.field, chunk).await?);
                }
                found.retain(|id| !going.contains(&(child.name.clone(), *id)));
                if !found.is_empty() {
                    self.follow(registry, model, child, &reference.field, action, found, going).await?;
                }
            }
        }
        for chunk in ids.chunks(CHUNK) {
            let domain = Domain::leaf("id", Op::In, chunk);
            let statement = self.as_system(registry, |planner| planner.delete(model, &domain))?;
            self.change(model, statement).await?;
        }
        self.forget_beside(registry, model, &ids).await?;
        self.forget_files(registry, model, &ids).await?;
        // In a circle the database may have deleted some of them by itself just before.
        self.pending.add(&model.name, ChangeKind::Deleted, ids.iter().copied());
        self.after_unlink(model, &ids).await
    }

    #[allow(clippy::too_many_arguments, reason = "the deletion's whole situation, said once")]
    async fn follow(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        child: &ModelDef,
        field: &str,
        action: OnDelete,
        found: Vec<Id>,
        going: &mut HashSet<(Arc<str>, Id)>,
    ) -> Result<(), Error> {
        match action {
            OnDelete::Cascade => self.delete(registry, child, found, going).await,
            OnDelete::Restrict => {
                let refused = Error::StillReferenced {
                    model: model.name.to_string(),
                    by_model: self.words().model(child).to_owned(),
                    by_field: field.to_owned(),
                    count: found.len() as u64,
                };
                Err(self.fail(refused))
            }
            OnDelete::SetNull => {
                let field = child.field(field)?;
                let names = [field.name.as_str()];
                for chunk in found.chunks(CHUNK) {
                    self.mark_before_write(registry, child, chunk, &names).await?;
                    let domain = Domain::leaf("id", Op::In, chunk);
                    let empty = vec![(field, Value::Null)];
                    let statement = self.as_system(registry, |planner| planner.update(child, &domain, empty))?;
                    self.change(child, statement).await?;
                    self.mark_written(registry, child, chunk, &names).await?;
                }
                self.pending.add(&child.name, ChangeKind::Written, found);
                Ok(())
            }
        }
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

    pub(super) fn as_system<T>(
        &self,
        registry: &Registry,
        plan: impl FnOnce(&mut Planner<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let system = super::Actor::superuser("what a deletion takes along");
        plan(&mut Planner::new(registry, &system, self.planner(registry).dialect))
    }
}
