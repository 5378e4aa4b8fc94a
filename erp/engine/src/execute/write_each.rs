//! Changing many records at once, each to values of its own.

use std::collections::HashMap;

use super::{ChangeKind, Env, apart::Apart, compute::Taken, read::CHUNK};
use crate::{
    domain::{Domain, Op},
    error::{Error, Operation},
    plan::UpdateEach,
    record::Values,
    resolve::{FieldDef, ModelDef, Registry},
    value::{Id, Value},
};

/// Records whose values are for the same columns.
struct Alike<'r> {
    columns: Vec<&'r FieldDef>,
    names: Vec<String>,
    stamps: Vec<(&'r FieldDef, Value)>,
    rows: Vec<(Id, Vec<Value>)>,
    apart: Vec<(Id, Apart<'r>)>,
    taken: Vec<(Id, Taken)>,
}

impl Env {
    /// Writes to each record its own values, as few statements as there are kinds of rows. A record named twice gets both
    /// writes, the later one last. What is gone or not to be changed is an error, and nothing stays.
    pub async fn write_each(&mut self, model: &str, mut rows: Vec<(Id, Values)>) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let registry = self.registry().clone();
        let model = registry.model(model)?;
        let mut amounts: Vec<(Option<Id>, &mut Values)> = rows.iter_mut().map(|(id, row)| (Some(*id), row)).collect();
        self.round_money(&registry, model, &mut amounts).await?;
        let mut alike: Vec<Alike<'_>> = Vec::new();
        let mut place: HashMap<Vec<String>, usize> = HashMap::new();
        let mut seen = std::collections::HashSet::new();
        for (id, mut values) in rows {
            if !seen.insert(id) {
                // Its first write goes before.
                self.write_alike(&registry, model, std::mem::take(&mut alike)).await?;
                place.clear();
                seen.clear();
                seen.insert(id);
            }
            self.before_write(model, &[id], &mut values).await?;
            if values.is_empty() {
                continue;
            }
            let taken = self.take_computed(&registry, model, std::slice::from_mut(&mut values), Operation::Write)?;
            let mut given = self.split(model, values, &taken)?;
            self.keep_given_files(model, &mut given).await?;
            // Alike is what is written to the same columns: where a text goes can depend on it.
            let mut kind = given.names.clone();
            kind.extend(given.columns.iter().map(|(field, _)| field.name.clone()));
            let group = match place.get(&kind) {
                Some(group) => &mut alike[*group],
                None => {
                    place.insert(kind, alike.len());
                    alike.push(Alike {
                        columns: given.columns.iter().map(|(field, _)| *field).collect(),
                        names: given.names.clone(),
                        stamps: given.stamps.clone(),
                        rows: Vec::new(),
                        apart: Vec::new(),
                        taken: Vec::new(),
                    });
                    let last = alike.len() - 1;
                    &mut alike[last]
                }
            };
            group.apart.push((id, given.apart));
            group.taken.push((id, taken));
            group.rows.push((id, given.columns.into_iter().map(|(_, value)| value).collect()));
        }
        self.write_alike(&registry, model, alike).await
    }

    async fn write_alike<'r>(
        &mut self,
        registry: &'r Registry,
        model: &'r ModelDef,
        alike: Vec<Alike<'r>>,
    ) -> Result<(), Error> {
        for Alike { columns, mut names, stamps, rows, apart, taken } in alike {
            let all: Vec<Id> = rows.iter().map(|(id, _)| *id).collect();
            let written: Vec<&str> = names.iter().map(String::as_str).collect();
            for chunk in all.chunks(CHUNK) {
                self.note_before_write(registry, model, chunk, &written).await?;
                self.mark_before_write(registry, model, chunk, &written).await?;
            }
            let most = self.planner(registry).dialect.max_parameters() - 100;
            let fitting = (most / (columns.len() + 1)).clamp(1, CHUNK);
            let mut rows = rows.into_iter().peekable();
            while rows.peek().is_some() {
                let batch: Vec<(Id, Vec<Value>)> = rows.by_ref().take(fitting).collect();
                let ids: Vec<Id> = batch.iter().map(|(id, _)| *id).collect();
                let statement = if columns.is_empty() && stamps.is_empty() {
                    let id = vec![(model.field("id")?, Value::Null)];
                    let domain = Domain::leaf("id", Op::In, ids.as_slice());
                    let statement = self.planner(registry).update(model, &domain, id)?;
                    self.change(model, statement).await?.len()
                } else {
                    let update = UpdateEach { model, columns: &columns, rows: batch, stamps: stamps.clone() };
                    let statement = self.planner(registry).update_each(update)?;
                    usize::try_from(self.change_count(model, statement).await?).unwrap_or(usize::MAX)
                };
                if statement < ids.len() {
                    let why = self.one_not_written(registry, model, &ids).await?;
                    return Err(self.fail(why));
                }
            }
            self.write_apart(registry, model, apart, false).await?;
            self.judge_hierarchy(model, &names, &all).await?;
            self.mark_written(registry, model, &all, &written).await?;
            self.obey_rules(registry, model, &all, Operation::Write).await?;
            self.pending.add(&model.name, ChangeKind::Written, all.iter().copied());
            for (id, taken) in taken {
                let inverted = taken.fields().filter(|field| !names.iter().any(|known| known == field));
                let inverted: Vec<String> = inverted.map(str::to_owned).collect();
                names.extend(inverted);
                self.run_inverses(registry, model, taken, &[Some(id)]).await?;
            }
            self.after_write(model, &all, &names).await?;
        }
        Ok(())
    }

    /// The first of the records that is gone or not for the user, and which of both.
    async fn one_not_written(&mut self, registry: &Registry, model: &ModelDef, ids: &[Id]) -> Result<Error, Error> {
        for id in ids {
            match self.missing_or_denied(registry, &model.name, *id, Operation::Write).await? {
                Error::Missing { id, model } => return Ok(Error::Missing { id, model }),
                denied => {
                    let domain = Domain::leaf("id", Op::Eq, *id);
                    let statement = self.planner(registry).count_for(model, &domain, Operation::Write)?;
                    if self.number(statement).await? == 0 {
                        return Ok(denied);
                    }
                }
            }
        }
        Ok(Error::Aborted)
    }
}
