//! What fields are: `fields_get`.

use serde_json::{Map, Value as Json, json};

use crate::{
    declare::{Call, Compute, Done},
    execute::Env,
    resolve::{FieldDef, Kind, ModelDef, Registry},
    translate::Words,
};

pub(super) fn fields_get(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let registry = env.registry().clone();
        let model = registry.model(&call.model)?;
        let names: Option<Vec<String>> = call.opt("allfields")?;
        let attributes: Option<Vec<String>> = call.opt("attributes")?;
        Ok(Json::Object(describe(env, model, names.as_deref(), attributes.as_deref())))
    })
}

/// The fields that the user may see, by name; no names are all fields, no attributes all attributes.
pub(crate) fn describe(
    env: &Env,
    model: &ModelDef,
    names: Option<&[String]>,
    attributes: Option<&[String]>,
) -> Map<String, Json> {
    let names = names.filter(|names| !names.is_empty());
    let attributes = attributes.filter(|attributes| !attributes.is_empty());
    let wanted = |field: &&FieldDef| names.is_none_or(|names| names.contains(&field.name));
    let words = env.words();
    let fields = model.fields.iter().filter(|field| env.may_see(field)).filter(wanted);
    fields
        .map(|field| {
            let mut all = attributes_of((env.registry(), &words), model, field);
            if let Some(attributes) = attributes {
                all.retain(|name, _| attributes.contains(name));
            }
            (field.name.clone(), Json::Object(all))
        })
        .collect()
}

/// The word for a field's type on the wire.
pub(super) fn type_name(kind: &Kind) -> &'static str {
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
        Kind::Binary { .. } | Kind::Image { .. } => "binary",
        Kind::Reference { .. } => "reference",
        Kind::Many2One { .. } => "many2one",
        Kind::One2Many { .. } => "one2many",
        Kind::Many2Many { .. } => "many2many",
    }
}

fn attributes_of((registry, words): (&Registry, &Words), model: &ModelDef, field: &FieldDef) -> Map<String, Json> {
    let stamp =
        model.log_access && matches!(field.name.as_str(), "create_date" | "create_uid" | "write_date" | "write_uid");
    let column = field.is_column();
    let ordered = column && !field.kind.is_binary() && field.kind != Kind::Json;
    // A computed field is readonly unless it says what writing to it does.
    let fixed = field.readonly || field.kind == Kind::Id || stamp;
    let depends: Vec<String> = match (&field.compute, &field.related) {
        (Some(Compute::Code { depends, .. }), _) => depends.clone(),
        (_, Some(path)) => vec![path.clone()],
        _ => Vec::new(),
    };
    let mut all = Map::new();
    let mut set = |name: &str, value: Json| drop(all.insert(name.to_owned(), value));
    set("name", field.name.as_str().into());
    set("type", type_name(&field.kind).into());
    set("string", words.label(registry, model, field).into());
    set("required", field.required.into());
    set("readonly", fixed.into());
    set("store", (column || field.kind.is_list() && !field.is_computed()).into());
    set("searchable", (column || field.kind.is_list()).into());
    set("sortable", ordered.into());
    set("groupable", (ordered || matches!(field.kind, Kind::Many2Many { .. })).into());
    set("exportable", (!field.no_export).into());
    set("default_export_compatible", (!field.no_export && field.required).into());
    set("manual", field.manual.into());
    set("company_dependent", field.company_dependent.into());
    set("change_default", false.into());
    set("depends", depends.into());
    set("copy", field.copy.into());
    if field.translate || field.translate_pieces {
        set("translate", true.into());
    }
    if !field.help.is_empty() {
        set("help", words.help(registry, model, field).into());
    }
    if !field.groups.is_empty() {
        set("groups", field.groups.join(",").into());
    }
    if let Some(path) = &field.related {
        set("related", path.as_str().into());
    }
    if let Some(order) = field.tracking {
        set("tracking", order.into());
    }
    let summed = matches!(field.kind, Kind::Integer | Kind::Float | Kind::Decimal { .. } | Kind::Monetary { .. });
    match &field.aggregator {
        Some(aggregator) => {
            set("aggregator", aggregator.as_str().into());
            set("group_operator", aggregator.as_str().into());
        }
        None if summed && field.kind != Kind::Id => {
            set("aggregator", "sum".into());
            set("group_operator", "sum".into());
        }
        None => {}
    }
    match &field.kind {
        Kind::Char { .. } if field.language => {
            set("type", "selection".into());
            set("selection", registry.words.languages().iter().map(|(code, name)| json!([code, name])).collect());
        }
        Kind::Char { size } => {
            set("trim", true.into());
            if let Some(size) = size {
                set("size", (*size).into());
            }
        }
        Kind::Selection { options } => {
            let option = |(value, label): &(String, String)| {
                json!([value, words.option(registry, model, field, (value, label))])
            };
            set("selection", options.iter().map(option).collect());
        }
        Kind::Reference { models } => {
            // Options that are called as their models are follow these.
            let option = |(value, label): &(String, String)| match registry.model(value) {
                Ok(model) if model.label == *label => json!([value, words.model(model)]),
                _ => json!([value, label]),
            };
            set("selection", models.iter().map(option).collect());
        }
        Kind::Decimal { digits, scale } => set("digits", json!([digits, scale])),
        Kind::Monetary { currency } => set("currency_field", currency.as_str().into()),
        Kind::Binary { in_row } => set("attachment", (!in_row).into()),
        Kind::Image { .. } => set("attachment", true.into()),
        Kind::One2Many { inverse, .. } => set("relation_field", inverse.as_str().into()),
        Kind::Id
        | Kind::Text
        | Kind::Html
        | Kind::Integer
        | Kind::Float
        | Kind::Boolean
        | Kind::Date
        | Kind::DateTime
        | Kind::Json
        | Kind::Many2One { .. }
        | Kind::Many2Many { .. } => {}
    }
    if let Some(comodel) = field.kind.comodel() {
        set("relation", comodel.as_ref().into());
        set("domain", field.domain.as_deref().map_or_else(|| json!([]), Into::into));
        set("context", field.context.as_deref().map_or_else(|| json!({}), Into::into));
    }
    all
}
