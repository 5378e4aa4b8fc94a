//! What a column holds, from its first values.

use super::{Pattern, Separators, boolean, date_patterns, datetime_patterns, number};
use crate::Cell;

/// Lines of a file that a guess looks at, the header counted.
pub const LINES: usize = 10;

/// What the caller knows.
#[derive(Debug, Clone, Default)]
pub struct Hints<'a> {
    pub separators: Separators,
    pub currencies: &'a [&'a str],
    /// The user's own patterns, tried first.
    pub date: Option<&'a str>,
    pub datetime: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Nothing in it: it may be anything.
    Blank,
    /// External ids that an export made.
    ExternalId,
    Boolean,
    /// Digits only; `boolean` where they are only 0 and 1.
    Integer {
        boolean: bool,
    },
    Number(Separators),
    Date(Pattern),
    DateTime(Pattern),
    Text,
}

impl Column {
    /// The field types that such a column may go to; every reference and text takes anything.
    pub fn types(&self) -> &'static [&'static str] {
        match self {
            Self::Blank => &["all"],
            Self::ExternalId => &["id", "many2many", "many2one", "one2many"],
            Self::Boolean => &["boolean"],
            Self::Integer { boolean: true } => {
                &["id", "integer", "boolean", "char", "float", "monetary", "many2one", "many2many", "one2many"]
            }
            Self::Integer { boolean: false } => {
                &["id", "integer", "char", "float", "monetary", "many2one", "many2many", "one2many"]
            }
            Self::Number(_) => &["float", "monetary"],
            Self::Date(_) => &["date", "datetime"],
            Self::DateTime(_) => &["datetime", "date"],
            Self::Text => {
                &["id", "text", "boolean", "char", "datetime", "selection", "many2one", "many2many", "one2many", "html"]
            }
        }
    }
}

/// Guesses from the values below the header; the caller gives the first nine.
pub fn column(cells: &[Cell], hints: &Hints<'_>) -> Column {
    let cells: Vec<&Cell> = cells.iter().filter(|cell| !cell.is_blank()).collect();
    if cells.is_empty() {
        return Column::Blank;
    }
    if let Some(typed) = typed(&cells) {
        return typed;
    }
    let texts: Vec<String> = cells.iter().map(|cell| cell.text().trim().to_owned()).collect();
    let all = |is: &dyn Fn(&str) -> bool| texts.iter().all(|text| is(text));
    if all(&|t| t.starts_with("__export__")) {
        return Column::ExternalId;
    }
    if all(&|t| t.bytes().all(|b| b.is_ascii_digit())) {
        // 20260131 is a number before it is a date.
        return Column::Integer { boolean: all(&|t| t == "0" || t == "1") };
    }
    if all(&|t| boolean(t, &[], &[]).is_some() && t.starts_with(|c: char| "tTfF".contains(c))) {
        return Column::Boolean;
    }
    if all(&|t| number(t, hints.separators, hints.currencies).is_some()) {
        return Column::Number(separators(&texts, hints));
    }
    let fits = |patterns: Vec<Pattern>, fits: &dyn Fn(&Pattern, &str) -> bool| {
        patterns.into_iter().find(|pattern| texts.iter().all(|text| fits(pattern, text)))
    };
    if let Some(pattern) = fits(date_patterns(hints.date), &|p, t| p.date(t).is_some()) {
        return Column::Date(pattern);
    }
    if let Some(pattern) = fits(datetime_patterns(hints.datetime, hints.date), &|p, t| p.datetime(t).is_some()) {
        return Column::DateTime(pattern);
    }
    Column::Text
}

/// Cells of a spreadsheet say themselves what they are.
fn typed(cells: &[&Cell]) -> Option<Column> {
    let all = |is: &dyn Fn(&Cell) -> bool| cells.iter().all(|cell| is(cell));
    if all(&|c| matches!(c, Cell::Number(_))) {
        let whole = |c: &Cell| matches!(c, Cell::Number(n) if n.fract() == 0.0 && *n >= 0.0 && *n < 9e15);
        return Some(if all(&whole) {
            Column::Integer { boolean: all(&|c| matches!(c, Cell::Number(n) if *n == 0.0 || *n == 1.0)) }
        } else {
            Column::Number(Separators { thousand: Some(','), decimal: Some('.') })
        });
    }
    if all(&|c| matches!(c, Cell::Bool(_))) {
        return Some(Column::Boolean);
    }
    if all(&|c| matches!(c, Cell::Date(_))) {
        return Some(Column::Date(Pattern::new("%Y-%m-%d")));
    }
    if all(&|c| matches!(c, Cell::Date(_) | Cell::DateTime(_))) {
        return Some(Column::DateTime(Pattern::new("%Y-%m-%d %H:%M:%S")));
    }
    None
}

/// One value that shows both separators speaks for the column, else one that shows a decimal sign.
fn separators(texts: &[String], hints: &Hints<'_>) -> Separators {
    let mut found = hints.separators;
    for text in texts {
        let signs: Vec<char> = text.chars().filter(|c| matches!(c, '.' | ',')).collect();
        let (Some(first), Some(last)) = (signs.first(), signs.last()) else { continue };
        if first != last {
            return Separators { thousand: Some(*first), decimal: Some(*last) };
        }
        let other = if *last == ',' { '.' } else { ',' };
        let after = text.rsplit(*last).next().map_or(0, |t| t.bytes().filter(u8::is_ascii_digit).count());
        if signs.len() > 1 {
            found = Separators { thousand: Some(*last), decimal: Some(other) };
        } else if after != 3 {
            found = Separators { thousand: Some(other), decimal: Some(*last) };
        }
    }
    Separators { thousand: found.thousand.or(Some(',')), decimal: found.decimal.or(Some('.')) }
}
