//! Binary fields: the content in the store, its name in the column, and a row in `ir.attachment` that says whose it is.

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::{Engine, Env, apart::Apart, picture, read::CHUNK, write::Given};
use crate::{
    domain::{Domain, Op},
    error::Error,
    kernel::ATTACHMENTS,
    plan::{Insert, Reading},
    record::{Record, Values},
    resolve::{FieldDef, Kind, ModelDef, Registry},
    value::{Id, Value},
};

/// A file that was put in the store for a field.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    name: String,
    size: i64,
    mimetype: &'static str,
}

impl Env {
    /// Puts the contents among a record's columns into the store and leaves their names there. Says what became of which
    /// field: nothing where it is empty now.
    pub(super) async fn keep_files<'r>(
        &mut self,
        model: &ModelDef,
        columns: &[&'r FieldDef],
        row: &mut [Value],
    ) -> Result<Vec<(&'r FieldDef, Option<Kept>)>, Error> {
        let mut all = Vec::new();
        for (field, value) in columns.iter().zip(row).filter(|(field, _)| field.is_file()) {
            let Value::Bytes(content) = std::mem::take(value) else {
                all.push((*field, None));
                continue;
            };
            let content = match &field.kind {
                Kind::Image { max_width, max_height } => {
                    let (width, height) = (*max_width, *max_height);
                    let fitted = tokio::task::spawn_blocking(move || picture::fit(content, width, height));
                    fitted.await.unwrap_or_else(|error| Err(error.to_string())).map_err(|problem| {
                        Error::Validation { model: model.name.to_string(), field: field.name.clone(), problem }
                    })?
                }
                _ => content,
            };
            let content: Arc<[u8]> = content.into();
            let kept = Kept {
                size: i64::try_from(content.len()).unwrap_or(i64::MAX),
                mimetype: picture::mimetype(&content),
                name: self.store()?.put(content).await?,
            };
            *value = Value::Text(kept.name.clone());
            all.push((*field, Some(kept)));
        }
        Ok(all)
    }

    /// The same of values to write.
    pub(super) async fn keep_given_files(&mut self, model: &ModelDef, given: &mut Given<'_>) -> Result<(), Error> {
        if !given.columns.iter().any(|(field, _)| field.is_file()) {
            return Ok(());
        }
        let (fields, mut values): (Vec<&FieldDef>, Vec<Value>) = std::mem::take(&mut given.columns).into_iter().unzip();
        given.apart.files = self.keep_files(model, &fields, &mut values).await?;
        given.columns = fields.into_iter().zip(values).collect();
        Ok(())
    }

    /// The rows that say whose the files are, in place of those that were there before.
    pub(super) async fn note_files(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        files: Vec<(Id, &FieldDef, Option<Kept>)>,
        new: bool,
    ) -> Result<(), Error> {
        if files.is_empty() {
            return Ok(());
        }
        let attachments = registry.model(ATTACHMENTS)?;
        if model.name == attachments.name {
            return self.describe_attachments(attachments, files).await;
        }
        if !new {
            let mut fields: Vec<&str> = files.iter().map(|(_, field, _)| field.name.as_str()).collect();
            fields.dedup();
            let ids: Vec<Id> = files.iter().map(|(id, _, _)| *id).collect();
            for chunk in ids.chunks(CHUNK) {
                let statement = self.planner(registry).forget_attachments(attachments, model, Some(&fields), chunk);
                self.change_count(attachments, statement).await?;
            }
        }
        let columns: Vec<&FieldDef> = attachments.stored().filter(|field| field.kind != Kind::Id).collect();
        let mut rows = Vec::new();
        for (id, field, kept) in files {
            let Some(kept) = kept else { continue };
            let name = kept.name.clone();
            let values = described(kept)
                .with("name", &field.name)
                .with("res_model", &*model.name)
                .with("res_field", &field.name)
                .with("res_id", id.0);
            let mut row = self.complete(attachments, &columns, values, &mut Apart::default())?;
            for (_, value) in columns.iter().zip(&mut row).filter(|(column, _)| column.name == "datas") {
                *value = Value::Text(name.clone());
            }
            rows.push(row);
        }
        let fitting = (self.planner(registry).dialect.max_parameters() / (columns.len() + 1)).min(CHUNK);
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let rows = rows.by_ref().take(fitting).collect();
            let insert = Insert { model: attachments, columns: &columns, rows, ids: None, if_new: false };
            let statement = self.planner(registry).insert(insert)?;
            self.change(attachments, statement).await?;
        }
        Ok(())
    }

    /// Of an attachment that came with its content: size, kind and place of it.
    async fn describe_attachments(
        &mut self,
        attachments: &ModelDef,
        files: Vec<(Id, &FieldDef, Option<Kept>)>,
    ) -> Result<(), Error> {
        for (id, _, kept) in files {
            let mut values = match &kept {
                Some(kept) => described(kept.clone()),
                None => {
                    Values::new().with("store_fname", Value::Null).with("checksum", Value::Null).with("file_size", 0)
                }
            };
            // Who sent it may know better.
            if kept.is_some_and(|kept| kept.mimetype == "application/octet-stream") {
                values.remove("mimetype");
            }
            let columns: Vec<(&FieldDef, Value)> =
                values.0.into_iter().filter_map(|(name, value)| Some((attachments.find(&name)?, value))).collect();
            let registry = self.registry().clone();
            let domain = Domain::leaf("id", Op::Eq, id);
            let statement = self.as_system(&registry, |planner| planner.update(attachments, &domain, columns))?;
            self.change(attachments, statement).await?;
        }
        Ok(())
    }

    /// The attachments of records that are gone.
    pub(super) async fn forget_files(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        ids: &[Id],
    ) -> Result<(), Error> {
        let attachments = registry.model(ATTACHMENTS)?;
        if model.name == attachments.name {
            return Ok(());
        }
        for chunk in ids.chunks(CHUNK) {
            let statement = self.planner(registry).forget_attachments(attachments, model, None, chunk);
            self.change_count(attachments, statement).await?;
        }
        Ok(())
    }

    /// Contents in place of their names; their size as text where the context says `bin_size`.
    pub(super) async fn fetch_files(&mut self, records: &mut [Record], files: &[usize]) -> Result<(), Error> {
        let sizes = self.context().flag("bin_size");
        for record in records {
            for at in files {
                let Value::Text(name) = std::mem::take(&mut record.values[*at]) else { continue };
                record.values[*at] = match sizes {
                    true => self.store()?.size(&name).await.map(readable).into(),
                    false => self.store()?.get(&name).await?.into(),
                };
            }
        }
        Ok(())
    }
}

fn described(kept: Kept) -> Values {
    Values::new()
        .with("store_fname", &kept.name)
        .with("checksum", &kept.name)
        .with("file_size", kept.size)
        .with("mimetype", kept.mimetype)
}

/// `12.34 Kb`, as clients show it.
fn readable(size: u64) -> String {
    let mut size = size as f64;
    for unit in ["bytes", "Kb", "Mb", "Gb"] {
        if size < 1024.0 {
            return format!("{size:.2} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.2} Tb")
}

impl Env {
    /// [`Engine::collect_files`] for a scheduled action; a database without a folder has nothing to remove.
    pub(crate) async fn sweep_files(&mut self, age: Duration) -> Result<usize, Error> {
        if self.store().is_err() { Ok(0) } else { self.engine.clone().collect_files(age).await }
    }
}

impl Engine {
    /// Removes files that no record refers to and that are older than `age`, which must be longer than any transaction
    /// takes. Answers how many there were.
    pub async fn collect_files(&self, age: Duration) -> Result<usize, Error> {
        let mut env = self.superuser("collection of files").await?;
        let old = env.store()?.older_than(age).await?;
        let mut removed = 0;
        for names in old.chunks(CHUNK) {
            let registry = env.registry().clone();
            let statement = env.planner(&registry).files_in_use(registry.model(ATTACHMENTS)?, names);
            let rows = env.query(statement, &[Reading::Text]).await?;
            let used: HashSet<&str> = rows.iter().filter_map(|row| row.first()?.as_text()).collect();
            for name in names.iter().filter(|name| !used.contains(name.as_str())) {
                env.store()?.remove(name).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}
