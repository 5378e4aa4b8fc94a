//! What an app declares. Plain data: Rust code builds it, and so can a JSON or TOML file, or rows made by Studio.
//! Nothing here is checked; [`resolve`](crate::resolve) does that and says everything that is wrong at once.

mod code;
mod data;
mod field;
mod model;
mod view;

pub use code::{
    Call, CheckFn, Code, ComputeFn, DefaultFn, Done, Draft, Hook, Inputs, InverseFn, Job, JobFn, Method, MethodFn, On,
    OnchangeFn, Param, PureFn, QueryFn, Records, SearchFn, TaskFn, Tracked,
};
pub use data::{DataRow, DataValue};
pub use field::{Compute, Default, Field, FieldType, OnDelete};
pub use model::{Access, Check, Model, Principals, Rule, Unique};
pub use view::{DataFile, Group, Menu, Translation, View, WindowAction};

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, std::default::Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Technical name, such as `point_of_sale`; the first part of its external ids.
    pub name: String,
    #[serde(default)]
    pub label: String,
    /// Apps that must be loaded before.
    #[serde(default)]
    pub depends: Vec<String>,
    /// The model whose records are the users. Exactly one app declares it.
    #[serde(default)]
    pub principals: Option<Principals>,
    /// Further fields of his own record that every user may read and write.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own_fields: Vec<String>,
    #[serde(default)]
    pub models: Vec<Model>,
    #[serde(default)]
    pub access: Vec<Access>,
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Records that come with the app.
    #[serde(default)]
    pub data: Vec<DataRow>,
    /// Records of the make-believe company, loaded only when asked for.
    #[serde(default)]
    pub demo: Vec<DataRow>,
    /// Raised when an installed app must be upgraded: its records loaded anew.
    #[serde(default)]
    pub version: String,
    #[serde(default)]
    pub summary: String,
    #[serde(default)]
    pub description: String,
    /// Heading under which people find it.
    #[serde(default)]
    pub category: String,
    /// Shown as an app; else it is one of the `Extra` modules.
    #[serde(default)]
    pub application: bool,
    /// Installed by itself as soon as everything it depends on is.
    #[serde(default)]
    pub auto_install: bool,
    #[serde(default)]
    pub groups: Vec<Group>,
    #[serde(default)]
    pub views: Vec<View>,
    #[serde(default)]
    pub actions: Vec<WindowAction>,
    #[serde(default)]
    pub menus: Vec<Menu>,
    /// Loaded in this order, after groups, access and rules and before views.
    #[serde(default)]
    pub files: Vec<DataFile>,
    #[serde(default)]
    pub demo_files: Vec<DataFile>,
    /// PO files, one for each language.
    #[serde(default)]
    pub translations: Vec<Translation>,
    #[serde(skip)]
    pub code: Code,
}

impl App {
    pub fn new(name: &str, label: &str) -> App {
        App { name: name.to_owned(), label: label.to_owned(), ..App::default() }
    }

    pub fn depends(mut self, apps: &[&str]) -> App {
        self.depends.extend(apps.iter().map(|&s| s.to_owned()));
        self
    }

    pub fn principals(mut self, principals: Principals) -> App {
        self.principals = Some(principals);
        self
    }

    /// Fields that this app adds to the users and that are everybody's own matter, such as how he is notified.
    pub fn own_fields(mut self, fields: &[&str]) -> App {
        self.own_fields.extend(fields.iter().map(|&s| s.to_owned()));
        self
    }

    pub fn model(mut self, model: Model) -> App {
        self.models.push(model);
        self
    }

    /// `rights` is some of `c`, `r`, `u` (write) and `d` (unlink).
    pub fn access(mut self, group: &str, model: &str, rights: &str) -> App {
        self.access.push(Access::new(group, model, rights));
        self
    }

    pub fn rule(mut self, rule: Rule) -> App {
        self.rules.push(rule);
        self
    }

    pub fn data(mut self, row: DataRow) -> App {
        self.data.push(row);
        self
    }

    pub fn demo(mut self, row: DataRow) -> App {
        self.demo.push(row);
        self
    }

    pub fn version(mut self, version: &str) -> App {
        self.version = version.to_owned();
        self
    }

    pub fn summary(mut self, text: &str) -> App {
        self.summary = text.to_owned();
        self
    }

    pub fn category(mut self, name: &str) -> App {
        self.category = name.to_owned();
        self
    }

    pub fn application(mut self) -> App {
        self.application = true;
        self
    }

    pub fn auto_install(mut self) -> App {
        self.auto_install = true;
        self
    }

    pub fn group(mut self, group: Group) -> App {
        self.groups.push(group);
        self
    }

    pub fn view(mut self, view: View) -> App {
        self.views.push(view);
        self
    }

    pub fn action(mut self, action: WindowAction) -> App {
        self.actions.push(action);
        self
    }

    pub fn menu(mut self, menu: Menu) -> App {
        self.menus.push(menu);
        self
    }

    /// CSV or XML with records; the content mostly comes by `include_str!`.
    pub fn file(mut self, name: &str, content: &str) -> App {
        self.files.push(DataFile { name: name.to_owned(), content: content.to_owned(), noupdate: false });
        self
    }

    /// The same for records whose values are people's as soon as they are there: upgrades add what is new.
    pub fn file_once(mut self, name: &str, content: &str) -> App {
        self.files.push(DataFile { name: name.to_owned(), content: content.to_owned(), noupdate: true });
        self
    }

    pub fn demo_file(mut self, name: &str, content: &str) -> App {
        self.demo_files.push(DataFile { name: name.to_owned(), content: content.to_owned(), noupdate: true });
        self
    }

    /// The app's words in a language such as `de` or `pt_BR`; the content mostly comes by `include_str!`.
    pub fn translation(mut self, lang: &str, content: &str) -> App {
        self.translations.push(Translation { lang: lang.to_owned(), content: content.to_owned() });
        self
    }

    /// Adds to the app's Rust side.
    pub fn code(mut self, code: Code) -> App {
        let own = &mut self.code;
        own.methods.extend(code.methods);
        own.computes.extend(code.computes);
        own.searches.extend(code.searches);
        own.inverses.extend(code.inverses);
        own.hooks.extend(code.hooks);
        own.checks.extend(code.checks);
        own.onchanges.extend(code.onchanges);
        own.defaults.extend(code.defaults);
        own.jobs.extend(code.jobs);
        own.tasks.extend(code.tasks);
        self
    }
}
