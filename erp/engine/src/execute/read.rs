use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{Env, env::ids};
use crate::{
    domain::{Domain, Op},
    error::{Error, Operation},
    plan::{List, Select, Wanted},
    record::Record,
    resolve::{FieldDef, ModelDef, Registry},
    value::{Id, Value},
};

/// Ids in one query.
pub(super) const CHUNK: usize = 5_000;

/// Order, limit and offset of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// `"name, box.name desc"`; the model's order when absent.
    pub order: Option<String>,
    pub limit: Option<u64>,
    pub offset: u64,
}

impl Search {
    pub fn order(order: impl Into<String>) -> Search {
        Search { order: Some(order.into()), ..Search::default() }
    }

    pub fn limit(self, limit: u64) -> Search {
        Search { limit: Some(limit), ..self }
    }

    pub fn offset(self, offset: u64) -> Search {
        Search { offset, ..self }
    }
}

impl Env {
    /// Ids of the records of the domain that the user may see. Archived ones are left out of this, of `search_read` and of
    /// `count`, unless the domain asks for `active` or the context says `active_test: false`.
    pub async fn search(&mut self, model: &str, domain: &Domain, search: Search) -> Result<Vec<Id>, Error> {
        let registry = self.registry.clone();
        let domain = self.asked_for(&registry, registry.model(model)?, domain).await?;
        let select = self.plan(&registry, model, &[], &domain, &search, false)?;
        Ok(ids(self.query(select.statement, &select.readings).await?))
    }

    /// Fields may be dotted through many2one fields (`box.name`). No fields: all that the user may read.
    pub async fn search_read(
        &mut self,
        model: &str,
        domain: &Domain,
        fields: &[&str],
        search: Search,
    ) -> Result<Vec<Record>, Error> {
        let registry = self.registry.clone();
        let fields = self.named(&registry, model, fields)?;
        let domain = self.asked_for(&registry, registry.model(model)?, domain).await?;
        let select = self.plan(&registry, model, &fields, &domain, &search, false)?;
        self.records(&registry, model, select).await
    }

    /// In the order of `ids`. A record that is gone or not to be read is an error.
    pub async fn read(&mut self, model: &str, ids: &[Id], fields: &[&str]) -> Result<Vec<Record>, Error> {
        if !fields.is_empty() && self.is_own_matter(model, ids, fields.iter().copied(), Operation::Read) {
            return self.sudo("own preferences").read_chunks(model, ids, fields, false).await;
        }
        self.read_chunks(model, ids, fields, false).await
    }

    /// As `read` of one record, which no other transaction can change until this one ends.
    pub async fn read_for_update(&mut self, model: &str, id: Id, fields: &[&str]) -> Result<Record, Error> {
        self.ready_to_write().await?;
        let found = self.read_chunks(model, &[id], fields, true).await?;
        found.into_iter().next().ok_or_else(|| Error::Missing { model: model.to_owned(), id })
    }

    /// Whether the user may do this with each of the records; an error that says why not.
    pub async fn check_access(&mut self, model: &str, ids: &[Id], operation: Operation) -> Result<(), Error> {
        let registry = self.registry.clone();
        let def = registry.model(model)?;
        self.actor.check(def, operation)?;
        for chunk in ids.chunks(CHUNK) {
            let domain = Domain::leaf("id", Op::In, chunk);
            let statement = self.planner(&registry).count_for(def, &domain, operation)?;
            if self.number(statement).await? == chunk.iter().collect::<HashSet<_>>().len() as u64 {
                continue;
            }
            for id in chunk {
                let statement = self.planner(&registry).count_for(def, &Domain::leaf("id", Op::Eq, *id), operation)?;
                if self.number(statement).await? == 0 {
                    return Err(self.missing_or_denied(&registry, model, *id, operation).await?);
                }
            }
        }
        Ok(())
    }

    pub async fn count(&mut self, model: &str, domain: &Domain) -> Result<u64, Error> {
        let registry = self.registry.clone();
        let domain = self.asked_for(&registry, registry.model(model)?, domain).await?;
        registry.model(model)?.check_has_records()?;
        let statement = self.planner(&registry).count(registry.model(model)?, &domain)?;
        self.number(statement).await
    }

    /// The fields that a read without names answers.
    pub(crate) fn readable_fields<'m>(&self, model: &'m ModelDef) -> Vec<&'m str> {
        let registry = self.registry.clone();
        self.planner(&registry).readable(model)
    }

    pub(crate) fn may_see(&self, field: &FieldDef) -> bool {
        self.actor.may_see(field)
    }

    /// Whether the user may see the field of records that he sees. Not one that is no more.
    pub fn may_read(&self, model: &str, field: &str) -> bool {
        self.registry.models.get(model).and_then(|model| model.find(field)).is_some_and(|field| self.may_see(field))
    }

    /// Whether the user has this right on the model at all, before any rule.
    pub(crate) fn check_right(&self, model: &str, operation: Operation) -> Result<(), Error> {
        self.actor.check(self.registry.model(model)?, operation)
    }

    /// Missing or denied: why a record that was named did not come back.
    pub(crate) async fn why_not_found(&mut self, model: &str, id: Id, operation: Operation) -> Result<Error, Error> {
        let registry = self.registry.clone();
        self.missing_or_denied(&registry, model, id, operation).await
    }

    async fn read_chunks(
        &mut self,
        model: &str,
        ids: &[Id],
        fields: &[&str],
        lock: bool,
    ) -> Result<Vec<Record>, Error> {
        let registry = self.registry.clone();
        let fields = self.named(&registry, model, fields)?;
        let mut found: HashMap<Id, Record> = HashMap::with_capacity(ids.len());
        // Also for no ids at all: a wrong field or a missing right should not depend on the data.
        for chunk in ids.chunks(CHUNK).chain(ids.is_empty().then_some([].as_slice())) {
            let domain = Domain::leaf("id", Op::In, chunk);
            let search = Search::order("id");
            let select = self.plan(&registry, model, &fields, &domain, &search, lock)?;
            let records = self.records(&registry, model, select).await?;
            found.extend(records.into_iter().map(|record| (record.id, record)));
        }
        match ids.iter().find(|id| !found.contains_key(id)) {
            Some(id) => Err(self.missing_or_denied(&registry, model, *id, Operation::Read).await?),
            None => Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect()),
        }
    }

    /// Why a record that was named did not come back.
    pub(super) async fn missing_or_denied(
        &mut self,
        registry: &Registry,
        model: &str,
        id: Id,
        operation: Operation,
    ) -> Result<Error, Error> {
        let model = registry.model(model)?;
        let superuser = super::Actor::superuser("does it exist");
        let domain = Domain::leaf("id", Op::Eq, id);
        let dialect = self.planner(registry).dialect;
        let statement = crate::plan::Planner::new(registry, &superuser, dialect).count(model, &domain)?;
        Ok(match self.number(statement).await? {
            0 => Error::Missing { model: model.name.to_string(), id },
            _ => {
                let rules = self.actor.rule_names(model, operation);
                let why = format!("record {id} is outside the rules for this user ({rules})");
                self.actor.denied(operation, model, why)
            }
        })
    }

    fn named<'a>(&self, registry: &'a Registry, model: &str, fields: &[&'a str]) -> Result<Vec<&'a str>, Error> {
        match fields {
            [] => {
                let model: &'a ModelDef = registry.model(model)?;
                Ok(self.planner(registry).readable(model))
            }
            fields => Ok(fields.to_vec()),
        }
    }

    fn plan(
        &self,
        registry: &Registry,
        model: &str,
        fields: &[&str],
        domain: &Domain,
        search: &Search,
        lock: bool,
    ) -> Result<Select, Error> {
        self.check_usable()?;
        registry.model(model)?.check_has_records()?;
        let wanted =
            Wanted { domain, order: search.order.as_deref(), limit: search.limit, offset: search.offset, lock };
        self.planner(registry).select(registry.model(model)?, fields, &wanted)
    }

    async fn records(&mut self, registry: &Registry, model: &str, select: Select) -> Result<Vec<Record>, Error> {
        let Select { statement, readings, names, lists, computed, files } = select;
        let rows = self.query(statement, &readings).await?;
        let model: Arc<str> = registry.model(model)?.name.clone();
        let names: Arc<[String]> = names.into();
        let mut records: Vec<Record> = rows
            .into_iter()
            .filter_map(|row| {
                let mut values = row.into_iter();
                let Some(Value::Id(id)) = values.next() else { return None };
                Some(Record { id, model: model.clone(), names: names.clone(), values: values.collect() })
            })
            .collect();
        for list in lists {
            self.fill(registry, &mut records, &list).await?;
        }
        if !computed.is_empty() {
            self.fill_computed(registry, &mut records, &computed).await?;
        }
        if !files.is_empty() {
            self.fetch_files(&mut records, &files).await?;
        }
        Ok(records)
    }

    /// Fields that are computed when they are read, those of one model together.
    async fn fill_computed(
        &mut self,
        registry: &Registry,
        records: &mut [Record],
        computed: &[List],
    ) -> Result<(), Error> {
        let mut models: Vec<&Arc<str>> = computed.iter().map(|wanted| &wanted.model).collect();
        models.sort_unstable();
        models.dedup();
        for model in models {
            let of_model: Vec<&List> = computed.iter().filter(|wanted| wanted.model == *model).collect();
            let model = registry.model(model)?;
            let mut ids: Vec<Id> = Vec::new();
            for wanted in &of_model {
                ids.extend(records.iter().filter_map(|record| owner(record, wanted)));
            }
            ids.sort_unstable();
            ids.dedup();
            let mut fields: Vec<String> = of_model.iter().map(|wanted| wanted.field.clone()).collect();
            fields.sort_unstable();
            fields.dedup();
            let found = self.gather(registry, model, &ids, &fields).await?;
            let rows: HashMap<Id, usize> = found.ids.iter().enumerate().map(|(row, id)| (*id, row)).collect();
            for wanted in of_model {
                let list = model.field(&wanted.field)?.kind.is_list();
                for record in &mut *records {
                    let row = owner(record, wanted).and_then(|id| rows.get(&id));
                    let values = row.map_or(&[][..], |row| found.of(&wanted.field, *row));
                    record.values[wanted.at] = match list {
                        true => Value::Ids(values.iter().filter_map(Value::as_id).collect()),
                        false => values.first().cloned().unwrap_or_default(),
                    };
                }
            }
        }
        Ok(())
    }

    async fn fill(&mut self, registry: &Registry, records: &mut [Record], list: &List) -> Result<(), Error> {
        let model = registry.model(&list.model)?;
        let field = model.field(&list.field)?;
        let owners: HashSet<Id> = records.iter().filter_map(|record| owner(record, list)).collect();
        let owners: Vec<Value> = owners.into_iter().map(Value::Id).collect();
        let active = self.context().active_test;
        let mut listed: HashMap<Id, Vec<Id>> = HashMap::new();
        for chunk in owners.chunks(CHUNK) {
            let select = self.planner(registry).listed(model, field, chunk.to_vec(), active)?;
            for row in self.query(select.statement, &select.readings).await? {
                if let [Value::Id(id), Value::Id(owner)] = row[..] {
                    listed.entry(owner).or_default().push(id);
                }
            }
        }
        for record in records {
            let ids = owner(record, list).and_then(|owner| listed.get(&owner));
            record.values[list.at] = Value::Ids(ids.cloned().unwrap_or_default());
        }
        Ok(())
    }
}

fn owner(record: &Record, list: &List) -> Option<Id> {
    match record.values[list.at] {
        Value::Id(id) => Some(id),
        _ => None,
    }
}
