//! From a scale's bytes to a weight that is shown and sold by: all of it, and nothing else.
//!
//! This module is frozen. Its text has a hash ([`super::LEGAL_SHA256`]) that the box shows as the identification of its
//! legally relevant software (WELMEC guide 7.2, extension of requirements for software identification), and a test
//! fails when the text changes and the hash does not. Whoever changes it on purpose gives it a new version as well.
//!
//! 1. Digits stay the digits of the scale. Nothing is rounded, converted by a factor or kept as a binary fraction.
//! 2. A weight is released for a sale only while the scale says that it is at rest, in range and not below zero.
//! 3. What cannot be read without doubt is no weight.

use super::{State, Unit, Weight};

/// The longest number that a scale shows: seven digits before the point, six behind it.
const WHOLE: usize = 7;
const DECIMALS: usize = 6;

/// The number as a display shows it: blanks around it and a plus removed, leading zeros removed but one. A minus may be
/// apart from its digits (`-  1.20`). `None` if it is no number.
pub fn digits(number: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(number).ok()?.trim_matches(' ');
    let (minus, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest.trim_start_matches(' ')),
        None => (false, text.strip_prefix('+').unwrap_or(text).trim_start_matches(' ')),
    };
    let (whole, decimals) = match text.split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (text, None),
    };
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || whole.len() > WHOLE {
        return None;
    }
    if decimals.is_some_and(|d| d.is_empty() || !plain(d) || d.len() > DECIMALS) {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let mut digits = match decimals {
        Some(decimals) => format!("{whole}.{decimals}"),
        None => whole.to_owned(),
    };
    if minus && !is_zero(&digits) {
        digits.insert(0, '-');
    }
    Some(digits)
}

/// The same for a scale that gives whole numbers (`counts`) of its last digit, which is worth `10^exponent` of the unit.
pub fn counted(counts: i64, exponent: i8) -> Option<String> {
    let sign = if counts < 0 { "-" } else { "" };
    let counts = counts.unsigned_abs();
    let text = match exponent {
        0 => format!("{sign}{counts}"),
        1..=6 => format!("{sign}{counts}{}", "0".repeat(usize::from(exponent.unsigned_abs()))),
        -6..=-1 => {
            let decimals = usize::from(exponent.unsigned_abs());
            let padded = format!("{counts:0>width$}", width = decimals + 1);
            let (whole, behind) = padded.split_at(padded.len() - decimals);
            format!("{sign}{whole}.{behind}")
        }
        _ => return None,
    };
    digits(text.as_bytes())
}

/// Moves the decimal point: by 3 to the right (`3`) or left (`-3`), as between milligrams, grams, kilograms and tonnes.
/// Exact, since no digit changes.
pub fn shifted(digits: &str, by: i8) -> Option<String> {
    let (sign, unsigned) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let (whole, decimals) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let places = usize::from(by.unsigned_abs());
    let (whole, decimals) = if by >= 0 {
        let padded = format!("{decimals:0<places$}");
        let (front, back) = padded.split_at(places);
        (format!("{whole}{front}"), back.to_owned())
    } else {
        let padded = format!("{whole:0>width$}", width = places + 1);
        let (front, back) = padded.split_at(padded.len() - places);
        (front.to_owned(), format!("{back}{decimals}"))
    };
    let text = if decimals.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{decimals}") };
    self::digits(text.as_bytes())
}

pub fn is_zero(digits: &str) -> bool {
    digits.bytes().all(|b| matches!(b, b'0' | b'.' | b'-'))
}

/// A weight in words of the scale: `1.234` and `kg`. Milligrams become grams, tonnes become kilograms.
pub fn weight(number: &[u8], unit: &[u8], net: bool) -> Option<Weight> {
    let digits = digits(number)?;
    let unit = std::str::from_utf8(unit).ok()?.trim_matches(' ').to_ascii_lowercase();
    let (digits, unit) = match unit.as_str() {
        "kg" => (digits, Unit::Kg),
        "g" => (digits, Unit::G),
        "lb" | "lbs" => (digits, Unit::Lb),
        "oz" => (digits, Unit::Oz),
        "mg" => (shifted(&digits, -3)?, Unit::G),
        "t" => (shifted(&digits, 3)?, Unit::Kg),
        _ => return None,
    };
    Some(Weight { digits, unit, net })
}

/// What a scale that is in range shows: at rest or not, and where it is.
pub fn state(at_rest: bool, weight: &Weight) -> State {
    if weight.digits.starts_with('-') {
        State::UnderZero
    } else if !at_rest {
        State::Motion
    } else if is_zero(&weight.digits) {
        State::Zero
    } else {
        State::Stable
    }
}

/// Whether goods may be sold by what the scale shows now.
pub fn released(state: State, weight: Option<&Weight>) -> Option<&Weight> {
    match state {
        State::Stable | State::Zero => weight.filter(|weight| !weight.digits.starts_with('-')),
        State::Motion | State::UnderZero | State::OverCapacity | State::ZeroRange | State::Silent => None,
    }
}

/// The 8217 interface names no unit: two decimals are pounds, three are kilograms (service manual, command `W`).
pub fn unit_by_decimals(digits: &str) -> Option<Unit> {
    match digits.split_once('.')?.1.len() {
        2 => Some(Unit::Lb),
        3 => Some(Unit::Kg),
        _ => None,
    }
}
