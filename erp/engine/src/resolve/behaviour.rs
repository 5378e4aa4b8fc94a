//! Behaviour of all apps by the model that it is for. What an app says of a mixin stands with every model that takes it.

use std::{collections::HashMap, fmt, sync::Arc};

use super::{
    Expression, ResolveErrors,
    registry::{ModelDef, Registry},
};
use crate::declare::{App, CheckFn, DefaultFn, Hook, InverseFn, OnchangeFn, SearchFn};

/// Stands for every model.
const ANY: &str = "*";

/// What apps do around the records of one model, in the order of the apps.
#[derive(Clone, Default)]
pub(crate) struct Behaviour {
    pub(crate) hooks: Vec<Hook>,
    pub(crate) checks: Vec<(Vec<String>, CheckFn)>,
    pub(crate) onchanges: Vec<(String, OnchangeFn)>,
    /// By field, as the next two: the model's own before its mixins', a later app's before an earlier one's.
    pub(crate) defaults: HashMap<String, DefaultFn>,
    pub(crate) searches: HashMap<String, SearchFn>,
    pub(crate) inverses: HashMap<String, InverseFn>,
    /// Checks in the expression language.
    pub(crate) conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) name: String,
    pub(crate) expression: Arc<Expression>,
    pub(crate) message: String,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Behaviour({} hooks, {} checks)", self.hooks.len(), self.checks.len())
    }
}

pub(super) fn gather(apps: &[&App], registry: &mut Registry, errors: &mut ResolveErrors) {
    check(apps, registry, errors);
    for app in apps {
        for job in &app.code.jobs {
            if registry.jobs.insert(job.name.clone(), job.clone()).is_some() {
                errors.app(&app.name, format_args!("scheduled action {}: another app has one of this name", job.name));
            }
        }
        for (name, task) in &app.code.tasks {
            if registry.tasks.insert(name.clone(), *task).is_some() {
                errors.app(&app.name, format_args!("task {name}: another app has one of this name"));
            }
        }
    }
    let made: Vec<Behaviour> = registry.models().map(|model| of_model(apps, registry, model, errors)).collect();
    for (model, behaviour) in registry.models.values_mut().zip(made) {
        model.behaviour = behaviour;
    }
}

fn of_model(apps: &[&App], registry: &Registry, model: &ModelDef, errors: &mut ResolveErrors) -> Behaviour {
    let mut owners = vec![ANY];
    lineage(registry, model, &mut owners);
    let mut own = Behaviour::default();
    let mine = |name: &str| owners.contains(&name);
    for code in apps.iter().map(|app| &app.code) {
        own.hooks.extend(code.hooks.iter().filter(|(of, _)| mine(of)).map(|(_, hook)| *hook));
        let checks = code.checks.iter().filter(|(of, ..)| mine(of));
        own.checks.extend(checks.map(|(_, fields, check)| (fields.clone(), *check)));
        let onchanges = code.onchanges.iter().filter(|(of, ..)| mine(of));
        own.onchanges.extend(onchanges.map(|(_, field, run)| (field.clone(), *run)));
    }
    for owner in &owners {
        for code in apps.iter().map(|app| &app.code) {
            own.defaults.extend(by_field(&code.defaults, owner));
            own.searches.extend(by_field(&code.searches, owner));
            own.inverses.extend(by_field(&code.inverses, owner));
        }
        let declared = registry.models.get(*owner).filter(|_| !model.is_abstract);
        for check in declared.into_iter().flat_map(|owner| &owner.checks) {
            if own.conditions.iter().any(|known| known.name == check.name) {
                continue;
            }
            match Expression::parse(registry, model, &check.expression) {
                Ok(expression) => own.conditions.push(Condition {
                    name: check.name.clone(),
                    expression: expression.into(),
                    message: check.message.clone(),
                }),
                Err(problem) => errors.model(&model.app, &model.name, format_args!("check {}: {problem}", check.name)),
            }
        }
    }
    own
}

fn by_field<'a, F: Copy>(rows: &'a [(String, String, F)], owner: &'a str) -> impl Iterator<Item = (String, F)> + 'a {
    rows.iter().filter(move |(of, ..)| of == owner).map(|(_, field, run)| (field.clone(), *run))
}

/// The model and the mixins that it takes, directly or by another mixin; what counts most comes last.
fn lineage<'r>(registry: &'r Registry, model: &'r ModelDef, found: &mut Vec<&'r str>) {
    let mut own: Vec<&'r str> = vec![&model.name];
    let mut next = 0;
    while let Some(name) = own.get(next) {
        let mixins = registry.models.get(*name).map_or(&[][..], |model| &model.mixins);
        let new: Vec<&'r str> = mixins.iter().map(String::as_str).filter(|name| !own.contains(name)).collect();
        own.extend(new);
        next += 1;
    }
    found.extend(own.into_iter().rev());
}

/// Behaviour for what is not there would never run.
fn check(apps: &[&App], registry: &Registry, errors: &mut ResolveErrors) {
    for app in apps {
        let code = &app.code;
        let mut fields: Vec<(&str, &str, &str)> = Vec::new();
        fields.extend(code.searches.iter().map(|(model, field, _)| ("search", &**model, &**field)));
        fields.extend(code.inverses.iter().map(|(model, field, _)| ("inverse", &**model, &**field)));
        fields.extend(code.onchanges.iter().map(|(model, field, _)| ("onchange", &**model, &**field)));
        fields.extend(code.defaults.iter().map(|(model, field, _)| ("default", &**model, &**field)));
        for (model, names, _) in &code.checks {
            fields.extend(names.iter().map(|name| ("check", &**model, &**name)));
        }
        for (kind, model, field) in fields.into_iter().filter(|(_, model, _)| *model != ANY) {
            match registry.models.get(model) {
                None => errors.app(&app.name, format_args!("{kind} for model {model}, which no app declares")),
                Some(known) if known.find(field).is_none() => {
                    errors.app(&app.name, format_args!("{kind} for field {field}, which {model} does not have"));
                }
                Some(known) => {
                    let computed = known.find(field).is_some_and(|field| field.is_computed());
                    if matches!(kind, "search" | "inverse") && !computed {
                        let problem = format_args!("{kind} for field {field} of {model}, which is not computed");
                        errors.app(&app.name, problem);
                    }
                }
            }
        }
        for (model, _) in code.hooks.iter().filter(|(model, _)| model != ANY) {
            if !registry.models.contains_key(model.as_str()) {
                errors.app(&app.name, format_args!("hook for model {model}, which no app declares"));
            }
        }
    }
}
