//! What resolving makes: every model with everything that all apps say about it. Immutable, shared by `Arc`.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    declare::{Default, OnDelete},
    domain::Domain,
    error::{Error, Operation},
    value::Value,
};

#[derive(Debug, std::default::Default)]
pub struct Registry {
    /// App names in loading order.
    pub apps: Vec<String>,
    pub(crate) models: BTreeMap<Arc<str>, ModelDef>,
    pub(crate) principals: Option<PrincipalsDef>,
    pub(crate) data: Vec<RowDef>,
    pub(crate) demo: Vec<RowDef>,
}

#[derive(Debug)]
pub struct ModelDef {
    pub name: Arc<str>,
    /// The app that declared it first.
    pub app: String,
    pub table: String,
    pub label: String,
    pub description: String,
    pub rec_name: Option<String>,
    pub log_access: bool,
    /// `id` first, then as declared, stamps last.
    pub fields: Vec<FieldDef>,
    pub(crate) by_name: HashMap<String, usize>,
    pub(crate) order: Vec<OrderTerm>,
    pub unique: Vec<UniqueDef>,
    pub(crate) access: BTreeMap<String, Rights>,
    pub(crate) rules: Vec<RuleDef>,
    /// Many2one fields, of any model, that point here.
    pub(crate) referenced_by: Vec<Reference>,
}

#[derive(Clone, Debug)]
pub struct FieldDef {
    pub name: String,
    pub kind: Kind,
    pub label: String,
    pub help: String,
    pub required: bool,
    pub readonly: bool,
    pub(crate) default: Option<Default>,
    pub(crate) index: bool,
    pub(crate) groups: Vec<String>,
    pub(crate) secret: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Id,
    Char { size: Option<u32> },
    Text,
    Integer,
    Float,
    Decimal { digits: u32, scale: u32 },
    Boolean,
    Date,
    DateTime,
    Selection { options: Vec<(String, String)> },
    Json,
    Binary,
    Many2One { comodel: Arc<str>, ondelete: OnDelete },
    One2Many { comodel: Arc<str>, inverse: String },
}

impl Kind {
    pub fn is_stored(&self) -> bool {
        !matches!(self, Kind::One2Many { .. })
    }

    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Kind::Char { .. } | Kind::Text | Kind::Selection { .. })
    }

    pub(crate) fn comodel(&self) -> Option<&Arc<str>> {
        match self {
            Kind::Many2One { comodel, .. } | Kind::One2Many { comodel, .. } => Some(comodel),
            _ => None,
        }
    }
}

impl FieldDef {
    /// Whether the column may be empty. Booleans never are: empty is false.
    pub(crate) fn nullable(&self) -> bool {
        !self.required && !matches!(self.kind, Kind::Id | Kind::Boolean)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OrderTerm {
    pub(crate) path: String,
    pub(crate) descending: bool,
}

#[derive(Clone, Debug)]
pub struct UniqueDef {
    /// Name of the index; what PostgreSQL reports.
    pub constraint: String,
    pub fields: Vec<String>,
    pub message: String,
}

#[derive(Clone, Copy, Debug, std::default::Default, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) create: bool,
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) unlink: bool,
}

impl Rights {
    pub(crate) fn allows(self, operation: Operation) -> bool {
        match operation {
            Operation::Create => self.create,
            Operation::Read => self.read,
            Operation::Write => self.write,
            Operation::Unlink => self.unlink,
        }
    }

    pub(crate) fn add(&mut self, other: Rights) {
        self.create |= other.create;
        self.read |= other.read;
        self.write |= other.write;
        self.unlink |= other.unlink;
    }
}

#[derive(Clone, Debug)]
pub(crate) struct RuleDef {
    pub(crate) name: String,
    pub(crate) role: Option<String>,
    pub(crate) operations: Vec<Operation>,
    pub(crate) domain: Domain,
}

#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) model: Arc<str>,
    pub(crate) field: String,
    pub(crate) ondelete: OnDelete,
}

#[derive(Clone, Debug)]
pub(crate) struct PrincipalsDef {
    pub(crate) model: Arc<str>,
    pub(crate) role_field: String,
    pub(crate) active_field: String,
    pub(crate) name_field: String,
}

/// A record of an app's data. References are by external id, always to an earlier row.
#[derive(Clone, Debug)]
pub(crate) struct RowDef {
    pub(crate) app: String,
    pub(crate) id: String,
    pub(crate) model: Arc<str>,
    pub(crate) values: Vec<(String, RowValue)>,
}

#[derive(Clone, Debug)]
pub(crate) enum RowValue {
    Plain(Value),
    Ref { app: String, id: String },
}

impl Registry {
    pub fn model(&self, name: &str) -> Result<&ModelDef, Error> {
        self.models.get(name).ok_or_else(|| Error::NoSuchModel(shorten(name)))
    }

    pub fn models(&self) -> impl Iterator<Item = &ModelDef> {
        self.models.values()
    }
}

impl ModelDef {
    pub fn field(&self, name: &str) -> Result<&FieldDef, Error> {
        self.find(name).ok_or_else(|| Error::NoSuchField { model: self.name.to_string(), field: shorten(name) })
    }

    pub(crate) fn find(&self, name: &str) -> Option<&FieldDef> {
        self.by_name.get(name).map(|&at| &self.fields[at])
    }

    /// Fields that are columns.
    pub(crate) fn stored(&self) -> impl Iterator<Item = &FieldDef> {
        self.fields.iter().filter(|field| field.kind.is_stored())
    }
}

/// Somebody's own words for an error message, never many of them.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
