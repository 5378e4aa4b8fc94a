//! Writing: insert, update, delete. Values come checked and coerced.

use sea_query::{Alias, DynIden, Expr, ExprTrait, IntoTableRef, OnConflict, Query, TableRef, ValueTuple};

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

/// One UPDATE with values of its own for each record.
pub(crate) struct UpdateEach<'a> {
    pub(crate) model: &'a ModelDef,
    pub(crate) columns: &'a [&'a FieldDef],
    /// One value per column for each id.
    pub(crate) rows: Vec<(Id, Vec<Value>)>,
    /// The same in every row.
    pub(crate) stamps: Vec<(&'a FieldDef, Value)>,
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

    /// Both databases call the columns of a list of values `column1`, `column2`, ...
    pub(crate) fn update_each(&mut self, update: UpdateEach<'_>) -> Result<Statement, Error> {
        let alias = self.alias();
        let given = self.alias();
        let mut query = Query::update();
        query.table(aliased(update.model, &alias));
        let column = |at: usize| Expr::col((given.clone(), Alias::new(format!("column{at}"))));
        for (at, field) in update.columns.iter().enumerate() {
            query.value(Alias::new(field.name.as_str()), self.dialect.typed(&field.kind, column(at + 2)));
        }
        for (field, value) in update.stamps {
            query.value(Alias::new(field.name.as_str()), self.dialect.bind(&field.kind, value));
        }
        let rows = update.rows.into_iter().map(|(id, values)| {
            let values =
                update.columns.iter().zip(values).map(|(field, value)| self.dialect.parameter(&field.kind, value));
            ValueTuple::Many(std::iter::once(sea_query::Value::BigInt(Some(id.0))).chain(values).collect())
        });
        query.from(TableRef::ValuesList(rows.collect(), given.clone()));
        query.and_where(Expr::col((alias.clone(), Alias::new("id"))).eq(column(1)));
        if let Some(condition) = self.limited(update.model, &alias, &Domain::True, Operation::Write)?.into_where() {
            query.and_where(condition);
        }
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
