//! Code page 437, in which terminals write their texts unless they say otherwise.

/// 0x80 to 0xff.
const UPPER: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// Control characters become spaces, a NUL at the end goes.
pub(super) fn decode(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
    bytes[..end]
        .iter()
        .map(|byte| match byte {
            0x20..=0x7e => char::from(*byte),
            0x80.. => UPPER.chars().nth(usize::from(byte - 0x80)).unwrap_or(' '),
            _ => ' ',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn umlauts_and_lines_come_out() {
        assert_eq!(UPPER.chars().count(), 128);
        assert_eq!(decode(b"H\x8eNDLERBELEG f\x81r \xe1\0"), "HÄNDLERBELEG für ß");
    }
}
