//! What stands in an APDU: bitmaps and TLV objects (PA00P015, chapters "Summary of utilised BMPs" and "TLV-container").

use super::apdu::{bcd, digits, from_bcd};
use crate::payment::{Receipt, ReceiptFor, cp437, mask::last4, masked};

/// A transaction's data in Status-Information (04 0F) and Completion (06 0F). Card number and tracks are left behind
/// here: of the number the last four digits are taken, the tracks are stepped over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Info {
    /// 27: 0 for success.
    pub(super) result: Option<u8>,
    pub(super) amount: Option<u64>,
    pub(super) currency: Option<u16>,
    pub(super) trace: Option<String>,
    pub(super) receipt: Option<String>,
    pub(super) terminal_id: Option<String>,
    pub(super) approval: Option<String>,
    pub(super) card_name: Option<String>,
    pub(super) last4: Option<String>,
    pub(super) text: Option<String>,
    /// 19 in a registration's completion: initialisation, diagnosis needed.
    pub(super) status: Option<u8>,
}

/// How long a bitmap's value is.
enum Length {
    Fixed(usize),
    /// Two digits in `Fx Fy`.
    Ll,
    /// Three digits in `Fx Fy Fz`.
    Lll,
    /// As in BER.
    Tlv,
}

fn length_of(bitmap: u8) -> Option<Length> {
    Some(match bitmap {
        0x01..=0x03 | 0x05 | 0x19 | 0x27 | 0x72..=0x75 | 0x8a | 0x8c | 0xa0 | 0xd0 | 0xd2 | 0xd3 => Length::Fixed(1),
        0xe0 | 0xe9 | 0xea | 0xf0 | 0xf9..=0xfd => Length::Fixed(1),
        0x0d | 0x0e | 0x17 | 0x3a | 0x49 | 0x87 => Length::Fixed(2),
        0x0b | 0x0c | 0x37 | 0x3d | 0x88 | 0xaa => Length::Fixed(3),
        0x29 | 0x70 | 0x71 => Length::Fixed(4),
        0xba => Length::Fixed(5),
        0x04 => Length::Fixed(6),
        0x3b | 0xeb => Length::Fixed(8),
        0x2a => Length::Fixed(15),
        0x22 | 0x23 | 0x2d | 0x8b | 0xa7 | 0xd1 | 0xe1..=0xe8 | 0xf1..=0xf8 => Length::Ll,
        0x24 | 0x2e | 0x3c | 0x60 | 0x9a | 0xaf => Length::Lll,
        0x06 => Length::Tlv,
        _ => return None,
    })
}

/// Bitmaps with their values, up to the first that is unknown (its length is, too) or cut off.
fn bitmaps(mut data: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    while let Some((&bitmap, rest)) = data.split_first() {
        let Some(kind) = length_of(bitmap) else { break };
        let Some((length, rest)) = value_length(&kind, rest) else { break };
        let Some((value, rest)) = rest.split_at_checked(length) else { break };
        found.push((bitmap, value));
        data = rest;
    }
    found
}

fn value_length<'a>(kind: &Length, rest: &'a [u8]) -> Option<(usize, &'a [u8])> {
    let counted = |count: usize| {
        let (head, rest) = rest.split_at_checked(count)?;
        let length = head.iter().try_fold(0usize, |sum, byte| {
            let digit = byte & 0x0f;
            (digit < 10).then_some(sum * 10 + usize::from(digit))
        })?;
        Some((length, rest))
    };
    match kind {
        Length::Fixed(length) => Some((*length, rest)),
        Length::Ll => counted(2),
        Length::Lll => counted(3),
        Length::Tlv => tlv_length(rest),
    }
}

fn tlv_length(rest: &[u8]) -> Option<(usize, &[u8])> {
    match rest {
        [0x81, length, rest @ ..] => Some((usize::from(*length), rest)),
        [0x82, high, low, rest @ ..] => Some((usize::from(u16::from_be_bytes([*high, *low])), rest)),
        [length @ 0..=0x7f, rest @ ..] => Some((usize::from(*length), rest)),
        _ => None,
    }
}

/// The objects of a container, not opened further.
fn tlv(mut data: &[u8]) -> Vec<(u32, &[u8])> {
    let mut found = Vec::new();
    while let Some((&first, mut rest)) = data.split_first() {
        let mut tag = u32::from(first);
        if first & 0x1f == 0x1f {
            // Further bytes as long as their highest bit is set; the longest tags in use have three.
            for _ in 0..2 {
                let Some((&next, after)) = rest.split_first() else { return found };
                (tag, rest) = (tag << 8 | u32::from(next), after);
                if next & 0x80 == 0 {
                    break;
                }
            }
        }
        let Some((length, rest)) = tlv_length(rest) else { break };
        let Some((value, rest)) = rest.split_at_checked(length) else { break };
        found.push((tag, value));
        data = rest;
    }
    found
}

fn object<'a>(objects: &[(u32, &'a [u8])], tag: u32) -> Option<&'a [u8]> {
    objects.iter().find(|(t, _)| *t == tag).map(|(_, value)| *value)
}

pub(super) fn info(data: &[u8]) -> Info {
    let mut info = Info::default();
    let text = |value: &[u8]| Some(masked(cp437::decode(value).trim())).filter(|t| !t.is_empty());
    for (bitmap, value) in bitmaps(data) {
        match bitmap {
            0x27 => info.result = value.first().copied(),
            0x04 => info.amount = from_bcd(value),
            0x49 => info.currency = from_bcd(value).and_then(|n| u16::try_from(n).ok()),
            0x0b => info.trace = Some(digits(value)),
            0x87 => info.receipt = Some(digits(value)),
            0x29 => info.terminal_id = Some(digits(value)),
            0x3b => info.approval = text(value),
            0x8b => info.card_name = text(value),
            0x19 => info.status = value.first().copied(),
            0x3c => info.text = text(value),
            // 0xE stands for a masked digit, 0xF fills the last byte.
            0x22 => info.last4 = last4(digits(value).trim_end_matches('*')).or_else(|| last4(&digits(value))),
            0x06 => {
                let objects = tlv(value);
                // The extended error text says more than the result code.
                if let Some(value) = object(&objects, 0x1f17).and_then(text) {
                    info.text = Some(value);
                }
                if let Some(long) = object(&objects, 0x1f2b) {
                    info.trace = Some(digits(long));
                }
            }
            _ => {}
        }
    }
    info
}

/// Intermediate Status-Information (04 FF): its code, and the text if the terminal sends one (tag 24, lines 07).
pub(super) fn intermediate(data: &[u8]) -> (Option<u8>, Option<String>) {
    // Code, then a time-out that may be left out, then bitmaps.
    let from = data.iter().position(|b| *b == 0x06).filter(|at| (1..=2).contains(at));
    let container = from.and_then(|at| bitmaps(&data[at..]).into_iter().find(|(b, _)| *b == 0x06));
    let text = container.and_then(|(_, value)| object(&tlv(value), 0x24)).map(|texts| lines(texts).join("\n"));
    (data.first().copied(), text.filter(|t| !t.is_empty()))
}

fn lines(texts: &[u8]) -> Vec<String> {
    let rows = tlv(texts).into_iter().filter(|(tag, _)| *tag == 0x07);
    rows.map(|(_, line)| masked(cp437::decode(line).trim_end())).collect()
}

/// Print Text-Block (06 D3): a receipt or a part of one.
pub(super) fn text_block(data: &[u8]) -> Option<Receipt> {
    let found = bitmaps(data);
    let (_, container) = found.iter().find(|(bitmap, _)| *bitmap == 0x06)?;
    let objects = tlv(container);
    let audience = match object(&objects, 0x1f07).and_then(|kind| kind.first()) {
        Some(1) => ReceiptFor::Merchant,
        Some(2) => ReceiptFor::Customer,
        _ => ReceiptFor::Office,
    };
    Some(Receipt { audience, text: lines(object(&objects, 0x25)?).join("\n") })
}

/// Print Line (06 D1): the line, and whether it is the last of its receipt (bit 8 of the attribute).
pub(super) fn print_line(data: &[u8]) -> (String, bool) {
    match data.split_first() {
        // Feed, its length in the next byte.
        Some((0xff, _)) | None => (String::new(), false),
        Some((attribute, text)) => (masked(cp437::decode(text).trim_end()), attribute & 0x80 != 0),
    }
}

/// The terminal's state in the completion of a status enquiry: after the software version (F0, LLVAR) if there is one.
pub(super) fn enquiry_state(data: &[u8]) -> Option<u8> {
    let rest = match data.split_first() {
        Some((0xf0, rest)) => {
            let (length, rest) = value_length(&Length::Ll, rest)?;
            rest.get(length..)?
        }
        _ => data,
    };
    rest.first().copied()
}

/// `tag` with a value up to 127 bytes.
pub(super) fn put_tlv(tag: &[u8], value: &[u8]) -> Vec<u8> {
    [tag, &[(value.len() & 0x7f) as u8], value].concat()
}

/// 04 and 49, amount and currency.
pub(super) fn put_amount(minor: u64, currency: u16) -> Vec<u8> {
    [&[0x04], bcd(minor, 6).as_slice(), &[0x49], bcd(u64::from(currency), 2).as_slice()].concat()
}
