//! The words of one language for models, fields, options and views.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use serde_json::{Value as Json, json};

use super::Owners;
use crate::resolve::{FieldDef, ModelDef, Registry};

/// Languages kept at once; a client may ask for any.
const MOST: usize = 200;

#[derive(Debug, Default)]
pub(crate) struct Terms {
    pub(crate) models: HashMap<String, TermsOf>,
    /// By the view's id, then by the text.
    pub(crate) views: HashMap<i64, Pieces>,
}

#[derive(Debug, Default)]
pub(crate) struct TermsOf {
    pub(crate) name: Option<String>,
    pub(crate) fields: HashMap<String, OfField>,
}

#[derive(Debug, Default)]
pub(crate) struct OfField {
    pub(crate) label: Option<String>,
    pub(crate) help: Option<String>,
    pub(crate) options: HashMap<String, String>,
}

/// Translations of a text's pieces, such as the labels of a view, by the piece.
pub(crate) type Pieces = BTreeMap<String, Piece>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    /// The app whose file it is from; nothing for what a person wrote, which no file changes.
    pub(crate) module: Option<String>,
}

/// As they are kept beside the row: `{"Name": ["Bezeichnung", "base"], "Note": "Notiz"}`.
pub(crate) fn read_pieces(kept: &str) -> Pieces {
    let Ok(Json::Object(all)) = serde_json::from_str(kept) else { return Pieces::new() };
    let piece = |json: Json| match json {
        Json::String(text) => Some(Piece { text, module: None }),
        Json::Array(pair) => Some(Piece {
            text: pair.first()?.as_str()?.to_owned(),
            module: pair.get(1).and_then(Json::as_str).map(str::to_owned),
        }),
        _ => None,
    };
    all.into_iter().filter_map(|(source, json)| Some((source, piece(json)?))).collect()
}

pub(crate) fn write_pieces(pieces: &Pieces) -> String {
    let json = |piece: &Piece| match &piece.module {
        Some(module) => json!([piece.text, module]),
        None => piece.text.as_str().into(),
    };
    Json::Object(pieces.iter().map(|(source, piece)| (source.clone(), json(piece))).collect()).to_string()
}

/// The words of every language that was asked for. They live and end with the registry, which every translation of a
/// label replaces.
#[derive(Default)]
pub(crate) struct Known(Mutex<HashMap<String, Arc<Terms>>>, OnceLock<Vec<(String, String)>>);

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Known")
    }
}

impl Known {
    pub(crate) fn get(&self, lang: &str) -> Option<Arc<Terms>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(lang).cloned()
    }

    /// (code, name) of the languages that people may choose, once they were looked up.
    pub(crate) fn languages(&self) -> &[(String, String)] {
        self.1.get().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn has_languages(&self) -> bool {
        self.1.get().is_some()
    }

    pub(crate) fn put_languages(&self, all: Vec<(String, String)>) {
        // Somebody else may have looked at the same time, and found the same.
        drop(self.1.set(all));
    }

    pub(crate) fn put(&self, lang: &str, terms: Arc<Terms>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(lang.to_owned(), terms);
    }
}

/// Words in one person's language; the source's own where nobody translated them.
#[derive(Clone, Debug, Default)]
pub struct Words(pub(crate) Option<Arc<Terms>>);

impl Words {
    pub fn model<'a>(&'a self, model: &'a ModelDef) -> &'a str {
        let found = self.0.as_ref().and_then(|terms| terms.models.get(&*model.name)?.name.as_deref());
        found.unwrap_or(&model.label)
    }

    pub fn label<'a>(&'a self, registry: &'a Registry, model: &'a ModelDef, field: &'a FieldDef) -> &'a str {
        self.of(registry, model, field, &field.label, |source| &source.label, |words| words.label.as_deref())
    }

    pub fn help<'a>(&'a self, registry: &'a Registry, model: &'a ModelDef, field: &'a FieldDef) -> &'a str {
        self.of(registry, model, field, &field.help, |source| &source.help, |words| words.help.as_deref())
    }

    /// What people call a value of a selection, whose own label is `label`.
    pub fn option<'a>(
        &'a self,
        registry: &'a Registry,
        model: &'a ModelDef,
        field: &'a FieldDef,
        (value, label): (&'a str, &'a str),
    ) -> &'a str {
        self.of(registry, model, field, label, |_| label, |words| words.options.get(value).map(String::as_str))
    }

    /// The model's own word, else that of where the field comes from, when it is called the same there.
    fn of<'a>(
        &'a self,
        registry: &'a Registry,
        model: &'a ModelDef,
        field: &'a FieldDef,
        own: &'a str,
        source: impl Fn(&'a FieldDef) -> &'a str,
        word: impl Fn(&'a OfField) -> Option<&'a str>,
    ) -> &'a str {
        let Some(terms) = self.0.as_ref().filter(|_| !own.is_empty()) else { return own };
        let at = |model: &str| word(terms.models.get(model)?.fields.get(&field.name)?);
        if let Some(found) = at(&model.name) {
            return found;
        }
        let mut above = Owners(registry).above(model, field).filter(|above| {
            let there = registry.model(above).ok().and_then(|model| model.find(&field.name));
            there.is_some_and(|there| source(there) == own)
        });
        above.find_map(at).unwrap_or(own)
    }

    /// A text of a view: by the translation of this view, else by that of another one of the same model.
    pub(crate) fn of_view<'a>(&'a self, ids: impl IntoIterator<Item = i64>, text: &str) -> Option<&'a str> {
        let terms = self.0.as_ref()?;
        ids.into_iter().find_map(|id| Some(terms.views.get(&id)?.get(text)?.text.as_str()))
    }

    pub(crate) fn is_source(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_kept_with_who_translated_them() {
        let piece =
            |text: &str, module: Option<&str>| Piece { text: text.to_owned(), module: module.map(str::to_owned) };
        let pieces = Pieces::from([
            ("Name".to_owned(), piece("Bezeichnung", Some("base"))),
            ("Note".to_owned(), piece("Notiz", None)),
        ]);
        let kept = write_pieces(&pieces);
        assert_eq!(kept, r#"{"Name":["Bezeichnung","base"],"Note":"Notiz"}"#);
        assert_eq!(read_pieces(&kept), pieces);
        assert!(read_pieces("no JSON").is_empty());
    }
}
