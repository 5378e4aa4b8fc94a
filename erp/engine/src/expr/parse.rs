//! Tokens to nodes.

use super::{
    ExprError,
    ast::{Arguments, CompareOp, MathOp, Node},
    lex::{self, Token},
};

/// Characters of one expression: a domain with a list of thousands of ids fits.
pub const MAX_TEXT: usize = 256 * 1024;
/// Operators and brackets inside each other.
pub const MAX_DEPTH: usize = 60;
/// Parts of one expression.
pub const MAX_NODES: usize = 50_000;
/// Names in one path.
const MAX_PATH: usize = 12;

/// Every function there is.
const FUNCTIONS: [&str; 35] = [
    "len",
    "bool",
    "int",
    "float",
    "str",
    "round",
    "abs",
    "min",
    "max",
    "sum",
    "any",
    "all",
    "list",
    "set",
    "ref",
    "context_today",
    "relativedelta",
    "timedelta",
    "datetime.timedelta",
    "datetime.datetime",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.datetime.combine",
    "datetime.date",
    "datetime.date.today",
    "datetime.time",
    "time.strftime",
    "MO",
    "TU",
    "WE",
    "TH",
    "FR",
    "SA",
    "SU",
];
/// Every method of a value.
const METHODS: [&str; 13] = [
    "strftime",
    "to_utc",
    "replace",
    "weekday",
    "isoweekday",
    "isoformat",
    "date",
    "get",
    "lower",
    "upper",
    "strip",
    "startswith",
    "has_group",
];
/// What can be asked of a value by name.
pub(super) const ATTRIBUTES: [&str; 9] = ["year", "month", "day", "hour", "minute", "second", "days", "seconds", "id"];
pub(super) const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// Parses an expression; everything that is not in the language is an error that says where.
pub fn parse(text: &str) -> Result<Node, ExprError> {
    if text.len() > MAX_TEXT {
        return Err(ExprError::at(0, format!("the expression is longer than {MAX_TEXT} bytes")));
    }
    let mut parser = Parser { tokens: lex::tokens(text)?, at: 0, level: 0, nodes: 0 };
    let (node, _) = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(node),
        _ => Err(parser.unexpected("the end")),
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    /// Calls inside each other now.
    level: usize,
    nodes: usize,
}

/// A node and how deep it is.
type Built = (Node, usize);

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)].1
    }

    fn place(&self) -> usize {
        self.tokens[self.at.min(self.tokens.len() - 1)].0
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn takes(&mut self, sign: &'static str) -> bool {
        let is = *self.peek() == Token::Sign(sign);
        if is {
            self.at += 1;
        }
        is
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), ExprError> {
        if self.takes(sign) { Ok(()) } else { Err(self.unexpected(sign)) }
    }

    fn unexpected(&self, wanted: &str) -> ExprError {
        let found = match self.peek() {
            Token::End => "the expression ends".to_owned(),
            Token::Sign(sign) => format!("{sign:?} stands"),
            Token::Name(name) => format!("{} stands", super::short(name)),
            Token::Int(_) | Token::Decimal(_) => "a number stands".to_owned(),
            Token::Text(_) => "a text stands".to_owned(),
        };
        ExprError::at(self.place(), format!("{found} where {wanted} is needed"))
    }

    fn built(&mut self, node: Node, depth: usize) -> Result<Built, ExprError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(ExprError::at(self.place(), format!("the expression has more than {MAX_NODES} parts")));
        }
        if depth > MAX_DEPTH { Err(self.too_deep()) } else { Ok((node, depth)) }
    }

    fn too_deep(&self) -> ExprError {
        ExprError::at(self.place(), format!("the expression is nested deeper than {MAX_DEPTH}"))
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Parser) -> Result<T, ExprError>) -> Result<T, ExprError> {
        self.level += 1;
        if self.level > MAX_DEPTH {
            return Err(self.too_deep());
        }
        let result = parse(self);
        self.level -= 1;
        result
    }

    fn expression(&mut self) -> Result<Built, ExprError> {
        self.deeper(|parser| {
            let (then, a) = parser.binary(0)?;
            if !parser.takes("if") {
                return Ok((then, a));
            }
            let (condition, b) = parser.binary(0)?;
            parser.expect("else")?;
            let (otherwise, c) = parser.expression()?;
            let node = Node::If { condition: condition.into(), then: then.into(), otherwise: otherwise.into() };
            parser.built(node, a.max(b).max(c) + 1)
        })
    }

    /// Operators that bind at least as strongly as `least`: 1 or, 2 and, 3 not, 4 comparison, 5 sum, 6 product.
    fn binary(&mut self, least: u8) -> Result<Built, ExprError> {
        let (mut left, mut depth) = if *self.peek() == Token::Sign("not") {
            if least > 3 {
                return Err(self.unexpected("a value"));
            }
            self.at += 1;
            let (inner, depth) = self.deeper(|parser| parser.binary(3))?;
            self.built(Node::Not(inner.into()), depth + 1)?
        } else {
            self.unary()?
        };
        loop {
            let Token::Sign(sign) = *self.peek() else { return Ok((left, depth)) };
            let (strength, math) = match sign {
                "or" => (1, None),
                "and" => (2, None),
                "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=" | "in" | "not" | "is" => (4, None),
                "+" => (5, Some(MathOp::Add)),
                "-" => (5, Some(MathOp::Subtract)),
                "*" => (6, Some(MathOp::Multiply)),
                "/" => (6, Some(MathOp::Divide)),
                "//" => (6, Some(MathOp::FloorDivide)),
                "%" => (6, Some(MathOp::Modulo)),
                _ => return Ok((left, depth)),
            };
            if strength < least {
                return Ok((left, depth));
            }
            (left, depth) = match math {
                Some(op) => {
                    self.at += 1;
                    let (right, other) = self.deeper(|parser| parser.binary(strength + 1))?;
                    self.built(Node::Math(op, left.into(), right.into()), depth.max(other) + 1)?
                }
                None if strength == 4 => self.comparison(left, depth)?,
                None => self.junction(left, depth, sign, strength)?,
            };
        }
    }

    fn junction(&mut self, first: Node, depth: usize, sign: &'static str, strength: u8) -> Result<Built, ExprError> {
        let mut items = vec![first];
        let mut deepest = depth;
        while self.takes(sign) {
            let (item, depth) = self.deeper(|parser| parser.binary(strength + 1))?;
            deepest = deepest.max(depth);
            items.push(item);
        }
        self.built(if sign == "and" { Node::And(items) } else { Node::Or(items) }, deepest + 1)
    }

    fn comparison(&mut self, first: Node, depth: usize) -> Result<Built, ExprError> {
        let mut rest = Vec::new();
        let mut deepest = depth;
        while let Some(op) = self.compare_op()? {
            let (item, depth) = self.deeper(|parser| parser.binary(5))?;
            deepest = deepest.max(depth);
            rest.push((op, item));
        }
        self.built(Node::Compare(first.into(), rest), deepest + 1)
    }

    fn compare_op(&mut self) -> Result<Option<CompareOp>, ExprError> {
        let Token::Sign(sign) = *self.peek() else { return Ok(None) };
        let op = match sign {
            "==" => CompareOp::Eq,
            "!=" | "<>" => CompareOp::Ne,
            "<" => CompareOp::Lt,
            "<=" => CompareOp::Le,
            ">" => CompareOp::Gt,
            ">=" => CompareOp::Ge,
            "in" => CompareOp::In,
            "not" => {
                self.at += 1;
                self.expect("in")?;
                return Ok(Some(CompareOp::NotIn));
            }
            "is" => {
                self.at += 1;
                return Ok(Some(if self.takes("not") { CompareOp::Ne } else { CompareOp::Eq }));
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(op))
    }

    fn unary(&mut self) -> Result<Built, ExprError> {
        if self.takes("-") {
            let (inner, depth) = self.deeper(Parser::unary)?;
            return match inner {
                Node::Int(v) if v > 0 => self.built(Node::Int(-v), depth),
                Node::Decimal(v) if !v.is_zero() && v.is_sign_positive() => self.built(Node::Decimal(-v), depth),
                inner => self.built(Node::Minus(inner.into()), depth + 1),
            };
        }
        if self.takes("+") {
            return self.deeper(Parser::unary);
        }
        let (mut node, mut depth) = self.atom()?;
        loop {
            if self.takes(".") {
                let place = self.place();
                let Token::Name(name) = self.next() else {
                    self.at -= 1;
                    return Err(self.unexpected("a name"));
                };
                if self.takes("(") {
                    let Some(method) = METHODS.iter().find(|known| **known == name) else {
                        return Err(unknown(place, &name));
                    };
                    let (arguments, other) = self.arguments()?;
                    (node, depth) = self.built(Node::Method(node.into(), method, arguments), depth.max(other) + 1)?;
                } else if let Some(attribute) = ATTRIBUTES.iter().find(|known| **known == name) {
                    (node, depth) = self.built(Node::Attribute(node.into(), attribute), depth + 1)?;
                } else {
                    return Err(ExprError::at(place, format!("{} is nothing that a value has", super::short(&name))));
                }
            } else if self.takes("[") {
                let (key, other) = self.expression()?;
                self.expect("]")?;
                (node, depth) = self.built(Node::Index(node.into(), key.into()), depth.max(other) + 1)?;
            } else {
                return Ok((node, depth));
            }
        }
    }

    fn atom(&mut self) -> Result<Built, ExprError> {
        let node = match self.peek().clone() {
            Token::Int(v) => Node::Int(v),
            Token::Decimal(v) => Node::Decimal(v),
            Token::Text(text) => {
                self.at += 1;
                // Neighbouring texts are one.
                let mut text = text;
                while let Token::Text(more) = self.peek() {
                    text.push_str(more);
                    self.at += 1;
                }
                return self.built(Node::Text(text), 1);
            }
            Token::Name(_) => return self.name(),
            Token::Sign("(") => return self.tuple(),
            Token::Sign("[") => {
                self.at += 1;
                let (items, depth, _) = self.items("]")?;
                return self.built(Node::List(items), depth + 1);
            }
            Token::Sign("{") => return self.dict(),
            Token::Sign("lambda") => {
                return Err(ExprError::at(self.place(), "functions cannot be written here"));
            }
            _ => return Err(self.unexpected("a value")),
        };
        self.at += 1;
        self.built(node, 1)
    }

    fn tuple(&mut self) -> Result<Built, ExprError> {
        self.expect("(")?;
        let (mut items, depth, trailing) = self.items(")")?;
        match items.pop() {
            // Parentheses around one value are only parentheses.
            Some(one) if items.is_empty() && !trailing => Ok((one, depth)),
            last => {
                items.extend(last);
                self.built(Node::List(items), depth + 1)
            }
        }
    }

    /// Up to the closing bracket; also whether the last had a comma after it.
    fn items(&mut self, close: &'static str) -> Result<(Vec<Node>, usize, bool), ExprError> {
        let (mut items, mut deepest, mut trailing) = (Vec::new(), 0, false);
        while !self.takes(close) {
            if !items.is_empty() && !trailing {
                return Err(self.unexpected(&format!("\",\" or {close:?}")));
            }
            let (item, depth) = self.expression()?;
            deepest = deepest.max(depth);
            items.push(item);
            trailing = self.takes(",");
        }
        Ok((items, deepest, trailing))
    }

    fn dict(&mut self) -> Result<Built, ExprError> {
        self.expect("{")?;
        let (mut items, mut deepest) = (Vec::new(), 0);
        while !self.takes("}") {
            let (key, a) = self.expression()?;
            self.expect(":")?;
            let (value, b) = self.expression()?;
            deepest = deepest.max(a).max(b);
            items.push((key, value));
            if !self.takes(",") {
                self.expect("}")?;
                break;
            }
        }
        self.built(Node::Dict(items), deepest + 1)
    }

    /// A constant, a path, a known function, or a known method of a path.
    fn name(&mut self) -> Result<Built, ExprError> {
        let place = self.place();
        let mut names: Vec<String> = Vec::new();
        loop {
            match self.next() {
                Token::Name(name) => names.push(name),
                _ => {
                    self.at -= 1;
                    return Err(self.unexpected("a name"));
                }
            }
            if names.len() > MAX_PATH {
                return Err(ExprError::at(place, format!("a path of more than {MAX_PATH} names")));
            }
            if !self.takes(".") {
                break;
            }
        }
        let path = names.join(".");
        if *self.peek() == Token::Sign("(") {
            return self.call(place, path);
        }
        let node = match path.as_str() {
            "None" | "null" => Node::None,
            "True" | "true" => Node::Bool(true),
            "False" | "false" => Node::Bool(false),
            name => match WEEKDAYS.iter().find(|known| **known == name) {
                Some(day) => Node::Call(day, Arguments::default()),
                None => Node::Path(path),
            },
        };
        self.built(node, 1)
    }

    fn call(&mut self, place: usize, path: String) -> Result<Built, ExprError> {
        self.expect("(")?;
        if let Some(function) = FUNCTIONS.iter().find(|known| **known == path) {
            let (arguments, depth) = self.arguments()?;
            return self.built(Node::Call(function, arguments), depth + 1);
        }
        let split = path.rsplit_once('.');
        let Some((target, method)) =
            split.and_then(|(target, name)| Some((target, METHODS.iter().find(|m| **m == name)?)))
        else {
            return Err(unknown(place, &path));
        };
        let (arguments, depth) = self.arguments()?;
        self.built(Node::Method(Node::Path(target.to_owned()).into(), method, arguments), depth.max(1) + 1)
    }

    /// After the opening parenthesis, to the closing one.
    fn arguments(&mut self) -> Result<(Arguments, usize), ExprError> {
        let (mut arguments, mut deepest) = (Arguments::default(), 0);
        while !self.takes(")") {
            let name = match (self.peek(), self.tokens.get(self.at + 1)) {
                (Token::Name(name), Some((_, Token::Sign("=")))) => Some(name.clone()),
                _ => None,
            };
            if name.is_some() {
                self.at += 2;
            }
            let (value, depth) = self.expression()?;
            deepest = deepest.max(depth);
            match name {
                Some(name) => arguments.named.push((name, value)),
                None if arguments.named.is_empty() => arguments.plain.push(value),
                None => return Err(ExprError::at(self.place(), "arguments without a name come first")),
            }
            if !self.takes(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok((arguments, deepest))
    }
}

fn unknown(place: usize, name: &str) -> ExprError {
    ExprError::at(place, format!("there is no function {} here", super::short(name)))
}
