//! Numbers as people write them.

use rust_decimal::Decimal;

/// Symbols that a number may carry when the caller has no list of its own.
pub const CURRENCIES: &[&str] = &[
    "$", "€", "£", "¥", "₹", "₽", "₩", "₺", "₴", "₪", "₫", "₦", "₱", "฿", "Fr.", "CHF", "kr", "zł", "Kč", "Ft", "lei",
    "лв", "R$", "R", "RM", "Rp", "S$", "A$", "C$", "US$", "元", "円", "USD", "EUR", "GBP",
];

/// What separates thousands and decimals. `None`: what the number itself shows decides; where it shows nothing, comma and
/// point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Separators {
    pub thousand: Option<char>,
    pub decimal: Option<char>,
}

/// A number, its thousands and decimals separated as the number shows: of two different signs the last, standing once, is
/// the decimal one. Parentheses around it make it negative; a known currency symbol may stand at either end, inside them.
///
/// `32.000,00`, `32000,00`, `32,000.00`, `-32000.00`, `(32000.00)`, `$ 32.000,00`, `(32000.00 €)` are numbers;
/// `ABC 32.000,00` and `$ (32.000,00)` are none.
pub fn number(text: &str, separators: Separators, currencies: &[&str]) -> Option<Decimal> {
    let text = text.trim();
    let (text, negative) = match text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
        Some(inner) => (inner.trim(), true),
        None => (text, false),
    };
    let (text, minus) = sign(text);
    let text = currency(text, currencies);
    // The sign may stand behind the symbol, but only one.
    let (text, minus) = if minus.is_none() { sign(text) } else { (text, minus) };
    if negative && minus.is_some() {
        return None;
    }
    let number = unsigned(text, separators)?;
    Some(if negative || minus == Some(true) { -number } else { number })
}

/// The sign, if there is one: `Some(true)` is minus.
fn sign(text: &str) -> (&str, Option<bool>) {
    for (sign, minus) in [('-', true), ('\u{2212}', true), ('+', false)] {
        if let Some(rest) = text.strip_prefix(sign) {
            return (rest.trim_start(), Some(minus));
        }
    }
    (text, None)
}

fn currency<'a>(text: &'a str, currencies: &[&str]) -> &'a str {
    // The longest first: `US$` before `$`.
    let strip = |find: &dyn Fn(&str) -> Option<&'a str>| {
        let found = currencies.iter().filter(|c| !c.is_empty());
        found
            .filter_map(|c| find(c).map(|rest| (c.len(), rest)))
            .max_by_key(|(length, _)| *length)
            .map(|(_, rest)| rest)
    };
    strip(&|c| text.strip_prefix(c)).or_else(|| strip(&|c| text.strip_suffix(c))).map_or(text, str::trim)
}

fn unsigned(text: &str, separators: Separators) -> Option<Decimal> {
    if text.len() > 60 || !text.starts_with(|c: char| c.is_ascii_digit() || ".,".contains(c)) {
        return None;
    }
    if !text.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok();
    }
    if let Some(power) = text.find(['e', 'E']) {
        let plain = |t: &str, also: &str| t.chars().all(|c| c.is_ascii_digit() || also.contains(c));
        let fits = plain(&text[..power], ".") && plain(&text[power + 1..], "+-");
        return if fits { Decimal::from_scientific(text).ok() } else { None };
    }
    let signs: Vec<(usize, char)> = text.char_indices().filter(|(_, c)| !c.is_ascii_digit()).collect();
    if signs.iter().any(|(_, c)| !matches!(c, '.' | ',' | '\'' | '’' | ' ' | '\u{A0}' | '\u{202F}' | '_')) {
        return None;
    }
    let (last_at, last) = *signs.last()?;
    let first = signs[0].1;
    let fraction = &text[last_at + last.len_utf8()..];
    let whole = &text[..last_at];
    let (thousand, decimal) = if first != last {
        // Two signs: every one but the last is the same, and the last stands once.
        if signs[..signs.len() - 1].iter().any(|(_, c)| *c != first) {
            return None;
        }
        (Some(first), Some(last))
    } else if signs.len() > 1 || !matches!(last, '.' | ',') {
        (Some(last), None)
    } else {
        let groups = fraction.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0');
        // `1,500` or `1.500`: what was told decides, else a comma is taken for thousands and a point for decimals.
        let as_thousand = match (separators.thousand, separators.decimal) {
            (Some(thousand), _) if thousand == last => true,
            (_, Some(decimal)) if decimal == last => false,
            (None, Some(_)) => true,
            _ => last == ',',
        };
        if groups && as_thousand { (Some(last), None) } else { (None, Some(last)) }
    };
    let (whole, fraction) = if decimal.is_some() { (whole, fraction) } else { (text, "") };
    let digits = match thousand {
        Some(thousand) => grouped(whole, thousand)?,
        None => whole.to_owned(),
    };
    let digits = if digits.is_empty() { "0".to_owned() } else { digits };
    let plain = if fraction.is_empty() { digits } else { format!("{digits}.{fraction}") };
    plain.parse().ok()
}

/// `1.234.567` and, as in India, `12,34,567`: the last group has three digits, the others two or three.
fn grouped(whole: &str, thousand: char) -> Option<String> {
    let groups: Vec<&str> = whole.split(thousand).collect();
    let (last, rest) = groups.split_last()?;
    let (first, middle) = rest.split_first()?;
    let fits = last.len() == 3 && (1..=3).contains(&first.len()) && middle.iter().all(|g| g.len() == 3 || g.len() == 2);
    (fits && groups.iter().all(|g| g.bytes().all(|b| b.is_ascii_digit()))).then(|| groups.concat())
}
