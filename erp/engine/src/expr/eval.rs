//! Nodes to values.

use std::{cmp::Ordering, collections::HashMap};

use jiff::{Timestamp, tz::TimeZone};
use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};

use super::{
    ExprError,
    ast::{Arguments, CompareOp, MathOp, Node},
    time,
    value::{self, NULL, Number, Val},
};
use crate::value::Value;

/// Work of one evaluation: nodes, and items of lists that are looked through.
pub const MAX_STEPS: usize = 2_000_000;
/// Characters of a text that an expression makes.
pub(super) const MAX_TEXT: usize = 65_536;
/// Items of a list that an expression makes.
pub(super) const MAX_ITEMS: usize = 100_000;

/// What the names of an expression mean: the actor for record rules, the record for conditions of views and computed
/// fields, the context for filters.
pub trait Scope {
    /// The value of a path such as `uid`, `user.company_id.id` or `parent.state`; nothing where there is no such name,
    /// which is an error, while an empty value is `Value::Null`. A path of records may end with `.id` or `.ids`.
    fn path(&self, path: &str) -> Option<Val>;

    /// The time that `datetime.datetime.now()` is.
    fn now(&self) -> Timestamp;

    /// The user's time zone, in which today is today.
    fn zone(&self) -> TimeZone {
        TimeZone::UTC
    }

    /// A key of the context.
    fn context(&self, _key: &str) -> Option<Val> {
        None
    }

    /// `user.has_group('app.id')`.
    fn has_group(&self, _external_id: &str) -> bool {
        false
    }

    /// `ref('app.id')`: the id of the record with this external id.
    fn reference(&self, _external_id: &str) -> Option<Val> {
        None
    }
}

/// A scope of plain names and a context.
#[derive(Clone, Debug)]
pub struct Names {
    pub names: HashMap<String, Val>,
    pub context: HashMap<String, Val>,
    pub now: Timestamp,
    pub zone: TimeZone,
}

impl Names {
    pub fn at(now: Timestamp) -> Names {
        Names { names: HashMap::new(), context: HashMap::new(), now, zone: TimeZone::UTC }
    }

    pub fn with(mut self, name: &str, value: impl Into<Val>) -> Names {
        self.names.insert(name.to_owned(), value.into());
        self
    }
}

impl Scope for Names {
    fn path(&self, path: &str) -> Option<Val> {
        self.names.get(path).cloned()
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn zone(&self) -> TimeZone {
        self.zone.clone()
    }

    fn context(&self, key: &str) -> Option<Val> {
        self.context.get(key).cloned()
    }
}

/// The value of the expression in this scope.
pub fn eval(node: &Node, scope: &dyn Scope) -> Result<Val, ExprError> {
    Evaluator { scope, steps: 0 }.node(node)
}

pub(super) struct Evaluator<'s> {
    pub(super) scope: &'s dyn Scope,
    steps: usize,
}

impl Evaluator<'_> {
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), ExprError> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MAX_STEPS {
            return Err(ExprError::eval(format!("the expression takes more than {MAX_STEPS} steps")));
        }
        Ok(())
    }

    pub(super) fn node(&mut self, node: &Node) -> Result<Val, ExprError> {
        self.spend(1)?;
        Ok(match node {
            Node::None => NULL,
            Node::Bool(v) => (*v).into(),
            Node::Int(v) => (*v).into(),
            Node::Decimal(v) => (*v).into(),
            Node::Text(v) => v.into(),
            Node::List(items) => {
                let items = items.iter().map(|item| self.node(item)).collect::<Result<_, _>>()?;
                Val::List(items)
            }
            Node::Dict(items) => Val::Dict(self.dict(items)?),
            Node::Path(path) => self.path(path)?,
            Node::Attribute(target, name) => {
                let target = self.node(target)?;
                attribute(&target, name)?
            }
            Node::Index(target, key) => self.index(target, key)?,
            Node::Call(name, arguments) => {
                let arguments = self.arguments(arguments)?;
                self.call(name, arguments)?
            }
            Node::Method(target, name, arguments) => self.method(target, name, arguments)?,
            Node::Not(inner) => (!self.node(inner)?.is_true()).into(),
            Node::Minus(inner) => {
                let inner = self.node(inner)?;
                self.minus(inner)?
            }
            Node::Math(op, a, b) => {
                let (a, b) = (self.node(a)?, self.node(b)?);
                self.math(*op, a, b)?
            }
            Node::Compare(first, rest) => self.compare(first, rest)?.into(),
            Node::And(items) => self.first(items, false)?,
            Node::Or(items) => self.first(items, true)?,
            Node::If { condition, then, otherwise } => {
                let branch = if self.node(condition)?.is_true() { then } else { otherwise };
                self.node(branch)?
            }
        })
    }

    fn dict(&mut self, items: &[(Node, Node)]) -> Result<Vec<(String, Val)>, ExprError> {
        let mut dict: Vec<(String, Val)> = Vec::with_capacity(items.len());
        for (key, value) in items {
            let key = match self.node(key)? {
                Val::One(Value::Text(key)) => key,
                Val::One(Value::Int(key)) => key.to_string(),
                other => return Err(ExprError::eval(format!("{} cannot be a key", other.kind()))),
            };
            self.spend(dict.len())?;
            let value = self.node(value)?;
            match dict.iter_mut().find(|(known, _)| *known == key) {
                Some(slot) => slot.1 = value,
                None => dict.push((key, value)),
            }
        }
        Ok(dict)
    }

    fn path(&mut self, path: &str) -> Result<Val, ExprError> {
        if let Some(value) = self.scope.path(path) {
            self.spend(size(&value))?;
            return Ok(value);
        }
        // `deadline.year` asks something of a value, not of a record.
        if let Some((target, name)) = path.rsplit_once('.')
            && super::parse::ATTRIBUTES.contains(&name)
            && let Some(value) = self.scope.path(target)
        {
            return attribute(&value, name);
        }
        match path {
            "current_date" => Ok(self.today().into()),
            _ => Err(ExprError::eval(format!("there is no {} here", super::short(path)))),
        }
    }

    pub(super) fn today(&self) -> jiff::civil::Date {
        self.scope.now().to_zoned(self.scope.zone()).date()
    }

    fn index(&mut self, target: &Node, key: &Node) -> Result<Val, ExprError> {
        let key = self.node(key)?;
        if is_context(target) {
            let Val::One(Value::Text(key)) = &key else {
                return Err(ExprError::eval("keys of the context are texts"));
            };
            let missing = || ExprError::eval(format!("the context has no {}", super::short(key)));
            return self.scope.context(key).ok_or_else(missing);
        }
        let target = self.node(target)?;
        let missing = || ExprError::eval("there is no such item");
        match (&target, &key) {
            (Val::Dict(items), Val::One(Value::Text(key))) => {
                items.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone()).ok_or_else(missing)
            }
            (_, Val::One(Value::Int(at))) if target.items().is_some() => {
                let items = target.items().unwrap_or_default();
                self.spend(items.len())?;
                let at = if *at < 0 { at.checked_add(items.len() as i64) } else { Some(*at) };
                at.and_then(|at| items.get(usize::try_from(at).ok()?).cloned()).ok_or_else(missing)
            }
            _ => Err(ExprError::eval(format!("{} has no items that could be named so", target.kind()))),
        }
    }

    /// Python's `and` and `or`: the first item that decides is the value.
    fn first(&mut self, items: &[Node], deciding: bool) -> Result<Val, ExprError> {
        let mut last = NULL;
        for item in items {
            last = self.node(item)?;
            if last.is_true() == deciding {
                break;
            }
        }
        Ok(last)
    }

    fn compare(&mut self, first: &Node, rest: &[(CompareOp, Node)]) -> Result<bool, ExprError> {
        let mut left = self.node(first)?;
        for (op, right) in rest {
            let right = self.node(right)?;
            let holds = match op {
                CompareOp::Eq => self.same(&left, &right)?,
                CompareOp::Ne => !self.same(&left, &right)?,
                CompareOp::In => self.contains(&right, &left)?,
                CompareOp::NotIn => !self.contains(&right, &left)?,
                ordered => match (value::order(&left, &right), ordered) {
                    (None, _) => false,
                    (Some(order), CompareOp::Lt) => order == Ordering::Less,
                    (Some(order), CompareOp::Le) => order != Ordering::Greater,
                    (Some(order), CompareOp::Gt) => order == Ordering::Greater,
                    (Some(order), _) => order != Ordering::Less,
                },
            };
            if !holds {
                return Ok(false);
            }
            left = right;
        }
        Ok(true)
    }

    fn same(&mut self, a: &Val, b: &Val) -> Result<bool, ExprError> {
        self.spend(size(a).min(size(b)))?;
        Ok(value::equal(a, b))
    }

    fn contains(&mut self, all: &Val, one: &Val) -> Result<bool, ExprError> {
        if let (Val::One(Value::Text(all)), Val::One(Value::Text(one))) = (all, one) {
            self.spend(all.len() / 16)?;
            return Ok(all.contains(one.as_str()));
        }
        // An empty field holds nothing.
        if matches!(all, Val::One(Value::Null | Value::Bool(false))) {
            return Ok(false);
        }
        let Some(items) = all.items() else {
            return Err(ExprError::eval(format!("{} is no list to look in", all.kind())));
        };
        self.spend(size(all))?;
        Ok(items.iter().any(|item| value::equal(item, one)))
    }

    fn minus(&mut self, value: Val) -> Result<Val, ExprError> {
        if let Val::Delta(delta) = &value {
            return delta.negated().map(Val::Delta).ok_or_else(too_big);
        }
        self.math(MathOp::Subtract, 0.into(), value)
    }

    pub(super) fn math(&mut self, op: MathOp, a: Val, b: Val) -> Result<Val, ExprError> {
        if let (Some(a), Some(b)) = (a.number(), b.number()) {
            return numbers(op, a, b);
        }
        let wrong = |a: &Val, b: &Val| {
            ExprError::eval(format!("{} and {} do not go together with {}", a.kind(), b.kind(), op.sign()))
        };
        match (op, a, b) {
            (MathOp::Add, Val::One(Value::Text(a)), Val::One(Value::Text(b))) => {
                if a.len() + b.len() > MAX_TEXT {
                    return Err(ExprError::eval(format!("a text of more than {MAX_TEXT} bytes")));
                }
                self.spend((a.len() + b.len()) / 16)?;
                Ok((a + &b).into())
            }
            (MathOp::Add, Val::Delta(delta), at) | (MathOp::Add, at, Val::Delta(delta)) if at.is_moment() => {
                moved(&at, &delta)
            }
            (MathOp::Subtract, at, Val::Delta(delta)) if at.is_moment() => {
                moved(&at, &delta.negated().ok_or_else(too_big)?)
            }
            (MathOp::Add, Val::Delta(a), Val::Delta(b)) => a.plus(&b).map(Val::Delta).ok_or_else(too_big),
            (MathOp::Subtract, Val::Delta(a), Val::Delta(b)) => {
                b.negated().and_then(|b| a.plus(&b)).map(Val::Delta).ok_or_else(too_big)
            }
            (MathOp::Multiply, Val::Delta(delta), by) | (MathOp::Multiply, by, Val::Delta(delta)) => {
                let Some(Number::Int(by)) = by.number() else { return Err(wrong(&Val::Delta(delta), &by)) };
                let times = |part: i64| part.checked_mul(by).ok_or_else(too_big);
                let (months, days, seconds) = (times(delta.months)?, times(delta.days)?, times(delta.seconds)?);
                Ok(Val::Delta(time::Delta { months, days, seconds, ..delta }))
            }
            (MathOp::Subtract, a, b) if a.is_moment() && b.is_moment() => match (a.moment(), b.moment()) {
                (Some(a), Some(b)) => {
                    let seconds = a.duration_since(b).as_secs();
                    Ok(Val::Delta(time::Delta {
                        days: seconds.div_euclid(86_400),
                        seconds: seconds.rem_euclid(86_400),
                        ..time::Delta::default()
                    }))
                }
                _ => Err(wrong(&a, &b)),
            },
            (MathOp::Add, a, b) => match (a.items(), b.items()) {
                (Some(mut items), Some(more)) => {
                    self.spend(items.len() + more.len())?;
                    if items.len() + more.len() > MAX_ITEMS {
                        return Err(ExprError::eval(format!("a list of more than {MAX_ITEMS} items")));
                    }
                    items.extend(more);
                    Ok(Val::List(items))
                }
                _ => Err(wrong(&a, &b)),
            },
            (_, a, b) => Err(wrong(&a, &b)),
        }
    }

    pub(super) fn arguments(&mut self, arguments: &Arguments) -> Result<Given, ExprError> {
        let plain = arguments.plain.iter().map(|node| self.node(node)).collect::<Result<_, _>>()?;
        let named = arguments.named.iter().map(|(name, node)| Ok((name.clone(), self.node(node)?)));
        Ok(Given { plain, named: named.collect::<Result<_, ExprError>>()? })
    }
}

/// Arguments with their values.
pub(super) struct Given {
    pub(super) plain: Vec<Val>,
    pub(super) named: Vec<(String, Val)>,
}

pub(super) fn is_context(node: &Node) -> bool {
    matches!(node, Node::Path(path) if path == "context")
}

pub(super) fn size(value: &Val) -> usize {
    match value {
        Val::One(Value::Ids(ids)) => ids.len(),
        Val::One(Value::Text(text)) => text.len() / 16,
        Val::One(Value::Json(serde_json::Value::Array(items))) => items.len(),
        Val::List(items) => items.iter().map(size).sum::<usize>() + items.len(),
        Val::Dict(items) => items.iter().map(|(_, item)| size(item)).sum::<usize>() + items.len(),
        _ => 1,
    }
}

pub(super) fn too_big() -> ExprError {
    ExprError::eval("a number or date becomes too large")
}

fn moved(at: &Val, delta: &time::Delta) -> Result<Val, ExprError> {
    let moved = at.moment().and_then(|moment| delta.add_to(moment)).ok_or_else(too_big)?;
    Ok(match at {
        Val::One(Value::Date(_)) => moved.date().into(),
        Val::Local(_) => Val::Local(moved),
        _ => Val::Local(moved).into_value()?.into(),
    })
}

fn numbers(op: MathOp, a: Number, b: Number) -> Result<Val, ExprError> {
    let by_zero = || ExprError::eval("division by zero");
    let whole = op == MathOp::Divide && matches!((a, b), (Number::Int(_), Number::Int(_)));
    if let (Number::Int(a), Number::Int(b)) = (a, b) {
        let exact = match op {
            MathOp::Add => a.checked_add(b),
            MathOp::Subtract => a.checked_sub(b),
            MathOp::Multiply => a.checked_mul(b),
            MathOp::FloorDivide | MathOp::Modulo if b == 0 => return Err(by_zero()),
            // Towards minus infinity, the rest with the sign of the divisor.
            MathOp::FloorDivide => a.checked_div(b).map(|q| q - i64::from(a % b != 0 && (a < 0) != (b < 0))),
            MathOp::Modulo => {
                a.checked_rem(b).map(|rest| if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
            }
            MathOp::Divide => None,
        };
        if let Some(exact) = exact {
            return Ok(exact.into());
        }
    }
    if let (Some(a), Some(b)) = (value::decimal(a), value::decimal(b)) {
        if b.is_zero() && matches!(op, MathOp::Divide | MathOp::FloorDivide | MathOp::Modulo) {
            return Err(by_zero());
        }
        let floored = || a.checked_div(b).map(|q| q.round_dp_with_strategy(0, RoundingStrategy::ToNegativeInfinity));
        let exact = match op {
            MathOp::Add => a.checked_add(b),
            MathOp::Subtract => a.checked_sub(b),
            MathOp::Multiply => a.checked_mul(b),
            MathOp::Divide => a.checked_div(b),
            MathOp::FloorDivide => floored(),
            MathOp::Modulo => floored().and_then(|q| a.checked_sub(q.checked_mul(b)?)),
        };
        return exact.map(|exact| if whole { whole_if_it_is(exact) } else { exact.into() }).ok_or_else(too_big);
    }
    let (a, b) = (value::float(a), value::float(b));
    if b == 0.0 && matches!(op, MathOp::Divide | MathOp::FloorDivide | MathOp::Modulo) {
        return Err(by_zero());
    }
    let result = match op {
        MathOp::Add => a + b,
        MathOp::Subtract => a - b,
        MathOp::Multiply => a * b,
        MathOp::Divide => a / b,
        MathOp::FloorDivide => (a / b).floor(),
        MathOp::Modulo => a - (a / b).floor() * b,
    };
    if result.is_finite() { Ok(result.into()) } else { Err(too_big()) }
}

/// `6 / 2` is a whole number, and can be an id or an index again.
fn whole_if_it_is(result: Decimal) -> Val {
    result.to_i64().filter(|_| result.fract().is_zero()).map_or(result.into(), Val::from)
}

pub(super) fn attribute(value: &Val, name: &str) -> Result<Val, ExprError> {
    if let Val::Delta(delta) = value {
        match name {
            "days" => return Ok(delta.days.into()),
            "seconds" => return Ok(delta.seconds.into()),
            _ => {}
        }
    }
    if name == "id"
        && let Val::One(Value::Id(_) | Value::Null) = value
    {
        return Ok(value.clone());
    }
    let wrong = || ExprError::eval(format!("{} has no {name}", value.kind()));
    if matches!(value, Val::One(Value::Null)) {
        return Ok(NULL);
    }
    let at = if value.is_moment() { value.moment() } else { None }.ok_or_else(wrong)?;
    Ok(match name {
        "year" => i64::from(at.year()),
        "month" => i64::from(at.month()),
        "day" => i64::from(at.day()),
        "hour" => i64::from(at.hour()),
        "minute" => i64::from(at.minute()),
        "second" => i64::from(at.second()),
        _ => return Err(wrong()),
    }
    .into())
}
