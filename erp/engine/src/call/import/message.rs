//! What is told about rows that cannot be saved, or only with a doubt.

use serde_json::{Value as Json, json};

use super::columns::Column;
use crate::resolve::shorten;

/// Errors after which an import that fails in more than one of ten rows is given up.
const ENOUGH: usize = 10;

pub(super) struct Messages {
    all: Vec<(usize, Json)>,
    errors: usize,
    rows: usize,
    given_up: bool,
}

/// Where something is wrong: rows from 0, the record's number in the table.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) record: usize,
}

impl Messages {
    pub(super) fn new(rows: usize) -> Messages {
        Messages { all: Vec::new(), errors: 0, rows, given_up: false }
    }

    pub(super) fn failed(&self) -> bool {
        self.errors > 0
    }

    /// So many rows fail that the rest need not be tried.
    pub(super) fn enough(&self) -> bool {
        self.errors >= ENOUGH && self.errors * 10 > self.rows
    }

    /// A column that fits nothing.
    pub(super) fn column(&mut self, column: &str, problem: String) {
        self.errors += 1;
        let message = json!({
            "type": "error",
            "rows": { "from": 0, "to": self.rows.saturating_sub(1) },
            "record": false,
            "field": column,
            "field_name": column,
            "message": problem,
            "moreinfo": false,
        });
        self.all.push((0, message));
    }

    pub(super) fn error(&mut self, place: Place, column: Option<&Column<'_>>, message: String, more: Json) {
        if self.enough() {
            if !self.given_up {
                self.given_up = true;
                let message =
                    "more than 10 errors, and in more than one of ten rows: the rest was not looked at".to_owned();
                self.push("warning", place, None, message, Json::Bool(false));
            }
            return;
        }
        self.errors += 1;
        self.push("error", place, column, message, more);
    }

    pub(super) fn warning(&mut self, place: Place, column: Option<&Column<'_>>, message: String) {
        // As many as a person reads.
        if self.all.len() < 1_000 {
            self.push("warning", place, column, message, Json::Bool(false));
        }
    }

    fn push(&mut self, kind: &str, place: Place, column: Option<&Column<'_>>, message: String, more: Json) {
        let mut told = json!({
            "type": kind,
            "rows": { "from": place.from, "to": place.to },
            "record": place.record,
            "message": message,
            "moreinfo": more,
        });
        if let Some(column) = column {
            told["field"] = column.path.clone().into();
            told["field_name"] = column.label.clone().into();
            told["field_path"] = column.path.split('/').collect::<Vec<_>>().into();
        } else {
            told["field"] = Json::Bool(false);
            told["field_name"] = Json::Bool(false);
        }
        self.all.push((place.from, told));
    }

    pub(super) fn into_json(mut self) -> Vec<Json> {
        self.all.sort_by_key(|(from, _)| *from);
        self.all.into_iter().map(|(_, message)| message).collect()
    }
}

/// Somebody's cell in a message.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", shorten(text))
}
