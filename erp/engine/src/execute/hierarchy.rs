//! Records under records of the same model: no record may be above itself.

use super::{Env, read::CHUNK};
use crate::{
    error::Error,
    plan::{Dialect, Statement},
    resolve::ModelDef,
    value::Id,
};

impl Env {
    /// Where the field was written by which records of `model` stand under each other.
    pub(super) async fn judge_hierarchy(
        &mut self,
        model: &ModelDef,
        written: &[String],
        ids: &[Id],
    ) -> Result<(), Error> {
        let Some(parent) = model.parent.as_ref().filter(|parent| written.contains(parent)) else { return Ok(()) };
        let field = model.field(parent)?;
        let (table, parent) = (&model.table, &field.name);
        if self.dialect() == Dialect::Postgres && !ids.is_empty() {
            // Two transactions may each put one record above the other, and neither sees what the other does. So they
            // take turns until their ends. The number is this program's own, "erp2".
            let lock = format!("SELECT pg_advisory_xact_lock(1701998642, hashtext(current_schema() || '.{table}'))");
            if let Err(error) = self.link.run(lock).await {
                return Err(self.fail(error));
            }
        }
        for chunk in ids.chunks(CHUNK) {
            // The ids are numbers, so they can stand in the text.
            let list = chunk.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let sql = format!(
                "WITH RECURSIVE up(low, high) AS (\
                 SELECT id, \"{parent}\" FROM \"{table}\" WHERE \"{parent}\" IS NOT NULL AND id IN ({list}) \
                 UNION SELECT up.low, t.\"{parent}\" FROM up JOIN \"{table}\" t ON t.id = up.high \
                 WHERE t.\"{parent}\" IS NOT NULL AND up.low <> up.high) \
                 SELECT count(*) FROM up WHERE low = high"
            );
            // Before anything is computed along the circle.
            let statement = Statement { sql, values: sea_query::Values(Vec::new()) };
            let circles = self.number_unsettled(statement).await?;
            if circles > 0 {
                let words = self.words();
                let problem =
                    format!("recursive hierarchy: a {} cannot be above itself; choose another", words.model(model));
                let circle = Error::Validation { model: model.name.to_string(), field: field.name.clone(), problem };
                return Err(self.fail(circle));
            }
        }
        Ok(())
    }
}
