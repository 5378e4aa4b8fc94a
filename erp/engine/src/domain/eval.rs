//! A domain judged in memory: for records that are not stored yet, and as the measure for the SQL.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::{Domain, Leaf, Op, Operand};
use crate::{plan::Pattern, value::Value};

/// A record in memory.
pub trait Lookup {
    /// The value of a field that is no list.
    fn value(&self, field: &str) -> Value;
    /// The records at the other end of a relation.
    fn related<'s>(&'s self, field: &str) -> Vec<Box<dyn Lookup + 's>>;
}

impl Domain {
    /// Whether the record is one of the domain's. `user` stands for the user of the environment. A malformed domain or
    /// pattern holds for nothing.
    pub fn holds(&self, record: &dyn Lookup, user: &Value) -> bool {
        match self {
            Domain::True => true,
            Domain::False | Domain::Malformed(_) => false,
            Domain::And(terms) => terms.iter().all(|term| term.holds(record, user)),
            Domain::Or(terms) => terms.iter().any(|term| term.holds(record, user)),
            Domain::Not(term) => !term.holds(record, user),
            Domain::Leaf(leaf) => along(record, &leaf.path, leaf, user),
        }
    }
}

fn along(record: &dyn Lookup, path: &str, leaf: &Leaf, user: &Value) -> bool {
    match path.split_once('.') {
        None => compare(&record.value(path), leaf, user),
        Some((relation, rest)) => record.related(relation).into_iter().any(|next| along(&*next, rest, leaf, user)),
    }
}

fn compare(value: &Value, leaf: &Leaf, user: &Value) -> bool {
    let (op, negated) = crate::plan::positive(leaf.op);
    let one = |operand: &Value| match op {
        Op::Eq | Op::In => same(value, operand),
        _ if value.is_null() || operand.is_null() => false,
        Op::Lt => order(value, operand) == Some(Ordering::Less),
        Op::Le => matches!(order(value, operand), Some(Ordering::Less | Ordering::Equal)),
        Op::Gt => order(value, operand) == Some(Ordering::Greater),
        Op::Ge => matches!(order(value, operand), Some(Ordering::Greater | Ordering::Equal)),
        _ => like(value, op, operand),
    };
    let holds = match &leaf.operand {
        Operand::One(operand) => one(operand),
        Operand::User => one(user),
        Operand::Many(operands) => operands.iter().any(one),
    };
    holds != negated
}

/// An empty boolean is false, and `false` asks any other field whether it is empty.
fn same(value: &Value, operand: &Value) -> bool {
    match (value, operand) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Bool(a), Value::Null) => !a,
        (Value::Null, Value::Null | Value::Bool(false)) => true,
        (Value::Null, _) | (_, Value::Null) => false,
        (a, b) => order(a, b) == Some(Ordering::Equal),
    }
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::DateTime(a), Value::DateTime(b)) => Some(a.cmp(b)),
        (Value::Id(a), Value::Id(b)) => Some(a.cmp(b)),
        (Value::Id(a), Value::Int(b)) => Some(a.0.cmp(b)),
        (Value::Int(a), Value::Id(b)) => Some(a.cmp(&b.0)),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Decimal(a), Value::Decimal(b)) => Some(a.cmp(b)),
        (Value::Decimal(a), Value::Int(b)) => Some(a.cmp(&Decimal::from(*b))),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Float(a), Value::Int(b)) => a.partial_cmp(&(*b as f64)),
        _ => None,
    }
}

fn like(value: &Value, op: Op, operand: &Value) -> bool {
    let (Value::Text(text), Value::Text(pattern)) = (value, operand) else { return false };
    let whole = matches!(op, Op::EqLike | Op::EqILike);
    let fold = matches!(op, Op::ILike | Op::EqILike);
    Pattern::parse(pattern, whole).is_ok_and(|pattern| pattern.matches(text, fold))
}
