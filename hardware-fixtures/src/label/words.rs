//! Readers of ZPL, EPL, TSPL and DYMO's raster.

use super::{
    Query, Reader, Understood,
    parse::{Page, zpl_graphic},
};

const ESC: u8 = 0x1b;
const SYN: u8 = 0x16;

/// ZPL is text: commands begin with `^` or `~` and go up to the next of these.
pub(super) struct Zpl {
    page: Page,
    word: Vec<u8>,
    confirms: bool,
    at: (usize, usize),
    field: Option<(u32, String)>,
    data: String,
    texts: Vec<String>,
    then: Vec<u8>,
    copies: usize,
    inside: bool,
}

impl Zpl {
    pub(super) fn new(dots: usize, confirms: bool) -> Self {
        Self {
            page: Page::new(dots),
            word: Vec::new(),
            confirms,
            at: (0, 0),
            field: None,
            data: String::new(),
            texts: Vec::new(),
            then: Vec::new(),
            copies: 1,
            inside: false,
        }
    }

    fn finish(&mut self, out: &mut Vec<Understood>) {
        let word = std::mem::take(&mut self.word);
        let text = String::from_utf8_lossy(&word).trim_end_matches(['\r', '\n']).to_owned();
        let Some((name, rest)) = text.split_at_checked(3) else {
            if !text.trim().is_empty() {
                out.push(Understood::Problem(text));
            }
            return;
        };
        match name {
            "~HS" => out.push(Understood::Query(Query::ZplHostStatus)),
            "^XA" => (self.inside, self.copies, self.at) = (true, 1, (0, 0)),
            "^FO" | "^FT" => {
                let mut numbers = rest.split(',').map(|n| n.trim().parse().unwrap_or(0));
                self.at = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
            }
            "^FD" => rest.clone_into(&mut self.data),
            "^FN" => self.field = rest.parse().ok().map(|n| (n, String::new())),
            "^FS" => {
                match &mut self.field {
                    Some((_, text)) if text.is_empty() => text.clone_from(&self.data),
                    _ if !self.data.is_empty() && self.at.0 < 32_000 => self.texts.push(self.data.clone()),
                    _ => {}
                }
                self.data.clear();
            }
            "^PQ" => self.copies = rest.split(',').next().and_then(|n| n.parse().ok()).unwrap_or(1),
            "^GF" => self.graphic(rest, out),
            "^HV" => self.verify(rest),
            "^XZ" if self.inside => {
                self.inside = false;
                let (text, then) = (std::mem::take(&mut self.texts).join("\n"), std::mem::take(&mut self.then));
                let (sheet, copies) = (self.page.take(), self.copies);
                self.field = None;
                out.push(Understood::Print { sheet, text, copies, then });
            }
            "^PW" | "^LL" | "^LH" | "^FH" | "^CI" | "^FX" => {}
            _ if name.starts_with("^A") || name.starts_with("^B") => {}
            _ => out.push(Understood::Problem(text)),
        }
    }

    fn graphic(&mut self, rest: &str, out: &mut Vec<Understood>) {
        let mut parts = rest.splitn(5, ',');
        let (format, _, total) = (parts.next(), parts.next(), parts.next().and_then(|n| n.parse::<usize>().ok()));
        let row_bytes = parts.next().and_then(|n| n.parse::<usize>().ok()).filter(|n| *n > 0);
        let data = row_bytes.zip(parts.next()).and_then(|(row, data)| zpl_graphic(data, row));
        match (format, row_bytes, total, data) {
            (Some("A"), Some(row_bytes), Some(total), Some(data)) if data.len() == total => {
                self.page.place(self.at.0, self.at.1, row_bytes, &data, 1);
            }
            _ => out.push(Understood::Problem("^GF".to_owned())),
        }
    }

    /// `#,n,header,end,L`; `_0D` in header and end is a byte.
    fn verify(&mut self, rest: &str) {
        let parts: Vec<&str> = rest.split(',').collect();
        let (Some((number, value)), true) = (&self.field, self.confirms) else { return };
        if parts.first().and_then(|n| n.parse().ok()) != Some(*number) {
            return;
        }
        let part = |at: usize| unescape(parts.get(at).copied().unwrap_or_default());
        let length = parts.get(1).and_then(|n| n.parse().ok()).unwrap_or(64);
        self.then = [part(2), value.bytes().take(length).collect(), part(3)].concat();
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|h| std::str::from_utf8(h).ok()).and_then(|h| u8::from_str_radix(h, 16).ok());
        match hex.filter(|_| *byte == b'_') {
            Some(value) => {
                out.push(value);
                rest = &tail[2..];
            }
            None => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
    out
}

impl Reader for Zpl {
    fn push(&mut self, byte: u8, out: &mut Vec<Understood>) {
        // A command ends where the next begins; the end of a format and a question are known by themselves.
        if matches!(byte, b'^' | b'~') && !self.word.is_empty() {
            self.finish(out);
        }
        if self.word.is_empty() && matches!(byte, b'\r' | b'\n' | b' ') {
            return;
        }
        self.word.push(byte);
        if matches!(self.word.as_slice(), b"^XZ" | b"~HS") {
            self.finish(out);
        }
    }

    fn reset(&mut self) {
        *self = Self::new(self.page.take().width, self.confirms);
    }
}

/// EPL and TSPL: lines of text, and rows of dots in between, as many as the line before them says.
pub(super) struct Lines {
    dots: usize,
    page: Page,
    line: Vec<u8>,
    /// Bytes of dots that are still to come, with left, top and bytes a row.
    picture: Option<(usize, [usize; 3], Vec<u8>)>,
    tspl: bool,
}

impl Lines {
    pub(super) fn epl(dots: usize) -> Self {
        Self { dots, page: Page::new(dots), line: Vec::new(), picture: None, tspl: false }
    }

    pub(super) fn tspl(dots: usize) -> Self {
        Self { tspl: true, ..Self::epl(dots) }
    }

    /// `GWx,y,bytes,rows,` and `BITMAP x,y,bytes,rows,mode,` end with a comma, and dots follow.
    fn picture_begins(&mut self) {
        let Ok(text) = std::str::from_utf8(&self.line) else { return };
        let (numbers, wanted) = match (text.strip_prefix("GW"), text.strip_prefix("BITMAP ")) {
            (Some(rest), _) if !self.tspl => (rest, 4),
            (_, Some(rest)) if self.tspl => (rest, 5),
            _ => return,
        };
        if !numbers.ends_with(',') || numbers.matches(',').count() != wanted {
            return;
        }
        let numbers: Vec<usize> = numbers.split(',').filter_map(|n| n.trim().parse().ok()).collect();
        if numbers.len() == wanted {
            self.line.clear();
            self.picture = Some((numbers[2] * numbers[3], [numbers[0], numbers[1], numbers[2]], Vec::new()));
        }
    }

    fn finish(&mut self, out: &mut Vec<Understood>) {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        let word: String = text.chars().take_while(|c| c.is_ascii_alphabetic() || *c == '^').collect();
        let copies = |rest: &str| rest.split(',').next().and_then(|n| n.trim().parse().ok()).unwrap_or(1);
        match (self.tspl, word.as_str()) {
            (_, "") => {}
            (false, "N") | (true, "CLS") => self.page = Page::new(self.dots),
            (false, "P") | (true, "PRINT") => {
                let copies = copies(&text[word.len()..]);
                let (sheet, text) = (self.page.clone().take(), String::new());
                let then = if self.tspl { Vec::new() } else { vec![0x06] };
                out.push(Understood::Print { sheet, text, copies, then });
            }
            (false, "US") => out.push(Understood::Query(Query::EplReport)),
            (false, "^ee") => out.push(Understood::Query(Query::EplErrors)),
            (false, "q" | "Q" | "S" | "D" | "Z") | (true, "SIZE" | "GAP" | "DIRECTION" | "REFERENCE") => {}
            _ => out.push(Understood::Problem(text)),
        }
    }
}

impl Reader for Lines {
    fn push(&mut self, byte: u8, out: &mut Vec<Understood>) {
        if let Some((missing, [left, top, row_bytes], data)) = &mut self.picture {
            data.push(byte);
            *missing -= 1;
            if *missing == 0 {
                // A one is white in both languages.
                self.page.place(*left, *top, *row_bytes, data, 0);
                self.picture = None;
            }
            return;
        }
        if byte == b'\n' || byte == b'\r' {
            return self.finish(out);
        }
        self.line.push(byte);
        if self.tspl && self.line.ends_with(b"\x1b!?") {
            self.line.truncate(self.line.len() - 3);
            return out.push(Understood::Query(Query::TsplStatus));
        }
        if byte == b',' {
            self.picture_begins();
        }
    }

    fn reset(&mut self) {
        *self = Self { tspl: self.tspl, ..Self::epl(self.dots) };
    }
}

/// DYMO: escapes with parameters, rows after SYN.
pub(super) struct Dymo {
    dots: usize,
    page: Page,
    word: Vec<u8>,
    row_bytes: usize,
}

impl Dymo {
    pub(super) fn new(dots: usize) -> Self {
        Self { dots, page: Page::new(dots), word: Vec::new(), row_bytes: dots.div_ceil(8) }
    }
}

impl Reader for Dymo {
    fn push(&mut self, byte: u8, out: &mut Vec<Understood>) {
        self.word.push(byte);
        match self.word[..] {
            // Escapes in a row are one.
            [ESC, ESC] => self.word.truncate(1),
            [ESC] | [ESC, b'B' | b'D' | b'L' | b'f' | b'q'] | [ESC, b'L' | b'f', _] => {}
            [SYN, ..] if self.word.len() <= self.row_bytes => {}
            [SYN, ..] => {
                let (row, top) = (self.word.split_off(1), self.page.height());
                self.page.place(0, top, self.row_bytes, &row, 1);
                self.word.clear();
            }
            [ESC, b'@'] => self.reset(),
            [ESC, b'A'] => {
                self.word.clear();
                out.push(Understood::Query(Query::DymoStatus));
            }
            [ESC, b'D', bytes] => {
                self.row_bytes = usize::from(bytes);
                self.word.clear();
            }
            [ESC, b'f', _, rows] => {
                self.page.feed(usize::from(rows));
                self.word.clear();
            }
            [ESC, b'E' | b'G'] => {
                self.word.clear();
                let sheet = self.page.take();
                out.push(Understood::Print { sheet, text: String::new(), copies: 1, then: Vec::new() });
            }
            [ESC, b'B', _] | [ESC, b'L', _, _] | [ESC, b'q', _] | [ESC, b'c' | b'd' | b'e' | b'g' | b'h' | b'i'] => {
                self.word.clear();
            }
            _ => {
                let word = std::mem::take(&mut self.word);
                out.push(Understood::Problem(format!("{word:02x?}")));
            }
        }
    }

    fn reset(&mut self) {
        *self = Self::new(self.dots);
    }
}
