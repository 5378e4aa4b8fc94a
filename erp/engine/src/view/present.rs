//! A view as one person gets it: without what his groups may not see, in his language, with what he may not do turned
//! off; as XML for API clients and as a JSON tree for the web client.
//!
//! # JSON tree
//!
//! A text is a string. An element is an object: `tag` (`list`, never `tree`), `attrs`, `children`, and where there are
//! some `modifiers` (`invisible`, `column_invisible`, `readonly`, `required`: an expression each) and, of a field,
//! `views` (by type, a tree each). Values of `attrs` are what the setting holds: booleans and numbers, options as
//! objects, conditions, domains and contexts as expressions in the JSON form of [`expr`](crate::expr), else strings.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::{
    Combined, ViewKind,
    check::starts_view,
    condition::{self, MODIFIERS},
    settings::{self, Takes},
    xml::{Content, NodeId, Tree},
};
use crate::{
    error::Operation,
    expr::Node,
    resolve::{FieldDef, Kind, ModelDef, Registry},
};

/// Who looks at a view. Two people for whom these agree get the same view.
pub struct Viewer<'a> {
    /// Whether he is in the group of this external id.
    pub in_group: &'a dyn Fn(&str) -> bool,
    pub may: &'a dyn Fn(&ModelDef, Operation) -> bool,
    /// Whether a field's own groups let him see it.
    pub sees: &'a dyn Fn(&FieldDef) -> bool,
    /// A text of the view in his language.
    pub translate: &'a dyn Fn(&str) -> Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Presented {
    pub id: i64,
    pub model: String,
    pub kind: ViewKind,
    pub arch: String,
    pub tree: Json,
    /// Fields that the client must know, by model.
    pub fields: BTreeMap<String, BTreeSet<String>>,
}

/// `view` is a view that [`check`](super::check()) found nothing wrong with; of another, the unknown is left as it is.
pub fn present(view: &Combined, registry: &Registry, viewer: &Viewer<'_>) -> Presented {
    let mut tree = view.tree.clone();
    let mut fields = BTreeMap::new();
    let mut json = Json::Null;
    if let (Some(root), Ok(model)) = (tree.root(), registry.model(&view.model)) {
        let mut presenter = Presenter { registry, viewer, tree: &mut tree, fields: &mut fields };
        presenter.strip(root, model, view.kind);
        json = presenter.element(root, model, view.kind);
    }
    Presented { id: view.id, model: view.model.clone(), kind: view.kind, arch: tree.to_xml(), tree: json, fields }
}

/// Texts of a view that are translated, each once, in their order.
pub fn terms(view: &Combined) -> Vec<String> {
    of_tree(&view.tree)
}

/// The same of an architecture as it is written, whole or an extension; none of what is no XML.
pub fn terms_of_arch(arch: &str) -> Vec<String> {
    Tree::parse(arch, 0).map_or_else(|_| Vec::new(), |tree| of_tree(&tree))
}

fn of_tree(tree: &Tree) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for id in tree.subtree(NodeId::DOCUMENT) {
        let texts: Vec<&str> = match tree.content(id) {
            // An extension sets attributes by the text of elements.
            Content::Text(text) => {
                let set = tree.parent(id).filter(|parent| tree.tag(*parent) == "attribute");
                match set.and_then(|set| tree.attr(set, "name")) {
                    Some(name) if !is_label(name) => Vec::new(),
                    _ => vec![text.trim()],
                }
            }
            Content::Element { attrs, .. } => {
                attrs.iter().filter(|(name, _)| is_label(name)).map(|(_, value)| value.as_str()).collect()
            }
            Content::Document => Vec::new(),
        };
        for text in texts {
            if text.chars().any(char::is_alphabetic) && !found.iter().any(|known| known == text) {
                found.push(text.to_owned());
            }
        }
    }
    found
}

/// Whether an attribute holds a text for people, whatever the view.
fn is_label(name: &str) -> bool {
    matches!(
        name,
        "string"
            | "help"
            | "title"
            | "tooltip"
            | "placeholder"
            | "sum"
            | "avg"
            | "min"
            | "max"
            | "confirm"
            | "confirm-title"
            | "confirm-label"
            | "cancel-label"
            | "alt"
            | "aria-label"
            | "panel_title"
            | "value_label"
            | "domain_label"
            | "text"
    )
}

/// `a.b,!c.d`: in one of the first kind, where there are any, and in none of the others.
fn is_for(groups: &str, viewer: &Viewer<'_>) -> bool {
    let (mut wanted, mut found) = (false, false);
    for group in groups.split(',').map(str::trim).filter(|group| !group.is_empty()) {
        if let Some(other) = group.strip_prefix('!') {
            if (viewer.in_group)(other.trim()) {
                return false;
            }
        } else {
            wanted = true;
            found |= (viewer.in_group)(group);
        }
    }
    found || !wanted
}

struct Presenter<'a> {
    registry: &'a Registry,
    viewer: &'a Viewer<'a>,
    tree: &'a mut Tree,
    fields: &'a mut BTreeMap<String, BTreeSet<String>>,
}

impl<'a> Presenter<'a> {
    /// Cuts out what is not for this person, and translates the rest.
    fn strip(&mut self, node: NodeId, model: &'a ModelDef, kind: ViewKind) {
        self.translate(node);
        if starts_view(self.tree.tag(node)) {
            self.turn_off(node, model, kind);
        }
        for child in self.tree.children(node).to_vec() {
            if let Some(text) = self.tree.text(child) {
                if let Some(translated) = (self.viewer.translate)(text.trim()) {
                    self.tree.set_text(child, &translated);
                }
                continue;
            }
            if let Some(groups) = self.tree.attr(child, "groups") {
                if !is_for(groups, self.viewer) {
                    self.tree.detach(child);
                    continue;
                }
                self.tree.remove_attr(child, "groups");
            }
            let named = match self.tree.tag(child) {
                "field" | "groupby" => self.tree.attr(child, "name"),
                "label" => self.tree.attr(child, "for"),
                _ => None,
            };
            let field = named.and_then(|name| model.find(name));
            if field.is_some_and(|field| !(self.viewer.sees)(field)) {
                self.tree.detach(child);
                continue;
            }
            let is_link = matches!(self.tree.tag(child), "field" | "groupby");
            let comodel = field.filter(|_| is_link).and_then(|field| self.comodel(field));
            let (model, kind) = match (comodel, ViewKind::from_name(self.tree.tag(child))) {
                (Some(comodel), _) => (comodel, kind),
                (None, Some(own)) if self.tree.tag(node) == "field" => (model, own),
                _ => (model, kind),
            };
            self.strip(child, model, kind);
        }
    }

    fn comodel(&self, field: &FieldDef) -> Option<&'a ModelDef> {
        field.kind.comodel().and_then(|name| self.registry.model(name).ok())
    }

    fn translate(&mut self, node: NodeId) {
        let labels: Vec<(String, String)> =
            self.tree.attrs(node).iter().filter(|(name, _)| is_label(name)).cloned().collect();
        for (name, text) in labels {
            if let Some(translated) = (self.viewer.translate)(&text) {
                self.tree.set_attr(node, &name, &translated);
            }
        }
    }

    /// What the person has no right to, the view does not offer.
    fn turn_off(&mut self, root: NodeId, model: &ModelDef, kind: ViewKind) {
        if kind == ViewKind::Search {
            return;
        }
        let rights = [("create", Operation::Create), ("edit", Operation::Write), ("delete", Operation::Unlink)];
        for (name, operation) in rights {
            if !(self.viewer.may)(model, operation) {
                self.tree.set_attr(root, name, "0");
            }
        }
    }

    fn element(&mut self, node: NodeId, model: &'a ModelDef, kind: ViewKind) -> Json {
        let tag = self.tree.tag(node).to_owned();
        let is_view = starts_view(&tag);
        let mut attrs = Map::new();
        for (name, value) in self.tree.attrs(node).to_vec() {
            if MODIFIERS.contains(&name.as_str()) || matches!(name.as_str(), "attrs" | "states" | "groups") {
                continue;
            }
            let takes = self.takes(&tag, &name, kind, is_view);
            let json = self.value(&name, &value, takes, model);
            attrs.insert(name, json);
        }
        let mut out = Map::new();
        let modifiers = self.modifiers(node, model);
        let field = match tag.as_str() {
            "field" => self.tree.attr(node, "name").and_then(|name| model.find(name)),
            _ => None,
        };
        if let Some(field) = field {
            self.uses(model, &field.name);
            if let Kind::Monetary { currency } = &field.kind {
                self.uses(model, currency);
            }
        }
        let linked = match tag.as_str() {
            "groupby" => self.tree.attr(node, "name").and_then(|name| model.find(name)),
            _ => field,
        };
        let inner = linked.and_then(|field| self.comodel(field)).unwrap_or(model);
        let mut children = Vec::new();
        let mut views = Map::new();
        for child in self.tree.children(node).to_vec() {
            if let Some(text) = self.tree.text(child) {
                children.push(text.into());
                continue;
            }
            match ViewKind::from_name(self.tree.tag(child)) {
                Some(own) if tag == "field" => {
                    views.insert(own.name().to_owned(), self.element(child, inner, own));
                }
                _ => children.push(self.element(child, inner, kind)),
            }
        }
        out.insert("tag".to_owned(), if tag == "tree" { "list".into() } else { tag.into() });
        out.insert("attrs".to_owned(), attrs.into());
        if !modifiers.is_empty() {
            out.insert("modifiers".to_owned(), modifiers.into());
        }
        if !views.is_empty() {
            out.insert("views".to_owned(), views.into());
        }
        out.insert("children".to_owned(), children.into());
        out.into()
    }

    fn takes(&self, tag: &str, name: &str, kind: ViewKind, is_view: bool) -> Takes {
        let of_root = settings::of_root(kind);
        let own: &[settings::Attribute] = match settings::elements(kind).iter().find(|element| element.tag == tag) {
            Some(element) if !is_view => element.attributes,
            _ => &[],
        };
        let of_root = of_root.into_iter().filter(|_| is_view).flatten();
        let mut known = of_root.chain(own).chain(settings::EVERYWHERE);
        match known.find(|(known, _)| *known == name) {
            Some((_, takes)) => *takes,
            None if name.starts_with("decoration-") => Takes::Condition,
            None => Takes::Plain,
        }
    }

    fn value(&mut self, name: &str, value: &str, takes: Takes, model: &'a ModelDef) -> Json {
        match takes {
            Takes::Bool => condition::flag(value).map_or_else(|| value.into(), Json::from),
            Takes::Number => value.trim().parse::<u32>().map_or_else(|_| value.into(), Json::from),
            Takes::Options => condition::literal(value).unwrap_or_else(|_| value.into()),
            Takes::Condition | Takes::Domain | Takes::Context => match condition::parse(value) {
                Ok(node) => {
                    self.uses_of(&node, model);
                    if let (Takes::Context, Node::Dict(items)) = (takes, &node) {
                        self.grouped_by(items, model);
                    }
                    condition::json(&node)
                }
                Err(_) => value.into(),
            },
            Takes::Field(_) | Takes::Fields | Takes::GroupBy => {
                for field in value.split(',') {
                    self.uses(model, field.trim().split([':', '.']).next().unwrap_or_default());
                }
                value.into()
            }
            _ if name == "for" => {
                self.uses(model, value);
                value.into()
            }
            _ => value.into(),
        }
    }

    fn grouped_by(&mut self, items: &[(Node, Node)], model: &'a ModelDef) {
        for (key, value) in items {
            if let (Node::Text(key), Node::Text(by)) = (key, value)
                && key == "group_by"
            {
                by.split(',').for_each(|by| self.uses(model, by.split([':', '.']).next().unwrap_or_default()));
            }
        }
    }

    fn modifiers(&mut self, node: NodeId, model: &'a ModelDef) -> Map<String, Json> {
        let found = condition::modifiers(|name| self.tree.attr(node, name).map(str::to_owned)).unwrap_or_default();
        let mut out = Map::new();
        for (name, condition) in found {
            self.uses_of(&condition, model);
            out.insert(name.to_owned(), condition::json(&condition));
        }
        out
    }

    /// Fields that an expression looks at must be read along.
    fn uses_of(&mut self, node: &Node, model: &'a ModelDef) {
        for path in node.paths().others {
            self.uses(model, path.split('.').next().unwrap_or_default());
        }
    }

    fn uses(&mut self, model: &ModelDef, name: &str) {
        if model.find(name).is_some_and(|field| (self.viewer.sees)(field)) {
            self.fields.entry(model.name.to_string()).or_default().insert(name.to_owned());
        }
    }
}
