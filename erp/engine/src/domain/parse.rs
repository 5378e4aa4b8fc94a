//! The prefix form, from Rust terms or from JSON, with limits that keep a hostile domain cheap.

use serde_json::Value as Json;

use super::{Domain, Op, Operand, Term};
use crate::value::Value;

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
    #[error("unknown operator {0:?}; known are = != < <= > >= in, not in, like, ilike, =like and their kin")]
    UnknownOperator(String),
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
    let [Json::String(path), Json::String(op), value] = parts else {
        return Err(DomainError::BadTerm(short(whole)));
    };
    let op = Op::parse(op).ok_or_else(|| DomainError::UnknownOperator(op.chars().take(20).collect()))?;
    let operand = match value {
        Json::Array(items) if items.len() > MAX_LIST => return Err(DomainError::LongList(items.len())),
        Json::Array(items) => Operand::Many(items.iter().map(Value::from_json).collect()),
        Json::Object(object) if object.len() == 1 && object.get("expr") == Some(&Json::from("uid")) => Operand::User,
        one => Operand::One(Value::from_json(one)),
    };
    Ok(Domain::leaf(path.clone(), op, operand))
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
    /// Also asked of domains that were put together by hand, before they are planned.
    pub(crate) fn check_size(&self) -> Result<(), DomainError> {
        let mut leaves = 0;
        self.measure(0, &mut leaves)?;
        if leaves > MAX_LEAVES { Err(DomainError::TooMany(leaves)) } else { Ok(()) }
    }

    fn measure(&self, depth: usize, leaves: &mut usize) -> Result<(), DomainError> {
        if depth > MAX_DEPTH {
            return Err(DomainError::TooDeep);
        }
        match self {
            Domain::True | Domain::False | Domain::Malformed(_) => Ok(()),
            Domain::And(terms) | Domain::Or(terms) => terms.iter().try_for_each(|term| term.measure(depth + 1, leaves)),
            Domain::Not(term) => term.measure(depth + 1, leaves),
            Domain::Leaf(leaf) => {
                *leaves += 1;
                match &leaf.operand {
                    Operand::Many(values) if values.len() > MAX_LIST => Err(DomainError::LongList(values.len())),
                    _ => Ok(()),
                }
            }
        }
    }
}

/// A piece of the reader's own input for an error message, never a long one.
fn short(json: &Json) -> String {
    let text = json.to_string();
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
            (json!(["?"]), "term \"?\" is neither \"&\", \"|\", \"!\" nor [field, operator, value]"),
            (json!([["a", "="]]), "term [\"a\",\"=\"] is neither \"&\", \"|\", \"!\" nor [field, operator, value]"),
            (json!(["|", ["a", "=", 1]]), "\"|\" lacks a term after it"),
            (
                json!([["a", "==", 1]]),
                "unknown operator \"==\"; known are = != < <= > >= in, not in, like, ilike, =like and their kin",
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
        let list: Vec<i64> = (0..=MAX_LIST as i64).collect();
        assert!(matches!(Domain::from_json(&json!([["a", "in", list]])), Err(DomainError::LongList(_))));
    }
}
