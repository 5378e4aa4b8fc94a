//! Code pages: what a byte means.

/// The upper halves, from 0x80 on.
const PC437: &str = concat!(
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐",
    "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{A0}"
);
const PC850: &str = concat!(
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐",
    "└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{AD}±‗¾¶§÷¸°¨·¹³²■\u{A0}"
);
const WPC1252: &str = concat!(
    "€\u{FFFD}‚ƒ„…†‡ˆ‰Š‹Œ\u{FFFD}Ž\u{FFFD}\u{FFFD}‘’“”•–—˜™š›œ\u{FFFD}žŸ\u{A0}¡¢£¤¥¦§¨©ª«¬\u{AD}®¯",
    "°±²³´µ¶·¸¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ"
);

/// The numbers of ESC t that are drawn: PC437, PC850, WPC1252, PC858 and ISO 8859-15.
pub(crate) const PAGES: [u8; 5] = [0, 2, 16, 19, 40];

/// What ESC R puts in the places of `#$@[\]^`{|}~`, for sets 0 to 7.
const INTERNATIONAL: [&str; 8] = [
    "#$@[\\]^`{|}~",
    "#$à°ç§^`éùè¨",
    "#$§ÄÖÜ^`äöüß",
    "£$@[\\]^`{|}~",
    "#$@ÆØÅ^`æøå~",
    "#¤ÉÄÖÅÜéäöåü",
    "#$@°\\é^ùàòèì",
    "₧$@¡Ñ¿^`¨ñ}~",
];

/// The character that `byte` prints in code page `page` (the number of ESC t) and international set `set` (ESC R).
pub(crate) fn character(byte: u8, page: u8, set: u8) -> char {
    if byte < 0x80 {
        let place = INTERNATIONAL[0].chars().position(|c| c == char::from(byte));
        let replaced = place.and_then(|place| INTERNATIONAL.get(usize::from(set))?.chars().nth(place));
        return replaced.unwrap_or(char::from(byte));
    }
    if page == 40 {
        return latin_9(byte);
    }
    let upper = match page {
        0 => PC437,
        2 => PC850,
        16 => WPC1252,
        19 if byte == 0xD5 => return '€',
        19 => PC850,
        _ => "",
    };
    upper.chars().nth(usize::from(byte - 0x80)).unwrap_or('\u{FFFD}')
}

fn latin_9(byte: u8) -> char {
    match byte {
        0xA4 => '€',
        0xA6 => 'Š',
        0xA8 => 'š',
        0xB4 => 'Ž',
        0xB8 => 'ž',
        0xBC => 'Œ',
        0xBD => 'œ',
        0xBE => 'Ÿ',
        other => char::from(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_page_has_128_upper_characters() {
        for page in [PC437, PC850, WPC1252] {
            assert_eq!(page.chars().count(), 128);
        }
        assert!(INTERNATIONAL.iter().all(|set| set.chars().count() == 12));
    }

    #[test]
    fn the_euro_sign_is_where_each_page_has_it() {
        assert_eq!(character(0xD5, 19, 0), '€');
        assert_eq!(character(0x80, 16, 0), '€');
        assert_eq!(character(0xA4, 40, 0), '€');
        assert_eq!(character(0xD5, 2, 0), 'ı');
        assert_eq!(character(0x82, 0, 0), 'é');
        assert_eq!(character(b'~', 0, 2), 'ß');
    }
}
