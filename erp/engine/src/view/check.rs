//! Whether a view says only what its model, and the type of view, can show. Everything that is wrong at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Combined, ViewError, ViewKind,
    condition::{self, MODIFIERS},
    error::did_you_mean,
    same_tag,
    settings::{self, Attribute, Fits, Takes},
    xml::NodeId,
};
use crate::{
    error::Error,
    expr::Node,
    resolve::{FieldDef, Kind, ModelDef, Registry, path},
};

/// Errors told at once; what follows more of them is noise.
const MOST_ERRORS: usize = 20;

/// Records that views name, by external id.
#[derive(Clone, Debug, Default)]
pub struct References {
    pub groups: BTreeMap<String, i64>,
    pub actions: BTreeMap<String, i64>,
    /// Of actions that are named by their ids, those that there are.
    pub action_ids: BTreeSet<i64>,
    /// Any other record that `%(app.id)d` may stand for.
    pub others: BTreeMap<String, i64>,
}

impl References {
    fn id(&self, external_id: &str) -> Option<i64> {
        [&self.actions, &self.groups, &self.others].into_iter().find_map(|known| known.get(external_id)).copied()
    }
}

/// What a view refers to, to be looked up before it is expanded and checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub external_ids: BTreeSet<String>,
    /// Actions that are named by their ids.
    pub actions: BTreeSet<i64>,
}

impl Combined {
    pub fn wanted(&self) -> Wanted {
        let mut wanted = Wanted::default();
        for id in self.tree.all_elements() {
            let is_action = self.tree.attr(id, "type") == Some("action");
            for (name, value) in self.tree.attrs(id) {
                let marked = value.split("%(").skip(1).filter_map(|rest| rest.split_once(')'));
                wanted.external_ids.extend(marked.map(|(external_id, _)| external_id.to_owned()));
                if name == "groups" {
                    let groups = value.split(',').map(|group| group.trim().trim_start_matches('!').to_owned());
                    wanted.external_ids.extend(groups.filter(|group| !group.is_empty()));
                }
                if is_action && name == "name" {
                    match value.parse() {
                        Ok(id) => drop(wanted.actions.insert(id)),
                        Err(_) if !value.contains("%(") => drop(wanted.external_ids.insert(value.clone())),
                        Err(_) => {}
                    }
                }
            }
        }
        wanted
    }
}

/// Puts ids in the place of `%(app.name)d`.
pub fn expand(view: &mut Combined, references: &References) -> Result<(), ViewError> {
    for id in view.tree.all_elements() {
        let marked: Vec<(String, String)> =
            view.tree.attrs(id).iter().filter(|(_, value)| value.contains("%(")).cloned().collect();
        for (name, value) in marked {
            let expanded = expanded(&value, references)
                .map_err(|problem| view.error(view.tree.at(id), format!("attribute {name}: {problem}")))?;
            view.tree.set_attr(id, &name, &expanded);
        }
    }
    Ok(())
}

fn expanded(text: &str, references: &References) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("%(") {
        out.push_str(before);
        let end = [")d", ")s"].into_iter().filter_map(|end| after.find(end)).min();
        let Some(end) = end else {
            return Err("a %( without )d; write %(app.name)d for the id of a record".to_owned());
        };
        let external_id = &after[..end];
        let id = references.id(external_id).ok_or_else(|| {
            let known = references.actions.keys().chain(references.others.keys()).map(String::as_str);
            format!("there is no record {external_id}{}", did_you_mean(external_id, known))
        })?;
        out.push_str(&id.to_string());
        rest = &after[end + 2..];
    }
    out.push_str(rest);
    Ok(out)
}

/// All that is wrong with an expanded view; empty when it can be shown.
pub fn check(view: &Combined, registry: &Registry, references: &References) -> Vec<ViewError> {
    let mut checker = Checker { registry, references, view, errors: Vec::new() };
    let Some(root) = view.tree.root() else { return Vec::new() };
    match registry.model(&view.model) {
        Ok(model) => checker.view(root, &Scope { model, kind: view.kind, parent: None, template: false }),
        Err(error) => checker.wrong(root, error.to_string()),
    }
    checker.errors.truncate(MOST_ERRORS);
    checker.errors
}

struct Checker<'a> {
    registry: &'a Registry,
    references: &'a References,
    view: &'a Combined,
    errors: Vec<ViewError>,
}

/// Whose fields an element is about.
#[derive(Clone, Copy)]
struct Scope<'a> {
    model: &'a ModelDef,
    kind: ViewKind,
    /// The record that holds this one, in a list within a form.
    parent: Option<&'a Scope<'a>>,
    /// Within the template of a card, where HTML is written.
    template: bool,
}

/// Names that conditions may use besides fields.
const KNOWN_NAMES: &[&str] = &[
    "id",
    "uid",
    "user",
    "context",
    "active_id",
    "active_ids",
    "active_model",
    "self",
    "today",
    "now",
    "current_date",
    "company_id",
    "company_ids",
    "current_company_id",
    "allowed_company_ids",
    "companies",
    "lang",
    "tz",
    "true",
    "false",
    "null",
];

impl Checker<'_> {
    fn wrong(&mut self, node: NodeId, problem: impl Into<String>) {
        let at = self.view.tree.at(node);
        self.errors.push(self.view.error(at, problem));
    }

    /// What is wrong with a path, and which field could be meant.
    fn told(&self, error: &Error) -> String {
        let near = match error {
            Error::NoSuchField { model, field } => self
                .registry
                .model(model)
                .map(|model| did_you_mean(field, model.fields.iter().map(|field| field.name.as_str())))
                .unwrap_or_default(),
            _ => String::new(),
        };
        format!("{error}{near}")
    }

    fn view(&mut self, root: NodeId, scope: &Scope<'_>) {
        let tree = &self.view.tree;
        for needed in settings::needed(scope.kind) {
            if tree.attr(root, needed).is_none_or(str::is_empty) {
                self.wrong(root, format!("a {} view needs the attribute {needed}", scope.kind));
            }
        }
        let own = settings::of_root(scope.kind);
        self.attributes(root, &own, scope, Some(scope.model));
        self.children(root, scope);
    }

    fn children(&mut self, node: NodeId, scope: &Scope<'_>) {
        let children: Vec<NodeId> = self.view.tree.elements(node).collect();
        for child in children {
            self.element(child, scope);
        }
    }

    fn element(&mut self, node: NodeId, scope: &Scope<'_>) {
        if self.errors.len() >= MOST_ERRORS {
            return;
        }
        let tag = self.view.tree.tag(node);
        if scope.template && !matches!(tag, "field" | "button" | "widget" | "a") {
            return self.html(node, scope);
        }
        let Some(element) = settings::elements(scope.kind).iter().find(|element| element.tag == tag) else {
            return self.html(node, scope);
        };
        match tag {
            "field" => self.field(node, element.attributes, scope),
            "button" => self.button(node, element.attributes, scope),
            "groupby" => self.group_header(node, scope),
            "templates" => {
                self.attributes(node, &[element.attributes], scope, None);
                self.children(node, &Scope { template: true, ..*scope });
            }
            _ => {
                self.attributes(node, &[element.attributes], scope, Some(scope.model));
                match tag {
                    "filter" => self.filter(node, scope),
                    "label" => self.label(node, scope),
                    "aggregate" | "formula" if self.view.tree.attr(node, "name").is_none() => {
                        self.wrong(node, format!("<{tag}> needs a name"));
                    }
                    _ => {}
                }
                self.children(node, scope);
            }
        }
    }

    fn html(&mut self, node: NodeId, scope: &Scope<'_>) {
        let tag = self.view.tree.tag(node);
        let html = scope.template || settings::has_html(scope.kind);
        if !(html && settings::HTML.contains(&tag)) {
            let own = settings::elements(scope.kind).iter().map(|element| element.tag);
            let known: Vec<&str> = own.chain(settings::HTML.iter().copied().filter(|_| html)).collect();
            let near = did_you_mean(tag, known.iter().copied());
            let hint = if near.is_empty() && !html { format!("; there are {}", known.join(", ")) } else { near };
            return self.wrong(node, format!("there is no <{tag}> in a {} view{hint}", scope.kind));
        }
        for (name, value) in self.view.tree.attrs(node).to_vec() {
            let lower = name.to_ascii_lowercase();
            if lower.starts_with("on") || matches!(lower.as_str(), "srcdoc" | "formaction") {
                self.wrong(node, format!("attribute {name} would run a script; views run none"));
            } else if matches!(lower.as_str(), "href" | "src") && !is_harmless_address(&value) {
                self.wrong(node, format!("attribute {name}: {value:?} is no address that views may lead to"));
            } else if name == "groups" {
                self.groups(node, &value);
            }
        }
        if matches!(tag, "a") && matches!(self.view.tree.attr(node, "type"), Some("object" | "action")) {
            self.action_of(node, scope);
        }
        self.modifiers(node, scope);
        self.children(node, scope);
    }

    fn field(&mut self, node: NodeId, own: &'static [Attribute], scope: &Scope<'_>) {
        let tree = &self.view.tree;
        let Some(name) = tree.attr(node, "name") else { return self.wrong(node, "<field> has no name") };
        let Some(field) = self.field_named(node, name, scope.model) else { return };
        let comodel = field.kind.comodel().and_then(|name| self.registry.model(name).ok());
        self.attributes(node, &[own], scope, comodel);
        if tree.attr(node, "widget") == Some("handle") && field.kind != Kind::Integer {
            self.wrong(node, format!("field {name} is no integer, which the widget handle keeps an order in"));
        }
        if tree.attr(node, "select").is_some() {
            let fits = matches!(field.kind, Kind::Many2One { .. } | Kind::Many2Many { .. } | Kind::Selection { .. });
            if !fits {
                self.wrong(node, format!("field {name} has no list of values for a panel"));
            }
        }
        let inner: Vec<NodeId> = self.view.tree.elements(node).collect();
        for child in inner {
            let tag = self.view.tree.tag(child);
            match (ViewKind::from_name(tag), comodel) {
                (Some(kind), Some(model)) => {
                    self.view(child, &Scope { model, kind, parent: Some(scope), template: false })
                }
                (Some(_), None) => {
                    self.wrong(child, format!("field {name} is no relation, so it has no <{tag}> of its own"))
                }
                (None, _) => self.wrong(child, format!("<{tag}> cannot stand in a <field>; a view such as <list> can")),
            }
        }
    }

    fn group_header(&mut self, node: NodeId, scope: &Scope<'_>) {
        let Some(name) = self.view.tree.attr(node, "name") else { return self.wrong(node, "<groupby> has no name") };
        let Some(field) = self.field_named(node, name, scope.model) else { return };
        match field.kind.comodel().and_then(|name| self.registry.model(name).ok()) {
            Some(model) => self.children(node, &Scope { model, kind: scope.kind, parent: None, template: false }),
            None => self.wrong(node, format!("field {name} is no relation, so its groups have no fields to show")),
        }
    }

    fn button(&mut self, node: NodeId, own: &'static [Attribute], scope: &Scope<'_>) {
        self.attributes(node, &[own], scope, Some(scope.model));
        let tree = &self.view.tree;
        match tree.attr(node, "type") {
            Some("object" | "action") => self.action_of(node, scope),
            Some(_) => {}
            None if scope.template || tree.attr(node, "special").is_some() => {}
            None if tree.attr(node, "name").is_some() => {
                self.wrong(node, "a button with a name has the type object (a method) or action");
            }
            None => {}
        }
        self.children(node, scope);
    }

    /// The method or the action that a click leads to.
    fn action_of(&mut self, node: NodeId, scope: &Scope<'_>) {
        let tree = &self.view.tree;
        let name = tree.attr(node, "name").unwrap_or_default();
        let model = &scope.model.name;
        if tree.attr(node, "type") == Some("object") {
            if self.registry.method(model, name).is_err() {
                let known = self.registry.methods.list(scope.model);
                let near = did_you_mean(name, known.into_keys());
                self.wrong(node, format!("{model} has no method {name:?} that a button may call{near}"));
            }
            return;
        }
        let known = name.parse().map_or_else(
            |_| self.references.actions.contains_key(name),
            |id: i64| {
                let by_name = self.references.actions.values().any(|&known| known == id);
                by_name || self.references.action_ids.contains(&id)
            },
        );
        if !known {
            let near = did_you_mean(name, self.references.actions.keys().map(String::as_str));
            self.wrong(node, format!("there is no action {name:?}{near}"));
        }
    }

    fn filter(&mut self, node: NodeId, scope: &Scope<'_>) {
        let tree = &self.view.tree;
        if tree.attr(node, "name").is_none_or(str::is_empty) {
            self.wrong(node, "<filter> has no name, by which favourites and contexts know it");
        }
        let does = ["domain", "date", "context", "color"].iter().any(|name| tree.attr(node, name).is_some());
        if !does && scope.kind == ViewKind::Search {
            self.wrong(node, "<filter> has neither domain, date nor context, so it would change nothing");
        }
        let Some(text) = tree.attr(node, "context") else { return };
        let Ok(Node::Dict(items)) = condition::parse(text) else { return };
        for (key, value) in items {
            let (Node::Text(key), Node::Text(by)) = (key, value) else { continue };
            if key == "group_by" {
                self.group_by(node, "context", &by, scope);
            }
        }
    }

    fn label(&mut self, node: NodeId, scope: &Scope<'_>) {
        let tree = &self.view.tree;
        let Some(of) = tree.attr(node, "for") else { return };
        let known =
            scope.model.find(of).is_some() || tree.all_elements().iter().any(|&id| tree.attr(id, "id") == Some(of));
        if !known {
            let near = did_you_mean(of, scope.model.fields.iter().map(|field| field.name.as_str()));
            self.wrong(node, format!("<label for={of:?}>: there is no such field or id{near}"));
        }
    }

    fn field_named<'m>(&mut self, node: NodeId, name: &str, model: &'m ModelDef) -> Option<&'m FieldDef> {
        let found = model.find(name);
        if found.is_none() {
            let near = did_you_mean(name, model.fields.iter().map(|field| field.name.as_str()));
            self.wrong(node, format!("{} has no field {name}{near}", model.name));
        }
        found
    }

    /// `domain_model`: the model whose records a `domain` chooses from.
    fn attributes(
        &mut self,
        node: NodeId,
        own: &[&'static [Attribute]],
        scope: &Scope<'_>,
        domain_model: Option<&ModelDef>,
    ) {
        let view = self.view;
        for (name, value) in view.tree.attrs(node) {
            // `data-x`, `aria-x` and a template's `t-x` mean nothing to us.
            if ["data-", "aria-", "t-"].iter().any(|prefix| name.starts_with(prefix)) {
                continue;
            }
            let own = own.iter().copied().chain([settings::EVERYWHERE]).flatten();
            let known: Vec<&Attribute> = own.collect();
            let takes = match known.iter().find(|(known, _)| known == name) {
                Some((_, takes)) => *takes,
                None if name.starts_with("decoration-") => Takes::Condition,
                None => {
                    let near = did_you_mean(name, known.iter().map(|(name, _)| *name));
                    let tag = view.tree.tag(node);
                    self.wrong(node, format!("<{tag}> of a {} view has no attribute {name}{near}", scope.kind));
                    continue;
                }
            };
            let of_view = name == "filter_domain";
            let domain_model = if of_view { Some(scope.model) } else { domain_model };
            self.value(node, name, value, takes, scope, domain_model);
        }
        self.modifiers(node, scope);
    }

    fn value(
        &mut self,
        node: NodeId,
        name: &str,
        value: &str,
        takes: Takes,
        scope: &Scope<'_>,
        domain_model: Option<&ModelDef>,
    ) {
        let bad = |problem: String| format!("attribute {name}=\"{value}\": {problem}");
        let chosen = |value: &str, choices: &[&str]| choices.contains(&value);
        match takes {
            Takes::Plain | Takes::Label => {}
            Takes::Bool if condition::flag(value).is_none() => self.wrong(node, bad("it is 1 or 0".to_owned())),
            Takes::Number if value.trim().parse::<u32>().is_err() => {
                self.wrong(node, bad("it is a whole number".to_owned()));
            }
            Takes::Choice(choices) if !chosen(value, choices) => {
                self.wrong(node, bad(format!("it is one of {}", choices.join(", "))));
            }
            Takes::Choices(choices) if !value.split(',').all(|item| chosen(item.trim(), choices)) => {
                self.wrong(node, bad(format!("it is some of {}", choices.join(", "))));
            }
            Takes::Bool | Takes::Number | Takes::Choice(_) | Takes::Choices(_) => {}
            Takes::Field(fits) => self.setting_field(node, name, value, fits, scope),
            Takes::Fields => {
                for field in value.split(',').map(str::trim).filter(|field| !field.is_empty()) {
                    self.setting_field(node, name, field, Fits::Any, scope);
                }
            }
            Takes::Order => match path::parse_order(value) {
                Err(problem) => self.wrong(node, bad(problem)),
                Ok(terms) => {
                    for term in terms {
                        if let Err(error) = path::follow(self.registry, scope.model, &term.path) {
                            self.wrong(node, bad(self.told(&error)));
                        }
                    }
                }
            },
            Takes::GroupBy => self.group_by(node, name, value, scope),
            // `invisible` and its kin are checked together with the older `attrs` and `states`.
            Takes::Condition if MODIFIERS.contains(&name) => {}
            Takes::Condition => match condition::parse(value) {
                Ok(node_) => self.names(node, name, &node_, scope),
                Err(problem) => self.wrong(node, bad(problem)),
            },
            Takes::Domain => match condition::parse(value) {
                Ok(domain) => self.domain(node, name, &domain, scope, domain_model),
                Err(problem) => self.wrong(node, bad(problem)),
            },
            Takes::Context => match condition::parse(value) {
                Ok(dict @ Node::Dict(_)) => self.names(node, name, &dict, scope),
                Ok(_) => self.wrong(node, bad("a context is a dictionary such as {'key': value}".to_owned())),
                Err(problem) => self.wrong(node, bad(problem)),
            },
            Takes::Options if name == "attrs" => {}
            Takes::Options => match condition::literal(value) {
                Ok(json) if name == "precision" => self.precision(node, &json),
                Ok(_) => {}
                Err(problem) => self.wrong(node, bad(problem)),
            },
            Takes::Groups => self.groups(node, value),
            Takes::Reference if value.parse::<i64>().is_err() && !value.contains('.') => {
                self.wrong(node, bad("it is the external id of a view, such as app.name".to_owned()));
            }
            Takes::Reference => {}
        }
    }

    fn setting_field(&mut self, node: NodeId, name: &str, value: &str, fits: Fits, scope: &Scope<'_>) {
        let Some(field) = self.field_named(node, value, scope.model) else { return };
        let kind = &field.kind;
        let (fit, what) = match fits {
            Fits::Any => (true, ""),
            Fits::Date => (matches!(kind, Kind::Date | Kind::DateTime), "date"),
            Fits::Numeric => {
                let numeric =
                    matches!(kind, Kind::Integer | Kind::Float | Kind::Decimal { .. } | Kind::Monetary { .. });
                (numeric, "number")
            }
            Fits::Boolean => (*kind == Kind::Boolean, "checkbox"),
            Fits::Relation => (kind.comodel().is_some(), "relation"),
            Fits::Contact => {
                let contact = matches!(kind, Kind::Many2One { comodel, .. } if &**comodel == "res.partner");
                (contact, "link to a contact")
            }
        };
        if !fit {
            self.wrong(node, format!("attribute {name}: field {value} is no {what}"));
        }
    }

    fn group_by(&mut self, node: NodeId, name: &str, value: &str, scope: &Scope<'_>) {
        for by in value.split(',').map(str::trim).filter(|by| !by.is_empty()) {
            let (path, interval) = by.split_once(':').map_or((by, None), |(path, interval)| (path, Some(interval)));
            match path::follow(self.registry, scope.model, path) {
                Err(error) => self.wrong(node, format!("attribute {name}: {}", self.told(&error))),
                Ok(found) => {
                    let dated = matches!(found.field.kind, Kind::Date | Kind::DateTime);
                    let known =
                        |interval: &str| ["hour", "day", "week", "month", "quarter", "year"].contains(&interval);
                    if interval.is_some_and(|interval| !dated || !known(interval)) {
                        let what = format!(
                            "attribute {name}: {by:?} is no field, nor a date with hour, day, week, month, quarter or year"
                        );
                        self.wrong(node, what);
                    }
                }
            }
        }
    }

    fn precision(&mut self, node: NodeId, json: &serde_json::Value) {
        let Some(items) = json.as_object() else {
            return self.wrong(node, "attribute precision: it is a dictionary such as {'day': 'hour:half'}");
        };
        for (scale, value) in items {
            let known = settings::PRECISIONS.iter().find(|(known, _)| known == scale).map(|(_, values)| *values);
            let value = value.as_str().unwrap_or_default();
            match known {
                Some(values) if values.contains(&value) => {}
                Some(values) => {
                    self.wrong(node, format!("attribute precision: of {scale} it is one of {}", values.join(", ")));
                }
                None => self.wrong(node, format!("attribute precision: there is no scale {scale}")),
            }
        }
    }

    fn groups(&mut self, node: NodeId, value: &str) {
        for group in value.split(',').map(|group| group.trim().trim_start_matches('!')) {
            if group.is_empty() || self.references.groups.contains_key(group) {
                continue;
            }
            let near = did_you_mean(group, self.references.groups.keys().map(String::as_str));
            self.wrong(node, format!("attribute groups: there is no group {group}{near}"));
        }
    }

    fn modifiers(&mut self, node: NodeId, scope: &Scope<'_>) {
        let view = self.view;
        match condition::modifiers(|name| view.tree.attr(node, name).map(str::to_owned)) {
            Ok(found) => {
                for (name, condition) in found {
                    self.names(node, name, &condition, scope);
                }
            }
            Err(problem) => self.wrong(node, problem),
        }
    }

    /// Whether the names in an expression are there when the client evaluates it.
    fn names(&mut self, node: NodeId, attribute: &str, expr: &Node, scope: &Scope<'_>) {
        for path in expr.paths().others {
            if scope.template && path.starts_with("record.") {
                continue;
            }
            if let Err(problem) = known_name(&path, scope) {
                self.wrong(node, format!("attribute {attribute}: {problem}"));
            }
        }
    }

    fn domain(&mut self, node: NodeId, attribute: &str, domain: &Node, scope: &Scope<'_>, model: Option<&ModelDef>) {
        self.names(node, attribute, domain, scope);
        let (Node::List(terms), Some(model)) = (domain, model) else { return };
        for term in terms {
            let Node::List(parts) = term else { continue };
            if let [Node::Text(path), Node::Text(_), _] = parts.as_slice()
                && let Err(error) = path::follow(self.registry, model, path)
            {
                self.wrong(node, format!("attribute {attribute}: {}", self.told(&error)));
            }
        }
    }
}

fn known_name(path: &str, scope: &Scope<'_>) -> Result<(), String> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    if let ("parent", Some(rest)) = (first, rest) {
        // A view may be made for use within another that is not known here.
        return scope.parent.map_or(Ok(()), |parent| known_name(rest, parent));
    }
    let Some(field) = scope.model.find(first) else {
        if KNOWN_NAMES.contains(&first) {
            return Ok(());
        }
        let fields = scope.model.fields.iter().map(|field| field.name.as_str());
        return Err(format!("{} has no field {first}{}", scope.model.name, did_you_mean(first, fields)));
    };
    let reads_on = matches!(field.kind, Kind::Date | Kind::DateTime) || matches!(rest, None | Some("id" | "ids"));
    if reads_on {
        return Ok(());
    }
    Err(format!("{path} looks into another record, which a form does not have; add a related field for it"))
}

fn is_harmless_address(value: &str) -> bool {
    let value: String = value.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect();
    let lower = value.to_ascii_lowercase();
    // A colon before any slash makes a scheme.
    match lower.find([':', '/', '?', '#']) {
        Some(at) if lower[at..].starts_with(':') => {
            ["http:", "https:", "mailto:", "tel:", "sms:"].iter().any(|scheme| lower.starts_with(scheme))
                || lower.starts_with("data:image/")
        }
        _ => true,
    }
}

/// Whether a tag starts a view of its own within a field.
pub(super) fn starts_view(tag: &str) -> bool {
    ViewKind::ALL.iter().any(|kind| same_tag(tag, kind.name()))
}
