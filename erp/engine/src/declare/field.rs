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
    /// The text may differ by language; the column holds the source text (en_US).
    #[serde(default)]
    pub translate: bool,
    /// The text is made of pieces that are translated one by one, as the labels of a view are.
    #[serde(default)]
    pub translate_pieces: bool,
    /// The code of a language: clients offer those that people may choose.
    #[serde(default)]
    pub language: bool,
    /// Each company has a value of its own.
    #[serde(default)]
    pub company_dependent: bool,
    /// Whether a copy of the record takes the value along. Nothing: yes, but for one2many, computed and unique fields.
    #[serde(default)]
    pub copy: Option<bool>,
    #[serde(default)]
    pub compute: Option<Compute>,
    /// A path such as `partner_id.country_id`: the value at its end, not stored unless `store` says so.
    #[serde(default)]
    pub related: Option<String>,
    /// For computed and related fields: kept in a column and recomputed when what it depends on changes.
    #[serde(default)]
    pub store: bool,
    /// For relations: which records a person is offered, in the expression language.
    #[serde(default)]
    pub domain: Option<String>,
    /// What the client is told with the relation, such as defaults for new records there.
    #[serde(default)]
    pub context: Option<String>,
    /// Changes are told in the record's chatter; the number orders fields in one message.
    #[serde(default)]
    pub tracking: Option<u32>,
    /// How a group of records sums it up: `sum`, `avg`, `min`, `max`...; numbers have `sum`.
    #[serde(default)]
    pub aggregator: Option<String>,
    /// Left out of exports.
    #[serde(default)]
    pub no_export: bool,
    /// Made by a person at run time; its name begins with `x_`.
    #[serde(default)]
    pub manual: bool,
}

/// Where a computed field's value comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compute {
    /// The expression language; what it depends on is read off it.
    Expr(String),
    /// A function in the app's [`Code`](super::Code) by its name, and the paths that it depends on.
    Code {
        function: String,
        #[serde(default)]
        depends: Vec<String>,
        /// Raised when the function answers otherwise than before, so that stored values are computed anew.
        #[serde(default, skip_serializing_if = "is_zero")]
        revision: u32,
    },
}

fn is_zero(number: &u32) -> bool {
    *number == 0
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
    /// Formatted text; made harmless when it is written.
    Html,
    Integer,
    Float,
    /// Exact: `digits` in all, `scale` of them after the point. At most 18 digits.
    Decimal {
        digits: u32,
        scale: u32,
    },
    /// Exact, rounded to the digits of the currency that the many2one field `currency` holds.
    Monetary {
        #[serde(default = "currency_id")]
        currency: String,
    },
    Boolean,
    Date,
    DateTime,
    /// One of these (value, label) pairs.
    Selection {
        options: Vec<(String, String)>,
    },
    Json,
    /// Bytes; kept outside the row unless `in_row`.
    Binary {
        #[serde(default)]
        in_row: bool,
    },
    /// A picture, made at most this large when it is written (0: as it is).
    Image {
        #[serde(default)]
        max_width: u32,
        #[serde(default)]
        max_height: u32,
    },
    /// A record of any of these models (technical name, label), kept as `model,id`.
    Reference {
        models: Vec<(String, String)>,
    },
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
    /// Kept in a link table; its name and columns are made from the models' names when empty, so that two fields that
    /// name the same table are two sides of one relation.
    Many2Many {
        comodel: String,
        #[serde(default)]
        relation: String,
        #[serde(default)]
        column1: String,
        #[serde(default)]
        column2: String,
    },
}

fn currency_id() -> String {
    "currency_id".to_owned()
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
            translate: false,
            translate_pieces: false,
            language: false,
            company_dependent: false,
            copy: None,
            compute: None,
            related: None,
            store: false,
            domain: None,
            context: None,
            tracking: None,
            aggregator: None,
            no_export: false,
            manual: false,
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

    pub fn html(name: &str) -> Field {
        Field::new(name, FieldType::Html)
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

    /// In the currency that the field `currency_id` holds.
    pub fn monetary(name: &str) -> Field {
        Field::new(name, FieldType::Monetary { currency: currency_id() })
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
        Field::new(name, FieldType::Binary { in_row: false })
    }

    /// Kept in the row: small secrets and keys that live and die with it.
    pub fn bytes(name: &str) -> Field {
        Field::new(name, FieldType::Binary { in_row: true })
    }

    pub fn image(name: &str, max_width: u32, max_height: u32) -> Field {
        Field::new(name, FieldType::Image { max_width, max_height })
    }

    pub fn reference(name: &str, models: &[(&str, &str)]) -> Field {
        let models = models.iter().map(|&(name, label)| (name.to_owned(), label.to_owned())).collect();
        Field::new(name, FieldType::Reference { models })
    }

    pub fn many2many(name: &str, comodel: &str) -> Field {
        Field::new(
            name,
            FieldType::Many2Many {
                comodel: comodel.to_owned(),
                relation: String::new(),
                column1: String::new(),
                column2: String::new(),
            },
        )
    }

    /// For a many2many field: its link table, this record's column and the other's.
    pub fn through(mut self, table: &str, own: &str, other: &str) -> Field {
        if let FieldType::Many2Many { relation, column1, column2, .. } = &mut self.kind {
            (*relation, *column1, *column2) = (table.to_owned(), own.to_owned(), other.to_owned());
        }
        self
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

    pub fn groups(mut self, groups: &[&str]) -> Field {
        self.groups = groups.iter().map(|&s| s.to_owned()).collect();
        self
    }

    pub fn secret(mut self) -> Field {
        self.secret = true;
        self
    }

    /// A text that is the code of a language, such as `de_DE`; clients offer those that people may choose.
    pub fn language(mut self) -> Field {
        self.language = true;
        self
    }

    pub fn translate_pieces(mut self) -> Field {
        self.translate_pieces = true;
        self
    }

    pub fn translate(mut self) -> Field {
        self.translate = true;
        self
    }

    pub fn company_dependent(mut self) -> Field {
        self.company_dependent = true;
        self
    }

    pub fn copied(mut self, copied: bool) -> Field {
        self.copy = Some(copied);
        self
    }

    /// Computed by a function of the app's code; see [`Code::pure`](super::Code::pure).
    pub fn compute(mut self, function: &str, depends: &[&str]) -> Field {
        let depends = depends.iter().map(|&s| s.to_owned()).collect();
        self.compute = Some(Compute::Code { function: function.to_owned(), depends, revision: 0 });
        self.readonly = true;
        self
    }

    /// Raised by one with every change of what the function answers: stored values are then computed anew when a database
    /// meets this program for the first time.
    pub fn revision(mut self, number: u32) -> Field {
        if let Some(Compute::Code { revision, .. }) = &mut self.compute {
            *revision = number;
        }
        self
    }

    /// Computed by an expression such as `price * quantity`.
    pub fn computed(mut self, expression: &str) -> Field {
        self.compute = Some(Compute::Expr(expression.to_owned()));
        self.readonly = true;
        self
    }

    pub fn related(mut self, path: &str) -> Field {
        self.related = Some(path.to_owned());
        self.readonly = true;
        self
    }

    /// For computed and related fields: people may write it all the same.
    pub fn writable(mut self) -> Field {
        self.readonly = false;
        self
    }

    pub fn stored(mut self) -> Field {
        self.store = true;
        self
    }

    pub fn domain(mut self, text: &str) -> Field {
        self.domain = Some(text.to_owned());
        self
    }

    pub fn context(mut self, text: &str) -> Field {
        self.context = Some(text.to_owned());
        self
    }

    pub fn tracking(mut self) -> Field {
        self.tracking = Some(100);
        self
    }

    pub fn aggregator(mut self, function: &str) -> Field {
        self.aggregator = Some(function.to_owned());
        self
    }
}
