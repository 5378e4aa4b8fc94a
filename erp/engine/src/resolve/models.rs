//! Models and their fields, as all apps together declare them.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    ResolveErrors, coerce, names,
    registry::{FieldDef, Kind, ModelDef, OrderTerm, Registry, UniqueDef},
};
use crate::{
    declare::{App, Default, Field, FieldType, Model, OnDelete},
    value::Value,
};

pub(super) type Drafts = BTreeMap<String, Draft>;

/// A model while it is put together.
pub(super) struct Draft {
    pub(super) app: String,
    pub(super) name: String,
    pub(super) label: String,
    pub(super) description: String,
    pub(super) rec_name: Option<String>,
    pub(super) order: Option<String>,
    pub(super) order_terms: Vec<OrderTerm>,
    pub(super) log_access: bool,
    pub(super) fields: Vec<DraftField>,
    /// (app, fields, message)
    pub(super) unique_declared: Vec<(String, Vec<String>, String)>,
    pub(super) unique: Vec<UniqueDef>,
    pub(super) referenced_by: Vec<super::registry::Reference>,
    /// What else the model says of itself, extensions included; its fields are above.
    pub(super) declared: Model,
}

#[derive(Clone)]
pub(super) struct DraftField {
    pub(super) app: String,
    pub(super) unique: bool,
    pub(super) def: FieldDef,
}

impl Draft {
    /// Unless it has a field of this name.
    pub(super) fn add_before_stamps(&mut self, field: DraftField) {
        if self.fields.iter().any(|own| own.def.name == field.def.name) {
            return;
        }
        let stamps = self.fields.iter().rposition(|own| !RESERVED[1..].contains(&own.def.name.as_str()));
        self.fields.insert(stamps.map_or(0, |last| last + 1), field);
    }

    pub(super) fn has_readable(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.def.name == name && field.def.is_readable())
    }

    pub(super) fn has_stored(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.def.name == name && field.def.is_column())
    }
}

/// Names that every model has for itself.
pub(super) const RESERVED: [&str; 5] = ["id", "create_date", "create_uid", "write_date", "write_uid"];

pub(super) fn merge(apps: &[&App], errors: &mut ResolveErrors) -> Drafts {
    let mut drafts = Drafts::new();
    let mut tables: BTreeMap<String, String> = BTreeMap::new();
    // Where no app declares the users' model, `access` says so once; stamps without users need not repeat it.
    let declared =
        |name: &str| apps.iter().flat_map(|app| &app.models).any(|model| model.name == name && !model.extends);
    let principals = apps.iter().find_map(|app| app.principals.as_ref()).map(|principals| principals.model.as_str());
    let principals = principals.filter(|name| declared(name));
    for app in apps {
        for model in &app.models {
            if model.extends {
                extend(app, model, &mut drafts, errors);
                continue;
            }
            if !names::is_model_name(&model.name) {
                let problem =
                    "its name must be at most 55 lower case letters, digits and underscores, in parts joined by dots";
                errors.model(&app.name, &model.name, problem);
                continue;
            }
            if let Some(other) = drafts.get(&model.name) {
                errors.model(
                    &app.name,
                    &model.name,
                    format_args!("app {} declares it already; use extends", other.app),
                );
                continue;
            }
            if let Some(other) = tables.insert(names::table(&model.name), model.name.clone()) {
                errors.model(&app.name, &model.name, format_args!("its table would be that of {other}"));
                continue;
            }
            let mut draft = begin(app, model);
            add_fields(app, model, &mut draft, errors);
            if model.log_access {
                draft.fields.extend(stamps(app, principals));
            }
            drafts.insert(model.name.clone(), draft);
        }
    }
    drafts
}

fn begin(app: &App, model: &Model) -> Draft {
    let id = FieldDef { required: true, readonly: true, ..plain("id", Kind::Id, "ID") };
    Draft {
        app: app.name.clone(),
        name: model.name.clone(),
        label: if model.label.is_empty() { model.name.clone() } else { model.label.clone() },
        description: model.description.clone(),
        rec_name: model.rec_name.clone(),
        order: model.order.clone(),
        order_terms: Vec::new(),
        log_access: model.log_access,
        fields: vec![DraftField { app: app.name.clone(), unique: false, def: id }],
        unique_declared: declared_unique(app, model),
        unique: Vec::new(),
        referenced_by: Vec::new(),
        declared: Model { fields: Vec::new(), ..model.clone() },
    }
}

fn extend(app: &App, model: &Model, drafts: &mut Drafts, errors: &mut ResolveErrors) {
    let Some(draft) = drafts.get_mut(&model.name) else {
        errors.model(
            &app.name,
            &model.name,
            "extends a model that no app before it declares; is a dependency missing?",
        );
        return;
    };
    if model.order.is_some() {
        draft.order.clone_from(&model.order);
    }
    if model.rec_name.is_some() {
        draft.rec_name.clone_from(&model.rec_name);
    }
    draft.unique_declared.extend(declared_unique(app, model));
    let own = &mut draft.declared;
    own.mixins.extend(model.mixins.iter().cloned());
    own.inherits.extend(model.inherits.iter().cloned());
    own.checks.extend(model.checks.iter().cloned());
    own.name_search.extend(model.name_search.iter().cloned());
    add_fields(app, model, draft, errors);
}

fn declared_unique(app: &App, model: &Model) -> Vec<(String, Vec<String>, String)> {
    model.unique.iter().map(|unique| (app.name.clone(), unique.fields.clone(), unique.message.clone())).collect()
}

fn add_fields(app: &App, model: &Model, draft: &mut Draft, errors: &mut ResolveErrors) {
    for field in &model.fields {
        let mut wrong = |problem: String| errors.field(&app.name, &model.name, &field.name, problem);
        if !names::is_word(&field.name) {
            wrong("its name must be at most 63 lower case letters, digits and underscores".to_owned());
            continue;
        }
        if RESERVED.contains(&field.name.as_str()) {
            wrong("every model has this field by itself".to_owned());
            continue;
        }
        if let Some(other) = draft.fields.iter_mut().find(|other| other.def.name == field.name) {
            // An app may give another's selection further options.
            if let (Kind::Selection { options }, FieldType::Selection { options: more }, true) =
                (&mut other.def.kind, &field.kind, model.extends)
            {
                let new: Vec<_> = more.iter().filter(|(v, _)| !options.iter().any(|(w, _)| v == w)).cloned().collect();
                options.extend(new);
                continue;
            }
            wrong(format!("app {} declares it already", other.app));
            continue;
        }
        let Some(mut def) = define(field, &mut wrong) else { continue };
        for group in &mut def.groups {
            *group = super::access::qualified(&app.name, group);
        }
        draft.fields.push(DraftField { app: app.name.clone(), unique: field.unique, def });
    }
}

/// What can be said of a field without looking at others. Nothing comes back when later stages could not work with it.
fn define(field: &Field, wrong: &mut impl FnMut(String)) -> Option<FieldDef> {
    let kind = match &field.kind {
        FieldType::Char { size } => {
            if *size == Some(0) {
                wrong("size 0 leaves room for nothing".to_owned());
            }
            Kind::Char { size: *size }
        }
        FieldType::Text => Kind::Text,
        FieldType::Html => Kind::Html,
        FieldType::Monetary { currency } => Kind::Monetary { currency: currency.clone() },
        FieldType::Integer => Kind::Integer,
        FieldType::Float => Kind::Float,
        FieldType::Decimal { digits, scale } => {
            if !(1..=18).contains(digits) || scale > digits {
                wrong(format!("decimal of {digits} digits, {scale} after the point: 1 to 18 digits, the scale within"));
                return None;
            }
            Kind::Decimal { digits: *digits, scale: *scale }
        }
        FieldType::Boolean => Kind::Boolean,
        FieldType::Date => Kind::Date,
        FieldType::DateTime => Kind::DateTime,
        FieldType::Selection { options } => {
            if options.is_empty() && field.related.is_none() {
                wrong("a selection needs options".to_owned());
            }
            for (at, (value, _)) in options.iter().enumerate() {
                if options[..at].iter().any(|(other, _)| other == value) {
                    wrong(format!("option {value:?} is there twice"));
                }
            }
            Kind::Selection { options: options.clone() }
        }
        FieldType::Json => Kind::Json,
        FieldType::Binary { in_row } => Kind::Binary { in_row: *in_row },
        FieldType::Image { max_width, max_height } => Kind::Image { max_width: *max_width, max_height: *max_height },
        FieldType::Reference { models } => Kind::Reference { models: models.clone() },
        FieldType::Many2One { comodel, ondelete } => {
            if field.required && *ondelete == OnDelete::SetNull {
                wrong(
                    "required, so it cannot be emptied when the other record goes; set ondelete to restrict or cascade"
                        .to_owned(),
                );
            }
            Kind::Many2One { comodel: comodel.as_str().into(), ondelete: *ondelete }
        }
        FieldType::One2Many { comodel, inverse } => {
            if field.required || field.unique || field.index || field.default.is_some() {
                wrong(
                    "a one2many field is not stored, so it cannot be required, unique, indexed or have a default"
                        .to_owned(),
                );
            }
            Kind::One2Many { comodel: comodel.as_str().into(), inverse: inverse.clone() }
        }
        FieldType::Many2Many { comodel, relation, column1, column2 } => {
            if field.required || field.unique || field.index {
                wrong("a many2many field is no column, so it cannot be required, unique or indexed".to_owned());
            }
            Kind::Many2Many {
                comodel: comodel.as_str().into(),
                relation: relation.clone(),
                column1: column1.clone(),
                column2: column2.clone(),
            }
        }
    };
    if field.unique && (kind == Kind::Json || kind.is_binary()) {
        wrong("JSON and binary fields cannot be unique".to_owned());
    }
    let def = FieldDef {
        required: field.required,
        readonly: field.readonly,
        default: field.default.clone(),
        help: field.help.clone(),
        index: field.index || matches!(kind, Kind::Many2One { .. }),
        groups: field.groups.clone(),
        secret: field.secret,
        translate: field.translate,
        translate_pieces: field.translate_pieces,
        language: field.language,
        company_dependent: field.company_dependent,
        copy: field.copy.unwrap_or_else(|| copied(field)),
        compute: field.compute.clone(),
        related: field.related.clone(),
        store: field.store,
        domain: field.domain.clone(),
        context: field.context.clone(),
        tracking: field.tracking,
        aggregator: field.aggregator.clone(),
        no_export: field.no_export,
        manual: field.manual,
        ..plain(&field.name, kind, &field.label)
    };
    check_default(&def, wrong);
    Some(def)
}

fn check_default(def: &FieldDef, wrong: &mut impl FnMut(String)) {
    match (&def.default, &def.kind) {
        (None, _) => {}
        (Some(Default::Value(json)), _) => {
            if let Err(problem) = coerce::to_store(def, Value::from_json(json)) {
                wrong(format!("default: {problem}"));
            }
        }
        (Some(Default::Now), Kind::DateTime) | (Some(Default::Today), Kind::Date) => {}
        (Some(Default::User), Kind::Many2One { .. }) => {}
        (Some(other), _) => wrong(format!("default {other:?} does not fit the field's type")),
    }
}

fn copied(field: &Field) -> bool {
    let computed = field.compute.is_some() || field.related.is_some();
    !field.unique && !computed && !matches!(field.kind, FieldType::One2Many { .. })
}

fn plain(name: &str, kind: Kind, label: &str) -> FieldDef {
    FieldDef {
        name: name.to_owned(),
        kind,
        label: if label.is_empty() { made_label(name) } else { label.to_owned() },
        help: String::new(),
        required: false,
        readonly: false,
        default: None,
        index: false,
        groups: Vec::new(),
        secret: false,
        app: String::new(),
        model: None,
        translate: false,
        translate_pieces: false,
        language: false,
        company_dependent: false,
        copy: false,
        inherited: false,
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

/// `client_key_hash` -> "Client Key Hash"
fn made_label(name: &str) -> String {
    let word = |word: &str| {
        let mut chars = word.chars();
        chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
    };
    name.split('_').map(word).collect::<Vec<_>>().join(" ")
}

fn stamps(app: &App, principals: Option<&str>) -> Vec<DraftField> {
    let who = || match principals {
        Some(model) => Kind::Many2One { comodel: model.into(), ondelete: OnDelete::SetNull },
        None => Kind::Integer,
    };
    [
        ("create_date", Kind::DateTime, "Created on"),
        ("create_uid", who(), "Created by"),
        ("write_date", Kind::DateTime, "Last changed on"),
        ("write_uid", who(), "Last changed by"),
    ]
    .into_iter()
    .map(|(name, kind, label)| DraftField {
        app: app.name.clone(),
        unique: false,
        def: FieldDef { readonly: true, ..plain(name, kind, label) },
    })
    .collect()
}

pub(super) fn finish(apps: &[&App], drafts: Drafts) -> Registry {
    let models = drafts.into_values().map(|draft| {
        let name: Arc<str> = draft.name.as_str().into();
        let own = |field: DraftField| FieldDef { app: field.app, model: Some(name.clone()), ..field.def };
        let fields: Vec<FieldDef> = draft.fields.into_iter().map(own).collect();
        let declared = draft.declared;
        let parent = declared.parent.or_else(|| {
            let own = |field: &&FieldDef| field.name == "parent_id";
            fields.iter().find(own).map(|field| field.name.clone())
        });
        let def = ModelDef {
            by_name: fields.iter().enumerate().map(|(at, field)| (field.name.clone(), at)).collect(),
            table: names::table(&draft.name),
            app: draft.app,
            label: draft.label,
            description: draft.description,
            rec_name: draft.rec_name,
            log_access: draft.log_access,
            order: draft.order_terms,
            unique: draft.unique,
            referenced_by: draft.referenced_by,
            behaviour: super::behaviour::Behaviour::default(),
            is_abstract: declared.is_abstract,
            transient: declared.transient,
            mixins: declared.mixins,
            inherits: declared.inherits,
            parent,
            checks: declared.checks,
            metadata: declared.metadata,
            name_search: declared.name_search,
            ids_of: declared.ids_of,
            follows: declared.follows,
            name: name.clone(),
            fields,
        };
        (name, def)
    });
    Registry {
        apps: apps.iter().map(|app| app.name.clone()).collect(),
        models: models.collect(),
        ..Registry::default()
    }
}
