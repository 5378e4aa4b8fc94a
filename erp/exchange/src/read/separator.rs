//! Which separator a CSV file uses.

/// In this order; the first that gives rows of one width above 1 wins.
const CANDIDATES: [u8; 6] = [b',', b';', b'\t', b' ', b'|', 0x1F];

/// Guesses from the text at the beginning of a file. `whole`: the text ends where the file does.
pub(super) fn guess(text: &str, whole: bool, quote: Option<u8>) -> u8 {
    let mut best = (0, b',');
    for candidate in CANDIDATES {
        let widths = widths(text, whole, candidate, quote);
        let Some(first) = widths.first().copied().filter(|first| *first > 1) else { continue };
        let same = widths.iter().filter(|width| **width == first).count();
        if same == widths.len() {
            return candidate;
        }
        // Real files have a row or two that are off. Blanks are in any text and must be exact.
        let share = same * 100 / widths.len();
        if share >= 80 && share > best.0 && candidate != b' ' {
            best = (share, candidate);
        }
    }
    best.1
}

fn widths(text: &str, whole: bool, separator: u8, quote: Option<u8>) -> Vec<usize> {
    let mut reader = super::csv::builder(separator, quote).from_reader(text.as_bytes());
    let mut record = csv::ByteRecord::new();
    let mut widths = Vec::new();
    while widths.len() < 1_000 && reader.read_byte_record(&mut record).unwrap_or(false) {
        if record.iter().any(|cell| !cell.trim_ascii().is_empty()) {
            widths.push(record.len());
        }
    }
    // The last row of a piece is cut anywhere.
    if !whole && widths.len() > 1 {
        widths.pop();
    }
    widths
}
