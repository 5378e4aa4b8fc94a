//! Records whose rights are those of another record, named by two of their fields: messages, activities, attachments.

use sea_query::{DynIden, Expr, ExprTrait, Query};

use super::{
    Planner,
    condition::{Cond, column, table},
};
use crate::{
    domain::{Domain, Leaf, Op, Operand},
    error::{Error, Operation},
    resolve::ModelDef,
    value::Value,
};

impl Planner<'_> {
    /// Rows that name no record, and those whose record the actor may read; or change, for anything but reading. `about`
    /// is the one model that the rows are known to name, which keeps the statement short.
    pub(super) fn followed(
        &mut self,
        model: &ModelDef,
        alias: &DynIden,
        operation: Operation,
        about: Option<&str>,
    ) -> Result<Cond, Error> {
        let Some((names, ids)) = &model.follows else { return Ok(Cond::True) };
        let (names, ids) = (model.field(names)?, model.field(ids)?);
        let wanted = if operation == Operation::Read { Operation::Read } else { Operation::Write };
        let name = |name: &ModelDef| self.dialect.bind(&names.kind, Value::from(&*name.name));
        let mut free = Vec::new();
        let mut ruled = Vec::new();
        let registry = self.registry;
        let followed = registry.models().filter(|other| !other.is_abstract && other.follows.is_none());
        for other in followed.filter(|other| about.is_none_or(|about| about == &*other.name)) {
            // Who may do nothing at all with the model may do nothing with what is said about its records.
            if self.actor.check(other, wanted).is_err() {
                continue;
            }
            if !self.actor.has_rules(other, wanted) {
                free.push(name(other));
            } else {
                ruled.push((other, name(other)));
            }
        }
        let mut allowed = Cond::Sql(column(alias, names).is_null().or(column(alias, ids).is_null()));
        if !free.is_empty() {
            allowed = allowed.or(Cond::Sql(column(alias, names).is_in(free)));
        }
        for (other, name) in ruled {
            let next = self.alias();
            let rules = self.rules(other, &next, wanted)?;
            let named = column(alias, names).eq(name);
            allowed = allowed.or(match rules {
                Cond::True => Cond::Sql(named),
                Cond::False => Cond::False,
                Cond::Sql(rules) => {
                    let mut select = Query::select();
                    select.from_as(table(other), next.clone()).expr(Expr::cust("1"));
                    select.and_where(column(&next, other.field("id")?).eq(column(alias, ids))).and_where(rules);
                    Cond::Sql(named.and(Expr::exists(select)))
                }
            });
        }
        Ok(allowed)
    }
}

/// The one model that rows of the domain can name.
pub(super) fn about<'d>(model: &ModelDef, domain: &'d Domain) -> Option<&'d str> {
    let (names, _) = model.follows.as_ref()?;
    match domain {
        Domain::And(terms) => terms.iter().find_map(|term| about(model, term)),
        Domain::Leaf(Leaf { path, op: Op::Eq, operand: Operand::One(Value::Text(name)) }) if path == names => {
            Some(name)
        }
        _ => None,
    }
}
