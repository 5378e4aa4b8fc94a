//! The prefix form, from Rust terms, from JSON or from text, with limits that keep a hostile domain cheap.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{Domain, Leaf, Op, Operand, Term};
use crate::{
    expr::{self, ExprError, Node},
    value::Value,
};

/// Conditions in one domain. SQLite refuses expressions deeper than 1,000.
pub const MAX_LEAVES: usize = 500;
/// Alternations of AND, OR and NOT; equal operators in a row count once.
pub const MAX_DEPTH: usize = 50;
/// Values in one `in` list. SQLite takes 32,766 parameters in all.
pub const MAX_LIST: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    #[error("a domain is a list of terms, such as [[\"name\", \"=\", \"x\"]], not {0}")]
    NotAList(String),
    #[error("term {0} is neither \"&\", \"|\", \"!\" nor [field, operator, value]")]
    BadTerm(String),
    #[error(
        "unknown operator {op:?} on {path}; known are = != < <= > >= =? in, not in, like, ilike, =like and their kin, child_of, parent_of, any"
    )]
    UnknownOperator { path: String, op: String },
    #[error("{path}, {op}: takes a domain, not {found}")]
    NoInnerDomain { path: String, op: &'static str, found: String },
    #[error("{0}")]
    Expression(#[from] ExprError),
    #[error("{0:?} lacks a term after it")]
    MissingTerm(&'static str),
    #[error("{0} conditions are more than {MAX_LEAVES}; use `in` with a list")]
    TooMany(usize),
    #[error("it is nested deeper than {MAX_DEPTH}")]
    TooDeep,
    #[error("a list of {0} values is longer than {MAX_LIST}")]
    LongList(usize),
}

impl Domain {
    /// From the prefix form. A form that lacks terms becomes `Malformed`, which planning refuses with its reason.
    pub fn from_terms(terms: Vec<Term>) -> Domain {
        fold(terms).unwrap_or_else(|error| Domain::Malformed(error.to_string()))
    }

    /// From JSON: a list in prefix form; `true`, `[]` and nothing at all mean every record.
    pub fn from_json(json: &Json) -> Result<Domain, DomainError> {
        match json {
            Json::Null | Json::Bool(true) => Ok(Domain::True),
            Json::Bool(false) => Ok(Domain::False),
            Json::Array(items) => {
                // Refused before anything is built: a long run of "!" must not become a deep tree.
                if items.len() > MAX_LEAVES * 3 {
                    return Err(DomainError::TooMany(items.len()));
                }
                fold(items.iter().map(term).collect::<Result<_, _>>()?)
            }
            other => Err(DomainError::NotAList(short(other))),
        }
    }
}

impl Domain {
    /// From text in the expression language: `[('name', '=', 'x'), '|', ('user_id', '=', uid), ('user_id', '=', False)]`.
    /// Values that are no literals are evaluated when the domain is [bound](Domain::bind).
    pub fn parse(text: &str) -> Result<Domain, DomainError> {
        let text = text.trim();
        if text.is_empty() { Ok(Domain::True) } else { Domain::from_node(&expr::parse(text)?) }
    }

    /// From a parsed list in prefix form.
    pub fn from_node(node: &Node) -> Result<Domain, DomainError> {
        match node {
            Node::None | Node::Bool(true) => Ok(Domain::True),
            Node::Bool(false) => Ok(Domain::False),
            Node::List(items) => {
                if items.len() > MAX_LEAVES * 3 {
                    return Err(DomainError::TooMany(items.len()));
                }
                fold(items.iter().map(node_term).collect::<Result<_, _>>()?)
            }
            other => Err(DomainError::NotAList(cut(other.to_string()))),
        }
    }
}

fn term(json: &Json) -> Result<Term, DomainError> {
    match json {
        Json::String(s) if s == "&" => Ok(Term::And),
        Json::String(s) if s == "|" => Ok(Term::Or),
        Json::String(s) if s == "!" => Ok(Term::Not),
        Json::Bool(true) => Ok(Term::Is(Domain::True)),
        Json::Bool(false) => Ok(Term::Is(Domain::False)),
        Json::Array(parts) => leaf(parts, json).map(Term::Is),
        other => Err(DomainError::BadTerm(short(other))),
    }
}

fn leaf(parts: &[Json], whole: &Json) -> Result<Domain, DomainError> {
    if let [Json::Number(a), Json::String(op), Json::Number(b)] = parts {
        return constant(a.as_i64(), op, b.as_i64()).ok_or_else(|| DomainError::BadTerm(short(whole)));
    }
    let [Json::String(path), Json::String(op), value] = parts else {
        return Err(DomainError::BadTerm(short(whole)));
    };
    let op = known(path, op)?;
    if let Op::Any | Op::NotAny = op {
        let inner = match value {
            Json::Array(_) => Domain::from_json(value)?,
            other => return Err(no_inner(path, op, short(other))),
        };
        return Ok(Domain::leaf(path.clone(), op, inner));
    }
    let operand = match value {
        Json::Array(items) if items.len() > MAX_LIST => return Err(DomainError::LongList(items.len())),
        Json::Array(items) => Operand::Many(items.iter().map(Value::from_json).collect()),
        Json::Object(object) if object.len() == 1 && object.contains_key("expr") => match &object["expr"] {
            Json::String(text) => operand_of(expr::parse(text)?)?,
            other => return Err(DomainError::BadTerm(short(other))),
        },
        one => Operand::One(Value::from_json(one)),
    };
    Ok(Domain::leaf(path.clone(), op, operand))
}

fn node_term(node: &Node) -> Result<Term, DomainError> {
    let bad = || DomainError::BadTerm(cut(node.to_string()));
    match node {
        Node::Text(s) if s == "&" => Ok(Term::And),
        Node::Text(s) if s == "|" => Ok(Term::Or),
        Node::Text(s) if s == "!" => Ok(Term::Not),
        Node::Bool(true) => Ok(Term::Is(Domain::True)),
        Node::Bool(false) => Ok(Term::Is(Domain::False)),
        Node::List(parts) => match &parts[..] {
            [Node::Int(a), Node::Text(op), Node::Int(b)] => {
                constant(Some(*a), op, Some(*b)).map(Term::Is).ok_or_else(bad)
            }
            [Node::Text(path), Node::Text(op), value] => {
                let op = known(path, op)?;
                let operand = match (op, value) {
                    (Op::Any | Op::NotAny, Node::List(_)) => Domain::from_node(value)?.into(),
                    (Op::Any | Op::NotAny, other) => return Err(no_inner(path, op, cut(other.to_string()))),
                    (_, value) => operand_of(value.clone())?,
                };
                Ok(Term::Is(Domain::leaf(path.clone(), op, operand)))
            }
            _ => Err(bad()),
        },
        _ => Err(bad()),
    }
}

/// A literal is a value at once; everything else waits for somebody's names.
fn operand_of(node: Node) -> Result<Operand, DomainError> {
    if let Some(value) = node.as_constant() {
        return Ok(Operand::One(value));
    }
    Ok(match node {
        Node::Path(path) if path == "uid" => Operand::User,
        Node::List(items) if items.len() > MAX_LIST => return Err(DomainError::LongList(items.len())),
        Node::List(items) => match items.iter().map(Node::as_constant).collect::<Option<Vec<Value>>>() {
            Some(values) => Operand::Many(values),
            None => Operand::Expr(Arc::new(Node::List(items))),
        },
        other => Operand::Expr(Arc::new(other)),
    })
}

fn known(path: &str, op: &str) -> Result<Op, DomainError> {
    let lower = op.trim().to_ascii_lowercase();
    Op::parse(&lower)
        .ok_or_else(|| DomainError::UnknownOperator { path: cut(path.to_owned()), op: op.chars().take(20).collect() })
}

fn no_inner(path: &str, op: Op, found: String) -> DomainError {
    DomainError::NoInnerDomain { path: cut(path.to_owned()), op: op.name(), found }
}

/// `(1, '=', 1)` and `(0, '=', 1)`: all records, none.
fn constant(a: Option<i64>, op: &str, b: Option<i64>) -> Option<Domain> {
    let (a, b) = (a?, b?);
    let holds = match op {
        "=" => a == b,
        "!=" | "<>" => a != b,
        _ => return None,
    };
    Some(if holds { Domain::True } else { Domain::False })
}

/// From the last term to the first, so that an operator finds its terms on the stack.
fn fold(terms: Vec<Term>) -> Result<Domain, DomainError> {
    let mut stack: Vec<Domain> = Vec::new();
    for term in terms.into_iter().rev() {
        let domain = match term {
            Term::Is(domain) => domain,
            Term::Not => !stack.pop().ok_or(DomainError::MissingTerm("!"))?,
            Term::And => {
                let (a, b) = two(&mut stack, "&")?;
                a.and(b)
            }
            Term::Or => {
                let (a, b) = two(&mut stack, "|")?;
                a.or(b)
            }
        };
        stack.push(domain);
    }
    let domain = stack.into_iter().rev().fold(Domain::True, Domain::and);
    domain.check_size()?;
    Ok(domain)
}

fn two(stack: &mut Vec<Domain>, operator: &'static str) -> Result<(Domain, Domain), DomainError> {
    match (stack.pop(), stack.pop()) {
        (Some(a), Some(b)) => Ok((a, b)),
        _ => Err(DomainError::MissingTerm(operator)),
    }
}

impl Domain {
    pub(crate) fn check_size(&self) -> Result<(), DomainError> {
        self.check_size_within(MAX_LEAVES)
    }

    /// Also asked of domains that were put together by hand, before they are planned: what the system adds to somebody's
    /// domain must not make it too long.
    pub(crate) fn check_size_within(&self, most: usize) -> Result<(), DomainError> {
        let mut leaves = 0;
        self.measure(0, &mut leaves)?;
        if leaves > most { Err(DomainError::TooMany(leaves)) } else { Ok(()) }
    }

    fn measure(&self, depth: usize, leaves: &mut usize) -> Result<(), DomainError> {
        if depth > MAX_DEPTH {
            return Err(DomainError::TooDeep);
        }
        match self {
            Domain::True | Domain::False | Domain::Malformed(_) => Ok(()),
            Domain::And(terms) | Domain::Or(terms) => terms.iter().try_for_each(|term| term.measure(depth + 1, leaves)),
            Domain::Not(term) => term.measure(depth + 1, leaves),
            Domain::Leaf(Leaf { operand, .. }) => {
                *leaves += 1;
                match operand {
                    Operand::Many(values) if values.len() > MAX_LIST => Err(DomainError::LongList(values.len())),
                    Operand::Domain(inner) => inner.measure(depth + 1, leaves),
                    _ => Ok(()),
                }
            }
        }
    }
}

/// A piece of the reader's own input for an error message, never a long one.
fn short(json: &Json) -> String {
    cut(json.to_string())
}

fn cut(text: String) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{domain, value::Id};

    #[test]
    fn json_and_rust_write_the_same_domain() {
        let json = json!(["|", "!", ["a", "=", 1], "&", ["b.c", "in", ["x", null]], ["d", "ilike", "y"], ["e", "!=", {"expr": "uid"}]]);
        let rust = domain!(
            "|",
            "!",
            ["a", "=", 1],
            "&",
            ["b.c", "in", vec![Value::from("x"), Value::Null]],
            ["d", "ilike", "y"],
            ["e", "!=", Operand::User],
        );
        assert_eq!(Domain::from_json(&json), Ok(rust));
        assert_eq!(Domain::from_json(&json!([])), Ok(domain!()));
        assert_eq!(domain!(["a", "=", Id(3)]), Domain::leaf("a", Op::Eq, Value::Id(Id(3))));
    }

    #[test]
    fn text_writes_the_same_domain_and_leaves_expressions_for_later() {
        let text =
            "['|', '!', ('a', '=', 1), '&', ('b.c', 'in', ['x', None]), ['d', 'ilike', \"y\"], ('e', '!=', uid)]";
        let rust = domain!(
            "|",
            "!",
            ["a", "=", 1],
            "&",
            ["b.c", "in", vec![Value::from("x"), Value::Null]],
            ["d", "ilike", "y"],
            ["e", "!=", Operand::User],
        );
        assert_eq!(Domain::parse(text), Ok(rust.clone()));
        assert_eq!(Domain::parse(&rust.to_string()), Ok(rust));
        assert_eq!(Domain::parse("[(1, '=', 1)]"), Ok(Domain::True));
        assert_eq!(Domain::parse("['|', (0, '=', 1), ('a', '=', -1)]"), Ok(domain!(["a", "=", -1])));
        let rule = "[('production_ids', 'in', user.partner_id.commercial_partner_id.production_ids.ids)]";
        let rule = Domain::parse(rule).unwrap();
        let paths = rule.expressions()[0].paths();
        assert_eq!(paths.user.first().map(String::as_str), Some("partner_id.commercial_partner_id.production_ids.ids"));
        let names = expr::Names::at(jiff::Timestamp::UNIX_EPOCH)
            .with("user.partner_id.commercial_partner_id.production_ids.ids", vec![Id(3), Id(4)]);
        assert_eq!(rule.bind(&names), Ok(domain!(["production_ids", "in", [Id(3), Id(4)]])));
        let inner = Domain::parse("[('line_ids', 'any', [('qty', '>', 2), ('day', '<', context_today())])]").unwrap();
        let bound = inner.bind(&names).unwrap();
        assert_eq!(bound.to_string(), "[('line_ids', 'any', ['&', ('qty', '>', 2), ('day', '<', '1970-01-01')])]");
        assert_eq!(Domain::from_json(&bound.to_json()).unwrap().to_string(), bound.to_string());
        let json = json!([["a", "=", {"expr": "context_today()"}]]);
        assert_eq!(Domain::from_json(&json).unwrap().to_json(), json);
    }

    #[test]
    fn what_older_clients_send_is_understood() {
        assert_eq!(Domain::parse("[('a', '=', [1, 2])]"), Ok(domain!(["a", "in", [1, 2]])));
        assert_eq!(Domain::parse("[('a', '<>', [])]"), Ok(domain!(["a", "not in", Vec::<Value>::new()])));
        assert_eq!(Domain::parse("[('a', 'in', False)]"), Ok(domain!(["a", "=", false])));
        assert_eq!(Domain::parse("[('a', 'NOT IN', True)]"), Ok(domain!(["a", "!=", true])));
    }

    #[test]
    fn terms_that_no_operator_takes_are_joined_by_and() {
        let a = || domain!(["a", "=", 1]);
        let b = || domain!(["b", "=", 2]);
        let c = || domain!(["c", "=", 3]);
        assert_eq!(domain!(["a", "=", 1], "|", ["b", "=", 2], ["c", "=", 3]), Domain::And(vec![a(), b().or(c())]));
        assert_eq!(domain!("!", ["a", "=", 1], ["b", "=", 2]), Domain::And(vec![!a(), b()]));
    }

    #[test]
    fn what_is_no_domain_is_refused_with_a_reason() {
        let cases = [
            (json!({"a": 1}), "a domain is a list of terms, such as [[\"name\", \"=\", \"x\"]], not {\"a\":1}"),
            (json!([["a", "any", 3]]), "a, any: takes a domain, not 3"),
            (json!([["a", "=", {"expr": "open(1)"}]]), "at character 1: there is no function open here"),
            (json!([[1, "<", 2]]), "term [1,\"<\",2] is neither \"&\", \"|\", \"!\" nor [field, operator, value]"),
            (json!(["?"]), "term \"?\" is neither \"&\", \"|\", \"!\" nor [field, operator, value]"),
            (json!([["a", "="]]), "term [\"a\",\"=\"] is neither \"&\", \"|\", \"!\" nor [field, operator, value]"),
            (json!(["|", ["a", "=", 1]]), "\"|\" lacks a term after it"),
            (
                json!([["a", "==", 1]]),
                "unknown operator \"==\" on a; known are = != < <= > >= =? in, not in, like, ilike, =like and their kin, child_of, parent_of, any",
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(Domain::from_json(&json).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_domain_made_to_exhaust_is_refused_and_a_long_plain_one_is_not() {
        let leaf = || json!(["a", "=", 1]);
        let ors = |count: usize| -> Json {
            let operators = std::iter::repeat_n(json!("|"), count - 1);
            operators.chain(std::iter::repeat_with(leaf).take(count)).collect::<Vec<_>>().into()
        };
        assert!(Domain::from_json(&ors(MAX_LEAVES)).is_ok());
        assert_eq!(Domain::from_json(&ors(MAX_LEAVES + 1)), Err(DomainError::TooMany(MAX_LEAVES + 1)));
        let nots: Json = std::iter::repeat_n(json!("!"), 1_000_000).chain([leaf()]).collect::<Vec<_>>().into();
        assert!(matches!(Domain::from_json(&nots), Err(DomainError::TooMany(_))));
        let nested: Json = (0..200)
            .flat_map(|n| [json!(if n % 2 == 0 { "|" } else { "&" }), leaf()])
            .chain([leaf()])
            .collect::<Vec<_>>()
            .into();
        assert_eq!(Domain::from_json(&nested), Err(DomainError::TooDeep));
        let inner = (0..100).fold(json!([["a", "=", 1]]), |inner, _| json!([["a", "any", inner]]));
        assert_eq!(Domain::from_json(&inner), Err(DomainError::TooDeep));
        let text = "['|', ".repeat(30_000);
        assert!(matches!(Domain::parse(&text), Err(DomainError::Expression(_))));
        let list: Vec<i64> = (0..=MAX_LIST as i64).collect();
        assert!(matches!(Domain::from_json(&json!([["a", "in", list]])), Err(DomainError::LongList(_))));
    }
}
