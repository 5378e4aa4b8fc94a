//! Rows of `ir.module.module`: what there is to install, and what is.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{Env, Search},
    open::fingerprint_of,
    plan,
};
use crate::{
    declare::App,
    domain,
    error::Error,
    record::{Record, Values},
    value::{Id, Value},
    values,
};

/// What the list says after it was brought up to the program.
pub(super) struct Listed {
    pub(super) installed: BTreeSet<String>,
    /// Installed apps whose version was raised since their records were loaded.
    pub(super) outdated: BTreeSet<String>,
    /// How many rows are new and how many changed.
    pub(super) added: usize,
    pub(super) updated: usize,
}

const ROW: [&str; 11] = [
    "name",
    "shortdesc",
    "summary",
    "description",
    "category_id",
    "application",
    "auto_install",
    "installed_version",
    "state",
    "latest_version",
    "fingerprint",
];

impl Env {
    /// The rows say what this program has.
    pub(super) async fn list_apps(&mut self) -> Result<Listed, Error> {
        let apps = self.engine.available();
        let categories = self.categories(&apps).await?;
        let rows = self.search_read("ir.module.module", &domain!(), &ROW, Search::order("id")).await?;
        let mut known: BTreeMap<&str, &Record> = rows.iter().map(|row| (row.get_str("name"), row)).collect();
        let mut listed = Listed { installed: BTreeSet::new(), outdated: BTreeSet::new(), added: 0, updated: 0 };
        let mut new = Vec::new();
        for app in apps.iter() {
            let category = categories.get(app.category.as_str()).copied();
            let values = row_of(app, category);
            let Some(row) = known.remove(app.name.as_str()) else {
                new.push((app, values.with("name", app.name.as_str())));
                continue;
            };
            if matches!(row.get_str("state"), "installed" | "to upgrade" | "to remove") {
                listed.installed.insert(app.name.clone());
                if row.get_str("latest_version") != app.version {
                    listed.outdated.insert(app.name.clone());
                }
            }
            let mut changed = Values::new();
            for (name, value) in values.iter().filter(|(name, value)| row.value(name) != *value) {
                changed.set(name.to_owned(), value.clone());
            }
            if row.get_str("state") == "uninstallable" {
                changed.set("state", "uninstalled");
            }
            if !changed.is_empty() {
                listed.updated += 1;
                self.write("ir.module.module", &[row.id], changed).await?;
                self.name_dependencies(&[(row.id, app)]).await?;
            }
        }
        for row in known.values() {
            if matches!(row.get_str("state"), "installed" | "to upgrade" | "to remove") {
                listed.installed.insert(row.get_str("name").to_owned());
            } else if row.get_str("state") != "uninstallable" {
                self.write("ir.module.module", &[row.id], values! { "state" => "uninstallable" }).await?;
            }
        }
        if !new.is_empty() {
            listed.added = new.len();
            let (apps, rows): (Vec<&App>, Vec<Values>) = new.into_iter().unzip();
            let ids = self.create_many("ir.module.module", rows).await?;
            let made: Vec<(Id, &App)> = ids.into_iter().zip(apps).collect();
            self.name_dependencies(&made).await?;
            let names = made.iter().map(|(id, app)| ("base".to_owned(), format!("module_{}", app.name), *id)).collect();
            self.name_rows("ir.module.module", names).await?;
        }
        Ok(listed)
    }

    async fn name_dependencies(&mut self, of: &[(Id, &App)]) -> Result<(), Error> {
        let ids: Vec<Id> = of.iter().map(|(id, _)| *id).collect();
        let old =
            self.search("ir.module.module.dependency", &domain!(["module_id", "in", ids]), Search::default()).await?;
        self.unlink("ir.module.module.dependency", &old).await?;
        let rows: Vec<Values> = of
            .iter()
            .flat_map(|(id, app)| app.depends.iter().map(|name| values! { "module_id" => *id, "name" => name }))
            .collect();
        if !rows.is_empty() {
            self.create_many("ir.module.module.dependency", rows).await?;
        }
        Ok(())
    }

    async fn categories(&mut self, apps: &[App]) -> Result<BTreeMap<String, Id>, Error> {
        let rows = self.search_read("ir.module.category", &domain!(), &["name"], Search::order("id")).await?;
        let mut known: BTreeMap<String, Id> =
            rows.into_iter().map(|row| (row.get_str("name").to_owned(), row.id)).collect();
        for app in apps {
            if !app.category.is_empty() && !known.contains_key(&app.category) {
                let id = self.create("ir.module.category", values! { "name" => &app.category }).await?;
                known.insert(app.category.clone(), id);
            }
        }
        Ok(known)
    }

    /// Exactly these are installed, of those that this program has.
    pub(super) async fn set_installed(&mut self, wanted: &BTreeSet<String>) -> Result<(), Error> {
        let rows = self.search_read("ir.module.module", &domain!(), &["name", "state"], Search::order("id")).await?;
        let (mut on, mut off) = (Vec::new(), Vec::new());
        for row in rows.iter().filter(|row| self.engine.has_app(row.get_str("name"))) {
            match (wanted.contains(row.get_str("name")), row.get_str("state")) {
                (true, "installed") | (false, "uninstalled" | "uninstallable") => {}
                (true, _) => on.push(row.id),
                (false, _) => off.push(row.id),
            }
        }
        for (ids, state) in [(on, "installed"), (off, "uninstalled")] {
            if !ids.is_empty() {
                self.write("ir.module.module", &ids, values! { "state" => state }).await?;
            }
        }
        Ok(())
    }

    /// Their records are those of the declarations that this program has.
    pub(super) async fn note_versions(&mut self, apps: &BTreeSet<String>) -> Result<(), Error> {
        let rows = self.search_read("ir.module.module", &domain!(), &ROW, Search::order("id")).await?;
        let available = self.engine.available();
        for app in available.iter().filter(|app| apps.contains(&app.name)) {
            let Some(row) = rows.iter().find(|row| row.get_str("name") == app.name) else { continue };
            let fingerprint = fingerprint_of(app);
            if row.get_str("latest_version") != app.version || row.get_str("fingerprint") != fingerprint {
                let values = values! { "latest_version" => optional(&app.version), "fingerprint" => fingerprint };
                self.write("ir.module.module", &[row.id], values).await?;
            }
        }
        Ok(())
    }

    pub(super) fn plan_new(&self, names: &[String]) -> Result<BTreeSet<String>, Error> {
        let mut names = names.to_vec();
        if self.engine.has_app("base") && !names.iter().any(|name| name == "base") {
            names.push("base".to_owned());
        }
        plan::with(&self.engine.available(), &BTreeSet::new(), &names)
    }
}

fn row_of(app: &App, category: Option<Id>) -> Values {
    let label = if app.label.is_empty() { &app.name } else { &app.label };
    values! {
        "shortdesc" => label,
        "summary" => optional(&app.summary),
        "description" => optional(&app.description),
        "category_id" => category,
        "application" => app.application,
        "auto_install" => app.auto_install,
        "installed_version" => optional(&app.version),
    }
}

fn optional(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}
