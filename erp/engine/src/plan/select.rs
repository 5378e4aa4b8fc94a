//! Reading: search, read, count.

use sea_query::{Alias, DynIden, Expr, LockType, Order, Query, SelectStatement};

use super::{
    Dialect, Planner, Reading, Statement,
    condition::{column, table},
};
use crate::{
    domain::Domain,
    error::{Error, Operation},
    resolve::{
        FieldDef, Kind, ModelDef, OrderTerm,
        path::{self, Path, Step},
    },
};

/// A query, how its columns are read, and the child lists that further queries fill.
pub(crate) struct Select {
    pub(crate) statement: Statement,
    /// `id` first, then the named fields.
    pub(crate) readings: Vec<Reading>,
    pub(crate) names: Vec<String>,
    pub(crate) lists: Vec<List>,
    /// Fields that no query finds, likewise.
    pub(crate) computed: Vec<List>,
    /// Where in `names` the names of files stand, whose contents are wanted.
    pub(crate) files: Vec<usize>,
}

/// The list of records at `at` in `names`: field `field` of `model`, of the record whose id the column reads as.
pub(crate) struct List {
    pub(crate) at: usize,
    pub(crate) model: std::sync::Arc<str>,
    pub(crate) field: String,
}

pub(crate) struct Wanted<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) order: Option<&'a str>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: u64,
    pub(crate) lock: bool,
}

impl<'r> Planner<'r> {
    /// The records' ids and fields. No fields at all: those that the actor may see.
    pub(crate) fn select(&mut self, model: &ModelDef, fields: &[&str], wanted: &Wanted<'_>) -> Result<Select, Error> {
        self.check(model, Operation::Read)?;
        let alias = self.alias();
        let mut select = Query::select();
        select.from_as(table(model), alias.clone());
        let mut readings = vec![Reading::Id];
        let mut names = Vec::new();
        let (mut lists, mut computed) = (Vec::new(), Vec::new());
        let mut files = Vec::new();
        select.expr(column(&alias, model.field("id")?));
        for &name in fields {
            let path = path::follow(self.registry, model, name)?;
            self.check_path(&path)?;
            if let Some((end, field, steps)) = computed_when_read(model, name, &path) {
                computed.push(List { at: names.len(), model: end.name.clone(), field: field.name.clone() });
                let owner = Path { steps, model: end, field: end.field("id")?, seen: Vec::new() };
                select.expr(self.value_at(&alias, model, &owner, name)?);
                readings.push(Reading::Id);
                names.push(name.to_owned());
                continue;
            }
            let expr = match path.field.kind.comodel().filter(|_| path.field.kind.is_list()) {
                Some(comodel) => {
                    self.check(self.registry.model(comodel)?, Operation::Read)?;
                    let list = List { at: names.len(), model: path.model.name.clone(), field: path.field.name.clone() };
                    lists.push(list);
                    let owner = Path { field: path.model.field("id")?, ..path };
                    self.value_at(&alias, model, &owner, name)?
                }
                None => self.value_at(&alias, model, &path, name)?,
            };
            if path.field.kind.is_file() {
                files.push(names.len());
            }
            select.expr(expr);
            readings.push(Reading::of(&path.field.kind));
            names.push(name.to_owned());
        }
        if let Some(condition) = self.limited(model, &alias, wanted.domain, Operation::Read)?.into_where() {
            select.and_where(condition);
        }
        self.order(&mut select, model, &alias, wanted.order)?;
        match (wanted.limit, wanted.offset) {
            (None, 0) => {}
            // SQLite knows no OFFSET without LIMIT.
            (limit, offset) => {
                let most = i64::MAX as u64;
                select.limit(limit.map_or(most, |limit| limit.clamp(0, most)));
                select.offset(offset.clamp(0, most));
            }
        }
        if wanted.lock && self.dialect == Dialect::Postgres {
            select.lock_with_tables(LockType::Update, [alias]);
        }
        Ok(Select { statement: self.built(&select), readings, names, lists, computed, files })
    }

    /// Fields that are read when a call names none.
    pub(crate) fn readable<'m>(&self, model: &'m ModelDef) -> Vec<&'m str> {
        let lists_too = |field: &FieldDef| match &field.kind {
            Kind::One2Many { comodel, .. } | Kind::Many2Many { comodel, .. } => {
                self.registry.model(comodel).is_ok_and(|comodel| self.check(comodel, Operation::Read).is_ok())
            }
            kind => *kind != Kind::Id,
        };
        model
            .fields
            .iter()
            .filter(|field| lists_too(field) && (self.unlimited || self.actor.may_see(field)))
            .map(|field| field.name.as_str())
            .collect()
    }

    pub(crate) fn count(&mut self, model: &ModelDef, domain: &Domain) -> Result<Statement, Error> {
        self.check(model, Operation::Read)?;
        self.count_for(model, domain, Operation::Read)
    }

    /// How many of the domain's records the rules leave for an operation.
    pub(crate) fn count_for(
        &mut self,
        model: &ModelDef,
        domain: &Domain,
        operation: Operation,
    ) -> Result<Statement, Error> {
        let alias = self.alias();
        let mut select = Query::select();
        select.from_as(table(model), alias.clone()).expr(Expr::cust("count(*)"));
        if let Some(condition) = self.limited(model, &alias, domain, operation)?.into_where() {
            select.and_where(condition);
        }
        Ok(self.built(&select))
    }

    /// The value at the end of a path: a column, or a subquery through many2one fields, empty where the actor may not
    /// see the record there.
    pub(super) fn value_at(
        &mut self,
        alias: &DynIden,
        model: &ModelDef,
        path: &Path<'_>,
        name: &str,
    ) -> Result<Expr, Error> {
        let single = |step: &Step<'_>| matches!(step.field.kind, Kind::Many2One { .. });
        if !path.steps.iter().all(single) || !path.field.is_column() {
            return Err(Error::Domain {
                model: model.name.to_string(),
                problem: format!("{name} goes through a list; read the list and then its records"),
            });
        }
        self.through(alias, &path.steps, path.field)
    }

    pub(super) fn through(&mut self, alias: &DynIden, steps: &[Step<'_>], field: &FieldDef) -> Result<Expr, Error> {
        let [step, rest @ ..] = steps else { return Ok(self.value_of(alias, field)) };
        let (mut select, next) = self.related(alias, step, true)?;
        select.expr(self.through(&next, rest, field)?);
        Ok(Expr::SubQuery(None, Box::new(sea_query::SubQueryStatement::SelectStatement(select))))
    }

    pub(super) fn order(
        &mut self,
        select: &mut SelectStatement,
        model: &ModelDef,
        alias: &DynIden,
        order: Option<&str>,
    ) -> Result<(), Error> {
        let parsed;
        let terms: &[OrderTerm] = match order {
            None => &model.order,
            Some(order) => {
                parsed = path::parse_order(order).map_err(|problem| Error::Order {
                    model: model.name.to_string(),
                    order: crate::resolve::shorten(order),
                    problem,
                })?;
                &parsed
            }
        };
        let mut by_id = false;
        for term in terms {
            let path = path::follow(self.registry, model, &term.path)?;
            self.check_path(&path)?;
            let wrong = |problem: &str| Error::Order {
                model: model.name.to_string(),
                order: term.path.clone(),
                problem: problem.to_owned(),
            };
            if path.field.kind == Kind::Json || path.field.kind.is_binary() {
                return Err(wrong("JSON and binary fields have no order"));
            }
            if path.field.is_computed() && !path.field.store {
                return Err(wrong("the field is computed and not kept, so nothing can be put in its order"));
            }
            by_id |= term.path == "id";
            // Records stand in their own model's order: by their names, mostly.
            if let (Kind::Many2One { comodel, .. }, Path { steps, model: end, field, .. }) = (&path.field.kind, &path) {
                let comodel = self.registry.model(comodel)?;
                if self.check(comodel, Operation::Read).is_ok() {
                    let step = Step { model: end, field, comodel };
                    let before: Vec<Step<'_>> = steps.iter().copied().chain([step]).collect();
                    let mut fields = Vec::new();
                    self.collect_order(comodel, &before, term.descending, 1, &mut fields)?;
                    for (steps, field, descending) in fields {
                        let owner = Path { steps, model: comodel, field, seen: Vec::new() };
                        let expr = self.value_at(alias, model, &owner, &term.path)?;
                        self.order_by(select, expr, descending, true);
                    }
                }
            }
            // Where none is empty the plain form can use an index.
            let nullable = path.field.nullable() || !path.steps.is_empty();
            let expr = self.value_at(alias, model, &path, &term.path)?;
            self.order_by(select, expr, term.descending, nullable);
        }
        if !by_id {
            select.order_by((alias.clone(), Alias::new("id")), Order::Asc);
        }
        Ok(())
    }
}

/// The field that must be computed when it is read, its model and how to get there: one that is computed and not kept,
/// or a related field whose path goes through a list.
fn computed_when_read<'r>(
    model: &'r ModelDef,
    name: &str,
    path: &Path<'r>,
) -> Option<(&'r ModelDef, &'r FieldDef, Vec<Step<'r>>)> {
    if path.field.is_computed() && !path.field.is_column() && !path.field.is_link() {
        return Some((path.model, path.field, path.steps.clone()));
    }
    let listed = path.steps.iter().any(|step| step.field.kind.is_list());
    let own = model.find(name).filter(|own| listed && own.related.is_some() && !own.is_column())?;
    Some((model, own, Vec::new()))
}
