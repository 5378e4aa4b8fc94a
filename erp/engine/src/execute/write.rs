use std::collections::HashSet;

use super::{
    ChangeKind, Env,
    apart::Apart,
    compute::Taken,
    create::{needs_value, not_written},
    delegation::holder,
    env::ids,
    read::CHUNK,
};
use crate::{
    domain::{Domain, Op},
    error::{Error, Operation},
    plan::Wanted,
    record::Values,
    resolve::{FieldDef, Kind, ModelDef, Registry},
    value::{Id, Value},
};

/// Values to write, by where they go.
#[derive(Clone)]
pub(super) struct Given<'r> {
    pub(super) columns: Vec<(&'r FieldDef, Value)>,
    pub(super) apart: Apart<'r>,
    pub(super) names: Vec<String>,
    /// Who writes and when.
    pub(super) stamps: Vec<(&'r FieldDef, Value)>,
}

impl Env {
    /// The same values to each record. A record that is gone or not to be changed is an error, and nothing stays.
    pub async fn write(&mut self, model: &str, ids: &[Id], values: Values) -> Result<(), Error> {
        if self.is_own_matter(model, ids, values.iter().map(|(name, _)| name), Operation::Write) {
            return self.sudo("own preferences").write_records(model, ids, values).await;
        }
        self.write_records(model, ids, values).await
    }

    async fn write_records(&mut self, model: &str, ids: &[Id], mut values: Values) -> Result<(), Error> {
        let registry = self.registry.clone();
        let model = registry.model(model)?;
        let mut seen = HashSet::new();
        let ids: Vec<Id> = ids.iter().copied().filter(|id| seen.insert(*id)).collect();
        if let Some(each) = self.round_money_of_all(&registry, model, &ids, &mut values).await? {
            return self.write_each(&model.name, each).await;
        }
        if !ids.is_empty() {
            self.before_write(model, &ids, &mut values).await?;
        }
        let taken = self.take_computed(&registry, model, std::slice::from_mut(&mut values), Operation::Write)?;
        let mut given = self.split(model, values, &taken)?;
        self.keep_given_files(model, &mut given).await?;
        let names: Vec<&str> = given.names.iter().map(String::as_str).collect();
        for chunk in ids.chunks(CHUNK) {
            let domain = Domain::leaf("id", Op::In, chunk);
            self.note_before_write(&registry, model, chunk, &names).await?;
            self.mark_before_write(&registry, model, chunk, &names).await?;
            let written = self.update(&registry, model, &domain, given.clone()).await?;
            if written.len() < chunk.len() {
                let written: HashSet<Id> = written.into_iter().collect();
                let left = chunk.iter().find(|id| !written.contains(id)).copied().unwrap_or(Id(0));
                let why = self.missing_or_denied(&registry, &model.name, left, Operation::Write).await?;
                return Err(self.fail(why));
            }
        }
        if ids.is_empty() {
            return Ok(());
        }
        self.inverses_of_write(&registry, model, taken, &mut given, &ids).await?;
        self.after_write(model, &ids, &given.names).await
    }

    /// Writes to the records that match at that very moment, and says which did. Of two transactions that both ask for
    /// `state = waiting` to become `sent`, one gets the record.
    pub async fn write_where(&mut self, model: &str, domain: &Domain, mut values: Values) -> Result<Vec<Id>, Error> {
        let registry = self.registry.clone();
        let model = registry.model(model)?;
        self.before_write(model, &[], &mut values).await?;
        let taken = self.take_computed(&registry, model, std::slice::from_mut(&mut values), Operation::Write)?;
        let mut given = self.split(model, values, &taken)?;
        self.keep_given_files(model, &mut given).await?;
        self.before_write_where(&registry, model, domain, &given).await?;
        let written = self.update(&registry, model, domain, given.clone()).await?;
        if !written.is_empty() {
            self.inverses_of_write(&registry, model, taken, &mut given, &written).await?;
            self.after_write(model, &written, &given.names).await?;
        }
        Ok(written)
    }

    /// What must be known of the records before they are written; where something must, they are found and kept from
    /// others first.
    async fn before_write_where(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        domain: &Domain,
        given: &Given<'_>,
    ) -> Result<(), Error> {
        let names: Vec<&str> = given.names.iter().map(String::as_str).collect();
        if !self.is_noting(registry, model, &names) {
            return Ok(());
        }
        self.ready_to_write().await?;
        let wanted = Wanted { domain, order: Some("id"), limit: None, offset: 0, lock: true };
        let select = self.planner(registry).select(model, &[], &wanted)?;
        let found = ids(self.query(select.statement, &select.readings).await?);
        self.note_before_write(registry, model, &found, &names).await?;
        self.mark_before_write(registry, model, &found, &names).await
    }

    async fn inverses_of_write(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        taken: Taken,
        given: &mut Given<'_>,
        ids: &[Id],
    ) -> Result<(), Error> {
        given.names.extend(taken.fields().map(str::to_owned));
        self.run_inverses(registry, model, taken.for_all(ids.len()), &ids.iter().copied().map(Some).collect::<Vec<_>>())
            .await
    }

    async fn update<'r>(
        &mut self,
        registry: &'r Registry,
        model: &'r ModelDef,
        domain: &Domain,
        given: Given<'r>,
    ) -> Result<Vec<Id>, Error> {
        let mut columns = given.columns;
        columns.extend(given.stamps);
        if columns.is_empty() {
            // Lists alone, and no stamps either: the row is written as it is, so that rights and locks are the same.
            columns.push((model.field("id")?, Value::Null));
        }
        let statement = self.planner(registry).update(model, domain, columns)?;
        let written = self.change(model, statement).await?;
        let apart = written.iter().map(|id| (*id, given.apart.clone())).collect();
        self.write_apart(registry, model, apart, false).await?;
        self.judge_hierarchy(model, &given.names, &written).await?;
        let names: Vec<&str> = given.names.iter().map(String::as_str).collect();
        self.mark_written(registry, model, &written, &names).await?;
        self.obey_rules(registry, model, &written, Operation::Write).await?;
        self.pending.add(&model.name, ChangeKind::Written, written.iter().copied());
        Ok(written)
    }

    pub(super) fn split<'r>(&self, model: &'r ModelDef, values: Values, taken: &Taken) -> Result<Given<'r>, Error> {
        self.check_usable()?;
        model.check_has_records()?;
        self.actor.check(model, Operation::Write)?;
        let mut given = Given {
            columns: Vec::with_capacity(values.0.len()),
            apart: Apart::default(),
            names: Vec::with_capacity(values.0.len()),
            stamps: Vec::new(),
        };
        for (name, value) in values.0 {
            let field = model.field(&name)?;
            if let Some((path, there)) = holder(field) {
                self.actor.check_field(model, field, Operation::Write)?;
                given.apart.through.entry(path.to_owned()).or_default().set(there.to_owned(), value);
                given.names.push(name.into_owned());
                continue;
            }
            if field.kind == Kind::Id || !(field.is_column() || field.is_written_list()) {
                return Err(not_written(model, &name));
            }
            let value = self.given(model, field, value, Operation::Write)?;
            if field.required && value.is_null() {
                return Err(needs_value(self, model, field));
            }
            if let Value::Commands(commands) = value {
                given.apart.lists.push((field, commands));
            } else if self.has_side(field) && !(field.translate && value.is_null()) {
                given.apart.beside.push((field, value));
            } else {
                if field.translate && value.is_null() {
                    given.apart.emptied.push(field);
                }
                match given.columns.iter_mut().find(|(known, _)| known.name == field.name) {
                    Some(known) => known.1 = value,
                    None => given.columns.push((field, value)),
                }
            }
            given.names.push(name.into_owned());
        }
        if given.names.is_empty() && taken.fields().next().is_none() {
            return Err(Error::Validation {
                model: model.name.to_string(),
                field: "(none)".to_owned(),
                problem: "no field to write was named".to_owned(),
            });
        }
        if model.log_access {
            given.stamps.push((model.field("write_date")?, Value::DateTime(self.now)));
            given.stamps.push((model.field("write_uid")?, self.actor.uid.map_or(Value::Null, Value::from)));
        }
        Ok(given)
    }
}
