//! A column compared with values.

use rust_decimal::{Decimal, RoundingStrategy};
use sea_query::{
    BinOper, DynIden, Expr, ExprTrait, LikeExpr,
    extension::{postgres::PgBinOper, sqlite::SqliteBinOper},
};

use super::{Dialect, Pattern, Planner, condition::Cond};
use crate::{
    domain::{Op, Operand, whole_day},
    resolve::{FieldDef, Kind, coerce},
    value::Value,
};

impl Planner<'_> {
    /// `op` without its "not".
    pub(super) fn compare(
        &self,
        alias: &DynIden,
        field: &FieldDef,
        op: Op,
        operand: &Operand,
        negated: bool,
    ) -> Result<Cond, String> {
        let op = if op == Op::EqIfGiven { Op::Eq } else { op };
        let value = self.value_of(alias, field);
        let column = || value.clone();
        let (plain, with_empty) = match operand {
            Operand::Many(values) => return self.one_of(&column, field, values.clone(), negated),
            Operand::One(value) => {
                let (op, value) = match whole_day_of(field, op, value)? {
                    Some((op, value)) => (op, value),
                    None => (op, value.clone()),
                };
                // A pattern is a text, whatever the field holds.
                let value = match value {
                    Value::Text(text) if op.is_pattern() => Value::Text(text),
                    value => coerce::to_kind(&field.kind, value)?,
                };
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
            _ => return Err("takes a value".to_owned()),
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
        if let (true, Value::Text(text)) = (op.is_pattern(), &value) {
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
        if text.contains('\0') {
            return Err("it contains a NUL character; remove it".to_owned());
        }
        Ok(Cond::Sql(match (self.dialect, fold) {
            (Dialect::Sqlite, true) if let Some(glob) = pattern.as_folding_glob() => {
                column().binary(SqliteBinOper::Glob, Expr::val(glob))
            }
            (Dialect::Sqlite, true) => column().like(LikeExpr::new(pattern.as_like()).escape('\\')),
            (Dialect::Sqlite, false) => column().binary(SqliteBinOper::Glob, Expr::val(pattern.as_glob())),
            (Dialect::Postgres, false) => column().like(LikeExpr::new(pattern.as_like()).escape('\\')),
            (Dialect::Postgres, true) => column().binary(PgBinOper::ILike, Expr::val(pattern.as_like())),
        }))
    }
}

/// A time compared with a day, which an external program writes as a text of ten characters.
fn whole_day_of(field: &FieldDef, op: Op, value: &Value) -> Result<Option<(Op, Value)>, String> {
    let day = match (&field.kind, value) {
        (Kind::DateTime, Value::Date(day)) => *day,
        (Kind::DateTime, Value::Text(text)) if text.trim().len() == 10 => {
            match coerce::to_kind(&Kind::Date, value.clone())? {
                Value::Date(day) => day,
                _ => return Ok(None),
            }
        }
        _ => return Ok(None),
    };
    let (op, time) = whole_day(op, day).ok_or("this day is too far away")?;
    Ok(Some((op, Value::DateTime(time))))
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
