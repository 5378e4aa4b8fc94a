//! Expression to elements. Work is counted, so that no expression runs for ever.

use std::cell::Cell;

use super::{Axis, Comparison, Expr, Function, Step, Test};
use crate::view::{
    same_tag,
    xml::{NodeId, Tree},
};

/// Elements looked at by one expression.
const MAX_WORK: u64 = 2_000_000;

enum Found {
    Nodes(Vec<NodeId>),
    /// Values of attributes.
    Values(Vec<String>),
    Text(String),
    Number(f64),
    Bool(bool),
}

impl Found {
    fn holds(&self) -> bool {
        match self {
            Found::Nodes(nodes) => !nodes.is_empty(),
            Found::Values(values) => !values.is_empty(),
            Found::Text(text) => !text.is_empty(),
            Found::Number(number) => *number != 0.0,
            Found::Bool(bool) => *bool,
        }
    }
}

#[derive(Clone, Copy)]
struct Context<'t> {
    tree: &'t Tree,
    work: &'t Cell<u64>,
    node: NodeId,
    position: usize,
    last: usize,
}

pub(super) fn find(expr: &Expr, tree: &Tree, node: NodeId) -> Result<Vec<NodeId>, String> {
    let work = Cell::new(0);
    match eval(expr, Context { tree, work: &work, node, position: 1, last: 1 })? {
        Found::Nodes(nodes) if nodes.contains(&NodeId::DOCUMENT) => {
            Err("it means the document itself; name the root element".to_owned())
        }
        Found::Nodes(nodes) => Ok(nodes),
        Found::Values(_) => Err("it ends at an attribute; end at the element that has it".to_owned()),
        _ => Err("it gives no element but a value".to_owned()),
    }
}

fn eval(expr: &Expr, context: Context<'_>) -> Result<Found, String> {
    Ok(match expr {
        Expr::Or(a, b) => Found::Bool(eval(a, context)?.holds() || eval(b, context)?.holds()),
        Expr::And(a, b) => Found::Bool(eval(a, context)?.holds() && eval(b, context)?.holds()),
        Expr::Compare(a, op, b) => Found::Bool(compare(&eval(a, context)?, *op, &eval(b, context)?, context.tree)),
        Expr::Union(a, b) => match (eval(a, context)?, eval(b, context)?) {
            (Found::Nodes(mut a), Found::Nodes(b)) => {
                a.extend(b);
                Found::Nodes(in_document_order(context, a)?)
            }
            _ => return Err("| joins elements only".to_owned()),
        },
        Expr::Path(path) => {
            let start = if path.absolute { NodeId::DOCUMENT } else { context.node };
            walk(&path.steps, vec![start], context)?
        }
        Expr::Filter(inner, predicates, steps) => {
            let Found::Nodes(mut nodes) = eval(inner, context)? else {
                return Err("only elements can be chosen from by [...]".to_owned());
            };
            for predicate in predicates {
                nodes = keep(nodes, predicate, context)?;
            }
            walk(steps, nodes, context)?
        }
        Expr::Call(function, arguments) => call(*function, arguments, context)?,
        Expr::Text(text) => Found::Text(text.clone()),
        Expr::Number(number) => Found::Number(*number),
    })
}

fn walk(steps: &[Step], mut nodes: Vec<NodeId>, context: Context<'_>) -> Result<Found, String> {
    for (at, step) in steps.iter().enumerate() {
        if step.axis == Axis::Attribute {
            if at + 1 < steps.len() {
                return Err("nothing follows an attribute".to_owned());
            }
            let matching = |(name, _): &&(String, String)| match &step.test {
                Test::Name(wanted) => name == wanted,
                Test::Any | Test::Node => true,
            };
            let attrs = nodes.iter().flat_map(|&node| context.tree.attrs(node)).filter(matching);
            return Ok(Found::Values(attrs.map(|(_, value)| value.clone()).collect()));
        }
        let mut next = Vec::new();
        for &node in &nodes {
            let mut found = along(step.axis, node, context)?;
            found.retain(|&node| fits(&step.test, node, context.tree));
            for predicate in &step.predicates {
                found = keep(found, predicate, context)?;
            }
            next.extend(found);
        }
        let several = nodes.len() > 1 || step.axis.is_reverse();
        nodes = if several { in_document_order(context, next)? } else { next };
    }
    Ok(Found::Nodes(nodes))
}

fn keep(nodes: Vec<NodeId>, predicate: &Expr, context: Context<'_>) -> Result<Vec<NodeId>, String> {
    let last = nodes.len();
    let mut kept = Vec::new();
    for (at, node) in nodes.into_iter().enumerate() {
        let position = at + 1;
        let holds = match eval(predicate, Context { node, position, last, ..context })? {
            #[expect(clippy::cast_precision_loss, reason = "positions are far below 2^52")]
            Found::Number(number) => number == position as f64,
            other => other.holds(),
        };
        if holds {
            kept.push(node);
        }
    }
    Ok(kept)
}

fn spend(context: Context<'_>, amount: usize) -> Result<(), String> {
    let work = context.work.get() + amount as u64 + 1;
    context.work.set(work);
    if work > MAX_WORK {
        Err("it is too much work for this view; name elements more exactly".to_owned())
    } else {
        Ok(())
    }
}

/// Nodes on an axis, nearest first.
fn along(axis: Axis, node: NodeId, context: Context<'_>) -> Result<Vec<NodeId>, String> {
    let tree = context.tree;
    let elements = |ids: Vec<NodeId>| ids.into_iter().filter(|&id| tree.text(id).is_none()).collect::<Vec<_>>();
    let found = match axis {
        Axis::Itself => vec![node],
        Axis::Child => tree.elements(node).collect(),
        Axis::Descendant => elements(tree.subtree(node)).split_off(1),
        Axis::DescendantOrSelf => elements(tree.subtree(node)),
        Axis::Parent => tree.parent(node).into_iter().collect(),
        Axis::Ancestor => ancestors(tree, node),
        Axis::AncestorOrSelf => std::iter::once(node).chain(ancestors(tree, node)).collect(),
        Axis::FollowingSibling => siblings(tree, node).1,
        Axis::PrecedingSibling => siblings(tree, node).0,
        Axis::Following => {
            let of = std::iter::once(node).chain(ancestors(tree, node));
            of.flat_map(|id| siblings(tree, id).1).flat_map(|id| elements(tree.subtree(id))).collect()
        }
        Axis::Preceding => {
            let of = std::iter::once(node).chain(ancestors(tree, node));
            let before = of.flat_map(|id| siblings(tree, id).0);
            before.flat_map(|id| elements(tree.subtree(id)).into_iter().rev().collect::<Vec<_>>()).collect()
        }
        Axis::Attribute => Vec::new(),
    };
    spend(context, found.len())?;
    Ok(found)
}

fn ancestors(tree: &Tree, node: NodeId) -> Vec<NodeId> {
    std::iter::successors(tree.parent(node), |&id| tree.parent(id)).collect()
}

/// Elements before (nearest first) and after.
fn siblings(tree: &Tree, node: NodeId) -> (Vec<NodeId>, Vec<NodeId>) {
    let Some((parent, index)) = tree.index(node) else { return (Vec::new(), Vec::new()) };
    let (before, after) = tree.children(parent).split_at(index);
    let is_element = |id: &NodeId| tree.is_element(*id);
    (before.iter().rev().copied().filter(is_element).collect(), after[1..].iter().copied().filter(is_element).collect())
}

fn fits(test: &Test, node: NodeId, tree: &Tree) -> bool {
    match test {
        Test::Node => true,
        Test::Any => tree.is_element(node),
        Test::Name(name) => tree.is_element(node) && same_tag(name, tree.tag(node)),
    }
}

/// Each node once, as the document has them.
fn in_document_order(context: Context<'_>, nodes: Vec<NodeId>) -> Result<Vec<NodeId>, String> {
    if nodes.len() < 2 {
        return Ok(nodes);
    }
    let tree = context.tree;
    let mut placed: Vec<(Vec<usize>, NodeId)> = nodes
        .into_iter()
        .map(|id| {
            let line = std::iter::once(id).chain(ancestors(tree, id));
            let mut path: Vec<usize> = line.filter_map(|id| tree.index(id).map(|(_, index)| index)).collect();
            path.reverse();
            (path, id)
        })
        .collect();
    spend(context, placed.len())?;
    placed.sort_unstable();
    placed.dedup();
    Ok(placed.into_iter().map(|(_, id)| id).collect())
}

fn call(function: Function, arguments: &[Expr], context: Context<'_>) -> Result<Found, String> {
    let argument = |at: usize| eval(&arguments[at], context);
    let text = |at: usize| argument(at).map(|found| text_of(&found, context.tree));
    #[expect(clippy::cast_precision_loss, reason = "positions are far below 2^52")]
    Ok(match function {
        Function::Not => Found::Bool(!argument(0)?.holds()),
        Function::Last => Found::Number(context.last as f64),
        Function::Position => Found::Number(context.position as f64),
        Function::Count => match argument(0)? {
            Found::Nodes(nodes) => Found::Number(nodes.len() as f64),
            Found::Values(values) => Found::Number(values.len() as f64),
            _ => return Err("count() counts elements".to_owned()),
        },
        Function::Contains => Found::Bool(text(0)?.contains(&text(1)?)),
        Function::StartsWith => Found::Bool(text(0)?.starts_with(&text(1)?)),
        Function::HasClass => {
            let classes = context.tree.attr(context.node, "class").unwrap_or_default();
            let mut all = true;
            for at in 0..arguments.len() {
                let wanted = text(at)?;
                all &= classes.split_whitespace().any(|class| class == wanted);
            }
            Found::Bool(all)
        }
        Function::Name => Found::Text(context.tree.tag(context.node).to_owned()),
        Function::True => Found::Bool(true),
        Function::False => Found::Bool(false),
    })
}

fn text_of(found: &Found, tree: &Tree) -> String {
    match found {
        Found::Nodes(nodes) => nodes.first().map(|&id| tree.inner_text(id)).unwrap_or_default(),
        Found::Values(values) => values.first().cloned().unwrap_or_default(),
        Found::Text(text) => text.clone(),
        Found::Number(number) => number.to_string(),
        Found::Bool(bool) => bool.to_string(),
    }
}

fn texts(found: &Found, tree: &Tree) -> Vec<String> {
    match found {
        Found::Nodes(nodes) => nodes.iter().map(|&id| tree.inner_text(id)).collect(),
        Found::Values(values) => values.clone(),
        other => vec![text_of(other, tree)],
    }
}

fn number(text: &str) -> f64 {
    text.trim().parse().unwrap_or(f64::NAN)
}

/// XPath's rule for sets: it holds when it holds for one of them.
fn compare(a: &Found, op: Comparison, b: &Found, tree: &Tree) -> bool {
    if matches!(a, Found::Bool(_)) || matches!(b, Found::Bool(_)) {
        return match op {
            Comparison::Ne => a.holds() != b.holds(),
            Comparison::Eq => a.holds() == b.holds(),
            _ => false,
        };
    }
    let numeric = matches!(a, Found::Number(_)) || matches!(b, Found::Number(_));
    let (a, b) = (texts(a, tree), texts(b, tree));
    a.iter().any(|a| {
        b.iter().any(|b| match op {
            Comparison::Eq if numeric => number(a) == number(b),
            Comparison::Ne if numeric => number(a) != number(b),
            Comparison::Eq => a == b,
            Comparison::Ne => a != b,
            Comparison::Lt => number(a) < number(b),
            Comparison::Le => number(a) <= number(b),
            Comparison::Gt => number(a) > number(b),
            Comparison::Ge => number(a) >= number(b),
        })
    })
}
