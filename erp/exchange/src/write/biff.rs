//! Records of a BIFF8 workbook (MS-XLS), as far as a table needs them.

/// The longest body of one record; what is longer goes on in CONTINUE records.
const LONGEST: usize = 8_224;

/// Indices of the cell formats that [`globals`] declares.
pub(super) const PLAIN: u16 = 15;
pub(super) const BOLD: u16 = 16;
pub(super) const DATE: u16 = 17;
pub(super) const DATETIME: u16 = 18;

pub(super) fn record(out: &mut Vec<u8>, kind: u16, body: &[u8]) {
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&(body.len() as u16).to_le_bytes());
    out.extend_from_slice(body);
}

fn begin(out: &mut Vec<u8>, kind: u16) {
    let mut body = Vec::new();
    for word in [0x0600u16, kind, 0x0DBB, 0x07CC] {
        body.extend_from_slice(&word.to_le_bytes());
    }
    body.extend_from_slice(&[0, 0, 0, 0, 6, 0, 0, 0]);
    record(out, 0x0809, &body);
}

/// Text as the format keeps it: one byte a character where all are below 256.
fn encoded(text: &str) -> (u8, Vec<u8>, usize) {
    let units: Vec<u16> = text.encode_utf16().collect();
    if units.iter().all(|unit| *unit < 256) {
        (0, units.iter().map(|unit| *unit as u8).collect(), units.len())
    } else {
        (1, units.iter().flat_map(|unit| unit.to_le_bytes()).collect(), units.len())
    }
}

fn font(out: &mut Vec<u8>, bold: bool) {
    let mut body = Vec::new();
    let weight: u16 = if bold { 700 } else { 400 };
    for word in [200u16, u16::from(bold), 0x7FFF, weight, 0] {
        body.extend_from_slice(&word.to_le_bytes());
    }
    body.extend_from_slice(&[0, 0, 0, 0, 5, 0]);
    body.extend_from_slice(b"Arial");
    record(out, 0x0031, &body);
}

fn format(out: &mut Vec<u8>, number: u16, text: &str) {
    let mut body = number.to_le_bytes().to_vec();
    body.extend_from_slice(&(text.len() as u16).to_le_bytes());
    body.push(0);
    body.extend_from_slice(text.as_bytes());
    record(out, 0x041E, &body);
}

fn cell_format(out: &mut Vec<u8>, font: u16, format: u16, style: bool) {
    let mut body = Vec::new();
    let kind: u16 = if style { 0xFFF5 } else { 0x0001 };
    for word in [font, format, kind] {
        body.extend_from_slice(&word.to_le_bytes());
    }
    body.extend_from_slice(&[0x20, 0, 0, if style { 0 } else { 0x7C }]);
    body.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0xC0, 0x20]);
    record(out, 0x00E0, &body);
}

/// The workbook before its sheet: fonts, formats, the sheet's name, the shared texts. The sheet follows directly.
pub(super) fn globals(sheet: &str, strings: &Strings) -> Vec<u8> {
    let mut out = Vec::new();
    begin(&mut out, 0x0005);
    record(&mut out, 0x0042, &1200u16.to_le_bytes());
    record(&mut out, 0x003D, &[0, 0, 0, 0, 0xC0, 0x3A, 0x80, 0x25, 0x38, 0, 0, 0, 0, 0, 1, 0, 0x58, 0x02]);
    record(&mut out, 0x0022, &0u16.to_le_bytes());
    // Font 4 does not exist, by tradition; 5 is the header's.
    for _ in 0..4 {
        font(&mut out, false);
    }
    font(&mut out, true);
    format(&mut out, 164, "yyyy\\-mm\\-dd");
    format(&mut out, 165, "yyyy\\-mm\\-dd hh:mm:ss");
    for _ in 0..15 {
        cell_format(&mut out, 0, 0, true);
    }
    cell_format(&mut out, 0, 0, false);
    cell_format(&mut out, 5, 0, false);
    cell_format(&mut out, 0, 164, false);
    cell_format(&mut out, 0, 165, false);
    record(&mut out, 0x0293, &[0, 0x80, 0, 0xFF]);
    let (flags, name, length) = encoded(sheet);
    let place = out.len() + 4;
    let mut body = vec![0, 0, 0, 0, 0, 0, length as u8, flags];
    body.extend_from_slice(&name);
    record(&mut out, 0x0085, &body);
    strings.write(&mut out);
    record(&mut out, 0x000A, &[]);
    let start = (out.len() as u32).to_le_bytes();
    out[place..place + 4].copy_from_slice(&start);
    out
}

/// A sheet around its cell records.
pub(super) fn sheet(cells: &[u8], rows: u32, columns: u16, frozen: bool) -> Vec<u8> {
    let mut out = Vec::new();
    begin(&mut out, 0x0010);
    let mut size = Vec::new();
    for word in [0u32, rows] {
        size.extend_from_slice(&word.to_le_bytes());
    }
    for word in [0u16, columns, 0] {
        size.extend_from_slice(&word.to_le_bytes());
    }
    record(&mut out, 0x0200, &size);
    out.extend_from_slice(cells);
    let flags: u16 = if frozen { 0x06BE } else { 0x06B6 };
    let mut window = flags.to_le_bytes().to_vec();
    window.extend_from_slice(&[0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    record(&mut out, 0x023E, &window);
    if frozen {
        record(&mut out, 0x0041, &[0, 0, 1, 0, 1, 0, 0, 0, 2, 0]);
    }
    record(&mut out, 0x000A, &[]);
    out
}

/// The texts of a workbook, each kept once.
#[derive(Default)]
pub(super) struct Strings {
    places: std::collections::HashMap<String, u32>,
    order: Vec<String>,
    uses: u32,
}

impl Strings {
    pub(super) fn place(&mut self, text: &str) -> u32 {
        self.uses += 1;
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.order.len() as u32;
        self.places.insert(text.to_owned(), place);
        self.order.push(text.to_owned());
        place
    }

    /// SST and its CONTINUE records. A text may be cut between two characters; the rest begins with its flags again.
    /// The two halves of a surrogate pair stay together: readers decode record by record.
    fn write(&self, out: &mut Vec<u8>) {
        let mut body = self.uses.to_le_bytes().to_vec();
        body.extend_from_slice(&(self.order.len() as u32).to_le_bytes());
        let mut kind = 0x00FC;
        let mut flush = |body: &mut Vec<u8>| {
            record(out, kind, body);
            kind = 0x003C;
            body.clear();
        };
        for text in &self.order {
            let (flags, bytes, length) = encoded(text);
            if body.len() + 3 + 4 > LONGEST {
                flush(&mut body);
            }
            body.extend_from_slice(&(length as u16).to_le_bytes());
            body.push(flags);
            let mut rest = &bytes[..];
            loop {
                let mut room = (LONGEST - body.len()).min(rest.len());
                if flags == 1 {
                    room -= room % 2;
                    let cut_pair = room < rest.len() && room >= 2 && (0xD8..0xDC).contains(&rest[room - 1]);
                    room -= if cut_pair { 2 } else { 0 };
                }
                body.extend_from_slice(&rest[..room]);
                rest = &rest[room..];
                if rest.is_empty() {
                    break;
                }
                flush(&mut body);
                body.push(flags);
            }
        }
        flush(&mut body);
    }
}
