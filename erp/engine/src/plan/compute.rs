//! What computed fields need: the ways back to what depends on a change, and values of their own for many records at
//! once.

use std::fmt::Write;

use sea_query::{Alias, Expr, ExprTrait, LockType, Order, Query};

use super::{Dialect, Planner, Statement, condition::table};
use crate::{
    error::Error,
    resolve::{FieldDef, Hop, Kind, ModelDef},
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

    /// Each record its own values, in one statement. They come checked and coerced.
    pub(crate) fn update_each(&self, model: &ModelDef, fields: &[&FieldDef], rows: Vec<(Id, Vec<Value>)>) -> Statement {
        let mut sql = format!("UPDATE \"{}\" SET ", model.table);
        for (at, field) in fields.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let value = format!("v.column{}", at + 2);
            let value = match self.dialect.cast(&field.kind) {
                Some(kind) => format!("CAST({value} AS {kind})"),
                None => value,
            };
            // Writing to a String cannot fail.
            write!(sql, "{comma}\"{}\" = {value}", field.name).ok();
        }
        sql.push_str(" FROM (VALUES ");
        let mut parameters = Vec::with_capacity(rows.len() * (fields.len() + 1));
        for (at, (id, values)) in rows.into_iter().enumerate() {
            sql.push_str(if at == 0 { "(" } else { ", (" });
            let own = fields.iter().zip(values).map(|(field, value)| self.dialect.parameter(&field.kind, value));
            for value in std::iter::once(id.0.into()).chain(own) {
                parameters.push(value);
                let comma = if (parameters.len() - 1) % (fields.len() + 1) == 0 { "" } else { ", " };
                match self.dialect {
                    Dialect::Sqlite => write!(sql, "{comma}?").ok(),
                    Dialect::Postgres => write!(sql, "{comma}${}", parameters.len()).ok(),
                };
            }
            sql.push(')');
        }
        write!(sql, ") AS v WHERE \"{}\".\"id\" = v.column1", model.table).ok();
        Statement { sql, values: sea_query::Values(parameters) }
    }
}
