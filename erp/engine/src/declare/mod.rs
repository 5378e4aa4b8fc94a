//! What an app declares. Plain data: Rust code builds it, and so can a JSON or TOML file, or rows made by Studio.
//! Nothing here is checked; [`resolve`](crate::resolve) does that and says everything that is wrong at once.

mod data;
mod field;
mod model;

pub use data::{DataRow, DataValue};
pub use field::{Default, Field, FieldType, OnDelete};
pub use model::{Access, Model, Principals, Rule, Unique};

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
    /// Roles that users may have; a user has one. None contains another: what each may do is declared for each.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The model whose records are the users. Exactly one app declares it.
    #[serde(default)]
    pub principals: Option<Principals>,
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
}

impl App {
    pub fn new(name: &str, label: &str) -> App {
        App { name: name.to_owned(), label: label.to_owned(), ..App::default() }
    }

    pub fn depends(mut self, apps: &[&str]) -> App {
        self.depends.extend(apps.iter().map(|&s| s.to_owned()));
        self
    }

    pub fn roles(mut self, roles: &[&str]) -> App {
        self.roles.extend(roles.iter().map(|&s| s.to_owned()));
        self
    }

    pub fn principals(mut self, principals: Principals) -> App {
        self.principals = Some(principals);
        self
    }

    pub fn model(mut self, model: Model) -> App {
        self.models.push(model);
        self
    }

    /// `rights` is some of `c`, `r`, `u` (write) and `d` (unlink).
    pub fn access(mut self, role: &str, model: &str, rights: &str) -> App {
        self.access.push(Access::new(role, model, rights));
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
}
