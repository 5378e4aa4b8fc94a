//! Domains: which records are meant. A tree of conditions on fields, independent of any database.
//!
//! Written by [`domain!`](crate::domain!) in Rust, in prefix form as JSON (`["|", ["a", "=", 1], ["b", "=", 2]]`), or as
//! text in the expression language (`['|', ('a', '=', 1), ('user_id', '=', uid)]`, [`Domain::parse`]); all forms join
//! terms that no operator takes by AND. [`Domain::to_json`] and `Display` write it back.
//!
//! A condition is true or false, never unknown: `a != 1` holds where `a` is empty, `a < 1` does not. A dotted path means
//! "there is such a record at the end of the path". Of a relation:
//!
//! | condition | holds where |
//! |---|---|
//! | `('country_id', '=', 3)`, `in`, ... | it refers to that record |
//! | `('country_id', 'ilike', 'bel')`, `=` with a text | the other record's name is so |
//! | `('child_ids', 'in', [3])`, `ilike` and so on | one of the list is so; with `not`: none is |
//! | `('child_ids', '=', False)` | the list is empty |
//! | `('country_id', 'any', [('code', '=', 'BE')])` | one of the other records is in the inner domain |
//! | `('parent_id', 'child_of', 3)`, `parent_of` | it is that record or below it (above it) in the hierarchy |
//!
//! An operand may be an expression (`user.company_id.id`); [`Domain::bind`] puts its value in its place before the domain
//! is planned.

mod eval;
mod parse;
mod period;
mod write;

pub(crate) use eval::whole_day;
pub use eval::{Lookup, Relation};
pub use parse::{DomainError, MAX_DEPTH, MAX_LEAVES, MAX_LIST};
pub use period::Period;

use std::{borrow::Cow, sync::Arc};

use crate::{
    expr::{self, ExprError, Node, Scope},
    value::{Id, Uid, Value},
};

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
    /// What is known only when somebody asks (`{"expr": "user.company_id.id"}` in JSON).
    Expr(Arc<Node>),
    /// Of `any` and `not any`.
    Domain(Box<Domain>),
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
    NotEqLike,
    NotEqILike,
    /// Equal, or anything when nothing is asked for.
    EqIfGiven,
    /// The record or one below it in its hierarchy.
    ChildOf,
    /// The record or one above it.
    ParentOf,
    /// One of the related records is in the domain.
    Any,
    NotAny,
}

impl Op {
    pub const ALL: [(&'static str, Op); 22] = [
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
        ("not =like", Op::NotEqLike),
        ("not =ilike", Op::NotEqILike),
        ("=?", Op::EqIfGiven),
        ("child_of", Op::ChildOf),
        ("parent_of", Op::ParentOf),
        ("any", Op::Any),
        ("not any", Op::NotAny),
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

    /// The operator without its "not", and whether it had one.
    pub fn positive(self) -> (Op, bool) {
        match self {
            Op::Ne => (Op::Eq, true),
            Op::NotIn => (Op::In, true),
            Op::NotLike => (Op::Like, true),
            Op::NotILike => (Op::ILike, true),
            Op::NotEqLike => (Op::EqLike, true),
            Op::NotEqILike => (Op::EqILike, true),
            Op::NotAny => (Op::Any, true),
            op => (op, false),
        }
    }

    /// Whether its value is a pattern.
    pub fn is_pattern(self) -> bool {
        matches!(self.positive().0, Op::Like | Op::ILike | Op::EqLike | Op::EqILike)
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

    /// `=` with a list is taken as `in`, and `in` with a boolean as `=`, as older clients mean it.
    pub fn leaf(path: impl Into<Cow<'static, str>>, op: Op, operand: impl Into<Operand>) -> Domain {
        let operand = operand.into();
        let op = match (op, &operand) {
            (Op::Eq, Operand::Many(_)) => Op::In,
            (Op::Ne, Operand::Many(_)) => Op::NotIn,
            (Op::In, Operand::One(Value::Bool(_))) => Op::Eq,
            (Op::NotIn, Operand::One(Value::Bool(_))) => Op::Ne,
            (op, _) => op,
        };
        Domain::Leaf(Leaf { path: path.into(), op, operand })
    }

    /// The domain with the values of its expressions in their places.
    pub fn bind(&self, scope: &dyn Scope) -> Result<Domain, ExprError> {
        let all = |terms: &[Domain]| terms.iter().map(|term| term.bind(scope)).collect::<Result<Vec<_>, _>>();
        Ok(match self {
            Domain::And(terms) => Domain::And(all(terms)?),
            Domain::Or(terms) => Domain::Or(all(terms)?),
            Domain::Not(term) => Domain::Not(Box::new(term.bind(scope)?)),
            Domain::Leaf(Leaf { path, op, operand: Operand::Expr(node) }) => {
                let value = expr::eval(node, scope)?;
                let operand = match value {
                    expr::Val::List(items) => {
                        Operand::Many(items.into_iter().map(expr::Val::into_value).collect::<Result<_, _>>()?)
                    }
                    other => match other.into_value()? {
                        Value::Ids(ids) => Operand::Many(ids.into_iter().map(Value::Id).collect()),
                        // Nothing to be in: then it must be empty.
                        Value::Null if matches!(op, Op::In | Op::NotIn) => Operand::One(Value::Bool(false)),
                        value @ Value::Bool(_) => Operand::One(value),
                        value if matches!(op, Op::In | Op::NotIn) => Operand::Many(vec![value]),
                        value => Operand::One(value),
                    },
                };
                Domain::leaf(path.clone(), *op, operand)
            }
            Domain::Leaf(Leaf { path, op, operand: Operand::Domain(inner) }) => {
                Domain::leaf(path.clone(), *op, Operand::Domain(Box::new(inner.bind(scope)?)))
            }
            other => other.clone(),
        })
    }

    /// Whether it asks for the field itself (not for one behind a relation).
    pub fn names(&self, field: &str) -> bool {
        match self {
            Domain::And(terms) | Domain::Or(terms) => terms.iter().any(|term| term.names(field)),
            Domain::Not(term) => term.names(field),
            Domain::Leaf(leaf) => leaf.path == field,
            Domain::True | Domain::False | Domain::Malformed(_) => false,
        }
    }

    /// Every leaf, those of inner domains left out.
    pub fn leaves(&self) -> Vec<&Leaf> {
        match self {
            Domain::And(terms) | Domain::Or(terms) => terms.iter().flat_map(Domain::leaves).collect(),
            Domain::Not(term) => term.leaves(),
            Domain::Leaf(leaf) => vec![leaf],
            Domain::True | Domain::False | Domain::Malformed(_) => Vec::new(),
        }
    }

    /// Every expression in it, of inner domains too: what record rules depend on.
    pub fn expressions(&self) -> Vec<&Node> {
        match self {
            Domain::And(terms) | Domain::Or(terms) => terms.iter().flat_map(Domain::expressions).collect(),
            Domain::Not(term) => term.expressions(),
            Domain::Leaf(Leaf { operand: Operand::Expr(node), .. }) => vec![node],
            Domain::Leaf(Leaf { operand: Operand::Domain(inner), .. }) => inner.expressions(),
            _ => Vec::new(),
        }
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
        match v {
            Value::Ids(ids) => ids.into(),
            one => Operand::One(one),
        }
    }
}

impl From<Domain> for Operand {
    fn from(v: Domain) -> Operand {
        Operand::Domain(Box::new(v))
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
