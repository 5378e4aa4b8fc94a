//! Searches on computed fields that are kept nowhere: the field's own function says what is meant instead.

use futures_util::future::BoxFuture;

use crate::{
    declare::SearchFn,
    domain::{Domain, Leaf, Op, Operand},
    error::Error,
    execute::Env,
    plan::active_only,
    resolve::{ModelDef, Registry, path},
};

impl Env {
    /// What a search asks for: on fields that are kept, and archived records only where they are meant.
    pub(in crate::execute) async fn asked_for(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        domain: &Domain,
    ) -> Result<Domain, Error> {
        let active = active_only(model, domain, self.context());
        if is_plain(registry, model, &active) {
            return Ok(active);
        }
        // Before anything of it is used as it is.
        path::check_domain(registry, model, domain)?;
        self.kept(registry, model, active).await
    }

    fn kept<'a>(
        &'a mut self,
        registry: &'a Registry,
        model: &'a ModelDef,
        domain: Domain,
    ) -> BoxFuture<'a, Result<Domain, Error>> {
        Box::pin(async move {
            Ok(match domain {
                Domain::And(terms) => Domain::And(self.all_kept(registry, model, terms).await?),
                Domain::Or(terms) => Domain::Or(self.all_kept(registry, model, terms).await?),
                Domain::Not(term) => Domain::Not(Box::new(self.kept(registry, model, *term).await?)),
                Domain::Leaf(leaf) => self.kept_leaf(registry, model, leaf).await?,
                other => other,
            })
        })
    }

    async fn all_kept(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        terms: Vec<Domain>,
    ) -> Result<Vec<Domain>, Error> {
        let mut kept = Vec::with_capacity(terms.len());
        for term in terms {
            kept.push(self.kept(registry, model, term).await?);
        }
        Ok(kept)
    }

    async fn kept_leaf(&mut self, registry: &Registry, model: &ModelDef, leaf: Leaf) -> Result<Domain, Error> {
        if let Some((search, end)) = search_of(registry, model, &leaf) {
            let (op, negated) = leaf.op.positive();
            // What follows such a field is asked of the records that it stands for.
            let (op, operand) = match leaf.path.get(end + 1..) {
                Some(rest) => (Op::Any, Operand::Domain(Box::new(Domain::leaf(rest.to_owned(), op, leaf.operand)))),
                None => (op, leaf.operand),
            };
            let meant = search(self, op, operand).await?;
            let path = &leaf.path[..end];
            let end = path::follow(registry, model, path)?.model;
            // The function may itself name such fields, of this model or of others.
            let meant = self.kept(registry, end, meant).await?;
            let there = match path.rsplit_once('.') {
                Some((way, _)) => Domain::leaf(way.to_owned(), Op::Any, Operand::Domain(Box::new(meant))),
                None => meant,
            };
            return Ok(if negated { !there } else { there });
        }
        Ok(Domain::Leaf(match (leaf.operand, path::follow(registry, model, &leaf.path)?.field.kind.comodel()) {
            (Operand::Domain(inner), Some(comodel)) => {
                let inner = self.kept(registry, registry.model(comodel)?, *inner).await?;
                Leaf { operand: Operand::Domain(Box::new(inner)), ..leaf }
            }
            (operand, _) => Leaf { operand, ..leaf },
        }))
    }
}

/// The first such field on the path, and where its name ends there.
fn search_of(registry: &Registry, model: &ModelDef, leaf: &Leaf) -> Option<(SearchFn, usize)> {
    let ends = leaf.path.match_indices('.').map(|(at, _)| at).chain([leaf.path.len()]);
    ends.filter_map(|end| {
        let found = path::follow(registry, model, &leaf.path[..end]).ok()?;
        let unkept = found.field.is_computed() && !found.field.store;
        let search = found.model.behaviour.searches.get(&found.field.name).filter(|_| unkept)?;
        Some((*search, end))
    })
    .next()
}

/// Whether it names no such field, as nearly all do.
fn is_plain(registry: &Registry, model: &ModelDef, domain: &Domain) -> bool {
    domain.leaves().into_iter().all(|leaf| {
        let inner = match &leaf.operand {
            Operand::Domain(inner) => {
                let comodel = path::follow(registry, model, &leaf.path).ok().and_then(|end| end.field.kind.comodel());
                let comodel = comodel.and_then(|name| registry.model(name).ok());
                comodel.is_none_or(|comodel| is_plain(registry, comodel, inner))
            }
            _ => true,
        };
        inner && search_of(registry, model, leaf).is_none()
    })
}
