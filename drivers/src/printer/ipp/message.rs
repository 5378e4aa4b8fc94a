//! IPP messages (RFC 8010): what is asked, and what is answered.

use std::collections::BTreeMap;

pub(super) const PRINT_JOB: u16 = 0x0002;
pub(super) const GET_JOB_ATTRIBUTES: u16 = 0x0009;
pub(super) const GET_JOBS: u16 = 0x000a;
pub(super) const GET_PRINTER_ATTRIBUTES: u16 = 0x000b;

const OPERATION: u8 = 1;
const END: u8 = 3;
const INTEGER: u8 = 0x21;
const ENUM: u8 = 0x23;
const NAME: u8 = 0x42;
const KEYWORD: u8 = 0x44;
const URI: u8 = 0x45;
const CHARSET: u8 = 0x47;
const LANGUAGE: u8 = 0x48;
const MIME: u8 = 0x49;

/// A request being written.
pub(super) struct Request(Vec<u8>);

impl Request {
    /// Version 2.0, with the attributes every request begins with.
    pub(super) fn new(operation: u16, number: u32, uri: &str) -> Self {
        let mut request = Self(vec![2, 0]);
        request.0.extend_from_slice(&operation.to_be_bytes());
        request.0.extend_from_slice(&number.to_be_bytes());
        request.0.push(OPERATION);
        request.text(CHARSET, "attributes-charset", "utf-8");
        request.text(LANGUAGE, "attributes-natural-language", "en");
        request.text(URI, "printer-uri", uri);
        request.text(NAME, "requesting-user-name", "iot-box");
        request
    }

    pub(super) fn name(mut self, attribute: &str, value: &str) -> Self {
        self.text(NAME, attribute, value);
        self
    }

    pub(super) fn mime(mut self, attribute: &str, value: &str) -> Self {
        self.text(MIME, attribute, value);
        self
    }

    pub(super) fn keywords(mut self, attribute: &str, values: &[&str]) -> Self {
        for (at, value) in values.iter().enumerate() {
            // Further values have no name.
            self.text(KEYWORD, if at == 0 { attribute } else { "" }, value);
        }
        self
    }

    pub(super) fn integer(mut self, attribute: &str, value: i32) -> Self {
        self.value(INTEGER, attribute, &value.to_be_bytes());
        self
    }

    pub(super) fn bytes(mut self) -> Vec<u8> {
        self.0.push(END);
        self.0
    }

    fn text(&mut self, tag: u8, name: &str, value: &str) {
        let end = value.floor_char_boundary(255);
        self.value(tag, name, &value.as_bytes()[..end]);
    }

    fn value(&mut self, tag: u8, name: &str, value: &[u8]) {
        self.0.push(tag);
        for part in [name.as_bytes(), value] {
            self.0.extend_from_slice(&(part.len() as u16).to_be_bytes());
            self.0.extend_from_slice(part);
        }
    }
}

/// Attributes of one group, each with its values as text; numbers in decimal.
pub(super) type Group = BTreeMap<String, Vec<String>>;

#[derive(Debug, Default, PartialEq)]
pub(super) struct Response {
    pub(super) status: u16,
    /// By tag of the group: 2 jobs, 4 printer; in their order.
    pub(super) groups: Vec<(u8, Group)>,
}

impl Response {
    pub(super) fn is_successful(&self) -> bool {
        self.status < 0x0100
    }

    pub(super) fn all(&self, attribute: &str) -> &[String] {
        self.groups.iter().find_map(|(_, group)| group.get(attribute)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn first(&self, attribute: &str) -> Option<&str> {
        self.all(attribute).first().map(String::as_str)
    }
}

/// `None`: it is no IPP.
pub(super) fn parse(bytes: &[u8]) -> Option<Response> {
    let mut rest = bytes.get(8..)?;
    let mut response = Response { status: u16::from_be_bytes([bytes[2], bytes[3]]), groups: Vec::new() };
    let mut last = String::new();
    let mut depth = 0;
    loop {
        let (&tag, tail) = rest.split_first()?;
        rest = tail;
        match tag {
            END => return Some(response),
            0..=0x0f => response.groups.push((tag, Group::new())),
            _ => {
                let name = take(&mut rest)?;
                let value = take(&mut rest)?;
                // Collections are passed over, with what they hold.
                match tag {
                    0x34 => depth += 1,
                    0x37 => depth -= 1,
                    _ => {}
                }
                if !name.is_empty() && depth <= 1 {
                    last = String::from_utf8_lossy(name).into_owned();
                }
                if depth > 0 || matches!(tag, 0x34 | 0x37) {
                    continue;
                }
                let value = match (tag, value) {
                    (INTEGER | ENUM, &[a, b, c, d]) => i32::from_be_bytes([a, b, c, d]).to_string(),
                    (0x22, &[flag]) => (flag != 0).to_string(),
                    _ => String::from_utf8_lossy(value).into_owned(),
                };
                let (_, group) = response.groups.last_mut()?;
                group.entry(last.clone()).or_default().push(value);
            }
        }
    }
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, tail) = rest.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (value, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    Some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_reads_back_as_it_was_written() {
        let request = Request::new(GET_JOBS, 7, "ipp://192.0.2.1/ipp/print")
            .keywords("requested-attributes", &["job-id", "job-name"])
            .integer("limit", 50);
        let bytes = request.bytes();
        assert_eq!(bytes[..8], [2, 0, 0, 0x0a, 0, 0, 0, 7]);
        let read = parse(&bytes).unwrap();
        assert_eq!(read.first("printer-uri"), Some("ipp://192.0.2.1/ipp/print"));
        assert_eq!(read.all("requested-attributes"), ["job-id", "job-name"]);
        assert_eq!(read.first("limit"), Some("50"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes).map(|r| r.is_successful());
            let framed = [&[2, 0, 0, 0, 0, 0, 0, 1, 4][..], &bytes].concat();
            let _ = parse(&framed).map(|r| r.all("x").len());
        }
    }
}
