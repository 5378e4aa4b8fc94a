//! What a code of the GS1 system says: GS1 General Specifications, sections 3 (application identifiers), 7.8 (element
//! strings, FNC1), 7.9 (check digit) and 7.12 (century of a date).
//!
//! FNC1 between elements comes as GS (ASCII 29). A code that breaks a rule is still taken apart as far as it goes, with
//! the breach in words: what to do with it is the reader's decision.

mod table;

use crate::setting::{Date, days_of};

pub const GS: char = '\u{1d}';

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gs1 {
    pub elements: Vec<Element>,
    /// Empty when all is well.
    pub problems: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    pub ai: String,
    pub title: &'static str,
    pub value: String,
    /// With its decimal point, for measures, counts and amounts.
    pub number: Option<String>,
    pub date: Option<Date>,
}

/// Symbology identifiers of GS1 symbols (section 5.1.2): GS1-128, DataBar and Composite, DataMatrix, QR, DotCode.
const CARRIERS: [&str; 6] = ["]C1", "]e0", "]e1", "]d2", "]Q3", "]J1"];

/// `None` if `text` is no GS1 code. `year` is the current one.
///
/// Without a symbology identifier only a code counts that cannot well be another one: it holds GS, or it begins with an
/// identification number whose check digit is right, and the rest of it makes sense.
pub fn parse(text: &str, symbology: Option<&str>, year: i32) -> Option<Gs1> {
    let carried = symbology.is_some_and(|s| CARRIERS.contains(&s));
    if !carried && symbology.is_some() {
        return None;
    }
    let body = text.trim_start_matches(GS);
    let read = elements(body, year);
    if carried {
        return Some(read);
    }
    let key = ["00", "01", "02"].iter().any(|ai| body.starts_with(ai));
    let sound = read.problems.is_empty() && !read.elements.is_empty();
    (sound && (text.contains(GS) || key && body.len() >= 16)).then_some(read)
}

fn elements(mut rest: &str, year: i32) -> Gs1 {
    let mut read = Gs1::default();
    while !rest.is_empty() {
        let Some((ai, title, format)) = find(rest) else {
            let shown: String = rest.chars().take(4).collect();
            read.problems.push(format!("no application identifier begins with {shown}"));
            break;
        };
        let fixed = rest.get(..2).and_then(table::predefined);
        let end = match fixed {
            Some(length) => length.min(rest.len()),
            None => rest.find(GS).unwrap_or(rest.len()),
        };
        let Some((element, behind)) = rest.split_at_checked(end) else {
            read.problems.push(format!("({ai}) holds characters that GS1 codes do not have"));
            break;
        };
        // One that ends by itself may be followed by FNC1 all the same.
        rest = behind.strip_prefix(GS).unwrap_or(behind);
        let value = element.get(ai.len()..).unwrap_or_default();
        let mut problem = |text: String| read.problems.push(format!("({ai}) {text}"));
        let (date, number) = check(&ai, value, format, year, &mut problem);
        read.elements.push(Element { ai, title, value: value.to_owned(), number, date });
    }
    for (at, element) in read.elements.iter().enumerate() {
        if read.elements[..at].iter().any(|other| other.ai == element.ai && other.value != element.value) {
            read.problems.push(format!("({}) is there twice with different values", element.ai));
        }
    }
    read
}

/// The identifier that `text` begins with, with its title and format.
fn find(text: &str) -> Option<(String, &'static str, &'static str)> {
    table::ROWS.iter().find_map(|(ai, title, format)| {
        let ends = ai.ends_with(['n', 's']);
        let stem = if ends { &ai[..ai.len() - 1] } else { ai };
        if !text.starts_with(stem) {
            return None;
        }
        let length = ai.len();
        let found = text.get(..length)?;
        found.bytes().all(|b| b.is_ascii_digit()).then(|| (found.to_owned(), *title, *format))
    })
}

/// Whether the value keeps to its format; its date and number.
fn check(
    ai: &str,
    value: &str,
    format: &str,
    year: i32,
    problem: &mut dyn FnMut(String),
) -> (Option<Date>, Option<String>) {
    let (mut rest, mut date, mut last) = (value, None, "");
    for part in format.split(' ') {
        let optional = part.ends_with('?');
        let (digits, part) = (part.starts_with('N'), part[1..].trim_end_matches('?'));
        let flag = part.chars().last().filter(char::is_ascii_alphabetic);
        let length = part.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let (least, most) = match length.strip_prefix("..") {
            Some(most) => (usize::from(!optional), most.parse().unwrap_or(0)),
            None => (length.parse().unwrap_or(0), length.parse().unwrap_or(0)),
        };
        let taken = rest.char_indices().nth(most).map_or(rest.len(), |(at, _)| at);
        let (piece, behind) = rest.split_at(taken);
        rest = behind;
        if piece.chars().count() < least {
            problem(format!("is too short: {value}"));
        } else if digits && !piece.bytes().all(|b| b.is_ascii_digit()) {
            problem(format!("holds something else than digits: {value}"));
        } else if !digits && !piece.chars().all(encodable) {
            problem("holds characters that GS1 codes do not have".to_owned());
        } else if flag == Some('c') && !check_digit(piece) {
            problem(format!("has a wrong check digit: {piece}"));
        } else if matches!(flag, Some('d' | 't')) {
            date = dated(piece.get(..6).unwrap_or_default(), flag == Some('d'), year);
            if date.is_none() {
                problem(format!("is no day of the calendar: {piece}"));
            }
        }
        if !piece.is_empty() {
            last = piece;
        }
    }
    if !rest.is_empty() {
        problem(format!("is too long: {value}"));
    }
    (date, number(ai, format, last))
}

/// The number in the last part of a measure, a count or an amount.
fn number(ai: &str, format: &str, digits: &str) -> Option<String> {
    let decimal = ai.len() == 4 && matches!(ai.as_bytes()[..2], [b'3', b'1'..=b'6' | b'9']);
    if !(decimal || matches!(ai, "30" | "37")) || digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    debug_assert!(!format.is_empty());
    let places = if decimal { usize::from(ai.as_bytes()[3] - b'0') } else { 0 };
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, behind) = padded.split_at(padded.len() - places);
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    Some(if places == 0 { whole.to_owned() } else { format!("{whole}.{behind}") })
}

/// Modulo 10 with weights 3 and 1 from the right (section 7.9.1).
pub fn check_digit(digits: &str) -> bool {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let weighed = digits.bytes().rev().enumerate().map(|(at, b)| u32::from(b - b'0') * if at % 2 == 0 { 1 } else { 3 });
    weighed.sum::<u32>() % 10 == 0
}

/// YYMMDD; day 00, where it may be, is the last of the month.
fn dated(digits: &str, without_day: bool, now: i32) -> Option<Date> {
    if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (yy, month, day): (i32, u8, u8) =
        (digits[..2].parse().ok()?, digits[2..4].parse().ok()?, digits[4..].parse().ok()?);
    // Section 7.12: 51 years ahead and more are of the last century, 50 back and more of the next.
    let century = now - now.rem_euclid(100);
    let year = match yy - now.rem_euclid(100) {
        51..=99 => century - 100 + yy,
        -99..=-50 => century + 100 + yy,
        _ => century + yy,
    };
    let day = if day == 0 && without_day { days_of(year, month) } else { day };
    Date::new(year, month, day)
}

/// Encodable character set 82 (figure 7.11-1).
fn encodable(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!\"%&'()*+,-./:;<=>?_".contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Gs1 {
        parse(text, Some("]C1"), 2026).unwrap()
    }

    fn told(gs1: &Gs1) -> Vec<String> {
        gs1.elements
            .iter()
            .map(|e| {
                let number = e.number.as_deref().map_or(String::new(), |n| format!(" = {n}"));
                let date = e.date.map_or(String::new(), |d| format!(" = {}-{:02}-{:02}", d.year, d.month, d.day));
                format!("({}) {} {}{number}{date}", e.ai, e.title, e.value)
            })
            .collect()
    }

    #[test]
    fn fixed_elements_need_no_separator_and_variable_ones_end_at_fnc1() {
        let gs1 = read("0109521234543213171001003103001750\u{1d}10ABC\u{1d}211234567890");
        assert_eq!(gs1.problems, Vec::<String>::new());
        assert_eq!(
            told(&gs1),
            [
                "(01) GTIN 09521234543213",
                "(17) USE BY OR EXPIRY 100100 = 2010-01-31",
                "(3103) NET WEIGHT (kg) 001750 = 1.750",
                "(10) BATCH/LOT ABC",
                "(21) SERIAL 1234567890",
            ]
        );
    }

    #[test]
    fn breaches_are_said_and_the_rest_is_read() {
        let problems = |text: &str| read(text).problems.join("; ");
        assert!(problems("0109521234543214").contains("wrong check digit"));
        assert!(problems("17270230").contains("no day of the calendar"));
        assert!(problems("172713").contains("too short"));
        assert!(problems("3103x01750").contains("digits"));
        assert!(problems("10123456789012345678901").contains("too long"));
        assert!(problems("10A\u{e9}").contains("characters"));
        assert!(problems("0500").contains("no application identifier"));
        assert!(problems("10A\u{1d}10B").contains("twice"));
        assert_eq!(problems("10A\u{1d}10A"), "");
        assert_eq!(read("0109521234543214\u{1d}10AB").elements.len(), 2);
    }

    #[test]
    fn amounts_and_counts_have_their_point_where_the_identifier_says() {
        assert_eq!(told(&read("3922123")), ["(3922) PRICE 123 = 1.23"]);
        assert_eq!(told(&read("393297812345")), ["(3932) PRICE 97812345 = 123.45"]);
        assert_eq!(told(&read("3020")), ["(30) VAR. COUNT 20 = 20"]);
        assert_eq!(told(&read("3105000001")), ["(3105) NET WEIGHT (kg) 000001 = 0.00001"]);
        assert_eq!(told(&read("7007260101260131")), ["(7007) HARVEST DATE 260101260131 = 2026-01-01"]);
    }

    #[test]
    fn the_century_is_the_nearest_one() {
        let year = |yy: &str, now| dated(&format!("{yy}0101"), true, now).unwrap().year;
        assert_eq!((year("76", 2026), year("77", 2026)), (2076, 1977));
        assert_eq!((year("10", 2060), year("11", 2060)), (2110, 2011));
        assert_eq!((year("49", 2099), year("50", 2099)), (2149, 2050));
    }

    #[test]
    fn an_ordinary_code_is_not_taken_for_one_of_gs1() {
        for text in ["4006381333931", "0123", "ABC", "https://example.com", "01095212345432", "1234567890123456"] {
            assert_eq!(parse(text, None, 2026), None, "{text}");
        }
        assert_eq!(parse("4006381333931", Some("]E0"), 2026), None);
        assert!(parse("0109521234543213", None, 2026).is_some());
        assert!(parse("10AB\u{1d}2112", None, 2026).is_some());
    }

    #[test]
    fn every_identifier_has_a_format_that_can_be_read_and_none_hides_another() {
        for (at, (ai, _, format)) in table::ROWS.iter().enumerate() {
            let stem = ai.trim_end_matches(['n', 's']);
            let hidden =
                table::ROWS[..at].iter().any(|(other, ..)| stem.starts_with(other.trim_end_matches(['n', 's'])));
            assert!(!hidden, "{ai}");
            for part in format.split(' ') {
                assert!(part.starts_with(['N', 'X']) && part.contains(|c: char| c.is_ascii_digit()), "{ai} {format}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,60}", digits in "[0-9\u{1d}]{0,60}", year in 1900..2200) {
            for text in [&text, &digits] {
                parse(text, Some("]d2"), year);
                parse(text, None, year);
            }
        }
    }
}
