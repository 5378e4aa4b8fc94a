//! `multipart/form-data` (RFC 7578) as it arrives: parts are told piece by piece, so that a file is never held whole.

use std::collections::VecDeque;

/// Bytes of a part's headers.
const HEADERS: usize = 16 << 10;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    Begin { name: String, file: Option<String>, media_type: String },
    Data(Vec<u8>),
    End,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum MultipartError {
    #[error("the content type must be multipart/form-data with a boundary")]
    NoBoundary,
    #[error("the parts of the form are not as multipart/form-data asks")]
    Malformed,
    #[error("the form ends before its last part does")]
    CutShort,
}

enum State {
    /// Before a boundary that a part or the end follows.
    Boundary,
    Headers,
    Body,
    Done,
}

/// Bytes in, events out.
pub(super) struct Parser {
    /// `\r\n--boundary`
    mark: Vec<u8>,
    held: Vec<u8>,
    state: State,
    events: VecDeque<Event>,
}

impl Parser {
    pub(super) fn new(content_type: &str) -> Result<Parser, MultipartError> {
        let (kind, parameters) = content_type.split_once(';').ok_or(MultipartError::NoBoundary)?;
        if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
            return Err(MultipartError::NoBoundary);
        }
        let boundary = parameter(parameters, "boundary").ok_or(MultipartError::NoBoundary)?;
        if boundary.is_empty() || boundary.len() > 70 {
            return Err(MultipartError::NoBoundary);
        }
        let mark = format!("\r\n--{boundary}").into_bytes();
        // The first boundary has no line break before it.
        Ok(Parser { mark, held: b"\r\n".to_vec(), state: State::Boundary, events: VecDeque::new() })
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), MultipartError> {
        self.held.extend_from_slice(bytes);
        while self.step()? {}
        Ok(())
    }

    pub(super) fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// No more bytes come.
    pub(super) fn finish(&self) -> Result<(), MultipartError> {
        if matches!(self.state, State::Done) { Ok(()) } else { Err(MultipartError::CutShort) }
    }

    /// Whether something was done with what is held.
    fn step(&mut self) -> Result<bool, MultipartError> {
        match self.state {
            State::Done => {
                self.held.clear();
                Ok(false)
            }
            State::Boundary => {
                if self.held.len() < self.mark.len() + 2 {
                    return Ok(false);
                }
                if !self.held.starts_with(&self.mark) {
                    return Err(MultipartError::Malformed);
                }
                self.state = match &self.held[self.mark.len()..self.mark.len() + 2] {
                    b"\r\n" => State::Headers,
                    b"--" => State::Done,
                    _ => return Err(MultipartError::Malformed),
                };
                self.held.drain(..self.mark.len() + 2);
                Ok(true)
            }
            State::Headers => {
                let Some(end) = find(&self.held, b"\r\n\r\n") else {
                    return if self.held.len() > HEADERS { Err(MultipartError::Malformed) } else { Ok(false) };
                };
                let headers = String::from_utf8_lossy(&self.held[..end]).into_owned();
                self.held.drain(..end + 4);
                self.events.push_back(begin(&headers)?);
                self.state = State::Body;
                Ok(true)
            }
            State::Body => {
                if let Some(end) = find(&self.held, &self.mark) {
                    let rest = self.held.split_off(end);
                    let data = std::mem::replace(&mut self.held, rest);
                    if !data.is_empty() {
                        self.events.push_back(Event::Data(data));
                    }
                    self.events.push_back(Event::End);
                    self.state = State::Boundary;
                    return Ok(true);
                }
                // A boundary may lie across the border of two pieces.
                let sure = self.held.len().saturating_sub(self.mark.len());
                if sure > 0 {
                    let rest = self.held.split_off(sure);
                    self.events.push_back(Event::Data(std::mem::replace(&mut self.held, rest)));
                }
                Ok(false)
            }
        }
    }
}

fn begin(headers: &str) -> Result<Event, MultipartError> {
    let (mut name, mut file, mut media_type) = (None, None, String::new());
    for line in headers.split("\r\n") {
        let Some((header, value)) = line.split_once(':') else { continue };
        if header.trim().eq_ignore_ascii_case("content-disposition") {
            name = parameter(value, "name");
            file = parameter(value, "filename");
        } else if header.trim().eq_ignore_ascii_case("content-type") {
            media_type = value.trim().to_owned();
        }
    }
    Ok(Event::Begin { name: name.ok_or(MultipartError::Malformed)?, file, media_type })
}

/// `a; name="x"; ...`. Browsers write a quotation mark inside as `%22` or `\"`.
fn parameter(text: &str, wanted: &str) -> Option<String> {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([';', ' ', '\t']);
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(['=', ';']).unwrap_or(rest.len());
        let key = rest[..end].trim();
        if !rest[end..].starts_with('=') {
            rest = &rest[end..];
            continue;
        }
        rest = &rest[end + 1..];
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let mut value = String::new();
                let mut chars = quoted.char_indices();
                let mut after = "";
                while let Some((at, c)) = chars.next() {
                    match c {
                        '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
                        '"' => {
                            after = &quoted[at + 1..];
                            break;
                        }
                        c => value.push(c),
                    }
                }
                (value.replace("%22", "\""), after)
            }
            None => {
                let end = rest.find(';').unwrap_or(rest.len());
                (rest[..end].trim().to_owned(), &rest[end..])
            }
        };
        if key.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = after;
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|b| *b == first) {
        if text[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"xYz\"";

    type Part = (String, Option<String>, Vec<u8>);

    fn parse(pieces: &[&[u8]]) -> Result<Vec<Part>, MultipartError> {
        let mut parser = Parser::new(TYPE)?;
        let mut parts = Vec::new();
        for piece in pieces {
            parser.push(piece)?;
            while let Some(event) = parser.event() {
                match event {
                    Event::Begin { name, file, .. } => parts.push((name, file, Vec::new())),
                    Event::Data(data) => parts.last_mut().unwrap().2.extend(data),
                    Event::End => {}
                }
            }
        }
        parser.finish()?;
        Ok(parts)
    }

    fn form(content: &[u8]) -> Vec<u8> {
        let mut form = b"--xYz\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n7\r\n--xYz\r\n\
            Content-Disposition: form-data; name=\"ufile\"; filename=\"a \\\"b\\\"; c.csv\"\r\nContent-Type: text/csv\r\n\r\n"
            .to_vec();
        form.extend_from_slice(content);
        form.extend_from_slice(b"\r\n--xYz--\r\n");
        form
    }

    #[test]
    fn fields_and_files_are_told_apart() {
        let parts = parse(&[&form(b"name\r\n--xY\r\nAda\r\n")]).unwrap();
        assert_eq!(parts[0], ("id".into(), None, b"7".to_vec()));
        assert_eq!(parts[1], ("ufile".into(), Some("a \"b\"; c.csv".into()), b"name\r\n--xY\r\nAda\r\n".to_vec()));
    }

    #[test]
    fn a_form_that_is_cut_short_or_no_form_is_an_error() {
        let whole = form(b"x");
        assert_eq!(parse(&[&whole[..whole.len() - 8]]), Err(MultipartError::CutShort));
        assert_eq!(parse(&[b"hello, this is no form at all"]), Err(MultipartError::Malformed));
        assert!(matches!(Parser::new("text/csv"), Err(MultipartError::NoBoundary)));
        assert!(matches!(Parser::new("multipart/form-data; boundary="), Err(MultipartError::NoBoundary)));
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same_parts(content in prop::collection::vec(any::<u8>(), 0..300), size in 1usize..40) {
            let form = form(&content);
            let pieces: Vec<&[u8]> = form.chunks(size).collect();
            prop_assert_eq!(parse(&pieces), parse(&[&form]));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), kind in "\\PC{0,40}") {
            drop(parse(&[b"--xYz\r\n", &bytes]));
            drop(Parser::new(&format!("multipart/form-data;{kind}")));
        }
    }
}
