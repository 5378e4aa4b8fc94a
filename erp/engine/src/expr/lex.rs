//! Text to tokens.

use rust_decimal::Decimal;

use super::ExprError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Int(i64),
    Decimal(Decimal),
    Text(String),
    Name(String),
    /// A mark or a word that is part of the grammar.
    Sign(&'static str),
    End,
}

/// Longer ones first: the first that fits is taken.
const MARKS: [&str; 25] = [
    "//", "==", "!=", "<>", "<=", ">=", "(", ")", "[", "]", "{", "}", ",", ":", ".", "+", "-", "*", "/", "%", "<", ">",
    "=", "&&", "||",
];
const WORDS: [&str; 8] = ["and", "or", "not", "in", "is", "if", "else", "lambda"];

/// Tokens with the place (in characters) where each begins; the last is `End`.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ExprError> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let next = chars.get(at + 1).copied();
        let from = at;
        let token = match c {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '\'' | '"' => string(&chars, &mut at)?,
            // Texts that old programs wrote as u'...'.
            'u' if matches!(next, Some('\'' | '"')) => {
                at += 1;
                string(&chars, &mut at)?
            }
            c if c.is_ascii_digit() || (c == '.' && next.is_some_and(|c| c.is_ascii_digit())) => {
                number(&chars, &mut at)?
            }
            c if c.is_ascii_alphabetic() || c == '_' => word(&chars, &mut at)?,
            _ => {
                let rest = &chars[at..chars.len().min(at + 2)];
                let mark =
                    MARKS.iter().find(|mark| mark.chars().zip(rest).filter(|(a, b)| a == *b).count() == mark.len());
                match mark {
                    Some(&("&&" | "||")) => {
                        return Err(ExprError::at(at, "write \"and\" and \"or\" instead of && and ||"));
                    }
                    Some(mark) => {
                        at += mark.len();
                        Token::Sign(mark)
                    }
                    None => return Err(ExprError::at(at, format!("{c:?} has no meaning here"))),
                }
            }
        };
        found.push((from, token));
    }
    found.push((chars.len(), Token::End));
    Ok(found)
}

fn word(chars: &[char], at: &mut usize) -> Result<Token, ExprError> {
    let from = *at;
    while chars.get(*at).is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_') {
        *at += 1;
    }
    let word: String = chars[from..*at].iter().collect();
    if word.starts_with('_') || word.contains("__") {
        return Err(ExprError::at(from, format!("{}: names do not begin with _ here", super::short(&word))));
    }
    Ok(match WORDS.iter().find(|known| **known == word) {
        Some(known) => Token::Sign(known),
        None => Token::Name(word),
    })
}

fn number(chars: &[char], at: &mut usize) -> Result<Token, ExprError> {
    let from = *at;
    let digits = |at: &mut usize| {
        while chars.get(*at).is_some_and(char::is_ascii_digit) {
            *at += 1;
        }
    };
    digits(at);
    let mut whole = true;
    if chars.get(*at) == Some(&'.') {
        whole = false;
        *at += 1;
        digits(at);
    }
    if matches!(chars.get(*at), Some('e' | 'E')) {
        whole = false;
        *at += 1;
        if matches!(chars.get(*at), Some('+' | '-')) {
            *at += 1;
        }
        digits(at);
    }
    let text: String = chars[from..*at].iter().collect();
    let wrong = || ExprError::at(from, format!("{} is not a number such as 12 or 1.50", super::short(&text)));
    if chars.get(*at).is_some_and(|c| c.is_alphanumeric() || *c == '_') {
        return Err(wrong());
    }
    if whole && let Ok(int) = text.parse() {
        return Ok(Token::Int(int));
    }
    let exact = if text.contains(['e', 'E']) { Decimal::from_scientific(&text) } else { text.parse() };
    exact.map(Token::Decimal).map_err(|_| wrong())
}

fn string(chars: &[char], at: &mut usize) -> Result<Token, ExprError> {
    let from = *at;
    let quote = chars[from];
    let mut text = String::new();
    *at += 1;
    loop {
        let Some(&c) = chars.get(*at) else {
            return Err(ExprError::at(from, format!("this text has no closing {quote}")));
        };
        *at += 1;
        match c {
            c if c == quote => return Ok(Token::Text(text)),
            '\\' => escape(chars, at, &mut text)?,
            c => text.push(c),
        }
    }
}

fn escape(chars: &[char], at: &mut usize, text: &mut String) -> Result<(), ExprError> {
    let from = *at;
    let Some(&c) = chars.get(*at) else { return Ok(()) };
    *at += 1;
    let digits = match c {
        'n' | 't' | 'r' | '\\' | '\'' | '"' | '\n' => {
            match c {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                // The line goes on.
                '\n' => {}
                c => text.push(c),
            }
            return Ok(());
        }
        'x' => 2,
        'u' => 4,
        'U' => 8,
        // Any other backslash is one: patterns of `like` are full of them.
        other => {
            text.push('\\');
            text.push(other);
            return Ok(());
        }
    };
    let hex: String = chars.iter().skip(*at).take(digits).collect();
    *at += digits;
    let code = u32::from_str_radix(&hex, 16).ok().filter(|_| hex.chars().count() == digits);
    match code.and_then(char::from_u32) {
        Some(c) => {
            text.push(c);
            Ok(())
        }
        None => Err(ExprError::at(from, format!("\\{c} must be followed by {digits} digits of a character"))),
    }
}
