//! Which app is loaded when: an app after everything it depends on, else by name.

use std::collections::{BTreeMap, BTreeSet};

use super::{ResolveErrors, names};
use crate::declare::App;

pub(super) fn in_loading_order<'a>(kernel: &'a App, apps: &'a [App], errors: &mut ResolveErrors) -> Vec<&'a App> {
    let mut by_name: BTreeMap<&str, &App> = BTreeMap::new();
    for app in apps {
        if !names::is_word(&app.name) {
            errors.app(&app.name, "its name must be lower case letters, digits and underscores");
        }
        if app.name == kernel.name || by_name.insert(&app.name, app).is_some() {
            errors.app(&app.name, "declared twice");
        }
    }

    let mut waiting = by_name.clone();
    let mut ordered = vec![kernel];
    let mut loaded: BTreeSet<&str> = BTreeSet::from([kernel.name.as_str()]);
    for app in by_name.values() {
        for missing in app.depends.iter().filter(|name| !by_name.contains_key(name.as_str())) {
            errors.app(&app.name, format_args!("depends on {missing}, which is not there"));
        }
    }
    loop {
        // A missing dependency was told above; it must not also look like a cycle.
        let ready: Vec<&str> = waiting
            .values()
            .filter(|app| app.depends.iter().all(|d| loaded.contains(d.as_str()) || !by_name.contains_key(d.as_str())))
            .map(|app| app.name.as_str())
            .collect();
        if ready.is_empty() {
            break;
        }
        for name in ready {
            loaded.insert(name);
            ordered.extend(waiting.remove(name));
        }
    }
    for app in waiting.values() {
        let unmet: Vec<&str> =
            app.depends.iter().map(String::as_str).filter(|name| waiting.contains_key(name)).collect();
        errors.app(&app.name, format_args!("depends on itself through {}", unmet.join(", ")));
    }
    ordered
}
