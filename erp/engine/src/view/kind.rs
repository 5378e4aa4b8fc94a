use std::fmt;

use serde::{Deserialize, Serialize};

use super::xml::Tree;

/// The ways to show records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ViewKind {
    Form,
    #[serde(alias = "tree")]
    List,
    Kanban,
    Search,
    Pivot,
    Graph,
    Calendar,
    Gantt,
    Map,
    Cohort,
    Activity,
    Dashboard,
}

impl ViewKind {
    pub const ALL: [ViewKind; 12] = [
        ViewKind::Form,
        ViewKind::List,
        ViewKind::Kanban,
        ViewKind::Search,
        ViewKind::Pivot,
        ViewKind::Graph,
        ViewKind::Calendar,
        ViewKind::Gantt,
        ViewKind::Map,
        ViewKind::Cohort,
        ViewKind::Activity,
        ViewKind::Dashboard,
    ];

    pub fn name(self) -> &'static str {
        match self {
            ViewKind::Form => "form",
            ViewKind::List => "list",
            ViewKind::Kanban => "kanban",
            ViewKind::Search => "search",
            ViewKind::Pivot => "pivot",
            ViewKind::Graph => "graph",
            ViewKind::Calendar => "calendar",
            ViewKind::Gantt => "gantt",
            ViewKind::Map => "map",
            ViewKind::Cohort => "cohort",
            ViewKind::Activity => "activity",
            ViewKind::Dashboard => "dashboard",
        }
    }

    /// `tree` is what lists were called for long, and still are by many clients.
    pub fn from_name(name: &str) -> Option<ViewKind> {
        if name == "tree" {
            return Some(ViewKind::List);
        }
        ViewKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub(crate) fn names() -> String {
        ViewKind::ALL.map(ViewKind::name).join(", ")
    }
}

impl fmt::Display for ViewKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the root element of an architecture says; nothing for an extension, or what is no architecture.
pub fn kind_of_arch(arch: &str) -> Option<ViewKind> {
    let tree = Tree::parse(arch, 0).ok()?;
    ViewKind::from_name(tree.tag(tree.root()?))
}
