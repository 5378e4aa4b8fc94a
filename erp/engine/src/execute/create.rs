use std::collections::{BTreeSet, HashSet};

use futures_util::future::BoxFuture;

use super::{ChangeKind, Env, apart::Apart, delegation::holder, env::ids, read::CHUNK};
use crate::{
    declare::Default,
    domain::{Domain, Op},
    error::{Error, Operation},
    plan::{Dialect, Insert, Planner, Reading, Statement, Wanted},
    record::Values,
    resolve::{FieldDef, Kind, ModelDef, Registry, coerce},
    value::{Id, Value},
};

/// What `create_if_new` did, in the order of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inserted(pub Vec<Option<Id>>);

impl Inserted {
    /// How many were new.
    pub fn count(&self) -> usize {
        self.0.iter().flatten().count()
    }

    pub fn is_new(&self, row: usize) -> bool {
        self.0.get(row).is_some_and(Option::is_some)
    }
}

impl Env {
    pub async fn create(&mut self, model: &str, values: Values) -> Result<Id, Error> {
        let made = self.create_many(model, vec![values]).await?;
        made.first().copied().ok_or(Error::Aborted)
    }

    /// One INSERT for as many rows as the database takes in one; ids in the order of the rows.
    pub async fn create_many(&mut self, model: &str, rows: Vec<Values>) -> Result<Vec<Id>, Error> {
        let made = self.insert(model, rows, false).await?;
        Ok(made.0.into_iter().flatten().collect())
    }

    /// Makes those rows whose unique fields no record has yet; the others are left out without an error.
    pub async fn create_if_new(&mut self, model: &str, rows: Vec<Values>) -> Result<Inserted, Error> {
        self.insert(model, rows, true).await
    }

    async fn insert(&mut self, model: &str, mut rows: Vec<Values>, if_new: bool) -> Result<Inserted, Error> {
        let registry = self.registry.clone();
        let model = registry.model(model)?;
        model.check_has_records()?;
        self.actor.check(model, Operation::Create)?;
        if rows.is_empty() {
            return Ok(Inserted(Vec::new()));
        }
        self.fill_defaults(&registry, model, &mut rows).await?;
        self.before_create(model, &mut rows).await?;
        if !model.inherits.is_empty() {
            self.make_parents(model, &mut rows).await?;
        }
        let mut new: Vec<(Option<Id>, &mut Values)> = rows.iter_mut().map(|row| (None, row)).collect();
        self.round_money(&registry, model, &mut new).await?;
        let taken = self.take_computed(&registry, model, &mut rows, Operation::Create)?;
        let columns: Vec<&FieldDef> = model.stored().filter(|field| field.kind != Kind::Id).collect();
        let given = self.make_bases(&registry, model, &rows).await?;
        let mut apart = Vec::with_capacity(rows.len());
        let mut full = Vec::with_capacity(rows.len());
        let has_files = columns.iter().any(|field| field.is_file());
        for row in rows {
            let mut besides = Apart::default();
            let mut row = self.complete(model, &columns, row, &mut besides)?;
            if has_files {
                besides.files = self.keep_files(model, &columns, &mut row).await?;
                besides.files.retain(|(_, kept)| kept.is_some());
            }
            full.push(row);
            apart.push(besides);
        }

        // Also no more than one `in` list takes, with which new ones are told from old.
        let fitting = self.planner(&registry).dialect.max_parameters() / (columns.len() + 1);
        let fitting = fitting.min(CHUNK);
        let mut made = Vec::with_capacity(full.len());
        let mut rows = full.into_iter().peekable();
        while rows.peek().is_some() {
            let batch: Vec<Vec<Value>> = rows.by_ref().take(fitting).collect();
            let given = given.as_ref().map(|ids| ids[made.len()..made.len() + batch.len()].to_vec());
            made.extend(self.insert_batch(&registry, model, &columns, batch, given, if_new).await?);
        }
        let new: Vec<Id> = made.iter().flatten().copied().collect();
        self.mark_created(&registry, model, &new, &taken.kept(&made)).await?;
        let apart: Vec<(Id, Apart<'_>)> =
            made.iter().zip(apart).filter_map(|(id, apart)| Some(((*id)?, apart))).collect();
        let lists = apart.iter().flat_map(|(_, apart)| &apart.lists).map(|(field, _)| field.name.as_str());
        let listed: BTreeSet<&str> = lists.collect();
        self.write_apart(&registry, model, apart, true).await?;
        self.mark_written(&registry, model, &new, &listed.into_iter().collect::<Vec<_>>()).await?;
        self.obey_rules(&registry, model, &new, Operation::Create).await?;
        self.pending.add(&model.name, ChangeKind::Created, new.iter().copied());
        self.run_inverses(&registry, model, taken, &made).await?;
        self.after_create(model, &new).await?;
        Ok(Inserted(made))
    }

    async fn insert_batch(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        columns: &[&FieldDef],
        rows: Vec<Vec<Value>>,
        given: Option<Vec<Id>>,
        if_new: bool,
    ) -> Result<Vec<Option<Id>>, Error> {
        let count = rows.len();
        // Of one row the database may choose the id. Of several nobody promises in which order the new ids come back,
        // so they are taken beforehand.
        let reserved = match given {
            None if count > 1 => Some(self.reserve(registry, model, count).await?),
            given => given,
        };
        let insert = Insert { model, columns, rows, ids: reserved.as_deref(), if_new };
        let statement = self.planner(registry).insert(insert)?;
        let Some(reserved) = reserved else {
            return Ok(vec![self.change(model, statement).await?.first().copied()]);
        };
        // Five hundred ids coming back one by one cost more than the insert; mostly their number says it all.
        if self.change_count(model, statement).await? == count as u64 {
            return Ok(reserved.into_iter().map(Some).collect());
        }
        let domain = Domain::leaf("id", Op::In, reserved.as_slice());
        let wanted = Wanted { domain: &domain, order: Some("id"), limit: None, offset: 0, lock: false };
        let system = super::Actor::superuser("which rows are new");
        let dialect = self.planner(registry).dialect;
        let select = Planner::new(registry, &system, dialect).select(model, &[], &wanted)?;
        let new: HashSet<Id> =
            ids(self.query_unsettled(select.statement, &select.readings).await?).into_iter().collect();
        Ok(reserved.into_iter().map(|id| new.contains(&id).then_some(id)).collect())
    }

    /// Records of the model whose ids this one shares, see [`Model::ids_of`](crate::declare::Model::ids_of).
    fn make_bases<'a>(
        &'a mut self,
        registry: &'a Registry,
        model: &'a ModelDef,
        rows: &'a [Values],
    ) -> BoxFuture<'a, Result<Option<Vec<Id>>, Error>> {
        Box::pin(async move {
            let Some(base) = &model.ids_of else { return Ok(None) };
            let base = registry.model(base)?;
            let shared = |row: &Values| {
                let mut values = Values::new();
                for (name, value) in row.iter().filter(|(name, _)| base.find(name).is_some_and(FieldDef::is_column)) {
                    values.set(name.to_owned(), value.clone());
                }
                values
            };
            let bases = rows.iter().map(shared).collect();
            self.sudo("records that share their ids").create_many(&base.name, bases).await.map(Some)
        })
    }

    /// Ids that nobody else gets. SQLite: this transaction is the only writer until it ends, and inserting the ids moves
    /// the table's counter behind them.
    async fn reserve(&mut self, registry: &Registry, model: &ModelDef, count: usize) -> Result<Vec<Id>, Error> {
        self.ready_to_write().await?;
        let count = count as i64;
        let (sql, values) = match self.planner(registry).dialect {
            Dialect::Sqlite => (
                "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?), 0)",
                vec![model.table.as_str().into()],
            ),
            Dialect::Postgres => (
                "SELECT nextval(pg_get_serial_sequence(quote_ident($1), 'id')) FROM generate_series(1, $2)",
                vec![model.table.as_str().into(), count.into()],
            ),
        };
        let statement = Statement { sql: sql.to_owned(), values: sea_query::Values(values) };
        let found = ids(self.query_unsettled(statement, &[Reading::Id]).await?);
        Ok(match (found[..].first(), found.len() as i64 == count) {
            (Some(last), _) if self.planner(registry).dialect == Dialect::Sqlite => {
                (last.0 + 1..=last.0 + count).map(Id).collect()
            }
            (_, true) => found,
            _ => return Err(self.fail(Error::Aborted)),
        })
    }

    /// One value per column: given, default or empty; checked and coerced. What is no column goes to `apart`.
    pub(super) fn complete<'r>(
        &self,
        model: &'r ModelDef,
        columns: &[&'r FieldDef],
        values: Values,
        apart: &mut Apart<'r>,
    ) -> Result<Vec<Value>, Error> {
        let mut row: Vec<Option<Value>> = vec![None; columns.len()];
        let mut given_lists: Vec<&str> = Vec::new();
        for (name, value) in values.0 {
            let at = columns.iter().position(|field| field.name == name);
            if let Some((at, field)) = at.and_then(|at| Some((at, *columns.get(at)?))) {
                let value = self.given(model, field, value, Operation::Create)?;
                let beside = self.has_side(field);
                if beside && !value.is_null() {
                    apart.beside.push((field, value.clone()));
                }
                // What one company has is not what the others have. A text is the source's as well until that has its own.
                if !(beside && field.company_dependent && !field.required) {
                    row[at] = Some(value);
                }
                continue;
            }
            let field = model.field(&name)?;
            if let Some((path, there)) = holder(field) {
                self.actor.check_field(model, field, Operation::Create)?;
                apart.through.entry(path.to_owned()).or_default().set(there.to_owned(), value);
                continue;
            }
            if !field.is_written_list() {
                return Err(not_written(model, &name));
            }
            if let Value::Commands(commands) = self.given(model, field, value, Operation::Create)? {
                apart.lists.push((field, commands));
            }
            given_lists.push(&field.name);
        }
        let unsaid = |field: &&FieldDef| field.is_written_list() && !given_lists.contains(&field.name.as_str());
        for field in model.fields.iter().filter(|field| field.default.is_some()).filter(unsaid) {
            if let Value::Commands(commands) = self.default_of(model, field)? {
                apart.lists.push((field, commands));
            }
        }
        columns
            .iter()
            .zip(row)
            .map(|(field, given)| {
                let value = match given {
                    Some(value) => value,
                    None => self.default_of(model, field)?,
                };
                if field.required && value.is_null() && !field.is_computed() {
                    return Err(needs_value(self, model, field));
                }
                Ok(value)
            })
            .collect()
    }

    /// A value that the caller gives for a field.
    pub(super) fn given(
        &self,
        model: &ModelDef,
        field: &FieldDef,
        value: Value,
        operation: Operation,
    ) -> Result<Value, Error> {
        if is_stamp(model, field) {
            return Err(not_written(model, &field.name));
        }
        self.actor.check_field(model, field, operation)?;
        coerce::to_store(field, value).map_err(|problem| Error::Validation {
            model: model.name.to_string(),
            field: field.name.clone(),
            problem,
        })
    }

    pub(super) fn default_of(&self, model: &ModelDef, field: &FieldDef) -> Result<Value, Error> {
        let value = match (&field.default, &field.kind) {
            _ if is_stamp(model, field) => match field.name.ends_with("_uid") {
                true => self.actor.uid.map_or(Value::Null, Value::from),
                false => Value::DateTime(self.now),
            },
            (Some(Default::Now), _) => Value::DateTime(self.now),
            (Some(Default::Today), _) => Value::Date(self.now.to_zoned(jiff::tz::TimeZone::UTC).date()),
            (Some(Default::User), _) => self.actor.uid.map_or(Value::Null, Value::from),
            (Some(Default::Value(json)), _) => Value::from_json(json),
            (None, _) => Value::Null,
        };
        coerce::to_store(field, value).map_err(|problem| Error::Validation {
            model: model.name.to_string(),
            field: field.name.clone(),
            problem,
        })
    }

    /// Records that were just made or changed must be inside the rules, else the transaction ends.
    pub(super) async fn obey_rules(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        ids: &[Id],
        operation: Operation,
    ) -> Result<(), Error> {
        if self.actor.rights.is_none() || !(self.actor.has_rules(model, operation) || model.follows.is_some()) {
            return Ok(());
        }
        for chunk in ids.chunks(CHUNK) {
            let domain = Domain::leaf("id", Op::In, chunk);
            let statement = self.planner(registry).count_for(model, &domain, operation)?;
            if self.number(statement).await? < chunk.len() as u64 {
                let rules = self.actor.rule_names(model, operation);
                let why = format!("the result would be outside the rules for this user ({rules})");
                let denied = self.actor.denied(operation, model, why);
                return Err(self.fail(denied));
            }
        }
        Ok(())
    }
}

pub(super) fn is_stamp(model: &ModelDef, field: &FieldDef) -> bool {
    model.log_access && matches!(field.name.as_str(), "create_date" | "create_uid" | "write_date" | "write_uid")
}

pub(super) fn not_written(model: &ModelDef, field: &str) -> Error {
    Error::Validation {
        model: model.name.to_string(),
        field: field.to_owned(),
        problem: "it is kept by the system and cannot be written".to_owned(),
    }
}

pub(super) fn needs_value(env: &Env, model: &ModelDef, field: &FieldDef) -> Error {
    let words = env.words();
    Error::Validation {
        model: model.name.to_string(),
        field: field.name.clone(),
        problem: format!("{} must not be empty; give it a value", words.label(env.registry(), model, field)),
    }
}
