//! What can be wrong with a view. Each message names the view, the line in its own text, and what would fit instead.

use std::fmt;

/// Which view a line belongs to, in words that its author knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub name: String,
    /// `app.id`, where the view came with an app or was given one.
    pub external_id: Option<String>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.external_id {
            Some(id) => write!(f, "view {:?} ({id})", self.name),
            None => write!(f, "view {:?}", self.name),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewError {
    pub view: Origin,
    /// Line in the architecture of that view, from 1.
    pub line: u32,
    pub problem: String,
}

impl fmt::Display for ViewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: {}", self.view, self.line, self.problem)
    }
}

impl std::error::Error for ViewError {}

/// A problem at a line, before it is known whose line it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) line: u32,
    pub(crate) what: String,
}

impl Problem {
    pub(crate) fn new(line: u32, what: impl Into<String>) -> Problem {
        Problem { line, what: what.into() }
    }

    pub(crate) fn of(self, view: &Origin) -> ViewError {
        ViewError { view: view.clone(), line: self.line, problem: self.what }
    }
}

/// `a`, `b` or `c`: what a reader could have meant by `wanted`, closest first; empty when nothing is close.
pub(crate) fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    const MOST: usize = 3;
    let mut scored: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|name| {
            let close = ((wanted.chars().count().max(name.chars().count()) + 1) / 3).max(1);
            let inside = wanted.len() >= 3 && (name.contains(wanted) || (name.len() >= 3 && wanted.contains(name)));
            match distance(wanted, name) {
                found if found <= close => Some((found, name)),
                _ if inside => Some((close + 1, name)),
                _ => None,
            }
        })
        .collect();
    scored.sort_unstable();
    scored.dedup();
    scored.into_iter().take(MOST).map(|(_, name)| name).collect()
}

/// "; did you mean `a` or `b`?", or nothing.
pub(crate) fn did_you_mean<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near = nearest(wanted, known);
    match near.as_slice() {
        [] => String::new(),
        near => format!("; did you mean {}?", near.join(" or ")),
    }
}

/// Edits between two words: insert, delete, replace.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(80).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(80).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_told_its_neighbours_and_a_strange_one_nothing() {
        let known = ["partner_id", "user_id", "phone"];
        assert_eq!(nearest("partnerid", known), ["partner_id"]);
        assert_eq!(nearest("phon", known), ["phone"]);
        assert_eq!(nearest("partner", known), ["partner_id"]);
        assert_eq!(did_you_mean("zzzzzz", known), "");
    }
}
