//! Writing: insert, update, delete. Values come checked and coerced.

use sea_query::{Alias, DynIden, Expr, IntoTableRef, OnConflict, Query, TableRef};

use super::{Planner, Statement, condition::table};
use crate::{
    domain::Domain,
    error::{Error, Operation},
    resolve::{FieldDef, Kind, ModelDef},
    value::{Id, Value},
};

/// One multi-row INSERT. Without ids given it answers with those that the database chose.
pub(crate) struct Insert<'a> {
    pub(crate) model: &'a ModelDef,
    pub(crate) columns: &'a [&'a FieldDef],
    pub(crate) rows: Vec<Vec<Value>>,
    /// Beforehand for several rows, so that each row knows its own; the database's choice when absent.
    pub(crate) ids: Option<&'a [Id]>,
    /// Leave out rows that a unique index refuses.
    pub(crate) if_new: bool,
}

impl Planner<'_> {
    pub(crate) fn insert(&self, insert: Insert<'_>) -> Result<Statement, Error> {
        let mut query = Query::insert();
        query.into_table(table(insert.model));
        let names = insert.columns.iter().map(|field| Alias::new(field.name.as_str()));
        match insert.ids {
            Some(_) => query.columns(std::iter::once(Alias::new("id")).chain(names)),
            None => query.columns(names),
        };
        for (at, row) in insert.rows.into_iter().enumerate() {
            let id = insert.ids.and_then(|ids| ids.get(at)).map(|id| Expr::val(id.0));
            let values = insert.columns.iter().zip(row).map(|(field, value)| self.dialect.bind(&field.kind, value));
            let given: Vec<Expr> = id.into_iter().chain(values).collect();
            if given.is_empty() {
                query.or_default_values();
            } else {
                query.values(given).map_err(|error| Error::Domain {
                    model: insert.model.name.to_string(),
                    problem: error.to_string(),
                })?;
            }
        }
        if insert.if_new {
            query.on_conflict(OnConflict::new().do_nothing().to_owned());
        }
        if insert.ids.is_none() {
            query.returning_col(Alias::new("id"));
        }
        Ok(self.built(&query))
    }

    /// The conditions are on the row itself, not on a list found before: a row that another transaction has just changed
    /// is judged anew by both databases.
    pub(crate) fn update(
        &mut self,
        model: &ModelDef,
        domain: &Domain,
        values: Vec<(&FieldDef, Value)>,
    ) -> Result<Statement, Error> {
        let alias = self.alias();
        let mut query = Query::update();
        query.table(aliased(model, &alias));
        for (field, value) in values {
            if field.kind == Kind::Id {
                query.value(Alias::new("id"), Expr::col(Alias::new("id")));
                continue;
            }
            query.value(Alias::new(field.name.as_str()), self.dialect.bind(&field.kind, value));
        }
        if let Some(condition) = self.limited(model, &alias, domain, Operation::Write)?.into_where() {
            query.and_where(condition);
        }
        // Both tables of the statement have an id column only inside subqueries, so the bare name is this row's.
        query.returning_col(Alias::new("id"));
        Ok(self.built(&query))
    }

    pub(crate) fn delete(&mut self, model: &ModelDef, domain: &Domain) -> Result<Statement, Error> {
        let alias = self.alias();
        let mut query = Query::delete();
        query.from_table(aliased(model, &alias));
        if let Some(condition) = self.limited(model, &alias, domain, Operation::Unlink)?.into_where() {
            query.and_where(condition);
        }
        query.returning_col(Alias::new("id"));
        Ok(self.built(&query))
    }
}

fn aliased(model: &ModelDef, alias: &DynIden) -> TableRef {
    table(model).into_table_ref().alias(alias.clone())
}
