//! An app's records: its data rows, its files, its screens, under their external ids.

mod csv;
mod fields;
mod known;
mod xml;

use std::collections::HashMap;

use super::super::Env;
use crate::{
    declare::{App, DataFile},
    error::Error,
    kernel,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// The app was just installed.
    New,
    /// Its version was raised: records that people may not keep as they changed them are written anew.
    Upgrade,
    /// Only what was never made.
    Missing,
}

/// What the files of one app share while they are loaded.
pub(super) struct Files<'a> {
    pub(super) app: &'a App,
    pub(super) how: Load,
    /// External ids of these files, and where each stands.
    pub(super) seen: HashMap<String, String>,
    pub(super) known: known::Known,
}

impl Files<'_> {
    /// With the app's name where it has none.
    pub(super) fn full(&self, id: &str) -> String {
        if id.contains('.') { id.to_owned() } else { format!("{}.{id}", kernel::module(&self.app.name)) }
    }

    /// An external id stands in one place.
    pub(super) fn claim(&mut self, full: &str, place: String) -> Result<(), Error> {
        match self.seen.get(full) {
            Some(first) => Err(Error::User(format!(
                "{place}: the external id {full} is taken already by {first}; give one of them another"
            ))),
            None => {
                self.seen.insert(full.to_owned(), place);
                Ok(())
            }
        }
    }
}

impl Env {
    pub(super) async fn load_app(&mut self, app: &str, how: Load) -> Result<(), Error> {
        let registry = self.registry().clone();
        let rows: Vec<_> = registry.data.iter().filter(|row| row.app == app).cloned().collect();
        let mut new = self.load_groups(&registry, app).await?;
        new.extend(self.load_rows(&rows).await?);
        self.load_members(&registry, &new).await?;
        let available = self.engine.available();
        if let Some(app) = available.iter().find(|known| known.name == app) {
            self.load_files(app, &app.files, how).await?;
            self.load_screens(app, how == Load::Upgrade).await?;
        }
        Ok(())
    }

    /// Files of records that the apps' demo needs.
    pub(in super::super) async fn load_demo_files(&mut self) -> Result<(), Error> {
        let available = self.engine.available();
        for name in self.registry().apps.clone() {
            if let Some(app) = available.iter().find(|known| known.name == name) {
                self.load_files(app, &app.demo_files, Load::Missing).await?;
            }
        }
        Ok(())
    }

    async fn load_files(&mut self, app: &App, files: &[DataFile], how: Load) -> Result<(), Error> {
        let mut loading = Files { app, how, seen: HashMap::new(), known: known::Known::default() };
        for row in &app.data {
            loading.claim(&format!("{}.{}", kernel::module(&app.name), row.id), "the app's data rows".to_owned())?;
        }
        for file in files {
            match file.name.rsplit_once('.') {
                Some((model, "csv")) => self.load_csv(&mut loading, file, model).await?,
                Some((_, "xml")) => self.load_xml(&mut loading, file).await?,
                // Pictures and such, which fields of XML files name.
                _ => {}
            }
        }
        Ok(())
    }
}
