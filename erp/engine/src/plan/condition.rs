//! Domains and record rules as conditions of SQL, true or false but never unknown.

use sea_query::{Alias, DynIden, Expr, ExprTrait, Func};

use super::{Dialect, Planner, Principal, follow};
use crate::{
    domain::Domain,
    error::{Error, Operation},
    resolve::{FieldDef, ModelDef, path},
};

/// A condition while it is put together: what is known beforehand needs no SQL.
pub(super) enum Cond {
    True,
    False,
    Sql(Expr),
}

impl Cond {
    pub(super) fn of(known: bool) -> Cond {
        if known { Cond::True } else { Cond::False }
    }

    pub(super) fn not(self) -> Cond {
        match self {
            Cond::True => Cond::False,
            Cond::False => Cond::True,
            Cond::Sql(expr) => Cond::Sql(expr.not()),
        }
    }

    pub(super) fn and(self, other: Cond) -> Cond {
        match (self, other) {
            (Cond::False, _) | (_, Cond::False) => Cond::False,
            (Cond::True, x) | (x, Cond::True) => x,
            (Cond::Sql(a), Cond::Sql(b)) => Cond::Sql(a.and(b)),
        }
    }

    pub(super) fn or(self, other: Cond) -> Cond {
        match (self, other) {
            (Cond::True, _) | (_, Cond::True) => Cond::True,
            (Cond::False, x) | (x, Cond::False) => x,
            (Cond::Sql(a), Cond::Sql(b)) => Cond::Sql(a.or(b)),
        }
    }

    /// With "unknown" (of an empty field) as false, so that a NOT around it means what it says.
    pub(super) fn known(self) -> Cond {
        match self {
            Cond::Sql(expr) => Cond::Sql(Func::coalesce([expr, Expr::val(false)]).into()),
            known => known,
        }
    }

    /// For a WHERE; nothing where every record is meant.
    pub(super) fn into_where(self) -> Option<Expr> {
        match self {
            Cond::True => None,
            Cond::False => Some(Expr::cust("1 = 0")),
            Cond::Sql(expr) => Some(expr),
        }
    }
}

pub(super) fn column(alias: &DynIden, field: &FieldDef) -> Expr {
    Expr::col((alias.clone(), Alias::new(field.name.as_str())))
}

pub(super) fn table(model: &ModelDef) -> Alias {
    Alias::new(model.table.as_str())
}

impl Planner<'_> {
    /// The records of the domain that the actor may have for this operation.
    pub(super) fn limited(
        &mut self,
        model: &ModelDef,
        alias: &DynIden,
        domain: &Domain,
        operation: Operation,
    ) -> Result<Cond, Error> {
        path::check_domain(self.registry, model, domain)?;
        let asked = self.condition(model, alias, domain, false)?;
        let about = follow::about(model, domain);
        Ok(asked.and(self.rules_about(model, alias, operation, about)?))
    }

    /// Rules for everybody narrow (AND); those of the actor's groups widen each other (OR).
    pub(super) fn rules(&mut self, model: &ModelDef, alias: &DynIden, operation: Operation) -> Result<Cond, Error> {
        self.rules_about(model, alias, operation, None)
    }

    fn rules_about(
        &mut self,
        model: &ModelDef,
        alias: &DynIden,
        operation: Operation,
        about: Option<&str>,
    ) -> Result<Cond, Error> {
        let Some(own) = self.actor.rights.as_ref().filter(|_| !self.unlimited) else { return Ok(Cond::True) };
        let followed = self.followed(model, alias, operation, about)?;
        self.unlimited = true;
        // A rule means archived records too.
        let active_test = std::mem::replace(&mut self.active_test, false);
        let result = self.rules_of(own, model, alias, operation);
        self.unlimited = false;
        self.active_test = active_test;
        Ok(followed.and(result?))
    }

    fn rules_of(
        &mut self,
        own: &Principal,
        model: &ModelDef,
        alias: &DynIden,
        operation: Operation,
    ) -> Result<Cond, Error> {
        let mut everybody = Cond::True;
        let mut groups: Option<Cond> = None;
        for rule in own.security.rules_for(&own.groups, &model.name, operation) {
            let this = self.rule(model, alias, &rule.domain)?;
            if rule.groups.is_empty() {
                everybody = everybody.and(this);
            } else {
                groups = Some(match groups {
                    Some(others) => self.of_most(others.or(this)),
                    None => this,
                });
            }
        }
        Ok(everybody.and(groups.unwrap_or(Cond::True)))
    }

    fn rule(&mut self, model: &ModelDef, alias: &DynIden, domain: &Domain) -> Result<Cond, Error> {
        match domain {
            Domain::And(terms) => {
                terms.iter().try_fold(Cond::True, |all, term| Ok(all.and(self.rule(model, alias, term)?)))
            }
            Domain::Or(_) | Domain::Not(_) => {
                let alternatives = self.condition(model, alias, domain, false)?;
                Ok(self.of_most(alternatives))
            }
            _ => self.condition(model, alias, domain, false),
        }
    }

    /// Alternatives such as "of no company or of one of mine" mostly hold for most records. SQLite takes an index for
    /// each of them, reads nearly the whole table by those, and sorts it. A plus sign in front keeps it from that, so
    /// that it may take the index of the order, or of what is asked for.
    fn of_most(&self, alternatives: Cond) -> Cond {
        match (self.dialect, alternatives) {
            (Dialect::Sqlite, Cond::Sql(expr)) => Cond::Sql(Expr::cust_with_exprs("+(?)", [expr])),
            (_, known) => known,
        }
    }

    /// `negated` comes from a NOT around it; it is carried to the leaves, where emptiness is known.
    pub(super) fn condition(
        &mut self,
        model: &ModelDef,
        alias: &DynIden,
        domain: &Domain,
        negated: bool,
    ) -> Result<Cond, Error> {
        match domain {
            Domain::True => Ok(Cond::of(!negated)),
            Domain::False => Ok(Cond::of(negated)),
            Domain::Not(term) => self.condition(model, alias, term, !negated),
            Domain::And(terms) | Domain::Or(terms) => {
                let all = matches!(domain, Domain::And(_)) != negated;
                let mut joined = Cond::of(all);
                for term in terms {
                    let term = self.condition(model, alias, term, negated)?;
                    joined = if all { joined.and(term) } else { joined.or(term) };
                }
                Ok(joined)
            }
            Domain::Leaf(leaf) => self.leaf(model, alias, leaf, negated),
            Domain::Malformed(problem) => {
                Err(Error::Domain { model: model.name.to_string(), problem: problem.clone() })
            }
        }
    }
}
