//! Values of a record that are no columns of its row.

use super::{Env, delegation::Through, files::Kept, lists::ListChange};
use crate::{
    error::Error,
    record::Command,
    resolve::{FieldDef, ModelDef, Registry},
    value::{Id, Value},
};

#[derive(Clone, Default)]
pub(super) struct Apart<'r> {
    pub(super) lists: Vec<(&'r FieldDef, Vec<Command>)>,
    pub(super) through: Through,
    pub(super) beside: Vec<(&'r FieldDef, Value)>,
    pub(super) files: Vec<(&'r FieldDef, Option<Kept>)>,
    /// Texts that are empty now, in every language.
    pub(super) emptied: Vec<&'r FieldDef>,
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
        let mut beside: Vec<(Id, &'r FieldDef, Value)> = Vec::new();
        let mut files: Vec<(Id, &'r FieldDef, Option<Kept>)> = Vec::new();
        let mut emptied: Vec<(Id, &'r FieldDef)> = Vec::new();
        for (id, apart) in rows {
            for (field, commands) in apart.lists {
                ListChange::add(&mut lists, field, id, commands);
            }
            beside.extend(apart.beside.into_iter().map(|(field, value)| (id, field, value)));
            files.extend(apart.files.into_iter().map(|(field, kept)| (id, field, kept)));
            emptied.extend(apart.emptied.into_iter().map(|field| (id, field)));
            if !apart.through.is_empty() {
                match through.last_mut() {
                    Some((known, ids)) if *known == apart.through => ids.push(id),
                    _ => through.push((apart.through, vec![id])),
                }
            }
        }
        self.note_files(registry, model, files, new).await?;
        self.empty_beside(registry, model, emptied).await?;
        self.write_beside(registry, model, beside).await?;
        self.change_lists(registry, model, lists, new).await?;
        for (values, ids) in through {
            self.write_through(model, &ids, values).await?;
        }
        Ok(())
    }
}
