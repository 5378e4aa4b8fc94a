//! Which views make up a view, in which order, and the tree that they give together.

use std::collections::HashSet;

use super::{
    ViewKind,
    error::{Origin, Problem, ViewError},
    inherit,
    xml::{At, Tree},
};

/// Views that one view extends, one through the other.
const MAX_PARENTS: usize = 50;

/// A view as it is kept: a whole architecture, or changes to another view's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ViewSource {
    pub id: i64,
    pub origin: Origin,
    pub model: String,
    pub kind: Option<ViewKind>,
    pub arch: String,
    /// The view it starts from.
    pub inherit_id: Option<i64>,
    pub priority: i64,
    /// With `inherit_id`: a view of its own that starts as the other one, instead of changes to that one.
    pub primary: bool,
    pub active: bool,
    /// Groups whose users it is for; of all when empty. Only for whole views.
    pub groups: Vec<i64>,
}

impl ViewSource {
    pub fn is_extension(&self) -> bool {
        self.inherit_id.is_some() && !self.primary
    }
}

/// A view with everything that other views change in it. Lines of errors can be traced to the view they came from.
#[derive(Clone, Debug)]
pub struct Combined {
    pub id: i64,
    pub model: String,
    pub kind: ViewKind,
    pub(crate) tree: Tree,
    /// What `At::source` of the tree's nodes counts.
    pub(crate) origins: Vec<Origin>,
}

impl Combined {
    /// The whole architecture as XML.
    pub fn arch(&self) -> String {
        self.tree.to_xml()
    }

    pub(crate) fn error(&self, at: At, problem: impl Into<String>) -> ViewError {
        let view = self.origins.get(at.source as usize).cloned().unwrap_or_default();
        ViewError { view, line: at.line, problem: problem.into() }
    }
}

/// `views`: all views there are, or at least those of the same line. `id`: the view that is asked for; of an
/// extension, the view that it ends up in.
pub fn combine(views: &[ViewSource], id: i64) -> Result<Combined, ViewError> {
    let find = |id: i64| views.iter().find(|view| view.id == id);
    let Some(asked) = find(id) else {
        let view = Origin { name: format!("#{id}"), external_id: None };
        return Err(ViewError { view, line: 1, problem: "there is no such view".to_owned() });
    };
    // From the asked view up to the one that starts from nothing, and down again.
    let mut own = asked;
    let mut seen = HashSet::from([id]);
    while own.is_extension() {
        own = parent(views, own, &mut seen)?;
    }
    let mut line = vec![own];
    while line.last().is_some_and(|view| view.inherit_id.is_some()) {
        let last = line[line.len() - 1];
        line.push(parent(views, last, &mut seen)?);
    }
    line.reverse();

    let mut joined = Joined { views, tree: None, origins: Vec::new() };
    for view in &line {
        joined.add(view)?;
        joined.extensions_of(view.id, &mut HashSet::new())?;
    }
    let Joined { tree, origins, .. } = joined;
    let Some(tree) = tree else {
        return Err(Problem::new(1, "the view is empty").of(&own.origin));
    };
    let kind = kind_of(own, &tree)?;
    Ok(Combined { id: own.id, model: own.model.clone(), kind, tree, origins })
}

fn parent<'v>(
    views: &'v [ViewSource],
    view: &ViewSource,
    seen: &mut HashSet<i64>,
) -> Result<&'v ViewSource, ViewError> {
    let of = |what: String| Problem::new(1, what).of(&view.origin);
    let id = view.inherit_id.unwrap_or_default();
    let found = views.iter().find(|other| other.id == id);
    let found = found.ok_or_else(|| of(format!("it extends view {id}, which does not exist")))?;
    if !seen.insert(id) || seen.len() > MAX_PARENTS {
        return Err(of(format!("it extends itself, by way of {}", found.origin)));
    }
    if found.model != view.model && !view.model.is_empty() && !view.primary {
        let (own, other) = (&view.model, &found.model);
        return Err(of(format!("it is for {own}, but extends {}, which is for {other}", found.origin)));
    }
    Ok(found)
}

fn kind_of(view: &ViewSource, tree: &Tree) -> Result<ViewKind, ViewError> {
    let tag = tree.root().map(|root| tree.tag(root)).unwrap_or_default();
    let found = ViewKind::from_name(tag).ok_or_else(|| {
        let what = format!("a view does not start with <{tag}>; it starts with its type: {}", ViewKind::names());
        Problem::new(1, what).of(&view.origin)
    })?;
    match view.kind {
        Some(kind) if kind != found => {
            let what = format!("the view is a {} view, but starts with <{tag}>", kind.name());
            Err(Problem::new(1, what).of(&view.origin))
        }
        _ => Ok(found),
    }
}

struct Joined<'v> {
    views: &'v [ViewSource],
    tree: Option<Tree>,
    origins: Vec<Origin>,
}

impl Joined<'_> {
    fn add(&mut self, view: &ViewSource) -> Result<(), ViewError> {
        let source = u32::try_from(self.origins.len()).unwrap_or(u32::MAX);
        self.origins.push(view.origin.clone());
        let parsed = Tree::parse(&view.arch, source).map_err(|problem| problem.of(&view.origin))?;
        match (&mut self.tree, view.inherit_id) {
            (Some(tree), Some(_)) => {
                inherit::apply(tree, &parsed).map_err(|problem| problem.of(&view.origin))?;
            }
            _ => self.tree = Some(parsed),
        }
        Ok(())
    }

    /// Extensions by priority, then by age; each is followed by those that extend it.
    fn extensions_of(&mut self, id: i64, within: &mut HashSet<i64>) -> Result<(), ViewError> {
        if !within.insert(id) {
            return Ok(());
        }
        let mut extensions: Vec<&ViewSource> = self
            .views
            .iter()
            .filter(|view| view.inherit_id == Some(id) && view.is_extension() && view.active)
            .collect();
        extensions.sort_by_key(|view| (view.priority, view.id));
        for view in extensions {
            parent(self.views, view, &mut HashSet::new())?;
            self.add(view)?;
            self.extensions_of(view.id, within)?;
        }
        Ok(())
    }
}
