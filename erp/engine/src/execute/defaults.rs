//! What fields of a new record hold before anybody says anything. The first of these counts: `default_<field>` of the
//! context, what people set for themselves or for all, the app's function, the declared default.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{Env, Question, Search};
use crate::{
    domain::Domain,
    error::{Error, Operation},
    record::Values,
    resolve::{FieldDef, Kind, ModelDef, Registry},
    value::{Id, Value},
};

impl Env {
    /// Of these fields, those that have a default.
    pub async fn default_values(&mut self, model: &str, fields: &[&str]) -> Result<Values, Error> {
        let registry = self.registry.clone();
        let model = registry.model(model)?;
        let fields = fields.iter().map(|name| model.field(name)).collect::<Result<Vec<_>, _>>()?;
        let mut values = self.set_defaults(&registry, model, &fields).await?;
        for field in fields {
            if values.get(&field.name).is_none() && field.default.is_some() && self.may_see(field) {
                values.set(field.name.clone(), self.default_of(model, field)?);
            }
        }
        Ok(values)
    }

    /// Puts defaults that are not declared with the field into rows that say nothing of it; `create` adds the others.
    pub(super) async fn fill_defaults(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        rows: &mut [Values],
    ) -> Result<(), Error> {
        let unsaid = |field: &&FieldDef| rows.iter().any(|row| row.get(&field.name).is_none());
        let fields: Vec<&FieldDef> = model.fields.iter().filter(unsaid).collect();
        let defaults = self.set_defaults(registry, model, &fields).await?;
        for (name, value) in defaults.iter() {
            for row in rows.iter_mut().filter(|row| row.get(name).is_none()) {
                row.set(name.to_owned(), value.clone());
            }
        }
        Ok(())
    }

    async fn set_defaults(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        fields: &[&FieldDef],
    ) -> Result<Values, Error> {
        let mut values = Values::new();
        let mut said: Map<String, Json> = self.people_set(registry, model).await?.into_iter().collect();
        for (key, json) in &self.context().rest {
            if let Some(name) = key.strip_prefix("default_") {
                said.insert(name.to_owned(), json.clone());
            }
        }
        for field in fields {
            if field.kind == Kind::Id || !self.may_see(field) {
                continue;
            }
            let kept = field.is_column() || field.is_written_list() || field.related.is_some();
            match said.remove(&field.name) {
                // What a context means for another model's field of this name need not fit here.
                Some(json) if kept => {
                    if let Ok(value) = crate::call::value_of(registry, model, field, json) {
                        values.set(field.name.clone(), value);
                    }
                }
                _ => {
                    if let Some(function) = model.behaviour.defaults.get(&field.name) {
                        values.set(field.name.clone(), function(self).await?);
                    }
                }
            }
        }
        Ok(values)
    }

    /// Rows of `ir.default` for the model, the most particular for each field. Asked once a transaction.
    async fn people_set(&mut self, registry: &Registry, model: &ModelDef) -> Result<BTreeMap<String, Json>, Error> {
        // The engine's own records have none, and are made while these are looked for.
        if !registry.models.contains_key("ir.default") || model.app == crate::kernel::NAME {
            return Ok(BTreeMap::new());
        }
        if !self.people_set.contains_key(&model.name) {
            let uid = self.uid().map(|uid| uid.0);
            let company = self.context().companies.first().map(|company| company.0);
            let of = format!("{} {uid:?} {company:?}", model.name);
            let mut question = Question::new("defaults that people set", of, &["ir.default", "ir.model.fields"]);
            if let Some(known) = self.recall::<BTreeMap<String, Json>>(&mut question) {
                return Ok(known);
            }
            let domain = crate::domain!(["field_id.model", "=", &*model.name]);
            let names = ["field_id.name", "user_id", "company_id", "json_value", "condition"];
            let rows = self.sudo("defaults").read_defaults(&domain, &names).await?;
            let mut best: BTreeMap<String, ((bool, bool), Json)> = BTreeMap::new();
            for row in rows {
                let of = |name: &str| match row.value(name) {
                    Value::Int(id) => Some(*id),
                    Value::Id(id) => Some(id.0),
                    _ => None,
                };
                let (user, of_company) = (of("user_id"), of("company_id"));
                let applies = (user.is_none() || user == uid) && (of_company.is_none() || of_company == company);
                if !applies || !row.get_str("condition").is_empty() {
                    continue;
                }
                let Ok(json) = serde_json::from_str::<Json>(row.get_str("json_value")) else { continue };
                let rank = (user.is_some(), of_company.is_some());
                let known = best.get(row.get_str("field_id.name")).map(|(rank, _)| *rank);
                if known.is_none_or(|known| known <= rank) {
                    best.insert(row.get_str("field_id.name").to_owned(), (rank, json));
                }
            }
            let best = best.into_iter().map(|(name, (_, json))| (name, json)).collect();
            let best = self.remember(question, best);
            self.people_set.insert(model.name.clone(), best);
        }
        Ok(self.people_set.get(&model.name).cloned().unwrap_or_default())
    }

    async fn read_defaults(&mut self, domain: &Domain, fields: &[&str]) -> Result<Vec<crate::Record>, Error> {
        // No computed field stands there, so nothing has to be computed for it.
        let settling = std::mem::replace(&mut self.settling, true);
        let found = self.search_read("ir.default", domain, fields, Search::order("id")).await;
        self.settling = settling;
        found
    }

    /// Sets what new records of the model hold, for a user or all, in a company or all; nothing takes it away.
    pub async fn set_default(
        &mut self,
        model: &str,
        field: &str,
        value: Option<Json>,
        user: Option<i64>,
        company: Option<i64>,
    ) -> Result<(), Error> {
        let registry = self.registry.clone();
        let def = registry.model(model)?;
        let known = def.field(field)?;
        if let Some(json) = &value {
            crate::call::value_of(&registry, def, known, json.clone())?;
        }
        let of_field = crate::domain!(["model", "=", model], ["name", "=", field]);
        let rows = self.sudo("the field of a default").search("ir.model.fields", &of_field, Search::default()).await?;
        let Some(row) = rows.first().copied() else {
            return Err(Error::NoSuchField { model: model.to_owned(), field: field.to_owned() });
        };
        let same = crate::domain!(["field_id", "=", row], ["user_id", "=", user], ["company_id", "=", company]);
        let values = value.map(|json| {
            crate::values! {
                "field_id" => row, "user_id" => user, "company_id" => company, "json_value" => json.to_string(),
            }
        });
        let old: Vec<Id> = self.sudo("the default until now").search("ir.default", &same, Search::default()).await?;
        // What is for somebody himself is his own business.
        if user.is_some() && user == self.uid().map(|uid| uid.0) {
            self.sudo("a default of one's own").replace_default(&old, values).await?;
        } else {
            self.check_right("ir.default", Operation::Write)?;
            self.replace_default(&old, values).await?;
        }
        self.people_set.clear();
        Ok(())
    }

    async fn replace_default(&mut self, old: &[Id], values: Option<Values>) -> Result<(), Error> {
        self.unlink("ir.default", old).await?;
        if let Some(values) = values {
            self.create("ir.default", values).await?;
        }
        Ok(())
    }
}
