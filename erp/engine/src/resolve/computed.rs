//! Computed and related fields: what each depends on, in which order they are computed, and which of them a change of
//! some field reaches, by which way back.
//!
//! A path is taken apart into relations that are stored. A related field that is not stored is no step of its own but
//! stands for its path; one computed and not stored hands on what it depends on itself.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    sync::Arc,
};

use super::{
    ResolveErrors,
    registry::{FieldDef, Kind, ModelDef, Registry, shorten},
};
use crate::{
    declare::{App, Compute, ComputeFn, PureFn, QueryFn},
    expr::Node,
};

/// Relations in one path, those of related fields in it included.
const MAX_STEPS: usize = 16;

/// Every computed and related field, and what a change reaches.
#[derive(Debug, Default)]
pub(crate) struct Computeds {
    pub(crate) all: Vec<Computed>,
    by_field: HashMap<Arc<str>, HashMap<String, usize>>,
    ways: HashMap<Arc<str>, Ways>,
}

#[derive(Debug)]
pub(crate) struct Computed {
    pub(crate) model: Arc<str>,
    pub(crate) field: String,
    pub(crate) source: Source,
    /// Paths as they were declared: the names that the function knows them by.
    pub(crate) depends: Arc<[String]>,
    pub(crate) stored: bool,
    /// What it depends on stands on lower levels, but for the field itself in other records of a hierarchy.
    pub(crate) level: u32,
}

#[derive(Clone)]
pub(crate) enum Source {
    Pure(PureFn),
    Query(QueryFn),
    /// The value at the end of the one path it depends on.
    Related,
    Expr(Arc<Expression>),
}

/// An expression over the fields of a record.
#[derive(Debug)]
pub(crate) struct Expression {
    pub(crate) node: Node,
    /// What it looks at, and whether that is a list: the paths go through one.
    pub(crate) paths: BTreeMap<String, bool>,
    /// Whether it looks at computed fields.
    pub(crate) of_computed: bool,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Pure(_) => f.write_str("Pure"),
            Source::Query(_) => f.write_str("Query"),
            Source::Related => f.write_str("Related"),
            Source::Expr(expression) => write!(f, "Expr({})", expression.node),
        }
    }
}

/// The ways back from changes of one model's records.
#[derive(Debug, Default)]
struct Ways {
    all: Vec<Arc<[Hop]>>,
    /// Field -> (position of a way, position in `Computeds::all` of what it leads to).
    by_field: HashMap<String, Vec<(usize, usize)>>,
}

/// Which stored fields a change reaches by one way.
#[derive(Debug)]
pub(crate) struct Trigger {
    /// From the changed records back to those whose fields depend on them; empty for the same records.
    pub(crate) hops: Arc<[Hop]>,
    /// Positions in `Computeds::all`.
    pub(crate) targets: Vec<usize>,
}

/// One relation, walked against the direction of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Hop {
    /// To the records of `model` that hold these in the many2one field `field`.
    Holders { model: Arc<str>, field: String },
    /// To what the records of `model` hold in `field`, the inverse of a one2many field. `of`: only where this text field
    /// has this value, for inverses that are the id of a record of any model.
    Held { model: Arc<str>, field: String, of: Option<(String, Arc<str>)> },
    /// Through a link table.
    Linked { relation: String, from: String, to: String },
}

impl Computeds {
    /// Whether the model has any computed field.
    pub(crate) fn any_of(&self, model: &str) -> bool {
        self.by_field.contains_key(model)
    }

    pub(crate) fn position(&self, model: &str, field: &str) -> Option<usize> {
        self.by_field.get(model)?.get(field).copied()
    }

    /// What a change of these fields reaches; of every field where none is named.
    pub(crate) fn reached(&self, model: &str, fields: Option<&[&str]>) -> Vec<Trigger> {
        let Some(ways) = self.ways.get(model) else { return Vec::new() };
        let mut found: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut add = |pairs: &Vec<(usize, usize)>| {
            for (way, target) in pairs {
                let targets = found.entry(*way).or_default();
                if !targets.contains(target) {
                    targets.push(*target);
                }
            }
        };
        match fields {
            Some(fields) => fields.iter().filter_map(|field| ways.by_field.get(*field)).for_each(&mut add),
            None => ways.by_field.values().for_each(&mut add),
        }
        found.into_iter().map(|(way, targets)| Trigger { hops: ways.all[way].clone(), targets }).collect()
    }

    /// Stored computed fields of the model.
    pub(crate) fn stored_of(&self, model: &str) -> impl Iterator<Item = usize> {
        self.by_field.get(model).into_iter().flat_map(HashMap::values).copied().filter(|at| self.all[*at].stored)
    }

    fn watch(&mut self, model: &Arc<str>, field: &str, hops: Vec<Hop>, target: usize) {
        let ways = self.ways.entry(model.clone()).or_default();
        let way = match ways.all.iter().position(|known| **known == *hops) {
            Some(way) => way,
            None => {
                ways.all.push(hops.into());
                ways.all.len() - 1
            }
        };
        let of_field = ways.by_field.entry(field.to_owned()).or_default();
        if !of_field.contains(&(way, target)) {
            of_field.push((way, target));
        }
    }
}

/// A step of a path that is stored.
#[derive(Clone, Copy)]
pub(crate) struct Stride<'r> {
    pub(crate) model: &'r ModelDef,
    pub(crate) field: &'r FieldDef,
    pub(crate) comodel: &'r ModelDef,
}

/// The end of a path: a field that is stored, or one computed and not stored.
pub(crate) struct Walk<'r> {
    pub(crate) strides: Vec<Stride<'r>>,
    pub(crate) model: &'r ModelDef,
    pub(crate) field: &'r FieldDef,
    /// Computed fields on the way that are kept in columns.
    passed: Vec<(&'r ModelDef, &'r FieldDef, usize)>,
}

/// Follows a path over stored relations; related fields on the way are replaced by their paths.
pub(crate) fn walk<'r>(registry: &'r Registry, model: &'r ModelDef, path: &str) -> Result<Walk<'r>, String> {
    let mut names: Vec<String> = path.split('.').rev().map(str::to_owned).collect();
    let mut walk = Walk { strides: Vec::new(), model, field: &model.fields[0], passed: Vec::new() };
    let mut replaced = 0;
    while let Some(name) = names.pop() {
        let at = walk.model;
        let field = at.find(&name).ok_or_else(|| format!("{} has no field {}", at.name, shorten(&name)))?;
        if let Some(related) = field.related.as_ref().filter(|_| !field.store) {
            replaced += 1;
            if replaced > MAX_STEPS || walk.strides.len() == MAX_STEPS {
                return Err(format!("related field {name} of {} leads back to itself", at.name));
            }
            names.extend(related.split('.').rev().map(str::to_owned));
            continue;
        }
        walk.field = field;
        if names.is_empty() {
            break;
        }
        let Some(comodel) = field.kind.comodel() else {
            return Err(format!("{name} of {} is no relation, nothing follows it", at.name));
        };
        if field.is_computed() {
            if !field.store {
                let problem = "is computed and not stored, so a path cannot go through it; store it";
                return Err(format!("{name} of {} {problem}", at.name));
            }
            walk.passed.push((at, field, walk.strides.len()));
        }
        let comodel = registry.models.get(comodel).ok_or_else(|| format!("no app declares model {comodel}"))?;
        walk.strides.push(Stride { model: at, field, comodel });
        if walk.strides.len() > MAX_STEPS {
            return Err(format!("it goes through more than {MAX_STEPS} relations"));
        }
        walk.model = comodel;
    }
    Ok(walk)
}

pub(super) fn order(apps: &[&App], registry: &mut Registry, errors: &mut ResolveErrors) {
    let mut found = collect(apps, registry, errors);
    // Without every path known, neither order nor ways back mean anything.
    let Some(edges) = edges(registry, &found, errors) else { return };
    level(&mut found, &edges, registry, errors);
    for at in 0..found.all.len() {
        if found.all[at].stored {
            let model = found.all[at].model.clone();
            let depends = found.all[at].depends.clone();
            for path in depends.iter() {
                watch(registry, &mut found, &model, path, &[], at, &mut HashSet::new());
            }
        }
    }
    registry.computeds = found;
}

/// The fields with their functions.
fn collect(apps: &[&App], registry: &Registry, errors: &mut ResolveErrors) -> Computeds {
    let mut found = Computeds::default();
    // What a mixin computes is computed in the models that take it.
    for model in registry.models().filter(|model| !model.is_abstract) {
        for field in model.fields.iter().filter(|field| field.is_computed()) {
            let mut wrong = |problem: String| errors.field(&field.app, &model.name, &field.name, problem);
            let (source, depends) = match (&field.compute, &field.related) {
                (Some(_), Some(_)) => {
                    wrong("it is either computed or related, not both".to_owned());
                    continue;
                }
                (None, Some(path)) => (Source::Related, vec![path.clone()]),
                (Some(Compute::Code { function, depends, .. }), _) => match function_of(apps, &field.app, function) {
                    Ok(ComputeFn::Pure(pure)) => (Source::Pure(pure), depends.clone()),
                    Ok(ComputeFn::Query(query)) => (Source::Query(query), depends.clone()),
                    Err(problem) => {
                        wrong(problem);
                        continue;
                    }
                },
                (Some(Compute::Expr(text)), _) => match Expression::parse(registry, model, text) {
                    Ok(expression) => {
                        let depends = expression.paths.keys().cloned().collect();
                        (Source::Expr(Arc::new(expression)), depends)
                    }
                    Err(problem) => {
                        wrong(format!("its expression: {problem}"));
                        continue;
                    }
                },
                (None, None) => continue,
            };
            if field.store && matches!(field.kind, Kind::One2Many { .. }) {
                wrong("a one2many field is kept by its records, so it cannot be stored".to_owned());
            }
            if field.default.is_some() && !field.store {
                wrong("it is computed and not stored, so a default is never used".to_owned());
            }
            let at = found.all.len();
            found.by_field.entry(model.name.clone()).or_default().insert(field.name.clone(), at);
            found.all.push(Computed {
                model: model.name.clone(),
                field: field.name.clone(),
                source,
                depends: depends.into(),
                stored: field.store,
                level: 0,
            });
        }
    }
    found
}

/// The function of the field's own app, else the only one of this name.
fn function_of(apps: &[&App], own: &str, name: &str) -> Result<ComputeFn, String> {
    let mut having = apps.iter().filter_map(|app| Some((&app.name, *app.code.computes.get(name)?)));
    let by_own = apps.iter().find(|app| app.name == own).and_then(|app| app.code.computes.get(name));
    match (by_own, having.next(), having.next()) {
        (Some(own), ..) => Ok(*own),
        (None, Some((_, only)), None) => Ok(only),
        (None, None, _) => Err(format!("no app has a function {name} to compute it with")),
        (None, Some((a, _)), Some((b, _))) => {
            Err(format!("apps {a} and {b} both have a function {name}; name one that is there once"))
        }
    }
}

impl Expression {
    /// Its paths are those of the model's fields.
    pub(crate) fn parse(registry: &Registry, model: &ModelDef, text: &str) -> Result<Expression, String> {
        let node = crate::expr::parse(text).map_err(|error| error.to_string())?;
        let paths = node.paths();
        if let Some(user) = paths.user.iter().next() {
            return Err(format!("user.{user}: it cannot depend on who looks at it"));
        }
        let (mut own, mut of_computed) = (BTreeMap::new(), false);
        for path in &paths.others {
            let path = path.strip_suffix(".ids").unwrap_or(path);
            let walk = walk(registry, model, path)?;
            let many = walk.field.kind.is_list() || walk.strides.iter().any(|stride| stride.field.kind.is_list());
            of_computed |= walk.field.is_computed() || !walk.passed.is_empty();
            own.insert(path.to_owned(), many);
        }
        Ok(Expression { node, paths: own, of_computed })
    }
}

/// For each computed field those that it looks at: (position, in other records of a hierarchy).
type Edges = Vec<BTreeMap<usize, bool>>;

fn edges(registry: &Registry, found: &Computeds, errors: &mut ResolveErrors) -> Option<Edges> {
    let mut edges: Edges = Vec::with_capacity(found.all.len());
    let mut sound = true;
    for computed in &found.all {
        let mut own = BTreeMap::new();
        let Some(model) = registry.models.get(&computed.model) else { continue };
        let app = model.find(&computed.field).map_or("", |field| field.app.as_str());
        for path in computed.depends.iter() {
            match walk(registry, model, path) {
                Err(problem) => {
                    sound = false;
                    let problem = format!("it depends on {}: {problem}", shorten(path));
                    errors.field(app, &computed.model, &computed.field, problem);
                }
                Ok(walk) => {
                    let end = (walk.model, walk.field, walk.strides.len());
                    for (at, field, strides) in walk.passed.iter().copied().chain([end]) {
                        let Some(to) = found.position(&at.name, &field.name) else { continue };
                        let hierarchy = strides > 0
                            && walk.strides[..strides].iter().all(|stride| stride.model.name == stride.comodel.name);
                        let known = own.entry(to).or_insert(true);
                        *known &= hierarchy;
                    }
                }
            }
        }
        edges.push(own);
    }
    sound.then_some(edges)
}

/// Each field one level above the highest that it looks at.
fn level(found: &mut Computeds, edges: &Edges, registry: &Registry, errors: &mut ResolveErrors) {
    let mut done: Vec<Option<u32>> = vec![None; found.all.len()];
    let mut told: HashSet<usize> = HashSet::new();
    for start in 0..found.all.len() {
        let mut way: Vec<usize> = Vec::new();
        visit(start, found, edges, &mut done, &mut way, &mut told, registry, errors);
    }
    for (computed, level) in found.all.iter_mut().zip(done) {
        computed.level = level.unwrap_or(0);
    }
}

#[allow(clippy::too_many_arguments, reason = "one walk over the graph with all that it fills")]
fn visit(
    at: usize,
    found: &Computeds,
    edges: &Edges,
    done: &mut [Option<u32>],
    way: &mut Vec<usize>,
    told: &mut HashSet<usize>,
    registry: &Registry,
    errors: &mut ResolveErrors,
) -> u32 {
    if let Some(level) = done[at] {
        return level;
    }
    way.push(at);
    let mut level = 0;
    for (&to, &hierarchy) in &edges[at] {
        // A total over child records, a path over parents: the same field of other records, up or down a tree.
        if to == at && hierarchy && found.all[at].stored {
            continue;
        }
        if let Some(from) = way.iter().position(|passed| *passed == to) {
            let circle = &way[from..];
            if circle.iter().all(|passed| told.insert(*passed)) {
                tell_circle(circle, found, registry, errors);
            }
            continue;
        }
        level = level.max(1 + visit(to, found, edges, done, way, told, registry, errors));
    }
    way.pop();
    done[at] = Some(level);
    level
}

fn tell_circle(circle: &[usize], found: &Computeds, registry: &Registry, errors: &mut ResolveErrors) {
    let name = |at: &usize| format!("{}.{}", found.all[*at].model, found.all[*at].field);
    let names: Vec<String> = circle.iter().chain(&circle[..1]).map(name).collect();
    let first = &found.all[circle[0]];
    let field = registry.models.get(&first.model).and_then(|model| model.find(&first.field));
    let app = field.map_or("", |field| field.app.as_str());
    let stored = if circle.len() == 1 && !first.stored {
        "; store it if it depends on itself in a parent or in children only"
    } else {
        ""
    };
    let problem = format!("it depends on itself: {}{stored}", names.join(" -> "));
    errors.field(app, &first.model, &first.field, problem);
}

/// Notes every field whose change reaches `target` along a path. `before`: the strides from the target's model to where
/// the path begins.
fn watch<'r>(
    registry: &'r Registry,
    found: &mut Computeds,
    model: &str,
    path: &str,
    before: &[Stride<'r>],
    target: usize,
    handed: &mut HashSet<(Arc<str>, String)>,
) {
    let Some(model) = registry.models.get(model) else { return };
    let Ok(walk) = walk(registry, model, path) else { return };
    let mut strides = before.to_vec();
    for stride in &walk.strides {
        step(registry, found, &strides, stride, target);
        strides.push(*stride);
    }
    let field = walk.field;
    if field.is_computed() && !field.store {
        let Some(at) = found.position(&walk.model.name, &field.name) else { return };
        if handed.insert((walk.model.name.clone(), path.to_owned())) {
            for next in found.all[at].depends.clone().iter() {
                watch(registry, found, &walk.model.name, next, &strides, target, handed);
            }
        }
        return;
    }
    match field.kind.comodel().filter(|_| field.kind.is_list()).and_then(|name| registry.models.get(name)) {
        Some(comodel) => step(registry, found, &strides, &Stride { model: walk.model, field, comodel }, target),
        None => found.watch(&walk.model.name, &field.name, back(&strides), target),
    }
}

/// Everything that changes where one stride leads.
fn step(registry: &Registry, found: &mut Computeds, before: &[Stride<'_>], stride: &Stride<'_>, target: usize) {
    let beyond = || back(&[before, &[*stride]].concat());
    match &stride.field.kind {
        Kind::One2Many { inverse, .. } => {
            found.watch(&stride.comodel.name, inverse, beyond(), target);
            found.watch(&stride.comodel.name, "id", beyond(), target);
        }
        Kind::Many2Many { relation, column1, .. } => {
            found.watch(&stride.model.name, &stride.field.name, back(before), target);
            found.watch(&stride.comodel.name, "id", beyond(), target);
            // The same links, written from their other side.
            for other in registry.models.get(&stride.comodel.name).into_iter().flat_map(|model| &model.fields) {
                if let Kind::Many2Many { relation: same, column2, .. } = &other.kind
                    && same == relation
                    && column2 == column1
                {
                    found.watch(&stride.comodel.name, &other.name, beyond(), target);
                }
            }
        }
        _ => {
            found.watch(&stride.model.name, &stride.field.name, back(before), target);
            return;
        }
    }
    // Archived records are on no list.
    if let Some(active) = active_field(stride.comodel) {
        found.watch(&stride.comodel.name, &active, beyond(), target);
    }
}

fn active_field(model: &ModelDef) -> Option<String> {
    let field = ["active", "x_active"].iter().find_map(|name| model.find(name))?;
    (field.kind == Kind::Boolean && field.is_column()).then(|| field.name.clone())
}

/// The way back along strides.
fn back(strides: &[Stride<'_>]) -> Vec<Hop> {
    let hop = |stride: &Stride<'_>| match &stride.field.kind {
        Kind::One2Many { inverse, .. } => {
            let by_number = stride.comodel.find(inverse).is_some_and(|field| field.kind == Kind::Integer);
            let of = stride.comodel.fields.iter().filter(|_| by_number);
            let of = of.filter(|field| matches!(field.name.as_str(), "res_model" | "model")).map(|field| &field.name);
            Hop::Held {
                model: stride.comodel.name.clone(),
                field: inverse.clone(),
                of: of.max().map(|name| (name.clone(), stride.model.name.clone())),
            }
        }
        Kind::Many2Many { relation, column1, column2, .. } => {
            Hop::Linked { relation: relation.clone(), from: column2.clone(), to: column1.clone() }
        }
        _ => Hop::Holders { model: stride.model.name.clone(), field: stride.field.name.clone() },
    };
    strides.iter().rev().map(hop).collect()
}
