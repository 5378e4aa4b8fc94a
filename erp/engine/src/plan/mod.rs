//! Requests become SQL. Pure: registry, actor and request in, statement and parameters out; no connection here.
//!
//! Identifiers come from the registry alone (`[a-z][a-z0-9_]*`, quoted besides), everything else is a parameter. Rights
//! and record rules are part of the statement, so a caller cannot forget them.

mod buckets;
mod compare;
mod compute;
mod condition;
mod dialect;
mod follow;
mod group;
mod having;
mod leaf;
mod links;
mod pattern;
mod scope;
mod select;
mod sides;
mod write;

#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;

pub use buckets::Granularity;
pub(crate) use dialect::{Dialect, Reading};
pub(crate) use group::GroupKey;
pub use group::{Aggregator, Grouping, default_aggregator};
pub(crate) use links::Link;
pub(crate) use pattern::Pattern;
pub(crate) use select::{List, Select, Wanted};
pub(crate) use write::{Insert, UpdateEach};

use crate::{
    context::Context,
    domain::Domain,
    error::{Error, Operation},
    expr::Val,
    resolve::{FieldDef, GroupSet, ModelDef, Registry, Security},
    value::{Id, Uid},
};

/// SQL and its parameters, ready for a connection.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) values: sea_query::Values,
}

/// On whose behalf something is planned.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    pub(crate) uid: Option<Uid>,
    /// What messages call him.
    pub(crate) who: Arc<str>,
    /// Nothing for the superuser, whom no right limits.
    pub(crate) rights: Option<Arc<Principal>>,
}

/// What a user may, looked up once and shared by his requests.
#[derive(Debug)]
pub struct Principal {
    pub uid: Uid,
    /// What messages call him.
    pub login: Arc<str>,
    /// The company that he works in when a request names none.
    pub company: Option<Id>,
    /// Companies that he may work in.
    pub companies: Vec<Id>,
    pub(crate) groups: GroupSet,
    /// What the paths of record rules are for him, such as `user.partner_id.id`.
    pub(crate) names: HashMap<String, Val>,
    pub(crate) security: Arc<Security>,
}

impl Principal {
    /// Whether he is in the group with this external id, by itself or by another group that implies it.
    pub fn has_group(&self, key: &str) -> bool {
        self.security.group(key).is_some_and(|group| self.groups.contains(group))
    }

    /// The same user by other tables.
    pub(crate) fn under(&self, security: &Arc<Security>) -> Principal {
        Principal {
            groups: security.implied(self.group_ids()),
            security: security.clone(),
            companies: self.companies.clone(),
            login: self.login.clone(),
            names: self.names.clone(),
            ..*self
        }
    }

    /// The companies of a request, the current one first: those that it names, else all that he may work in.
    pub fn companies_now(&self, asked: &[Id]) -> Vec<Id> {
        if !asked.is_empty() {
            return asked.to_vec();
        }
        let others = self.companies.iter().copied().filter(|id| Some(*id) != self.company);
        self.company.into_iter().chain(others).collect()
    }

    /// External ids of all his groups; those that people made have none.
    pub fn group_keys(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().filter_map(|at| self.security.groups[at].key.as_deref())
    }

    /// Ids of all his groups.
    pub fn group_ids(&self) -> Vec<Id> {
        self.groups.iter().map(|at| self.security.groups[at].id).collect()
    }
}

impl Actor {
    pub(crate) fn denied(&self, operation: Operation, model: &ModelDef, why: impl Into<String>) -> Error {
        Error::AccessDenied {
            who: self.who.to_string(),
            operation,
            model: format!("{} ({})", model.label, model.name),
            why: why.into(),
        }
    }

    pub(crate) fn allows(&self, model: &ModelDef, operation: Operation) -> bool {
        self.rights.as_ref().is_none_or(|own| own.security.allows(&own.groups, &model.name, operation))
    }

    pub(crate) fn check(&self, model: &ModelDef, operation: Operation) -> Result<(), Error> {
        let Some(own) = self.rights.as_ref().filter(|_| !self.allows(model, operation)) else { return Ok(()) };
        let why = match own.security.able(&model.name, operation)[..] {
            [] => "nobody but the system may".to_owned(),
            [one] => format!("this needs the group {one}; ask an administrator"),
            ref able => format!("this needs one of the groups {}; ask an administrator", able.join(", ")),
        };
        Err(self.denied(operation, model, why))
    }

    pub(crate) fn may_see(&self, field: &FieldDef) -> bool {
        let Some(own) = &self.rights else { return true };
        !field.secret && (field.groups.is_empty() || own.security.fits(&own.groups, &field.groups))
    }

    pub(crate) fn check_field(&self, model: &ModelDef, field: &FieldDef, operation: Operation) -> Result<(), Error> {
        let Some(own) = self.rights.as_ref().filter(|_| !self.may_see(field)) else { return Ok(()) };
        let why = match field.secret {
            true => format!("nobody but the system may use field {}", field.name),
            false => format!("field {} needs the group {}", field.name, own.security.names_of(&field.groups)),
        };
        Err(self.denied(operation, model, why))
    }

    /// Names of the rules that limit the actor.
    pub(crate) fn rule_names(&self, model: &ModelDef, operation: Operation) -> String {
        let Some(own) = &self.rights else { return String::new() };
        let rules = own.security.rules_for(&own.groups, &model.name, operation);
        rules.map(|rule| rule.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn has_rules(&self, model: &ModelDef, operation: Operation) -> bool {
        self.rights
            .as_ref()
            .is_some_and(|own| own.security.rules_for(&own.groups, &model.name, operation).next().is_some())
    }
}

/// What every part of a plan needs to know.
pub(crate) struct Planner<'r> {
    pub(crate) registry: &'r Registry,
    pub(crate) actor: &'r Actor,
    pub(crate) dialect: Dialect,
    /// Tables named so far; gives each its own alias.
    aliases: usize,
    /// Inside a record rule: what the rule looks at is not limited by rules again.
    unlimited: bool,
    /// Whether lists of records leave out the archived ones.
    active_test: bool,
    /// Language, time zone and what else was sent along.
    context: Option<&'r Context>,
    now: Timestamp,
}

impl<'r> Planner<'r> {
    pub(crate) fn new(registry: &'r Registry, actor: &'r Actor, dialect: Dialect) -> Planner<'r> {
        Planner {
            registry,
            actor,
            dialect,
            aliases: 0,
            unlimited: actor.rights.is_none(),
            active_test: false,
            context: None,
            now: Timestamp::now(),
        }
    }

    /// In this context, at the time of the transaction: its zone decides what today is, and whether lists of records leave
    /// out the archived ones. Without it nothing is left out. For the records of a search itself see [`active_only`].
    pub(crate) fn in_context(mut self, context: &'r Context, now: Timestamp) -> Planner<'r> {
        self.active_test = context.active_test;
        self.context = Some(context);
        self.now = now;
        self
    }

    fn alias(&mut self) -> sea_query::DynIden {
        let alias = sea_query::Alias::new(format!("t{}", self.aliases));
        self.aliases += 1;
        sea_query::IntoIden::into_iden(alias)
    }

    fn check(&self, model: &ModelDef, operation: Operation) -> Result<(), Error> {
        if self.unlimited { Ok(()) } else { self.actor.check(model, operation) }
    }

    /// Whether the actor may read the field at all.
    pub(crate) fn sees(&self, field: &FieldDef) -> bool {
        self.unlimited || self.actor.may_see(field)
    }

    /// The rights to read what a path ends at and what stood in for it.
    fn check_path(&self, path: &crate::resolve::path::Path<'_>) -> Result<(), Error> {
        path.seen.iter().try_for_each(|(model, field)| self.check_field(model, field, Operation::Read))?;
        self.check_field(path.model, path.field, Operation::Read)
    }

    fn check_field(&self, model: &ModelDef, field: &FieldDef, operation: Operation) -> Result<(), Error> {
        if self.unlimited { Ok(()) } else { self.actor.check_field(model, field, operation) }
    }
}

/// The domain without archived records, unless it asks for them itself or the context says so: for searches, counts and
/// groups on somebody's behalf, not for reading records by id.
pub(crate) fn active_only(model: &ModelDef, domain: &Domain, context: &Context) -> Domain {
    match model.active_field() {
        Some(active) if context.active_test && !domain.names(&active.name) => {
            domain.clone().and(Domain::leaf(active.name.clone(), crate::domain::Op::Eq, true))
        }
        _ => domain.clone(),
    }
}
