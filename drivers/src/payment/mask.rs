//! Card numbers in texts.

/// Lengths of card numbers (ISO/IEC 7812-1: up to 19 digits; the shortest in use have 12).
const DIGITS: std::ops::RangeInclusive<usize> = 12..=19;

/// The text with all but the last four digits of every card number in it replaced by `*`.
///
/// A card number is a run of 12 to 19 digits, with single spaces or dashes among them or none, whose check digit is right
/// (ISO/IEC 7812-1, annex B). Track data (`number=expiry...`) loses what follows the number too.
pub fn masked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        if !chars[at].is_ascii_digit() {
            out.push(chars[at]);
            at += 1;
            continue;
        }
        let run = run(&chars, at);
        let digits: Vec<usize> = run.clone().filter(|i| chars[*i].is_ascii_digit()).collect();
        let hidden = hidden(&chars, &digits);
        for i in run.clone() {
            out.push(if hidden.contains(&i) { '*' } else { chars[i] });
        }
        at = run.end;
        let card = !hidden.is_empty();
        // Field separators of tracks 1 and 2 (ISO/IEC 7813).
        if card && matches!(chars.get(at), Some('=' | 'D' | 'd' | '^')) {
            let end = (at..chars.len()).find(|i| chars[*i].is_whitespace()).unwrap_or(chars.len());
            out.push('*');
            at = end;
        }
    }
    out
}

/// Digits from `at` on, with single separators inside.
fn run(chars: &[char], at: usize) -> std::ops::Range<usize> {
    let mut end = at;
    let mut next = at;
    while let Some(c) = chars.get(next) {
        if c.is_ascii_digit() {
            next += 1;
            end = next;
        } else if matches!(c, ' ' | '-' | '.') && next == end {
            next += 1;
        } else {
            break;
        }
    }
    at..end
}

/// Of the digits at these places, those to hide: all but the last four of every card number among them.
fn hidden(chars: &[char], digits: &[usize]) -> Vec<usize> {
    let mut hide = Vec::new();
    for length in DIGITS {
        for window in digits.windows(length) {
            let values: Vec<u32> = window.iter().filter_map(|i| chars[*i].to_digit(10)).collect();
            // A run of equal digits is a ruler, not a card.
            if luhn(&values) && values.iter().any(|v| *v != values[0]) && stands_alone(chars, window, digits) {
                hide.extend_from_slice(&window[..length - 4]);
            }
        }
    }
    hide
}

/// The window ends where its digits' group ends, or fills the run: numbers inside of longer ones are not cards, unless
/// the whole is longer than any card and may be two in a row.
fn stands_alone(chars: &[char], window: &[usize], digits: &[usize]) -> bool {
    let (Some(first), Some(last)) = (window.first(), window.last()) else { return false };
    let starts = *first == 0 || !chars[first - 1].is_ascii_digit();
    let ends = chars.get(last + 1).is_none_or(|c| !c.is_ascii_digit());
    (starts && ends) || digits.len() > *DIGITS.end()
}

/// The check digit is right.
fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| match i % 2 {
            0 => *d,
            _ if *d > 4 => d * 2 - 9,
            _ => d * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The last four digits of what a terminal gives as a card number, if it shows them.
pub(super) fn last4(number: &str) -> Option<String> {
    let tail: Vec<char> = number.trim().chars().rev().take(4).collect();
    (tail.len() == 4 && tail.iter().all(char::is_ascii_digit)).then(|| tail.into_iter().rev().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_card_number_the_last_four_digits_stay() {
        for (text, expected) in [
            ("4111111111111111", "************1111"),
            ("Karte 4111 1111 1111 1111 gueltig", "Karte **** **** **** 1111 gueltig"),
            ("PAN:5500-0055-5555-5559.", "PAN:****-****-****-5559."),
            ("378282246310005", "***********0005"),
            (";4111111111111111=25121011000012345678? x", ";************1111* x"),
            ("4111111111111111 12/27", "************1111 12/27"),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn what_is_no_card_number_stays() {
        for text in [
            "GEN.NR.:611804",
            "22.11.2026 05:16",
            "----------------",
            "4111111111111112",
            "0000000000000000",
            "Trace 10004001",
            "************1111",
            "",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn two_numbers_in_one_run_are_both_masked() {
        let text = masked("41111111111111115500005555555559");
        assert!(!text.contains("411111111111") && !text.contains("550000555555"), "{text}");
    }

    #[test]
    fn last_four_digits_are_taken_only_where_they_show() {
        assert_eq!(last4("516815******9659").as_deref(), Some("9659"));
        assert_eq!(last4("************").as_deref(), None);
        assert_eq!(last4("12").as_deref(), None);
    }
}
