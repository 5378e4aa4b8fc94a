//! Dotted paths and orders over the registry's fields, and domains checked against them.

use super::{
    coerce,
    registry::{FieldDef, Kind, ModelDef, OrderTerm, Registry, shorten},
};
use crate::{
    domain::{Domain, MAX_LEAVES, Op, Operand},
    error::Error,
    value::Value,
};

/// Relations in one path.
const MAX_STEPS: usize = 8;
/// Fields in one order.
const MAX_ORDER: usize = 10;

/// `"a desc, b.c"`, without a look at the fields.
pub(crate) fn parse_order(order: &str) -> Result<Vec<OrderTerm>, String> {
    let mut terms = Vec::new();
    for term in order.split(',').map(str::trim) {
        let mut words = term.split_whitespace();
        let (path, direction, rest) = (words.next(), words.next(), words.next());
        let (Some(path), None) = (path, rest) else {
            return Err(format!("{:?} is not \"field\" or \"field desc\"", shorten(term)));
        };
        let descending = match direction.map(str::to_ascii_lowercase).as_deref() {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(other) => return Err(format!("{:?} is neither asc nor desc", shorten(other))),
        };
        terms.push(OrderTerm { path: path.to_owned(), descending });
    }
    if terms.len() > MAX_ORDER { Err(format!("more than {MAX_ORDER} fields")) } else { Ok(terms) }
}

/// A path as its relations and the field at its end.
///
/// Related fields that are not stored are followed to where their values are; `seen` are the fields that stood in their
/// place, whose own rights hold as well.
pub(crate) struct Path<'r> {
    pub(crate) steps: Vec<Step<'r>>,
    pub(crate) seen: Vec<(&'r ModelDef, &'r FieldDef)>,
    pub(crate) model: &'r ModelDef,
    pub(crate) field: &'r FieldDef,
}

#[derive(Clone, Copy)]
pub(crate) struct Step<'r> {
    pub(crate) model: &'r ModelDef,
    pub(crate) field: &'r FieldDef,
    pub(crate) comodel: &'r ModelDef,
}

/// A related field that is no column is followed to where its value is kept.
pub(crate) fn follow<'r>(registry: &'r Registry, model: &'r ModelDef, path: &str) -> Result<Path<'r>, Error> {
    let problem = |problem: String| Error::Domain { model: model.name.to_string(), problem };
    let mut at = model;
    let mut steps = Vec::new();
    // The next name is the last.
    let mut names: Vec<&str> = path.rsplit('.').collect();
    let mut seen = Vec::new();
    loop {
        let Some(name) = names.pop() else {
            return Err(Error::NoSuchField { model: model.name.to_string(), field: shorten(path) });
        };
        let field = at.field(name)?;
        if let (Some(related), false) = (&field.related, field.is_column()) {
            seen.push((at, field));
            if seen.len() > MAX_STEPS {
                return Err(Error::Domain {
                    model: model.name.to_string(),
                    problem: format!("{}: the related field {name} leads back to itself", shorten(path)),
                });
            }
            names.extend(related.rsplit('.'));
            continue;
        }
        if names.is_empty() {
            return Ok(Path { steps, seen, model: at, field });
        }
        let comodel = field
            .kind
            .comodel()
            .ok_or_else(|| problem(format!("{}: {name} is no relation, nothing follows it", shorten(path))))?;
        let comodel = registry.model(comodel)?;
        steps.push(Step { model: at, field, comodel });
        if steps.len() > MAX_STEPS {
            return Err(problem(format!("the path {} is longer than {MAX_STEPS} relations", shorten(path))));
        }
        at = comodel;
    }
}

/// Whether every path, operator and value of a domain fits the model. Values of expressions are judged when they are
/// known.
pub(crate) fn check_domain(registry: &Registry, model: &ModelDef, domain: &Domain) -> Result<(), Error> {
    let problem = |problem: String| Error::Domain { model: model.name.to_string(), problem };
    domain.check_size_within(MAX_LEAVES + 20).map_err(|error| problem(error.to_string()))?;
    check_terms(registry, model, domain)
}

fn check_terms(registry: &Registry, model: &ModelDef, domain: &Domain) -> Result<(), Error> {
    match domain {
        Domain::True | Domain::False => Ok(()),
        Domain::And(terms) | Domain::Or(terms) => terms.iter().try_for_each(|term| check_terms(registry, model, term)),
        Domain::Not(term) => check_terms(registry, model, term),
        Domain::Malformed(problem) => Err(Error::Domain { model: model.name.to_string(), problem: problem.clone() }),
        Domain::Leaf(leaf) => {
            let path = follow(registry, model, &leaf.path)?;
            let problem = |problem: String| Error::Domain {
                model: model.name.to_string(),
                problem: format!("[{}, {}]: {problem}", shorten(&leaf.path), leaf.op.name()),
            };
            if let (Op::Any | Op::NotAny, Operand::Domain(inner)) = (leaf.op, &leaf.operand) {
                let comodel =
                    path.field.kind.comodel().ok_or_else(|| problem("this field is no relation".to_owned()))?;
                return check_terms(registry, registry.model(comodel)?, inner);
            }
            check_leaf(path.field, leaf.op, &leaf.operand).map_err(problem)
        }
    }
}

/// Whether the operator and the operand fit the field. Also asked once an expression has its value.
pub(crate) fn check_leaf(field: &FieldDef, op: Op, operand: &Operand) -> Result<(), String> {
    let kind = &field.kind;
    let relation = kind.comodel().is_some();
    let values = match operand {
        Operand::One(value) => std::slice::from_ref(value),
        Operand::Many(values) => values,
        Operand::User | Operand::Expr(_) => &[],
        Operand::Domain(_) => return Err("takes a value, not a domain".to_owned()),
    };
    let many = matches!(operand, Operand::Many(_));
    match (op.positive().0, kind) {
        (Op::Any, _) => return Err("takes a domain".to_owned()),
        (Op::In, _) if matches!(operand, Operand::One(_) | Operand::User) => return Err("takes a list".to_owned()),
        (Op::In | Op::ChildOf | Op::ParentOf, _) => {}
        (_, _) if many => return Err("takes one value, not a list".to_owned()),
        (Op::Lt | Op::Le | Op::Gt | Op::Ge, kind) if *kind == Kind::Boolean || relation => {
            return Err("this field has no order".to_owned());
        }
        _ => {}
    }
    match op.positive().0 {
        Op::ChildOf | Op::ParentOf if *kind != Kind::Id && !relation => {
            return Err("this field is no relation".to_owned());
        }
        Op::Eq if *kind == Kind::Json || kind.is_binary() => {
            return match values {
                [Value::Null | Value::Bool(false)] | [] => Ok(()),
                _ => Err("of this field it can only be asked whether it is empty".to_owned()),
            };
        }
        _ if *kind == Kind::Json || kind.is_binary() => {
            return Err("of this field it can only be asked whether it is empty".to_owned());
        }
        _ if op.is_pattern() && !kind.is_text() && !relation && field.name != DISPLAY_NAME => {
            return Err("this field is no text".to_owned());
        }
        _ => {}
    }
    if let (Operand::User, false) = (operand, matches!(kind, Kind::Id | Kind::Integer) || relation) {
        return Err("the user's id does not fit this field".to_owned());
    }
    let by_name = relation || matches!(op, Op::ChildOf | Op::ParentOf);
    values.iter().try_for_each(|value| match value {
        Value::Text(text) if by_name => match text.contains('\0') {
            true => Err("it contains a NUL character; remove it".to_owned()),
            false => Ok(()),
        },
        value if op.is_pattern() && relation && !value.is_null() && *value != Value::Bool(false) => {
            Err("takes a text".to_owned())
        }
        value => coerce::to_kind(kind, value.clone()).map(drop),
    })
}

/// Every model's own name for a record, when it is computed from others.
pub(crate) const DISPLAY_NAME: &str = "display_name";
