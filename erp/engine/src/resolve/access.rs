//! Who may do what, as apps declare it: groups, users, access rows, record rules, field groups. What comes of it here
//! are rows under external ids; the engine keeps them as records and builds the registry's tables of those.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ResolveErrors, names,
    registry::{Kind, PrincipalsDef, Registry, Rights},
    security::{AccessRow, GroupRow, RuleRow, Security, SecurityRows},
};
use crate::{
    declare::{Access, App, Principals, Rule},
    expr::quoted,
    value::Id,
};

/// What apps declare, in loading order, every reference a full external id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Declared {
    pub(crate) groups: Vec<DeclaredGroup>,
    pub(crate) access: Vec<DeclaredAccess>,
    pub(crate) rules: Vec<DeclaredRule>,
}

#[derive(Clone, Debug)]
pub(crate) struct DeclaredGroup {
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) category: String,
    pub(crate) comment: String,
    pub(crate) share: bool,
    pub(crate) implies: Vec<String>,
    pub(crate) users: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct DeclaredAccess {
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) model: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) rights: Rights,
}

#[derive(Clone, Debug)]
pub(crate) struct DeclaredRule {
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) model: String,
    pub(crate) groups: Vec<String>,
    pub(crate) domain: String,
    pub(crate) operations: Rights,
}

/// An external id: what has no dot is of the app itself.
pub(super) fn qualified(app: &str, key: &str) -> String {
    match key.strip_prefix('!') {
        Some(rest) => format!("!{}", qualified(app, rest)),
        None if key.contains('.') => key.to_owned(),
        None => format!("{app}.{key}"),
    }
}

pub(super) fn attach(apps: &[&App], registry: &mut Registry, errors: &mut ResolveErrors) {
    let mut declared = Declared::default();
    let known: BTreeSet<String> =
        apps.iter().flat_map(|app| app.groups.iter().map(|group| qualified(&app.name, &group.id))).collect();
    for app in apps {
        groups(app, &known, &mut declared, errors);
    }
    for app in apps {
        for access in &app.access {
            grant(app, access, &known, registry, &mut declared, errors);
        }
        for rule in &app.rules {
            limit(app, rule, &known, registry, &mut declared, errors);
        }
        if let Some(principals) = &app.principals {
            if registry.principals.is_some() {
                errors.app(&app.name, "another app says already which model holds the users");
            } else {
                registry.principals = users(app, principals, &known, registry, errors);
            }
        }
    }
    let more = apps.iter().flat_map(|app| app.own_fields.iter().map(move |field| (app, field)));
    if let Some(mut principals) = registry.principals.take() {
        for (app, field) in more {
            match registry.models.get(&principals.model).and_then(|users| users.find(field)) {
                Some(_) => principals.own_fields.push(field.clone()),
                None => errors.field(&app.name, &principals.model, field, "own_fields: there is no such field"),
            }
        }
        registry.principals = Some(principals);
    }
    for model in registry.models.values() {
        for field in &model.fields {
            let unknown = |key: &&String| !known.contains(key.strip_prefix('!').unwrap_or(key));
            for group in field.groups.iter().filter(unknown) {
                errors.field(&model.app, &model.name, &field.name, format_args!("groups: no app declares {group}"));
            }
        }
    }
    let mut wrong = ResolveErrors::default();
    registry.security = Security::gather(registry, declared.as_rows(), &mut wrong).into();
    errors.0.extend(wrong.0);
    registry.declared = declared;
}

fn groups(app: &App, known: &BTreeSet<String>, declared: &mut Declared, errors: &mut ResolveErrors) {
    for group in &app.groups {
        let key = qualified(&app.name, &group.id);
        let mut wrong = |problem: &str| errors.app(&app.name, format_args!("group {key}: {problem}"));
        if group.id.contains('.') || !names::is_word(&group.id) {
            wrong("its id must be lower case letters, digits and underscores; the app's name is put before it");
        }
        if declared.groups.iter().any(|other| other.key == key) {
            wrong("declared twice");
        }
        let implies: Vec<String> = group.implies.iter().map(|other| qualified(&app.name, other)).collect();
        for other in implies.iter().filter(|other| !known.contains(*other)) {
            wrong(&format!("implies {other}, which no app declares"));
        }
        declared.groups.push(DeclaredGroup {
            name: group.name.clone(),
            category: group.category.clone(),
            comment: group.comment.clone(),
            share: group.share,
            implies,
            users: group.users.iter().map(|user| qualified(&app.name, user)).collect(),
            key,
        });
    }
}

fn grant(
    app: &App,
    access: &Access,
    known: &BTreeSet<String>,
    registry: &Registry,
    declared: &mut Declared,
    errors: &mut ResolveErrors,
) {
    let group = (access.group != "*").then(|| qualified(&app.name, &access.group));
    if let Some(group) = group.as_ref().filter(|group| !known.contains(*group)) {
        errors.model(&app.name, &access.model, format_args!("access: no app declares the group {group}"));
    }
    let mut rights = Rights::default();
    for letter in access.rights.chars() {
        match letter {
            'c' => rights.create = true,
            'r' => rights.read = true,
            'u' => rights.write = true,
            'd' => rights.unlink = true,
            other => errors.model(&app.name, &access.model, format_args!("access: {other:?} is none of c, r, u, d")),
        }
    }
    if access.model != "*" && !registry.models.contains_key(access.model.as_str()) {
        errors.model(&app.name, &access.model, "access: no app declares this model");
    }
    let model = (access.model != "*").then(|| access.model.clone());
    let of = model.as_deref().unwrap_or("all").replace('.', "_");
    let who = group.as_deref().map_or("everybody", |key| key.rsplit('.').next().unwrap_or(key));
    let name = format!("{} {who}", model.as_deref().unwrap_or("every model"));
    let key = format!("{}.access_{of}_{who}", app.name);
    match declared.access.iter_mut().find(|other| other.key == key && other.group == group) {
        // Two rows of one app for the same thing are one record.
        Some(same) => same.rights.add(rights),
        None => declared.access.push(DeclaredAccess { key, name, model, group, rights }),
    }
}

fn limit(
    app: &App,
    rule: &Rule,
    known: &BTreeSet<String>,
    registry: &Registry,
    declared: &mut Declared,
    errors: &mut ResolveErrors,
) {
    let mut wrong =
        |problem: String| errors.model(&app.name, &rule.model, format_args!("rule {:?}: {problem}", rule.name));
    let groups: Vec<String> = rule.groups.iter().map(|group| qualified(&app.name, group)).collect();
    for group in groups.iter().filter(|group| !known.contains(*group)) {
        wrong(format!("no app declares the group {group}"));
    }
    if !registry.models.contains_key(rule.model.as_str()) {
        wrong("no app declares this model".to_owned());
    }
    let domain = match &rule.domain {
        serde_json::Value::String(text) => text.clone(),
        json => as_text(json),
    };
    let slug: String =
        rule.name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let key = format!("{}.rule_{}_{slug}", app.name, rule.model.replace('.', "_"));
    if declared.rules.iter().any(|other| other.key == key) {
        wrong("there are two of this name; rename one".to_owned());
    }
    declared.rules.push(DeclaredRule {
        key,
        name: rule.name.clone(),
        model: rule.model.clone(),
        groups,
        domain,
        operations: Rights::of(&rule.operations),
    });
}

/// A domain in JSON as people see it in the rule's record: in the expression language.
fn as_text(json: &serde_json::Value) -> String {
    use serde_json::Value as Json;
    match json {
        Json::Null => "None".to_owned(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => quoted(text),
        Json::Array(items) => format!("[{}]", items.iter().map(as_text).collect::<Vec<_>>().join(", ")),
        Json::Object(object) => match object.get("expr").and_then(Json::as_str) {
            Some(expression) => expression.to_owned(),
            None => json.to_string(),
        },
    }
}

fn users(
    app: &App,
    principals: &Principals,
    known: &BTreeSet<String>,
    registry: &Registry,
    errors: &mut ResolveErrors,
) -> Option<PrincipalsDef> {
    let Some(model) = registry.models.get(principals.model.as_str()) else {
        errors.model(&app.name, &principals.model, "principals: no app declares this model");
        return None;
    };
    let mut wrong = |field: &str, problem: &str| errors.field(&app.name, &model.name, field, problem);
    let kind = |name: &String| model.find(name).map(|field| &field.kind);
    if !kind(&principals.name_field).is_some_and(Kind::is_text) {
        wrong(&principals.name_field, "principals: there is no such text or selection field");
    }
    if kind(&principals.active_field) != Some(&Kind::Boolean) {
        wrong(&principals.active_field, "principals: there is no such boolean field");
    }
    if let Some(name) = &principals.company_field
        && !matches!(kind(name), Some(Kind::Many2One { .. }))
    {
        wrong(name, "principals: there is no such many2one field");
    }
    if let Some(name) = &principals.companies_field
        && !matches!(kind(name), Some(Kind::Many2Many { .. }))
    {
        wrong(name, "principals: there is no such many2many field");
    }
    for name in principals.own_fields.iter().filter(|name| model.find(name).is_none()) {
        wrong(name, "principals: there is no such field");
    }
    let keeper = principals.keeper.as_ref().map(|group| qualified(&app.name, group));
    if let Some(group) = keeper.as_ref().filter(|group| !known.contains(*group)) {
        errors.app(&app.name, format_args!("principals: no app declares the group {group}"));
    }
    Some(PrincipalsDef {
        model: model.name.clone(),
        active_field: principals.active_field.clone(),
        name_field: principals.name_field.clone(),
        company_field: principals.company_field.clone(),
        companies_field: principals.companies_field.clone(),
        own_fields: principals.own_fields.clone(),
        keeper,
    })
}

impl Declared {
    /// As if they were the rows of a new database.
    fn as_rows(&self) -> SecurityRows {
        let ids: BTreeMap<&str, Id> =
            self.groups.iter().zip(1..).map(|(group, id)| (group.key.as_str(), Id(id))).collect();
        let id = |key: &String| ids.get(key.as_str()).copied();
        let mut rows = SecurityRows::default();
        for (group, own) in self.groups.iter().zip(1..) {
            rows.implied.extend(group.implies.iter().filter_map(id).map(|other| (Id(own), other)));
            rows.groups.push(GroupRow {
                id: Id(own),
                key: Some(group.key.clone()),
                name: group.name.clone(),
                category: group.category.clone(),
            });
        }
        // What names an unknown group was told of already.
        for access in self.access.iter().filter(|access| access.group.as_ref().is_none_or(|key| id(key).is_some())) {
            rows.access.push(AccessRow {
                name: access.name.clone(),
                model: access.model.clone(),
                group: access.group.as_ref().and_then(id),
                rights: access.rights,
            });
        }
        for (rule, own) in self.rules.iter().zip(1..) {
            rows.rule_groups.extend(rule.groups.iter().filter_map(id).map(|group| (Id(own), group)));
            rows.rules.push(RuleRow {
                id: Id(own),
                name: rule.name.clone(),
                model: rule.model.clone(),
                domain: rule.domain.clone(),
                operations: rule.operations,
            });
        }
        rows
    }
}
