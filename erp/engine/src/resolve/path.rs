//! Dotted paths and orders over the registry's fields, and domains checked against them.

use super::{
    coerce,
    registry::{FieldDef, Kind, ModelDef, OrderTerm, Registry, shorten},
};
use crate::{
    domain::{Domain, Leaf, Op, Operand},
    error::Error,
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
pub(crate) struct Path<'r> {
    pub(crate) steps: Vec<Step<'r>>,
    pub(crate) model: &'r ModelDef,
    pub(crate) field: &'r FieldDef,
}

#[derive(Clone, Copy)]
pub(crate) struct Step<'r> {
    pub(crate) model: &'r ModelDef,
    pub(crate) field: &'r FieldDef,
    pub(crate) comodel: &'r ModelDef,
}

pub(crate) fn follow<'r>(registry: &'r Registry, model: &'r ModelDef, path: &str) -> Result<Path<'r>, Error> {
    let mut at = model;
    let mut steps = Vec::new();
    let mut names = path.split('.').peekable();
    loop {
        let Some(name) = names.next() else {
            return Err(Error::NoSuchField { model: model.name.to_string(), field: shorten(path) });
        };
        let field = at.field(name)?;
        if names.peek().is_none() {
            return Ok(Path { steps, model: at, field });
        }
        let comodel = field.kind.comodel().ok_or_else(|| Error::Domain {
            model: model.name.to_string(),
            problem: format!("{}: {name} is no relation, nothing follows it", shorten(path)),
        })?;
        let comodel = registry.model(comodel)?;
        steps.push(Step { model: at, field, comodel });
        if steps.len() > MAX_STEPS {
            return Err(Error::Domain {
                model: model.name.to_string(),
                problem: format!("the path {} is longer than {MAX_STEPS} relations", shorten(path)),
            });
        }
        at = comodel;
    }
}

/// Whether every path, operator and value of a domain fits the model.
pub(crate) fn check_domain(registry: &Registry, model: &ModelDef, domain: &Domain) -> Result<(), Error> {
    let problem = |problem: String| Error::Domain { model: model.name.to_string(), problem };
    domain.check_size().map_err(|error| problem(error.to_string()))?;
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
            check_leaf(&path, leaf).map_err(|problem| Error::Domain {
                model: model.name.to_string(),
                problem: format!("[{}, {}]: {problem}", shorten(&leaf.path), leaf.op.name()),
            })
        }
    }
}

fn check_leaf(path: &Path<'_>, leaf: &Leaf) -> Result<(), String> {
    let kind = &path.field.kind;
    let many = matches!(leaf.operand, Operand::Many(_));
    let pattern = is_pattern(leaf.op);
    match (leaf.op, kind) {
        (Op::In | Op::NotIn, _) if !many => return Err("takes a list".to_owned()),
        (op, _) if many && !matches!(op, Op::In | Op::NotIn) => return Err("takes one value, not a list".to_owned()),
        (
            Op::Lt | Op::Le | Op::Gt | Op::Ge,
            Kind::Boolean | Kind::Many2One { .. } | Kind::One2Many { .. } | Kind::Many2Many { .. },
        ) => {
            return Err("this field has no order".to_owned());
        }
        (_, Kind::Json | Kind::Binary { .. } | Kind::Image { .. }) => {
            let empty = matches!(&leaf.operand, Operand::One(value) if value.is_null() || *value == false.into());
            if !(matches!(leaf.op, Op::Eq | Op::Ne) && empty) {
                return Err("of this field it can only be asked whether it is empty".to_owned());
            }
            return Ok(());
        }
        (_, kind) if pattern && !kind.is_text() => return Err("this field is no text".to_owned()),
        _ => {}
    }
    match &leaf.operand {
        Operand::User if !matches!(kind, Kind::Id | Kind::Many2One { .. } | Kind::Integer) => {
            Err("the user's id does not fit this field".to_owned())
        }
        Operand::User => Ok(()),
        Operand::One(value) => coerce::to_kind(kind, value.clone()).map(drop),
        Operand::Many(values) => values.iter().try_for_each(|value| coerce::to_kind(kind, value.clone()).map(drop)),
    }
}

pub(crate) fn is_pattern(op: Op) -> bool {
    matches!(op, Op::Like | Op::NotLike | Op::ILike | Op::NotILike | Op::EqLike | Op::EqILike)
}
