//! One-dimensional codes (`GS k`, function B).

use crate::printer::{
    bars::{Symbology, choose},
    error::EncodeError,
    profile::Profile,
};

/// Dots.
const HEIGHT: u8 = 80;
/// Light space before and after a symbol, in modules, together.
const QUIET: usize = 20;

/// `m` of `GS k m n d1...dn`.
fn number(symbology: Symbology) -> u8 {
    match symbology {
        Symbology::UpcA => 65,
        Symbology::Ean13 => 67,
        Symbology::Ean8 => 68,
        Symbology::Code128 => 73,
    }
}

pub(super) fn write(data: &str, profile: &Profile, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    if data.is_empty() {
        return Err(EncodeError::BarcodeEmpty);
    }
    if let Some(c) = data.chars().find(|c| !c.is_ascii()) {
        return Err(EncodeError::BarcodeCharacter(c));
    }
    let symbology = choose(data);
    let (payload, modules) = match symbology {
        Symbology::UpcA | Symbology::Ean13 => (data.as_bytes().to_vec(), 95),
        Symbology::Ean8 => (data.as_bytes().to_vec(), 67),
        Symbology::Code128 => code128(data.as_bytes()),
    };
    let Ok(length) = u8::try_from(payload.len()) else { return Err(EncodeError::BarcodeTooLong) };
    // A printer leaves out what does not fit, without a word.
    let width = (2..=3u8)
        .rev()
        .find(|width| (modules + QUIET) * usize::from(*width) <= usize::from(profile.dots))
        .ok_or(EncodeError::BarcodeTooLong)?;
    out.extend_from_slice(&[
        0x1d,
        b'h',
        HEIGHT, // GS h: height
        0x1d,
        b'w',
        width, // GS w: module width
        0x1d,
        b'f',
        0, // GS f: font of the text below, A
        0x1d,
        b'H',
        2, // GS H: text below
        0x1d,
        b'k',
        number(symbology),
        length, // GS k, function B
    ]);
    out.extend_from_slice(&payload);
    Ok(())
}

/// Payload of `GS k 73` with its code-set characters, and the symbol's width in modules. Runs of at least four digits
/// go as pairs (set C), the rest in set B; control characters need set A.
fn code128(data: &[u8]) -> (Vec<u8>, usize) {
    let mut payload = Vec::with_capacity(data.len() + 8);
    let mut symbols = 0;
    let mut set = 0;
    let mut enter = |wanted: u8, payload: &mut Vec<u8>, symbols: &mut usize| {
        if set != wanted {
            payload.extend_from_slice(&[b'{', wanted]);
            set = wanted;
            *symbols += 1;
        }
    };
    let mut rest = data;
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits >= 4 || (digits == 2 && rest.len() == 2 && payload.is_empty()) {
            let pairs = digits / 2;
            // An odd digit goes first, in the set that is on, so that the pairs come last.
            if digits % 2 == 1 {
                enter(b'B', &mut payload, &mut symbols);
                payload.push(byte);
                symbols += 1;
                rest = tail;
            }
            enter(b'C', &mut payload, &mut symbols);
            for pair in rest[..2 * pairs].chunks_exact(2) {
                payload.push((pair[0] - b'0') * 10 + (pair[1] - b'0'));
                symbols += 1;
            }
            rest = &rest[2 * pairs..];
            continue;
        }
        enter(if byte < 0x20 { b'A' } else { b'B' }, &mut payload, &mut symbols);
        if byte == b'{' {
            payload.push(b'{');
        }
        payload.push(byte);
        symbols += 1;
        rest = tail;
    }
    // `symbols` counts the start character as the first set; check and stop come on top.
    (payload, 11 * (symbols + 1) + 13)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(data: &str) -> Vec<u8> {
        let mut out = Vec::new();
        write(data, &Profile::TM_T88, &mut out).unwrap();
        out[12..].to_vec()
    }

    #[test]
    fn the_data_chooses_the_symbology() {
        assert_eq!(written("4006381333931"), [&[0x1d, b'k', 67, 13][..], b"4006381333931"].concat());
        assert_eq!(written("96385074"), [&[0x1d, b'k', 68, 8][..], b"96385074"].concat());
        assert_eq!(written("036000291452"), [&[0x1d, b'k', 65, 12][..], b"036000291452"].concat());
        assert_eq!(written("4006381333932")[2], 73, "wrong check digit");
    }

    #[test]
    fn code_128_packs_digits_in_pairs_and_escapes_the_brace() {
        assert_eq!(code128(b"123456").0, b"{C\x0c\x22\x38");
        assert_eq!(code128(b"AB12345").0, b"{BAB1{C\x17\x2d");
        assert_eq!(code128(b"Order-{7}").0, b"{BOrder-{{7}");
        assert_eq!(code128(b"A\x1d1").0, b"{BA{A\x1d{B1");
        assert_eq!(code128(b"123456").1, 11 * 5 + 13, "start, three pairs, check, stop");
    }

    #[test]
    fn what_cannot_be_printed_is_refused() {
        let mut out = Vec::new();
        let mut refused = |data: &str| write(data, &Profile::MM58, &mut out).unwrap_err();
        assert!(matches!(refused(""), EncodeError::BarcodeEmpty));
        assert!(matches!(refused("caf\u{e9}"), EncodeError::BarcodeCharacter('\u{e9}')));
        assert!(matches!(refused("THIS-IS-TOO-WIDE-FOR-THE-PAPER"), EncodeError::BarcodeTooLong));
    }
}
