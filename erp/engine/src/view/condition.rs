//! Conditions, domains, contexts and options in attributes, in the expression language.

use serde_json::{Map, Value as Json};

use crate::expr::{self, CompareOp, Node};

/// Terms of one domain in an old `attrs`.
const MAX_TERMS: usize = 100;

/// Modifiers that an element may have.
pub(super) const MODIFIERS: [&str; 4] = ["invisible", "column_invisible", "readonly", "required"];

/// An expression; the short words that attributes use for true and false included.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    match text.trim() {
        "1" | "true" | "True" => Ok(Node::Bool(true)),
        "" | "0" | "false" | "False" => Ok(Node::Bool(false)),
        text => expr::parse(text).map_err(|error| error.to_string()),
    }
}

/// The JSON form of an expression.
pub(super) fn json(node: &Node) -> Json {
    serde_json::to_value(node).unwrap_or(Json::Null)
}

pub(super) fn flag(text: &str) -> Option<bool> {
    match text.trim() {
        "1" | "true" | "True" => Some(true),
        "0" | "false" | "False" | "" => Some(false),
        _ => None,
    }
}

/// A dictionary of constants, written as JSON or in the expression language.
pub(super) fn literal(text: &str) -> Result<Json, String> {
    if let Ok(json) = serde_json::from_str(text) {
        return Ok(json);
    }
    let node = expr::parse(text).map_err(|error| error.to_string())?;
    constant(&node).ok_or_else(|| format!("{text} is not made of constants alone"))
}

fn constant(node: &Node) -> Option<Json> {
    Some(match node {
        Node::None => Json::Null,
        Node::Bool(v) => (*v).into(),
        Node::Int(v) => (*v).into(),
        Node::Decimal(v) => serde_json::Number::from_f64(v.to_string().parse().ok()?)?.into(),
        Node::Text(v) => v.as_str().into(),
        Node::List(items) => Json::Array(items.iter().map(constant).collect::<Option<_>>()?),
        Node::Dict(items) => {
            let pair = |(key, value): &(Node, Node)| match key {
                Node::Text(key) => Some((key.clone(), constant(value)?)),
                _ => None,
            };
            Json::Object(items.iter().map(pair).collect::<Option<Map<_, _>>>()?)
        }
        Node::Minus(inner) => match constant(inner)? {
            Json::Number(n) if n.is_i64() => (-n.as_i64()?).into(),
            Json::Number(n) => (-n.as_f64()?).into(),
            _ => return None,
        },
        _ => return None,
    })
}

/// What the attributes `invisible`, `readonly`, ... of an element say, together with the older `attrs` and `states`.
/// Each is a single expression.
pub(super) fn modifiers(attr: impl Fn(&str) -> Option<String>) -> Result<Vec<(&'static str, Node)>, String> {
    let mut found: Vec<(&'static str, Node)> = Vec::new();
    for name in MODIFIERS {
        if let Some(text) = attr(name) {
            let node = parse(&text).map_err(|problem| format!("attribute {name}=\"{text}\": {problem}"))?;
            found.push((name, node));
        }
    }
    if let Some(text) = attr("attrs") {
        for (name, node) in old_attrs(&text).map_err(|problem| format!("attribute attrs=\"{text}\": {problem}"))? {
            either(&mut found, name, node);
        }
    }
    if let Some(text) = attr("states") {
        let states = text.split(',').map(|state| Node::Text(state.trim().to_owned())).collect();
        let path = Node::Path("state".to_owned());
        let elsewhere = Node::Compare(Box::new(path), vec![(CompareOp::NotIn, Node::List(states))]);
        either(&mut found, "invisible", elsewhere);
    }
    Ok(found)
}

fn either(found: &mut Vec<(&'static str, Node)>, name: &'static str, node: Node) {
    match found.iter_mut().find(|(known, _)| *known == name) {
        Some((_, Node::Bool(true))) => {}
        Some((_, old @ Node::Bool(false))) => *old = node,
        Some((_, old)) => *old = Node::Or(vec![old.clone(), node]),
        None => found.push((name, node)),
    }
}

/// `{'invisible': [('state', '=', 'done')]}`: a domain, or a constant, for each modifier.
fn old_attrs(text: &str) -> Result<Vec<(&'static str, Node)>, String> {
    let node = expr::parse(text).map_err(|error| error.to_string())?;
    let Node::Dict(items) = node else { return Err("this is no dictionary of modifiers".to_owned()) };
    items
        .into_iter()
        .map(|(key, value)| {
            let name = MODIFIERS.into_iter().find(|name| matches!(&key, Node::Text(key) if key == name));
            let name = name.ok_or_else(|| format!("there is no modifier {key}"))?;
            let node = match value {
                Node::List(terms) => of_domain(terms)?,
                constant @ (Node::Bool(_) | Node::Int(_)) => {
                    Node::Bool(constant != Node::Int(0) && constant != Node::Bool(false))
                }
                other => return Err(format!("{other} is no domain")),
            };
            Ok((name, node))
        })
        .collect()
}

/// A domain in prefix form as an expression over the record's fields.
fn of_domain(terms: Vec<Node>) -> Result<Node, String> {
    if terms.len() > MAX_TERMS {
        return Err(format!("a domain of more than {MAX_TERMS} terms"));
    }
    // From the right, operators find their operands on the stack.
    let mut stack: Vec<Node> = Vec::new();
    for term in terms.into_iter().rev() {
        let node = match term {
            Node::Text(sign) if sign == "!" => {
                Node::Not(Box::new(stack.pop().ok_or("an operator '!' without a term after it")?))
            }
            Node::Text(sign) if sign == "&" || sign == "|" => {
                let (Some(a), Some(b)) = (stack.pop(), stack.pop()) else {
                    return Err(format!("an operator '{sign}' without two terms after it"));
                };
                joined(&sign, a, b)
            }
            Node::List(parts) => leaf(parts)?,
            other => return Err(format!("{other} is no term of a domain")),
        };
        stack.push(node);
    }
    stack.reverse();
    Ok(match stack.len() {
        0 => Node::Bool(true),
        1 => stack.remove(0),
        _ => Node::And(stack),
    })
}

/// Flat where neighbours are alike, so that a long domain does not become a deep expression.
fn joined(sign: &str, a: Node, b: Node) -> Node {
    match (sign, a, b) {
        ("&", a, Node::And(mut rest)) => {
            rest.insert(0, a);
            Node::And(rest)
        }
        ("&", a, b) => Node::And(vec![a, b]),
        (_, a, Node::Or(mut rest)) => {
            rest.insert(0, a);
            Node::Or(rest)
        }
        (_, a, b) => Node::Or(vec![a, b]),
    }
}

fn leaf(parts: Vec<Node>) -> Result<Node, String> {
    let [left, op, right] = <[Node; 3]>::try_from(parts).map_err(|_| "a term has a field, an operator and a value")?;
    let (field, sign) = match (left, op) {
        (Node::Text(field), Node::Text(sign)) => (Box::new(Node::Path(field)), sign),
        // (1, '=', 1): constants.
        (Node::Int(left), Node::Text(sign)) if sign == "=" => return Ok(Node::Bool(right == Node::Int(left))),
        _ => return Err("a term has a field, an operator and a value".to_owned()),
    };
    let empty = matches!(right, Node::Bool(false) | Node::None);
    let op = match sign.as_str() {
        "=" | "==" if empty => return Ok(Node::Not(field)),
        "!=" | "<>" if empty => return Ok(*field),
        "=" | "==" if right == Node::Bool(true) => return Ok(*field),
        "!=" | "<>" if right == Node::Bool(true) => return Ok(Node::Not(field)),
        "=" | "==" => CompareOp::Eq,
        "!=" | "<>" => CompareOp::Ne,
        "<" => CompareOp::Lt,
        "<=" => CompareOp::Le,
        ">" => CompareOp::Gt,
        ">=" => CompareOp::Ge,
        "in" => CompareOp::In,
        "not in" => CompareOp::NotIn,
        "like" => return Ok(Node::Compare(Box::new(right), vec![(CompareOp::In, *field)])),
        other => {
            return Err(format!("the operator {other:?} does not work here; write the condition as an expression"));
        }
    };
    Ok(Node::Compare(field, vec![(op, right)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(attrs: &[(&str, &str)]) -> String {
        let get = |name: &str| attrs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        match modifiers(get) {
            Ok(found) => found.iter().map(|(name, node)| format!("{name}: {node}\n")).collect(),
            Err(problem) => problem,
        }
    }

    #[test]
    fn old_modifiers_become_expressions() {
        let cases = [
            (vec![("invisible", "1")], "invisible: True\n"),
            (vec![("readonly", "state == 'done'")], "readonly: state == 'done'\n"),
            (
                vec![("attrs", "{'invisible': [('state', '=', 'done')], 'required': [('a', '!=', False)]}")],
                "invisible: state == 'done'\nrequired: a\n",
            ),
            (
                vec![("attrs", "{'invisible': ['|', ('a', '=', False), '&', ('b', 'in', [1, 2]), ('c', '>', 3)]}")],
                "invisible: (not a) or ((b in [1, 2]) and (c > (3)))\n",
            ),
            (vec![("attrs", "{'readonly': [('a', '=', True), ('b', '=', 1)]}")], "readonly: a and (b == (1))\n"),
            (
                vec![("states", "draft,sent"), ("attrs", "{'invisible': [('a', '=', 1)]}")],
                "invisible: (a == (1)) or (state not in ['draft', 'sent'])\n",
            ),
            (vec![("attrs", "{'readonly': True}")], "readonly: True\n"),
        ];
        for (attrs, expected) in cases {
            assert_eq!(shown(&attrs), expected, "{attrs:?}");
        }
        assert!(shown(&[("attrs", "[1]")]).contains("no dictionary"));
        assert!(shown(&[("attrs", "{'hidden': []}")]).contains("no modifier"));
        assert!(shown(&[("attrs", "{'invisible': ['|', ('a', '=', 1)]}")]).contains("two terms"));
        assert!(shown(&[("invisible", "a ==")]).contains("invisible"));
    }

    #[test]
    fn options_are_read_from_both_notations() {
        assert_eq!(literal("{'a': True, 'b': [1, -2.5]}").unwrap(), serde_json::json!({"a": true, "b": [1, -2.5]}));
        assert_eq!(literal(r#"{"a": true}"#).unwrap(), serde_json::json!({"a": true}));
        assert!(literal("{'a': b}").is_err());
    }
}
