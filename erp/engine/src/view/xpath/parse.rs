//! Text to expression, by recursive descent.

use super::{Axis, Comparison, Expr, Function, Path, Step, Test};

const MAX_DEPTH: usize = 30;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(f64),
    /// One of `/ // [ ] ( ) @ . .. * | = != < <= > >= , ::`.
    Sign(&'static str),
}

const SIGNS: [&str; 20] =
    ["//", "..", "::", "!=", "<=", ">=", "/", "[", "]", "(", ")", "@", ".", "*", "|", "=", "<", ">", ",", "-"];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let taken = if first == '\'' || first == '"' {
            let end = rest[1..].find(first).ok_or_else(|| format!("a quote {first} is never closed"))?;
            tokens.push(Token::Text(rest[1..=end].to_owned()));
            end + 2
        } else if first.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            tokens.push(Token::Number(rest[..end].parse().map_err(|_| format!("{} is no number", &rest[..end]))?));
            end
        } else if first.is_alphabetic() || first == '_' {
            let in_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
            let end = rest.find(|c| !in_name(c)).unwrap_or(rest.len());
            tokens.push(Token::Name(rest[..end].to_owned()));
            end
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            sign.len()
        } else {
            return Err(format!("{first:?} means nothing here"));
        };
        rest = rest[taken..].trim_start();
    }
    Ok(tokens)
}

pub(super) fn parse(text: &str) -> Result<Expr, String> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Err("the expression is empty".to_owned());
    }
    let mut parser = Parser { tokens, at: 0, depth: 0 };
    let expr = parser.or()?;
    match parser.tokens.get(parser.at) {
        None => Ok(expr),
        Some(token) => Err(format!("there is more after the end: {}", shown(Some(token)))),
    }
}

fn shown(token: Option<&Token>) -> String {
    match token {
        None => "the expression ends too early".to_owned(),
        Some(Token::Name(name)) => format!("{name:?} does not fit"),
        Some(Token::Text(text)) => format!("the text '{text}' does not fit"),
        Some(Token::Number(number)) => format!("the number {number} does not fit"),
        Some(Token::Sign(sign)) => format!("'{sign}' does not fit"),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next_is(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(found)) if *found == sign)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.next_is(sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.take(sign) { Ok(()) } else { Err(format!("{}, {sign:?} should come here", shown(self.peek()))) }
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(name)) if name == word);
        self.at += usize::from(found);
        found
    }

    fn or(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("parts lie more than {MAX_DEPTH} deep in each other"));
        }
        let mut left = self.and()?;
        while self.take_word("or") {
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, String> {
        let mut left = self.comparison()?;
        while self.take_word("and") {
            left = Expr::And(Box::new(left), Box::new(self.comparison()?));
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Expr, String> {
        let left = self.union()?;
        let signs = [
            ("=", Comparison::Eq),
            ("!=", Comparison::Ne),
            ("<", Comparison::Lt),
            ("<=", Comparison::Le),
            (">", Comparison::Gt),
            (">=", Comparison::Ge),
        ];
        match signs.into_iter().find(|(sign, _)| self.take(sign)) {
            None => Ok(left),
            Some((_, op)) => Ok(Expr::Compare(Box::new(left), op, Box::new(self.union()?))),
        }
    }

    fn union(&mut self) -> Result<Expr, String> {
        let mut left = self.primary()?;
        while self.take("|") {
            left = Expr::Union(Box::new(left), Box::new(self.primary()?));
        }
        Ok(left)
    }

    fn primary(&mut self) -> Result<Expr, String> {
        let called = matches!(self.tokens.get(self.at + 1), Some(Token::Sign("(")));
        match self.peek() {
            Some(Token::Text(text)) => {
                let text = text.clone();
                self.at += 1;
                Ok(Expr::Text(text))
            }
            Some(&Token::Number(number)) => {
                self.at += 1;
                Ok(Expr::Number(number))
            }
            Some(Token::Sign("(")) => {
                self.at += 1;
                let inner = self.or()?;
                self.expect(")")?;
                let predicates = self.predicates()?;
                let mut steps = Vec::new();
                self.more_steps(&mut steps)?;
                match (predicates.is_empty(), steps.is_empty()) {
                    (true, true) => Ok(inner),
                    _ => Ok(Expr::Filter(Box::new(inner), predicates, steps)),
                }
            }
            Some(Token::Name(name)) if called && name != "node" => {
                let name = name.clone();
                self.call(&name)
            }
            _ => self.path().map(Expr::Path),
        }
    }

    fn call(&mut self, name: &str) -> Result<Expr, String> {
        let known: [(&str, Function, std::ops::RangeInclusive<usize>); 10] = [
            ("not", Function::Not, 1..=1),
            ("last", Function::Last, 0..=0),
            ("position", Function::Position, 0..=0),
            ("count", Function::Count, 1..=1),
            ("contains", Function::Contains, 2..=2),
            ("starts-with", Function::StartsWith, 2..=2),
            ("hasclass", Function::HasClass, 1..=10),
            ("name", Function::Name, 0..=0),
            ("true", Function::True, 0..=0),
            ("false", Function::False, 0..=0),
        ];
        let Some((_, function, takes)) = known.iter().find(|(known, _, _)| *known == name) else {
            let names: Vec<String> = known.iter().map(|(name, _, _)| format!("{name}()")).collect();
            return Err(match name {
                "text" => "text() cannot be looked for; name an element or an attribute".to_owned(),
                _ => format!("there is no function {name}; there are {}", names.join(", ")),
            });
        };
        self.at += 1;
        self.expect("(")?;
        let mut arguments = Vec::new();
        if !self.take(")") {
            loop {
                arguments.push(self.or()?);
                if !self.take(",") {
                    break;
                }
            }
            self.expect(")")?;
        }
        if takes.contains(&arguments.len()) {
            Ok(Expr::Call(*function, arguments))
        } else {
            Err(format!("{name}() does not take {} argument(s)", arguments.len()))
        }
    }

    fn path(&mut self) -> Result<Path, String> {
        let mut steps = Vec::new();
        let absolute = self.next_is("/") || self.next_is("//");
        if absolute {
            if self.take("//") {
                steps.push(anywhere());
            } else {
                self.at += 1;
                if !self.starts_step() {
                    return Ok(Path { absolute, steps });
                }
            }
        }
        steps.push(self.step()?);
        self.more_steps(&mut steps)?;
        Ok(Path { absolute, steps })
    }

    fn more_steps(&mut self, steps: &mut Vec<Step>) -> Result<(), String> {
        loop {
            if self.take("//") {
                steps.push(anywhere());
            } else if !self.take("/") {
                return Ok(());
            }
            steps.push(self.step()?);
        }
    }

    fn starts_step(&self) -> bool {
        matches!(self.peek(), Some(Token::Name(_) | Token::Sign("." | ".." | "@" | "*")))
    }

    fn step(&mut self) -> Result<Step, String> {
        if self.take("..") {
            return Ok(Step { axis: Axis::Parent, test: Test::Node, predicates: self.predicates()? });
        }
        if self.take(".") {
            return Ok(Step { axis: Axis::Itself, test: Test::Node, predicates: self.predicates()? });
        }
        let axis = self.axis()?;
        let test = match self.peek() {
            Some(Token::Sign("*")) => Test::Any,
            Some(Token::Name(name)) => match (name.as_str(), self.tokens.get(self.at + 1)) {
                ("node", Some(Token::Sign("("))) => {
                    self.at += 2;
                    self.expect(")")?;
                    // One back: the line below steps over a single token.
                    self.at -= 1;
                    Test::Node
                }
                ("text" | "comment", Some(Token::Sign("("))) => {
                    return Err(format!("{name}() cannot be looked for; name an element or an attribute"));
                }
                (name, _) => Test::Name(name.to_owned()),
            },
            other => return Err(format!("{}, an element's name or * should come here", shown(other))),
        };
        self.at += 1;
        Ok(Step { axis, test, predicates: self.predicates()? })
    }

    fn axis(&mut self) -> Result<Axis, String> {
        if self.take("@") {
            return Ok(Axis::Attribute);
        }
        let (Some(Token::Name(name)), Some(Token::Sign("::"))) = (self.peek(), self.tokens.get(self.at + 1)) else {
            return Ok(Axis::Child);
        };
        let axis = match name.as_str() {
            "ancestor" => Axis::Ancestor,
            "ancestor-or-self" => Axis::AncestorOrSelf,
            "attribute" => Axis::Attribute,
            "child" => Axis::Child,
            "descendant" => Axis::Descendant,
            "descendant-or-self" => Axis::DescendantOrSelf,
            "following" => Axis::Following,
            "following-sibling" => Axis::FollowingSibling,
            "parent" => Axis::Parent,
            "preceding" => Axis::Preceding,
            "preceding-sibling" => Axis::PrecedingSibling,
            "self" => Axis::Itself,
            other => return Err(format!("there is no axis {other}")),
        };
        self.at += 2;
        Ok(axis)
    }

    fn predicates(&mut self) -> Result<Vec<Expr>, String> {
        let mut predicates = Vec::new();
        while self.take("[") {
            predicates.push(self.or()?);
            self.expect("]")?;
        }
        Ok(predicates)
    }
}

fn anywhere() -> Step {
    Step { axis: Axis::DescendantOrSelf, test: Test::Node, predicates: Vec::new() }
}
