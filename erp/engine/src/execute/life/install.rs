//! Apps come, are renewed and go: each of these is one transaction with everything that belongs to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::Serialize;

use super::{
    super::{Engine, Env, Search},
    load::Load,
    plan,
    rebuild::Why,
};
use crate::{
    context::Context,
    domain,
    domain::{Domain, Op},
    error::{Error, Operation},
    kernel,
    resolve::{FieldDef, Registry, shorten},
    value::{Id, Value},
    values,
};

/// Of one change of apps, when others are in its way.
const TRIES: u32 = 8;

/// What goes when an app is uninstalled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Uninstall {
    /// (technical name, label) of the apps that go, this one among them.
    pub apps: Vec<(String, String)>,
    pub models: Vec<LostModel>,
    pub fields: Vec<LostField>,
    /// Records of models that stay which came with the apps, by model.
    pub records: Vec<LostModel>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LostModel {
    pub model: String,
    pub label: String,
    /// Records that die.
    pub count: u64,
}

/// A field of a model that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LostField {
    pub model: String,
    pub field: String,
    pub label: String,
    /// Records that have a value for it.
    pub count: u64,
}

impl Engine {
    /// Installs apps with what they depend on. `progress` is told each app as its turn comes.
    pub async fn install(&self, names: &[&str], progress: &mut (dyn FnMut(&str) + Send)) -> Result<Vec<String>, Error> {
        let mut tries = 1;
        loop {
            let done = async {
                let mut env = self.superuser("apps are installed").await?;
                let done = env.install_apps(&owned(names), progress).await?;
                env.commit().await?;
                Ok(done)
            };
            match done.await {
                Err(error) => again(&mut tries, error).await?,
                done => return done,
            }
        }
    }

    pub async fn upgrade(&self, names: &[&str], progress: &mut (dyn FnMut(&str) + Send)) -> Result<Vec<String>, Error> {
        let mut tries = 1;
        loop {
            let done = async {
                let mut env = self.superuser("apps are upgraded").await?;
                let done = env.upgrade_apps(&owned(names), progress).await?;
                env.commit().await?;
                Ok(done)
            };
            match done.await {
                Err(error) => again(&mut tries, error).await?,
                done => return done,
            }
        }
    }

    pub async fn uninstall(
        &self,
        names: &[&str],
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Vec<String>, Error> {
        let mut tries = 1;
        loop {
            let done = async {
                let mut env = self.superuser("apps are uninstalled").await?;
                let done = env.uninstall_apps(&owned(names), progress).await?;
                env.commit().await?;
                Ok(done)
            };
            match done.await {
                Err(error) => again(&mut tries, error).await?,
                done => return done,
            }
        }
    }
}

/// Others go on working, and now and then two wait for each other's tables. Nothing of the attempt has stayed.
async fn again(tries: &mut u32, error: Error) -> Result<(), Error> {
    if *tries >= TRIES || !error.is_retryable() {
        return Err(error);
    }
    tracing::info!(tries, %error, "others use the tables; trying again");
    tokio::time::sleep(Duration::from_millis(100) * *tries).await;
    *tries += 1;
    Ok(())
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

impl Env {
    /// Answers what was installed, in its order. The environment goes on with the new models.
    pub async fn install_apps(
        &mut self,
        names: &[String],
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Vec<String>, Error> {
        self.may_manage_apps()?;
        let context = self.begin_life();
        let done = self.sudo("apps are installed").install_now(names, progress).await;
        self.end_life(context, done)
    }

    /// Loads the records of installed apps anew, and of those that stand on them.
    pub async fn upgrade_apps(
        &mut self,
        names: &[String],
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Vec<String>, Error> {
        self.may_manage_apps()?;
        let context = self.begin_life();
        let done = self.sudo("apps are upgraded").upgrade_now(names, progress).await;
        self.end_life(context, done)
    }

    /// Their tables, columns and records go for good, and so do the apps that stand on them.
    pub async fn uninstall_apps(
        &mut self,
        names: &[String],
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Vec<String>, Error> {
        self.may_manage_apps()?;
        let context = self.begin_life();
        let done = self.sudo("apps are uninstalled").uninstall_now(names, progress).await;
        self.end_life(context, done)
    }

    /// What `uninstall_apps` would take along.
    pub async fn uninstall_preview(&mut self, names: &[String]) -> Result<Uninstall, Error> {
        self.may_manage_apps()?;
        let context = self.begin_life();
        let found = self.sudo("what would an uninstallation take along").preview(names).await;
        self.set_context(context);
        found
    }

    /// Rows for apps that there are by now and the list does not have. Answers how many were changed and how many added.
    pub async fn update_app_list(&mut self) -> Result<(usize, usize), Error> {
        self.may_manage_apps()?;
        let installed = self.sudo("which apps are installed").installed_apps().await?;
        self.engine.look_for_apps(&installed)?;
        let listed = self.sudo("the list of apps is brought up to the program").list_apps().await?;
        Ok((listed.updated, listed.added))
    }

    fn may_manage_apps(&self) -> Result<(), Error> {
        let registry = self.registry();
        self.actor.check(registry.model("ir.module.module")?, Operation::Write)
    }

    fn begin_life(&mut self) -> Context {
        let context = self.context().clone();
        self.set_context(Context::default());
        context
    }

    fn end_life<T>(&mut self, context: Context, done: Result<T, Error>) -> Result<T, Error> {
        self.set_context(context);
        // Half of it must not be committed.
        done.map_err(|error| self.fail(error))
    }

    async fn install_now(
        &mut self,
        names: &[String],
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Vec<String>, Error> {
        self.next_version().await?;
        let listed = self.list_apps().await?;
        let wanted = plan::with(&self.engine.available(), &listed.installed, names)?;
        let new: BTreeSet<String> = wanted.difference(&listed.installed).cloned().collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        self.set_installed(&wanted).await?;
        self.rebuild(Why::Apps).await?;
        let order: Vec<String> = self.registry().apps.iter().filter(|app| new.contains(*app)).cloned().collect();
        for app in &order {
            progress(app);
            self.load_app(app, Load::New).await.map_err(|error| named("installed", app, error))?;
        }
        self.note_versions(&new).await?;
        self.refresh_if_touched().await?;
        self.load_translations(false).await?;
        tracing::info!(apps = order.join(", "), "apps installed");
        Ok(order)
    }

    async fn upgrade_now(
        &mut self,
        names: &[String],
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Vec<String>, Error> {
        self.next_version().await?;
        let listed = self.list_apps().await?;
        self.check_installed(names, &listed.installed)?;
        let upgraded = plan::dependents(&self.engine.available(), &listed.installed, names);
        self.rebuild(Why::Apps).await?;
        let order: Vec<String> = self.registry().apps.iter().filter(|app| upgraded.contains(*app)).cloned().collect();
        for app in &order {
            progress(app);
            self.load_app(app, Load::Upgrade).await.map_err(|error| named("upgraded", app, error))?;
        }
        self.compute_anew(&upgraded).await?;
        self.note_versions(&upgraded).await?;
        self.refresh_if_touched().await?;
        self.load_translations(false).await?;
        tracing::info!(apps = order.join(", "), "apps upgraded");
        Ok(order)
    }

    /// The apps' stored computed fields: their functions may be other ones. A value that people may write stays.
    async fn compute_anew(&mut self, apps: &BTreeSet<String>) -> Result<(), Error> {
        let registry = self.registry().clone();
        for model in registry.models().filter(|model| !model.is_abstract) {
            let own =
                |field: &&FieldDef| apps.contains(&field.app) && field.is_computed() && field.store && field.readonly;
            for field in model.fields.iter().filter(own) {
                self.mark_all(&registry, &model.name, &field.name).await?;
            }
        }
        self.settle().await
    }

    async fn uninstall_now(
        &mut self,
        names: &[String],
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Vec<String>, Error> {
        self.next_version().await?;
        let installed = self.installed_apps().await?;
        let gone = self.going(names, &installed)?;
        let before = self.registry().clone();
        let after = self.without(&before, &gone);
        let mut order = plan::in_order(&self.engine.available(), &gone);
        order.reverse();
        for app in &order {
            progress(app);
            self.unload_app(app, &after).await.map_err(|error| named("uninstalled", app, error))?;
        }
        let left: BTreeSet<String> = installed.difference(&gone).cloned().collect();
        self.set_installed(&left).await?;
        let rows = self.search("ir.module.module", &domain!(["name", "in", order.clone()]), Search::default()).await?;
        let empty = values! { "latest_version" => Value::Null, "fingerprint" => Value::Null };
        self.write("ir.module.module", &rows, empty).await?;
        self.rebuild(Why::Apps).await.map_err(|error| match error {
            Error::User(problem) => {
                Error::User(format!("{} cannot be uninstalled, it is in use: {problem}", order.join(", ")))
            }
            other => other,
        })?;
        self.drop_screens_of_gone_models().await?;
        self.check_views().await.map_err(|error| {
            Error::User(format!("{} cannot be uninstalled, it is in use: {error}", order.join(", ")))
        })?;
        self.refresh_if_touched().await?;
        tracing::info!(apps = order.join(", "), "apps uninstalled");
        Ok(order)
    }

    fn check_installed(&self, names: &[String], installed: &BTreeSet<String>) -> Result<(), Error> {
        match names.iter().find(|name| !installed.contains(*name)) {
            Some(name) => Err(Error::User(format!("the app {} is not installed", shorten(name)))),
            None => Ok(()),
        }
    }

    fn going(&self, names: &[String], installed: &BTreeSet<String>) -> Result<BTreeSet<String>, Error> {
        self.check_installed(names, installed)?;
        if let Some(name) = names.iter().find(|name| *name == kernel::BASE || *name == kernel::NAME) {
            return Err(Error::User(format!("{name} cannot be uninstalled: every other app stands on it")));
        }
        let gone = plan::dependents(&self.engine.available(), installed, names);
        if let Some(needed) = gone.iter().find(|app| self.engine.0.required.contains(app)) {
            return Err(Error::User(format!(
                "{} cannot be uninstalled: it would take {needed} along, which this program cannot do without",
                names.join(", ")
            )));
        }
        Ok(gone)
    }

    /// Models and fields that stay: (model, its fields).
    fn without(&self, before: &Registry, gone: &BTreeSet<String>) -> BTreeMap<String, BTreeSet<String>> {
        before
            .models()
            .filter(|model| !gone.contains(&model.app))
            .map(|model| {
                let fields = model.fields.iter().filter(|field| !gone.contains(&field.app));
                (model.name.to_string(), fields.map(|field| field.name.clone()).collect())
            })
            .collect()
    }

    /// Records that came with the app, the youngest first, and their external ids.
    async fn unload_app(&mut self, app: &str, after: &BTreeMap<String, BTreeSet<String>>) -> Result<(), Error> {
        let order = Search::order("id desc");
        let own = domain!(["module", "=", app]);
        let rows = self.search_read("ir.model.data", &own, &["model", "res_id"], order).await?;
        let ids: Vec<Id> = rows.iter().map(|row| row.id).collect();
        let mut runs: Vec<(String, Vec<Id>)> = Vec::new();
        for row in &rows {
            let (model, Value::Int(id)) = (row.get_str("model"), row.value("res_id")) else { continue };
            // Rows that mirror declarations go with these; tables that go are emptied as a whole.
            if !after.contains_key(model)
                || matches!(model, "ir.model" | "ir.model.fields" | "ir.model.fields.selection")
            {
                continue;
            }
            match runs.last_mut() {
                Some((last, ids)) if last == model => ids.push(Id(*id)),
                _ => runs.push((model.to_owned(), vec![Id(*id)])),
            }
        }
        for (model, ids) in runs {
            let there = Domain::leaf("id", Op::In, ids.as_slice());
            let context = self.context().clone().with("active_test", false);
            self.set_context(context);
            let there = self.search(&model, &there, Search::default()).await?;
            self.unlink(&model, &there).await?;
        }
        self.unlink("ir.model.data", &ids).await
    }

    async fn preview(&mut self, names: &[String]) -> Result<Uninstall, Error> {
        let installed = self.installed_apps().await?;
        let gone = self.going(names, &installed)?;
        let registry = self.registry().clone();
        let mut found = Uninstall::default();
        for name in plan::in_order(&self.engine.available(), &gone).into_iter().rev() {
            let label = self.engine.available().iter().find(|app| app.name == name).map(|app| app.label.clone());
            found.apps.push((name.clone(), label.unwrap_or(name)));
        }
        self.set_context(Context::default().with("active_test", false));
        for model in registry.models().filter(|model| !model.is_abstract) {
            if gone.contains(&model.app) {
                let count = self.count(&model.name, &Domain::True).await?;
                let (model, label) = (model.name.to_string(), model.label.clone());
                found.models.push(LostModel { model, label, count });
                continue;
            }
            for field in model.fields.iter().filter(|field| gone.contains(&field.app) && field.is_column()) {
                let some = Domain::leaf(field.name.clone(), Op::Ne, Value::Bool(false));
                let count = self.count(&model.name, &some).await?;
                found.fields.push(LostField {
                    model: model.name.to_string(),
                    field: field.name.clone(),
                    label: field.label.clone(),
                    count,
                });
            }
        }
        let apps: Vec<String> = gone.into_iter().collect();
        let rows = self
            .search_read("ir.model.data", &domain!(["module", "in", apps.clone()]), &["model"], Search::default())
            .await?;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for row in rows.iter().filter(|row| !row.get_str("model").starts_with("ir.model")) {
            *counts.entry(row.get_str("model").to_owned()).or_default() += 1;
        }
        for (model, count) in counts {
            let Some(known) = registry.models.get(model.as_str()).filter(|known| !apps.contains(&known.app)) else {
                continue;
            };
            found.records.push(LostModel { label: known.label.clone(), model, count });
        }
        Ok(found)
    }
}

/// What went wrong, with the app whose turn it was.
fn named(what: &str, app: &str, error: Error) -> Error {
    match error {
        Error::Busy(_) | Error::Outdated | Error::Database(_) | Error::Aborted => error,
        error => Error::User(format!("{app} could not be {what}: {error}")),
    }
}
