//! Domains as JSON and as text, in prefix form with every `&` written out.

use std::fmt;

use serde_json::{Value as Json, json};

use super::{Domain, Leaf, Operand};
use crate::{
    expr::{Node, Val, quoted},
    value::Value,
};

impl Domain {
    /// The form that clients read: dates as texts, expressions as `{"expr": text}`.
    pub fn to_json(&self) -> Json {
        let mut items = Vec::new();
        self.items(&mut items);
        Json::Array(
            items
                .into_iter()
                .map(|item| match item {
                    Item::Operator(sign) => sign.into(),
                    Item::Constant(true) => json!([1, "=", 1]),
                    Item::Constant(false) => json!([0, "=", 1]),
                    Item::Leaf(leaf) => json!([leaf.path, leaf.op.name(), operand(&leaf.operand)]),
                })
                .collect(),
        )
    }

    fn items<'d>(&'d self, out: &mut Vec<Item<'d>>) {
        match self {
            // Every record needs no term of its own.
            Domain::True if out.is_empty() => {}
            Domain::True => out.push(Item::Constant(true)),
            Domain::False | Domain::Malformed(_) => out.push(Item::Constant(false)),
            Domain::Not(term) => {
                out.push(Item::Operator("!"));
                term.items(out);
            }
            Domain::And(terms) | Domain::Or(terms) => {
                let all = matches!(self, Domain::And(_));
                if terms.is_empty() {
                    out.push(Item::Constant(all));
                }
                out.extend((1..terms.len()).map(|_| Item::Operator(if all { "&" } else { "|" })));
                for term in terms {
                    term.items(out);
                }
            }
            Domain::Leaf(leaf) => out.push(Item::Leaf(leaf)),
        }
    }
}

enum Item<'d> {
    Operator(&'static str),
    Constant(bool),
    Leaf(&'d Leaf),
}

fn operand(operand: &Operand) -> Json {
    // What has no JSON form (an infinite float) is nothing that a field could hold.
    let one = |value: &Value| match value {
        Value::Null => Json::Bool(false),
        value => Val::One(value.clone()).to_json().unwrap_or_default(),
    };
    match operand {
        Operand::One(value) => one(value),
        Operand::Many(values) => values.iter().map(one).collect(),
        Operand::User => json!({"expr": "uid"}),
        Operand::Expr(node) => json!({"expr": node.to_string()}),
        Operand::Domain(inner) => inner.to_json(),
    }
}

/// `['&', ('a', '=', 1), ('b', 'in', [2, 3])]`
impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut items = Vec::new();
        self.items(&mut items);
        f.write_str("[")?;
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            match item {
                Item::Operator(sign) => write!(f, "'{sign}'")?,
                Item::Constant(holds) => write!(f, "({}, '=', 1)", u8::from(*holds))?,
                Item::Leaf(leaf) => {
                    write!(f, "({}, '{}', ", quoted(&leaf.path), leaf.op.name())?;
                    write_operand(f, &leaf.operand)?;
                    f.write_str(")")?;
                }
            }
        }
        f.write_str("]")
    }
}

fn write_operand(f: &mut fmt::Formatter<'_>, operand: &Operand) -> fmt::Result {
    let one = |f: &mut fmt::Formatter<'_>, value: &Value| match (value, Node::constant(value)) {
        (Value::Null, _) | (_, None) => f.write_str("None"),
        (_, Some(node)) => write!(f, "{node}"),
    };
    match operand {
        Operand::One(value) => one(f, value),
        Operand::Many(values) => {
            f.write_str("[")?;
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    f.write_str(", ")?;
                }
                one(f, value)?;
            }
            f.write_str("]")
        }
        Operand::User => f.write_str("uid"),
        Operand::Expr(node) => write!(f, "{node}"),
        Operand::Domain(inner) => write!(f, "{inner}"),
    }
}
