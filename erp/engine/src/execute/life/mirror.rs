//! Rows of `ir.model`, `ir.model.fields` and their options that say what apps declare, for people and clients to read.
//! Compared with what is there, so that an unchanged declaration writes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::{Env, Search};
use crate::{
    declare::{Compute, Default, OnDelete},
    domain,
    error::Error,
    kernel,
    record::{Record, Values},
    resolve::{FieldDef, Kind, ModelDef, Registry},
    value::{Id, Value},
    values,
};

/// What keeps rows from saying what the apps declare.
#[derive(Default)]
pub(super) struct Differences {
    pub(super) written: usize,
    /// Of the first one, for people.
    pub(super) first: Option<String>,
    /// (model, field) of stored fields that were computed in another way until now.
    pub(super) recomputed: Vec<Key>,
}

type Key = (String, String);

impl Env {
    /// Writes what differs, unless `only_look`.
    pub(super) async fn mirror(&mut self, registry: &Registry, only_look: bool) -> Result<Differences, Error> {
        let mut found = Differences::default();
        let models = self.mirror_models(registry, only_look, &mut found).await?;
        if !(only_look && found.written > 0) {
            let fields = self.mirror_fields(registry, &models, only_look, &mut found).await?;
            if !(only_look && found.written > 0) {
                self.mirror_options(registry, &fields, only_look, &mut found).await?;
            }
        }
        Ok(found)
    }

    async fn mirror_models(
        &mut self,
        registry: &Registry,
        only_look: bool,
        found: &mut Differences,
    ) -> Result<HashMap<String, Id>, Error> {
        let mut wanted = BTreeMap::new();
        for model in registry.models().filter(|model| model.app != kernel::CUSTOM) {
            wanted.insert((model.name.to_string(), String::new()), model_values(model));
        }
        let rows = self.search_read("ir.model", &domain!(["state", "=", "base"]), &MODEL, Search::order("id")).await?;
        let known = rows.into_iter().map(|row| ((row.get_str("model").to_owned(), String::new()), row)).collect();
        let made = self.bring_about("ir.model", wanted, known, only_look, found).await?;
        let external: Vec<(String, String, Id)> = made
            .iter()
            .filter_map(|((name, _), id)| {
                let model = registry.model(name).ok()?;
                Some((kernel::module(&model.app).to_owned(), format!("model_{}", model.table), *id))
            })
            .collect();
        self.name_rows("ir.model", external).await?;
        let rows = self.search_read("ir.model", &domain!(), &["model"], Search::order("id")).await?;
        Ok(rows.into_iter().map(|row| (row.get_str("model").to_owned(), row.id)).collect())
    }

    async fn mirror_fields(
        &mut self,
        registry: &Registry,
        models: &HashMap<String, Id>,
        only_look: bool,
        found: &mut Differences,
    ) -> Result<HashMap<Key, Id>, Error> {
        let (mut wanted, mut custom) = (BTreeMap::new(), BTreeMap::new());
        for model in registry.models() {
            let Some(model_id) = models.get(&*model.name) else { continue };
            let own = if model.app == kernel::CUSTOM { &mut custom } else { &mut wanted };
            for field in model.fields.iter().filter(|field| !field.manual) {
                own.insert((model.name.to_string(), field.name.clone()), field_values(model, *model_id, field));
            }
        }
        let fields: Vec<&str> = wanted.values().next().map(names).unwrap_or_default();
        let rows =
            self.search_read("ir.model.fields", &domain!(["state", "=", "base"]), &fields, Search::order("id")).await?;
        let by_id: HashMap<Id, &String> = models.iter().map(|(name, id)| (*id, name)).collect();
        let (known_custom, known) = rows
            .into_iter()
            .map(|row| {
                let model = match row.value("model_id") {
                    Value::Id(id) => by_id.get(id).map_or_else(String::new, |name| (*name).clone()),
                    _ => String::new(),
                };
                ((model, row.get_str("name").to_owned()), row)
            })
            .partition(|(key, _): &(Key, Record)| {
                registry.models.get(key.0.as_str()).is_some_and(|model| model.app == kernel::CUSTOM)
            });
        // What stands beside the model's name in a custom row follows from its model.
        for row in self
            .search_read(
                "ir.model.fields",
                &domain!(["state", "=", "manual"]),
                &["model", "model_id"],
                Search::order("id"),
            )
            .await?
        {
            let Value::Id(model) = row.value("model_id") else { continue };
            let Some(name) = by_id.get(model).filter(|name| row.get_str("model") != name.as_str()) else { continue };
            self.write("ir.model.fields", &[row.id], values! { "model" => name.as_str() }).await?;
        }
        self.bring_about("ir.model.fields", wanted, known, only_look, found).await?;
        // `id`, stamps and what mixins bring come by themselves with a custom model.
        let mut expected = Differences::default();
        self.bring_about("ir.model.fields", custom, known_custom, false, &mut expected).await?;
        let rows = self
            .search_read(
                "ir.model.fields",
                &domain!(["ttype", "in", vec!["selection", "reference"]]),
                &["model", "name"],
                Search::order("id"),
            )
            .await?;
        let key = |row: &Record| (row.get_str("model").to_owned(), row.get_str("name").to_owned());
        Ok(rows.into_iter().map(|row| (key(&row), row.id)).collect())
    }

    async fn mirror_options(
        &mut self,
        registry: &Registry,
        fields: &HashMap<Key, Id>,
        only_look: bool,
        found: &mut Differences,
    ) -> Result<(), Error> {
        let mut wanted = BTreeMap::new();
        for model in registry.models() {
            for field in model.fields.iter().filter(|field| field.app != kernel::CUSTOM) {
                let (Kind::Selection { options } | Kind::Reference { models: options }) = &field.kind else { continue };
                let Some(id) = fields.get(&(model.name.to_string(), field.name.clone())) else { continue };
                for (at, (value, name)) in options.iter().enumerate() {
                    let row = values! { "field_id" => *id, "value" => value, "name" => name, "sequence" => at as i64 };
                    wanted.insert((format!("{:019}", id.0), value.clone()), row);
                }
            }
        }
        let base = domain!(["field_id.state", "=", "base"]);
        let rows = self
            .search_read(
                "ir.model.fields.selection",
                &base,
                &["field_id", "value", "name", "sequence"],
                Search::order("id"),
            )
            .await?;
        let known = rows
            .into_iter()
            .map(|row| {
                let field = if let Value::Id(id) = row.value("field_id") { id.0 } else { 0 };
                ((format!("{field:019}"), row.get_str("value").to_owned()), row)
            })
            .collect();
        self.bring_about("ir.model.fields.selection", wanted, known, only_look, found).await?;
        Ok(())
    }

    /// Answers which rows it made.
    async fn bring_about(
        &mut self,
        model: &str,
        wanted: BTreeMap<Key, Values>,
        mut known: BTreeMap<Key, Record>,
        only_look: bool,
        found: &mut Differences,
    ) -> Result<Vec<(Key, Id)>, Error> {
        let mut new = Vec::new();
        for (key, values) in wanted {
            let Some(row) = known.remove(&key) else {
                new.push((key, values));
                continue;
            };
            let mut changed = Values::new();
            for (name, value) in values.iter().filter(|(name, value)| !same(row.value(name), value)) {
                changed.set(name.to_owned(), value.clone());
            }
            if changed.is_empty() {
                continue;
            }
            found.note(model, &key, changed.iter().next().map_or("", |(name, _)| name));
            let computed = |name: &str| matches!(name, "compute" | "depends" | "related" | "revision" | "store");
            if model == "ir.model.fields" && changed.iter().any(|(name, _)| computed(name)) {
                found.recomputed.push(key.clone());
            }
            if !only_look {
                self.write(model, &[row.id], changed).await?;
            }
        }
        for (key, _) in new.iter().take(1) {
            found.note(model, key, "");
        }
        let gone: Vec<Id> = known.values().map(|row| row.id).collect();
        if let Some(key) = known.keys().next() {
            found.note(model, key, "");
        }
        if only_look {
            return Ok(Vec::new());
        }
        if !gone.is_empty() {
            self.unlink(model, &gone).await?;
        }
        let (keys, rows): (Vec<Key>, Vec<Values>) = new.into_iter().unzip();
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        found.written += rows.len();
        let ids = self.create_many(model, rows).await?;
        Ok(keys.into_iter().zip(ids).collect())
    }

    /// External ids for rows just made; one left by a row that is gone goes over to the new one.
    pub(crate) async fn name_rows(&mut self, model: &str, rows: Vec<(String, String, Id)>) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let modules: BTreeSet<&str> = rows.iter().map(|(module, _, _)| module.as_str()).collect();
        let domain = domain!(["model", "=", model], ["module", "in", modules.into_iter().collect::<Vec<_>>()]);
        let known = self.search_read("ir.model.data", &domain, &["module", "name"], Search::order("id")).await?;
        let taken: HashMap<(&str, &str), Id> =
            known.iter().map(|row| ((row.get_str("module"), row.get_str("name")), row.id)).collect();
        let mut new = Vec::new();
        for (module, name, id) in &rows {
            match taken.get(&(module.as_str(), name.as_str())) {
                Some(row) => self.write("ir.model.data", &[*row], values! { "res_id" => id.0 }).await?,
                None => new.push(values! { "module" => module, "name" => name, "model" => model, "res_id" => id.0 }),
            }
        }
        if !new.is_empty() {
            self.create_many("ir.model.data", new).await?;
        }
        Ok(())
    }
}

impl Differences {
    fn note(&mut self, model: &str, (of, name): &Key, field: &str) {
        self.written += 1;
        if self.first.is_none() {
            let what = match (model, name.is_empty()) {
                ("ir.model", _) => format!("model {of}"),
                ("ir.model.fields", _) => format!("field {name} of {of}"),
                _ => format!("option {name:?} of a selection"),
            };
            let part = if field.is_empty() { String::new() } else { format!(" ({field})") };
            self.first = Some(format!("{what}{part}"));
        }
    }
}

fn same(found: &Value, wanted: &Value) -> bool {
    found == wanted || (matches!(found, Value::Text(text) if text.is_empty()) && wanted.is_null())
}

fn names(values: &Values) -> Vec<&str> {
    values.iter().map(|(name, _)| name).collect()
}

fn optional(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

const MODEL: [&str; 11] = [
    "name",
    "model",
    "info",
    "order",
    "rec_name",
    "state",
    "transient",
    "abstract",
    "modules",
    "is_mail_thread",
    "is_mail_activity",
];

fn model_values(model: &ModelDef) -> Values {
    let order: Vec<String> =
        model.order.iter().map(|term| format!("{}{}", term.path, if term.descending { " desc" } else { "" })).collect();
    let mut modules = vec![kernel::module(&model.app)];
    for field in &model.fields {
        let module = kernel::module(&field.app);
        if !modules.contains(&module) && field.app != kernel::CUSTOM {
            modules.push(module);
        }
    }
    let has = |mixin: &str| model.mixins.iter().any(|known| known == mixin);
    values! {
        "name" => &model.label,
        "model" => &*model.name,
        "info" => optional(&model.description),
        "order" => optional(&order.join(", ")),
        "rec_name" => optional(model.rec_name.as_deref().unwrap_or_default()),
        "state" => "base",
        "transient" => model.transient,
        "abstract" => model.is_abstract,
        "modules" => modules.join(", "),
        "is_mail_thread" => has("mail.thread"),
        "is_mail_activity" => has("mail.activity.mixin"),
    }
}

fn field_values(model: &ModelDef, model_id: Id, field: &FieldDef) -> Values {
    let kind = &field.kind;
    let (mut relation_field, mut table, mut column1, mut column2, mut currency) = ("", "", "", "", "");
    let (mut size, mut max_size, mut on_delete) = (0, 0, Value::Null);
    match kind {
        Kind::Char { size: limit } => size = i64::from(limit.unwrap_or(0)),
        Kind::Image { max_width, .. } => max_size = i64::from(*max_width),
        Kind::One2Many { inverse, .. } => relation_field = inverse,
        Kind::Many2Many { relation, column1: own, column2: other, .. } => {
            (table, column1, column2) = (relation, own, other)
        }
        Kind::Monetary { currency: field } => currency = field,
        Kind::Many2One { ondelete, .. } => {
            on_delete = match ondelete {
                OnDelete::SetNull => "set null",
                OnDelete::Restrict => "restrict",
                OnDelete::Cascade => "cascade",
            }
            .into();
        }
        _ => {}
    }
    let (compute, depends) = match &field.compute {
        Some(Compute::Expr(text)) => (text.as_str(), String::new()),
        Some(Compute::Code { depends, .. }) => ("", depends.join(", ")),
        None => ("", String::new()),
    };
    let revision = match &field.compute {
        Some(Compute::Code { revision, .. }) if *revision > 0 => i64::from(*revision).into(),
        _ => Value::Null,
    };
    let default = match &field.default {
        Some(Default::Value(serde_json::Value::String(text))) => text.clone(),
        Some(Default::Value(json)) => json.to_string(),
        _ => String::new(),
    };
    let digits = match kind {
        Kind::Decimal { scale, .. } => i64::from(*scale),
        _ => 0,
    };
    values! {
        "name" => &field.name,
        "model" => &*model.name,
        "model_id" => model_id,
        "field_description" => optional(&field.label),
        "help" => optional(&field.help),
        "ttype" => type_name(kind),
        "relation" => optional(kind.comodel().map_or("", |name| name)),
        "relation_field" => optional(relation_field),
        "relation_table" => optional(table),
        "column1" => optional(column1),
        "column2" => optional(column2),
        "currency_field" => optional(currency),
        "related" => optional(field.related.as_deref().unwrap_or_default()),
        "compute" => optional(compute),
        "depends" => optional(&depends),
        "revision" => revision,
        "store" => field.store || !field.is_computed(),
        "required" => field.required,
        "readonly" => field.readonly,
        "index" => field.index,
        "translate" => field.translate || field.translate_pieces,
        "copied" => field.copy,
        "company_dependent" => field.company_dependent,
        "size" => size,
        "digits" => digits,
        "max_size" => max_size,
        "default_value" => optional(&default),
        "on_delete" => on_delete,
        "domain" => optional(field.domain.as_deref().unwrap_or_default()),
        "tracking" => i64::from(field.tracking.unwrap_or(0)),
        "group_names" => optional(&field.groups.join(",")),
        "state" => "base",
        "modules" => kernel::module(&field.app),
    }
}

/// As records and clients name it.
fn type_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Id | Kind::Integer => "integer",
        Kind::Char { .. } => "char",
        Kind::Text => "text",
        Kind::Html => "html",
        Kind::Float | Kind::Decimal { .. } => "float",
        Kind::Monetary { .. } => "monetary",
        Kind::Boolean => "boolean",
        Kind::Date => "date",
        Kind::DateTime => "datetime",
        Kind::Selection { .. } => "selection",
        Kind::Json => "json",
        Kind::Binary { .. } => "binary",
        Kind::Image { .. } => "image",
        Kind::Reference { .. } => "reference",
        Kind::Many2One { .. } => "many2one",
        Kind::One2Many { .. } => "one2many",
        Kind::Many2Many { .. } => "many2many",
    }
}
