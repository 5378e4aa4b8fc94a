//! Lists of records: what is on them, and links put on and taken off.

use sea_query::{
    Alias, Expr, ExprTrait, IntoTableRef, OnConflict, PostgresQueryBuilder, Query, QueryStatementWriter,
    SqliteQueryBuilder,
};

use super::{
    Dialect, Planner, Reading, Select, Statement,
    condition::{column, table},
};
use crate::{
    domain::{Domain, Op},
    error::{Error, Operation},
    resolve::{FieldDef, Kind, ModelDef},
    value::{Id, Value},
};

/// The link table of a many2many field, seen from the field's model.
#[derive(Clone, Copy)]
pub(crate) struct Link<'r> {
    pub(crate) comodel: &'r ModelDef,
    pub(crate) relation: &'r str,
    pub(crate) own: &'r str,
    pub(crate) other: &'r str,
}

impl Planner<'_> {
    /// What is on the list `field` of several records: `(listed id, owner id)`, in the listed records' order. `active`
    /// leaves out archived ones.
    pub(crate) fn listed(
        &mut self,
        model: &ModelDef,
        field: &FieldDef,
        owners: Vec<Value>,
        active: bool,
    ) -> Result<Select, Error> {
        let Some(comodel) = field.kind.comodel() else {
            return Err(Error::NoSuchField { model: model.name.to_string(), field: field.name.clone() });
        };
        let comodel = self.registry.model(comodel)?;
        self.check(comodel, Operation::Read)?;
        let alias = self.alias();
        let mut select = Query::select();
        select.from_as(table(comodel), alias.clone()).expr(column(&alias, comodel.field("id")?));
        let mut domain = Domain::True;
        match &field.kind {
            Kind::Many2Many { relation, column1, column2, .. } => {
                let link = self.alias();
                let owner = Expr::col((link.clone(), Alias::new(column1)));
                select.expr(owner.clone());
                select.inner_join(
                    Alias::new(relation).into_table_ref().alias(link.clone()),
                    Expr::col((link, Alias::new(column2))).equals((alias.clone(), Alias::new("id"))),
                );
                select.and_where(owner.is_in(owners.into_iter().map(|id| self.dialect.bind(&Kind::Id, id))));
            }
            Kind::One2Many { inverse, .. } => {
                select.expr(column(&alias, comodel.field(inverse)?));
                domain = Domain::leaf(inverse.clone(), Op::In, owners);
                if let (Kind::Integer, Some(name)) = (&comodel.field(inverse)?.kind, comodel.model_name_field()) {
                    domain = domain.and(Domain::leaf(name.name.clone(), Op::Eq, &*model.name));
                }
            }
            _ => {}
        }
        if let Some(field) = comodel.active_field().filter(|_| active) {
            domain = domain.and(Domain::leaf(field.name.clone(), Op::Eq, true));
        }
        if let Some(condition) = self.limited(comodel, &alias, &domain, Operation::Read)?.into_where() {
            select.and_where(condition);
        }
        self.order(&mut select, comodel, &alias, None)?;
        Ok(Select {
            statement: self.built(&select),
            readings: vec![Reading::Id, Reading::Id],
            names: Vec::new(),
            lists: Vec::new(),
            computed: Vec::new(),
            files: Vec::new(),
        })
    }

    /// Puts links there; those that are there already stay.
    pub(crate) fn link(&self, link: Link<'_>, pairs: &[(Id, Id)]) -> Result<Statement, Error> {
        let mut query = Query::insert();
        query.into_table(Alias::new(link.relation)).columns([Alias::new(link.own), Alias::new(link.other)]);
        for (own, other) in pairs {
            query
                .values([Expr::val(own.0), Expr::val(other.0)])
                .map_err(|error| Error::Domain { model: link.relation.to_owned(), problem: error.to_string() })?;
        }
        query.on_conflict(OnConflict::new().do_nothing().to_owned());
        Ok(self.built(&query))
    }

    /// Takes every link of `owner` off, but for those to `kept` and to records that the actor does not see.
    pub(crate) fn unlink_all(&mut self, link: Link<'_>, owner: Id, kept: &[Id]) -> Result<Statement, Error> {
        let other = || Expr::col(Alias::new(link.other));
        let mut query = Query::delete();
        query.from_table(Alias::new(link.relation)).and_where(Expr::col(Alias::new(link.own)).eq(owner.0));
        if !kept.is_empty() {
            query.and_where(other().is_not_in(kept.iter().map(|id| Expr::val(id.0))));
        }
        let alias = self.alias();
        if let Some(seen) = self.rules(link.comodel, &alias, Operation::Read)?.into_where() {
            let mut select = Query::select();
            select.from_as(table(link.comodel), alias.clone()).column((alias, Alias::new("id"))).and_where(seen);
            query.and_where(other().in_subquery(select));
        }
        Ok(self.built(&query))
    }

    /// Takes these links off.
    pub(crate) fn unlink(&self, link: Link<'_>, owner: Id, others: &[Id]) -> Statement {
        let mut query = Query::delete();
        query.from_table(Alias::new(link.relation)).and_where(Expr::col(Alias::new(link.own)).eq(owner.0));
        query.and_where(Expr::col(Alias::new(link.other)).is_in(others.iter().map(|id| Expr::val(id.0))));
        self.built(&query)
    }

    pub(super) fn built(&self, query: &impl QueryStatementWriter) -> Statement {
        let (sql, values) = match self.dialect {
            Dialect::Sqlite => query.build(SqliteQueryBuilder),
            Dialect::Postgres => query.build(PostgresQueryBuilder),
        };
        Statement { sql, values }
    }
}
