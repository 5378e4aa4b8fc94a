use serde::{Deserialize, Serialize};

use super::Field;
use crate::error::Operation;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Technical name, such as `iot.box`; dots become underscores in the table's name.
    pub name: String,
    /// Adds to the model of this name that an earlier app declared, instead of making one.
    #[serde(default)]
    pub extends: bool,
    /// What people call one record: "IoT Box".
    #[serde(default)]
    pub label: String,
    #[serde(default)]
    pub description: String,
    /// Field that names a record; `name` where there is one.
    #[serde(default)]
    pub rec_name: Option<String>,
    /// Order of records when a search gives none, such as `"sequence, name desc"`. `id` is always the last.
    #[serde(default)]
    pub order: Option<String>,
    /// Adds `create_date`, `create_uid`, `write_date`, `write_uid`. Left off for rows that only a program writes.
    #[serde(default = "yes")]
    pub log_access: bool,
    #[serde(default)]
    pub unique: Vec<Unique>,
    #[serde(default)]
    pub fields: Vec<Field>,
    /// Has no table; others take its fields and behaviour by `mixins`.
    #[serde(default, rename = "abstract")]
    pub is_abstract: bool,
    /// Rows of a dialog: seen by who made them only, and swept away after a while.
    #[serde(default)]
    pub transient: bool,
    /// Abstract models whose fields, hooks and methods it takes over.
    #[serde(default)]
    pub mixins: Vec<String>,
    /// (many2one field, its model): the other record is made and written along, its fields read as this record's own.
    #[serde(default)]
    pub inherits: Vec<(String, String)>,
    /// Many2one field to the model itself that `child_of` and `parent_of` follow; `parent_id` where there is one.
    #[serde(default)]
    pub parent: Option<String>,
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Its records are metadata: a transaction that touches them resolves the registry anew.
    #[serde(default)]
    pub metadata: bool,
    /// Text fields that a name search looks at besides the record's name.
    #[serde(default)]
    pub name_search: Vec<String>,
    /// A model of which one record is made with each of this one's, under the same id, with the fields that both have:
    /// so models that share it never share an id.
    #[serde(default)]
    pub ids_of: Option<String>,
    /// (text field with a model's name, integer field with a record's id): who may read that record may read this one,
    /// who may change it may make, change and delete this one. Rows that name no record are everybody's with the rights.
    #[serde(default)]
    pub follows: Option<(String, String)>,
}

/// What must hold for every record, in the expression language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    pub name: String,
    /// True where the record may stay, such as `not (date_end and date_start > date_end)`.
    pub expression: String,
    pub message: String,
}

fn yes() -> bool {
    true
}

/// Fields that must be unique together. Records where one of them is empty do not count, as in SQL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unique {
    pub fields: Vec<String>,
    /// What the user is told; a sentence is made when it is empty.
    #[serde(default)]
    pub message: String,
}

impl Model {
    pub fn new(name: &str, label: &str) -> Model {
        Model {
            name: name.to_owned(),
            extends: false,
            label: label.to_owned(),
            description: String::new(),
            rec_name: None,
            order: None,
            log_access: true,
            unique: Vec::new(),
            fields: Vec::new(),
            is_abstract: false,
            transient: false,
            mixins: Vec::new(),
            inherits: Vec::new(),
            parent: None,
            checks: Vec::new(),
            metadata: false,
            name_search: Vec::new(),
            ids_of: None,
            follows: None,
        }
    }

    /// Fields and behaviour for other models' `mixins`.
    pub fn mixin(name: &str, label: &str) -> Model {
        Model { is_abstract: true, ..Model::new(name, label) }
    }

    pub fn transient(mut self) -> Model {
        self.transient = true;
        self
    }

    pub fn with_mixin(mut self, name: &str) -> Model {
        self.mixins.push(name.to_owned());
        self
    }

    pub fn inherits(mut self, field: &str, model: &str) -> Model {
        self.inherits.push((field.to_owned(), model.to_owned()));
        self
    }

    pub fn ids_of(mut self, model: &str) -> Model {
        self.ids_of = Some(model.to_owned());
        self
    }

    pub fn parent(mut self, field: &str) -> Model {
        self.parent = Some(field.to_owned());
        self
    }

    pub fn check(mut self, name: &str, expression: &str, message: &str) -> Model {
        self.checks.push(Check {
            name: name.to_owned(),
            expression: expression.to_owned(),
            message: message.to_owned(),
        });
        self
    }

    /// Who may do what follows the record that these two fields name.
    pub fn follows(mut self, model: &str, id: &str) -> Model {
        self.follows = Some((model.to_owned(), id.to_owned()));
        self
    }

    pub fn metadata(mut self) -> Model {
        self.metadata = true;
        self
    }

    pub fn name_search(mut self, fields: &[&str]) -> Model {
        self.name_search.extend(fields.iter().map(|&s| s.to_owned()));
        self
    }

    /// Fields and constraints for a model of another app.
    pub fn extend(name: &str) -> Model {
        Model { extends: true, ..Model::new(name, "") }
    }

    pub fn description(mut self, text: &str) -> Model {
        self.description = text.to_owned();
        self
    }

    pub fn rec_name(mut self, field: &str) -> Model {
        self.rec_name = Some(field.to_owned());
        self
    }

    pub fn order(mut self, order: &str) -> Model {
        self.order = Some(order.to_owned());
        self
    }

    pub fn without_log_access(mut self) -> Model {
        self.log_access = false;
        self
    }

    pub fn unique(mut self, fields: &[&str], message: &str) -> Model {
        self.unique
            .push(Unique { fields: fields.iter().map(|&s| s.to_owned()).collect(), message: message.to_owned() });
        self
    }

    pub fn field(mut self, field: Field) -> Model {
        self.fields.push(field);
        self
    }
}

/// The model whose records are the users, and the fields that say what they may do. Who is in which group stands in
/// `res.groups`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Principals {
    pub model: String,
    /// Boolean field; a user who is not active can do nothing.
    pub active_field: String,
    /// What messages call the user, such as `login`.
    pub name_field: String,
    /// Many2one field: the company that he works in when a request names none.
    #[serde(default)]
    pub company_field: Option<String>,
    /// Many2many field: the companies that he may work in.
    #[serde(default)]
    pub companies_field: Option<String>,
    /// External id of a group in which an active user must always stay, so that somebody can still give rights.
    #[serde(default)]
    pub keeper: Option<String>,
    /// Fields of his own record that every user may read and write, whatever his groups: language, signature.
    #[serde(default)]
    pub own_fields: Vec<String>,
}

impl Principals {
    pub fn new(model: &str, active_field: &str, name_field: &str) -> Principals {
        Principals {
            model: model.to_owned(),
            active_field: active_field.to_owned(),
            name_field: name_field.to_owned(),
            ..Principals::default()
        }
    }

    /// The many2one field with the user's company and the many2many field with all that he may work in.
    pub fn companies(mut self, company_field: &str, companies_field: &str) -> Principals {
        self.company_field = Some(company_field.to_owned());
        self.companies_field = Some(companies_field.to_owned());
        self
    }

    pub fn own_fields(mut self, fields: &[&str]) -> Principals {
        self.own_fields = fields.iter().map(|&s| s.to_owned()).collect();
        self
    }

    pub fn keeper(mut self, group: &str) -> Principals {
        self.keeper = Some(group.to_owned());
        self
    }
}

/// What a group may do with all records of a model, before record rules. Rights of several rows add up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// External id, such as `base.group_user`; without a dot a group of the same app; `*` for everybody.
    pub group: String,
    /// A model's name, or `*` for every model.
    pub model: String,
    /// Some of `c`reate, `r`ead, `u`pdate, `d`elete.
    pub rights: String,
}

impl Access {
    pub fn new(group: &str, model: &str, rights: &str) -> Access {
        Access { group: group.to_owned(), model: model.to_owned(), rights: rights.to_owned() }
    }
}

/// Which records of a model a group may see or touch. Rules with groups widen each other (OR); rules without one narrow
/// everybody's (AND).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub name: String,
    pub model: String,
    /// External ids; without a dot groups of the same app.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Operations that it is about; all when empty.
    #[serde(default)]
    pub operations: Vec<Operation>,
    /// Domain in JSON prefix form, where `{"expr": "uid"}` stands for the user; or a text in the expression language.
    pub domain: serde_json::Value,
}

impl Rule {
    pub fn new(name: &str, model: &str, domain: impl Into<serde_json::Value>) -> Rule {
        Rule {
            name: name.to_owned(),
            model: model.to_owned(),
            groups: Vec::new(),
            operations: Vec::new(),
            domain: domain.into(),
        }
    }

    pub fn group(mut self, group: &str) -> Rule {
        self.groups.push(group.to_owned());
        self
    }

    pub fn operations(mut self, operations: &[Operation]) -> Rule {
        self.operations = operations.to_vec();
        self
    }
}
