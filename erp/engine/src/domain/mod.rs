//! Domains: which records are meant. A tree of conditions on fields, independent of any database.
//!
//! Written by [`domain!`](crate::domain!) in Rust or in prefix form as JSON (`["|", ["a", "=", 1], ["b", "=", 2]]`);
//! both forms join terms that no operator takes by AND. A condition is true or false, never unknown: `a != 1` holds
//! where `a` is empty, `a < 1` does not. A dotted path means "there is such a record at the end of the path".

mod eval;
mod parse;

pub use eval::Lookup;
pub use parse::{DomainError, MAX_DEPTH, MAX_LEAVES, MAX_LIST};

use std::borrow::Cow;

use crate::value::{Id, Uid, Value};

#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// Every record.
    True,
    /// No record.
    False,
    And(Vec<Domain>),
    Or(Vec<Domain>),
    Not(Box<Domain>),
    Leaf(Leaf),
    /// A prefix form whose operators lack terms; planning refuses it.
    Malformed(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// Field name, or names joined by dots through relations.
    pub path: Cow<'static, str>,
    pub op: Op,
    pub operand: Operand,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    One(Value),
    Many(Vec<Value>),
    /// The user of the environment (`{"expr": "uid"}` in JSON); nobody for the superuser.
    User,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
    /// Contains, `%` and `_` are wildcards, `\` takes the next character as it is.
    Like,
    NotLike,
    /// The same, letter case apart.
    ILike,
    NotILike,
    /// The whole text is like the pattern.
    EqLike,
    EqILike,
}

impl Op {
    pub const ALL: [(&'static str, Op); 15] = [
        ("=", Op::Eq),
        ("!=", Op::Ne),
        ("<", Op::Lt),
        ("<=", Op::Le),
        (">", Op::Gt),
        (">=", Op::Ge),
        ("in", Op::In),
        ("not in", Op::NotIn),
        ("like", Op::Like),
        ("not like", Op::NotLike),
        ("ilike", Op::ILike),
        ("not ilike", Op::NotILike),
        ("=like", Op::EqLike),
        ("=ilike", Op::EqILike),
        ("<>", Op::Ne),
    ];

    pub fn parse(text: &str) -> Option<Op> {
        Op::ALL.iter().find(|(name, _)| *name == text).map(|(_, op)| *op)
    }

    /// For [`domain!`](crate::domain!): an unknown operator is a compile error there.
    pub const fn known(text: &str) -> Op {
        let mut at = 0;
        while at < Op::ALL.len() {
            if same(Op::ALL[at].0, text) {
                return Op::ALL[at].1;
            }
            at += 1;
        }
        panic!("unknown operator in domain!")
    }

    pub fn name(self) -> &'static str {
        Op::ALL.iter().find(|(_, op)| *op == self).map_or("?", |(name, _)| name)
    }
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// One item of the prefix form.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    And,
    Or,
    Not,
    Is(Domain),
}

impl Term {
    pub const fn operator(text: &str) -> Term {
        match text.as_bytes() {
            b"&" => Term::And,
            b"|" => Term::Or,
            b"!" => Term::Not,
            _ => panic!("unknown prefix operator in domain!, use \"&\", \"|\" or \"!\""),
        }
    }
}

impl Domain {
    /// Every record.
    pub fn all() -> Domain {
        Domain::True
    }

    pub fn leaf(path: impl Into<Cow<'static, str>>, op: Op, operand: impl Into<Operand>) -> Domain {
        Domain::Leaf(Leaf { path: path.into(), op, operand: operand.into() })
    }

    pub fn and(self, other: Domain) -> Domain {
        match (self, other) {
            (Domain::True, x) | (x, Domain::True) => x,
            (Domain::And(mut a), Domain::And(b)) => {
                a.extend(b);
                Domain::And(a)
            }
            (Domain::And(mut a), x) => {
                a.push(x);
                Domain::And(a)
            }
            (x, Domain::And(mut b)) => {
                b.insert(0, x);
                Domain::And(b)
            }
            (a, b) => Domain::And(vec![a, b]),
        }
    }

    pub fn or(self, other: Domain) -> Domain {
        match (self, other) {
            (Domain::False, x) | (x, Domain::False) => x,
            (Domain::Or(mut a), Domain::Or(b)) => {
                a.extend(b);
                Domain::Or(a)
            }
            (Domain::Or(mut a), x) => {
                a.push(x);
                Domain::Or(a)
            }
            (x, Domain::Or(mut b)) => {
                b.insert(0, x);
                Domain::Or(b)
            }
            (a, b) => Domain::Or(vec![a, b]),
        }
    }
}

/// `!domain`, and what `"!"` means in the prefix form.
impl std::ops::Not for Domain {
    type Output = Domain;
    fn not(self) -> Domain {
        match self {
            Domain::True => Domain::False,
            Domain::False => Domain::True,
            Domain::Not(inner) => *inner,
            other => Domain::Not(Box::new(other)),
        }
    }
}

macro_rules! operand_from {
    ($($scalar:ty),* $(,)?) => { $(
        impl From<$scalar> for Operand {
            fn from(v: $scalar) -> Operand { Operand::One(v.into()) }
        }
        impl From<Option<$scalar>> for Operand {
            fn from(v: Option<$scalar>) -> Operand { Operand::One(v.into()) }
        }
        impl From<Vec<$scalar>> for Operand {
            fn from(v: Vec<$scalar>) -> Operand { Operand::Many(v.into_iter().map(Into::into).collect()) }
        }
        impl From<&[$scalar]> for Operand {
            fn from(v: &[$scalar]) -> Operand { Operand::Many(v.iter().cloned().map(Into::into).collect()) }
        }
        impl<const N: usize> From<[$scalar; N]> for Operand {
            fn from(v: [$scalar; N]) -> Operand { Operand::Many(v.into_iter().map(Into::into).collect()) }
        }
    )* };
}

operand_from!(
    bool,
    i64,
    i32,
    u32,
    f64,
    rust_decimal::Decimal,
    &str,
    String,
    jiff::civil::Date,
    jiff::Timestamp,
    Id,
    Uid,
);

impl From<&String> for Operand {
    fn from(v: &String) -> Operand {
        Operand::One(v.into())
    }
}

impl From<&Vec<Id>> for Operand {
    fn from(v: &Vec<Id>) -> Operand {
        v.as_slice().into()
    }
}

impl From<Value> for Operand {
    fn from(v: Value) -> Operand {
        Operand::One(v)
    }
}

impl From<Vec<Value>> for Operand {
    fn from(v: Vec<Value>) -> Operand {
        Operand::Many(v)
    }
}

/// `domain!(["box", "=", id], "|", ["seq", ">", 5], ["device.name", "ilike", "till"])`
#[macro_export]
macro_rules! domain {
    () => { $crate::Domain::True };
    ($($term:tt),+ $(,)?) => { $crate::Domain::from_terms(vec![$( $crate::domain_term!($term) ),+]) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! domain_term {
    ([$path:expr, $op:literal, $operand:expr $(,)?]) => {
        $crate::Term::Is($crate::Domain::leaf($path, const { $crate::Op::known($op) }, $operand))
    };
    ($operator:literal) => {
        const { $crate::Term::operator($operator) }
    };
}
