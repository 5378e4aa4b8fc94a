//! Records of a node, wave by wave, then the lines of their lists.

use std::collections::HashMap;

use futures_util::future::BoxFuture;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::{
    Wishes, cells,
    columns::{By, Column, Node},
    lookup::{self, EXTERNAL, Known},
    message::{Messages, Place, quoted},
    rows::{self, Group, Table, blank},
};
use crate::{
    error::Error,
    execute::Env,
    record::{Command, Values},
    resolve::{Kind, Registry},
    value::{Id, Value},
};

pub(super) async fn save(
    env: &mut Env,
    registry: &Registry,
    node: &Node<'_>,
    table: &Table,
    wishes: &Wishes,
    messages: &mut Messages,
) -> Result<Vec<Option<Id>>, Error> {
    let known = Known::of(env, registry, node, table, wishes).await?;
    let zone = env.context().tz.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
    let records: Vec<usize> = (0..table.root.entries.len()).collect();
    let mut work = Work { registry, table, wishes, messages, known, zone, made: HashMap::new() };
    work.save(env, node, &table.root, None, &records).await
}

struct Work<'a> {
    registry: &'a Registry,
    table: &'a Table,
    wishes: &'a Wishes,
    messages: &'a mut Messages,
    known: Known,
    zone: TimeZone,
    /// External ids of this table's records, once they are saved.
    made: HashMap<String, Id>,
}

/// Which list the records are lines of: its inverse field, and the ids of the entries above.
type Parents<'a> = Option<(&'a str, &'a [Option<Id>])>;

/// What a cell refers to.
enum Target {
    Found {
        id: Id,
        hits: usize,
    },
    /// Another record of this table, which must be saved first.
    Entry(usize),
    Nothing,
}

/// The records of one node while they are saved.
struct Batch<'n, 'r> {
    node: &'n Node<'r>,
    group: &'n Group,
    /// Number of the table's record that each entry belongs to.
    records: &'n [usize],
    ids: Vec<Option<Id>>,
    /// Entries of the node by their full external id and by their name.
    external: HashMap<String, usize>,
    names: HashMap<String, usize>,
    /// Rows with values of each entry: its own, then those that repeat it.
    rows: Vec<Vec<usize>>,
}

impl Batch<'_, '_> {
    fn place(&self, entry: usize) -> Place {
        let found = &self.group.entries[entry];
        Place { from: found.from, to: found.to, record: self.records[entry] }
    }
}

impl<'a> Work<'a> {
    fn save<'s>(
        &'s mut self,
        env: &'s mut Env,
        node: &'s Node<'_>,
        group: &'s Group,
        parents: Parents<'s>,
        records: &'s [usize],
    ) -> BoxFuture<'s, Result<Vec<Option<Id>>, Error>> {
        Box::pin(async move {
            if group.entries.is_empty() {
                return Ok(Vec::new());
            }
            let mut batch = self.batch(node, group, records);
            self.make_named(env, &batch).await?;
            let waves = self.waves(&batch);
            for wave in waves {
                if self.messages.enough() {
                    break;
                }
                self.wave(env, &mut batch, parents, &wave).await?;
            }
            for (entry, found) in group.entries.iter().enumerate() {
                if let Some(first) = found.again {
                    batch.ids[entry] = batch.ids[first];
                }
            }
            let ids = batch.ids;
            for (lines, below) in node.lists.iter().zip(&group.lists) {
                let numbers: Vec<usize> = below.entries.iter().map(|entry| records[entry.parent]).collect();
                self.save(env, &lines.node, below, Some((lines.inverse, &ids)), &numbers).await?;
            }
            Ok(ids)
        })
    }

    fn batch<'n, 'r>(&self, node: &'n Node<'r>, group: &'n Group, records: &'n [usize]) -> Batch<'n, 'r> {
        let mut batch = Batch {
            node,
            group,
            records,
            ids: vec![None; group.entries.len()],
            external: HashMap::new(),
            names: HashMap::new(),
            rows: vec![Vec::new(); group.entries.len()],
        };
        let fields = lookup::name_fields(node.model);
        let named = |column: &&Column<'_>| fields.contains(&column.field.name.as_str());
        let names: Vec<&Column<'_>> = node.cells.iter().filter(named).collect();
        for (at, entry) in group.entries.iter().enumerate() {
            if entry.again.is_none() || !self.only_lines(node, entry.from) {
                batch.rows[entry.again.unwrap_or(at)].push(entry.from);
            }
            if entry.again.is_some() {
                continue;
            }
            if let Some(column) = node.external {
                let text = self.table.text(entry.from, column);
                if !text.is_empty() {
                    batch.external.insert(lookup::full(&text, self.wishes), at);
                }
            }
            for column in &names {
                let text = self.table.text(entry.from, column.at);
                if !text.is_empty() && !batch.names.contains_key(&*text) {
                    batch.names.insert(text.into_owned(), at);
                }
            }
        }
        batch
    }

    /// Records that are made because nothing has their name, where that was asked for.
    async fn make_named(&mut self, env: &mut Env, batch: &Batch<'_, '_>) -> Result<(), Error> {
        for column in &batch.node.cells {
            let Some(comodel) = column.field.kind.comodel() else { continue };
            if column.by != By::Name || !self.wishes.create.contains(&column.path) {
                continue;
            }
            let model = self.registry.model(comodel)?;
            let Some(name) = lookup::name_fields(model).into_iter().find(|name| {
                // A computed name is made from the plain one.
                *name == "name" || model.find(name).is_some_and(|field| !field.is_computed())
            }) else {
                continue;
            };
            let mut wanted: Vec<String> = Vec::new();
            let mut seen = std::collections::HashSet::new();
            for row in batch.rows.iter().flatten() {
                let text = self.table.text(*row, column.at);
                for part in lookup::references(column, &text) {
                    let own = *comodel == batch.node.model.name && batch.names.contains_key(part);
                    if !own && self.known.name(comodel, part).is_none() && seen.insert(part.to_owned()) {
                        wanted.push(part.to_owned());
                    }
                }
            }
            let rows = wanted.iter().map(|text| Values::new().with(name.to_owned(), text.as_str())).collect();
            let before = env.savepoint().await?;
            match env.create_many(comodel, rows).await {
                Ok(made) => {
                    env.release(before).await?;
                    for (text, id) in wanted.into_iter().zip(made) {
                        self.known.learn_name(comodel, text, id);
                    }
                }
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => {
                    env.rollback_to(before).await?;
                    let place = Place { from: 0, to: 0, record: 0 };
                    let message = format!("records of {} cannot be made by their names: {error}", model.label);
                    self.messages.error(place, Some(column), message, Json::Bool(false));
                }
            }
        }
        Ok(())
    }

    /// Entries in the order in which they can be saved: those that a later wave refers to are in an earlier one.
    fn waves(&mut self, batch: &Batch<'_, '_>) -> Vec<Vec<usize>> {
        let count = batch.group.entries.len();
        let mut waits = vec![0usize; count];
        let mut followers: HashMap<usize, Vec<usize>> = HashMap::new();
        for (entry, rows) in batch.rows.iter().enumerate() {
            for column in batch.node.cells.iter().filter(|c| c.field.kind.comodel() == Some(&batch.node.model.name)) {
                let Some(row) = self.row_of(rows, column) else { continue };
                let text = self.table.text(row, column.at);
                for part in lookup::references(column, &text) {
                    if let Target::Entry(first) = self.target(batch, column, part)
                        && first != entry
                    {
                        waits[entry] += 1;
                        followers.entry(first).or_default().push(entry);
                    }
                }
            }
        }
        let canonical = |entry: &usize| batch.group.entries[*entry].again.is_none();
        let mut waves = Vec::new();
        let mut wave: Vec<usize> = (0..count).filter(canonical).filter(|entry| waits[*entry] == 0).collect();
        let mut done = 0;
        while !wave.is_empty() {
            done += wave.len();
            let mut next = Vec::new();
            for follower in wave.iter().filter_map(|entry| followers.get(entry)).flatten() {
                waits[*follower] -= 1;
                if waits[*follower] == 0 {
                    next.push(*follower);
                }
            }
            next.sort_unstable();
            waves.push(std::mem::replace(&mut wave, next));
        }
        if done < (0..count).filter(canonical).count() {
            for entry in (0..count).filter(canonical).filter(|entry| waits[*entry] > 0) {
                let message =
                    "this record and others refer to each other in a circle; import them first without the reference";
                self.messages.error(batch.place(entry), None, message.to_owned(), Json::Bool(false));
            }
        }
        waves
    }

    /// The row whose cells count: the last one, empty cells and all.
    fn row_of(&self, rows: &[usize], column: &Column<'_>) -> Option<usize> {
        rows.last().copied().filter(|row| !blank(self.table.json(*row, column.at)))
    }

    /// A row that names a record only to add lines to it.
    fn only_lines(&self, node: &Node<'_>, row: usize) -> bool {
        let row = &self.table.rows[row];
        node.cells.iter().all(|column| rows::is_blank(row, column.at))
            && node.lists.iter().any(|lines| rows::anything(&lines.node, row))
    }

    fn target(&self, batch: &Batch<'_, '_>, column: &Column<'_>, part: &str) -> Target {
        let Some(comodel) = column.field.kind.comodel() else { return Target::Nothing };
        let own = *comodel == batch.node.model.name;
        let saved = |entry: usize| batch.ids[entry].map_or(Target::Entry(entry), |id| Target::Found { id, hits: 1 });
        match column.by {
            By::External => {
                let full = lookup::full(part, self.wishes);
                if let Some(id) = self.made.get(&full) {
                    return Target::Found { id: *id, hits: 1 };
                }
                match self.known.external(&full) {
                    Some(named) if named.model == **comodel && named.id.is_some() => {
                        named.id.map_or(Target::Nothing, |id| Target::Found { id, hits: 1 })
                    }
                    _ if own => batch.external.get(&full).map_or(Target::Nothing, |entry| saved(*entry)),
                    _ => Target::Nothing,
                }
            }
            By::Name => match self.known.name(comodel, part) {
                Some(found) => Target::Found { id: found.id, hits: found.hits },
                None if own => batch.names.get(part).map_or(Target::Nothing, |entry| saved(*entry)),
                None => Target::Nothing,
            },
            By::Database => match part.parse().map(Id) {
                Ok(id) if self.known.database(comodel, id) => Target::Found { id, hits: 1 },
                _ => Target::Nothing,
            },
        }
    }

    async fn wave(
        &mut self,
        env: &mut Env,
        batch: &mut Batch<'_, '_>,
        parents: Parents<'_>,
        wave: &[usize],
    ) -> Result<(), Error> {
        let (mut creates, mut updates) = (Vec::new(), Vec::new());
        for &entry in wave {
            let parent = batch.group.entries[entry].parent;
            let above = match parents {
                Some((inverse, ids)) => match ids[parent] {
                    Some(id) => Some((inverse, id)),
                    // What it is a line of was not saved, which is told there.
                    None => continue,
                },
                None => None,
            };
            let Some(existing) = self.existing(batch, entry) else { continue };
            let known = existing.is_some() && self.only_lines(batch.node, batch.group.entries[entry].from);
            let mut values = match known && batch.rows[entry].len() == 1 {
                true => Values::new(),
                false => match self.values(batch, entry) {
                    Some(values) => values,
                    None => continue,
                },
            };
            if let Some((inverse, id)) = above {
                values.set(inverse.to_owned(), id);
            }
            match existing {
                Some(id) => updates.push((entry, id, values)),
                None => creates.push((entry, values)),
            }
        }
        self.create(env, batch, creates).await?;
        self.update(env, batch, updates).await?;
        self.keep_external(env, batch, wave).await
    }

    /// The record that an entry is already. `None`: what it says it is, it cannot be.
    fn existing(&mut self, batch: &Batch<'_, '_>, entry: usize) -> Option<Option<Id>> {
        let row = batch.group.entries[entry].from;
        let model = batch.node.model;
        if let Some(column) = batch.node.database {
            let text = self.table.text(row, column);
            if !text.is_empty() {
                let id = text.parse().ok().map(Id).filter(|id| self.known.database(&model.name, *id));
                if id.is_none() {
                    let message =
                        format!("there is no record of {} with the database id {}", model.label, quoted(&text));
                    self.messages.error(batch.place(entry), None, message, Json::Bool(false));
                }
                return id.map(Some);
            }
        }
        let Some(column) = batch.node.external else { return Some(None) };
        let text = self.table.text(row, column);
        if text.is_empty() {
            return Some(None);
        }
        let full = lookup::full(&text, self.wishes);
        if full.split('.').count() != 2 || full.starts_with('.') || full.ends_with('.') {
            let message = format!("{} is no external id: it may have one point, after the module", quoted(&text));
            self.messages.error(batch.place(entry), None, message, Json::Bool(false));
            return None;
        }
        match self.known.external(&full) {
            Some(named) if named.id.is_some() && named.model != *model.name => {
                let message = format!(
                    "the external id {} is that of a record of {}; give this one another",
                    quoted(&text),
                    named.model
                );
                self.messages.error(batch.place(entry), None, message, Json::Bool(false));
                None
            }
            Some(named) => Some(named.id),
            None => Some(self.made.get(&full).copied()),
        }
    }

    /// The values of an entry's cells. Nothing: it is not saved, and why is told unless that was asked for.
    fn values(&mut self, batch: &Batch<'_, '_>, entry: usize) -> Option<Values> {
        let rows = &batch.rows[entry];
        let mut values = Values::new();
        let mut usable = true;
        for column in &batch.node.cells {
            let row = rows.last().copied().unwrap_or(batch.group.entries[entry].from);
            let made = match column.field.kind.comodel() {
                Some(_) => self.reference(batch, entry, column, row),
                None => self.scalar(batch, entry, column, row),
            };
            match made {
                Some(value) => {
                    values.set(column.field.name.clone(), value);
                }
                None => usable = false,
            }
        }
        usable.then_some(values)
    }

    fn scalar(&mut self, batch: &Batch<'_, '_>, entry: usize, column: &Column<'_>, row: usize) -> Option<Value> {
        let cell = self.table.json(row, column.at);
        if blank(cell) {
            return Some(Value::Null);
        }
        match cells::value(column, cell, &self.zone) {
            cells::Cell::Is(value) => Some(value),
            cells::Cell::Doubtful(value, doubt) => {
                self.messages.warning(batch.place(entry), Some(column), doubt);
                Some(value)
            }
            cells::Cell::Wrong(problem, more) => self.unusable(batch, entry, column, problem, more),
        }
    }

    /// A cell without a usable value: empty or no record where that was asked for, else an error.
    fn unusable(
        &mut self,
        batch: &Batch<'_, '_>,
        entry: usize,
        column: &Column<'_>,
        problem: String,
        more: Json,
    ) -> Option<Value> {
        if self.wishes.empty.contains(&column.path) {
            return Some(Value::Null);
        }
        if !self.wishes.skip.contains(&column.path) {
            self.messages.error(batch.place(entry), Some(column), problem, more);
        }
        None
    }

    fn reference(&mut self, batch: &Batch<'_, '_>, entry: usize, column: &Column<'_>, row: usize) -> Option<Value> {
        let table = self.table;
        let text = table.text(row, column.at);
        let mut ids: Vec<Id> = Vec::new();
        let mut usable = true;
        for part in lookup::references(column, &text) {
            match self.target(batch, column, part) {
                Target::Found { id, hits } => {
                    if hits > 1 {
                        let doubt = format!(
                            "{hits} records have the name {}, in field '{}'; the first of them was taken",
                            quoted(part),
                            column.label
                        );
                        self.messages.warning(batch.place(entry), Some(column), doubt);
                    }
                    if !ids.contains(&id) {
                        ids.push(id);
                    }
                }
                // That one was not saved, which is told there.
                Target::Entry(_) => return None,
                Target::Nothing => {
                    let what = match column.by {
                        By::Name => "name",
                        By::External => "external id",
                        By::Database => "database id",
                    };
                    let problem =
                        format!("No matching record found for {what} {} in field '{}'", quoted(part), column.label);
                    let more = self.possible(column);
                    usable &= self.unusable(batch, entry, column, problem, more).is_some();
                }
            }
        }
        usable.then(|| match &column.field.kind {
            Kind::Many2One { .. } => ids.first().map_or(Value::Null, |id| Value::Id(*id)),
            Kind::One2Many { .. } => Value::Commands(ids.into_iter().map(Command::Link).collect()),
            _ if self.wishes.add_links => Value::Commands(ids.into_iter().map(Command::Link).collect()),
            _ => Value::Ids(ids),
        })
    }

    /// An action that shows what a reference may be.
    fn possible(&self, column: &Column<'_>) -> Json {
        let Some(comodel) = column.field.kind.comodel() else { return Json::Bool(false) };
        json!({
            "name": "Possible Values",
            "type": "ir.actions.act_window",
            "target": "new",
            "view_mode": "list,form",
            "views": [[false, "list"], [false, "form"]],
            "context": { "create": false },
            "help": format!("see all possible values of {}", column.label),
            "res_model": &**comodel,
        })
    }

    async fn create(
        &mut self,
        env: &mut Env,
        batch: &mut Batch<'_, '_>,
        all: Vec<(usize, Values)>,
    ) -> Result<(), Error> {
        let mut stack = vec![all];
        while let Some(mut items) = stack.pop() {
            if items.is_empty() || self.messages.enough() {
                continue;
            }
            let rows = items.iter().map(|(_, values)| values.clone()).collect();
            let before = env.savepoint().await?;
            match env.create_many(&batch.node.model.name, rows).await {
                Ok(made) => {
                    env.release(before).await?;
                    for ((entry, _), id) in items.into_iter().zip(made) {
                        batch.ids[entry] = Some(id);
                    }
                }
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => {
                    env.rollback_to(before).await?;
                    match items.as_slice() {
                        [(entry, _)] => self.refused(batch, *entry, &error),
                        _ => {
                            let rest = items.split_off(items.len() / 2);
                            stack.extend([rest, items]);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    async fn update(
        &mut self,
        env: &mut Env,
        batch: &mut Batch<'_, '_>,
        all: Vec<(usize, Id, Values)>,
    ) -> Result<(), Error> {
        for (entry, id, _) in &all {
            batch.ids[*entry] = Some(*id);
        }
        let mut stack: Vec<Vec<_>> = vec![all.into_iter().filter(|(.., values)| !values.is_empty()).collect()];
        while let Some(mut items) = stack.pop() {
            if items.is_empty() || self.messages.enough() {
                continue;
            }
            let rows = items.iter().map(|(_, id, values)| (*id, values.clone())).collect();
            let before = env.savepoint().await?;
            match env.write_each(&batch.node.model.name, rows).await {
                Ok(()) => env.release(before).await?,
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => {
                    env.rollback_to(before).await?;
                    match items.as_slice() {
                        [(entry, ..)] => self.refused(batch, *entry, &error),
                        _ => {
                            let rest = items.split_off(items.len() / 2);
                            stack.extend([rest, items]);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// What the record itself or the database had against it.
    fn refused(&mut self, batch: &Batch<'_, '_>, entry: usize, error: &Error) {
        let field = match error {
            Error::Validation { field, .. } => Some(field),
            Error::UniqueViolation { fields, .. } => fields.first(),
            _ => None,
        };
        let column = batch.node.cells.iter().find(|column| Some(&column.field.name) == field);
        let message = match error {
            Error::Validation { field, problem, .. } => match batch.node.model.find(field) {
                Some(field) => format!("{} ({}): {problem}", field.label, field.name),
                None => problem.clone(),
            },
            other => other.to_string(),
        };
        self.messages.error(batch.place(entry), column, message, Json::Bool(false));
    }

    /// Writes down the external ids of the records that are new under them.
    async fn keep_external(&mut self, env: &mut Env, batch: &Batch<'_, '_>, wave: &[usize]) -> Result<(), Error> {
        let Some(column) = batch.node.external else { return Ok(()) };
        let module_field = lookup::module_field(self.registry)?;
        let mut rows = Vec::new();
        let mut again = Vec::new();
        for &entry in wave {
            let text = self.table.text(batch.group.entries[entry].from, column);
            let (Some(id), false) = (batch.ids[entry], text.is_empty()) else { continue };
            let full = lookup::full(&text, self.wishes);
            match self.known.external(&full) {
                Some(named) if named.id == Some(id) => {}
                // The record that had it is gone.
                Some(named) => {
                    let values = Values::new().with("model", &*batch.node.model.name).with("res_id", id.0);
                    again.push((named.row, values));
                }
                None if self.made.contains_key(&full) => {}
                None => {
                    let (module, name) = full.split_once('.').unwrap_or_default();
                    let values = Values::new()
                        .with(module_field, module)
                        .with("name", name)
                        .with("model", &*batch.node.model.name)
                        .with("res_id", id.0);
                    rows.push(values);
                }
            }
            self.made.insert(full, id);
        }
        let mut all = env.sudo("external ids of imported records");
        all.create_many(EXTERNAL, rows).await?;
        all.write_each(EXTERNAL, again).await
    }
}
