//! XML-RPC <-> JSON values. Lenient in what it reads, as clients are; strict in what it writes.
//!
//! | XML | JSON |
//! |---|---|
//! | `i4`, `int`, `i8` and kin | number |
//! | `double`, `float` | number |
//! | `boolean` | boolean |
//! | `string`, a bare `value` | string |
//! | `base64` | string: the base64 text, as binary fields have it |
//! | `dateTime.iso8601` | string: `YYYY-MM-DD HH:MM:SS`, as datetime fields have it |
//! | `nil` | null |
//! | `array`, `struct` | array, object |

use std::borrow::Cow;

use data_encoding::{BASE64, Specification};
use quick_xml::{Reader, events::Event};
use serde_json::{Map, Number, Value};

/// Structures inside each other. Domains and commands have a handful; JSON bodies stop at 128.
const DEEPEST: usize = 64;
const LARGEST_INT: i64 = i32::MAX as i64;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum XmlError {
    #[error("the body is no XML that can be read: {0}")]
    Syntax(String),
    #[error("the body is not an XML-RPC call: {0}")]
    Shape(String),
    #[error("values are nested more than {DEEPEST} deep")]
    Deep,
    #[error("{0:?} is not {1}")]
    Value(String, &'static str),
    #[error("cannot marshal None unless allow_none is enabled")]
    None,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) params: Vec<Value>,
}

enum Token<'a> {
    Open(Cow<'a, str>),
    Close,
    Text(Cow<'a, str>),
    End,
}

struct Parser<'a>(Reader<&'a [u8]>);

fn syntax(error: impl std::fmt::Display) -> XmlError {
    XmlError::Syntax(error.to_string().chars().take(200).collect())
}

fn shape(text: impl Into<String>) -> XmlError {
    XmlError::Shape(text.into())
}

/// The text of a body, by its XML declaration: UTF-8, or Latin-1 as some old libraries write.
fn text_of(body: &[u8]) -> Result<Cow<'_, str>, XmlError> {
    match std::str::from_utf8(body) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(error) => {
            let head = String::from_utf8_lossy(&body[..body.len().min(100)]).to_ascii_lowercase();
            match head.contains("iso-8859-1") || head.contains("latin-1") {
                true => Ok(Cow::Owned(body.iter().map(|&byte| char::from(byte)).collect())),
                false => Err(syntax(error)),
            }
        }
    }
}

/// A `methodCall`.
pub(crate) fn parse_call(body: &[u8]) -> Result<Call, XmlError> {
    let text = text_of(body)?;
    let mut reader = Reader::from_str(&text);
    reader.config_mut().expand_empty_elements = true;
    let mut parser = Parser(reader);
    parser.open("methodCall")?;
    parser.open("methodName")?;
    let method = parser.text()?.trim().to_owned();
    let mut params = Vec::new();
    loop {
        match parser.skip_blank()? {
            // Without arguments, `params` may be missing.
            Token::Close => break,
            Token::Open(name) if name == "params" => loop {
                match parser.skip_blank()? {
                    Token::Open(name) if name == "param" => {
                        parser.open("value")?;
                        params.push(parser.value(0)?);
                        parser.close()?;
                    }
                    Token::Close => break,
                    _ => return Err(shape("only param belongs into params")),
                }
            },
            _ => return Err(shape("only params follows methodName")),
        }
    }
    Ok(Call { method, params })
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Result<Token<'a>, XmlError> {
        loop {
            return Ok(match self.0.read_event().map_err(syntax)? {
                Event::Start(start) => {
                    // Prefixes (`ex:nil`) are decoration.
                    let name = start.local_name();
                    Token::Open(Cow::Owned(AsRef::<str>::as_ref(&name).to_owned()))
                }
                Event::End(_) => Token::Close,
                Event::Text(text) => Token::Text(text.xml10_content()),
                Event::CData(text) => Token::Text(text.xml10_content()),
                Event::GeneralRef(entity) => Token::Text(Cow::Owned(resolve(&entity)?)),
                Event::Eof => Token::End,
                Event::DocType(_) => return Err(shape("a document type has no place in a call")),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
            });
        }
    }

    fn skip_blank(&mut self) -> Result<Token<'a>, XmlError> {
        loop {
            match self.next()? {
                Token::Text(text) if text.trim().is_empty() => {}
                token => return Ok(token),
            }
        }
    }

    fn open(&mut self, wanted: &str) -> Result<(), XmlError> {
        match self.skip_blank()? {
            Token::Open(name) if name == wanted => Ok(()),
            _ => Err(shape(format!("{wanted} is missing"))),
        }
    }

    fn close(&mut self) -> Result<(), XmlError> {
        match self.skip_blank()? {
            Token::Close => Ok(()),
            _ => Err(shape("an element holds more than it should")),
        }
    }

    /// To the end of the element, which holds only text.
    fn text(&mut self) -> Result<String, XmlError> {
        let mut all = String::new();
        loop {
            match self.next()? {
                Token::Text(text) => all.push_str(&text),
                Token::Close => return Ok(all),
                _ => return Err(shape("a text holds an element")),
            }
        }
    }

    /// What a `value` that was opened holds, to its end.
    fn value(&mut self, depth: usize) -> Result<Value, XmlError> {
        if depth > DEEPEST {
            return Err(XmlError::Deep);
        }
        let mut bare = String::new();
        let name = loop {
            match self.next()? {
                Token::Text(text) => bare.push_str(&text),
                Token::Close => return Ok(Value::String(bare)),
                Token::Open(name) => break name,
                Token::End => return Err(shape("the body ends in the middle of a value")),
            }
        };
        if !bare.trim().is_empty() {
            return Err(shape("a value holds text beside its element"));
        }
        let value = match name.as_ref() {
            "string" => Value::String(self.text()?),
            "int" | "i4" | "i8" | "i1" | "i2" | "biginteger" => integer(&self.text()?)?,
            "double" | "float" | "bigdecimal" => float(&self.text()?)?,
            "boolean" => boolean(&self.text()?)?,
            "base64" => binary(&self.text()?)?,
            "dateTime.iso8601" => datetime(&self.text()?)?,
            "nil" => match self.text()?.trim().is_empty() {
                true => Value::Null,
                false => return Err(shape("nil holds something")),
            },
            "array" => self.array(depth)?,
            "struct" => self.structure(depth)?,
            other => return Err(shape(format!("{} is no type", other.chars().take(30).collect::<String>()))),
        };
        self.close()?;
        Ok(value)
    }

    fn array(&mut self, depth: usize) -> Result<Value, XmlError> {
        self.open("data")?;
        let mut items = Vec::new();
        loop {
            match self.skip_blank()? {
                Token::Open(name) if name == "value" => items.push(self.value(depth + 1)?),
                Token::Close => break,
                _ => return Err(shape("an array holds values only")),
            }
        }
        self.close()?;
        Ok(Value::Array(items))
    }

    fn structure(&mut self, depth: usize) -> Result<Value, XmlError> {
        let mut members = Map::new();
        loop {
            match self.skip_blank()? {
                Token::Open(name) if name == "member" => {
                    self.open("name")?;
                    let name = self.text()?;
                    self.open("value")?;
                    let value = self.value(depth + 1)?;
                    members.insert(name, value);
                    self.close()?;
                }
                Token::Close => return Ok(Value::Object(members)),
                _ => return Err(shape("a struct holds members only")),
            }
        }
    }
}

fn resolve(entity: &quick_xml::events::BytesRef<'_>) -> Result<String, XmlError> {
    if let Some(character) = entity.resolve_char_ref().map_err(syntax)? {
        return Ok(character.to_string());
    }
    match quick_xml::escape::resolve_predefined_entity(entity) {
        Some(text) => Ok(text.to_owned()),
        None => Err(shape("an entity is used that XML does not have by itself")),
    }
}

fn integer(text: &str) -> Result<Value, XmlError> {
    match text.trim().parse::<i64>() {
        Ok(number) => Ok(number.into()),
        Err(_) => Err(XmlError::Value(short(text), "an integer")),
    }
}

fn float(text: &str) -> Result<Value, XmlError> {
    let number = text.trim().parse::<f64>().ok().and_then(Number::from_f64);
    number.map(Value::Number).ok_or_else(|| XmlError::Value(short(text), "a number"))
}

fn boolean(text: &str) -> Result<Value, XmlError> {
    match text.trim() {
        "1" | "true" | "True" => Ok(true.into()),
        "0" | "false" | "False" => Ok(false.into()),
        other => Err(XmlError::Value(short(other), "a boolean: 0 or 1")),
    }
}

fn binary(text: &str) -> Result<Value, XmlError> {
    let mut lenient = Specification::new();
    lenient.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    lenient.padding = Some('=');
    lenient.ignore.push_str(" \t\r\n");
    let encoding = lenient.encoding().map_err(|_| XmlError::Value(short(text), "base64"))?;
    match encoding.decode(text.as_bytes()) {
        Ok(bytes) => Ok(BASE64.encode(&bytes).into()),
        Err(_) => Err(XmlError::Value(short(text), "base64")),
    }
}

/// `20261122T10:30:00` as the specification has it, and the forms with dashes, fractions and zones that some send.
fn datetime(text: &str) -> Result<Value, XmlError> {
    let wrong = || XmlError::Value(short(text), "a date and time such as 20261122T10:30:00");
    let trimmed = text.trim();
    let (date, time) = trimmed.split_once(['T', ' ']).ok_or_else(wrong)?;
    let digits: String = date.chars().filter(|c| *c != '-').collect();
    if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let form = format!("{}-{}-{}T{time}", &digits[..4], &digits[4..6], &digits[6..]);
    let at: jiff::civil::DateTime = match form.parse::<jiff::Timestamp>() {
        // With a zone.
        Ok(at) => at.to_zoned(jiff::tz::TimeZone::UTC).datetime(),
        Err(_) => form.parse().map_err(|_| wrong())?,
    };
    Ok(at.strftime("%Y-%m-%d %H:%M:%S").to_string().into())
}

fn short(text: &str) -> String {
    text.trim().chars().take(40).collect()
}

/// A `methodResponse`. A null has no form that every client reads, so that a method which answers nothing is a fault,
/// as clients of this protocol know it.
pub(crate) fn response(value: &Value) -> Result<String, XmlError> {
    let mut out = String::with_capacity(512);
    out.push_str("<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n");
    write_value(&mut out, value)?;
    out.push_str("</param>\n</params>\n</methodResponse>\n");
    Ok(out)
}

/// What a fault says: numbers on `/xmlrpc/2`, texts on `/xmlrpc`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FaultCode {
    Number(i32),
    Text(String),
}

pub(crate) fn fault(code: &FaultCode, text: &str) -> String {
    let mut out = String::with_capacity(512);
    out.push_str(
        "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n<name>faultCode</name>\n",
    );
    match code {
        FaultCode::Number(number) => out.push_str(&format!("<value><int>{number}</int></value>\n")),
        FaultCode::Text(text) => write_string(&mut out, text),
    }
    out.push_str("</member>\n<member>\n<name>faultString</name>\n");
    write_string(&mut out, text);
    out.push_str("</member>\n</struct></value>\n</fault>\n</methodResponse>\n");
    out
}

fn write_value(out: &mut String, value: &Value) -> Result<(), XmlError> {
    match value {
        Value::Null => return Err(XmlError::None),
        Value::Bool(true) => out.push_str("<value><boolean>1</boolean></value>\n"),
        Value::Bool(false) => out.push_str("<value><boolean>0</boolean></value>\n"),
        Value::Number(number) => match number.as_i64() {
            // `int` is 32 bits wide by the specification; `i8` is what libraries have for more.
            Some(int) if (-LARGEST_INT - 1..=LARGEST_INT).contains(&int) => {
                out.push_str(&format!("<value><int>{int}</int></value>\n"));
            }
            Some(int) => out.push_str(&format!("<value><i8>{int}</i8></value>\n")),
            None => out.push_str(&format!("<value><double>{number}</double></value>\n")),
        },
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push_str("<value><array><data>\n");
            for item in items {
                write_value(out, item)?;
            }
            out.push_str("</data></array></value>\n");
        }
        Value::Object(members) => {
            out.push_str("<value><struct>\n");
            for (name, value) in members {
                out.push_str("<member>\n<name>");
                escape(out, name);
                out.push_str("</name>\n");
                write_value(out, value)?;
                out.push_str("</member>\n");
            }
            out.push_str("</struct></value>\n");
        }
    }
    Ok(())
}

fn write_string(out: &mut String, text: &str) {
    out.push_str("<value><string>");
    escape(out, text);
    out.push_str("</string></value>\n");
}

/// Control characters have no place in XML, not even escaped; a carriage return would be read as a line feed.
fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(character),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests;
