//! Screens and what leads to them: views, actions, menus. Loaded as records under external ids, where people change them.

use serde::{Deserialize, Serialize};

/// An XML architecture, or an extension of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// External id within the app, such as `view_partner_form`.
    pub id: String,
    /// Nothing for an extension: it is the model of the view that it extends.
    #[serde(default)]
    pub model: String,
    /// The root element's name says the type: form, list, kanban, search...
    pub arch: String,
    /// External id of the view that this one extends.
    #[serde(default)]
    pub inherit: Option<String>,
    /// With `inherit`: a view of its own that starts as the other one, instead of changes to that one.
    #[serde(default)]
    pub primary: bool,
    #[serde(default = "sixteen")]
    pub priority: i64,
    /// External ids of the groups that see it; everybody when empty.
    #[serde(default)]
    pub groups: Vec<String>,
}

fn sixteen() -> i64 {
    16
}

impl View {
    pub fn new(id: &str, model: &str, arch: &str) -> View {
        View {
            id: id.to_owned(),
            model: model.to_owned(),
            arch: arch.to_owned(),
            inherit: None,
            primary: false,
            priority: sixteen(),
            groups: Vec::new(),
        }
    }

    pub fn extend(id: &str, inherit: &str, arch: &str) -> View {
        View { inherit: Some(inherit.to_owned()), ..View::new(id, "", arch) }
    }

    /// A view of its own that starts as another one.
    pub fn from(id: &str, inherit: &str, arch: &str) -> View {
        View { primary: true, ..View::extend(id, inherit, arch) }
    }

    pub fn priority(mut self, priority: i64) -> View {
        self.priority = priority;
        self
    }

    pub fn groups(mut self, groups: &[&str]) -> View {
        self.groups = groups.iter().map(|&s| s.to_owned()).collect();
        self
    }
}

/// A window on records of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowAction {
    pub id: String,
    pub name: String,
    pub model: String,
    /// `list,form` when empty.
    #[serde(default)]
    pub view_mode: String,
    /// In the expression language.
    #[serde(default)]
    pub domain: String,
    #[serde(default)]
    pub context: String,
    /// `current`, `new` (a dialog), `main`.
    #[serde(default)]
    pub target: String,
    /// External ids of views to use, in the order of `view_mode`.
    #[serde(default)]
    pub views: Vec<String>,
    #[serde(default)]
    pub search_view: Option<String>,
    /// What an empty window says.
    #[serde(default)]
    pub help: String,
    #[serde(default)]
    pub groups: Vec<String>,
}

impl WindowAction {
    pub fn new(id: &str, name: &str, model: &str, view_mode: &str) -> WindowAction {
        WindowAction {
            id: id.to_owned(),
            name: name.to_owned(),
            model: model.to_owned(),
            view_mode: view_mode.to_owned(),
            ..WindowAction::default()
        }
    }

    pub fn domain(mut self, text: &str) -> WindowAction {
        self.domain = text.to_owned();
        self
    }

    pub fn context(mut self, text: &str) -> WindowAction {
        self.context = text.to_owned();
        self
    }

    /// External ids of views to use instead of the first ones of their types.
    pub fn views(mut self, ids: &[&str]) -> WindowAction {
        self.views = ids.iter().map(|&s| s.to_owned()).collect();
        self
    }

    pub fn search_view(mut self, id: &str) -> WindowAction {
        self.search_view = Some(id.to_owned());
        self
    }

    pub fn groups(mut self, groups: &[&str]) -> WindowAction {
        self.groups = groups.iter().map(|&s| s.to_owned()).collect();
        self
    }

    pub fn help(mut self, text: &str) -> WindowAction {
        self.help = text.to_owned();
        self
    }

    pub fn target(mut self, text: &str) -> WindowAction {
        self.target = text.to_owned();
        self
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Menu {
    pub id: String,
    pub name: String,
    /// External id; a menu without one is an app on the launcher.
    #[serde(default)]
    pub parent: Option<String>,
    /// External id of an action of any kind.
    #[serde(default)]
    pub action: Option<String>,
    #[serde(default = "ten")]
    pub sequence: i64,
    #[serde(default)]
    pub groups: Vec<String>,
    /// Name of an icon of the client.
    #[serde(default)]
    pub icon: String,
}

fn ten() -> i64 {
    10
}

impl Menu {
    pub fn new(id: &str, name: &str) -> Menu {
        Menu { id: id.to_owned(), name: name.to_owned(), sequence: ten(), ..Menu::default() }
    }

    pub fn parent(mut self, id: &str) -> Menu {
        self.parent = Some(id.to_owned());
        self
    }

    pub fn action(mut self, id: &str) -> Menu {
        self.action = Some(id.to_owned());
        self
    }

    pub fn sequence(mut self, sequence: i64) -> Menu {
        self.sequence = sequence;
        self
    }

    pub fn groups(mut self, groups: &[&str]) -> Menu {
        self.groups = groups.iter().map(|&s| s.to_owned()).collect();
        self
    }

    pub fn icon(mut self, name: &str) -> Menu {
        self.icon = name.to_owned();
        self
    }
}

/// A set of permissions that users are put into.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// External id within the app, such as `group_user`.
    pub id: String,
    pub name: String,
    /// The app's drop-down on the user's form; groups of one category that imply each other are its levels.
    #[serde(default)]
    pub category: String,
    /// External ids of groups that its users are in as well.
    #[serde(default)]
    pub implies: Vec<String>,
    /// Made to share data with some users, not to work with.
    #[serde(default)]
    pub share: bool,
    #[serde(default)]
    pub comment: String,
    /// External ids of users who are in it from the start.
    #[serde(default)]
    pub users: Vec<String>,
}

impl Group {
    pub fn new(id: &str, name: &str) -> Group {
        Group { id: id.to_owned(), name: name.to_owned(), ..Group::default() }
    }

    pub fn category(mut self, name: &str) -> Group {
        self.category = name.to_owned();
        self
    }

    pub fn implies(mut self, groups: &[&str]) -> Group {
        self.implies = groups.iter().map(|&s| s.to_owned()).collect();
        self
    }

    pub fn share(mut self) -> Group {
        self.share = true;
        self
    }

    pub fn comment(mut self, text: &str) -> Group {
        self.comment = text.to_owned();
        self
    }

    pub fn users(mut self, users: &[&str]) -> Group {
        self.users = users.iter().map(|&s| s.to_owned()).collect();
        self
    }
}

/// A file of records that comes with the app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// `res.country.csv` (the model is the name) or `views.xml`.
    pub name: String,
    pub content: String,
    /// Later upgrades leave what it made alone.
    #[serde(default)]
    pub noupdate: bool,
}

/// The app's words in one language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Translation {
    /// A language such as `de`, or one of a country such as `de_AT`, which says only what it says otherwise.
    pub lang: String,
    /// A PO file.
    pub content: String,
}
