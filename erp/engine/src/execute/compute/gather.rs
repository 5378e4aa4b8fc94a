//! What computed fields depend on, fetched for many records at once: one query for what stands in their rows or at the
//! end of many2one fields, one for each list, and so on from what the lists hold.

use std::collections::{BTreeSet, HashMap};

use futures_util::future::BoxFuture;

use crate::{
    Context,
    declare::{Inputs, Records},
    domain::{Domain, Op},
    error::Error,
    execute::{Actor, Env, read::CHUNK},
    plan::{Planner, Wanted},
    resolve::{Computed, Kind, ModelDef, Registry, Source, coerce, walk},
    value::{Id, Value},
};

/// For each path the values of each record, in the order of `ids`.
pub(in crate::execute) struct Gathered {
    /// Those of the records asked for that are there.
    pub(in crate::execute) ids: Vec<Id>,
    columns: HashMap<String, Vec<Vec<Value>>>,
}

impl Gathered {
    pub(in crate::execute) fn of(&self, path: &str, row: usize) -> &[Value] {
        self.columns.get(path).and_then(|column| column.get(row)).map_or(&[], Vec::as_slice)
    }
}

/// How a path's values come about. Steps stand in the order in which they can be done.
enum How {
    /// In the row, or at the end of many2one fields.
    Column,
    List,
    /// What stands at `rest` of the records in `first`.
    Through {
        first: String,
        rest: String,
    },
    /// The same as another path.
    Alias(String),
    Computed(usize),
}

impl Env {
    /// As the system: a value follows from what it is declared to depend on, not from who looks at it.
    pub(in crate::execute) fn gather<'a>(
        &'a mut self,
        registry: &'a Registry,
        model: &'a ModelDef,
        ids: &'a [Id],
        paths: &'a [String],
    ) -> BoxFuture<'a, Result<Gathered, Error>> {
        Box::pin(async move {
            let mut steps = Steps { registry, model, done: Vec::new(), known: BTreeSet::new() };
            for path in paths {
                steps.plan(path)?;
            }
            let mut found = self.columns(registry, model, ids, &steps).await?;
            for (path, how) in &steps.done {
                if found.columns.contains_key(path) {
                    continue;
                }
                let column = match how {
                    How::Column => continue,
                    How::List => self.list(registry, model, &found.ids, path).await?,
                    How::Alias(of) => (0..found.ids.len()).map(|row| found.of(of, row).to_vec()).collect(),
                    How::Computed(at) => {
                        let computed = &registry.computeds.all[*at];
                        self.values_of(registry, model, computed, &found).await?
                    }
                    How::Through { first, .. } => {
                        self.through(registry, model, first, &steps, &mut found).await?;
                        continue;
                    }
                };
                found.columns.insert(path.clone(), column);
            }
            Ok(found)
        })
    }

    async fn columns(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        ids: &[Id],
        steps: &Steps<'_>,
    ) -> Result<Gathered, Error> {
        let of_column = steps.done.iter().filter(|(_, how)| matches!(how, How::Column));
        let names: Vec<&str> = of_column.map(|(path, _)| path.as_str()).collect();
        let mut found = Gathered { ids: Vec::with_capacity(ids.len()), columns: HashMap::new() };
        let mut columns: Vec<Vec<Vec<Value>>> = names.iter().map(|_| Vec::with_capacity(ids.len())).collect();
        for chunk in ids.chunks(CHUNK) {
            let domain = Domain::leaf("id", Op::In, chunk);
            let wanted = Wanted { domain: &domain, order: Some("id"), limit: None, offset: 0, lock: false };
            let system = Actor::superuser("what computed fields depend on");
            let mut planner = Planner::new(registry, &system, self.dialect());
            // What is kept is the same for everybody; what is only read may speak the reader's language.
            if !self.settling {
                planner = planner.in_context(self.context(), self.now);
            }
            let select = planner.select(model, &names, &wanted)?;
            for row in self.query_unsettled(select.statement, &select.readings).await? {
                let mut row = row.into_iter();
                let Some(Value::Id(id)) = row.next() else { continue };
                found.ids.push(id);
                for (column, value) in columns.iter_mut().zip(row) {
                    column.push(vec![value]);
                }
            }
        }
        found.columns = names.into_iter().map(str::to_owned).zip(columns).collect();
        Ok(found)
    }

    async fn list(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        ids: &[Id],
        field: &str,
    ) -> Result<Vec<Vec<Value>>, Error> {
        let field = model.field(field)?;
        let mut listed: HashMap<Id, Vec<Value>> = HashMap::new();
        let owners: Vec<Value> = ids.iter().copied().map(Value::Id).collect();
        for chunk in owners.chunks(CHUNK) {
            let system = Actor::superuser("what computed fields depend on");
            let dialect = self.planner(registry).dialect;
            let select = Planner::new(registry, &system, dialect).listed(model, field, chunk.to_vec(), true)?;
            for row in self.query_unsettled(select.statement, &select.readings).await? {
                if let [Value::Id(id), Value::Id(owner)] = row[..] {
                    listed.entry(owner).or_default().push(Value::Id(id));
                }
            }
        }
        Ok(ids.iter().map(|id| listed.remove(id).unwrap_or_default()).collect())
    }

    /// All paths through one relation together.
    async fn through(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        first: &str,
        steps: &Steps<'_>,
        found: &mut Gathered,
    ) -> Result<(), Error> {
        let (mut paths, mut rests) = (Vec::new(), Vec::new());
        for (path, how) in &steps.done {
            if let How::Through { first: same, rest } = how
                && same == first
            {
                paths.push(path);
                rests.push(rest.clone());
            }
        }
        let Some(comodel) = model.field(first)?.kind.comodel() else { return Ok(()) };
        let comodel = registry.model(comodel)?;
        let id = |value: &Value| match value {
            Value::Id(id) => Some(*id),
            _ => None,
        };
        let rows = 0..found.ids.len();
        let ids: BTreeSet<Id> = rows.clone().flat_map(|row| found.of(first, row)).filter_map(id).collect();
        let ids: Vec<Id> = ids.into_iter().collect();
        let beyond = self.gather(registry, comodel, &ids, &rests).await?;
        let row_of: HashMap<Id, usize> = beyond.ids.iter().enumerate().map(|(row, id)| (*id, row)).collect();
        for (path, rest) in paths.into_iter().zip(&rests) {
            let of_row = |row: usize| {
                let there = found.of(first, row).iter().filter_map(id).filter_map(|id| row_of.get(&id));
                there.flat_map(|row| beyond.of(rest, *row)).cloned().collect()
            };
            let column: Vec<Vec<Value>> = rows.clone().map(of_row).collect();
            found.columns.insert(path.clone(), column);
        }
        Ok(())
    }

    /// A computed field's values, its dependencies being there. Lists become one value for each record on them.
    pub(in crate::execute) async fn values_of(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        computed: &Computed,
        found: &Gathered,
    ) -> Result<Vec<Vec<Value>>, Error> {
        let field = model.field(&computed.field)?;
        if found.ids.is_empty() {
            return Ok(Vec::new());
        }
        let spread = |value: Value| match value {
            Value::Ids(ids) => ids.into_iter().map(Value::Id).collect(),
            value => vec![value],
        };
        if let Source::Query(query) = computed.source {
            let records = Records { model: &model.name, ids: &found.ids };
            let values = query(self, records).await?;
            if values.len() != found.ids.len() {
                let problem = format!("its function gave {} values for {} records", values.len(), found.ids.len());
                return Err(problem_of(model, computed, problem));
            }
            let kept = values.into_iter().map(|value| fitting(registry, model, computed, value).map(spread));
            return kept.collect();
        }
        let context = self.context().clone();
        let now = self.now;
        let mut column = Vec::with_capacity(found.ids.len());
        let mut values: Vec<Vec<Value>> = Vec::with_capacity(computed.depends.len());
        for (row, id) in found.ids.iter().enumerate() {
            values.clear();
            values.extend(computed.depends.iter().map(|path| found.of(path, row).to_vec()));
            let inputs = Inputs::new(Some(*id), &computed.depends, &values, &context);
            let value = evaluate(computed, field.kind.is_list(), &inputs, &context, now)
                .and_then(|value| fitting(registry, model, computed, value))?;
            column.push(spread(value));
        }
        Ok(column)
    }
}

/// What one record's dependencies make of the field.
pub(in crate::execute) fn evaluate(
    computed: &Computed,
    list: bool,
    inputs: &Inputs<'_>,
    context: &Context,
    now: jiff::Timestamp,
) -> Result<Value, Error> {
    match &computed.source {
        Source::Pure(pure) => pure(inputs),
        Source::Related => {
            let path = computed.depends.first().map_or("", String::as_str);
            if !list {
                return Ok(inputs.value(path).clone());
            }
            let mut ids: Vec<Id> = Vec::new();
            for value in inputs.list(path) {
                if let Value::Id(id) = value
                    && !ids.contains(id)
                {
                    ids.push(*id);
                }
            }
            Ok(Value::Ids(ids))
        }
        Source::Expr(expression) => expression.evaluate(inputs, context, now).map_err(|problem| Error::Validation {
            model: computed.model.to_string(),
            field: computed.field.clone(),
            problem,
        }),
        Source::Query(_) => Err(Error::Aborted),
    }
}

/// As the field holds it.
pub(in crate::execute) fn fitting(
    registry: &Registry,
    model: &ModelDef,
    computed: &Computed,
    value: Value,
) -> Result<Value, Error> {
    let field = registry.model(&model.name)?.field(&computed.field)?;
    match (field.kind.is_list(), value) {
        (true, Value::Null) => Ok(Value::Ids(Vec::new())),
        (true, Value::Id(id)) => Ok(Value::Ids(vec![id])),
        (true, Value::Ids(ids)) => Ok(Value::Ids(ids)),
        (true, other) => Err(problem_of(model, computed, format!("computed as {}, not a list of ids", other.kind()))),
        (false, value) => coerce::to_store(field, value)
            .map_err(|problem| problem_of(model, computed, format!("computed: {problem}"))),
    }
}

fn problem_of(model: &ModelDef, computed: &Computed, problem: String) -> Error {
    Error::Validation { model: model.name.to_string(), field: computed.field.clone(), problem }
}

struct Steps<'r> {
    registry: &'r Registry,
    model: &'r ModelDef,
    done: Vec<(String, How)>,
    known: BTreeSet<String>,
}

impl Steps<'_> {
    /// Everything that a path needs, then the path itself.
    fn plan(&mut self, path: &str) -> Result<(), Error> {
        if !self.known.insert(path.to_owned()) {
            return Ok(());
        }
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let field = self.model.field(first)?;
        if let Some(related) = field.related.as_ref().filter(|_| !field.store) {
            let whole = rest.map_or_else(|| related.clone(), |rest| format!("{related}.{rest}"));
            self.plan(&whole)?;
            self.done.push((path.to_owned(), How::Alias(whole)));
            return Ok(());
        }
        let how = match rest {
            None if field.is_computed() && !field.store => {
                let Some(at) = self.registry.computeds.position(&self.model.name, first) else {
                    return Err(Error::NoSuchField { model: self.model.name.to_string(), field: first.to_owned() });
                };
                for needed in self.registry.computeds.all[at].depends.clone().iter() {
                    self.plan(needed)?;
                }
                How::Computed(at)
            }
            None if field.kind.is_list() => How::List,
            None => How::Column,
            Some(_) if self.in_one_row(path) => How::Column,
            Some(rest) => {
                self.plan(first)?;
                How::Through { first: first.to_owned(), rest: rest.to_owned() }
            }
        };
        self.done.push((path.to_owned(), how));
        Ok(())
    }

    /// Whether the path goes through many2one fields alone, to a column that needs no look at related fields.
    fn in_one_row(&self, path: &str) -> bool {
        let Ok(walk) = walk(self.registry, self.model, path) else { return false };
        walk.strides.len() == path.matches('.').count()
            && walk.strides.iter().all(|stride| matches!(stride.field.kind, Kind::Many2One { .. }))
            && walk.field.is_column()
            && !walk.field.kind.is_binary()
    }
}
