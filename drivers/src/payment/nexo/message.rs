//! Messages of the Sale to POI protocol, as JSON and as XML.
//!
//! Both carry the same names. XML tells attributes from elements and keeps the schema's order; JSON has objects, with
//! arrays where the schema allows more than one.

use quick_xml::{
    Reader, Writer,
    events::{BytesEnd, BytesStart, BytesText, Event},
};

use crate::payment::tree::{DEPTH, Tree, parse_json, write_json};

/// What goes between box and terminal: four bytes of length, then the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Xml,
}

/// An element of a message that we send.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct El {
    name: &'static str,
    attributes: Vec<(&'static str, Tree)>,
    children: Vec<El>,
    text: Option<String>,
    /// JSON has an array here, also of one.
    many: bool,
    /// A list of words: JSON has an array of them.
    words: bool,
}

pub(super) fn el(name: &'static str) -> El {
    El { name, attributes: Vec::new(), children: Vec::new(), text: None, many: false, words: false }
}

impl El {
    pub(super) fn attr(self, name: &'static str, value: impl Into<String>) -> Self {
        self.tree(name, Tree::text(value))
    }

    /// A decimal number or a boolean: bare in JSON.
    pub(super) fn tree(mut self, name: &'static str, value: Tree) -> Self {
        self.attributes.push((name, value));
        self
    }

    pub(super) fn child(mut self, child: El) -> Self {
        self.children.push(child);
        self
    }

    pub(super) fn content(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    pub(super) fn many(mut self) -> Self {
        self.many = true;
        self
    }

    /// The content is a list of words.
    pub(super) fn words(mut self) -> Self {
        self.words = true;
        self
    }

    fn json(&self) -> Tree {
        if let (true, Some(text)) = (self.words, &self.text) {
            return Tree::List(text.split(' ').map(Tree::text).collect());
        }
        let mut rows: Vec<(String, Tree)> =
            self.attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        if let Some(text) = &self.text {
            if rows.is_empty() {
                return Tree::text(text.clone());
            }
            rows.push((self.name.to_owned(), Tree::text(text.clone())));
        }
        for child in &self.children {
            let value = child.json();
            match rows.iter_mut().find(|(name, _)| name == child.name) {
                Some((_, Tree::List(items))) => items.push(value),
                _ if child.many => rows.push((child.name.to_owned(), Tree::List(vec![value]))),
                _ => rows.push((child.name.to_owned(), value)),
            }
        }
        Tree::Map(rows)
    }

    fn xml(&self, out: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let mut start = BytesStart::new(self.name);
        for (name, value) in &self.attributes {
            let text = match value {
                Tree::Text(text) | Tree::Number(text) => text.as_str(),
                Tree::Bool(true) => "true",
                _ => "false",
            };
            start.push_attribute((*name, text));
        }
        out.write_event(Event::Start(start))?;
        if let Some(text) = &self.text {
            out.write_event(Event::Text(BytesText::new(text)))?;
        }
        for child in &self.children {
            child.xml(out)?;
        }
        out.write_event(Event::End(BytesEnd::new(self.name)))
    }
}

/// The message as it stands on the wire, its length in front (nexo "Sale to POI Transport Protocols", TCP).
pub(super) fn frame(format: Format, message: &El) -> Vec<u8> {
    let body = match format {
        Format::Json => {
            let mut text = String::new();
            write_json(&Tree::map([(message.name, message.json())]), &mut text);
            text.into_bytes()
        }
        Format::Xml => {
            let mut out = Writer::new(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_vec());
            // Writing to memory does not fail.
            message.xml(&mut out).ok();
            out.into_inner()
        }
    };
    [&(body.len() as u32).to_be_bytes(), body.as_slice()].concat()
}

/// Longer than any receipt; what claims more is none of ours.
const LONGEST: usize = 1 << 20;

/// Cuts the stream into messages.
#[derive(Debug, Default)]
pub(super) struct Frames(Vec<u8>);

#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Frames {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The next message's body.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        let Some((head, _)) = self.0.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*head) as usize;
        if length > LONGEST {
            return Err(TooLong);
        }
        if self.0.len() < 4 + length {
            return Ok(None);
        }
        let rest = self.0.split_off(4 + length);
        let whole = std::mem::replace(&mut self.0, rest);
        Ok(Some(whole[4..].to_vec()))
    }
}

/// A message as a tree; JSON or XML, whichever it is.
pub(super) fn parse(body: &[u8]) -> Option<Tree> {
    let text = std::str::from_utf8(body).ok()?.trim_start_matches('\u{feff}').trim();
    if text.starts_with('<') { parse_xml(text) } else { parse_json(text) }
}

fn parse_xml(text: &str) -> Option<Tree> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = vec![(String::new(), Vec::new(), String::new())];
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                if open.len() > DEPTH {
                    return None;
                }
                open.push(element(&start)?);
            }
            Event::Empty(start) => {
                let (name, rows, text) = element(&start)?;
                put(&mut open, name, rows, text)?;
            }
            Event::End(_) => {
                let (name, rows, text) = open.pop()?;
                put(&mut open, name, rows, text)?;
            }
            Event::Text(content) => open.last_mut()?.2.push_str(&content),
            Event::CData(content) => open.last_mut()?.2.push_str(&content),
            Event::GeneralRef(reference) => {
                let c = match reference.resolve_char_ref().ok()? {
                    Some(c) => c.to_string(),
                    None => quick_xml::escape::resolve_predefined_entity(&reference)?.to_owned(),
                };
                open.last_mut()?.2.push_str(&c);
            }
            Event::Eof => break,
            // A document type could name entities of its own.
            Event::DocType(_) => return None,
            _ => {}
        }
    }
    let (_, rows, _) = open.pop().filter(|_| open.is_empty())?;
    Some(Tree::Map(rows))
}

type Open = (String, Vec<(String, Tree)>, String);

fn element(start: &BytesStart<'_>) -> Option<Open> {
    let local = |name: quick_xml::name::LocalName<'_>| name.as_ref().to_owned();
    let mut rows = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        let value = quick_xml::escape::unescape(&attribute.value).ok()?.into_owned();
        rows.push((local(attribute.key.local_name()), Tree::Text(value)));
    }
    Some((local(start.name().local_name()), rows, String::new()))
}

fn put(open: &mut [Open], name: String, mut rows: Vec<(String, Tree)>, text: String) -> Option<()> {
    // Between elements white space is layout.
    let text = text.trim().to_owned();
    let value = match (rows.is_empty(), text.is_empty()) {
        (true, _) => Tree::Text(text),
        (false, true) => Tree::Map(rows),
        (false, false) => {
            rows.push((String::new(), Tree::Text(text)));
            Tree::Map(rows)
        }
    };
    let siblings = &mut open.last_mut()?.1;
    match siblings.iter_mut().find(|(n, _)| *n == name) {
        Some((_, Tree::List(items))) => items.push(value),
        Some((_, one)) => *one = Tree::List(vec![std::mem::replace(one, Tree::Null), value]),
        None => siblings.push((name, value)),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message() -> El {
        el("SaleToPOIRequest").child(el("MessageHeader").attr("SaleID", "A&\"B").attr("POIID", "P")).child(
            el("PaymentRequest")
                .tree("Ok", Tree::Bool(true))
                .child(el("Row").attr("N", "1").many())
                .child(el("Row").attr("N", "2").many())
                .child(el("Note").content("1 < 2 & 3")),
        )
    }

    #[test]
    fn json_and_xml_carry_the_same_names_and_values() {
        for format in [Format::Json, Format::Xml] {
            let mut frames = Frames::default();
            for byte in frame(format, &message()) {
                assert_eq!(frames.next(), Ok(None));
                frames.push(&[byte]);
            }
            let tree = parse(&frames.next().unwrap().unwrap()).unwrap();
            assert_eq!(tree.str_at("SaleToPOIRequest.MessageHeader.SaleID"), Some("A&\"B"), "{format:?}");
            assert_eq!(tree.str_at("SaleToPOIRequest.PaymentRequest.Ok"), Some("true"));
            assert_eq!(tree.str_at("SaleToPOIRequest.PaymentRequest.Note"), Some("1 < 2 & 3"));
            let rows = tree.at("SaleToPOIRequest.PaymentRequest").unwrap().all("Row");
            assert_eq!(rows.iter().filter_map(|r| r.str_at("N")).collect::<Vec<_>>(), ["1", "2"]);
        }
    }

    #[test]
    fn a_length_beyond_reason_is_refused_before_it_is_waited_for() {
        let mut frames = Frames::default();
        frames.push(b"GET / HTTP/1.1");
        assert_eq!(frames.next(), Err(TooLong));
    }

    #[test]
    fn entities_of_a_document_type_are_not_expanded() {
        assert_eq!(parse(b"<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>"), None);
        assert_eq!(parse("<a>".repeat(1000).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_fall_over(bytes in proptest::collection::vec(any::<u8>(), 0..200), xml in "(<[ab/]?[ab]? ?(x=\"1\")?/?>|&lt;|x){0,20}") {
            parse(&bytes);
            parse(xml.as_bytes());
            let mut frames = Frames::default();
            frames.push(&bytes);
            frames.next().ok();
        }
    }
}
