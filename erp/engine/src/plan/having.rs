//! Groups left out by what they come to: a domain over aggregates, `[["__count", ">", 1], ["amount:sum", ">=", 100]]`.

use sea_query::{DynIden, Expr, ExprTrait};

use super::{
    Planner, Reading,
    group::{Wanted, problem},
};
use crate::{
    domain::{Domain, Leaf, Op, Operand},
    error::Error,
    resolve::{Kind, ModelDef, coerce, shorten},
    value::Value,
};

impl<'r> Planner<'r> {
    /// Nothing where every group is wanted.
    pub(super) fn having(
        &self,
        model: &'r ModelDef,
        domain: &Domain,
        wanted: &[Wanted<'r>],
        group: &DynIden,
    ) -> Result<Option<Expr>, Error> {
        domain.check_size().map_err(|error| problem(model, error.to_string()))?;
        match domain {
            Domain::True => Ok(None),
            domain => self.having_term(model, domain, wanted, group).map(Some),
        }
    }

    fn having_term(
        &self,
        model: &'r ModelDef,
        domain: &Domain,
        wanted: &[Wanted<'r>],
        group: &DynIden,
    ) -> Result<Expr, Error> {
        let constant = |truth: bool| Expr::cust(if truth { "1 = 1" } else { "1 = 0" });
        Ok(match domain {
            Domain::True => constant(true),
            Domain::False => constant(false),
            Domain::And(terms) | Domain::Or(terms) => {
                let mut all: Option<Expr> = None;
                for term in terms {
                    let term = self.having_term(model, term, wanted, group)?;
                    all = Some(match all {
                        None => term,
                        Some(before) if matches!(domain, Domain::And(_)) => before.and(term),
                        Some(before) => before.or(term),
                    });
                }
                all.unwrap_or_else(|| constant(matches!(domain, Domain::And(_))))
            }
            Domain::Not(term) => self.having_term(model, term, wanted, group)?.not(),
            Domain::Malformed(text) => return Err(problem(model, text.clone())),
            Domain::Leaf(leaf) => self.having_leaf(model, leaf, wanted, group)?,
        })
    }

    fn having_leaf(
        &self,
        model: &'r ModelDef,
        leaf: &Leaf,
        wanted: &[Wanted<'r>],
        group: &DynIden,
    ) -> Result<Expr, Error> {
        let wrong = |what: &str| problem(model, format!("having [{}]: {what}", shorten(&leaf.path)));
        let (sum, reading, kind) = if leaf.path == "__count" {
            (Expr::cust("count(*)"), Reading::Int, &Kind::Integer)
        } else {
            let at = wanted.iter().position(|wanted| wanted.is_called(&leaf.path));
            let at = at.ok_or_else(|| wrong("it is no aggregate that is asked for"))?;
            let (sum, reading) = self.summed(model, &wanted[at], at, group)?;
            (sum, reading, &wanted[at].path.field.kind)
        };
        let bound = |value: &Value| match (reading, value) {
            (Reading::Int | Reading::Id, Value::Int(int)) => Ok(Expr::val(*int)),
            (Reading::Int | Reading::Id | Reading::Float, Value::Float(float)) => Ok(Expr::val(*float)),
            (Reading::Float, Value::Int(int)) => Ok(Expr::val(*int as f64)),
            (Reading::Json | Reading::Bytes | Reading::Bool, _) => Err(wrong("it cannot be compared")),
            (_, value) => {
                let value = coerce::to_kind(kind, value.clone()).map_err(|error| wrong(&error))?;
                Ok(self.dialect.bind(kind, value))
            }
        };
        let one = || match &leaf.operand {
            Operand::One(value) if !value.is_null() => bound(value),
            _ => Err(wrong("it is compared with a value")),
        };
        Ok(match leaf.op {
            Op::Eq => sum.eq(one()?),
            Op::Ne => sum.ne(one()?),
            Op::Lt => sum.lt(one()?),
            Op::Le => sum.lte(one()?),
            Op::Gt => sum.gt(one()?),
            Op::Ge => sum.gte(one()?),
            Op::In | Op::NotIn => {
                let Operand::Many(values) = &leaf.operand else { return Err(wrong("it takes a list of values")) };
                let values = values.iter().map(bound).collect::<Result<Vec<Expr>, Error>>()?;
                if leaf.op == Op::In { sum.is_in(values) } else { sum.is_not_in(values) }
            }
            other => return Err(wrong(&format!("{} is no comparison of sums", other.name()))),
        })
    }
}
