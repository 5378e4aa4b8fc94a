//! `<odoo>` or `<erp>` with records, menus, deletions and calls of registered methods.
//!
//! Elements take their turn as they stand in the file. One that names a record which a later element makes waits for
//! it; when nothing moves on any more, what is still missing is named.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::{
    super::super::{Env, Search},
    Files, Load,
    fields::{FileScope, evaluated, plain, references, referred},
    known::External,
};
use crate::{
    context::Context,
    declare::DataFile,
    domain::Domain,
    error::Error,
    expr,
    record::{Command, Values},
    resolve::FieldDef,
    value::{Id, Value},
    values,
    view::xml::{NodeId, Tree},
};

/// An element with what it takes over from those around it.
struct Item {
    node: NodeId,
    noupdate: bool,
    /// External id of the menu around a menu.
    parent: Option<String>,
}

impl Env {
    pub(super) async fn load_xml(&mut self, files: &mut Files<'_>, file: &DataFile) -> Result<(), Error> {
        let tree = Tree::parse(&file.content, 0)
            .map_err(|problem| Error::User(format!("{}, line {}: {}", file.name, problem.line, problem.what)))?;
        let wrong =
            |node: NodeId, problem: &str| Error::User(format!("{}, line {}: {problem}", file.name, tree.at(node).line));
        let Some(root) = tree.root() else { return Ok(()) };
        if !matches!(tree.tag(root), "odoo" | "erp") {
            return Err(wrong(root, "the root element of a data file is <odoo> or <erp>"));
        }
        let mut items = Vec::new();
        collect(&tree, root, flag(&tree, root, "noupdate", file.noupdate), None, &mut items)
            .map_err(|(node, problem)| wrong(node, &problem))?;

        let mut named = BTreeSet::new();
        for item in &items {
            if let Some(id) = tree.attr(item.node, "id") {
                let full = files.full(id);
                files.claim(&full, format!("{}, line {}", file.name, tree.at(item.node).line))?;
                named.insert(full);
            }
            named.extend(needs(&tree, item).iter().map(|name| files.full(name)));
        }
        self.look_up_externals(&mut files.known, named).await?;

        let mut waiting = items;
        while !waiting.is_empty() {
            let mut later = Vec::new();
            let before = waiting.len();
            for item in waiting {
                let missing = needs(&tree, &item).into_iter().find(|name| files.known.get(&files.full(name)).is_none());
                if missing.is_some() && !is_made_already(files, &tree, &item) {
                    later.push(item);
                    continue;
                }
                self.element(files, file, &tree, &item).await.map_err(|error| match error {
                    Error::Busy(_) | Error::Database(_) | Error::Outdated => error,
                    error => wrong(item.node, &error.to_string()),
                })?;
            }
            if later.len() == before {
                let item = &later[0];
                let missing = needs(&tree, item).into_iter().find(|name| files.known.get(&files.full(name)).is_none());
                let missing = files.full(&missing.unwrap_or_default());
                return Err(wrong(
                    item.node,
                    &format!("no record {missing} is there, and nothing in this file makes it"),
                ));
            }
            waiting = later;
        }
        Ok(())
    }

    async fn element(&mut self, files: &mut Files<'_>, file: &DataFile, tree: &Tree, item: &Item) -> Result<(), Error> {
        let node = item.node;
        match tree.tag(node) {
            "record" => {
                let model = attr(tree, node, "model")?.to_owned();
                if is_made_already(files, tree, item) {
                    return Ok(());
                }
                let values = self.record_values(files, file, tree, node, &model).await?;
                let force = !matches!(tree.attr(node, "forcecreate"), Some("0" | "False" | "false"));
                self.keep_record(files, tree.attr(node, "id"), &model, values, item.noupdate, force).await
            }
            "menuitem" => {
                if is_made_already(files, tree, item) {
                    return Ok(());
                }
                let values = self.menu_values(files, tree, item).await?;
                self.keep_record(files, tree.attr(node, "id"), "ir.ui.menu", values, item.noupdate, true).await
            }
            "delete" if files.how != Load::Missing => self.delete_named(files, tree, node).await,
            "function" if files.how == Load::New || (files.how == Load::Upgrade && !item.noupdate) => {
                self.call_named(files, tree, node).await
            }
            _ => Ok(()),
        }
    }

    async fn record_values(
        &mut self,
        files: &Files<'_>,
        file: &DataFile,
        tree: &Tree,
        node: NodeId,
        model: &str,
    ) -> Result<Values, Error> {
        let registry = self.registry().clone();
        let def = registry.model(model)?;
        let mut values = Values::new();
        for child in tree.elements(node) {
            if tree.tag(child) != "field" {
                return Err(Error::User(format!("<{}> stands in a record; it takes <field>", tree.tag(child))));
            }
            let name = attr(tree, child, "name")?;
            let field = def.field(name)?;
            let value = self.field_value(files, file, tree, child, field).await;
            let value = value.map_err(|problem| Error::User(format!("field {name}: {problem}")))?;
            values.set(name.to_owned(), value);
        }
        Ok(values)
    }

    async fn field_value(
        &mut self,
        files: &Files<'_>,
        file: &DataFile,
        tree: &Tree,
        node: NodeId,
        field: &FieldDef,
    ) -> Result<Value, String> {
        if let Some(name) = tree.attr(node, "ref") {
            let full = files.full(name);
            let external = files.known.get(&full).ok_or_else(|| format!("no record {full} is there"))?;
            return referred(field, &external.model, external.id);
        }
        if let Some(text) = tree.attr(node, "search") {
            let comodel = field.kind.comodel().ok_or("only a field of records can be searched for")?.clone();
            let domain = self.file_domain(files, text).map_err(|error| error.to_string())?;
            let found = self.search(&comodel, &domain, Search::default()).await.map_err(|error| error.to_string())?;
            return Ok(match field.kind.is_list() {
                true => Value::Commands(vec![Command::Set(found)]),
                false => found.first().map_or(Value::Null, |id| Value::Id(*id)),
            });
        }
        if let Some(text) = tree.attr(node, "eval") {
            return evaluated(field, text, &FileScope { files, now: self.now() });
        }
        match tree.attr(node, "type") {
            Some("xml" | "html") => {
                let inner: Vec<String> = tree
                    .elements(node)
                    .map(|child| {
                        let mut alone = Tree::with_root("data").0;
                        if let Some(root) = alone.root() {
                            let copy = alone.import(tree, child);
                            alone.append(root, copy);
                        }
                        let text = alone.to_xml();
                        let text = text.trim().trim_start_matches("<data>").trim_end_matches("</data>");
                        text.trim().to_owned()
                    })
                    .collect();
                Ok(Value::Text(inner.join("\n")))
            }
            Some("file") | None if tree.attr(node, "file").is_some() => {
                let name = tree.attr(node, "file").unwrap_or_default();
                let content = files.app.files.iter().find(|other| other.name == name);
                let content = content.ok_or_else(|| format!("the app has no file {name}"))?;
                Ok(match field.kind.is_binary() {
                    true => Value::Bytes(content.content.clone().into_bytes()),
                    false => Value::Text(content.content.clone()),
                })
            }
            None | Some("base64" | "char" | "int" | "float") => plain(field, &tree.inner_text(node)),
            Some(other) => {
                Err(format!("there is no type {other:?}; there are xml, html, base64 and file ({})", file.name))
            }
        }
    }

    async fn menu_values(&mut self, files: &Files<'_>, tree: &Tree, item: &Item) -> Result<Values, Error> {
        let node = item.node;
        let find = |name: &str| files.known.get(&files.full(name)).cloned();
        let mut values = Values::new();
        let mut label = tree.attr(node, "name").map(str::to_owned);
        if let Some(External { model, id, .. }) = tree.attr(node, "action").and_then(find) {
            values.set("action", format!("{model},{id}"));
            if label.is_none() {
                let row = self.read(&model, &[id], &["name"]).await?;
                label = row.first().map(|row| row.get_str("name").to_owned());
            }
        }
        values.set("name", label.ok_or_else(|| Error::User("a menu needs a name or an action".to_owned()))?);
        if let Some(parent) = tree.attr(node, "parent").or(item.parent.as_deref()).and_then(find) {
            values.set("parent_id", parent.id);
        }
        if let Some(sequence) = tree.attr(node, "sequence").and_then(|text| text.trim().parse::<i64>().ok()) {
            values.set("sequence", sequence);
        }
        if let Some(icon) = tree.attr(node, "web_icon") {
            values.set("web_icon", icon);
        }
        if let Some(groups) = tree.attr(node, "groups") {
            let ids: Vec<Id> = groups.split(',').filter_map(|name| find(name.trim())).map(|group| group.id).collect();
            values.set("groups_id", Value::Commands(vec![Command::Set(ids)]));
        }
        Ok(values)
    }

    /// Made under its external id, or written anew.
    async fn keep_record(
        &mut self,
        files: &mut Files<'_>,
        id: Option<&str>,
        model: &str,
        values: Values,
        noupdate: bool,
        force: bool,
    ) -> Result<(), Error> {
        let Some(id) = id else {
            // Without an external id nothing tells that it was made before.
            return if files.how == Load::New { self.create(model, values).await.map(drop) } else { Ok(()) };
        };
        let full = files.full(id);
        if let Some(external) = files.known.get(&full).cloned() {
            if external.model != model {
                return Err(Error::User(format!("{full} is a {} already; choose another id", external.model)));
            }
            let context = self.context().clone();
            self.set_context(Context::default().with("active_test", false));
            let there = self.count(model, &crate::domain!(["id", "=", external.id])).await;
            self.set_context(context);
            // Somebody deleted it, and it stays so.
            if there? > 0 && !values.is_empty() {
                self.write(model, &[external.id], values).await?;
            }
            return Ok(());
        }
        if !force && files.how != Load::New {
            return Ok(());
        }
        let made = self.create(model, values).await?;
        let (module, name) = full.split_once('.').unwrap_or_default();
        let row = values! {
            "module" => module, "name" => name, "model" => model, "res_id" => made.0, "noupdate" => noupdate,
        };
        self.create("ir.model.data", row).await?;
        files.known.learn(full, External { model: model.to_owned(), id: made, noupdate });
        Ok(())
    }

    async fn delete_named(&mut self, files: &Files<'_>, tree: &Tree, node: NodeId) -> Result<(), Error> {
        let model = attr(tree, node, "model")?;
        let ids = match (tree.attr(node, "id"), tree.attr(node, "search")) {
            (Some(id), _) => files.known.get(&files.full(id)).map(|external| external.id).into_iter().collect(),
            (None, Some(text)) => {
                let domain = self.file_domain(files, text)?;
                self.search(model, &domain, Search::default()).await?
            }
            (None, None) => return Err(Error::User("<delete> needs an id or a search".to_owned())),
        };
        let there = self.search(model, &crate::domain!(["id", "in", ids]), Search::default()).await?;
        self.unlink(model, &there).await
    }

    /// A registered method, as a client would call it.
    async fn call_named(&mut self, files: &Files<'_>, tree: &Tree, node: NodeId) -> Result<(), Error> {
        let (model, method) = (attr(tree, node, "model")?, attr(tree, node, "name")?);
        let mut texts: Vec<&str> = tree.attr(node, "eval").into_iter().collect();
        let whole = !texts.is_empty();
        texts.extend(tree.elements(node).filter_map(|child| tree.attr(child, "eval")));
        let mut args: Vec<Json> = Vec::new();
        for text in texts {
            let scope = FileScope { files, now: self.now() };
            let value = expr::parse(text).and_then(|node| expr::eval(&node, &scope)).and_then(|value| value.to_json());
            args.push(value.map_err(|error| Error::User(format!("eval {text:?}: {error}")))?);
        }
        // The attribute is the list of all arguments; each element is one.
        if whole && let Some(Json::Array(_)) = args.first() {
            args = args.swap_remove(0).as_array().cloned().unwrap_or_default();
        }
        self.call(model, method, args, Map::new()).await.map(drop)
    }

    fn file_domain(&self, files: &Files<'_>, text: &str) -> Result<Domain, Error> {
        let wrong = |error: &dyn std::fmt::Display| Error::User(format!("search {text:?}: {error}"));
        let domain = Domain::parse(text).map_err(|error| wrong(&error))?;
        domain.bind(&FileScope { files, now: self.now() }).map_err(|error| wrong(&error))
    }
}

fn attr<'t>(tree: &'t Tree, node: NodeId, name: &str) -> Result<&'t str, Error> {
    tree.attr(node, name).ok_or_else(|| Error::User(format!("<{}> needs the attribute {name}", tree.tag(node))))
}

fn flag(tree: &Tree, node: NodeId, name: &str, otherwise: bool) -> bool {
    tree.attr(node, name).map_or(otherwise, |text| matches!(text, "1" | "True" | "true"))
}

fn collect(
    tree: &Tree,
    at: NodeId,
    noupdate: bool,
    parent: Option<&str>,
    items: &mut Vec<Item>,
) -> Result<(), (NodeId, String)> {
    for node in tree.elements(at) {
        match tree.tag(node) {
            "data" => collect(tree, node, flag(tree, node, "noupdate", noupdate), None, items)?,
            "record" if tree.attr(node, "model").is_none() => {
                return Err((node, "<record> needs the attribute model".to_owned()));
            }
            "menuitem" => {
                items.push(Item { node, noupdate, parent: parent.map(str::to_owned) });
                collect(tree, node, noupdate, tree.attr(node, "id"), items)?;
            }
            "record" | "delete" | "function" => items.push(Item { node, noupdate, parent: None }),
            other => {
                let told =
                    format!("<{other}> is no part of data files; there are record, menuitem, delete and function");
                return Err((node, told));
            }
        }
    }
    Ok(())
}

/// External ids that the element names, as they stand there.
fn needs(tree: &Tree, item: &Item) -> Vec<String> {
    let mut found = Vec::new();
    let node = item.node;
    match tree.tag(node) {
        "menuitem" => {
            found.extend(["parent", "action"].iter().filter_map(|name| tree.attr(node, name)).map(str::to_owned));
            found.extend(item.parent.clone());
            let groups = tree.attr(node, "groups").unwrap_or_default();
            found.extend(groups.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned));
        }
        "delete" => {}
        _ => {
            for child in tree.elements(node) {
                found.extend(tree.attr(child, "ref").map(str::to_owned));
            }
        }
    }
    let texts = [node].into_iter().chain(tree.elements(node));
    let texts: Vec<&str> =
        texts.flat_map(|node| [tree.attr(node, "eval"), tree.attr(node, "search")]).flatten().collect();
    found.extend(texts.into_iter().flat_map(references));
    found
}

/// Nothing is to be done for it in this load.
fn is_made_already(files: &Files<'_>, tree: &Tree, item: &Item) -> bool {
    if !matches!(tree.tag(item.node), "record" | "menuitem") {
        return false;
    }
    let known = tree.attr(item.node, "id").and_then(|id| files.known.get(&files.full(id)));
    known.is_some_and(|external| files.how != Load::Upgrade || external.noupdate || item.noupdate)
}
