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
mod leaf;
mod links;
mod pattern;
mod scope;
mod select;
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
    resolve::{FieldDef, ModelDef, Registry},
    value::Uid,
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
    pub(crate) roles: Option<Arc<[String]>>,
    /// What the names of record rules are for him: `company_id`, `company_ids`, and the paths that some rule uses, such as
    /// `user.partner_id.id`. A rule with any other name is refused when it is planned.
    pub(crate) names: Arc<HashMap<String, Val>>,
}

impl Actor {
    fn has_role(&self, role: &str) -> bool {
        self.roles.as_ref().is_none_or(|roles| roles.iter().any(|own| own == role))
    }

    pub(crate) fn denied(&self, operation: Operation, model: &ModelDef, why: impl Into<String>) -> Error {
        Error::AccessDenied {
            who: self.who.to_string(),
            operation,
            model: format!("{} ({})", model.label, model.name),
            why: why.into(),
        }
    }

    pub(crate) fn check(&self, model: &ModelDef, operation: Operation) -> Result<(), Error> {
        let Some(roles) = &self.roles else { return Ok(()) };
        if roles.iter().filter_map(|role| model.access.get(role)).any(|rights| rights.allows(operation)) {
            return Ok(());
        }
        let able: Vec<&str> =
            model.access.iter().filter(|(_, rights)| rights.allows(operation)).map(|(role, _)| role.as_str()).collect();
        let why = if able.is_empty() {
            "nobody but the system may".to_owned()
        } else {
            format!("this needs the role {}; ask an administrator", able.join(" or "))
        };
        Err(self.denied(operation, model, why))
    }

    pub(crate) fn may_see(&self, field: &FieldDef) -> bool {
        if self.roles.is_none() {
            return true;
        }
        !field.secret && (field.groups.is_empty() || field.groups.iter().any(|role| self.has_role(role)))
    }

    pub(crate) fn check_field(&self, model: &ModelDef, field: &FieldDef, operation: Operation) -> Result<(), Error> {
        if self.may_see(field) {
            return Ok(());
        }
        let why = match field.secret {
            true => format!("nobody but the system may use field {}", field.name),
            false => format!("field {} needs the role {}", field.name, field.groups.join(" or ")),
        };
        Err(self.denied(operation, model, why))
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
            unlimited: actor.roles.is_none(),
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
