//! What cells refer to: external ids, names and database ids, asked for once for the whole table.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use super::{
    Wishes,
    columns::{By, Column, Node},
    rows::{Group, Table, blank},
};
use crate::{
    domain::{Domain, Op},
    error::Error,
    execute::{Env, Search},
    resolve::{Kind, ModelDef, Registry},
    value::{Id, Value},
};

pub(in crate::call) const EXTERNAL: &str = "ir.model.data";

/// Texts in one query's list.
const CHUNK: usize = 4_000;

#[derive(Default)]
pub(super) struct Known {
    /// By full external id: what it names, as far as that is still there.
    external: HashMap<String, Named>,
    names: HashMap<(Arc<str>, String), Match>,
    databases: HashMap<Arc<str>, HashSet<Id>>,
}

#[derive(Clone)]
pub(super) struct Named {
    pub(super) model: String,
    /// Nothing where the record is gone or not for this user.
    pub(super) id: Option<Id>,
    /// The record that keeps the external id.
    pub(super) row: Id,
}

#[derive(Clone, Copy)]
pub(super) struct Match {
    pub(super) id: Id,
    pub(super) hits: usize,
}

/// With the module that an external id without one gets.
pub(super) fn full(text: &str, wishes: &Wishes) -> String {
    if text.contains('.') { text.to_owned() } else { format!("{}.{text}", wishes.module) }
}

/// What one cell refers to, one by one.
pub(super) fn references<'t>(column: &Column<'_>, text: &'t str) -> impl Iterator<Item = &'t str> {
    let list = column.field.kind.is_list();
    let parts = text.split(move |c| list && c == ',');
    parts.map(str::trim).filter(|part| !part.is_empty())
}

/// Fields by whose value a record is found by name, the name itself first.
pub(super) fn name_fields(model: &ModelDef) -> Vec<&str> {
    let own = model.rec_name.as_deref().into_iter().chain(["name"]);
    let mut fields: Vec<&str> = Vec::new();
    for name in own.chain(model.name_search.iter().map(String::as_str)) {
        let is_text =
            model.find(name).is_some_and(|f| f.is_column() && matches!(f.kind, Kind::Char { .. } | Kind::Text));
        if is_text && !fields.contains(&name) {
            fields.push(name);
        }
    }
    fields
}

#[derive(Default)]
struct Wanted {
    external: BTreeSet<String>,
    names: HashMap<Arc<str>, BTreeSet<String>>,
    databases: HashMap<Arc<str>, BTreeSet<i64>>,
}

impl Wanted {
    fn gather(&mut self, node: &Node<'_>, group: &Group, table: &Table, wishes: &Wishes) {
        for entry in &group.entries {
            if let Some(column) = node.external {
                let text = table.text(entry.from, column);
                if !text.is_empty() {
                    self.external.insert(full(&text, wishes));
                }
            }
            if let Some(column) = node.database
                && let Ok(id) = table.text(entry.from, column).parse()
            {
                self.databases.entry(node.model.name.clone()).or_default().insert(id);
            }
            for column in &node.cells {
                let Some(comodel) = column.field.kind.comodel() else { continue };
                if blank(table.json(entry.from, column.at)) {
                    continue;
                }
                let text = table.text(entry.from, column.at);
                for part in references(column, &text) {
                    match column.by {
                        By::External => {
                            self.external.insert(full(part, wishes));
                        }
                        By::Name => {
                            let names = self.names.entry(comodel.clone()).or_default();
                            if !names.contains(part) {
                                names.insert(part.to_owned());
                            }
                        }
                        By::Database => {
                            let ids = self.databases.entry(comodel.clone()).or_default();
                            ids.extend(part.parse::<i64>());
                        }
                    }
                }
            }
        }
        for (lines, group) in node.lists.iter().zip(&group.lists) {
            self.gather(&lines.node, group, table, wishes);
        }
    }
}

impl Known {
    pub(super) async fn of(
        env: &mut Env,
        registry: &Registry,
        node: &Node<'_>,
        table: &Table,
        wishes: &Wishes,
    ) -> Result<Known, Error> {
        let mut wanted = Wanted::default();
        wanted.gather(node, &table.root, table, wishes);
        let mut known = Known::default();
        known.find_external(env, registry, &wanted.external).await?;
        for (model, ids) in wanted.databases {
            let ids: Vec<Id> = ids.into_iter().map(Id).collect();
            let there = there(env, &model, &ids).await?;
            known.databases.entry(model).or_default().extend(there);
        }
        for (model, names) in wanted.names {
            known.find_names(env, registry.model(&model)?, names).await?;
        }
        Ok(known)
    }

    async fn find_external(&mut self, env: &mut Env, registry: &Registry, ids: &BTreeSet<String>) -> Result<(), Error> {
        let module_field = module_field(registry)?;
        let mut by_module: HashMap<&str, Vec<&str>> = HashMap::new();
        for (module, name) in ids.iter().filter_map(|id| id.split_once('.')) {
            by_module.entry(module).or_default().push(name);
        }
        let mut by_model: HashMap<String, Vec<Id>> = HashMap::new();
        for (module, names) in by_module {
            for names in names.chunks(CHUNK) {
                let names: Vec<Value> = names.iter().map(|name| Value::from(*name)).collect();
                let domain = Domain::leaf(module_field, Op::Eq, module).and(Domain::leaf("name", Op::In, names));
                let mut all = env.sudo("external ids of an import");
                let found = all.search_read(EXTERNAL, &domain, &["name", "model", "res_id"], Search::default()).await?;
                for row in found {
                    let (model, id) = (row.get_str("model").to_owned(), Id(row.get("res_id")?));
                    by_model.entry(model.clone()).or_default().push(id);
                    let full = format!("{module}.{}", row.get_str("name"));
                    self.external.insert(full, Named { model, id: Some(id), row: row.id });
                }
            }
        }
        let mut present: HashMap<String, HashSet<Id>> = HashMap::new();
        for (model, ids) in by_model {
            let found = if registry.model(&model).is_ok() { there(env, &model, &ids).await? } else { HashSet::new() };
            present.insert(model, found);
        }
        for named in self.external.values_mut() {
            named.id = named.id.filter(|id| present.get(&named.model).is_some_and(|ids| ids.contains(id)));
        }
        Ok(())
    }

    async fn find_names(&mut self, env: &mut Env, model: &ModelDef, names: BTreeSet<String>) -> Result<(), Error> {
        let fields = name_fields(model);
        if fields.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = names.into_iter().collect();
        let mut best: HashMap<String, (usize, Match)> = HashMap::new();
        for chunk in names.chunks(CHUNK) {
            let wanted: HashSet<&str> = chunk.iter().map(String::as_str).collect();
            let values: Vec<Value> = chunk.iter().map(Value::from).collect();
            let mut domain = Domain::False;
            for field in &fields {
                domain = domain.or(Domain::leaf((*field).to_owned(), Op::In, values.clone()));
            }
            for record in env.search_read(&model.name, &domain, &fields, Search::default()).await? {
                // A record may be found by its name and by its reference: the name counts more.
                for (rank, field) in fields.iter().enumerate() {
                    let text = record.get_str(field);
                    if !wanted.contains(text) {
                        continue;
                    }
                    match best.get_mut(text) {
                        Some((known, found)) if *known == rank && found.id != record.id => found.hits += 1,
                        Some((known, _)) if *known <= rank => {}
                        _ => {
                            best.insert(text.to_owned(), (rank, Match { id: record.id, hits: 1 }));
                        }
                    }
                }
            }
        }
        self.names.extend(best.into_iter().map(|(name, (_, found))| ((model.name.clone(), name), found)));
        Ok(())
    }

    pub(super) fn external(&self, full: &str) -> Option<&Named> {
        self.external.get(full)
    }

    pub(super) fn name(&self, model: &Arc<str>, name: &str) -> Option<Match> {
        self.names.get(&(model.clone(), name.to_owned())).copied()
    }

    pub(super) fn database(&self, model: &str, id: Id) -> bool {
        self.databases.get(model).is_some_and(|ids| ids.contains(&id))
    }

    pub(super) fn learn_name(&mut self, model: &Arc<str>, name: String, id: Id) {
        self.names.entry((model.clone(), name)).or_insert(Match { id, hits: 1 });
    }
}

/// Those of the ids that are there for the user, archived or not.
async fn there(env: &mut Env, model: &str, ids: &[Id]) -> Result<HashSet<Id>, Error> {
    let context = env.context().clone();
    env.set_context(context.clone().with("active_test", false));
    let mut found = HashSet::new();
    let mut problem = None;
    for chunk in ids.chunks(CHUNK) {
        match env.search(model, &Domain::leaf("id", Op::In, chunk), Search::order("id")).await {
            Ok(ids) => found.extend(ids),
            Err(error) => problem = Some(error),
        }
    }
    env.set_context(context);
    problem.map_or(Ok(found), Err)
}

pub(in crate::call) fn module_field(registry: &Registry) -> Result<&'static str, Error> {
    Ok(if registry.model(EXTERNAL)?.find("module").is_some() { "module" } else { "app" })
}
