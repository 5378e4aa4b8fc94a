//! What computed fields need: the ways back to what depends on a change.

use sea_query::{Alias, Expr, ExprTrait, LockType, Order, Query};

use super::{Dialect, Planner, Statement, condition::table};
use crate::{
    error::Error,
    resolve::{Hop, Kind, ModelDef},
    value::{Id, Value},
};

impl Planner<'_> {
    /// One relation walked backwards from these records, by the system's own rights.
    pub(crate) fn hop(&self, hop: &Hop, from: Vec<Value>) -> Result<Statement, Error> {
        let name = |name: &str| Alias::new(name);
        let from = from.into_iter().map(|id| self.dialect.bind(&Kind::Id, id));
        let mut select = Query::select();
        select.distinct();
        match hop {
            Hop::Holders { model, field } => {
                select.column(name("id")).from(table(self.registry.model(model)?));
                select.and_where(Expr::col(name(field)).is_in(from));
            }
            Hop::Held { model, field, of } => {
                select.column(name(field)).from(table(self.registry.model(model)?));
                select.and_where(Expr::col(name("id")).is_in(from)).and_where(Expr::col(name(field)).is_not_null());
                if let Some((field, value)) = of {
                    select.and_where(Expr::col(name(field)).eq(&**value));
                }
            }
            Hop::Linked { relation, from: column, to } => {
                select.column(name(to)).from(name(relation)).and_where(Expr::col(name(column)).is_in(from));
            }
        }
        Ok(self.built(&select))
    }

    /// Keeps others from changing these records until the transaction ends; references to them may still be made.
    /// Nothing for SQLite, where nobody else writes meanwhile.
    pub(crate) fn lock(&self, model: &ModelDef, ids: &[Id]) -> Option<Statement> {
        if self.dialect == Dialect::Sqlite {
            return None;
        }
        let mut select = Query::select();
        select.column(Alias::new("id")).from(table(model));
        select.and_where(Expr::col(Alias::new("id")).is_in(ids.iter().map(|id| Expr::val(id.0))));
        // Always in the same order, so that two who lock the same records do not wait for each other.
        select.order_by(Alias::new("id"), Order::Asc).lock(LockType::NoKeyUpdate);
        Some(self.built(&select))
    }
}
