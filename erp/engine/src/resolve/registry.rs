//! What resolving makes: every model with everything that all apps say about it. Immutable, shared by `Arc`.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{access::Declared, behaviour::Behaviour, computed::Computeds, security::Security};
use crate::{
    declare::{Check, Compute, Default, Job, OnDelete, TaskFn},
    error::{Error, Operation},
    value::{Id, Value},
};

#[derive(Debug, std::default::Default)]
pub struct Registry {
    /// App names in loading order.
    pub apps: Vec<String>,
    pub(crate) models: BTreeMap<Arc<str>, ModelDef>,
    pub(crate) principals: Option<PrincipalsDef>,
    /// Groups, rights and rules that apps bring; records are made of them once.
    pub(crate) declared: Declared,
    /// The same as they are now.
    pub(crate) security: Arc<Security>,
    pub(crate) data: Vec<RowDef>,
    pub(crate) demo: Vec<RowDef>,
    pub(crate) methods: crate::call::Methods,
    /// What was worked out from views and menus.
    pub(crate) screens: crate::kernel::Screens,
    /// Words of the languages that were asked for.
    pub(crate) words: crate::translate::Known,
    /// Link tables of many2many fields by name.
    pub(crate) links: BTreeMap<String, LinkTable>,
    /// Counts up with every change of what is declared in this database; 0 for one that was only resolved.
    pub version: u64,
    /// (model, name) of the fields that people made, by their rows' ids.
    pub(crate) custom_fields: BTreeMap<Id, (String, String)>,
    pub(crate) computeds: Computeds,
    /// By name.
    pub(crate) jobs: BTreeMap<String, Job>,
    pub(crate) tasks: BTreeMap<String, TaskFn>,
}

/// Where a many2many relation is kept; two fields that name it are its two sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkTable {
    /// (column, model that it refers to), the side that was declared first before the other.
    pub(crate) sides: [(String, Arc<str>); 2],
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
    pub is_abstract: bool,
    pub transient: bool,
    pub mixins: Vec<String>,
    /// (many2one field, its model) whose fields read as this model's own.
    pub inherits: Vec<(String, String)>,
    /// Many2one field to the model itself that makes the hierarchy.
    pub parent: Option<String>,
    pub checks: Vec<Check>,
    /// Its records are metadata.
    pub metadata: bool,
    /// Text fields that a name search looks at besides the name.
    pub name_search: Vec<String>,
    /// A model of which one record is made with each of this one's, under the same id.
    pub ids_of: Option<String>,
    /// (text field with a model's name, integer field with an id) of the record whose rights these records have.
    pub follows: Option<(String, String)>,
    /// Many2one fields, of any model, that point here.
    pub(crate) referenced_by: Vec<Reference>,
    pub(crate) behaviour: Behaviour,
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
    /// The app that declared it.
    pub app: String,
    /// The model that it is a field of.
    pub model: Option<Arc<str>>,
    pub translate: bool,
    /// Its text is made of pieces that are translated one by one.
    pub translate_pieces: bool,
    /// It holds the code of a language.
    pub language: bool,
    pub company_dependent: bool,
    /// Whether a copy of the record takes it along.
    pub copy: bool,
    /// Of the model that it inherits from; `related` says by which field.
    pub inherited: bool,
    pub compute: Option<Compute>,
    pub related: Option<String>,
    /// For computed and related fields: kept in a column.
    pub store: bool,
    pub domain: Option<String>,
    pub context: Option<String>,
    pub tracking: Option<u32>,
    pub aggregator: Option<String>,
    pub no_export: bool,
    pub manual: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Id,
    Char {
        size: Option<u32>,
    },
    Text,
    Html,
    Integer,
    Float,
    Decimal {
        digits: u32,
        scale: u32,
    },
    /// Exact, at the digits of the currency in the many2one field `currency`; kept with [`MONEY_SCALE`].
    Monetary {
        currency: String,
    },
    Boolean,
    Date,
    DateTime,
    Selection {
        options: Vec<(String, String)>,
    },
    Json,
    Binary {
        in_row: bool,
    },
    Image {
        max_width: u32,
        max_height: u32,
    },
    Reference {
        models: Vec<(String, String)>,
    },
    Many2One {
        comodel: Arc<str>,
        ondelete: OnDelete,
    },
    One2Many {
        comodel: Arc<str>,
        inverse: String,
    },
    /// `column1` of the link table `relation` is this record, `column2` the other.
    Many2Many {
        comodel: Arc<str>,
        relation: String,
        column1: String,
        column2: String,
    },
}

/// Digits after the point of a monetary column: no currency has more.
pub const MONEY_SCALE: u32 = 4;
pub(crate) const MONEY_DIGITS: u32 = 18;

impl Kind {
    /// Lists of records, which are no column.
    pub fn is_list(&self) -> bool {
        matches!(self, Kind::One2Many { .. } | Kind::Many2Many { .. })
    }

    pub fn is_binary(&self) -> bool {
        matches!(self, Kind::Binary { .. } | Kind::Image { .. })
    }

    /// Bytes that are kept outside the row.
    pub fn is_file(&self) -> bool {
        matches!(self, Kind::Binary { in_row: false } | Kind::Image { .. })
    }

    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Kind::Char { .. } | Kind::Text | Kind::Html | Kind::Selection { .. } | Kind::Reference { .. })
    }

    /// Digits in all and after the point, of exact numbers.
    pub fn digits(&self) -> Option<(u32, u32)> {
        match self {
            Kind::Decimal { digits, scale } => Some((*digits, *scale)),
            Kind::Monetary { .. } => Some((MONEY_DIGITS, MONEY_SCALE)),
            _ => None,
        }
    }

    pub fn comodel(&self) -> Option<&Arc<str>> {
        match self {
            Kind::Many2One { comodel, .. } | Kind::One2Many { comodel, .. } | Kind::Many2Many { comodel, .. } => {
                Some(comodel)
            }
            _ => None,
        }
    }
}

impl FieldDef {
    /// Whether it is a column of the model's table.
    pub fn is_column(&self) -> bool {
        !self.kind.is_list() && (self.store || !self.is_computed())
    }

    /// Whether a query alone finds one value for each record: a column here, or where it is related to.
    pub(crate) fn is_readable(&self) -> bool {
        self.is_column() || self.related.is_some() && !self.kind.is_list()
    }

    /// Whether records come with a value for it.
    pub(crate) fn is_written(&self) -> bool {
        self.is_column() || self.is_written_list() || self.inherited
    }

    /// Its content is in a file, whose name is in the column.
    pub(crate) fn is_file(&self) -> bool {
        self.kind.is_file() && self.is_column()
    }

    /// A list that commands change.
    pub(crate) fn is_written_list(&self) -> bool {
        self.kind.is_list() && (self.store || !self.is_computed())
    }

    /// Whether it has a link table.
    pub fn is_link(&self) -> bool {
        matches!(self.kind, Kind::Many2Many { .. }) && (self.store || !self.is_computed())
    }

    /// What its column holds.
    pub(crate) fn column_kind(&self) -> Cow<'_, Kind> {
        Cow::Borrowed(&self.kind)
    }

    /// Whether its value follows from others.
    pub fn is_computed(&self) -> bool {
        self.compute.is_some() || self.related.is_some()
    }

    /// Whether the column may be empty. Booleans never are: empty is false. A computed one is until it is computed.
    pub(crate) fn nullable(&self) -> bool {
        let full = self.required && !self.is_computed();
        !full && !matches!(self.kind, Kind::Id | Kind::Boolean)
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
    /// These operations; all when none is named.
    pub(crate) fn of(operations: &[Operation]) -> Rights {
        let has = |operation| operations.is_empty() || operations.contains(&operation);
        Rights {
            create: has(Operation::Create),
            read: has(Operation::Read),
            write: has(Operation::Write),
            unlink: has(Operation::Unlink),
        }
    }

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
pub(crate) struct Reference {
    pub(crate) model: Arc<str>,
    pub(crate) field: String,
    pub(crate) ondelete: OnDelete,
}

#[derive(Clone, Debug)]
pub(crate) struct PrincipalsDef {
    pub(crate) model: Arc<str>,
    pub(crate) active_field: String,
    pub(crate) name_field: String,
    pub(crate) company_field: Option<String>,
    pub(crate) companies_field: Option<String>,
    pub(crate) own_fields: Vec<String>,
    /// External id of the group that must not lose its last active user.
    pub(crate) keeper: Option<String>,
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

    /// Whether a transaction that changes this model's records makes a new registry or must be looked at before its
    /// commit.
    pub(crate) fn is_metadata(&self, model: &str) -> bool {
        self.models.get(model).is_some_and(|model| model.metadata) || self.is_principals(model)
    }

    fn is_principals(&self, model: &str) -> bool {
        self.principals.as_ref().is_some_and(|principals| *principals.model == *model)
    }

    /// Whether what users may depends on this model's records.
    pub(crate) fn is_watched(&self, model: &str) -> bool {
        self.is_metadata(model) || model == "res.company" || self.security.watches(model)
    }

    /// External ids of these groups and of all that they imply.
    pub fn implied_groups(&self, direct: &[Id]) -> Vec<String> {
        let all = self.security.implied(direct.iter().copied());
        all.iter().filter_map(|at| self.security.groups[at].key.clone()).collect()
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

    pub(crate) fn check_has_records(&self) -> Result<(), Error> {
        match self.is_abstract {
            false => Ok(()),
            true => Err(Error::User(format!(
                "{} has no records of its own, it lends its fields to other models; name one of those",
                self.name
            ))),
        }
    }

    /// The field by which records are archived.
    pub fn active_field(&self) -> Option<&FieldDef> {
        ["active", "x_active"]
            .iter()
            .find_map(|name| self.find(name))
            .filter(|field| field.kind == Kind::Boolean && field.is_column())
    }

    /// For lists by an integer field: the text field beside it that says of which model the id is.
    pub(crate) fn model_name_field(&self) -> Option<&FieldDef> {
        super::relations::MODEL_NAMES.iter().find_map(|name| self.find(name)).filter(|field| field.kind.is_text())
    }

    /// Whether it has an index of its own: it asks for one, or lists of the model begin with it.
    pub(crate) fn is_indexed(&self, field: &FieldDef) -> bool {
        let first = || self.order.first().is_some_and(|term| term.path == field.name);
        field.index || (field.kind != Kind::Id && !self.transient && self.app != crate::kernel::NAME && first())
    }

    /// Fields that are columns.
    pub(crate) fn stored(&self) -> impl Iterator<Item = &FieldDef> {
        self.fields.iter().filter(|field| field.is_column())
    }
}

/// Somebody's own words for an error message, never many of them.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
