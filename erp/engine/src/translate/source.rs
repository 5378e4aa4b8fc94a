//! What a translation is about: under which names PO files know models, fields and options.

use crate::resolve::{FieldDef, ModelDef, Registry};

/// Fields that every model has, translated once for all of them.
const OF_ALL: [&str; 5] = ["id", "create_date", "create_uid", "write_date", "write_uid"];
/// Stands for every model in the names of those.
const ALL: &str = "base";

fn plain(name: &str) -> String {
    name.to_lowercase().replace(|char: char| !char.is_ascii_alphanumeric() && char != '_', "_")
}

pub(crate) fn model_name(model: &str) -> String {
    format!("model_{}", plain(model))
}

pub(crate) fn field_name(model: &str, field: &str) -> String {
    format!("field_{}__{}", plain(model), plain(field))
}

pub(crate) fn option_name(model: &str, field: &str, value: &str) -> String {
    format!("selection__{}__{}__{}", plain(model), plain(field), plain(value))
}

/// Fields come from mixins and from models inherited from; their words are translated where they come from.
#[derive(Clone, Copy)]
pub(crate) struct Owners<'r>(pub(crate) &'r Registry);

impl<'r> Owners<'r> {
    /// The model whose field this is in PO files.
    pub(crate) fn of(self, model: &'r ModelDef, field: &'r FieldDef) -> &'r str {
        if OF_ALL.contains(&field.name.as_str()) { ALL } else { self.above(model, field).last().unwrap_or(&model.name) }
    }

    /// The models that the field comes through, the nearest first.
    pub(crate) fn above(self, model: &'r ModelDef, field: &'r FieldDef) -> impl Iterator<Item = &'r str> {
        let next = move |at: &'r ModelDef| {
            let parents = at.inherits.iter().filter(|_| at.find(&field.name).is_some_and(|own| own.inherited));
            let above = at.mixins.iter().chain(parents.map(|(_, parent)| parent));
            let mut models = above.filter_map(|name| self.0.model(name).ok());
            models.find(|above| above.find(&field.name).is_some())
        };
        std::iter::successors(next(model), move |at| next(at)).map(|model| &*model.name)
    }
}
