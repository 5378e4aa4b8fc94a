//! Patterns of `like`: `%` any run, `_` any one character, `\` takes the next as it is.
//!
//! Parsed once and written anew for each database: SQLite's LIKE knows no case, so there `like` is a GLOB; PostgreSQL
//! refuses a pattern that ends with `\`. Without regard to letter case, SQLite's LIKE folds the letters of ASCII only;
//! a pattern with others becomes a GLOB in which every letter is a set of its forms (`[éÉ]`).

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Piece>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Run,
    One,
    Char(char),
}

/// Characters of a pattern; many `%` in a long one make a database sweat.
pub(crate) const MAX_PATTERN: usize = 1_000;
/// Runs in a pattern: matching takes time exponential in their number at worst.
const MAX_RUNS: usize = 20;

impl Pattern {
    pub(crate) fn parse(text: &str, whole: bool) -> Result<Pattern, String> {
        if text.chars().count() > MAX_PATTERN {
            return Err(format!("a pattern of more than {MAX_PATTERN} characters"));
        }
        let mut pieces = Vec::new();
        let mut push = |piece| {
            if !(piece == Piece::Run && pieces.last() == Some(&Piece::Run)) {
                pieces.push(piece);
            }
        };
        if !whole {
            push(Piece::Run);
        }
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            push(match c {
                '%' => Piece::Run,
                '_' => Piece::One,
                '\\' => Piece::Char(chars.next().unwrap_or('\\')),
                c => Piece::Char(c),
            });
        }
        if !whole {
            push(Piece::Run);
        }
        if pieces.iter().filter(|&&piece| piece == Piece::Run).count() > MAX_RUNS {
            return Err(format!("a pattern with more than {MAX_RUNS} runs of %"));
        }
        Ok(Pattern(pieces))
    }

    /// For LIKE with `\` as the escape character.
    pub(crate) fn as_like(&self) -> String {
        self.write("%", "_", |c, out| {
            if matches!(c, '%' | '_' | '\\') {
                out.push('\\');
            }
            out.push(c);
        })
    }

    /// For SQLite's GLOB, which knows letter case.
    pub(crate) fn as_glob(&self) -> String {
        self.write("*", "?", |c, out| match c {
            '*' | '?' | '[' => out.extend(['[', c, ']']),
            c => out.push(c),
        })
    }

    /// For SQLite's GLOB, any letter in each of its cases; nothing where LIKE does the same.
    pub(crate) fn as_folding_glob(&self) -> Option<String> {
        let folds = |piece: &Piece| matches!(piece, Piece::Char(c) if !c.is_ascii() && other_case(*c).is_some());
        if !self.0.iter().any(folds) {
            return None;
        }
        Some(self.write("*", "?", |c, out| match (c, other_case(c)) {
            (c, Some(other)) => out.extend(['[', c, other, ']']),
            ('*' | '?' | '[', _) => out.extend(['[', c, ']']),
            (c, None) => out.push(c),
        }))
    }

    fn write(&self, run: &str, one: &str, char: impl Fn(char, &mut String)) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Run => out.push_str(run),
                Piece::One => out.push_str(one),
                Piece::Char(c) => char(*c, &mut out),
            }
        }
        out
    }

    /// In memory. `fold` ignores the case of letters.
    pub(crate) fn matches(&self, text: &str, fold: bool) -> bool {
        let text: Vec<char> = text.chars().collect();
        let same = |a: char, b: char| a == b || (fold && other_case(a) == Some(b));
        // Greedy with one step back to the last run: quadratic at worst.
        let (mut at, mut piece, mut back) = (0, 0, None);
        loop {
            match self.0.get(piece) {
                Some(Piece::Run) => {
                    back = Some((piece, at));
                    piece += 1;
                    continue;
                }
                Some(Piece::One) if at < text.len() => {
                    (at, piece) = (at + 1, piece + 1);
                    continue;
                }
                Some(Piece::Char(c)) if at < text.len() && same(*c, text[at]) => {
                    (at, piece) = (at + 1, piece + 1);
                    continue;
                }
                None if at == text.len() => return true,
                _ => {}
            }
            match back {
                Some((run, from)) if from < text.len() => {
                    back = Some((run, from + 1));
                    (at, piece) = (from + 1, run + 1);
                }
                _ => return false,
            }
        }
    }
}

/// The letter in its other case, where there is exactly one and the way back leads here: `ß` and `İ` stay as they are.
fn other_case(c: char) -> Option<char> {
    fn single(mut chars: impl Iterator<Item = char>) -> Option<char> {
        chars.next().filter(|_| chars.next().is_none())
    }
    let (lower, upper) = (single(c.to_lowercase())?, single(c.to_uppercase())?);
    let other = if lower == c { upper } else { lower };
    let back = if lower == c { single(other.to_lowercase())? } else { single(other.to_uppercase())? };
    (other != c && back == c).then_some(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_every_script_have_two_cases_where_they_have_two() {
        let case = |c| other_case(c);
        assert_eq!([case('é'), case('É'), case('ж'), case('Σ')], [Some('É'), Some('é'), Some('Ж'), Some('σ')]);
        assert_eq!([case('ß'), case('ς'), case('İ'), case('1'), case('中')], [None; 5]);
        assert_eq!(Pattern::parse("Čé[%a", false).unwrap().as_folding_glob().unwrap(), "*[Čč][éÉ][[]*[aA]*");
        assert_eq!(Pattern::parse("abc", false).unwrap().as_folding_glob(), None);
        assert!(Pattern::parse("ÉMILE_", false).unwrap().matches("chez émile!", true));
        assert!(!Pattern::parse("ÉMILE", false).unwrap().matches("chez émile!", false));
    }
}
