//! Grouping: records of a domain summed up by the values of fields, in one query.
//!
//! ```text
//! SELECT k0, label of k0, ..., count(*), sum(a0), ...
//! FROM (SELECT <group values> AS k0, ..., <summed values> AS a0, ... FROM model WHERE <domain and rules>) AS g
//! GROUP BY k0, ... ORDER BY ...
//! ```
//!
//! What is asked for is written as external programs write it: `country_id`, `create_date:month`, `amount:sum`,
//! `total:sum(amount)`, `__count`.

use std::str::FromStr;

use sea_query::{Alias, DynIden, Expr, ExprTrait, JoinType, NullOrdering, Order, Query, SelectStatement};

use super::{
    Dialect, Planner, Reading, Statement,
    buckets::Granularity,
    condition::{Cond, column, table},
};
use crate::{
    domain::Domain,
    error::{Error, Operation},
    resolve::{
        FieldDef, Kind, ModelDef,
        path::{self, Path, Step},
        shorten,
    },
};

/// Fields to group by and aggregates in one request.
const MAX_GROUPS: usize = 8;
const MAX_AGGREGATES: usize = 60;

/// What a grouping asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grouping {
    /// `country_id`, `create_date:month` (a month where nothing is said), `tag_ids`. None: everything is one group.
    pub by: Vec<String>,
    /// `amount:sum`, `total:sum(amount)`, `amount` (the field's own aggregator), `id:count`, ... The count of records is
    /// always there.
    pub aggregates: Vec<String>,
    /// Of what is grouped by and of aggregates: `"amount:sum desc, country_id"`; `__count` is the number of records.
    /// Absent: by the groups' values, records by their own model's order.
    pub order: Option<String>,
    pub limit: Option<u64>,
    pub offset: u64,
    /// First day of the week, 0 is Monday.
    pub week_start: u8,
    /// Which groups are left by what they come to: a domain over `__count` and the aggregates.
    pub having: Option<Domain>,
}

/// How values are summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregator {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    CountDistinct,
    BoolAnd,
    BoolOr,
    ArrayAgg,
}

impl FromStr for Aggregator {
    type Err = String;
    fn from_str(name: &str) -> Result<Aggregator, String> {
        Ok(match name {
            "sum" => Aggregator::Sum,
            "avg" => Aggregator::Avg,
            "min" => Aggregator::Min,
            "max" => Aggregator::Max,
            "count" => Aggregator::Count,
            "count_distinct" => Aggregator::CountDistinct,
            "bool_and" => Aggregator::BoolAnd,
            "bool_or" => Aggregator::BoolOr,
            "array_agg" | "recordset" => Aggregator::ArrayAgg,
            other => {
                return Err(format!(
                    "{:?} is none of sum, avg, min, max, count, count_distinct, bool_and, bool_or, array_agg",
                    shorten(other)
                ));
            }
        })
    }
}

/// One thing grouped by.
#[derive(Clone, Debug)]
pub(crate) struct GroupKey {
    /// As it was asked for, without the granularity.
    pub(crate) path: String,
    pub(crate) kind: Kind,
    /// Whether the field is behind a relation.
    pub(crate) far: bool,
    pub(crate) granularity: Option<Granularity>,
}

/// The same, as it was asked for.
struct Asked<'r> {
    spec: String,
    path: String,
    field: &'r FieldDef,
    far: bool,
    granularity: Option<Granularity>,
}

/// A query of groups: for each key its value and, of records, its name; the count; the aggregates.
pub(crate) struct GroupSelect {
    pub(crate) statement: Statement,
    pub(crate) readings: Vec<Reading>,
    pub(crate) keys: Vec<GroupKey>,
    /// Names under which the aggregates were asked for.
    pub(crate) aggregates: Vec<String>,
}

pub(super) struct Wanted<'r> {
    name: String,
    /// The field as it was named.
    summed: String,
    aggregator: Aggregator,
    pub(super) path: Path<'r>,
}

/// Where a field is that sorts, the field, and whether it counts backwards.
pub(super) type Sorted<'r> = (Vec<Step<'r>>, &'r FieldDef, bool);

/// The query while it is put together.
struct Parts {
    inner: SelectStatement,
    own: DynIden,
}

impl<'r> Planner<'r> {
    pub(crate) fn group(
        &mut self,
        model: &'r ModelDef,
        domain: &Domain,
        grouping: &Grouping,
    ) -> Result<GroupSelect, Error> {
        let (keys, wanted, outer, readings) = self.grouped(model, domain, grouping)?;
        Ok(GroupSelect {
            statement: self.built(&outer),
            readings,
            keys: keys
                .into_iter()
                .map(|key| GroupKey {
                    path: key.path,
                    kind: key.field.kind.clone(),
                    far: key.far,
                    granularity: key.granularity,
                })
                .collect(),
            aggregates: wanted.into_iter().map(|wanted| wanted.name).collect(),
        })
    }

    /// How many groups there are, whatever the limit.
    pub(crate) fn count_groups(
        &mut self,
        model: &'r ModelDef,
        domain: &Domain,
        grouping: &Grouping,
    ) -> Result<Statement, Error> {
        let all = Grouping { order: Some(String::new()), limit: None, offset: 0, ..grouping.clone() };
        let (_, _, groups, _) = self.grouped(model, domain, &all)?;
        let mut count = Query::select();
        count.from_subquery(groups, self.alias()).expr(Expr::cust("count(*)"));
        Ok(self.built(&count))
    }

    #[allow(clippy::type_complexity, reason = "the parts of one plan, named where they are taken apart")]
    fn grouped(
        &mut self,
        model: &'r ModelDef,
        domain: &Domain,
        grouping: &Grouping,
    ) -> Result<(Vec<Asked<'r>>, Vec<Wanted<'r>>, SelectStatement, Vec<Reading>), Error> {
        self.check(model, Operation::Read)?;
        if grouping.by.len() > MAX_GROUPS || grouping.aggregates.len() > MAX_AGGREGATES {
            return Err(problem(model, format!("more than {MAX_GROUPS} groups or {MAX_AGGREGATES} aggregates")));
        }
        let (own, group) = (self.alias(), self.alias());
        let mut parts = Parts { inner: Query::select(), own: own.clone() };
        parts.inner.from_as(table(model), own.clone());
        if let Some(condition) = self.limited(model, &own, domain, Operation::Read)?.into_where() {
            parts.inner.and_where(condition);
        }
        let mut outer = Query::select();
        let mut readings = Vec::new();
        let mut keys = Vec::new();
        for (at, spec) in grouping.by.iter().enumerate() {
            let key = self.key(model, spec, at, grouping.week_start, &mut parts)?;
            let value = Expr::col((group.clone(), Alias::new(format!("k{at}"))));
            outer.expr(value.clone()).add_group_by([value.clone()]);
            readings.push(match key.granularity {
                Some(_) => Reading::Text,
                None if key.field.kind.comodel().is_some() => Reading::Id,
                None => Reading::of(&key.field.kind),
            });
            outer.expr(match self.comodel(&key)? {
                Some(comodel) => self.label(comodel, value)?,
                None => Expr::val(sea_query::Value::String(None)),
            });
            readings.push(Reading::Text);
            keys.push(key);
        }
        outer.expr(Expr::cust("count(*)"));
        readings.push(Reading::Int);
        let mut wanted = Vec::new();
        for (at, spec) in grouping.aggregates.iter().enumerate() {
            let aggregate = self.aggregate(model, spec)?;
            let value = self.value_at(&own, model, &aggregate.path, spec)?;
            parts.inner.expr_as(value, Alias::new(format!("a{at}")));
            let (sum, reading) = self.summed(model, &aggregate, at, &group)?;
            outer.expr(sum);
            readings.push(reading);
            wanted.push(aggregate);
        }
        if keys.is_empty() && wanted.is_empty() {
            parts.inner.expr(Expr::cust("1"));
        }
        if let Some(having) = &grouping.having
            && let Some(condition) = self.having(model, having, &wanted, &group)?
        {
            outer.and_having(condition);
        }
        self.group_order(&mut outer, model, grouping, &keys, &wanted, &group)?;
        let most = i64::MAX as u64;
        if grouping.limit.is_some() || grouping.offset > 0 {
            outer.limit(grouping.limit.map_or(most, |limit| limit.clamp(0, most)));
            outer.offset(grouping.offset.clamp(0, most));
        }
        outer.from_subquery(parts.inner, group);
        Ok((keys, wanted, outer, readings))
    }

    fn key(
        &mut self,
        model: &'r ModelDef,
        spec: &str,
        at: usize,
        week_start: u8,
        parts: &mut Parts,
    ) -> Result<Asked<'r>, Error> {
        let (name, granularity) = match spec.split_once(':') {
            Some((name, granularity)) => (name, Some(granularity)),
            None => (spec, None),
        };
        let path = path::follow(self.registry, model, name)?;
        self.check_path(&path)?;
        let field = path.field;
        let granularity = match (&field.kind, granularity) {
            (Kind::Date | Kind::DateTime, text) => {
                Some(text.unwrap_or("month").parse::<Granularity>().map_err(|error| problem(model, error))?)
            }
            (_, None) => None,
            (_, Some(text)) => {
                let text = shorten(text);
                return Err(problem(model, format!("{name} is no date, so it has no groups by {text:?}")));
            }
        };
        let unfit = match &field.kind {
            Kind::Json => true,
            kind => kind.is_binary(),
        };
        if unfit || (!field.is_column() && !field.is_link()) {
            return Err(problem(model, format!("{name} is not kept in a column, so it cannot be grouped by")));
        }
        let far = !path.steps.is_empty();
        let alias = Alias::new(format!("k{at}"));
        if field.is_link() {
            let value = self.each_linked(model, &path, name, at, parts)?;
            parts.inner.expr_as(value, alias);
        } else {
            let value = self.value_at(&parts.own, model, &path, name)?;
            let value = match granularity {
                Some(granularity) => {
                    let timed = field.kind == Kind::DateTime;
                    let zone = crate::expr::Scope::zone(self);
                    self.dialect.bucket(value, granularity, timed.then_some(&zone), week_start)
                }
                None => value,
            };
            parts.inner.expr_as(value, alias);
        }
        Ok(Asked { spec: spec.to_owned(), path: name.to_owned(), field, far, granularity })
    }

    /// A record counts in the group of each record on its list, and in the group of none where there is none.
    fn each_linked(
        &mut self,
        model: &ModelDef,
        path: &Path<'_>,
        name: &str,
        at: usize,
        parts: &mut Parts,
    ) -> Result<Expr, Error> {
        let Kind::Many2Many { relation, column1, column2, comodel } = &path.field.kind else {
            return Err(problem(model, format!("{name} is no list of records")));
        };
        let comodel = self.registry.model(comodel)?;
        self.check(comodel, Operation::Read)?;
        let owner =
            Path { steps: path.steps.clone(), model: path.model, field: path.model.field("id")?, seen: Vec::new() };
        let owner = self.value_at(&parts.own, model, &owner, name)?;
        let (link, other) = (self.alias(), self.alias());
        let mut links = Query::select();
        let end = |name: &str| Expr::col((link.clone(), Alias::new(name)));
        links.from_as(Alias::new(relation.as_str()), link.clone()).from_as(table(comodel), other.clone());
        links.expr_as(end(column1), Alias::new("own")).expr_as(end(column2), Alias::new("other"));
        links.and_where(column(&other, comodel.field("id")?).eq(end(column2)));
        let mut seen = self.rules(comodel, &other, Operation::Read)?;
        if let (true, Some(active)) = (self.active_test, comodel.active_field()) {
            seen = seen.and(Cond::Sql(column(&other, active).eq(Expr::val(true))));
        }
        if let Some(seen) = seen.into_where() {
            links.and_where(seen);
        }
        let linked: DynIden = sea_query::IntoIden::into_iden(Alias::new(format!("l{at}")));
        let of_owner = Expr::col((linked.clone(), Alias::new("own"))).eq(owner);
        parts.inner.join_subquery(JoinType::LeftJoin, links, linked.clone(), of_owner);
        Ok(Expr::col((linked, Alias::new("other"))))
    }

    fn comodel(&self, key: &Asked<'_>) -> Result<Option<&'r ModelDef>, Error> {
        key.field.kind.comodel().map(|name| self.registry.model(name)).transpose()
    }

    /// What the record with this id is called; nothing where the actor may not see it.
    fn label(&mut self, comodel: &'r ModelDef, id: Expr) -> Result<Expr, Error> {
        let nothing = || Expr::val(sea_query::Value::String(None));
        let Some(name) = comodel.rec_name.as_deref() else { return Ok(nothing()) };
        let path = path::follow(self.registry, comodel, name)?;
        let visible = self.check_path(&path).is_ok();
        if self.check(comodel, Operation::Read).is_err() || !visible || !path.field.is_column() {
            return Ok(nothing());
        }
        let (mut select, next) = self.by_id(comodel, id)?;
        select.expr(self.value_at(&next, comodel, &path, name)?);
        Ok(subquery(select))
    }

    /// `FROM comodel AS next WHERE next.id = id AND <rules>`
    fn by_id(&mut self, comodel: &ModelDef, id: Expr) -> Result<(SelectStatement, DynIden), Error> {
        let next = self.alias();
        let mut select = Query::select();
        select.from_as(table(comodel), next.clone()).and_where(column(&next, comodel.field("id")?).eq(id));
        if let Some(rules) = self.rules(comodel, &next, Operation::Read)?.into_where() {
            select.and_where(rules);
        }
        Ok((select, next))
    }

    /// `amount`, `amount:sum`, `total:sum(amount)`.
    fn aggregate(&self, model: &'r ModelDef, spec: &str) -> Result<Wanted<'r>, Error> {
        let (name, function) = match spec.split_once(':') {
            Some((name, function)) => (name, Some(function)),
            None => (spec, None),
        };
        let (function, field) = match function.and_then(|function| function.split_once('(')) {
            Some((function, field)) => (Some(function), field.strip_suffix(')').unwrap_or(field)),
            None => (function, name),
        };
        let path = path::follow(self.registry, model, field)?;
        self.check_path(&path)?;
        let aggregator = match function.or(default_aggregator(path.field)) {
            Some(function) => function.parse().map_err(|error: String| problem(model, format!("{spec}: {error}")))?,
            None => return Err(problem(model, format!("{spec}: say how, such as {field}:count_distinct"))),
        };
        Ok(Wanted { name: spec.to_owned(), summed: field.to_owned(), aggregator, path })
    }

    pub(super) fn summed(
        &self,
        model: &ModelDef,
        wanted: &Wanted<'_>,
        at: usize,
        group: &DynIden,
    ) -> Result<(Expr, Reading), Error> {
        let kind = &wanted.path.field.kind;
        let value = || Expr::col((group.clone(), Alias::new(format!("a{at}"))));
        let own = Reading::of(kind);
        let unfit = |what: &str| Err(problem(model, format!("{}: {what}", shorten(&wanted.name))));
        let number = matches!(kind, Kind::Integer | Kind::Float) || kind.digits().is_some();
        let call = |template: &str| self.dialect.expr(template, [value()]);
        Ok(match wanted.aggregator {
            Aggregator::Sum if !number => return unfit("only numbers have a sum"),
            Aggregator::Avg if !number => return unfit("only numbers have an average"),
            Aggregator::Sum => match (self.dialect, kind) {
                // Sums of whole numbers are `numeric` there.
                (Dialect::Postgres, Kind::Integer) => (call("CAST(sum(?) AS bigint)"), own),
                _ => (call("sum(?)"), own),
            },
            Aggregator::Avg => match (self.dialect, kind.digits()) {
                (Dialect::Sqlite, Some((_, scale))) => {
                    (call(&format!("avg(?) / {}", 10f64.powi(scale as i32))), Reading::Float)
                }
                (Dialect::Sqlite, None) => (call("avg(?)"), Reading::Float),
                (Dialect::Postgres, _) => (call("CAST(avg(?) AS double precision)"), Reading::Float),
            },
            Aggregator::Min | Aggregator::Max if *kind == Kind::Json || kind.is_binary() => {
                return unfit("this field has no order");
            }
            Aggregator::Min => match (self.dialect, kind) {
                (Dialect::Postgres, Kind::Boolean) => (call("bool_and(?)"), own),
                _ => (call("min(?)"), own),
            },
            Aggregator::Max => match (self.dialect, kind) {
                (Dialect::Postgres, Kind::Boolean) => (call("bool_or(?)"), own),
                _ => (call("max(?)"), own),
            },
            Aggregator::Count => (call("count(?)"), Reading::Int),
            Aggregator::CountDistinct if *kind == Kind::Json => return unfit("JSON values cannot be told apart"),
            Aggregator::CountDistinct => (call("count(DISTINCT ?)"), Reading::Int),
            Aggregator::BoolAnd | Aggregator::BoolOr if *kind != Kind::Boolean => {
                return unfit("this field is neither true nor false");
            }
            Aggregator::BoolAnd => match self.dialect {
                Dialect::Sqlite => (call("min(?)"), Reading::Bool),
                Dialect::Postgres => (call("bool_and(?)"), Reading::Bool),
            },
            Aggregator::BoolOr => match self.dialect {
                Dialect::Sqlite => (call("max(?)"), Reading::Bool),
                Dialect::Postgres => (call("bool_or(?)"), Reading::Bool),
            },
            Aggregator::ArrayAgg => match kind {
                Kind::Id | Kind::Integer | Kind::Many2One { .. } | Kind::Date => self.array(call),
                kind if kind.is_text() => self.array(call),
                _ => return unfit("only ids, whole numbers, dates and texts can be listed"),
            },
        })
    }

    fn array(&self, call: impl Fn(&str) -> Expr) -> (Expr, Reading) {
        match self.dialect {
            Dialect::Sqlite => (call("json_group_array(?)"), Reading::Json),
            Dialect::Postgres => (call("json_agg(?)"), Reading::Json),
        }
    }

    fn group_order(
        &mut self,
        outer: &mut SelectStatement,
        model: &'r ModelDef,
        grouping: &Grouping,
        keys: &[Asked<'r>],
        wanted: &[Wanted<'r>],
        group: &DynIden,
    ) -> Result<(), Error> {
        let key_at = |at: usize| Expr::col((group.clone(), Alias::new(format!("k{at}"))));
        let mut ordered = vec![false; keys.len()];
        let terms = match grouping.order.as_deref().map(str::trim) {
            Some("") => return Ok(()),
            Some(order) => order_terms(model, order)?,
            None => Vec::new(),
        };
        for (name, descending) in terms {
            let count_names = keys.first().map(|key| format!("{}_count", key.path));
            if name == "__count" || count_names.as_deref() == Some(name) {
                self.order_by(outer, Expr::cust("count(*)"), descending, false);
            } else if let Some(at) = keys.iter().position(|key| key.spec == name || key.path == name) {
                ordered[at] = true;
                self.order_by_key(outer, &keys[at], key_at(at), descending)?;
            } else if let Some(at) = wanted.iter().position(|wanted| wanted.is_called(name)) {
                let (sum, _) = self.summed(model, &wanted[at], at, group)?;
                self.order_by(outer, sum, descending, true);
            } else {
                return Err(Error::Order {
                    model: model.name.to_string(),
                    order: shorten(name),
                    problem: "it is neither grouped by nor an aggregate that is asked for".to_owned(),
                });
            }
        }
        for (at, key) in keys.iter().enumerate().filter(|(at, _)| !ordered[*at]) {
            self.order_by_key(outer, key, key_at(at), false)?;
        }
        Ok(())
    }

    /// Records by their own model's order, choices as they are declared, everything else by its value.
    fn order_by_key(
        &mut self,
        outer: &mut SelectStatement,
        key: &Asked<'r>,
        value: Expr,
        descending: bool,
    ) -> Result<(), Error> {
        match (&key.field.kind, self.comodel(key)?) {
            (_, Some(comodel)) if self.check(comodel, Operation::Read).is_ok() => {
                for (steps, field, flip) in self.own_order(comodel)? {
                    let (mut select, next) = self.by_id(comodel, value.clone())?;
                    select.expr(self.through(&next, &steps, field)?);
                    self.order_by(outer, subquery(select), descending != flip, true);
                }
            }
            (Kind::Selection { options }, _) => {
                let mut case = sea_query::CaseStatement::new();
                for (at, (option, _)) in options.iter().enumerate() {
                    case = case.case(value.clone().eq(option.as_str()), Expr::cust(at.to_string()));
                }
                if !options.is_empty() {
                    self.order_by(outer, case.into(), descending, true);
                }
            }
            _ => {}
        }
        self.order_by(outer, value, descending, true);
        Ok(())
    }

    /// Empty ones last, as PostgreSQL has it by itself.
    pub(super) fn order_by(&self, select: &mut SelectStatement, expr: Expr, descending: bool, nullable: bool) {
        let direction = if descending { Order::Desc } else { Order::Asc };
        let nulls = if descending { NullOrdering::First } else { NullOrdering::Last };
        match (self.dialect, nullable) {
            (Dialect::Sqlite, true) => select.order_by_expr_with_nulls(expr, direction, nulls),
            _ => select.order_by_expr(expr, direction),
        };
    }

    /// How records of the model stand in order: by the fields of its own order, those of relations by theirs; a model
    /// without an order by what its records are called.
    pub(super) fn own_order(&self, model: &'r ModelDef) -> Result<Vec<Sorted<'r>>, Error> {
        let mut found = Vec::new();
        self.collect_order(model, &[], false, 0, &mut found)?;
        Ok(found)
    }

    pub(super) fn collect_order(
        &self,
        model: &'r ModelDef,
        before: &[Step<'r>],
        flip: bool,
        depth: usize,
        found: &mut Vec<Sorted<'r>>,
    ) -> Result<(), Error> {
        const MAX_DEPTH: usize = 3;
        const MAX_FIELDS: usize = 12;
        let named = model.order.iter().map(|term| (term.path.as_str(), term.descending));
        let by_name = model.rec_name.iter().filter(|_| model.order.is_empty()).map(|name| (name.as_str(), false));
        for (name, descending) in named.chain(by_name) {
            let path = path::follow(self.registry, model, name)?;
            let visible = self.check_path(&path).is_ok();
            let Path { mut steps, field, model: end, .. } = path;
            let single = steps.iter().all(|step| !step.field.kind.is_list());
            if !single || !visible || !field.is_column() || field.kind == Kind::Json || found.len() >= MAX_FIELDS {
                continue;
            }
            let mut all = before.to_vec();
            all.append(&mut steps);
            let comodel = field.kind.comodel().map(|name| self.registry.model(name)).transpose()?;
            match comodel.filter(|comodel| depth < MAX_DEPTH && self.check(comodel, Operation::Read).is_ok()) {
                Some(comodel) => {
                    all.push(Step { model: end, field, comodel });
                    self.collect_order(comodel, &all, flip != descending, depth + 1, found)?;
                }
                None => found.push((all, field, flip != descending)),
            }
        }
        Ok(())
    }
}

/// How a field is summed up when nothing is said: its own aggregator; numbers that are no order add up.
pub fn default_aggregator(field: &FieldDef) -> Option<&str> {
    if let Some(own) = &field.aggregator {
        return Some(own).filter(|own| !own.is_empty()).map(String::as_str);
    }
    let adds = matches!(field.kind, Kind::Integer | Kind::Float) || field.kind.digits().is_some();
    (adds && field.name != "sequence" && field.is_column()).then_some("sum")
}

fn order_terms<'o>(model: &ModelDef, order: &'o str) -> Result<Vec<(&'o str, bool)>, Error> {
    let wrong = |problem: String| Error::Order { model: model.name.to_string(), order: shorten(order), problem };
    let mut terms = Vec::new();
    for term in order.split(',') {
        let words: Vec<&str> = term.split_whitespace().collect();
        match words[..] {
            [name] => terms.push((name, false)),
            [name, direction] if direction.eq_ignore_ascii_case("asc") => terms.push((name, false)),
            [name, direction] if direction.eq_ignore_ascii_case("desc") => terms.push((name, true)),
            _ => return Err(wrong(format!("{:?} is not \"name\" or \"name desc\"", shorten(term)))),
        }
        if terms.len() > MAX_GROUPS * 2 {
            return Err(wrong(format!("more than {} fields", MAX_GROUPS * 2)));
        }
    }
    Ok(terms)
}

impl Wanted<'_> {
    /// `total:sum(amount)` is also called `total` and `amount:sum`.
    pub(super) fn is_called(&self, name: &str) -> bool {
        let own = self.name.split(':').next();
        self.name == name
            || own == Some(name)
            || name.split_once(':').is_some_and(|(field, function)| {
                (field == self.summed || own == Some(field)) && function.parse() == Ok(self.aggregator)
            })
    }
}

fn subquery(select: SelectStatement) -> Expr {
    Expr::SubQuery(None, Box::new(sea_query::SubQueryStatement::SelectStatement(select)))
}

pub(super) fn problem(model: &ModelDef, problem: impl Into<String>) -> Error {
    Error::Domain { model: model.name.to_string(), problem: problem.into() }
}

impl Dialect {
    /// SQL with `?` for each expression.
    pub(super) fn expr<const N: usize>(self, template: &str, exprs: [Expr; N]) -> Expr {
        match self {
            Dialect::Sqlite => Expr::cust_with_exprs(template.to_owned(), exprs),
            Dialect::Postgres => {
                let mut parts = template.split('?');
                let mut sql = parts.next().unwrap_or_default().to_owned();
                for (at, part) in parts.enumerate() {
                    sql.push_str(&format!("${}{part}", at + 1));
                }
                Expr::cust_with_exprs(sql, exprs)
            }
        }
    }
}
