//! One-dimensional codes as bars and spaces, for printers that draw them as pictures.

use super::error::EncodeError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbology {
    UpcA,
    Ean13,
    Ean8,
    Code128,
}

/// Article numbers by length where the check digit is right, everything else as Code 128.
pub(super) fn choose(data: &str) -> Symbology {
    if !data.bytes().all(|b| b.is_ascii_digit()) || !check_digit_is_right(data.as_bytes()) {
        return Symbology::Code128;
    }
    match data.len() {
        13 => Symbology::Ean13,
        12 => Symbology::UpcA,
        8 => Symbology::Ean8,
        _ => Symbology::Code128,
    }
}

/// GS1 General Specifications, 7.9.1: weights 3 and 1 in turn, from the right, beside the check digit.
fn check_digit_is_right(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let sum: u32 =
        body.iter().rev().zip([3, 1].into_iter().cycle()).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    (10 - sum % 10) % 10 == u32::from(check - b'0')
}

/// The modules of `data`'s symbol, black is `true`, without the light space around it.
pub(super) fn modules(data: &str) -> Result<Vec<bool>, EncodeError> {
    if data.is_empty() {
        return Err(EncodeError::BarcodeEmpty);
    }
    if let Some(c) = data.chars().find(|c| !c.is_ascii()) {
        return Err(EncodeError::BarcodeCharacter(c));
    }
    let digits: Vec<u8> = data.bytes().map(|b| b.wrapping_sub(b'0')).collect();
    Ok(match choose(data) {
        Symbology::Ean13 => ean13(&digits),
        Symbology::UpcA => ean13(&[&[0], &digits[..]].concat()),
        Symbology::Ean8 => ean8(&digits),
        Symbology::Code128 => code128(data.as_bytes()),
    })
}

/// GS1 General Specifications, 5.2: number set A; B is C mirrored, C is A inverted.
const SET_A: [u8; 10] =
    [0b0001101, 0b0011001, 0b0010011, 0b0111101, 0b0100011, 0b0110001, 0b0101111, 0b0111011, 0b0110111, 0b0001011];
/// Which of the left six digits of an EAN-13 stand in set B, by the first digit; the leftmost in the highest of six bits.
const PARITY: [u8; 10] =
    [0b000000, 0b001011, 0b001101, 0b001110, 0b010011, 0b011001, 0b011100, 0b010101, 0b010110, 0b011010];

fn bits(out: &mut Vec<bool>, pattern: u32, count: u32) {
    out.extend((0..count).rev().map(|bit| pattern >> bit & 1 == 1));
}

fn left(out: &mut Vec<bool>, digit: u8, set_b: bool) {
    let a = SET_A[usize::from(digit)];
    // C mirrored: seven bits of the inverted pattern, back to front.
    let b = (!a & 0x7f).reverse_bits() >> 1;
    bits(out, u32::from(if set_b { b } else { a }), 7);
}

fn right(out: &mut Vec<bool>, digit: u8) {
    bits(out, u32::from(!SET_A[usize::from(digit)] & 0x7f), 7);
}

fn ean13(digits: &[u8]) -> Vec<bool> {
    let mut out = Vec::with_capacity(95);
    bits(&mut out, 0b101, 3);
    for (place, digit) in digits[1..7].iter().enumerate() {
        left(&mut out, *digit, PARITY[usize::from(digits[0])] >> (5 - place) & 1 == 1);
    }
    bits(&mut out, 0b01010, 5);
    digits[7..13].iter().for_each(|digit| right(&mut out, *digit));
    bits(&mut out, 0b101, 3);
    out
}

fn ean8(digits: &[u8]) -> Vec<bool> {
    let mut out = Vec::with_capacity(67);
    bits(&mut out, 0b101, 3);
    digits[..4].iter().for_each(|digit| left(&mut out, *digit, false));
    bits(&mut out, 0b01010, 5);
    digits[4..8].iter().for_each(|digit| right(&mut out, *digit));
    bits(&mut out, 0b101, 3);
    out
}

/// ISO/IEC 15417, table 1: widths of bars and spaces in turn, by value; the last one is the stop character.
const CODE_128: [&str; 107] = [
    "212222", "222122", "222221", "121223", "121322", "131222", "122213", "122312", "132212", "221213", "221312",
    "231212", "112232", "122132", "122231", "113222", "123122", "123221", "223211", "221132", "221231", "213212",
    "223112", "312131", "311222", "321122", "321221", "312212", "322112", "322211", "212123", "212321", "232121",
    "111323", "131123", "131321", "112313", "132113", "132311", "211313", "231113", "231311", "112133", "112331",
    "132131", "113123", "113321", "133121", "313121", "211331", "231131", "213113", "213311", "213131", "311123",
    "311321", "331121", "312113", "312311", "332111", "314111", "221411", "431111", "111224", "111422", "121124",
    "121421", "141122", "141221", "112214", "112412", "122114", "122411", "142112", "142211", "241211", "221114",
    "413111", "241112", "134111", "111242", "121142", "121241", "114212", "124112", "124211", "411212", "421112",
    "421211", "212141", "214121", "412121", "111143", "111341", "131141", "114113", "114311", "411113", "411311",
    "113141", "114131", "311141", "411131", "211412", "211214", "211232", "2331112",
];

/// Runs of at least four digits go as pairs (set C), control characters in set A, the rest in set B.
fn code128(data: &[u8]) -> Vec<bool> {
    let mut values: Vec<u8> = Vec::with_capacity(data.len() + 4);
    let mut set = 0;
    // The set's start character, or the code that changes to it.
    let mut enter = |wanted: u8, values: &mut Vec<u8>| {
        if set != wanted {
            values.push(match (values.is_empty(), wanted) {
                (true, set) => 103 + set - b'A',
                (false, b'A') => 101,
                (false, b'B') => 100,
                (false, _) => 99,
            });
            set = wanted;
        }
    };
    let mut rest = data;
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits >= 4 && digits.is_multiple_of(2) || digits == 2 && data.len() == 2 {
            enter(b'C', &mut values);
            values.extend(rest[..digits].chunks_exact(2).map(|pair| (pair[0] - b'0') * 10 + pair[1] - b'0'));
            rest = &rest[digits..];
            continue;
        }
        if byte < 0x20 {
            enter(b'A', &mut values);
            values.push(byte + 64);
        } else {
            enter(b'B', &mut values);
            values.push(byte - 32);
        }
        rest = tail;
    }
    let sum: u32 = values.iter().enumerate().map(|(at, value)| at.max(1) as u32 * u32::from(*value)).sum();
    values.push((sum % 103) as u8);
    values.push(106);
    let mut out = Vec::with_capacity(values.len() * 11 + 2);
    for value in values {
        let mut black = true;
        for width in CODE_128[usize::from(value)].bytes() {
            out.extend(std::iter::repeat_n(black, usize::from(width - b'0')));
            black = !black;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(data: &str) -> String {
        modules(data).unwrap().iter().map(|black| if *black { '1' } else { '0' }).collect()
    }

    #[test]
    fn every_character_of_code_128_is_eleven_modules_wide_and_unlike_the_others() {
        let widths = |pattern: &str| pattern.bytes().map(|b| u32::from(b - b'0')).sum::<u32>();
        for (value, pattern) in CODE_128.iter().enumerate() {
            assert_eq!(widths(pattern), if value == 106 { 13 } else { 11 }, "{value}");
            // Bars are even together (ISO/IEC 15417, 4.3.2).
            let bars: u32 = pattern.bytes().step_by(2).map(|b| u32::from(b - b'0')).sum();
            assert!(value == 106 || bars.is_multiple_of(2), "{value}");
            assert_eq!(CODE_128.iter().position(|other| other == pattern), Some(value));
        }
    }

    #[test]
    fn symbols_are_as_the_standards_show_them() {
        // GS1 General Specifications, figure of an EAN-13, and the same number read by a phone.
        assert_eq!(
            drawn("4006381333931"),
            "10100011010100111010111101111010001001011001101010100001010000101000010111010010000101100110101"
        );
        assert_eq!(drawn("96385074").len(), 67);
        assert_eq!(drawn("036000291452").len(), 95);
        // "PJJ123C": start B 104, check character 54.
        let code = drawn("PJJ123C");
        assert!(code.starts_with("11010010000") && code.ends_with("1100011101011"));
        assert_eq!(drawn("123456").len(), 11 * 5 + 13);
    }

    #[test]
    fn what_no_symbol_holds_is_refused() {
        assert!(matches!(modules(""), Err(EncodeError::BarcodeEmpty)));
        assert!(matches!(modules("caf\u{e9}"), Err(EncodeError::BarcodeCharacter('\u{e9}'))));
    }
}
