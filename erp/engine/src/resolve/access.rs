//! Who may do what: roles, users, access rows, record rules, field groups.

use std::collections::BTreeSet;

use super::{
    ResolveErrors,
    path::check_domain,
    registry::{Kind, PrincipalsDef, Registry, Rights, RuleDef},
};
use crate::{
    declare::{Access, App, Principals},
    domain::Domain,
};

pub(super) fn attach(apps: &[&App], registry: &mut Registry, errors: &mut ResolveErrors) {
    let roles: BTreeSet<&str> = apps.iter().flat_map(|app| app.roles.iter().map(String::as_str)).collect();
    for app in apps {
        for access in &app.access {
            grant(app, access, &roles, registry, errors);
        }
        if let Some(principals) = &app.principals {
            if registry.principals.is_some() {
                errors.app(&app.name, "another app says already which model holds the users");
            } else {
                registry.principals = users(app, principals, registry, errors);
            }
        }
    }
    rules(apps, &roles, registry, errors);
    for model in registry.models.values() {
        for field in &model.fields {
            for role in field.groups.iter().filter(|role| !roles.contains(role.as_str())) {
                errors.field(&model.app, &model.name, &field.name, format_args!("groups: no app declares role {role}"));
            }
        }
    }
}

fn grant(app: &App, access: &Access, roles: &BTreeSet<&str>, registry: &mut Registry, errors: &mut ResolveErrors) {
    if !roles.contains(access.role.as_str()) {
        errors.model(&app.name, &access.model, format_args!("access: no app declares role {}", access.role));
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
    for model in registry.models.values_mut() {
        if access.model == "*" || access.model == *model.name {
            model.access.entry(access.role.clone()).or_default().add(rights);
        }
    }
}

fn users(app: &App, principals: &Principals, registry: &Registry, errors: &mut ResolveErrors) -> Option<PrincipalsDef> {
    let Some(model) = registry.models.get(principals.model.as_str()) else {
        errors.model(&app.name, &principals.model, "principals: no app declares this model");
        return None;
    };
    let mut wrong = |field: &str, problem: &str| errors.field(&app.name, &model.name, field, problem);
    for name in [&principals.role_field, &principals.name_field] {
        if !model.find(name).is_some_and(|field| field.kind.is_text()) {
            wrong(name, "principals: there is no such text or selection field");
        }
    }
    if !model.find(&principals.active_field).is_some_and(|field| field.kind == Kind::Boolean) {
        wrong(&principals.active_field, "principals: there is no such boolean field");
    }
    Some(PrincipalsDef {
        model: model.name.clone(),
        role_field: principals.role_field.clone(),
        active_field: principals.active_field.clone(),
        name_field: principals.name_field.clone(),
    })
}

fn rules(apps: &[&App], roles: &BTreeSet<&str>, registry: &mut Registry, errors: &mut ResolveErrors) {
    let mut found: Vec<(String, RuleDef)> = Vec::new();
    for (app, rule) in apps.iter().flat_map(|app| app.rules.iter().map(move |rule| (app, rule))) {
        let mut wrong = |problem: String| {
            errors.model(&app.name, &rule.model, format_args!("rule {:?}: {problem}", rule.name));
        };
        if let Some(role) = rule.role.as_deref().filter(|role| !roles.contains(role)) {
            wrong(format!("no app declares role {role}"));
        }
        let Some(model) = registry.models.get(rule.model.as_str()) else {
            wrong("no app declares this model".to_owned());
            continue;
        };
        let domain = match Domain::from_json(&rule.domain) {
            Ok(domain) => domain,
            Err(error) => {
                wrong(error.to_string());
                continue;
            }
        };
        if let Err(error) = check_domain(registry, model, &domain) {
            wrong(error.to_string());
        }
        found.push((
            rule.model.clone(),
            RuleDef { name: rule.name.clone(), role: rule.role.clone(), operations: rule.operations.clone(), domain },
        ));
    }
    for (model, rule) in found {
        if let Some(model) = registry.models.get_mut(model.as_str()) {
            model.rules.push(rule);
        }
    }
}
