//! Metadata changed in this transaction: everything is resolved anew from the rows as they are now, the schema follows,
//! and the environment goes on with the result. Other environments get it after the commit.

use std::sync::Arc;

use super::{
    super::{Env, Search},
    alter, ddl,
    gather::registry_of,
    usage,
};
use crate::{
    context::Context,
    declare::Default,
    domain,
    error::Error,
    kernel,
    plan::{Reading, Statement},
    record::Values,
    resolve::{FieldDef, Kind, Registry, ResolveErrors, coerce},
    value::{Id, Value},
    values,
};

/// What makes it necessary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Somebody wrote records that are metadata. What apps declare stays as it is.
    Records,
    /// The set of apps, or what they declare, is another.
    Apps,
}

const MIRRORED: [&str; 3] = ["ir.model", "ir.model.fields", "ir.model.fields.selection"];

impl Env {
    /// Takes what this transaction wrote to models, fields, rights and views into use, for itself. A commit does so by
    /// itself; this is for who goes on to use them before. A declaration that does not fit ends the transaction.
    pub async fn refresh_metadata(&mut self) -> Result<(), Error> {
        match self.rebuild(Why::Records).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.fail(error)),
        }
    }

    pub(in super::super) async fn refresh_if_touched(&mut self) -> Result<(), Error> {
        if self.pending.metadata(&self.registry) > self.metadata_seen { self.refresh_metadata().await } else { Ok(()) }
    }

    pub(super) async fn rebuild(&mut self, why: Why) -> Result<(), Error> {
        let context = self.context().clone();
        self.set_context(Context::default());
        let done = self.sudo("metadata changed").rebuild_as_system(why).await;
        self.set_context(context);
        self.align_rights();
        done
    }

    async fn rebuild_as_system(&mut self, why: Why) -> Result<(), Error> {
        let mirrored = MIRRORED.iter().any(|model| self.pending.touches(model));
        let version = self.next_version().await?;
        let before = if self.rebuilt.is_some() { self.registry.clone() } else { self.engine.registry() };
        let gathered = self.declared_rows().await?;
        if why == Why::Records {
            let loaded = |app: &String| before.apps.contains(app) || !self.engine.has_app(app);
            let known = |app: &&String| *app != kernel::NAME && *app != kernel::CUSTOM;
            let gone = before.apps.iter().filter(known).find(|app| !gathered.installed.contains(*app));
            if let Some(app) = gathered.installed.iter().find(|app| !loaded(app)).or(gone) {
                return Err(Error::User(format!(
                    "the state of the app {app} cannot be written; use its buttons to install or uninstall it"
                )));
            }
        }
        let registry = registry_of(&self.engine.available(), gathered, version).map_err(for_people)?;
        if why == Why::Records
            && let Some(problem) = registry.security.broken_since(&before.security)
        {
            return Err(Error::User(problem));
        }
        let registry = Arc::new(registry);
        let renamed = renamed(&before, &registry)?;

        // Marks are of the fields as they were numbered then.
        self.settle().await?;
        let (mut new_computed, mut altered) = (Vec::new(), false);
        if !renamed.is_empty() || ddl::signature(&before) != ddl::signature(&registry) {
            ddl::prepare(&mut self.link).await?;
            ddl::rename(&mut self.link, &before, &renamed).await?;
            alter::convert(&mut self.link, &before, &registry).await?;
            ddl::drop_what_went(&mut self.link, &before, &registry).await?;
            alter::loosen(&mut self.link, &registry).await?;
            altered = true;
            new_computed = super::super::schema::migrate(&mut self.link, &registry).await?;
        }
        self.link.set_version(registry.version);
        self.registry = registry.clone();
        for (model, field) in new_computed {
            self.mark_all(&registry, &model, &field).await?;
        }
        for (model, field) in usage::computed_otherwise(&before, &registry) {
            self.mark_all(&registry, &model, &field).await?;
        }
        self.fill_required(&before, &registry).await?;
        self.check_options(&before, &registry).await?;
        if altered {
            // What was only marked until now is not there yet to be looked at.
            self.settle().await?;
            alter::tighten(&mut self.link, &registry).await?;
        }
        if why == Why::Apps {
            self.list_jobs(&registry).await?;
        }
        if why == Why::Apps || mirrored {
            let found = self.mirror(&registry, why == Why::Records).await?;
            for (model, field) in &found.recomputed {
                self.mark_all(&registry, model, field).await?;
            }
            if let Some(first) = found.first.filter(|_| why == Why::Records) {
                return Err(Error::User(format!(
                    "{first} is declared by an app and cannot be changed; make a custom field, or change the view"
                )));
            }
        }
        if why == Why::Records && mirrored {
            if before.models().any(|model| !registry.models.contains_key(&model.name)) {
                self.drop_screens_of_gone_models().await?;
            }
            self.check_views().await?;
            self.check_usage(&before, &registry).await?;
        }
        self.metadata_seen = self.pending.metadata(&registry);
        self.rebuilt = Some(registry);
        Ok(())
    }

    /// Whoever holds it is alone in changing metadata until his transaction ends.
    pub(super) async fn next_version(&mut self) -> Result<u64, Error> {
        if let Some(registry) = &self.rebuilt {
            return Ok(registry.version);
        }
        self.ready_to_write().await?;
        let row = self.search("ir.registry", &domain!(), Search::order("id").limit(1)).await?;
        let Some(row) = row.first().copied() else {
            self.create("ir.registry", values! { "version" => 1 }).await?;
            return Ok(1);
        };
        let version: i64 = self.read_for_update("ir.registry", row, &["version"]).await?.get("version")?;
        self.write("ir.registry", &[row], values! { "version" => version + 1 }).await?;
        Ok(u64::try_from(version).unwrap_or(0) + 1)
    }

    /// A field that people made required needs a value in every record that there is: its default, else they are told.
    async fn fill_required(&mut self, before: &Registry, after: &Registry) -> Result<(), Error> {
        for (model, name) in after.custom_fields.values() {
            let Some(field) = column(after, model, name).filter(|field| field.required) else { continue };
            // Under its old name it may have been required before; then this finds nothing to do.
            if column(before, model, name).is_some_and(|field| field.required) {
                continue;
            }
            let empty = self.without_value(after, model, field).await?;
            let default = match &field.default {
                _ if empty.is_empty() => continue,
                Some(Default::Value(json)) => coerce::to_store(field, Value::from_json(json)).unwrap_or_default(),
                _ => Value::Null,
            };
            if !default.is_null() {
                self.write(model, &empty, Values::new().with(name.clone(), default)).await?;
                continue;
            }
            return Err(Error::Validation {
                model: model.clone(),
                field: name.clone(),
                problem: format!(
                    "it cannot be required: {} record(s) have no value for it; give it a default or fill them first",
                    empty.len()
                ),
            });
        }
        Ok(())
    }

    /// Of a field that must have a value no search asks whether it has one, so this does.
    async fn without_value(&mut self, registry: &Registry, model: &str, field: &FieldDef) -> Result<Vec<Id>, Error> {
        let table = &registry.model(model)?.table;
        let sql = format!("SELECT \"id\" FROM \"{table}\" WHERE \"{}\" IS NULL ORDER BY \"id\"", field.name);
        let statement = Statement { sql, values: sea_query::Values(Vec::new()) };
        Ok(super::super::env::ids(self.query(statement, &[Reading::Id]).await?))
    }

    /// An option that records hold cannot go.
    async fn check_options(&mut self, before: &Registry, after: &Registry) -> Result<(), Error> {
        for (model, name) in after.custom_fields.values() {
            let (Some(old), Some(new)) = (column(before, model, name), column(after, model, name)) else { continue };
            let (Kind::Selection { options: old }, Kind::Selection { options: new }) = (&old.kind, &new.kind) else {
                continue;
            };
            for (value, label) in old.iter().filter(|(value, _)| new.iter().all(|(kept, _)| kept != value)) {
                let count = self.count(model, &domain!([name.clone(), "=", value.as_str()])).await?;
                if count > 0 {
                    return Err(Error::Validation {
                        model: model.clone(),
                        field: name.clone(),
                        problem: format!(
                            "the option {label:?} cannot go: {count} record(s) hold it; give them another first"
                        ),
                    });
                }
            }
        }
        Ok(())
    }
}

fn column<'r>(registry: &'r Registry, model: &str, field: &str) -> Option<&'r FieldDef> {
    registry.models.get(model)?.find(field).filter(|field| field.is_column())
}

/// (model, old name, new name) of fields that people renamed.
fn renamed(before: &Registry, after: &Registry) -> Result<Vec<(String, String, String)>, Error> {
    let mut renamed = Vec::new();
    for (id, (model, name)) in &after.custom_fields {
        let Some((old_model, old_name)) = before.custom_fields.get(id) else { continue };
        let wrong = |problem: &str| {
            Err(Error::Validation { model: model.clone(), field: name.clone(), problem: problem.to_owned() })
        };
        if old_model != model {
            return wrong("a field cannot go over to another model; make a new one there");
        }
        if found(before, model, old_name).is_none() || found(after, model, name).is_none() {
            continue;
        }
        if old_name != name {
            renamed.push((model.clone(), old_name.clone(), name.clone()));
        }
    }
    Ok(renamed)
}

fn found<'r>(registry: &'r Registry, model: &str, field: &str) -> Option<&'r FieldDef> {
    registry.models.get(model)?.find(field)
}

/// The pseudo-app of what people made means nothing to them.
fn for_people(errors: ResolveErrors) -> Error {
    let prefix = format!("app {}: ", kernel::CUSTOM);
    let lines: Vec<&str> = errors.0.iter().map(|error| error.strip_prefix(&prefix).unwrap_or(error)).collect();
    Error::User(lines.join("\n"))
}
