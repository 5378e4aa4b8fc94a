//! The parsed form, its text and its JSON.

use std::{collections::BTreeSet, fmt};

use rust_decimal::Decimal;
use serde::ser::{Serialize, SerializeSeq, Serializer};

use crate::value::Value;

/// An expression. Made by [`parse`](super::parse) alone, so its size and depth are bounded.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    None,
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Text(String),
    /// Of lists and tuples alike.
    List(Vec<Node>),
    Dict(Vec<(Node, Node)>),
    /// A name, or names joined by dots.
    Path(String),
    /// Something of a value that is no path: `(a - b).days`.
    Attribute(Box<Node>, &'static str),
    Index(Box<Node>, Box<Node>),
    /// A known function.
    Call(&'static str, Arguments),
    /// A known method of a value.
    Method(Box<Node>, &'static str, Arguments),
    Not(Box<Node>),
    Minus(Box<Node>),
    Math(MathOp, Box<Node>, Box<Node>),
    /// `a < b <= c`.
    Compare(Box<Node>, Vec<(CompareOp, Node)>),
    And(Vec<Node>),
    Or(Vec<Node>),
    If {
        condition: Box<Node>,
        then: Box<Node>,
        otherwise: Box<Node>,
    },
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arguments {
    pub plain: Vec<Node>,
    pub named: Vec<(String, Node)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MathOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
}

impl MathOp {
    pub(super) fn sign(self) -> &'static str {
        match self {
            MathOp::Add => "+",
            MathOp::Subtract => "-",
            MathOp::Multiply => "*",
            MathOp::Divide => "/",
            MathOp::FloorDivide => "//",
            MathOp::Modulo => "%",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}

impl CompareOp {
    pub(super) fn sign(self) -> &'static str {
        match self {
            CompareOp::Eq => "==",
            CompareOp::Ne => "!=",
            CompareOp::Lt => "<",
            CompareOp::Le => "<=",
            CompareOp::Gt => ">",
            CompareOp::Ge => ">=",
            CompareOp::In => "in",
            CompareOp::NotIn => "not in",
        }
    }
}

/// What an expression looks at, see [`Node::paths`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// Paths that begin with `user.`, without that word.
    pub user: BTreeSet<String>,
    /// Keys of the context that are named outright.
    pub context: BTreeSet<String>,
    /// All others: fields of the record, `parent.x`, `uid`, `active_id` and so on.
    pub others: BTreeSet<String>,
}

impl Node {
    /// A constant as a node; nothing for values that no literal can write.
    pub fn constant(value: &Value) -> Option<Node> {
        Some(match value {
            Value::Null => Node::Bool(false),
            Value::Bool(v) => Node::Bool(*v),
            Value::Int(v) => Node::Int(*v),
            Value::Float(v) => Node::Decimal(Decimal::try_from(*v).ok()?),
            Value::Decimal(v) => Node::Decimal(*v),
            Value::Text(v) => Node::Text(v.clone()),
            Value::Date(v) => Node::Text(v.to_string()),
            Value::DateTime(v) => Node::Text(super::time::wire(*v)),
            Value::Id(v) => Node::Int(v.0),
            Value::Ids(v) => Node::List(v.iter().map(|id| Node::Int(id.0)).collect()),
            _ => return None,
        })
    }

    /// The value of a literal (numbers with a sign included), nothing for what must be evaluated.
    pub fn as_constant(&self) -> Option<Value> {
        Some(match self {
            Node::None => Value::Null,
            Node::Bool(v) => Value::Bool(*v),
            Node::Int(v) => Value::Int(*v),
            Node::Decimal(v) => Value::Decimal(*v),
            Node::Text(v) => Value::Text(v.clone()),
            Node::Minus(inner) => match inner.as_constant()? {
                Value::Int(v) => Value::Int(v.checked_neg()?),
                Value::Decimal(v) => Value::Decimal(-v),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Every path that the expression may look at, whichever branch is taken.
    pub fn paths(&self) -> Paths {
        let mut found = Paths::default();
        self.visit(&mut |node| match node {
            Node::Path(path) => match path.split_once('.') {
                Some(("user", rest)) => drop(found.user.insert(rest.to_owned())),
                _ if path == "context" => {}
                _ => drop(found.others.insert(path.clone())),
            },
            Node::Method(target, "get", arguments) if matches!(&**target, Node::Path(path) if path == "context") => {
                if let Some(Node::Text(key)) = arguments.plain.first() {
                    found.context.insert(key.clone());
                }
            }
            Node::Index(target, key) if matches!(&**target, Node::Path(path) if path == "context") => {
                if let Node::Text(key) = &**key {
                    found.context.insert(key.clone());
                }
            }
            _ => {}
        });
        found
    }

    fn visit(&self, see: &mut dyn FnMut(&Node)) {
        see(self);
        for child in self.children() {
            child.visit(see);
        }
    }

    fn children(&self) -> Vec<&Node> {
        match self {
            Node::None | Node::Bool(_) | Node::Int(_) | Node::Decimal(_) | Node::Text(_) | Node::Path(_) => Vec::new(),
            Node::List(items) | Node::And(items) | Node::Or(items) => items.iter().collect(),
            Node::Dict(items) => items.iter().flat_map(|(key, value)| [key, value]).collect(),
            Node::Attribute(inner, _) | Node::Not(inner) | Node::Minus(inner) => vec![inner],
            Node::Index(a, b) | Node::Math(_, a, b) => vec![a, b],
            Node::Call(_, arguments) => arguments.nodes().collect(),
            Node::Method(target, _, arguments) => std::iter::once(&**target).chain(arguments.nodes()).collect(),
            Node::Compare(first, rest) => std::iter::once(&**first).chain(rest.iter().map(|(_, node)| node)).collect(),
            Node::If { condition, then, otherwise } => vec![condition, then, otherwise],
        }
    }
}

impl Arguments {
    fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.plain.iter().chain(self.named.iter().map(|(_, node)| node))
    }
}

/// Text that parses to the same node.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::None => f.write_str("None"),
            Node::Bool(true) => f.write_str("True"),
            Node::Bool(false) => f.write_str("False"),
            Node::Int(v) => write!(f, "{v}"),
            // A whole number keeps its point: it stays a decimal.
            Node::Decimal(v) if v.scale() == 0 => write!(f, "{v}.0"),
            Node::Decimal(v) => write!(f, "{v}"),
            Node::Text(text) => f.write_str(&quoted(text)),
            Node::List(items) => {
                f.write_str("[")?;
                joined(f, items, ", ")?;
                f.write_str("]")
            }
            Node::Dict(items) => {
                f.write_str("{")?;
                for (at, (key, value)) in items.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if at > 0 { ", " } else { "" })?;
                }
                f.write_str("}")
            }
            Node::Path(path) => f.write_str(path),
            Node::Attribute(target, name) => write!(f, "{}.{name}", Tight(target)),
            Node::Index(target, key) => write!(f, "{}[{key}]", Tight(target)),
            Node::Call(name, arguments) => write!(f, "{name}({arguments})"),
            Node::Method(target, name, arguments) => write!(f, "{}.{name}({arguments})", Tight(target)),
            Node::Not(inner) => write!(f, "not {}", Tight(inner)),
            Node::Minus(inner) => write!(f, "-{}", Tight(inner)),
            Node::Math(op, a, b) => write!(f, "{} {} {}", Tight(a), op.sign(), Tight(b)),
            Node::Compare(first, rest) => {
                write!(f, "{}", Tight(first))?;
                rest.iter().try_for_each(|(op, node)| write!(f, " {} {}", op.sign(), Tight(node)))
            }
            Node::And(items) => joined_tight(f, items, " and "),
            Node::Or(items) => joined_tight(f, items, " or "),
            Node::If { condition, then, otherwise } => {
                write!(f, "{} if {} else {}", Tight(then), Tight(condition), Tight(otherwise))
            }
        }
    }
}

impl fmt::Display for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        joined(f, &self.plain, ", ")?;
        for (at, (name, node)) in self.named.iter().enumerate() {
            write!(f, "{}{name}={node}", if at > 0 || !self.plain.is_empty() { ", " } else { "" })?;
        }
        Ok(())
    }
}

/// In parentheses where the neighbours could take a part of it.
struct Tight<'n>(&'n Node);

impl fmt::Display for Tight<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = match self.0 {
            Node::Not(_)
            | Node::Minus(_)
            | Node::Math(..)
            | Node::Compare(..)
            | Node::And(_)
            | Node::Or(_)
            | Node::If { .. } => true,
            // `1.days` would be a number, `-1` a sign and a number.
            Node::Int(_) | Node::Decimal(_) => true,
            _ => false,
        };
        if open { write!(f, "({})", self.0) } else { self.0.fmt(f) }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, items: &[Node], between: &str) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if at > 0 { between } else { "" })?;
    }
    Ok(())
}

fn joined_tight(f: &mut fmt::Formatter<'_>, items: &[Node], between: &str) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        write!(f, "{}{}", if at > 0 { between } else { "" }, Tight(item))?;
    }
    Ok(())
}

/// A text in quotes, as it can be parsed again.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// The JSON form that the module's documentation describes.
impl Serialize for Node {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        macro_rules! list {
            ($($item:expr),+ $(,)?) => {{
                let mut seq = s.serialize_seq(None)?;
                $( seq.serialize_element($item)?; )+
                seq.end()
            }};
        }
        match self {
            Node::None => s.serialize_none(),
            Node::Bool(v) => s.serialize_bool(*v),
            Node::Int(v) => s.serialize_i64(*v),
            Node::Text(v) => s.serialize_str(v),
            Node::Decimal(v) => list!("number", &v.to_string()),
            Node::List(items) => list!("list", items),
            Node::Dict(items) => list!("dict", items),
            Node::Path(path) => list!("path", path),
            Node::Attribute(target, name) => list!("attribute", target, name),
            Node::Index(target, key) => list!("index", target, key),
            Node::Call(name, arguments) => list!("call", name, &arguments.plain, &Named(&arguments.named)),
            Node::Method(target, name, arguments) => {
                list!("method", target, name, &arguments.plain, &Named(&arguments.named))
            }
            Node::Not(inner) => list!("not", inner),
            Node::Minus(inner) => list!("-", inner),
            Node::Math(op, a, b) => list!(op.sign(), a, b),
            Node::Compare(first, rest) => {
                let rest: Vec<(&str, &Node)> = rest.iter().map(|(op, node)| (op.sign(), node)).collect();
                list!("compare", first, &rest)
            }
            Node::And(items) => list!("and", items),
            Node::Or(items) => list!("or", items),
            Node::If { condition, then, otherwise } => list!("if", condition, then, otherwise),
        }
    }
}

struct Named<'n>(&'n [(String, Node)]);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.0.iter().map(|(name, node)| (name, node)))
    }
}
