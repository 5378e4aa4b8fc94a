use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    pub name: String,
    #[serde(flatten)]
    pub kind: FieldType,
    /// What people call it; made from the name when empty.
    #[serde(default)]
    pub label: String,
    #[serde(default)]
    pub help: String,
    #[serde(default)]
    pub required: bool,
    /// Not for forms: only programs set it.
    #[serde(default)]
    pub readonly: bool,
    #[serde(default)]
    pub unique: bool,
    #[serde(default)]
    pub index: bool,
    #[serde(default)]
    pub default: Option<Default>,
    /// Roles that may read and write it; everybody with access to the model when empty.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Nobody but the superuser may read or write it: password hashes, sealed keys.
    #[serde(default)]
    pub secret: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum FieldType {
    /// One line; `size` in characters.
    Char {
        #[serde(default)]
        size: Option<u32>,
    },
    Text,
    Integer,
    Float,
    /// Exact: `digits` in all, `scale` of them after the point. At most 18 digits.
    Decimal {
        digits: u32,
        scale: u32,
    },
    Boolean,
    Date,
    DateTime,
    /// One of these (value, label) pairs.
    Selection {
        options: Vec<(String, String)>,
    },
    Json,
    Binary,
    Many2One {
        comodel: String,
        #[serde(default)]
        ondelete: OnDelete,
    },
    /// The records of `comodel` whose many2one field `inverse` is this record. Not stored.
    One2Many {
        comodel: String,
        inverse: String,
    },
}

/// What becomes of a record when the one that it refers to is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, std::default::Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDelete {
    /// The field is emptied.
    #[default]
    SetNull,
    /// The deletion is refused.
    Restrict,
    /// It is deleted too.
    Cascade,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Default {
    Value(serde_json::Value),
    /// The time of the transaction.
    Now,
    /// Its date, in UTC.
    Today,
    /// The user of the environment; empty for the superuser.
    User,
}

impl Field {
    pub fn new(name: &str, kind: FieldType) -> Field {
        Field {
            name: name.to_owned(),
            kind,
            label: String::new(),
            help: String::new(),
            required: false,
            readonly: false,
            unique: false,
            index: false,
            default: None,
            groups: Vec::new(),
            secret: false,
        }
    }

    pub fn char(name: &str) -> Field {
        Field::new(name, FieldType::Char { size: None })
    }

    pub fn char_len(name: &str, size: u32) -> Field {
        Field::new(name, FieldType::Char { size: Some(size) })
    }

    pub fn text(name: &str) -> Field {
        Field::new(name, FieldType::Text)
    }

    pub fn integer(name: &str) -> Field {
        Field::new(name, FieldType::Integer)
    }

    pub fn float(name: &str) -> Field {
        Field::new(name, FieldType::Float)
    }

    pub fn decimal(name: &str, digits: u32, scale: u32) -> Field {
        Field::new(name, FieldType::Decimal { digits, scale })
    }

    pub fn boolean(name: &str) -> Field {
        Field::new(name, FieldType::Boolean)
    }

    pub fn date(name: &str) -> Field {
        Field::new(name, FieldType::Date)
    }

    pub fn datetime(name: &str) -> Field {
        Field::new(name, FieldType::DateTime)
    }

    pub fn selection(name: &str, options: &[(&str, &str)]) -> Field {
        let options = options.iter().map(|&(value, label)| (value.to_owned(), label.to_owned())).collect();
        Field::new(name, FieldType::Selection { options })
    }

    pub fn json(name: &str) -> Field {
        Field::new(name, FieldType::Json)
    }

    pub fn binary(name: &str) -> Field {
        Field::new(name, FieldType::Binary)
    }

    pub fn many2one(name: &str, comodel: &str) -> Field {
        Field::new(name, FieldType::Many2One { comodel: comodel.to_owned(), ondelete: OnDelete::SetNull })
    }

    pub fn one2many(name: &str, comodel: &str, inverse: &str) -> Field {
        Field::new(name, FieldType::One2Many { comodel: comodel.to_owned(), inverse: inverse.to_owned() })
    }

    /// For a many2one field; others ignore it.
    pub fn ondelete(mut self, action: OnDelete) -> Field {
        if let FieldType::Many2One { ondelete, .. } = &mut self.kind {
            *ondelete = action;
        }
        self
    }

    pub fn label(mut self, text: &str) -> Field {
        self.label = text.to_owned();
        self
    }

    pub fn help(mut self, text: &str) -> Field {
        self.help = text.to_owned();
        self
    }

    pub fn required(mut self) -> Field {
        self.required = true;
        self
    }

    pub fn readonly(mut self) -> Field {
        self.readonly = true;
        self
    }

    pub fn unique(mut self) -> Field {
        self.unique = true;
        self
    }

    pub fn index(mut self) -> Field {
        self.index = true;
        self
    }

    pub fn default(mut self, value: impl Into<serde_json::Value>) -> Field {
        self.default = Some(Default::Value(value.into()));
        self
    }

    pub fn default_now(mut self) -> Field {
        self.default = Some(Default::Now);
        self
    }

    pub fn default_today(mut self) -> Field {
        self.default = Some(Default::Today);
        self
    }

    pub fn default_user(mut self) -> Field {
        self.default = Some(Default::User);
        self
    }

    pub fn groups(mut self, roles: &[&str]) -> Field {
        self.groups = roles.iter().map(|&s| s.to_owned()).collect();
        self
    }

    pub fn secret(mut self) -> Field {
        self.secret = true;
        self
    }
}
