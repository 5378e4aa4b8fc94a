//! Records that come with the apps, and external ids.

use std::collections::BTreeSet;

use super::{Env, Question};
use crate::{
    domain,
    error::Error,
    kernel,
    record::Values,
    resolve::{RowDef, RowValue},
    value::{Id, Value},
};

impl Env {
    /// The record with an external id such as `base.user_admin`. What a name stands for is no secret; what the record
    /// holds may be.
    pub async fn by_external_id(&mut self, external_id: &str) -> Result<Option<Id>, Error> {
        let Some((app, name)) = external_id.split_once('.') else { return Ok(None) };
        self.sudo("what an external id stands for").known_as(app, name).await
    }

    async fn known_as(&mut self, app: &str, name: &str) -> Result<Option<Id>, Error> {
        let mut question = Question::new("external id", format!("{app}.{name}"), &["ir.model.data"]);
        if let Some(known) = self.recall(&mut question) {
            return Ok(known);
        }
        let domain = domain!(["module", "=", kernel::module(app)], ["name", "=", name]);
        let found = self.search_read("ir.model.data", &domain, &["res_id"], super::Search::default()).await?;
        let id = found.first().map(|record| record.get::<i64>("res_id").map(Id)).transpose()?;
        Ok(self.remember(question, id))
    }

    /// Makes the rows that were never made, and answers with their external ids. What users changed or deleted since
    /// stays so.
    pub(super) async fn load_rows(&mut self, rows: &[RowDef]) -> Result<BTreeSet<String>, Error> {
        let mut made = BTreeSet::new();
        for row in rows {
            if self.known_as(&row.app, &row.id).await?.is_some() {
                continue;
            }
            let mut values = Values::new();
            for (field, value) in &row.values {
                let value = match value {
                    RowValue::Plain(value) => value.clone(),
                    RowValue::Ref { app, id } => self.known_as(app, id).await?.map_or(Value::Null, Value::Id),
                };
                values.set(field.clone(), value);
            }
            let id = self.create(&row.model, values).await?;
            let known = crate::values! {
                "module" => kernel::module(&row.app), "name" => &row.id, "model" => &*row.model, "res_id" => id.0,
                "noupdate" => true,
            };
            self.create("ir.model.data", known).await?;
            made.insert(format!("{}.{}", row.app, row.id));
        }
        Ok(made)
    }
}
