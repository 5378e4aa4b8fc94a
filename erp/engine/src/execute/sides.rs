//! Values that stand beside the row, written: texts in the language of the context, values of its company.

use std::collections::BTreeMap;

use super::{Env, read::CHUNK};
use crate::{
    error::Error,
    kernel::{COMPANY_VALUES, TRANSLATIONS},
    resolve::{FieldDef, ModelDef, Registry},
    value::{Id, Value},
};

/// Rows of a statement that has five parameters for each.
const BATCH: usize = 4_000;

impl Env {
    /// Whether the context reads and writes the field beside the row.
    pub(super) fn has_side(&self, field: &FieldDef) -> bool {
        (field.translate || field.company_dependent) && self.planner(&self.registry).side(field).is_some()
    }

    pub(super) async fn write_beside<'r>(
        &mut self,
        registry: &'r Registry,
        model: &'r ModelDef,
        values: Vec<(Id, &'r FieldDef, Value)>,
    ) -> Result<(), Error> {
        let mut by_field: BTreeMap<&str, Vec<(Id, Value)>> = BTreeMap::new();
        for (id, field, value) in values {
            by_field.entry(&field.name).or_default().push((id, value));
        }
        for (name, rows) in by_field {
            let field = model.field(name)?;
            let Some(side) = self.planner(registry).side(field) else { continue };
            let mut rows = rows.into_iter().peekable();
            while rows.peek().is_some() {
                let rows = rows.by_ref().take(BATCH).collect();
                let statement = self.planner(registry).put_beside(model, field, &side, rows)?;
                self.change_count(model, statement).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn empty_beside<'r>(
        &mut self,
        registry: &'r Registry,
        model: &'r ModelDef,
        emptied: Vec<(Id, &'r FieldDef)>,
    ) -> Result<(), Error> {
        let mut by_field: BTreeMap<&str, Vec<Id>> = BTreeMap::new();
        for (id, field) in emptied {
            by_field.entry(&field.name).or_default().push(id);
        }
        for (name, ids) in by_field {
            let field = model.field(name)?;
            for chunk in ids.chunks(CHUNK) {
                let statement = self.planner(registry).drop_beside(TRANSLATIONS, model, Some(field), chunk)?;
                self.change_count(model, statement).await?;
            }
        }
        Ok(())
    }

    /// What stood beside records that are gone.
    pub(super) async fn forget_beside(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        ids: &[Id],
    ) -> Result<(), Error> {
        let kept = [
            (
                TRANSLATIONS,
                model.fields.iter().any(|field| (field.translate || field.translate_pieces) && field.is_column()),
            ),
            (COMPANY_VALUES, model.fields.iter().any(|field| field.company_dependent && field.is_column())),
        ];
        for (beside, _) in kept.into_iter().filter(|(_, any)| *any) {
            for chunk in ids.chunks(CHUNK) {
                let statement = self.planner(registry).drop_beside(beside, model, None, chunk)?;
                self.change_count(model, statement).await?;
            }
        }
        Ok(())
    }
}
