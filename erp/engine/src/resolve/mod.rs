//! Declarations checked and joined to one immutable [`Registry`].
//!
//! A line of stages, each fed by the ones before it: apps in loading order -> models -> fields -> relations -> order,
//! names and unique constraints -> computed fields and behaviour -> access and rules -> data. Nothing is read but the declarations. All errors of a
//! stage are gathered; a stage is left out only when an earlier one left it nothing to stand on.

mod access;
mod apps;
mod behaviour;
pub(crate) mod coerce;
mod computed;
pub(crate) mod custom;
mod data;
mod mixins;
mod models;
mod names;
pub(crate) mod path;
mod registry;
mod relations;
mod security;

use std::fmt;

pub(crate) use access::DeclaredRule;
pub(crate) use computed::{Computed, Expression, Hop, Source, Trigger, walk};
pub(crate) use names::constraint as constraint_name;
pub use registry::{FieldDef, Kind, MONEY_SCALE, ModelDef, Registry, UniqueDef};
pub(crate) use registry::{LinkTable, OrderTerm, PrincipalsDef, Rights, RowDef, RowValue, shorten};
pub(crate) use security::{AccessRow, End, GroupRow, GroupSet, RuleRow, Security, SecurityRows, UserPath};

use crate::{declare::App, kernel};

/// Everything that is wrong with the declarations, not only the first thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolveErrors(pub Vec<String>);

impl fmt::Display for ResolveErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the apps' declarations do not fit together:")?;
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl std::error::Error for ResolveErrors {}

impl ResolveErrors {
    fn app(&mut self, app: &str, problem: impl fmt::Display) {
        self.0.push(format!("app {app}: {problem}"));
    }

    fn model(&mut self, app: &str, model: &str, problem: impl fmt::Display) {
        self.0.push(format!("app {app}: model {model}: {problem}"));
    }

    fn field(&mut self, app: &str, model: &str, field: &str, problem: impl fmt::Display) {
        self.0.push(format!("app {app}: model {model}: field {field}: {problem}"));
    }
}

/// All declarations at once; the order of `apps` does not matter.
pub fn resolve(apps: &[App]) -> Result<Registry, ResolveErrors> {
    let mut errors = ResolveErrors::default();
    let kernel = kernel::app(apps);
    let ordered = apps::in_loading_order(&kernel, apps, &mut errors);
    let mut drafts = models::merge(&ordered, &mut errors);
    mixins::apply(&mut drafts, &mut errors);
    let links = relations::connect(&mut drafts, &mut errors);
    names::check(&mut drafts, &mut errors);
    let mut registry = models::finish(&ordered, drafts);
    registry.links = links;
    computed::order(&ordered, &mut registry, &mut errors);
    behaviour::gather(&ordered, &mut registry, &mut errors);
    access::attach(&ordered, &mut registry, &mut errors);
    data::collect(&ordered, &mut registry, &mut errors);
    registry.methods = crate::call::Methods::of(&ordered);
    if errors.0.is_empty() { Ok(registry) } else { Err(errors) }
}
