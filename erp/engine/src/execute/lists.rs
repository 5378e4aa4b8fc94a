//! Changes of one2many and many2many fields, by commands.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;

use super::{Env, env::ids, read::CHUNK};
use crate::{
    declare::OnDelete,
    domain::{Domain, Op},
    error::{Error, Operation},
    plan::Link,
    record::{Command, Values},
    resolve::{FieldDef, Kind, ModelDef, Registry},
    value::{Id, Value},
};

/// What becomes of the lists of one field, owner by owner.
pub(super) struct ListChange<'r> {
    pub(super) field: &'r FieldDef,
    pub(super) owners: Vec<(Id, Vec<Command>)>,
}

impl<'r> ListChange<'r> {
    /// Adds to the field's change, or begins it.
    pub(super) fn add(all: &mut Vec<ListChange<'r>>, field: &'r FieldDef, owner: Id, commands: Vec<Command>) {
        match all.iter_mut().find(|change| change.field.name == field.name) {
            Some(change) => change.owners.push((owner, commands)),
            None => all.push(ListChange { field, owners: vec![(owner, commands)] }),
        }
    }
}

impl Env {
    /// With the user's rights on the listed records. `new`: the owners were just made, so nothing is on their lists yet.
    /// Boxed, since listed records may have lists of their own.
    pub(super) fn change_lists<'a>(
        &'a mut self,
        registry: &'a Registry,
        model: &'a ModelDef,
        changes: Vec<ListChange<'a>>,
        new: bool,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            for ListChange { field, owners } in changes {
                // The owners are written already, so nothing may stay of a change that fails.
                if let Err(error) = self.change_list(registry, model, field, owners, new).await {
                    return Err(self.fail(error));
                }
            }
            Ok(())
        })
    }

    async fn change_list(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        field: &FieldDef,
        owners: Vec<(Id, Vec<Command>)>,
        new: bool,
    ) -> Result<(), Error> {
        match &field.kind {
            Kind::One2Many { comodel, inverse } => {
                let comodel = registry.model(comodel)?;
                let children = Children { model, field, comodel, inverse: comodel.field(inverse)? };
                self.change_children(registry, &children, owners, new).await
            }
            Kind::Many2Many { comodel, relation, column1, column2 } => {
                let link = Link { comodel: registry.model(comodel)?, relation, own: column1, other: column2 };
                self.change_links(registry, model, link, owners, new).await
            }
            _ => Ok(()),
        }
    }

    async fn change_children(
        &mut self,
        registry: &Registry,
        children: &Children<'_>,
        owners: Vec<(Id, Vec<Command>)>,
        new: bool,
    ) -> Result<(), Error> {
        let comodel = &*children.comodel.name;
        let mut made: Vec<Values> = Vec::new();
        for (owner, commands) in owners {
            for command in gathered(commands) {
                match command {
                    Gathered::Create(values) => made.extend(values.into_iter().map(|v| children.of(owner, v))),
                    Gathered::Update(id, values) => self.write(comodel, &[id], values).await?,
                    Gathered::Delete(ids) => self.unlink(comodel, &ids).await?,
                    Gathered::Unlink(ids) => self.detach(children, owner, ids).await?,
                    Gathered::Link(ids) => {
                        self.write(comodel, &ids, children.of(owner, Values::new())).await?;
                    }
                    Gathered::Set(kept) => {
                        // What was made before it in the same list goes with the others.
                        self.make_listed(comodel, std::mem::take(&mut made)).await?;
                        let there = match new {
                            true => Vec::new(),
                            false => self.on_list(registry, children.model, children.field, owner).await?,
                        };
                        let gone: Vec<Id> = there.iter().copied().filter(|id| !kept.contains(id)).collect();
                        let added: Vec<Id> = kept.into_iter().filter(|id| !there.contains(id)).collect();
                        self.detach(children, owner, gone).await?;
                        if !added.is_empty() {
                            self.write(comodel, &added, children.of(owner, Values::new())).await?;
                        }
                    }
                }
            }
        }
        self.make_listed(comodel, made).await.map(drop)
    }

    /// Where nothing is made, no right to make it is needed.
    async fn make_listed(&mut self, comodel: &str, made: Vec<Values>) -> Result<Vec<Id>, Error> {
        if made.is_empty() {
            return Ok(Vec::new());
        }
        let context = self.context().clone();
        self.set_context(context.without_defaults());
        let made = self.create_many(comodel, made).await;
        self.set_context(context);
        made
    }

    /// Takes children off their owner's list: emptied where they can be without one, deleted where not.
    async fn detach(&mut self, children: &Children<'_>, owner: Id, ids: Vec<Id>) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let cascade = matches!(&children.inverse.kind, Kind::Many2One { ondelete: OnDelete::Cascade, .. });
        if children.inverse.required || cascade || children.inverse.kind == Kind::Integer {
            return self.unlink(&children.comodel.name, &ids).await;
        }
        let inverse = children.inverse.name.clone();
        let still = Domain::leaf("id", Op::In, ids.as_slice()).and(Domain::leaf(inverse.clone(), Op::Eq, owner));
        self.write_where(&children.comodel.name, &still, Values::new().with(inverse, Value::Null)).await.map(drop)
    }

    /// What is on a list, archived records included, as far as the user sees it.
    async fn on_list(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        field: &FieldDef,
        owner: Id,
    ) -> Result<Vec<Id>, Error> {
        let select = self.planner(registry).listed(model, field, vec![Value::Id(owner)], false)?;
        Ok(ids(self.query(select.statement, &select.readings).await?))
    }

    async fn change_links(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        link: Link<'_>,
        owners: Vec<(Id, Vec<Command>)>,
        new: bool,
    ) -> Result<(), Error> {
        let comodel = &*link.comodel.name;
        let mut made: Vec<Values> = Vec::new();
        let mut made_for: Vec<Id> = Vec::new();
        let mut put: Vec<(Id, Id)> = Vec::new();
        for (owner, commands) in owners {
            let (mut on, mut off, mut clear) = (Vec::<Id>::new(), BTreeSet::<Id>::new(), false);
            for command in gathered(commands) {
                match command {
                    Gathered::Create(values) => {
                        made_for.extend(values.iter().map(|_| owner));
                        made.extend(values);
                    }
                    Gathered::Update(id, values) => self.write(comodel, &[id], values).await?,
                    Gathered::Delete(ids) => {
                        on.retain(|id| !ids.contains(id));
                        self.unlink(comodel, &ids).await?;
                    }
                    Gathered::Unlink(ids) => {
                        on.retain(|id| !ids.contains(id));
                        off.extend(ids);
                    }
                    Gathered::Link(ids) => {
                        off.retain(|id| !ids.contains(id));
                        on.extend(ids);
                    }
                    Gathered::Set(ids) => {
                        // What was made before it in the same list stays a record, on no list.
                        let from = made_for.iter().position(|of| *of == owner).unwrap_or(made.len());
                        made_for.truncate(from);
                        let unlisted = made.split_off(from);
                        self.make_listed(comodel, unlisted).await?;
                        off.clear();
                        (on, clear) = (ids, true);
                    }
                }
            }
            if !new && clear {
                let statement = self.planner(registry).unlink_all(link, owner, &on)?;
                self.change_count(model, statement).await?;
            }
            if !new && !off.is_empty() {
                let off: Vec<Id> = off.into_iter().collect();
                let statement = self.planner(registry).unlink(link, owner, &off);
                self.change_count(model, statement).await?;
            }
            put.extend(on.into_iter().map(|id| (owner, id)));
        }
        self.check_visible(link.comodel, put.iter().map(|(_, id)| *id)).await?;
        put.extend(made_for.into_iter().zip(self.make_listed(comodel, made).await?));
        for pairs in put.chunks(CHUNK) {
            let statement = self.planner(registry).link(link, pairs)?;
            self.change_count(model, statement).await?;
        }
        Ok(())
    }

    /// Nobody puts on a list what he may not see.
    async fn check_visible(&mut self, model: &ModelDef, ids: impl Iterator<Item = Id>) -> Result<(), Error> {
        if self.actor.rights.is_none() {
            return Ok(());
        }
        let ids: Vec<Id> = ids.collect::<BTreeSet<_>>().into_iter().collect();
        if ids.is_empty() {
            return Ok(());
        }
        self.check_access(&model.name, &ids, Operation::Read).await
    }
}

/// The two ends of a one2many field.
struct Children<'r> {
    model: &'r ModelDef,
    field: &'r FieldDef,
    comodel: &'r ModelDef,
    inverse: &'r FieldDef,
}

impl Children<'_> {
    fn of(&self, owner: Id, values: Values) -> Values {
        let mut values = match self.inverse.kind {
            Kind::Integer => values.with(self.inverse.name.clone(), owner.0),
            _ => values.with(self.inverse.name.clone(), owner),
        };
        if let (Kind::Integer, Some(name)) = (&self.inverse.kind, self.comodel.model_name_field()) {
            values.set(name.name.clone(), &*self.model.name);
        }
        values
    }
}

/// Neighbours of one kind together, so that each kind costs one statement.
enum Gathered {
    Create(Vec<Values>),
    Update(Id, Values),
    Delete(Vec<Id>),
    Unlink(Vec<Id>),
    Link(Vec<Id>),
    Set(Vec<Id>),
}

fn gathered(commands: Vec<Command>) -> Vec<Gathered> {
    let mut all: Vec<Gathered> = Vec::with_capacity(commands.len());
    for command in commands {
        match (command, all.last_mut()) {
            (Command::Create(values), Some(Gathered::Create(list))) => list.push(values),
            (Command::Create(values), _) => all.push(Gathered::Create(vec![values])),
            (Command::Update(id, values), _) => all.push(Gathered::Update(id, values)),
            (Command::Delete(id), Some(Gathered::Delete(list))) => list.push(id),
            (Command::Delete(id), _) => all.push(Gathered::Delete(vec![id])),
            (Command::Unlink(id), Some(Gathered::Unlink(list))) => list.push(id),
            (Command::Unlink(id), _) => all.push(Gathered::Unlink(vec![id])),
            (Command::Link(id), Some(Gathered::Link(list))) => list.push(id),
            (Command::Link(id), _) => all.push(Gathered::Link(vec![id])),
            (Command::Clear, _) => all.push(Gathered::Set(Vec::new())),
            (Command::Set(ids), _) => all.push(Gathered::Set(ids)),
        }
    }
    all
}
