//! Text to bytes, one code page at a time (`ESC t`, `ESC GS t`).

use super::profile::CodePage;

/// Writes text and remembers which code page the printer is in.
#[derive(Debug)]
pub(super) struct Speller {
    pages: &'static [CodePage],
    /// What comes before a page's number.
    command: &'static [u8],
    current: Option<CodePage>,
}

impl Speller {
    pub(super) fn new(pages: &'static [CodePage], command: &'static [u8]) -> Self {
        Self { pages, command, current: None }
    }

    /// Control characters become spaces: a product name must not open the drawer. What no page has becomes `?`.
    /// Every character takes one column.
    pub(super) fn write(&mut self, text: &str, out: &mut Vec<u8>) {
        let mut rest = text.as_bytes();
        // Runs of plain ASCII, which is nearly all of a receipt, are copied as they are.
        while !rest.is_empty() {
            let plain = rest.iter().position(|b| !(0x20..0x7f).contains(b)).unwrap_or(rest.len());
            out.extend_from_slice(&rest[..plain]);
            let start = text.len() - rest.len() + plain;
            let Some(c) = text[start..].chars().next() else { return };
            self.special(c, out);
            rest = &rest[plain + c.len_utf8()..];
        }
    }

    fn special(&mut self, c: char, out: &mut Vec<u8>) {
        if c.is_control() {
            out.push(b' ');
        } else if let Some(byte) = self.find(c, out) {
            out.push(byte);
        } else {
            out.push(plainer(c).unwrap_or(b'?'));
        }
    }

    fn find(&mut self, c: char, out: &mut Vec<u8>) -> Option<u8> {
        let code = u16::try_from(u32::from(c)).ok()?;
        if let Some(byte) = self.current.and_then(|page| page.byte(code)) {
            return Some(byte);
        }
        let (page, byte) = self.pages.iter().find_map(|page| page.byte(code).map(|byte| (page, byte)))?;
        out.extend_from_slice(self.command);
        out.push(page.number);
        self.current = Some(*page);
        Some(byte)
    }
}

impl CodePage {
    fn byte(self, code: u16) -> Option<u8> {
        let at = self.table.iter().position(|&entry| entry == code && entry != 0)?;
        u8::try_from(0x80 + at).ok()
    }
}

/// What people read as the same, for characters that text editors and locales put into names and prices.
pub(super) fn plainer(c: char) -> Option<u8> {
    Some(match c {
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{2032}' => b'\'',
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{2033}' => b'"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => b'-',
        '\u{2026}' => b'.',
        '\u{2022}' => b'*',
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => b' ',
        _ => return None,
    })
}
