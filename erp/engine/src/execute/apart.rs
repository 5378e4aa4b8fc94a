//! Values of a record that are no columns of its row.

use super::{Env, delegation::Through, lists::ListChange};
use crate::{
    error::Error,
    record::Command,
    resolve::{FieldDef, ModelDef, Registry},
    value::Id,
};

#[derive(Clone, Default)]
pub(super) struct Apart<'r> {
    pub(super) lists: Vec<(&'r FieldDef, Vec<Command>)>,
    pub(super) through: Through,
}

impl Env {
    /// The rows are there, with the fields named in `names` written. `new`: they were just made.
    pub(super) async fn write_apart<'r>(
        &mut self,
        registry: &'r Registry,
        model: &'r ModelDef,
        rows: Vec<(Id, Apart<'r>)>,
        new: bool,
    ) -> Result<(), Error> {
        let mut lists: Vec<ListChange<'r>> = Vec::new();
        let mut through: Vec<(Through, Vec<Id>)> = Vec::new();
        for (id, apart) in rows {
            for (field, commands) in apart.lists {
                ListChange::add(&mut lists, field, id, commands);
            }
            if !apart.through.is_empty() {
                match through.last_mut() {
                    Some((known, ids)) if *known == apart.through => ids.push(id),
                    _ => through.push((apart.through, vec![id])),
                }
            }
        }
        self.change_lists(registry, model, lists, new).await?;
        for (values, ids) in through {
            self.write_through(model, &ids, values).await?;
        }
        Ok(())
    }
}
