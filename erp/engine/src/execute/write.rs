use std::collections::HashSet;

use super::{
    ChangeKind, Env,
    create::{needs_value, not_written},
    read::CHUNK,
};
use crate::{
    domain::{Domain, Op},
    error::{Error, Operation},
    record::Values,
    resolve::{FieldDef, Kind, ModelDef, Registry},
    value::{Id, Value},
};

impl Env {
    /// The same values to each record. A record that is gone or not to be changed is an error, and nothing stays.
    pub async fn write(&mut self, model: &str, ids: &[Id], values: Values) -> Result<(), Error> {
        let registry = self.registry.clone();
        let model = registry.model(model)?;
        let values = self.new_values(model, values)?;
        let mut seen = HashSet::new();
        let ids: Vec<Id> = ids.iter().copied().filter(|id| seen.insert(*id)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        for chunk in ids.chunks(CHUNK) {
            let domain = Domain::leaf("id", Op::In, chunk);
            let written = self.update(&registry, model, &domain, values.clone()).await?;
            if written.len() < chunk.len() {
                let written: HashSet<Id> = written.into_iter().collect();
                let left = chunk.iter().find(|id| !written.contains(id)).copied().unwrap_or(Id(0));
                let why = self.missing_or_denied(&registry, &model.name, left, Operation::Write).await?;
                return Err(self.fail(why));
            }
        }
        Ok(())
    }

    /// Writes to the records that match at that very moment, and says which did. Of two transactions that both ask for
    /// `state = waiting` to become `sent`, one gets the record.
    pub async fn write_where(&mut self, model: &str, domain: &Domain, values: Values) -> Result<Vec<Id>, Error> {
        let registry = self.registry.clone();
        let model = registry.model(model)?;
        let values = self.new_values(model, values)?;
        self.update(&registry, model, domain, values).await
    }

    async fn update<'r>(
        &mut self,
        registry: &'r Registry,
        model: &'r ModelDef,
        domain: &Domain,
        values: Vec<(&'r FieldDef, Value)>,
    ) -> Result<Vec<Id>, Error> {
        let statement = self.planner(registry).update(model, domain, values)?;
        let written = self.change(model, statement).await?;
        self.obey_rules(registry, model, &written, Operation::Write).await?;
        self.pending.add(&model.name, ChangeKind::Written, written.iter().copied());
        Ok(written)
    }

    fn new_values<'r>(&self, model: &'r ModelDef, values: Values) -> Result<Vec<(&'r FieldDef, Value)>, Error> {
        self.check_usable()?;
        self.actor.check(model, Operation::Write)?;
        let mut new: Vec<(&FieldDef, Value)> = Vec::with_capacity(values.0.len() + 2);
        for (name, value) in values.0 {
            let field = model.field(&name)?;
            if field.kind == Kind::Id || !field.is_column() {
                return Err(not_written(model, &name));
            }
            let value = self.given(model, field, value, Operation::Write)?;
            if field.required && value.is_null() {
                return Err(needs_value(model, field));
            }
            match new.iter_mut().find(|(known, _)| known.name == field.name) {
                Some(known) => known.1 = value,
                None => new.push((field, value)),
            }
        }
        if new.is_empty() {
            return Err(Error::Validation {
                model: model.name.to_string(),
                field: "(none)".to_owned(),
                problem: "no field to write was named".to_owned(),
            });
        }
        if model.log_access {
            new.push((model.field("write_date")?, Value::DateTime(self.now)));
            new.push((model.field("write_uid")?, self.actor.uid.map_or(Value::Null, Value::from)));
        }
        Ok(new)
    }
}
