//! What the rows of the database declare.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Env, Search};
use crate::{
    declare::App,
    domain,
    error::Error,
    kernel,
    record::Record,
    resolve::{
        Registry, ResolveErrors, Security, SecurityRows,
        custom::{self, CustomField, CustomModel},
        resolve,
    },
    value::{Id, Value},
};

/// Rows as they are in this transaction.
pub(super) struct Gathered {
    pub(super) installed: BTreeSet<String>,
    models: Vec<CustomModel>,
    fields: Vec<CustomField>,
    security: SecurityRows,
}

impl Env {
    pub(super) async fn declared_rows(&mut self) -> Result<Gathered, Error> {
        let manual = domain!(["state", "=", "manual"]);
        let models = self.search_read("ir.model", &manual, &MODEL, Search::order("id")).await?;
        let fields = self.search_read("ir.model.fields", &manual, &FIELD, Search::order("id")).await?;
        let mut options: BTreeMap<Id, Vec<(String, String)>> = BTreeMap::new();
        if fields.iter().any(|row| matches!(row.get_str("ttype"), "selection" | "reference")) {
            let custom = domain!(["field_id.state", "=", "manual"]);
            let order = Search::order("sequence, id");
            for row in
                self.search_read("ir.model.fields.selection", &custom, &["field_id", "value", "name"], order).await?
            {
                if let Value::Id(field) = row.value("field_id") {
                    let option = (row.get_str("value").to_owned(), row.get_str("name").to_owned());
                    options.entry(*field).or_default().push(option);
                }
            }
        }
        Ok(Gathered {
            installed: self.installed_apps().await?,
            security: self.security_rows().await?,
            models: models.iter().map(model).collect(),
            fields: fields.iter().map(|row| field(row, options.remove(&row.id).unwrap_or_default())).collect(),
        })
    }

    /// Names of the apps whose declarations count.
    pub(super) async fn installed_apps(&mut self) -> Result<BTreeSet<String>, Error> {
        let installed = domain!(["state", "in", vec!["installed", "to upgrade", "to remove"]]);
        let rows = self.search_read("ir.module.module", &installed, &["name"], Search::order("id")).await?;
        Ok(rows.iter().map(|row| row.get_str("name").to_owned()).collect())
    }
}

/// Everything that counts, joined: the installed apps, then what people made. A record rule that cannot be understood is
/// no error here: it lets nobody through, and the registry's `security` says so.
pub(super) fn registry_of(available: &[App], gathered: Gathered, version: u64) -> Result<Registry, ResolveErrors> {
    let mut apps: Vec<App> = available.iter().filter(|app| gathered.installed.contains(&app.name)).cloned().collect();
    let mut errors = Vec::new();
    let mut custom_fields = BTreeMap::new();
    if !(gathered.models.is_empty() && gathered.fields.is_empty()) {
        let kernel = kernel::app(&apps);
        let known: BTreeSet<&str> =
            apps.iter().chain([&kernel]).flat_map(|app| app.models.iter().map(|model| model.name.as_str())).collect();
        let names: Vec<String> = apps.iter().map(|app| app.name.clone()).collect();
        custom_fields = gathered.fields.iter().map(|row| (row.id, (row.model.clone(), row.name.clone()))).collect();
        let custom = custom::app(&names, &known, gathered.models, gathered.fields, &mut errors);
        apps.push(custom);
    }
    if !errors.is_empty() {
        return Err(ResolveErrors(errors));
    }
    let mut registry = resolve(&apps)?;
    registry.version = version;
    registry.custom_fields = custom_fields;
    registry.security = Security::of(&registry, gathered.security).into();
    Ok(registry)
}

const MODEL: [&str; 8] =
    ["name", "model", "info", "order", "rec_name", "transient", "is_mail_thread", "is_mail_activity"];

fn model(row: &Record) -> CustomModel {
    CustomModel {
        name: row.get_str("model").to_owned(),
        label: row.get_str("name").to_owned(),
        info: row.get_str("info").to_owned(),
        order: row.get_str("order").to_owned(),
        rec_name: row.get_str("rec_name").to_owned(),
        transient: is(row, "transient"),
        messages: is(row, "is_mail_thread"),
        activities: is(row, "is_mail_activity"),
    }
}

const FIELD: [&str; 30] = [
    "name",
    "model_id.model",
    "ttype",
    "field_description",
    "help",
    "relation",
    "relation_field",
    "relation_table",
    "column1",
    "column2",
    "currency_field",
    "related",
    "compute",
    "store",
    "required",
    "readonly",
    "index",
    "translate",
    "copied",
    "company_dependent",
    "size",
    "digits",
    "max_size",
    "default_value",
    "on_delete",
    "domain",
    "tracking",
    "group_names",
    "model",
    "model_id",
];

fn field(row: &Record, options: Vec<(String, String)>) -> CustomField {
    let text = |name: &str| row.get_str(name).to_owned();
    CustomField {
        id: row.id,
        model: text("model_id.model"),
        name: text("name"),
        ttype: text("ttype"),
        label: text("field_description"),
        help: text("help"),
        relation: text("relation"),
        relation_field: text("relation_field"),
        relation_table: text("relation_table"),
        column1: text("column1"),
        column2: text("column2"),
        currency_field: text("currency_field"),
        related: text("related"),
        compute: text("compute"),
        store: is(row, "store"),
        required: is(row, "required"),
        readonly: is(row, "readonly"),
        index: is(row, "index"),
        translate: is(row, "translate"),
        copied: is(row, "copied"),
        company_dependent: is(row, "company_dependent"),
        size: number(row, "size"),
        digits: number(row, "digits"),
        max_size: number(row, "max_size"),
        default: text("default_value"),
        on_delete: text("on_delete"),
        domain: text("domain"),
        tracking: number(row, "tracking"),
        groups: text("group_names"),
        options,
    }
}

fn is(row: &Record, field: &str) -> bool {
    *row.value(field) == Value::Bool(true)
}

fn number(row: &Record, field: &str) -> u32 {
    match row.value(field) {
        Value::Int(int) => u32::try_from(*int).unwrap_or(0),
        _ => 0,
    }
}
