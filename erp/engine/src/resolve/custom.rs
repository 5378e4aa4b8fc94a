//! Models and fields that people make at run time, as rows say them, become declarations like any app's.

use std::collections::{BTreeMap, BTreeSet};

use super::registry::shorten;
use crate::{
    declare::{App, Compute, Default, Field, FieldType, Model, OnDelete},
    kernel,
    value::Id,
};

/// A row of `ir.model` whose state is `manual`.
#[derive(Clone, Debug, std::default::Default)]
pub(crate) struct CustomModel {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) info: String,
    pub(crate) order: String,
    pub(crate) rec_name: String,
    pub(crate) transient: bool,
    pub(crate) messages: bool,
    pub(crate) activities: bool,
}

/// A row of `ir.model.fields` whose state is `manual`, with its options.
#[derive(Clone, Debug)]
pub(crate) struct CustomField {
    pub(crate) id: Id,
    pub(crate) model: String,
    pub(crate) name: String,
    pub(crate) ttype: String,
    pub(crate) label: String,
    pub(crate) help: String,
    pub(crate) relation: String,
    pub(crate) relation_field: String,
    pub(crate) relation_table: String,
    pub(crate) column1: String,
    pub(crate) column2: String,
    pub(crate) currency_field: String,
    pub(crate) related: String,
    pub(crate) compute: String,
    pub(crate) store: bool,
    pub(crate) required: bool,
    pub(crate) readonly: bool,
    pub(crate) index: bool,
    pub(crate) translate: bool,
    pub(crate) copied: bool,
    pub(crate) company_dependent: bool,
    pub(crate) size: u32,
    pub(crate) digits: u32,
    pub(crate) max_size: u32,
    pub(crate) default: String,
    pub(crate) on_delete: String,
    pub(crate) domain: String,
    pub(crate) tracking: u32,
    pub(crate) groups: String,
    pub(crate) options: Vec<(String, String)>,
}

/// One more app, loaded after all others. `known`: names of the models that apps declare.
pub(crate) fn app(
    depends: &[String],
    known: &BTreeSet<&str>,
    models: Vec<CustomModel>,
    fields: Vec<CustomField>,
    errors: &mut Vec<String>,
) -> App {
    let mut app = App::new(kernel::CUSTOM, "Studio customizations");
    app.depends = depends.to_vec();
    let mut by_model: BTreeMap<String, Vec<CustomField>> = BTreeMap::new();
    for field in fields {
        by_model.entry(field.model.clone()).or_default().push(field);
    }
    for row in models {
        let mut wrong = |problem: &str| errors.push(format!("model {}: {problem}", shorten(&row.name)));
        if !row.name.starts_with("x_") {
            wrong("the technical name of a custom model begins with x_");
        }
        let mut model = Model::new(&row.name, &row.label).description(&row.info);
        model.order = text(&row.order);
        model.rec_name = text(&row.rec_name);
        model.transient = row.transient;
        for (wanted, mixin) in [(row.messages, "mail.thread"), (row.activities, "mail.activity.mixin")] {
            match (wanted, known.contains(mixin)) {
                (true, true) => model.mixins.push(mixin.to_owned()),
                (true, false) => wrong("messages and activities come with the app mail; install it first"),
                (false, _) => {}
            }
        }
        let own = by_model.remove(&row.name).unwrap_or_default();
        if model.rec_name.is_none() && own.iter().any(|field| field.name == "x_name") {
            model.rec_name = Some("x_name".to_owned());
        }
        model.fields = declared(own, errors);
        app.models.push(model);
    }
    for (name, fields) in by_model {
        let mut model = Model::extend(&name);
        model.fields = declared(fields, errors);
        app.models.push(model);
    }
    app
}

fn text(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn declared(mut rows: Vec<CustomField>, errors: &mut Vec<String>) -> Vec<Field> {
    rows.sort_by_key(|row| row.id);
    let currency = rows.iter().any(|row| row.name == "x_currency_id");
    rows.iter()
        .filter_map(|row| {
            field(row, currency)
                .map_err(|problem| errors.push(format!("model {}: field {}: {problem}", row.model, shorten(&row.name))))
                .ok()
        })
        .collect()
}

fn field(row: &CustomField, own_currency: bool) -> Result<Field, String> {
    if !row.name.starts_with("x_") {
        return Err("the technical name of a custom field begins with x_".to_owned());
    }
    let mut field = Field::new(&row.name, kind(row, own_currency)?);
    field.label = row.label.clone();
    field.help = row.help.clone();
    field.required = row.required;
    field.readonly = row.readonly;
    field.index = row.index;
    field.translate = row.translate;
    field.company_dependent = row.company_dependent;
    field.copy = (!row.copied).then_some(false);
    field.related = text(&row.related);
    field.compute = text(&row.compute).map(Compute::Expr);
    // A field that has a value of its own is always stored.
    field.store = row.store && (field.related.is_some() || field.compute.is_some());
    field.domain = text(&row.domain);
    field.tracking = (row.tracking > 0).then_some(row.tracking);
    field.groups = row.groups.split(',').filter_map(text).collect();
    field.default = text(&row.default).map(|text| default(row, text)).transpose()?.map(Default::Value);
    field.manual = true;
    Ok(field)
}

fn default(row: &CustomField, text: String) -> Result<serde_json::Value, String> {
    match row.ttype.as_str() {
        "char" | "text" | "html" | "selection" | "date" | "datetime" => Ok(text.into()),
        _ => serde_json::from_str(&text).or_else(|_| serde_json::from_str(&text.to_ascii_lowercase())).map_err(|_| {
            format!("the default {:?} is no value for it; give one such as 5, 1.5 or true", shorten(&text))
        }),
    }
}

fn kind(row: &CustomField, own_currency: bool) -> Result<FieldType, String> {
    let comodel = || text(&row.relation).ok_or_else(|| "it needs the model that it refers to (relation)".to_owned());
    Ok(match row.ttype.as_str() {
        "char" => FieldType::Char { size: (row.size > 0).then_some(row.size) },
        "text" => FieldType::Text,
        "html" => FieldType::Html,
        "integer" => FieldType::Integer,
        "float" if row.digits > 0 => FieldType::Decimal { digits: 18, scale: row.digits },
        "float" => FieldType::Float,
        "monetary" => FieldType::Monetary {
            currency: text(&row.currency_field)
                .unwrap_or_else(|| if own_currency { "x_currency_id" } else { "currency_id" }.to_owned()),
        },
        "boolean" => FieldType::Boolean,
        "date" => FieldType::Date,
        "datetime" => FieldType::DateTime,
        "selection" => FieldType::Selection { options: row.options.clone() },
        "json" => FieldType::Json,
        "binary" => FieldType::Binary { in_row: false },
        "image" => FieldType::Image { max_width: row.max_size, max_height: row.max_size },
        "reference" => FieldType::Reference { models: row.options.clone() },
        "many2one" => FieldType::Many2One {
            comodel: comodel()?,
            ondelete: match row.on_delete.as_str() {
                "cascade" => OnDelete::Cascade,
                "restrict" => OnDelete::Restrict,
                _ if row.required => OnDelete::Restrict,
                _ => OnDelete::SetNull,
            },
        },
        "one2many" => FieldType::One2Many {
            comodel: comodel()?,
            inverse: text(&row.relation_field)
                .ok_or_else(|| "it needs the field of the other model that refers back (relation_field)".to_owned())?,
        },
        "many2many" => FieldType::Many2Many {
            comodel: comodel()?,
            relation: row.relation_table.clone(),
            column1: row.column1.clone(),
            column2: row.column2.clone(),
        },
        other => return Err(format!("there is no field type {:?}", shorten(other))),
    })
}
