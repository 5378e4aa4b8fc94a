//! Domains and record rules as conditions of SQL, true or false but never unknown.

use rust_decimal::{Decimal, RoundingStrategy};
use sea_query::{
    Alias, BinOper, DynIden, Expr, ExprTrait, LikeExpr, Query, SelectStatement,
    extension::{postgres::PgBinOper, sqlite::SqliteBinOper},
};

use super::{Dialect, Pattern, Planner};
use crate::{
    domain::{Domain, Leaf, Op, Operand},
    error::{Error, Operation},
    resolve::{
        FieldDef, Kind, ModelDef, coerce,
        path::{self, Path, Step},
    },
    value::{Id, Value},
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
        Ok(asked.and(self.rules(model, alias, operation)?))
    }

    /// Rules without a role narrow (AND); those of the actor's roles widen each other (OR).
    pub(super) fn rules(&mut self, model: &ModelDef, alias: &DynIden, operation: Operation) -> Result<Cond, Error> {
        if self.unlimited {
            return Ok(Cond::True);
        }
        self.unlimited = true;
        let result = self.rules_unlimited(model, alias, operation);
        self.unlimited = false;
        result
    }

    fn rules_unlimited(&mut self, model: &ModelDef, alias: &DynIden, operation: Operation) -> Result<Cond, Error> {
        let mut everybody = Cond::True;
        let mut own: Option<Cond> = None;
        for rule in &model.rules {
            if !rule.operations.is_empty() && !rule.operations.contains(&operation) {
                continue;
            }
            match &rule.role {
                None => everybody = everybody.and(self.condition(model, alias, &rule.domain, false)?),
                Some(role) if self.actor.has_role(role) => {
                    let this = self.condition(model, alias, &rule.domain, false)?;
                    own = Some(own.map_or(Cond::False, |own| own).or(this));
                }
                Some(_) => {}
            }
        }
        Ok(everybody.and(own.unwrap_or(Cond::True)))
    }

    /// `negated` comes from a NOT around it; it is carried to the leaves, where emptiness is known.
    fn condition(&mut self, model: &ModelDef, alias: &DynIden, domain: &Domain, negated: bool) -> Result<Cond, Error> {
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

    fn leaf(&mut self, model: &ModelDef, alias: &DynIden, leaf: &Leaf, negated: bool) -> Result<Cond, Error> {
        let Path { steps, model: end, field } = path::follow(self.registry, model, &leaf.path)?;
        self.check_field(end, field, Operation::Read)?;
        let problem = |problem: String| Error::Domain {
            model: model.name.to_string(),
            problem: format!("[{}, {}]: {problem}", leaf.path, leaf.op.name()),
        };

        // A list of children is asked through the children.
        if let Kind::One2Many { comodel, .. } = &field.kind {
            let comodel = self.registry.model(comodel)?;
            let (op, flip) = positive(leaf.op);
            let mut steps = steps;
            steps.push(Step { model: end, field, comodel });
            let id = comodel.field("id")?;
            let (any, rest) = match &leaf.operand {
                Operand::One(value) if is_empty(value) => (true, None),
                operand => (false, Some(operand)),
            };
            // "is empty" means that there is no child.
            let flip = flip != any;
            let inner = move |planner: &mut Self, alias: &DynIden| match rest {
                None => Ok(Cond::True),
                Some(operand) => planner.compare(alias, id, op, operand, false).map_err(problem),
            };
            return self.exists(alias, &steps, flip != negated, inner);
        }
        if steps.is_empty() {
            return self.compare(alias, field, leaf.op, &leaf.operand, negated).map_err(problem);
        }
        self.exists(alias, &steps, negated, |planner, alias| {
            planner.compare(alias, field, leaf.op, &leaf.operand, false).map_err(problem)
        })
    }

    /// "There is such a record at the end of these relations", or "there is none".
    fn exists(
        &mut self,
        alias: &DynIden,
        steps: &[Step<'_>],
        negated: bool,
        inner: impl FnOnce(&mut Self, &DynIden) -> Result<Cond, Error>,
    ) -> Result<Cond, Error> {
        let [step, rest @ ..] = steps else { return inner(self, alias) };
        let (mut select, next) = self.related(alias, step)?;
        let reached = match rest {
            [] => inner(self, &next)?,
            rest => self.exists(&next, rest, false, inner)?,
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

    /// `FROM comodel AS next WHERE <the relation> AND <what the actor may see there>`, columns still to be added.
    pub(super) fn related(&mut self, alias: &DynIden, step: &Step<'_>) -> Result<(SelectStatement, DynIden), Error> {
        self.check_field(step.model, step.field, Operation::Read)?;
        self.check(step.comodel, Operation::Read)?;
        let next = self.alias();
        let id = step.model.field("id")?;
        let joined = match &step.field.kind {
            Kind::One2Many { inverse, .. } => {
                column(&next, step.comodel.field(inverse)?).equals((alias.clone(), Alias::new(id.name.as_str())))
            }
            _ => column(&next, step.comodel.field("id")?).equals((alias.clone(), Alias::new(step.field.name.as_str()))),
        };
        let mut select = Query::select();
        select.from_as(table(step.comodel), next.clone()).and_where(joined);
        if let Some(rules) = self.rules(step.comodel, &next, Operation::Read)?.into_where() {
            select.and_where(rules);
        }
        Ok((select, next))
    }

    fn compare(
        &mut self,
        alias: &DynIden,
        field: &FieldDef,
        op: Op,
        operand: &Operand,
        negated: bool,
    ) -> Result<Cond, String> {
        let (op, flip) = positive(op);
        let negated = negated != flip;
        let column = || column(alias, field);
        let operand = match operand {
            Operand::User => Operand::One(self.actor.uid.map_or(Value::Null, |uid| Value::Id(Id(uid.0)))),
            other => other.clone(),
        };
        let (plain, with_empty) = match operand {
            Operand::Many(values) => return self.one_of(&column, field, values, negated),
            Operand::One(value) => {
                let value = coerce::to_kind(&field.kind, value)?;
                let value = if field.kind == Kind::Boolean && value.is_null() { Value::Bool(false) } else { value };
                if value.is_null() {
                    // Only "=" finds an empty field; nothing is less than nothing.
                    return Ok(match (op, field.nullable()) {
                        (Op::Eq, true) if negated => Cond::Sql(column().is_not_null()),
                        (Op::Eq, true) => Cond::Sql(column().is_null()),
                        _ => Cond::of(negated),
                    });
                }
                (self.one(&column, field, op, value)?, field.nullable())
            }
            Operand::User => return Err("nobody is signed in".to_owned()),
        };
        Ok(match plain {
            plain if !negated => plain,
            // What is never true is false of an empty field as well.
            Cond::False => Cond::True,
            plain if with_empty => plain.not().or(Cond::Sql(column().is_null())),
            plain => plain.not(),
        })
    }

    /// True where the field is not empty and compares so; SQL's "unknown" where it is empty.
    fn one(&self, column: &dyn Fn() -> Expr, field: &FieldDef, op: Op, value: Value) -> Result<Cond, String> {
        if let (true, Value::Text(text)) = (path::is_pattern(op), &value) {
            return self.like(column, op, text);
        }
        let (op, value) = match (&field.kind, value) {
            (kind, Value::Decimal(decimal)) => match to_scale(op, decimal, kind.digits().unwrap_or_default().1) {
                Some(decimal) => (op, Value::Decimal(decimal)),
                None => return Ok(Cond::False),
            },
            (_, value) => (op, value),
        };
        let bound = self.dialect.bind(&field.kind, value);
        let oper = match op {
            Op::Eq => BinOper::Equal,
            Op::Lt => BinOper::SmallerThan,
            Op::Le => BinOper::SmallerThanOrEqual,
            Op::Gt => BinOper::GreaterThan,
            Op::Ge => BinOper::GreaterThanOrEqual,
            other => return Err(format!("{} does not compare with one value", other.name())),
        };
        Ok(Cond::Sql(column().binary(oper, bound)))
    }

    fn one_of(
        &self,
        column: &dyn Fn() -> Expr,
        field: &FieldDef,
        values: Vec<Value>,
        negated: bool,
    ) -> Result<Cond, String> {
        let mut empty = false;
        let mut list = Vec::with_capacity(values.len());
        for value in values {
            match coerce::to_kind(&field.kind, value)? {
                Value::Null if field.kind == Kind::Boolean => {
                    list.push(self.dialect.bind(&field.kind, Value::Bool(false)));
                }
                Value::Null => empty = true,
                Value::Decimal(decimal) => {
                    let Some((_, scale)) = field.kind.digits() else { continue };
                    if let Some(decimal) = to_scale(Op::Eq, decimal, scale) {
                        list.push(self.dialect.bind(&field.kind, Value::Decimal(decimal)));
                    }
                }
                value => list.push(self.dialect.bind(&field.kind, value)),
            }
        }
        let empty = empty && field.nullable();
        let listed = |list| if negated { column().is_not_in::<Expr, Vec<Expr>>(list) } else { column().is_in(list) };
        let none = list.is_empty();
        Ok(match (none, empty, negated, field.nullable()) {
            (true, false, negated, _) => Cond::of(negated),
            (true, true, false, _) => Cond::Sql(column().is_null()),
            (true, true, true, _) => Cond::Sql(column().is_not_null()),
            (false, true, false, _) => Cond::Sql(listed(list).or(column().is_null())),
            (false, true, true, _) => Cond::Sql(listed(list).and(column().is_not_null())),
            (false, false, true, true) => Cond::Sql(listed(list).or(column().is_null())),
            (false, false, _, _) => Cond::Sql(listed(list)),
        })
    }

    fn like(&self, column: &dyn Fn() -> Expr, op: Op, text: &str) -> Result<Cond, String> {
        let pattern = Pattern::parse(text, matches!(op, Op::EqLike | Op::EqILike))?;
        let fold = matches!(op, Op::ILike | Op::EqILike);
        Ok(Cond::Sql(match (self.dialect, fold) {
            (Dialect::Sqlite, true) => column().like(LikeExpr::new(pattern.as_like()).escape('\\')),
            (Dialect::Sqlite, false) => column().binary(SqliteBinOper::Glob, Expr::val(pattern.as_glob())),
            (Dialect::Postgres, false) => column().like(LikeExpr::new(pattern.as_like()).escape('\\')),
            (Dialect::Postgres, true) => column().binary(PgBinOper::ILike, Expr::val(pattern.as_like())),
        }))
    }
}

/// The operator without its "not", and whether it had one.
pub(crate) fn positive(op: Op) -> (Op, bool) {
    match op {
        Op::Ne => (Op::Eq, true),
        Op::NotIn => (Op::In, true),
        Op::NotLike => (Op::Like, true),
        Op::NotILike => (Op::ILike, true),
        op => (op, false),
    }
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false))
}

/// A decimal that has more digits than the column: moved to the neighbour that gives the same answer.
fn to_scale(op: Op, decimal: Decimal, scale: u32) -> Option<Decimal> {
    if decimal.normalize().scale() <= scale {
        return Some(decimal);
    }
    let strategy = match op {
        // x < 1.005 is x < 1.01, and x >= 1.005 is x >= 1.01, where x has two digits.
        Op::Lt | Op::Ge => RoundingStrategy::ToPositiveInfinity,
        Op::Le | Op::Gt => RoundingStrategy::ToNegativeInfinity,
        _ => return None,
    };
    Some(decimal.round_dp_with_strategy(scale, strategy))
}
