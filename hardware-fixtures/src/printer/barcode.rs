//! Bars of one-dimensional codes, as modules: `true` is black.

/// Why the printer would print nothing (it ignores a bad code without a word; we say why).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BarcodeError {
    #[error("barcode system {0} is not simulated")]
    System(u8),
    #[error("the data does not fit the barcode system")]
    Data,
}

/// A drawn code: its name, its bars and the text below them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bars {
    pub(crate) name: &'static str,
    pub(crate) modules: Vec<bool>,
    pub(crate) text: String,
}

/// `system` is m of GS k.
pub(crate) fn bars(system: u8, data: &[u8]) -> Result<Bars, BarcodeError> {
    match system {
        0 | 65 => ean(data, "UPC-A", 11),
        2 | 67 => ean(data, "EAN13", 12),
        3 | 68 => ean(data, "EAN8", 7),
        4 | 69 => code39(data),
        5 | 70 => itf(data),
        73 => code128(data),
        other => Err(BarcodeError::System(other)),
    }
}

const EAN_LEFT: [u8; 10] = [0x0D, 0x19, 0x13, 0x3D, 0x23, 0x31, 0x2F, 0x3B, 0x37, 0x0B];
/// Which of the left six digits of an EAN13 are from set G, by its first digit; the highest of 6 bits is the first.
const EAN_PARITY: [u8; 10] = [0x00, 0x0B, 0x0D, 0x0E, 0x13, 0x19, 0x1C, 0x15, 0x16, 0x1A];

fn ean(data: &[u8], name: &'static str, without_check: usize) -> Result<Bars, BarcodeError> {
    let mut digits = digits(data)?;
    if digits.len() == without_check {
        let weighted = digits.iter().rev().enumerate().map(|(i, digit)| if i % 2 == 0 { 3 * digit } else { *digit });
        let sum: u32 = weighted.map(u32::from).sum();
        digits.push(((10 - sum % 10) % 10) as u8);
    }
    if digits.len() != without_check + 1 {
        return Err(BarcodeError::Data);
    }
    let text = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
    if name == "UPC-A" {
        digits.insert(0, 0);
    }
    let parity = if digits.len() == 13 { EAN_PARITY[usize::from(digits.remove(0))] } else { 0 };
    let half = digits.len() / 2;
    let mut modules = vec![true, false, true];
    for (i, digit) in digits.iter().enumerate() {
        if i == half {
            modules.extend([false, true, false, true, false]);
        }
        let left = EAN_LEFT[usize::from(*digit)];
        let bits = match i {
            _ if i >= half => !left & 0x7F,
            _ if half == 6 && parity >> (5 - i) & 1 == 1 => (!left & 0x7F).reverse_bits() >> 1,
            _ => left,
        };
        modules.extend((0..7).rev().map(|bit| bits >> bit & 1 == 1));
    }
    modules.extend([true, false, true]);
    Ok(Bars { name, modules, text })
}

fn digits(data: &[u8]) -> Result<Vec<u8>, BarcodeError> {
    let digits = data.iter().map(|byte| byte.is_ascii_digit().then(|| byte - b'0')).collect::<Option<Vec<_>>>();
    digits.filter(|digits| !digits.is_empty()).ok_or(BarcodeError::Data)
}

/// Adds elements of the given widths, black first.
fn elements(modules: &mut Vec<bool>, widths: impl IntoIterator<Item = u8>) {
    let mut black = true;
    for width in widths {
        modules.extend(std::iter::repeat_n(black, usize::from(width)));
        black = !black;
    }
}

const CODE39_CHARACTERS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. *$/+%";
/// Nine elements each; a 1 bit is a wide one.
const CODE39: [u16; 44] = [
    0x034, 0x121, 0x061, 0x160, 0x031, 0x130, 0x070, 0x025, 0x124, 0x064, 0x109, 0x049, 0x148, 0x019, 0x118, 0x058,
    0x00D, 0x10C, 0x04C, 0x01C, 0x103, 0x043, 0x142, 0x013, 0x112, 0x052, 0x007, 0x106, 0x046, 0x016, 0x181, 0x0C1,
    0x1C0, 0x091, 0x190, 0x0D0, 0x085, 0x184, 0x0C4, 0x094, 0x0A8, 0x0A2, 0x08A, 0x02A,
];

fn code39(data: &[u8]) -> Result<Bars, BarcodeError> {
    let inner = String::from_utf8(data.to_vec()).map_err(|_| BarcodeError::Data)?;
    let inner = inner.trim_matches('*').to_owned();
    let mut modules = Vec::new();
    for c in format!("*{inner}*").chars() {
        let at = CODE39_CHARACTERS.find(c).ok_or(BarcodeError::Data)?;
        elements(&mut modules, (0..9).rev().map(|bit| if CODE39[at] >> bit & 1 == 1 { 3 } else { 1 }));
        modules.push(false);
    }
    modules.pop();
    Ok(Bars { name: "CODE39", modules, text: inner })
}

/// Five elements each; a 1 bit is a wide one.
const ITF: [u8; 10] = [0x06, 0x11, 0x09, 0x18, 0x05, 0x14, 0x0C, 0x03, 0x12, 0x0A];

fn itf(data: &[u8]) -> Result<Bars, BarcodeError> {
    let digits = digits(data)?;
    if digits.len() % 2 == 1 {
        return Err(BarcodeError::Data);
    }
    let mut modules = vec![true, false, true, false];
    for pair in digits.chunks(2) {
        let (black, white) = (ITF[usize::from(pair[0])], ITF[usize::from(pair[1])]);
        let width = |set: u8, bit: u8| if set >> bit & 1 == 1 { 3 } else { 1 };
        elements(&mut modules, (0..5).rev().flat_map(|bit| [width(black, bit), width(white, bit)]));
    }
    elements(&mut modules, [3, 1, 1]);
    Ok(Bars { name: "ITF", modules, text: String::from_utf8_lossy(data).into_owned() })
}

/// Widths of the six elements of each character, as decimal digits.
#[rustfmt::skip]
const CODE128: [u32; 106] = [
    212222, 222122, 222221, 121223, 121322, 131222, 122213, 122312, 132212, 221213, 221312, 231212, 112232, 122132,
    122231, 113222, 123122, 123221, 223211, 221132, 221231, 213212, 223112, 312131, 311222, 321122, 321221, 312212,
    322112, 322211, 212123, 212321, 232121, 111323, 131123, 131321, 112313, 132113, 132311, 211313, 231113, 231311,
    112133, 112331, 132131, 113123, 113321, 133121, 313121, 211331, 231131, 213113, 213311, 213131, 311123, 311321,
    331121, 312113, 312311, 332111, 314111, 221411, 431111, 111224, 111422, 121124, 121421, 141122, 141221, 112214,
    112412, 122114, 122411, 142112, 142211, 241211, 221114, 413111, 241112, 134111, 111242, 121142, 121241, 114212,
    124112, 124211, 411212, 421112, 421211, 212141, 214121, 412121, 111143, 111341, 131141, 114113, 114311, 411113,
    411311, 113141, 114131, 311141, 411131, 211412, 211214, 211232,
];

/// Epson's form: `{A`, `{B`, `{C` choose the set, `{{` is a brace, in set C each byte is a number from 0 to 99.
fn code128(data: &[u8]) -> Result<Bars, BarcodeError> {
    let mut values: Vec<u8> = Vec::new();
    let mut set = None;
    let mut text = String::new();
    let mut bytes = data.iter().copied();
    while let Some(byte) = bytes.next() {
        let byte = match (byte, set) {
            (b'{', _) => match bytes.next().ok_or(BarcodeError::Data)? {
                chosen @ b'A'..=b'C' => {
                    let index = chosen - b'A';
                    // Start characters are 103 to 105; within a code, 101 is A, 100 is B and 99 is C.
                    values.push(if set.is_none() { 103 + index } else { 101 - index });
                    set = Some(index);
                    continue;
                }
                b'1' => {
                    values.push(102);
                    continue;
                }
                b'{' => b'{',
                _ => return Err(BarcodeError::Data),
            },
            (byte, _) => byte,
        };
        match set {
            Some(2) if byte < 100 => {
                values.push(byte);
                text.push_str(&format!("{byte:02}"));
                continue;
            }
            Some(1) if (0x20..0x80).contains(&byte) => values.push(byte - 0x20),
            Some(0) if byte < 0x60 => values.push(if byte < 0x20 { byte + 0x40 } else { byte - 0x20 }),
            _ => return Err(BarcodeError::Data),
        }
        text.push(char::from(byte));
    }
    let first = *values.first().ok_or(BarcodeError::Data)?;
    let sum = values.iter().enumerate().skip(1).fold(u32::from(first), |sum, (i, v)| sum + i as u32 * u32::from(*v));
    values.push((sum % 103) as u8);
    let mut modules = Vec::new();
    for value in values {
        let widths = CODE128[usize::from(value)];
        elements(&mut modules, (0..6).rev().map(|place| (widths / 10u32.pow(place) % 10) as u8));
    }
    elements(&mut modules, [2, 3, 3, 1, 1, 1, 2]);
    Ok(Bars { name: "CODE128", modules, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(bars: &Bars) -> String {
        bars.modules.iter().map(|module| if *module { '1' } else { '0' }).collect()
    }

    #[test]
    fn an_ean13_gets_its_check_digit_and_the_parity_of_its_first_digit() {
        let bars = bars(67, b"400638133393").unwrap();
        assert_eq!(bars.text, "4006381333931");
        let expected = concat!(
            "101", "0001101", "0100111", "0101111", "0111101", "0001001", "0110011", "01010", "1000010", "1000010",
            "1000010", "1110100", "1000010", "1100110", "101"
        );
        assert_eq!(drawn(&bars), expected);
    }

    #[test]
    fn a_code128_has_start_data_check_and_stop() {
        let bars = bars(73, b"{BA1").unwrap();
        // Start B 104, A 33, 1 17: 104 + 33 + 2 * 17 = 171 = 103 + 68.
        let expected = ["11010010000", "10100011000", "10011100110", "10000100110", "1100011101011"].concat();
        assert_eq!(drawn(&bars), expected);
        assert_eq!(bars.text, "A1");
    }

    #[test]
    fn each_code39_character_has_three_wide_elements() {
        assert_eq!(CODE39_CHARACTERS.len(), CODE39.len());
        assert!(CODE39.iter().all(|pattern| pattern.count_ones() == 3));
        let all: std::collections::BTreeSet<_> = CODE39.iter().collect();
        assert_eq!(all.len(), 44);
        assert!(ITF.iter().all(|pattern| pattern.count_ones() == 2));
    }

    #[test]
    fn data_that_does_not_fit_is_refused() {
        assert_eq!(bars(67, b"12"), Err(BarcodeError::Data));
        assert_eq!(bars(73, b"no set"), Err(BarcodeError::Data));
        assert_eq!(bars(71, b"A1A"), Err(BarcodeError::System(71)));
    }
}
