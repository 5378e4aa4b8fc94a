//! Writing through many2one fields: what a model inherits from another, and related fields that people may change.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;

use super::Env;
use crate::{
    error::Error,
    record::Values,
    resolve::{FieldDef, ModelDef},
    value::{Id, Value},
};

/// Values for other records, by the path that leads to those.
pub(super) type Through = BTreeMap<String, Values>;

/// The path to the record that holds the field's value, and the field's name there; nothing for fields of the record
/// itself, and for those that only programs change.
pub(super) fn holder(field: &FieldDef) -> Option<(&str, &str)> {
    let related = field.related.as_deref().filter(|_| !field.is_column())?;
    related.rsplit_once('.').filter(|_| field.inherited || !field.readonly)
}

impl Env {
    /// Makes the records that the new ones inherit from, or writes to those that are named. Boxed, since those may
    /// inherit in turn.
    pub(super) fn make_parents<'a>(
        &'a mut self,
        model: &'a ModelDef,
        rows: &'a mut [Values],
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            for (by, parent) in &model.inherits {
                let mut made: Vec<Values> = Vec::new();
                let mut made_for: Vec<usize> = Vec::new();
                for (at, row) in rows.iter_mut().enumerate() {
                    let lent = take_lent(model, by, row);
                    match row.get(by) {
                        Some(Value::Id(Id(id)) | Value::Int(id)) if !lent.is_empty() => {
                            self.write(parent, &[Id(*id)], lent).await?;
                        }
                        Some(value) if !value.is_null() => {}
                        _ => {
                            made_for.push(at);
                            made.push(lent);
                        }
                    }
                }
                if made.is_empty() {
                    continue;
                }
                for (at, id) in made_for.into_iter().zip(self.create_many(parent, made).await?) {
                    rows[at].set(by.clone(), id);
                }
            }
            Ok(())
        })
    }

    /// Writes to the records that these ones lead to.
    pub(super) fn write_through<'a>(
        &'a mut self,
        model: &'a ModelDef,
        ids: &'a [Id],
        through: Through,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            for (path, values) in through {
                let found = self.read(&model.name, ids, &[&path]).await?;
                let mut holders: Vec<Id> = found.iter().filter_map(|record| record.get(&path).ok()).collect();
                holders.sort_unstable();
                holders.dedup();
                let registry = self.registry.clone();
                let end = crate::resolve::path::follow(&registry, model, &path)?;
                let Some(comodel) = end.field.kind.comodel() else { continue };
                if !holders.is_empty() {
                    self.write(comodel, &holders, values).await?;
                }
            }
            Ok(())
        })
    }
}

/// The values of the fields that come by `by`, under their names there.
fn take_lent(model: &ModelDef, by: &str, row: &mut Values) -> Values {
    let mut lent = Values::new();
    let own = std::mem::take(row);
    for (name, value) in own.0 {
        match model.find(&name).filter(|field| field.inherited).and_then(holder) {
            Some((path, there)) if path == by => lent.set(there.to_owned(), value),
            _ => row.set(name, value),
        };
    }
    lent
}
