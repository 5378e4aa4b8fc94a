//! Values given for computed fields: kept as they are, handed to what the field's inverse does, or refused.

use std::collections::BTreeSet;

use crate::{
    declare::Records,
    error::{Error, Operation},
    execute::Env,
    record::Values,
    resolve::{FieldDef, ModelDef, Registry, Source, coerce},
    value::{Id, Value},
};

/// What was taken out of the values of several records, by their position.
#[derive(Clone, Default)]
pub(in crate::execute) struct Taken {
    /// (record, computed field): the value is stored as it was given.
    kept: Vec<(usize, usize)>,
    /// (record, field, value): told to the inverse once the records are there.
    inverse: Vec<(usize, String, Value)>,
}

impl Taken {
    /// The kept ones by id.
    pub(in crate::execute) fn kept(&self, ids: &[Option<Id>]) -> BTreeSet<(usize, Id)> {
        self.kept.iter().filter_map(|(row, at)| Some((*at, (*ids.get(*row)?)?))).collect()
    }

    /// The values of one record given to so many.
    pub(in crate::execute) fn for_all(self, count: usize) -> Taken {
        let each =
            |(_, field, value): (usize, String, Value)| (0..count).map(move |row| (row, field.clone(), value.clone()));
        Taken { kept: Vec::new(), inverse: self.inverse.into_iter().flat_map(each).collect() }
    }

    pub(in crate::execute) fn fields(&self) -> impl Iterator<Item = &str> {
        self.inverse.iter().map(|(_, field, _)| field.as_str())
    }
}

impl Env {
    pub(in crate::execute) fn take_computed(
        &self,
        registry: &Registry,
        model: &ModelDef,
        rows: &mut [Values],
        operation: Operation,
    ) -> Result<Taken, Error> {
        let mut taken = Taken::default();
        if !registry.computeds.any_of(&model.name) {
            return Ok(taken);
        }
        for (row, values) in rows.iter_mut().enumerate() {
            let named = values.iter().filter_map(|(name, _)| registry.computeds.position(&model.name, name));
            for at in named.collect::<Vec<usize>>() {
                let computed = &registry.computeds.all[at];
                let field = model.field(&computed.field)?;
                let inverted = model.behaviour.inverses.contains_key(&field.name);
                // Not kept here at all: written where it is kept, as if it had been named there.
                if !inverted && matches!(computed.source, Source::Related) && !field.store {
                    continue;
                }
                if inverted || (matches!(computed.source, Source::Related) && !field.readonly) {
                    let value = values.remove(&field.name).unwrap_or_default();
                    self.actor.check_field(model, field, operation)?;
                    let value = coerce::to_store(field, value).map_err(|problem| problem_of(model, field, problem))?;
                    taken.inverse.push((row, field.name.clone(), value));
                } else if field.store && !field.readonly {
                    taken.kept.push((row, at));
                } else {
                    let problem = match computed.depends.is_empty() {
                        true => "it is computed and cannot be written".to_owned(),
                        false => format!("it is computed; write {} instead", computed.depends.join(", ")),
                    };
                    return Err(problem_of(model, field, problem));
                }
            }
            if operation == Operation::Create {
                let with_default = |at: &usize| {
                    let computed = &registry.computeds.all[*at];
                    model.find(&computed.field).is_some_and(|field| field.default.is_some())
                };
                taken.kept.extend(registry.computeds.stored_of(&model.name).filter(with_default).map(|at| (row, at)));
            }
        }
        Ok(taken)
    }

    /// Equal values together.
    pub(in crate::execute) async fn run_inverses(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        taken: Taken,
        ids: &[Option<Id>],
    ) -> Result<(), Error> {
        let mut grouped: Vec<(String, Value, Vec<Id>)> = Vec::new();
        for (row, field, value) in taken.inverse {
            let Some(Some(id)) = ids.get(row) else { continue };
            match grouped.iter_mut().find(|(known, same, _)| *known == field && *same == value) {
                Some((_, _, ids)) => ids.push(*id),
                None => grouped.push((field, value, vec![*id])),
            }
        }
        for (field, value, ids) in grouped {
            match model.behaviour.inverses.get(&field) {
                Some(inverse) => inverse(self, Records { model: &model.name, ids: &ids }, value).await?,
                None => self.write_related(registry, model, model.field(&field)?, &ids, value).await?,
            }
        }
        Ok(())
    }

    /// To the records before the end of the related field's path, with the user's own rights.
    async fn write_related(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        field: &FieldDef,
        ids: &[Id],
        value: Value,
    ) -> Result<(), Error> {
        let Some((way, last)) = field.related.as_deref().and_then(|path| path.rsplit_once('.')) else {
            let problem = "its path has no relation, so there is nothing to write to".to_owned();
            return Err(problem_of(model, field, problem));
        };
        let end = crate::resolve::walk(registry, model, way).map_err(|problem| problem_of(model, field, problem))?;
        let Some(comodel) = end.field.kind.comodel() else { return Ok(()) };
        let way = [way.to_owned()];
        let found = self.gather(registry, model, ids, &way).await?;
        let mut targets: BTreeSet<Id> = BTreeSet::new();
        for row in 0..found.ids.len() {
            targets.extend(found.of(&way[0], row).iter().filter_map(|value| match value {
                Value::Id(id) => Some(*id),
                _ => None,
            }));
        }
        let targets: Vec<Id> = targets.into_iter().collect();
        if targets.is_empty() {
            return Ok(());
        }
        let values = Values::new().with(last.to_owned(), value);
        Box::pin(self.write(comodel, &targets, values)).await
    }
}

fn problem_of(model: &ModelDef, field: &FieldDef, problem: String) -> Error {
    Error::Validation { model: model.name.to_string(), field: field.name.clone(), problem }
}
