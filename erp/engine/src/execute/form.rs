//! A form that is being filled in: what follows from what a person has typed, with nothing written.
//!
//! The form is a tree: the record, and the lines of its lists as far as the form holds them. What the form does not hold
//! comes from the saved records. Computed fields are evaluated along their order, then the functions of what changed
//! run, and so on until nothing changes any more.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use futures_util::future::BoxFuture;

use super::{
    Env,
    compute::{evaluate, fitting},
};
use crate::{
    declare::{Draft, Inputs},
    error::Error,
    record::{Command, Values},
    resolve::{Computed, FieldDef, ModelDef, Registry, Source},
    value::{Id, Value},
};

/// How often functions may change what functions look at.
const MAX_ROUNDS: usize = 30;

/// The record of a form, or a line of a list on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) model: Arc<str>,
    pub(crate) id: Option<Id>,
    /// What the client calls a line that is not saved.
    pub(crate) key: Option<String>,
    pub(crate) values: BTreeMap<String, Value>,
    /// Lines of each list that the form holds, as positions in `Form::nodes`.
    pub(crate) lists: BTreeMap<String, Vec<usize>>,
    /// The record whose line it is, and the field by which it refers to it.
    pub(crate) owner: Option<(usize, Option<String>)>,
    /// What was not so before.
    pub(crate) changed: BTreeSet<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    /// The form's own record is the first.
    pub(crate) nodes: Vec<Node>,
    /// (title, message)
    pub(crate) warnings: Vec<(String, String)>,
}

impl Form {
    pub(crate) fn new(model: &Arc<str>, id: Option<Id>) -> Form {
        Form { nodes: vec![Node { model: model.clone(), id, ..Node::default() }], warnings: Vec::new() }
    }

    /// The record that the form's own one is a line of, by its many2one field `inverse`.
    pub(crate) fn add_owner(&mut self, inverse: &str, model: &Arc<str>, id: Option<Id>) -> usize {
        let at = self.nodes.len();
        self.nodes.push(Node { model: model.clone(), id, ..Node::default() });
        self.nodes[0].owner = Some((at, Some(inverse.to_owned())));
        at
    }

    pub(crate) fn add_line(&mut self, owner: usize, field: &FieldDef, model: &Arc<str>, id: Option<Id>) -> usize {
        let inverse = match &field.kind {
            crate::resolve::Kind::One2Many { inverse, .. } => Some(inverse.clone()),
            _ => None,
        };
        let at = self.nodes.len();
        self.nodes.push(Node { model: model.clone(), id, owner: Some((owner, inverse)), ..Node::default() });
        self.nodes[owner].lists.entry(field.name.clone()).or_default().push(at);
        at
    }
}

/// (model, field) whose values are not what they were.
type Dirty = BTreeSet<(Arc<str>, String)>;

impl Env {
    /// `changed`: what the person has just changed; nothing for a form that was just opened.
    pub(crate) async fn fill_form(&mut self, form: &mut Form, changed: &[String]) -> Result<(), Error> {
        let registry = self.registry.clone();
        let model = registry.model(&form.nodes[0].model)?;
        for name in changed {
            model.field(name)?;
        }
        let mut dirty: Dirty = changed.iter().map(|name| (model.name.clone(), name.clone())).collect();
        let mut waiting: Vec<String> = changed.to_vec();
        if form.nodes[0].id.is_none() {
            let unsaid = |field: &&FieldDef| {
                !field.is_computed() && !form.nodes[0].values.contains_key(&field.name) && self.may_see(field)
            };
            let fields: Vec<&FieldDef> =
                model.fields.iter().filter(unsaid).filter(|f| !form.nodes[0].lists.contains_key(&f.name)).collect();
            let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            let defaults = self.default_values(&model.name, &names).await?;
            for (name, value) in defaults.iter() {
                form.set(&registry, 0, name, value.clone())?;
                if changed.is_empty() {
                    form.nodes[0].changed.insert(name.to_owned());
                    waiting.push(name.to_owned());
                }
                dirty.insert((model.name.clone(), name.to_owned()));
            }
        }
        // A line by itself may stand in a form whose values are not saved either.
        if let Some((owner, _)) = form.nodes[0].owner {
            let above = &form.nodes[owner];
            dirty.extend(above.values.keys().map(|field| (above.model.clone(), field.clone())));
        }
        // Lines that the form brings may differ in anything from what is saved.
        for name in waiting.clone() {
            for at in form.nodes[0].lists.get(&name).cloned().unwrap_or_default() {
                let line = &form.nodes[at];
                let said = line.values.keys().chain(line.lists.keys());
                dirty.extend(said.map(|field| (line.model.clone(), field.clone())));
            }
        }
        self.compute_form(&registry, form, &mut dirty, &mut waiting).await?;
        let mut done: BTreeSet<String> = BTreeSet::new();
        let mut at = 0;
        while at < waiting.len() && at < MAX_ROUNDS * 10 {
            let name = waiting[at].clone();
            at += 1;
            if !done.insert(name.clone()) {
                continue;
            }
            for (_, run) in model.behaviour.onchanges.iter().filter(|(field, _)| *field == name) {
                let mut draft = self.draft_of(&registry, model, form).await?;
                run(self, &mut draft).await?;
                form.warnings.append(&mut draft.warnings);
                let mut now_dirty = Dirty::new();
                for field in draft.changed {
                    model.field(&field)?;
                    let value = draft.values.remove(&field).unwrap_or_default();
                    if form.nodes[0].values.get(&field) == Some(&value) {
                        continue;
                    }
                    form.set(&registry, 0, &field, value)?;
                    form.nodes[0].changed.insert(field.clone());
                    now_dirty.insert((model.name.clone(), field.clone()));
                    waiting.push(field);
                }
                if !now_dirty.is_empty() {
                    self.compute_form(&registry, form, &mut now_dirty, &mut waiting).await?;
                }
            }
        }
        Ok(())
    }

    /// Every computed field of the form's records that looks at something dirty, lowest level first.
    async fn compute_form(
        &mut self,
        registry: &Registry,
        form: &mut Form,
        dirty: &mut Dirty,
        waiting: &mut Vec<String>,
    ) -> Result<(), Error> {
        let models: BTreeSet<Arc<str>> = form.nodes.iter().map(|node| node.model.clone()).collect();
        let mut all: Vec<&Computed> =
            registry.computeds.all.iter().filter(|computed| models.contains(&computed.model)).collect();
        all.sort_by_key(|computed| computed.level);
        for computed in all {
            if matches!(computed.source, Source::Query(_)) {
                continue;
            }
            let model = registry.model(&computed.model)?;
            let field = model.field(&computed.field)?;
            let touched = computed.depends.iter().any(|path| is_dirty(registry, model, path, dirty));
            let of_model = (0..form.nodes.len()).filter(|at| form.nodes[*at].model == computed.model);
            let at: Vec<usize> = of_model
                .filter(|at| {
                    let node = &form.nodes[*at];
                    let unknown = node.id.is_none() && !node.values.contains_key(&field.name);
                    let given = node.changed.contains(&field.name) && !field.readonly && field.default.is_some();
                    (touched || unknown) && !given
                })
                .collect();
            // What a person has just typed into a field that he may write stays.
            let at: Vec<usize> =
                at.into_iter().filter(|at| *at != 0 || field.readonly || !waiting.contains(&field.name)).collect();
            if at.is_empty() {
                continue;
            }
            let mut columns: Vec<Vec<Vec<Value>>> = Vec::with_capacity(computed.depends.len());
            for path in computed.depends.iter() {
                columns.push(self.along(registry, form, &at, path).await?);
            }
            let before = self.along(registry, form, &at, &computed.field).await?;
            let context = self.context().clone();
            for (row, node) in at.into_iter().enumerate() {
                let values: Vec<Vec<Value>> = columns.iter().map(|column| column[row].clone()).collect();
                let inputs = Inputs::new(form.nodes[node].id, &computed.depends, &values, &context);
                let value = evaluate(computed, field.kind.is_list(), &inputs, &context, self.now)
                    .and_then(|value| fitting(registry, model, computed, value))?;
                let same = match &value {
                    Value::Ids(ids) => ids.iter().copied().eq(before[row].iter().filter_map(Value::as_id)),
                    value => before[row].first().unwrap_or(&Value::Null) == value,
                };
                let known = form.nodes[node].values.contains_key(&field.name);
                form.nodes[node].values.insert(field.name.clone(), value);
                if !same || !known && form.nodes[node].id.is_none() {
                    form.nodes[node].changed.insert(field.name.clone());
                    dirty.insert((model.name.clone(), field.name.clone()));
                    if node == 0 && !same {
                        waiting.push(field.name.clone());
                    }
                }
            }
        }
        Ok(())
    }

    /// What stands at the end of a path from each of these records of the form, which are of one model.
    fn along<'a>(
        &'a mut self,
        registry: &'a Registry,
        form: &'a Form,
        at: &'a [usize],
        path: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Vec<Value>>, Error>> {
        Box::pin(async move {
            let mut found: Vec<Vec<Value>> = vec![Vec::new(); at.len()];
            let Some(first_node) = at.first() else { return Ok(found) };
            let model = registry.model(&form.nodes[*first_node].model)?;
            let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
            let field = model.field(first)?;
            if let Some(related) = field.related.as_ref().filter(|_| !field.store) {
                let whole = rest.map_or_else(|| related.clone(), |rest| format!("{related}.{rest}"));
                return self.along(registry, form, at, &whole).await;
            }
            // Row of the answer with: the line or owner in the form, the record elsewhere, the saved record itself.
            let (mut inside, mut elsewhere, mut saved) = (Vec::new(), Vec::new(), Vec::new());
            for (row, node) in at.iter().map(|at| &form.nodes[*at]).enumerate() {
                match (&node.owner, node.lists.get(first), node.values.get(first)) {
                    (Some((owner, Some(inverse))), ..) if inverse == first => match rest {
                        Some(_) => inside.push((row, *owner)),
                        None => found[row].push(form.nodes[*owner].id.map_or(Value::Null, Value::Id)),
                    },
                    (_, Some(lines), _) => match rest {
                        Some(_) => inside.extend(lines.iter().map(|line| (row, *line))),
                        None => found[row]
                            .extend(lines.iter().map(|line| form.nodes[*line].id.map_or(Value::Null, Value::Id))),
                    },
                    (_, _, Some(value)) => match (rest, value) {
                        (None, Value::Ids(ids)) => found[row].extend(ids.iter().copied().map(Value::Id)),
                        (None, value) => found[row].push(value.clone()),
                        (Some(_), Value::Ids(ids)) => elsewhere.extend(ids.iter().map(|id| (row, *id))),
                        (Some(_), value) => elsewhere.extend(value.as_id().map(|id| (row, id))),
                    },
                    (_, None, None) => saved.extend(node.id.map(|id| (row, id))),
                }
            }
            if let Some(rest) = rest {
                let nodes: Vec<usize> = inside.iter().map(|(_, node)| *node).collect();
                let values = self.along(registry, form, &nodes, rest).await?;
                for ((row, _), values) in inside.into_iter().zip(values) {
                    found[row].extend(values);
                }
                if let Some(comodel) = field.kind.comodel().filter(|_| !elsewhere.is_empty()) {
                    let comodel = registry.model(comodel)?;
                    self.saved_values(registry, comodel, &elsewhere, rest, &mut found).await?;
                }
            }
            if !saved.is_empty() {
                self.saved_values(registry, model, &saved, path, &mut found).await?;
            }
            Ok(found)
        })
    }

    async fn saved_values(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        wanted: &[(usize, Id)],
        path: &str,
        found: &mut [Vec<Value>],
    ) -> Result<(), Error> {
        let ids: BTreeSet<Id> = wanted.iter().map(|(_, id)| *id).collect();
        let ids: Vec<Id> = ids.into_iter().collect();
        let path = [path.to_owned()];
        let there = self.gather(registry, model, &ids, &path).await?;
        let rows: HashMap<Id, usize> = there.ids.iter().enumerate().map(|(row, id)| (*id, row)).collect();
        for (row, id) in wanted {
            if let Some(at) = rows.get(id) {
                found[*row].extend(there.of(&path[0], *at).iter().cloned());
            }
        }
        Ok(())
    }

    /// The form as its functions see it: what it holds over what is saved.
    async fn draft_of(&mut self, registry: &Registry, model: &ModelDef, form: &Form) -> Result<Draft, Error> {
        let root = &form.nodes[0];
        let mut draft = Draft { model: model.name.clone(), id: root.id, ..Draft::default() };
        if let Some(id) = root.id {
            let names: Vec<&str> = model.stored().map(|field| field.name.as_str()).collect();
            let paths: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let saved = self.gather(registry, model, &[id], &paths).await?;
            for path in paths.iter().filter(|_| !saved.ids.is_empty()) {
                draft.values.set(path.clone(), saved.of(path, 0).first().cloned().unwrap_or_default());
            }
        }
        for (name, value) in &root.values {
            draft.values.set(name.clone(), value.clone());
        }
        for (name, lines) in &root.lists {
            let command = |at: &usize| {
                let line = &form.nodes[*at];
                let values = line
                    .values
                    .iter()
                    .fold(Values::new(), |values, (name, value)| values.with(name.clone(), value.clone()));
                match line.id {
                    Some(id) if values.is_empty() => Command::Link(id),
                    Some(id) => Command::Update(id, values),
                    None => Command::Create(values),
                }
            };
            draft.values.set(name.clone(), lines.iter().map(command).collect::<Vec<Command>>());
        }
        Ok(draft)
    }
}

impl Form {
    /// A value that a default or a function gives: commands become lines.
    fn set(&mut self, registry: &Registry, at: usize, name: &str, value: Value) -> Result<(), Error> {
        let model = registry.model(&self.nodes[at].model)?;
        let field = model.field(name)?;
        let value = crate::resolve::coerce::to_store(field, value).map_err(|problem| Error::Validation {
            model: model.name.to_string(),
            field: name.to_owned(),
            problem,
        })?;
        let Value::Commands(commands) = value else {
            self.nodes[at].values.insert(name.to_owned(), value);
            return Ok(());
        };
        let Some(comodel) = field.kind.comodel() else { return Ok(()) };
        self.nodes[at].lists.entry(name.to_owned()).or_default();
        for command in commands {
            self.apply(registry, at, field, comodel, None, command)?;
        }
        Ok(())
    }

    /// One change of a list that the form holds.
    pub(crate) fn apply(
        &mut self,
        registry: &Registry,
        at: usize,
        field: &FieldDef,
        comodel: &Arc<str>,
        key: Option<String>,
        command: Command,
    ) -> Result<(), Error> {
        let line_of = |form: &Form, id: Id| {
            let lines = form.nodes[at].lists.get(&field.name);
            lines.into_iter().flatten().copied().find(|line| form.nodes[*line].id == Some(id))
        };
        let (line, values) = match command {
            Command::Create(values) => (self.add_line(at, field, comodel, None), values),
            Command::Update(id, values) => {
                let line = line_of(self, id).unwrap_or_else(|| self.add_line(at, field, comodel, Some(id)));
                (line, values)
            }
            Command::Link(id) => {
                if line_of(self, id).is_none() {
                    self.add_line(at, field, comodel, Some(id));
                }
                return Ok(());
            }
            Command::Delete(id) | Command::Unlink(id) => {
                let gone = line_of(self, id);
                let lines = self.nodes[at].lists.entry(field.name.clone()).or_default();
                lines.retain(|line| Some(*line) != gone);
                return Ok(());
            }
            Command::Clear => {
                self.nodes[at].lists.insert(field.name.clone(), Vec::new());
                return Ok(());
            }
            Command::Set(ids) => {
                self.nodes[at].lists.insert(field.name.clone(), Vec::new());
                for id in ids {
                    self.add_line(at, field, comodel, Some(id));
                }
                return Ok(());
            }
        };
        self.nodes[line].key = key;
        for (name, value) in values.iter() {
            self.set(registry, line, name, value.clone())?;
        }
        Ok(())
    }
}

/// Whether the path leads over anything that changed.
fn is_dirty(registry: &Registry, model: &ModelDef, path: &str, dirty: &Dirty) -> bool {
    let mut at = model;
    let mut names: Vec<&str> = path.rsplit('.').collect();
    let mut steps = 0;
    while let Some(name) = names.pop() {
        steps += 1;
        let Some(field) = at.find(name).filter(|_| steps < 32) else { return false };
        if dirty.contains(&(at.name.clone(), name.to_owned())) {
            return true;
        }
        if let Some(related) = field.related.as_ref().filter(|_| !field.store) {
            names.extend(related.rsplit('.'));
            continue;
        }
        match field.kind.comodel().and_then(|comodel| registry.models.get(comodel)) {
            Some(comodel) => at = comodel,
            None => return false,
        }
    }
    false
}
