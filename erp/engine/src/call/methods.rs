//! What can be called, by model and name. Nothing is dispatched that is not in this table.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use super::standard;
use crate::{
    declare::{App, Method},
    resolve::ModelDef,
};

/// The apps' methods. What every model can do besides is in [`standard`].
#[derive(Default)]
pub(crate) struct Methods(HashMap<String, HashMap<String, Method>>);

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Methods({})", self.0.values().map(HashMap::len).sum::<usize>())
    }
}

/// Stands for every model.
const ANY: &str = "*";

impl Methods {
    /// In loading order: a method of a later app takes the place of an earlier one.
    pub(crate) fn of(apps: &[&App]) -> Methods {
        let mut all: HashMap<String, HashMap<String, Method>> = HashMap::new();
        for method in apps.iter().flat_map(|app| &app.code.methods) {
            all.entry(method.model.clone()).or_default().insert(method.name.clone(), method.clone());
        }
        Methods(all)
    }

    /// The model's own, then those of its mixins, then those of every model.
    pub(crate) fn find(&self, model: &ModelDef, name: &str) -> Option<&Method> {
        let own = std::iter::once(&*model.name);
        let of_app = own
            .chain(model.mixins.iter().map(String::as_str))
            .chain([ANY])
            .find_map(|owner| self.0.get(owner)?.get(name));
        of_app.or_else(|| standard::find(model, name))
    }

    /// Everything that can be called on a model, by name.
    pub(crate) fn list<'m>(&'m self, model: &ModelDef) -> BTreeMap<&'m str, &'m Method> {
        let standard = standard::of(model).map(|method| (method.name.as_str(), method));
        let mut all: BTreeMap<&str, &Method> = standard.collect();
        let owners = [ANY].into_iter().chain(model.mixins.iter().rev().map(String::as_str)).chain([&*model.name]);
        for methods in owners.filter_map(|owner| self.0.get(owner)) {
            all.extend(methods.iter().map(|(name, method)| (name.as_str(), method)));
        }
        all
    }
}
