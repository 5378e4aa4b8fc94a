//! One condition of a domain: along its path, and what it means of the relation at its end.

use sea_query::{
    Alias, BinOper, CommonTableExpression, DynIden, Expr, ExprTrait, IntoIden, Query, SelectStatement,
    SubQueryStatement, UnionType, WithQuery,
};

use super::{
    Planner,
    condition::{Cond, column, table},
};
use crate::{
    domain::{Domain, Leaf, Op, Operand},
    error::{Error, Operation},
    resolve::{
        FieldDef, Kind, ModelDef,
        path::{self, DISPLAY_NAME, Path, Step},
        shorten,
    },
    value::{Id, Value},
};

/// Where a condition stands: whose record, under which name, and the leaf that it comes from, for messages.
#[derive(Clone, Copy)]
struct At<'a> {
    model: &'a ModelDef,
    alias: &'a DynIden,
    field: &'a FieldDef,
    leaf: &'a Leaf,
}

impl At<'_> {
    fn problem(&self, problem: impl Into<String>) -> Error {
        let problem = problem.into();
        let (path, op) = (shorten(&self.leaf.path), self.leaf.op.name());
        Error::Domain { model: self.model.name.to_string(), problem: format!("[{path}, {op}]: {problem}") }
    }
}

impl Planner<'_> {
    pub(super) fn leaf(
        &mut self,
        model: &ModelDef,
        alias: &DynIden,
        leaf: &Leaf,
        negated: bool,
    ) -> Result<Cond, Error> {
        let path = path::follow(self.registry, model, &leaf.path)?;
        self.check_path(&path)?;
        let Path { steps, model: end, field, .. } = path;
        let bound = match &leaf.operand {
            Operand::Expr(_) => Some(self.bound(model, field, leaf)?),
            _ => None,
        };
        let leaf = bound.as_ref().unwrap_or(leaf);
        if steps.is_empty() {
            return self.at_end(At { model: end, alias, field, leaf }, negated);
        }
        // A related record that asks for `active` itself is not kept from the archived ones.
        let archived_too = field.name == "active";
        self.exists(alias, &steps, archived_too, negated, |planner, alias| {
            planner.at_end(At { model: end, alias, field, leaf }, false)
        })
    }

    /// The leaf with the value of its expression.
    fn bound(&self, model: &ModelDef, field: &FieldDef, leaf: &Leaf) -> Result<Leaf, Error> {
        let problem = |problem: String| Error::Domain {
            model: model.name.to_string(),
            problem: format!("[{}, {}]: {problem}", shorten(&leaf.path), leaf.op.name()),
        };
        match Domain::Leaf(leaf.clone()).bind(self).map_err(|error| problem(error.to_string()))? {
            Domain::Leaf(leaf) => {
                path::check_leaf(field, leaf.op, &leaf.operand).map_err(problem)?;
                Ok(leaf)
            }
            _ => Err(problem("its expression has no value".to_owned())),
        }
    }

    /// A condition on the record's own field.
    fn at_end(&mut self, at: At<'_>, negated: bool) -> Result<Cond, Error> {
        let (op, flip) = at.leaf.op.positive();
        let negated = negated != flip;
        let operand = match &at.leaf.operand {
            Operand::User => Operand::One(self.actor.uid.map_or(Value::Null, |uid| Value::Id(Id(uid.0)))),
            other => other.clone(),
        };
        if op == Op::EqIfGiven && matches!(&operand, Operand::One(value) if is_empty(value)) {
            return Ok(Cond::of(!negated));
        }
        if at.field.name == DISPLAY_NAME && !at.field.is_column() {
            let found = self.named(at, at.model, at.alias, op, texts(&operand))?;
            return Ok(if negated { found.not() } else { found });
        }
        let computed = at.field.is_computed() && !at.field.store;
        if computed {
            return Err(at.problem("the field is computed and not kept, so no search can look at it"));
        }
        match (op, at.field.kind.comodel(), operand) {
            (Op::ChildOf | Op::ParentOf, _, operand) => self.hierarchy(at, op, operand, negated),
            (_, None, operand) => {
                self.compare(at.alias, at.field, op, &operand, negated).map_err(|problem| at.problem(problem))
            }
            (_, Some(comodel), operand) => {
                let comodel = self.registry.model(comodel)?;
                let step = Step { model: at.model, field: at.field, comodel };
                match operand {
                    Operand::Domain(inner) => {
                        let archived_too = inner.names("active");
                        self.exists(at.alias, &[step], archived_too, negated, |planner, alias| {
                            planner.condition(comodel, alias, &inner, false)
                        })
                    }
                    operand => self.relation(at, step, op, operand, negated),
                }
            }
        }
    }

    /// A relation compared with ids, names and emptiness: one of them has to fit, or with a "not" none may.
    fn relation(&mut self, at: At<'_>, step: Step<'_>, op: Op, operand: Operand, negated: bool) -> Result<Cond, Error> {
        let values = match operand {
            Operand::Many(values) => values,
            Operand::One(value) => vec![value],
            _ => return Err(at.problem("takes records, names or nothing")),
        };
        let (names, values): (Vec<Value>, Vec<Value>) =
            values.into_iter().partition(|value| matches!(value, Value::Text(_)));
        if op.is_pattern() && !values.is_empty() {
            return Ok(Cond::of(negated));
        }
        let mut found = Cond::of(negated);
        let mut join = |cond: Cond| {
            let before = std::mem::replace(&mut found, Cond::True);
            found = if negated { before.and(cond) } else { before.or(cond) };
        };
        if !names.is_empty() {
            join(self.exists(at.alias, &[step], false, negated, |planner, alias| {
                planner.named(at, step.comodel, alias, op, names)
            })?);
        }
        if !at.field.kind.is_list() {
            if !values.is_empty() {
                let (op, operand) = one_or_many(values);
                let ids = self.compare(at.alias, at.field, op, &operand, negated);
                join(ids.map_err(|problem| at.problem(problem))?);
            }
            return Ok(found);
        }
        let (empty, ids): (Vec<Value>, Vec<Value>) = values.into_iter().partition(is_empty);
        if !empty.is_empty() {
            join(self.exists(at.alias, &[step], false, !negated, |_, _| Ok(Cond::True))?);
        }
        if !ids.is_empty() {
            let id = step.comodel.field("id")?;
            // Records that are named outright may be archived.
            join(self.exists(at.alias, &[step], true, negated, |planner, alias| {
                let (op, operand) = one_or_many(ids);
                let ids = planner.compare(alias, id, op, &operand, false);
                ids.map_err(|problem| at.problem(problem))
            })?);
        }
        Ok(found)
    }

    /// Records of the model whose name, or another field that a name search looks at, is so.
    fn named(
        &mut self,
        at: At<'_>,
        model: &ModelDef,
        alias: &DynIden,
        op: Op,
        names: Vec<Value>,
    ) -> Result<Cond, Error> {
        let mut found = Cond::False;
        let mut searched = 0;
        for name in self.name_fields(model) {
            let Path { steps, model: end, field, .. } = path::follow(self.registry, model, name)?;
            let visible = self.unlimited || self.actor.may_see(field);
            if !visible || !field.is_column() || !field.kind.is_text() {
                continue;
            }
            searched += 1;
            let operand = match op {
                Op::In => Operand::Many(names.clone()),
                _ => names.first().cloned().map_or(Operand::One(Value::Null), Operand::One),
            };
            let cond = self.exists(alias, &steps, true, false, |planner, alias| {
                let at = At { model: end, alias, field, leaf: at.leaf };
                planner.compare(alias, field, op, &operand, false).map_err(|problem| at.problem(problem))
            })?;
            found = found.or(cond);
        }
        if searched == 0 {
            return Err(at.problem(format!("records of {} have no name to compare with; use their ids", model.label)));
        }
        Ok(found.known())
    }

    /// What a record is called, first of all, and what else people look for it by.
    pub(super) fn name_fields<'m>(&self, model: &'m ModelDef) -> Vec<&'m str> {
        let mut names: Vec<&str> = model.rec_name.iter().map(String::as_str).collect();
        for name in &model.name_search {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// "There is such a record at the end of these relations", or "there is none".
    pub(super) fn exists(
        &mut self,
        alias: &DynIden,
        steps: &[Step<'_>],
        archived_too: bool,
        negated: bool,
        inner: impl FnOnce(&mut Self, &DynIden) -> Result<Cond, Error>,
    ) -> Result<Cond, Error> {
        let [step, rest @ ..] = steps else {
            let found = inner(self, alias)?;
            return Ok(if negated { found.known().not() } else { found });
        };
        let (mut select, next) = self.related(alias, step, archived_too && rest.is_empty())?;
        let reached = match rest {
            [] => inner(self, &next)?,
            rest => self.exists(&next, rest, archived_too, false, inner)?,
        };
        Ok(match reached {
            Cond::False => Cond::of(negated),
            reached => {
                select.expr(Expr::cust("1"));
                if let Some(condition) = reached.into_where() {
                    select.and_where(condition);
                }
                Cond::Sql(if negated { Expr::not_exists(select) } else { Expr::exists(select) })
            }
        })
    }

    /// `FROM comodel AS next WHERE <the relation> AND <what the actor may see there>`, columns still to be added. Of a
    /// list the archived records are left out, unless asked for; a single reference leads to them as well.
    pub(super) fn related(
        &mut self,
        alias: &DynIden,
        step: &Step<'_>,
        archived_too: bool,
    ) -> Result<(SelectStatement, DynIden), Error> {
        self.check_field(step.model, step.field, Operation::Read)?;
        self.check(step.comodel, Operation::Read)?;
        let next = self.alias();
        let other = column(&next, step.comodel.field("id")?);
        let own_id = || (alias.clone(), Alias::new("id"));
        let mut select = Query::select();
        select.from_as(table(step.comodel), next.clone());
        match &step.field.kind {
            Kind::One2Many { inverse, .. } => {
                let inverse = step.comodel.field(inverse)?;
                select.and_where(column(&next, inverse).equals(own_id()));
                // An id that stands for records of any model, whose name is beside it.
                if let (Kind::Integer, Some(names)) = (&inverse.kind, step.comodel.model_name_field()) {
                    select.and_where(column(&next, names).eq(&*step.model.name));
                }
            }
            Kind::Many2Many { relation, column1, column2, .. } => {
                let link = self.alias();
                select.from_as(Alias::new(relation.as_str()), link.clone());
                select.and_where(other.equals((link.clone(), Alias::new(column2.as_str()))));
                select.and_where(Expr::col((link, Alias::new(column1.as_str()))).equals(own_id()));
            }
            _ => {
                select.and_where(other.eq(self.value_of(alias, step.field)));
            }
        }
        if let Some(rules) = self.rules(step.comodel, &next, Operation::Read)?.into_where() {
            select.and_where(rules);
        }
        if step.field.kind.is_list()
            && self.active_test
            && !archived_too
            && let Some(active) = step.comodel.active_field()
        {
            select.and_where(column(&next, active).eq(Expr::val(true)));
        }
        Ok((select, next))
    }

    /// `child_of` and `parent_of`: the relation (or the record itself) is one of those that the hierarchy reaches from the
    /// roots. A circle in the data ends where it began.
    fn hierarchy(&mut self, at: At<'_>, op: Op, operand: Operand, negated: bool) -> Result<Cond, Error> {
        let comodel = match at.field.kind.comodel() {
            Some(comodel) => self.registry.model(comodel)?,
            None => at.model,
        };
        let values = match operand {
            Operand::Many(values) => values,
            Operand::One(value) => vec![value],
            _ => return Err(at.problem("takes records or names")),
        };
        let values: Vec<Value> = values.into_iter().filter(|value| !is_empty(value)).collect();
        if values.is_empty() {
            return Ok(Cond::of(negated));
        }
        let (names, ids): (Vec<Value>, Vec<Value>) =
            values.into_iter().partition(|value| matches!(value, Value::Text(_)));
        let reached = self.reached(at, comodel, op, names, ids)?;
        let is_reached = |expr: Expr| expr.binary(BinOper::In, reached);
        if at.field.kind.is_list() {
            let id = comodel.field("id")?;
            let step = Step { model: at.model, field: at.field, comodel };
            return self
                .exists(at.alias, &[step], true, negated, |_, alias| Ok(Cond::Sql(is_reached(column(alias, id)))));
        }
        let found = is_reached(self.value_of(at.alias, at.field));
        Ok(match (negated, at.field.nullable()) {
            (false, _) => Cond::Sql(found),
            (true, true) => Cond::Sql(found.not().or(self.value_of(at.alias, at.field).is_null())),
            (true, false) => Cond::Sql(found.not()),
        })
    }

    /// `(WITH RECURSIVE ... SELECT id ...)`: the roots and all below (or above) them.
    fn reached(
        &mut self,
        at: At<'_>,
        model: &ModelDef,
        op: Op,
        names: Vec<Value>,
        ids: Vec<Value>,
    ) -> Result<Expr, Error> {
        let id = model.field("id")?;
        let parent = model.parent.as_deref().map(|name| model.field(name)).transpose()?;
        let parent = parent.filter(|field| {
            field.is_column() && matches!(&field.kind, Kind::Many2One { comodel, .. } if *comodel == model.name)
        });
        let root = self.alias();
        let mut roots = Query::select();
        roots.from_as(table(model), root.clone()).expr(column(&root, id));
        let mut wanted =
            self.compare(&root, id, Op::In, &Operand::Many(ids), false).map_err(|problem| at.problem(problem))?;
        for name in names {
            let found = self.named(at, model, &root, Op::ILike, vec![name])?;
            wanted = wanted.or(found.and(self.rules(model, &root, Operation::Read)?));
        }
        if let Some(wanted) = wanted.into_where() {
            roots.and_where(wanted);
        }
        let subquery = |statement| Expr::SubQuery(None, Box::new(statement));
        let Some(parent) = parent else {
            return Ok(subquery(SubQueryStatement::SelectStatement(roots)));
        };
        let (next, tree) = (self.alias(), self.alias());
        let (own, up) = (Alias::new("id"), Alias::new("up"));
        let mut further = Query::select();
        further.from_as(table(model), next.clone()).from(tree.clone()).expr(column(&next, id));
        if op == Op::ChildOf {
            further.and_where(column(&next, parent).equals((tree.clone(), own.clone())));
        } else {
            roots.expr(column(&root, parent));
            further.expr(column(&next, parent));
            further.and_where(column(&next, id).equals((tree.clone(), up.clone())));
        }
        roots.union(UnionType::Distinct, further);
        let mut all = CommonTableExpression::new();
        all.table_name(tree.clone()).column(own.clone());
        if op == Op::ParentOf {
            all.column(up);
        }
        all.query(roots);
        let mut with = WithQuery::new();
        with.recursive(true).cte(all);
        with.query(Query::select().expr(Expr::col((tree.clone(), own.into_iden()))).from(tree).to_owned());
        Ok(subquery(SubQueryStatement::WithStatement(with)))
    }
}

fn one_or_many(mut values: Vec<Value>) -> (Op, Operand) {
    match values.pop() {
        Some(one) if values.is_empty() => (Op::Eq, Operand::One(one)),
        last => {
            values.extend(last);
            (Op::In, Operand::Many(values))
        }
    }
}

fn texts(operand: &Operand) -> Vec<Value> {
    match operand {
        Operand::Many(values) => values.clone(),
        Operand::One(value) => vec![value.clone()],
        _ => Vec::new(),
    }
}

pub(super) fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false))
}
