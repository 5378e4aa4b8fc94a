//! Requests become SQL. Pure: registry, actor and request in, statement and parameters out; no connection here.
//!
//! Identifiers come from the registry alone (`[a-z][a-z0-9_]*`, quoted besides), everything else is a parameter. Rights
//! and record rules are part of the statement, so a caller cannot forget them.

mod compute;
mod condition;
mod dialect;
mod links;
mod pattern;
mod select;
mod write;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use condition::positive;
pub(crate) use dialect::{Dialect, Reading};
pub(crate) use links::Link;
pub(crate) use pattern::Pattern;
pub(crate) use select::{List, Select, Wanted};
pub(crate) use write::Insert;

use crate::{
    error::{Error, Operation},
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
}

impl<'r> Planner<'r> {
    pub(crate) fn new(registry: &'r Registry, actor: &'r Actor, dialect: Dialect) -> Planner<'r> {
        Planner { registry, actor, dialect, aliases: 0, unlimited: actor.roles.is_none() }
    }

    fn alias(&mut self) -> sea_query::DynIden {
        let alias = sea_query::Alias::new(format!("t{}", self.aliases));
        self.aliases += 1;
        sea_query::IntoIden::into_iden(alias)
    }

    fn check(&self, model: &ModelDef, operation: Operation) -> Result<(), Error> {
        if self.unlimited { Ok(()) } else { self.actor.check(model, operation) }
    }

    fn check_field(&self, model: &ModelDef, field: &FieldDef, operation: Operation) -> Result<(), Error> {
        if self.unlimited { Ok(()) } else { self.actor.check_field(model, field, operation) }
    }
}
