//! From scanned bytes to text.

/// UTF-8 where it is, else Latin-1: many scanners send the symbol's bytes as they are. Of the control characters only
/// those stay that carry meaning in a code: GS between GS1 fields (GS1 General Specifications, 7.8.4), RS and EOT of
/// ISO/IEC 15434 envelopes.
pub(super) fn decode(bytes: &[u8]) -> String {
    let keep = |c: &char| !c.is_control() || matches!(c, '\u{1d}' | '\u{1e}' | '\u{04}');
    match std::str::from_utf8(bytes) {
        Ok(text) => text.chars().filter(keep).collect(),
        Err(_) => bytes.iter().map(|&b| char::from(b)).filter(keep).collect(),
    }
}
