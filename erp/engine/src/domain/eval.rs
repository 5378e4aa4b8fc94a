//! A domain judged in memory: for records that are not stored yet, and as the measure for the SQL.

use std::{cmp::Ordering, collections::HashSet};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use rust_decimal::Decimal;

use super::{Domain, Leaf, Op, Operand};
use crate::{
    plan::Pattern,
    resolve::{Kind, coerce},
    value::{Id, Value},
};

/// A record in memory.
pub trait Lookup {
    /// The value of a field that is no list.
    fn value(&self, field: &str) -> Value;

    /// The records at the other end of a relation.
    fn related<'s>(&'s self, field: &str) -> Vec<Box<dyn Lookup + 's>>;

    /// What the field points at.
    fn relation(&self, _field: &str) -> Relation {
        Relation::None
    }

    /// What the record is called, in each of the fields that a name search looks at.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    /// The record above it in its hierarchy.
    fn above<'s>(&'s self) -> Option<Box<dyn Lookup + 's>> {
        None
    }

    /// Another record of the same model.
    fn other<'s>(&'s self, _id: Id) -> Option<Box<dyn Lookup + 's>> {
        None
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    None,
    One,
    Many,
}

impl Domain {
    /// Whether the record is one of the domain's. `user` stands for the user of the environment. A malformed domain or
    /// pattern holds for nothing, and so does an expression that nobody has [bound](Domain::bind).
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
        None => {
            let (op, negated) = leaf.op.positive();
            judge(record, path, op, &leaf.operand, user) != negated
        }
        Some((relation, rest)) => record.related(relation).into_iter().any(|next| along(&*next, rest, leaf, user)),
    }
}

fn judge(record: &dyn Lookup, field: &str, op: Op, operand: &Operand, user: &Value) -> bool {
    let operands = match operand {
        Operand::One(one) => std::slice::from_ref(one),
        Operand::User => std::slice::from_ref(user),
        Operand::Many(many) => many,
        Operand::Domain(inner) => return record.related(field).iter().any(|next| inner.holds(&**next, user)),
        Operand::Expr(_) => return false,
    };
    if op == Op::EqIfGiven && matches!(operands, [Value::Null | Value::Bool(false)]) {
        return true;
    }
    let ends = || match field {
        "id" => None,
        field => Some(record.related(field)),
    };
    if let Op::ChildOf | Op::ParentOf = op {
        let reached = |end: &dyn Lookup| operands.iter().any(|root| in_hierarchy(end, op, root));
        return match ends() {
            None => reached(record),
            Some(ends) => ends.iter().any(|end| reached(&**end)),
        };
    }
    match record.relation(field) {
        Relation::None => operands.iter().any(|operand| compare(&record.value(field), op, operand)),
        Relation::One => operands.iter().any(|operand| match operand {
            Value::Text(_) => record.related(field).iter().any(|end| named(&**end, op, operand)),
            operand => compare(&record.value(field), op, operand),
        }),
        Relation::Many => operands.iter().any(|operand| match operand {
            Value::Null | Value::Bool(false) => record.related(field).is_empty(),
            Value::Text(_) => record.related(field).iter().any(|end| named(&**end, op, operand)),
            operand => record.related(field).iter().any(|end| compare(&end.value("id"), op, operand)),
        }),
    }
}

fn named(record: &dyn Lookup, op: Op, operand: &Value) -> bool {
    let op = if let Op::ChildOf | Op::ParentOf = op { Op::ILike } else { op };
    record.names().into_iter().any(|name| compare(&Value::Text(name), op, operand))
}

/// `child_of`: the root is the record or above it. `parent_of`: the record is the root or above it.
fn in_hierarchy(record: &dyn Lookup, op: Op, root: &Value) -> bool {
    let root_id = match root {
        Value::Id(id) => Some(*id),
        Value::Int(id) => Some(Id(*id)),
        _ => None,
    };
    let own = match record.value("id") {
        Value::Id(id) => id,
        _ => return false,
    };
    match (op, root) {
        (Op::ChildOf, Value::Text(_)) => climbs(record, &mut HashSet::new(), &|at| named(at, Op::ILike, root)),
        (Op::ChildOf, _) => {
            climbs(record, &mut HashSet::new(), &|at| root_id.is_some_and(|root| at.value("id") == Value::Id(root)))
        }
        _ => root_id
            .and_then(|root| record.other(root))
            .is_some_and(|root| climbs(&*root, &mut HashSet::new(), &|at| at.value("id") == Value::Id(own))),
    }
}

/// Whether the record or one above it is so; a circle ends where it began.
fn climbs(record: &dyn Lookup, seen: &mut HashSet<Id>, is: &dyn Fn(&dyn Lookup) -> bool) -> bool {
    let Value::Id(id) = record.value("id") else { return false };
    if !seen.insert(id) {
        return false;
    }
    is(record) || record.above().is_some_and(|above| climbs(&*above, seen, is))
}

fn compare(value: &Value, op: Op, operand: &Value) -> bool {
    if op.is_pattern() {
        return like(value, op, operand);
    }
    let (op, operand) = match (value, fitting(value, operand)) {
        (Value::DateTime(_), Value::Date(day)) => match whole_day(op, day) {
            Some((op, time)) => (op, Value::DateTime(time)),
            None => return false,
        },
        (_, operand) => (op, operand),
    };
    match op {
        Op::Eq | Op::In | Op::EqIfGiven => same(value, &operand),
        _ if value.is_null() || operand.is_null() => false,
        Op::Lt => order(value, &operand) == Some(Ordering::Less),
        Op::Le => matches!(order(value, &operand), Some(Ordering::Less | Ordering::Equal)),
        Op::Gt => order(value, &operand) == Some(Ordering::Greater),
        Op::Ge => matches!(order(value, &operand), Some(Ordering::Greater | Ordering::Equal)),
        _ => false,
    }
}

/// A text that is compared with a number or a time is one.
fn fitting(value: &Value, operand: &Value) -> Value {
    let kind = match (value, operand) {
        (Value::DateTime(_), Value::Text(text)) if text.trim().len() == 10 => Kind::Date,
        (Value::DateTime(_), Value::Text(_)) => Kind::DateTime,
        (Value::Date(_), Value::Text(_) | Value::DateTime(_)) => Kind::Date,
        (Value::Decimal(_), Value::Text(_) | Value::Float(_)) => Kind::Decimal { digits: 18, scale: 9 },
        (Value::Float(_), Value::Decimal(_)) => Kind::Float,
        (Value::Int(_), Value::Float(_)) => Kind::Integer,
        _ => return operand.clone(),
    };
    coerce::to_kind(&kind, operand.clone()).unwrap_or(Value::Null)
}

/// A day that a time is compared with: `<=` takes the whole of it, `>` leaves the whole of it out.
pub(crate) fn whole_day(op: Op, day: Date) -> Option<(Op, Timestamp)> {
    let start = |day: Date| day.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    match op {
        Op::Le => Some((Op::Lt, start(day.checked_add(1.day()).ok()?)?)),
        Op::Gt => Some((Op::Ge, start(day.checked_add(1.day()).ok()?)?)),
        op => Some((op, start(day)?)),
    }
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
