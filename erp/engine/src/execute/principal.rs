//! Who asks and what he may, looked up once and kept until something about it changes.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Actor, Change, Engine, Env, Link};
use crate::{
    domain::{Domain, Op},
    error::{Error, Operation},
    expr::Val,
    plan::Principal,
    resolve::{End, Kind, PrincipalsDef, Registry, UserPath, path},
    value::{Id, Uid, Value},
};

/// More users than ever work at once; beyond it all are looked up anew.
const MOST_KEPT: usize = 20_000;

/// Principals that were looked up, by user.
#[derive(Default)]
pub(super) struct Principals(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    known: HashMap<Uid, Arc<Principal>>,
    /// Counts what was forgotten: somebody looked up before a change must not be kept after it.
    epoch: u64,
}

impl Principals {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn forget_if(&self, registry: &Registry, changes: &[Change]) {
        if changes.iter().any(|change| registry.is_watched(&change.model)) {
            self.forget();
        }
    }

    pub(super) fn forget(&self) {
        let mut kept = self.kept();
        kept.epoch += 1;
        kept.known.clear();
    }
}

pub(super) async fn find(engine: &Engine, uid: Uid) -> Result<Arc<Principal>, Error> {
    let registry = engine.registry();
    let epoch = {
        let kept = engine.0.principals.kept();
        match kept.known.get(&uid) {
            // One of another time would not know today's groups.
            Some(known) if Arc::ptr_eq(&known.security, &registry.security) => return Ok(known.clone()),
            _ => kept.epoch,
        }
    };
    let mut env = Env::on(engine, Link::new(engine.0.db.clone()), Actor::looking_up());
    let found = Arc::new(env.look_up(&registry, uid).await?);
    let mut kept = engine.0.principals.kept();
    if kept.epoch == epoch {
        if kept.known.len() >= MOST_KEPT {
            kept.known.clear();
        }
        kept.known.insert(uid, found.clone());
    }
    Ok(found)
}

impl Env {
    /// Whether it is about the user's own record, and only about what is every user's own matter there.
    pub(super) fn is_own_matter<'n>(
        &self,
        model: &str,
        ids: &[Id],
        mut fields: impl Iterator<Item = &'n str>,
        operation: Operation,
    ) -> bool {
        let (Some(own), Some(principals)) = (&self.actor.rights, &self.registry.principals) else { return false };
        *principals.model == *model
            && *ids == [Id(own.uid.0)]
            && !own.security.allows(&own.groups, model, operation)
            && fields.all(|field| principals.own_fields.iter().any(|known| known == field))
    }

    async fn look_up(&mut self, registry: &Registry, uid: Uid) -> Result<Principal, Error> {
        let nobody = || Error::NoSuchUser(uid.0);
        let principals = registry.principals.as_ref().ok_or_else(nobody)?;
        let domain = Domain::leaf("id", Op::Eq, Id(uid.0));
        let mut fields = vec![&*principals.active_field, &*principals.name_field];
        fields.extend(principals.company_field.as_deref());
        let found = self.search_read(&principals.model, &domain, &fields, super::Search::default()).await?;
        let user = found.first().ok_or_else(nobody)?;
        if *user.value(&principals.active_field) != Value::Bool(true) {
            return Err(nobody());
        }
        let company = match principals.company_field.as_deref().map(|field| user.value(field)) {
            Some(Value::Id(company)) => Some(*company),
            _ => None,
        };
        let mut companies = self.companies_of(registry, principals, uid).await?;
        companies.extend(company.filter(|own| !companies.contains(own)));
        let direct = self.linked("res_groups_users_rel", "uid", "gid", Id(uid.0)).await?;
        Ok(Principal {
            uid,
            login: user.get_str(&principals.name_field).into(),
            company,
            companies,
            names: self.user_names(registry, uid).await?,
            groups: registry.security.implied(direct),
            security: registry.security.clone(),
        })
    }

    /// What the rules' `user.` paths are for this user.
    async fn user_names(&mut self, registry: &Registry, uid: Uid) -> Result<HashMap<String, Val>, Error> {
        let mut names = HashMap::new();
        for path in &registry.security.user_paths {
            match self.user_value(registry, uid, path).await {
                Ok(value) => drop(names.insert(format!("user.{path}"), value)),
                // Without it the rule that asks for it is refused when it is planned; the rest goes on.
                Err(error) if !error.is_retryable() => {
                    tracing::error!(%error, path, "what a record rule asks of the user cannot be read");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(names)
    }

    async fn user_value(&mut self, registry: &Registry, uid: Uid, path: &str) -> Result<Val, Error> {
        let UserPath { fields, end } = UserPath::of(path);
        let own = Id(uid.0);
        let Some(fields) = fields else {
            return Ok(if end == End::Ids { vec![own].into() } else { own.into() });
        };
        let principals = registry.principals.as_ref().ok_or(Error::NoSuchUser(uid.0))?;
        let found = path::follow(registry, registry.model(&principals.model)?, fields)?;
        let mut at = vec![own];
        for step in &found.steps {
            at = ids_in(self.seen_by_rules(&step.model.name, at, &step.field.name).await?);
        }
        let mut values = self.seen_by_rules(&found.model.name, at, &found.field.name).await?;
        if let Kind::Many2Many { comodel, .. } = &found.field.kind
            && **comodel == *"res.groups"
        {
            // Who is in a group is in all that it implies.
            let all = registry.security.implied(ids_in(values));
            values = all.iter().map(|at| Value::Id(registry.security.groups[at].id)).collect();
        }
        let first = values.first().cloned().unwrap_or_default();
        Ok(match (end, &found.field.kind) {
            (End::Ids, _) | (End::Value, Kind::One2Many { .. } | Kind::Many2Many { .. }) => ids_in(values).into(),
            (End::Id, _) => ids_in(values).first().copied().into(),
            (End::Value, _) => first.into(),
        })
    }

    async fn seen_by_rules(&mut self, model: &str, ids: Vec<Id>, field: &str) -> Result<Vec<Value>, Error> {
        let domain = Domain::leaf("id", Op::In, ids.as_slice());
        let found = self.search_read(model, &domain, &[field], super::Search::default()).await?;
        Ok(found.iter().map(|record| record.value(field).clone()).collect())
    }

    async fn companies_of(
        &mut self,
        registry: &Registry,
        principals: &PrincipalsDef,
        uid: Uid,
    ) -> Result<Vec<Id>, Error> {
        let Some(field) = &principals.companies_field else { return Ok(Vec::new()) };
        match &registry.model(&principals.model)?.field(field)?.kind {
            Kind::Many2Many { relation, column1, column2, .. } => {
                self.linked(relation, column1, column2, Id(uid.0)).await
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// Each id once, in their order.
fn ids_in(values: Vec<Value>) -> Vec<Id> {
    let mut seen = HashSet::new();
    let mut ids = Vec::new();
    for value in values {
        match value {
            Value::Id(id) => ids.push(id),
            Value::Ids(more) => ids.extend(more),
            _ => {}
        }
    }
    ids.retain(|id| seen.insert(*id));
    ids
}

impl Actor {
    /// While it is looked up who somebody is, which nobody may be asked for leave.
    fn looking_up() -> Actor {
        Actor { uid: None, who: "the system (sign-in)".into(), rights: None }
    }
}
