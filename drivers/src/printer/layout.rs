//! Text into lines of a width in characters.

/// Breaks at spaces, and inside words that are longer than a line. An empty line stays one empty line.
pub(super) fn wrap(line: &str, width: usize) -> Lines<'_> {
    Lines { rest: Some(line), width: width.max(1) }
}

pub(super) struct Lines<'a> {
    rest: Option<&'a str>,
    width: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let Some(end) = end_of(rest, self.width) else {
            self.rest = None;
            return Some(rest);
        };
        let (head, tail) = rest.split_at(end);
        let at = if tail.starts_with(' ') {
            end
        } else {
            // A space that only follows other spaces is indentation, not a place to break.
            head.rfind(' ').filter(|&at| !head[..at].trim_start().is_empty()).unwrap_or(end)
        };
        let next = rest[at..].trim_start_matches(' ');
        self.rest = (!next.is_empty()).then_some(next);
        Some(rest[..at].trim_end_matches(' '))
    }
}

/// The byte at which `text` exceeds `width` characters.
fn end_of(text: &str, width: usize) -> Option<usize> {
    if text.len() <= width {
        return None;
    }
    text.char_indices().nth(width).map(|(at, _)| at)
}

pub(super) fn columns_of(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(text: &str, width: usize) -> Vec<&str> {
        wrap(text, width).collect()
    }

    #[test]
    fn lines_break_at_spaces_and_long_words_inside() {
        assert_eq!(lines("one two three", 7), ["one two", "three"]);
        assert_eq!(lines("one two three", 8), ["one two", "three"]);
        assert_eq!(lines("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(lines("  indented text", 8), ["  indent", "ed text"]);
        assert_eq!(lines("", 8), [""]);
        assert_eq!(lines("crème brûlée", 5), ["crème", "brûlé", "e"]);
    }

    proptest! {
        #[test]
        fn no_line_is_too_long_and_no_word_is_lost(text in "[a-zé ]{0,80}", width in 1usize..20) {
            let lines = lines(&text, width);
            prop_assert!(lines.iter().all(|line| columns_of(line) <= width));
            let letters = |s: &str| s.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}
