//! Cells of a file as `load` takes them, by the type of the field they go to.

use erp_engine::{Env, Error, Search};
use erp_exchange::{
    Cell,
    guess::{self, CURRENCIES, Column, Pattern, Separators},
};
use serde_json::{Map, Value as Json};

use super::{fields::Node, options::Wanted};

/// Symbols that a number may carry: those of the currencies, archived ones among them.
pub(super) async fn currencies(env: &mut Env) -> Result<Vec<String>, Error> {
    let registry = env.registry().clone();
    let Ok(model) = registry.model("res.currency") else {
        return Ok(CURRENCIES.iter().map(|symbol| (*symbol).to_owned()).collect());
    };
    let fields: Vec<&str> = ["symbol", "name"].into_iter().filter(|name| model.field(name).is_ok()).collect();
    let mut all = env.sudo("symbols that numbers of a file may carry");
    let context = all.context().clone();
    all.set_context(context.clone().with("active_test", false));
    let found = all.search_read("res.currency", &erp_engine::Domain::True, &fields, Search::default()).await;
    all.set_context(context);
    let mut symbols = Vec::new();
    for record in found? {
        symbols.extend(fields.iter().map(|field| record.get_str(field).to_owned()).filter(|text| !text.is_empty()));
    }
    Ok(symbols)
}

/// Where a column of the table for `load` comes from, and how its cells are read.
pub(super) struct Target<'t> {
    pub(super) path: String,
    /// Columns of the file; texts of several are joined.
    pub(super) columns: Vec<usize>,
    pub(super) header: String,
    node: Option<&'t Node>,
    pattern: Option<Pattern>,
    fallback: Option<Fallback>,
}

/// What stands for a value that a boolean or selection field does not know.
enum Fallback {
    Value(String),
    Skip,
}

pub(super) struct Reading<'a> {
    pub(super) separators: Separators,
    pub(super) currencies: &'a [&'a str],
}

impl<'t> Target<'t> {
    pub(super) fn new(path: String, column: usize, header: &str, node: Option<&'t Node>) -> Target<'t> {
        let header = if header.is_empty() { path.clone() } else { header.to_owned() };
        Target { path, columns: vec![column], header, node, pattern: None, fallback: None }
    }

    pub(super) fn kind(&self) -> &str {
        self.node.map_or("", |node| node.kind.as_str())
    }

    pub(super) fn label(&self) -> &str {
        self.node.map_or(self.path.as_str(), |node| node.label.as_str())
    }

    /// Values of several columns may go to one field.
    pub(super) fn joins(&self) -> Option<&'static str> {
        match self.kind() {
            "char" => Some(" "),
            "text" | "html" => Some("\n"),
            "many2many" => Some(","),
            _ => None,
        }
    }

    /// How dates are written: as the person said, else as the column's first values are.
    pub(super) fn choose_pattern(&mut self, wanted: &Wanted, guessed: Option<&Column>, samples: &[String]) {
        let first = |patterns: Vec<Pattern>, fits: &dyn Fn(&Pattern, &str) -> bool| {
            let sample = samples.first()?;
            patterns.into_iter().find(|pattern| fits(pattern, sample))
        };
        self.pattern = match (self.kind(), guessed) {
            ("date", Some(Column::Date(pattern))) if wanted.text("date_format").is_none() => Some(pattern.clone()),
            ("datetime", Some(Column::DateTime(pattern))) if wanted.text("datetime_format").is_none() => {
                Some(pattern.clone())
            }
            ("date", _) => wanted
                .text("date_format")
                .map(Pattern::new)
                .or_else(|| first(guess::date_patterns(None), &|p, t| p.date(t).is_some())),
            ("datetime", _) => wanted
                .text("datetime_format")
                .map(Pattern::new)
                .or_else(|| first(guess::datetime_patterns(None, None), &|p, t| p.datetime(t).is_some())),
            _ => None,
        };
    }

    pub(super) fn choose_fallback(&mut self, wanted: &Map<String, Json>) {
        let Some(given) = wanted.get(&self.path) else { return };
        let value = given.get("fallback_value").unwrap_or(given);
        self.fallback = match value.as_str() {
            Some("skip") => Some(Fallback::Skip),
            Some(text) if !text.is_empty() => Some(Fallback::Value(text.to_owned())),
            _ => value.as_bool().map(|truth| Fallback::Value(truth.to_string())),
        };
    }

    /// Rows whose cells this field cannot use are left out.
    pub(super) fn skips(&self) -> bool {
        matches!(self.fallback, Some(Fallback::Skip))
    }

    /// The cell for `load`, or what is wrong with it.
    pub(super) fn cell(&self, row: &[Cell], reading: &Reading<'_>) -> Result<Json, String> {
        if let ([first, _, ..], Some(between)) = (self.columns.as_slice(), self.joins()) {
            let _ = first;
            let texts: Vec<String> = self
                .columns
                .iter()
                .filter_map(|at| row.get(*at))
                .filter(|cell| !cell.is_blank())
                .map(|cell| cell.text().trim().to_owned())
                .collect();
            return Ok(texts.join(between).into());
        }
        let cell = self.columns.first().and_then(|at| row.get(*at)).unwrap_or(&Cell::Empty);
        if let Cell::Error(shown) = cell {
            return Err(format!("the spreadsheet shows the error {shown} here; correct it there"));
        }
        if cell.is_blank() {
            return Ok("".into());
        }
        match self.kind() {
            "float" | "monetary" | "integer" => self.number(cell, reading),
            "date" => self.date(cell),
            "datetime" => self.datetime(cell),
            "boolean" => Ok(self.known(cell, |text| guess::boolean(text, &[], &[]).is_some())),
            "selection" => Ok(self.known(cell, |text| {
                let text = text.to_lowercase();
                let choices = self.node.map(|node| node.selection.as_slice()).unwrap_or_default();
                choices.iter().any(|(key, label)| key.to_lowercase() == text || label.to_lowercase() == text)
            })),
            _ => Ok(cell.text().into_owned().into()),
        }
    }

    /// The cell's text, or what was chosen to stand for words that the field does not know.
    fn known(&self, cell: &Cell, knows: impl Fn(&str) -> bool) -> Json {
        let text = cell.text();
        match &self.fallback {
            Some(Fallback::Value(instead)) if !knows(text.trim()) => instead.clone().into(),
            _ => text.into_owned().into(),
        }
    }

    fn number(&self, cell: &Cell, reading: &Reading<'_>) -> Result<Json, String> {
        let text = cell.text();
        let number = match cell {
            Cell::Number(number) => {
                return match self.kind() == "integer" && number.fract() != 0.0 {
                    true => Err(format!("{number} is not a whole number")),
                    false => Ok(text.into_owned().into()),
                };
            }
            Cell::Text(text) => guess::number(text, reading.separators, reading.currencies),
            _ => None,
        };
        let problem =
            || format!("'{}' is not a number that can be read; see its separators and currency symbol", short(&text));
        let number = number.ok_or_else(problem)?;
        if self.kind() == "integer" && number.fract() != rust_decimal::Decimal::ZERO {
            return Err(format!("{number} is not a whole number"));
        }
        Ok(number.normalize().to_string().into())
    }

    fn date(&self, cell: &Cell) -> Result<Json, String> {
        let date = match cell {
            Cell::Date(date) => Some(*date),
            Cell::DateTime(at) => Some(at.date()),
            Cell::Text(text) => {
                let by_pattern = self.pattern.as_ref().and_then(|pattern| pattern.date(text));
                // A time behind the date does no harm.
                by_pattern.or_else(|| Pattern::new("%Y-%m-%d").date(text.trim().get(..10).unwrap_or(text)))
            }
            _ => None,
        };
        date.map(|date| date.to_string().into()).ok_or_else(|| self.no_date(cell, "date"))
    }

    fn datetime(&self, cell: &Cell) -> Result<Json, String> {
        let at = match cell {
            Cell::Date(date) => Some(date.at(0, 0, 0, 0)),
            Cell::DateTime(at) => Some(*at),
            Cell::Text(text) => {
                let plain = || Pattern::new("%Y-%m-%d %H:%M:%S").datetime(text);
                let day = || Pattern::new("%Y-%m-%d").date(text).map(|date| date.at(0, 0, 0, 0));
                self.pattern.as_ref().and_then(|pattern| pattern.datetime(text)).or_else(plain).or_else(day)
            }
            _ => None,
        };
        at.map(|at| at.strftime("%Y-%m-%d %H:%M:%S").to_string().into()).ok_or_else(|| self.no_date(cell, "time"))
    }

    fn no_date(&self, cell: &Cell, what: &str) -> String {
        let text = cell.text();
        match &self.pattern {
            Some(pattern) => {
                format!("'{}' is no {what} of the form {}; choose another format", short(&text), pattern.as_str())
            }
            None => format!("'{}' is no {what} of a known form; say its format", short(&text)),
        }
    }
}

fn short(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
