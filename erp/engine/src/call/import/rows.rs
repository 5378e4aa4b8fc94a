//! Which rows make which record.
//!
//! A row whose own columns are empty belongs to the record above it: it adds lines to its lists. A row that repeats an
//! external or database id is the earlier record again: it changes it, unless it has nothing but the id, and adds lines.

use std::{borrow::Cow, collections::HashMap};

use serde_json::Value as Json;

use super::columns::Node;

pub(super) struct Table {
    pub(super) rows: Vec<Vec<Json>>,
    pub(super) root: Group,
    /// The row that the next call begins with; 0 when this was all.
    pub(super) next_row: usize,
}

/// The records of one node, and the groups of its lists.
#[derive(Default)]
pub(super) struct Group {
    pub(super) entries: Vec<Entry>,
    pub(super) lists: Vec<Group>,
}

/// A record as it stands in the table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// The entry of the parent node whose line this is.
    pub(super) parent: usize,
    /// First and last row.
    pub(super) from: usize,
    pub(super) to: usize,
    /// The earlier entry that this one is again.
    pub(super) again: Option<usize>,
}

impl Table {
    pub(super) fn new(node: &Node<'_>, rows: Vec<Vec<Json>>, limit: Option<usize>) -> Table {
        let mut table = Table { rows: Vec::new(), root: empty(node), next_row: 0 };
        let has_own = node.own().next().is_some();
        for (at, row) in rows.iter().enumerate() {
            let own = node.own().any(|column| !blank(cell(row, column)));
            if !own && !anything(node, row) {
                continue;
            }
            let begins = own || !has_own || table.root.entries.is_empty();
            if begins && limit.is_some_and(|limit| table.root.entries.len() >= limit) {
                table.next_row = at;
                break;
            }
            table.root.add(node, row, at, 0, begins);
        }
        table.root.find_repeated(node, &rows);
        table.rows = rows;
        table
    }

    /// A cell as text; empty where there is none.
    pub(super) fn text(&self, row: usize, column: usize) -> Cow<'_, str> {
        match cell(&self.rows[row], column) {
            Json::String(text) => Cow::Borrowed(text.trim()),
            Json::Null | Json::Bool(false) => Cow::Borrowed(""),
            other => Cow::Owned(other.to_string()),
        }
    }

    pub(super) fn json(&self, row: usize, column: usize) -> &Json {
        cell(&self.rows[row], column)
    }
}

fn cell(row: &[Json], column: usize) -> &Json {
    row.get(column).unwrap_or(&Json::Null)
}

pub(super) fn blank(cell: &Json) -> bool {
    match cell {
        Json::Null | Json::Bool(false) => true,
        Json::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

pub(super) fn is_blank(row: &[Json], column: usize) -> bool {
    blank(cell(row, column))
}

pub(super) fn anything(node: &Node<'_>, row: &[Json]) -> bool {
    node.own().any(|column| !blank(cell(row, column))) || node.lists.iter().any(|lines| anything(&lines.node, row))
}

fn empty(node: &Node<'_>) -> Group {
    Group { entries: Vec::new(), lists: node.lists.iter().map(|lines| empty(&lines.node)).collect() }
}

impl Group {
    fn add(&mut self, node: &Node<'_>, row: &[Json], at: usize, parent: usize, begins: bool) {
        match self.entries.last_mut() {
            Some(last) if !begins => last.to = at,
            _ => self.entries.push(Entry { parent, from: at, to: at, again: None }),
        }
        let own = self.entries.len() - 1;
        for (lines, group) in node.lists.iter().zip(&mut self.lists) {
            if !anything(&lines.node, row) {
                continue;
            }
            let continues = group.entries.last().is_some_and(|last| last.parent == own);
            let begins = !continues || lines.node.own().any(|column| !blank(cell(row, column)));
            group.add(&lines.node, row, at, own, begins);
        }
    }

    fn find_repeated(&mut self, node: &Node<'_>, rows: &[Vec<Json>]) {
        if let Some(column) = node.external.or(node.database) {
            let mut first: HashMap<String, usize> = HashMap::new();
            for at in 0..self.entries.len() {
                let cell = cell(&rows[self.entries[at].from], column);
                if blank(cell) {
                    continue;
                }
                let key = match cell {
                    Json::String(text) => text.trim().to_owned(),
                    other => other.to_string(),
                };
                match first.get(&key) {
                    Some(earlier) => self.entries[at].again = Some(*earlier),
                    None => {
                        first.insert(key, at);
                    }
                }
            }
        }
        for (lines, group) in node.lists.iter().zip(&mut self.lists) {
            group.find_repeated(&lines.node, rows);
        }
    }
}
