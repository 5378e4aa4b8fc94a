//! Trees that travel as JSON, XML or CBOR.

use std::fmt::Write;

/// Deeper than any message of a terminal; more is an attack on our stack.
pub(super) const DEPTH: usize = 32;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Tree {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn number(number: impl std::fmt::Display) -> Self {
        Self::Number(number.to_string())
    }

    pub(super) fn map<K: Into<String>>(rows: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Map(rows.into_iter().map(|(k, v)| (k.into(), v)).collect())
    }

    /// The value under `key`; of a list the first one that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(rows) => rows.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            Self::List(items) => items.iter().find_map(|item| item.get(key)),
            _ => None,
        }
    }

    /// `get` along a path with dots.
    pub(super) fn at(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |tree, key| tree.get(key))
    }

    /// Text, number or boolean as text.
    pub(super) fn str_at(&self, path: &str) -> Option<&str> {
        match self.at(path)? {
            Self::Text(text) | Self::Number(text) => Some(text),
            Self::Bool(true) => Some("true"),
            Self::Bool(false) => Some("false"),
            // An element with attributes keeps its text under the empty name.
            map @ Self::Map(_) => map.str_at(""),
            _ => None,
        }
    }

    pub(super) fn u64_at(&self, path: &str) -> Option<u64> {
        self.str_at(path)?.parse().ok()
    }

    /// What may stand once or many times.
    pub(super) fn all(&self, key: &str) -> &[Self] {
        match self.get(key) {
            Some(Self::List(items)) => items,
            Some(one) => std::slice::from_ref(one),
            None => &[],
        }
    }
}

pub(super) fn parse_json(text: &str) -> Option<Tree> {
    let mut reader = Json { rest: text };
    let tree = reader.value(0)?;
    reader.space();
    reader.rest.is_empty().then_some(tree)
}

struct Json<'a> {
    rest: &'a str,
}

impl Json<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn eat(&mut self, token: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: usize) -> Option<Tree> {
        if depth > DEPTH {
            return None;
        }
        if self.eat("{") {
            return self.map(depth);
        }
        if self.eat("[") {
            return self.list(depth);
        }
        for (word, tree) in [("null", Tree::Null), ("true", Tree::Bool(true)), ("false", Tree::Bool(false))] {
            if self.eat(word) {
                return Some(tree);
            }
        }
        if self.rest.starts_with('"') { self.string().map(Tree::Text) } else { self.number() }
    }

    fn map(&mut self, depth: usize) -> Option<Tree> {
        let mut rows = Vec::new();
        if self.eat("}") {
            return Some(Tree::Map(rows));
        }
        loop {
            self.space();
            let key = self.string()?;
            if !self.eat(":") {
                return None;
            }
            rows.push((key, self.value(depth + 1)?));
            if self.eat("}") {
                return Some(Tree::Map(rows));
            }
            if !self.eat(",") {
                return None;
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Tree> {
        let mut items = Vec::new();
        if self.eat("]") {
            return Some(Tree::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.eat("]") {
                return Some(Tree::List(items));
            }
            if !self.eat(",") {
                return None;
            }
        }
    }

    fn number(&mut self) -> Option<Tree> {
        let end = self.rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'));
        let (number, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        number.parse::<f64>().ok().filter(|n| n.is_finite())?;
        self.rest = rest;
        Some(Tree::Number(number.to_owned()))
    }

    fn string(&mut self) -> Option<String> {
        self.rest = self.rest.strip_prefix('"')?;
        let mut out = String::new();
        loop {
            let end = self.rest.find(['"', '\\'])?;
            out.push_str(&self.rest[..end]);
            let escaped = self.rest[end..].starts_with('\\');
            self.rest = &self.rest[end + 1..];
            if !escaped {
                return Some(out);
            }
            let code = self.rest.chars().next()?;
            self.rest = &self.rest[code.len_utf8()..];
            out.push(match code {
                '"' | '\\' | '/' => code,
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => self.escape()?,
                _ => return None,
            });
        }
    }

    fn escape(&mut self) -> Option<char> {
        let mut unit = || {
            let (hex, rest) = self.rest.split_at_checked(4)?;
            let unit = u16::from_str_radix(hex, 16).ok()?;
            self.rest = rest;
            Some(unit)
        };
        let first = unit()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(u32::from(first));
        }
        self.rest = self.rest.strip_prefix("\\u")?;
        let mut unit = || {
            let (hex, rest) = self.rest.split_at_checked(4)?;
            let unit = u16::from_str_radix(hex, 16).ok()?;
            self.rest = rest;
            Some(unit)
        };
        char::decode_utf16([first, unit()?]).next()?.ok()
    }
}

pub(super) fn write_json(tree: &Tree, out: &mut String) {
    match tree {
        Tree::Null | Tree::Bytes(_) => out.push_str("null"),
        Tree::Bool(true) => out.push_str("true"),
        Tree::Bool(false) => out.push_str("false"),
        Tree::Number(number) => out.push_str(number),
        Tree::Text(text) => string(text, out),
        Tree::List(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write_json(item, out);
            }
            out.push(']');
        }
        Tree::Map(rows) => {
            out.push('{');
            for (n, (key, value)) in rows.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                string(key, out);
                out.push(':');
                write_json(value, out);
            }
            out.push('}');
        }
    }
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if u32::from(c) < 0x20 => {
                // Writing to a string does not fail.
                write!(out, "\\u{:04x}", u32::from(c)).ok();
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn json_is_read_and_written() {
        let text = r#"{"a":[1,-2.50,true,null],"b":{"c":"\u00e9\ud83d\ude00 \"x\"\n"},"d":[],"e":{}}"#;
        let tree = parse_json(text).unwrap();
        assert_eq!(tree.str_at("b.c"), Some("é😀 \"x\"\n"));
        assert_eq!(tree.all("a")[1], Tree::Number("-2.50".into()));
        let mut again = String::new();
        write_json(&tree, &mut again);
        assert_eq!(parse_json(&again), Some(tree));
        for bad in ["", "{", "{\"a\" 1}", "[1,]", "\"\\ud800\"", "1 2", "nul", "\"abc", "--"] {
            assert_eq!(parse_json(bad), None, "{bad}");
        }
        assert_eq!(parse_json(&"[".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_fall_over(text in ".{0,200}") {
            parse_json(&text);
        }
    }
}
