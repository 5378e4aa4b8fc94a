//! Who asks and what he may, looked up once and kept until something about it changes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Actor, Change, Engine, Env, Link};
use crate::{
    domain::{Domain, Op},
    error::Error,
    plan::Principal,
    resolve::{Kind, PrincipalsDef, Registry},
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
            names: HashMap::new(),
            groups: registry.security.implied(direct),
            security: registry.security.clone(),
        })
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

impl Actor {
    /// While it is looked up who somebody is, which nobody may be asked for leave.
    fn looking_up() -> Actor {
        Actor { uid: None, who: "the system (sign-in)".into(), rights: None }
    }
}
