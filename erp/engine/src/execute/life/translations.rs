//! Translations that apps bring and that people take in and out as files.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::{Env, Search};
use crate::{
    domain,
    error::Error,
    kernel::{self, TRANSLATIONS},
    record::Values,
    resolve::{FieldDef, Kind, Registry, shorten},
    translate::{
        Owners, Piece, Pieces, SOURCE_LANG, falls_back, field_name, model_name, option_name,
        po::{self, Entry},
        read_pieces, write_pieces,
    },
    value::{Id, Value},
    values, view,
};

/// Rows of models, fields and options, by their ids.
#[derive(Default)]
pub(in super::super) struct Named {
    pub(in super::super) models: HashMap<Id, String>,
    pub(in super::super) fields: HashMap<Id, (String, String)>,
    /// (row of the field, value)
    pub(in super::super) options: HashMap<Id, (Id, String)>,
}

/// A text that can be translated, and the records that hold it.
struct Source {
    module: String,
    /// As PO files name it.
    reference: String,
    text: String,
    model: String,
    field: String,
    ids: Vec<Id>,
    /// A piece of the field's text, not all of it.
    piece: bool,
}

/// (model, field, record)
type Place = (String, String, Id);

/// Translations to be there, each with the app whose file it is from.
#[derive(Default)]
struct Wanted {
    whole: BTreeMap<Place, Piece>,
    pieces: BTreeMap<Place, Pieces>,
}

#[derive(Clone, Copy, PartialEq)]
enum By {
    /// What the apps' files say, and nothing else that came from them.
    Apps,
    Person,
}

impl Env {
    /// Brings the texts of the installed apps in the languages that people may choose up to the apps' files. What people
    /// translated stays, unless `overwrite`. Answers how many texts changed.
    pub async fn load_translations(&mut self, overwrite: bool) -> Result<usize, Error> {
        let langs: Vec<String> = self.languages().await?.into_iter().filter(|lang| lang != SOURCE_LANG).collect();
        if langs.is_empty() {
            return Ok(0);
        }
        let mut env = self.in_source("translations of apps");
        let sources = env.translated_texts().await?;
        let mut changed = 0;
        for lang in langs {
            let mut wanted = Wanted::default();
            for (module, entries) in env.files_of(&lang)? {
                wanted.add(&index(&sources), &sources, &entries, Some(&module));
            }
            changed += env.put_translations(&lang, wanted, By::Apps, overwrite).await?;
        }
        if changed > 0 {
            env.refresh_metadata().await?;
        }
        Ok(changed)
    }

    /// Takes in what a person brings. What is translated already stays, unless `overwrite`. Answers how many texts
    /// changed.
    pub async fn import_translations(
        &mut self,
        lang: &str,
        entries: &[Entry],
        overwrite: bool,
    ) -> Result<usize, Error> {
        if lang == SOURCE_LANG {
            return Err(Error::User(format!("{SOURCE_LANG} is the language of the texts themselves; edit those")));
        }
        let mut env = self.in_source("translations that somebody brings");
        let sources = env.translated_texts().await?;
        let mut wanted = Wanted::default();
        wanted.add(&index(&sources), &sources, entries, None);
        let changed = env.put_translations(lang, wanted, By::Person, overwrite).await?;
        if changed > 0 {
            env.refresh_metadata().await?;
        }
        Ok(changed)
    }

    /// Texts of these apps with their translations, for a file; without a language a template. Texts that are translated
    /// in several ways come as often, told apart by their context.
    pub async fn export_translations(&mut self, lang: Option<&str>, apps: &[String]) -> Result<Vec<Entry>, Error> {
        let mut env = self.in_source("texts for translators");
        let sources = env.translated_texts().await?;
        let known = match lang {
            Some(lang) => env.kept_translations(lang).await?,
            None => BTreeMap::new(),
        };
        let mut found: BTreeMap<(String, String), Entry> = BTreeMap::new();
        for source in sources.iter().filter(|source| apps.contains(&source.module)) {
            let place = |id: &Id| (source.model.clone(), source.field.clone(), *id);
            let kept = source.ids.first().and_then(|id| known.get(&place(id)));
            let text = match kept {
                Some(kept) if source.piece => kept.pieces().remove(&source.text).map(|piece| piece.text),
                Some(kept) => Some(kept.value.clone()),
                None => None,
            };
            let text = text.unwrap_or_default();
            let entry = found.entry((source.text.clone(), text.clone())).or_insert_with(|| Entry {
                source: source.text.clone(),
                texts: vec![text],
                ..Entry::default()
            });
            if !entry.modules.contains(&source.module) {
                entry.modules.push(source.module.clone());
            }
            if !entry.references.contains(&source.reference) {
                entry.references.push(source.reference.clone());
            }
        }
        for (module, entry) in env.texts_of_programs(lang, apps)? {
            let key = (entry.source.clone(), entry.texts.first().cloned().unwrap_or_default());
            let known = found.entry(key).or_insert_with(|| Entry { references: Vec::new(), ..entry.clone() });
            known.references.extend(entry.references.into_iter().filter(|place| place.starts_with("code:")));
            if !known.modules.contains(&module) {
                known.modules.push(module);
            }
        }
        let mut entries: Vec<Entry> = found.into_values().collect();
        for at in 1..entries.len() {
            if entries[at - 1].source == entries[at].source {
                entries[at].context = entries[at].references.first().cloned();
            }
        }
        Ok(entries)
    }

    /// Texts of the programs of apps, such as the web client's, in a language: (text, translation) by app. They are in no
    /// record; only the files of apps have them.
    pub fn program_texts(&self, lang: &str) -> Result<BTreeMap<String, Vec<(String, String)>>, Error> {
        let mut found: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (module, entries) in self.files_of(lang)? {
            for entry in entries.iter().filter(|entry| entry.references.iter().any(|place| place.starts_with("code:")))
            {
                if let Some(text) = entry.text() {
                    let own = found.entry(module.clone()).or_default();
                    own.insert(entry.source.clone(), text.to_owned());
                }
            }
        }
        Ok(found.into_iter().map(|(module, texts)| (module, texts.into_iter().collect())).collect())
    }

    fn texts_of_programs(&self, lang: Option<&str>, apps: &[String]) -> Result<Vec<(String, Entry)>, Error> {
        let is_code = |entry: &Entry| entry.references.iter().any(|place| place.starts_with("code:"));
        let mut found: BTreeMap<(String, String), Entry> = BTreeMap::new();
        let available = self.engine.available();
        let langs: BTreeSet<&str> =
            available.iter().flat_map(|app| &app.translations).map(|file| &*file.lang).collect();
        for other in langs {
            for (module, entries) in self.files_of(other)? {
                for entry in entries.into_iter().filter(is_code).filter(|_| apps.contains(&module)) {
                    found.insert((module.clone(), entry.source.clone()), Entry { texts: vec![String::new()], ..entry });
                }
            }
        }
        if let Some(lang) = lang {
            for (module, entries) in self.files_of(lang)? {
                for entry in entries.into_iter().filter(is_code).filter(|_| apps.contains(&module)) {
                    found.insert((module.clone(), entry.source.clone()), entry);
                }
            }
        }
        Ok(found.into_iter().map(|((module, _), entry)| (module, entry)).collect())
    }

    /// Entries of the installed apps' files for a language, apps in their order, what is said for a country last.
    fn files_of(&self, lang: &str) -> Result<Vec<(String, Vec<Entry>)>, Error> {
        let mut files = Vec::new();
        let installed = self.registry().apps.iter();
        let available = self.engine.available();
        for app in installed.filter_map(|name| available.iter().find(|app| app.name == *name)) {
            for wanted in falls_back(lang) {
                for file in app.translations.iter().filter(|file| file.lang == wanted) {
                    let entries = po::parse(file.content.as_bytes())
                        .map_err(|error| Error::User(format!("app {}, i18n/{}.po, {error}", app.name, file.lang)))?;
                    files.push((kernel::module(&app.name).to_owned(), entries));
                }
            }
        }
        Ok(files)
    }

    pub(in super::super) async fn named_metadata(&mut self) -> Result<Named, Error> {
        let mut named = Named::default();
        let by_id = || Search::order("id");
        for row in self.search_read("ir.model", &domain!(), &["model"], by_id()).await? {
            named.models.insert(row.id, row.get_str("model").to_owned());
        }
        for row in self.search_read("ir.model.fields", &domain!(), &["model_id", "name"], by_id()).await? {
            let Value::Id(model) = row.value("model_id") else { continue };
            let Some(model) = named.models.get(model) else { continue };
            named.fields.insert(row.id, (model.clone(), row.get_str("name").to_owned()));
        }
        for row in self.search_read("ir.model.fields.selection", &domain!(), &["field_id", "value"], by_id()).await? {
            let Value::Id(field) = *row.value("field_id") else { continue };
            named.options.insert(row.id, (field, row.get_str("value").to_owned()));
        }
        Ok(named)
    }

    /// Everything of the installed apps that can be translated.
    async fn translated_texts(&mut self) -> Result<Vec<Source>, Error> {
        let registry = self.registry().clone();
        let named = self.named_metadata().await?;
        let mut sources = labels(&registry, &named);
        for model in registry.models().filter(|model| !model.is_abstract && !model.name.starts_with("ir.model")) {
            let of_text = |field: &&FieldDef| (field.translate || field.translate_pieces) && field.is_column();
            let fields: Vec<&FieldDef> = model.fields.iter().filter(of_text).collect();
            if fields.is_empty() {
                continue;
            }
            let known = domain!(["model", "=", &*model.name]);
            let rows =
                self.search_read("ir.model.data", &known, &["module", "name", "res_id"], Search::order("id")).await?;
            let is_app = |module: &str| registry.apps.iter().any(|app| kernel::module(app) == module);
            let mut names: HashMap<Id, Vec<(String, String)>> = HashMap::new();
            for row in rows.iter().filter(|row| is_app(row.get_str("module"))) {
                let Value::Int(id) = *row.value("res_id") else { continue };
                let name = (row.get_str("module").to_owned(), row.get_str("name").to_owned());
                names.entry(Id(id)).or_default().push(name);
            }
            let mut ids: Vec<Id> = names.keys().copied().collect();
            ids.sort_unstable();
            let columns: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            let known = domain!(["id", "in", ids]);
            for record in self.search_read(&model.name, &known, &columns, Search::order("id")).await? {
                for (module, name) in names.get(&record.id).into_iter().flatten() {
                    for field in &fields {
                        of_record(
                            &mut sources,
                            &model.name,
                            field,
                            record.id,
                            record.get_str(&field.name),
                            (module, name),
                        );
                    }
                }
            }
        }
        Ok(sources)
    }

    async fn kept_translations(&mut self, lang: &str) -> Result<BTreeMap<Place, Kept>, Error> {
        let fields = ["model", "field", "res_id", "value", "module"];
        let rows = self.search_read(TRANSLATIONS, &domain!(["lang", "=", lang]), &fields, Search::order("id")).await?;
        let registry = self.registry();
        let kept = rows.iter().filter_map(|row| {
            let Value::Int(id) = *row.value("res_id") else { return None };
            let field = registry.model(row.get_str("model")).ok().and_then(|model| model.find(row.get_str("field")));
            let is_pieces = field.is_some_and(|field| field.translate_pieces);
            let place = (row.get_str("model").to_owned(), row.get_str("field").to_owned(), Id(id));
            let module = Some(row.get_str("module").to_owned()).filter(|module| !module.is_empty());
            Some((place, Kept { row: row.id, value: row.get_str("value").to_owned(), module, is_pieces }))
        });
        Ok(kept.collect())
    }

    async fn put_translations(&mut self, lang: &str, wanted: Wanted, by: By, overwrite: bool) -> Result<usize, Error> {
        let known = self.kept_translations(lang).await?;
        let stays = |module: Option<&str>| !overwrite && (by == By::Person || module.is_none());
        let (mut new, mut changed, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for (place, piece) in &wanted.whole {
            match known.get(place) {
                Some(kept) if stays(kept.module.as_deref()) => {}
                Some(kept) if kept.value == piece.text && kept.module == piece.module => {}
                Some(kept) => changed.push((kept.row, piece.text.clone(), piece.module.clone())),
                None => new.push((place.clone(), piece.text.clone(), piece.module.clone())),
            }
        }
        let mut texts = new.len() + changed.len();
        let mut places: BTreeSet<&Place> = wanted.pieces.keys().collect();
        if by == By::Apps {
            places.extend(known.iter().filter(|(_, kept)| kept.is_pieces).map(|(place, _)| place));
            let left = known.iter().filter(|(place, kept)| !wanted.whole.contains_key(*place) && kept.module.is_some());
            gone.extend(left.map(|(_, kept)| kept.row));
        }
        let none = Pieces::new();
        for place in places {
            let kept = known.get(place);
            let old = kept.map(Kept::pieces).unwrap_or_default();
            // What came from files of apps and is in none now is forgotten.
            let mut all: Pieces = match by {
                By::Apps => old.iter().filter(|(_, piece)| piece.module.is_none()).map(clone).collect(),
                By::Person => old.clone(),
            };
            for (source, piece) in wanted.pieces.get(place).unwrap_or(&none) {
                let stays = all.get(source).is_some_and(|known| stays(known.module.as_deref()));
                if !stays {
                    all.insert(source.clone(), piece.clone());
                }
            }
            if all == old {
                continue;
            }
            texts += 1;
            match kept {
                Some(kept) if all.is_empty() => gone.push(kept.row),
                Some(kept) => changed.push((kept.row, write_pieces(&all), None)),
                None => new.push((place.clone(), write_pieces(&all), None)),
            }
        }
        let row = |((model, field, id), value, module): (Place, String, Option<String>)| {
            values! { "model" => model, "field" => field, "res_id" => id.0, "lang" => lang, "value" => value, "module" => module }
        };
        let rows: Vec<Values> = new.into_iter().map(row).collect();
        if !rows.is_empty() {
            self.create_many(TRANSLATIONS, rows).await?;
        }
        for (row, value, module) in changed {
            self.write(TRANSLATIONS, &[row], values! { "value" => value, "module" => module }).await?;
        }
        texts += gone.len();
        if !gone.is_empty() {
            self.unlink(TRANSLATIONS, &gone).await?;
        }
        Ok(texts)
    }

    /// Translations of a field of one record by language: of all of its text under an empty piece, else by piece.
    pub(crate) async fn translations_of(
        &mut self,
        (model, field, id): (&str, &str, Id),
    ) -> Result<BTreeMap<String, (Id, String)>, Error> {
        let mut env = self.in_source("translations of a record");
        let wanted = domain!(["model", "=", model], ["field", "=", field], ["res_id", "=", id.0]);
        let rows = env.search_read(TRANSLATIONS, &wanted, &["lang", "value"], Search::order("lang")).await?;
        Ok(rows.iter().map(|row| (row.get_str("lang").to_owned(), (row.id, row.get_str("value").to_owned()))).collect())
    }

    /// Sets or, with nothing, takes away how a person translated a field of one record. Who may is asked before.
    pub(crate) async fn put_translation_of(
        &mut self,
        (model, field, id): (&str, &str, Id),
        lang: &str,
        value: Option<String>,
    ) -> Result<(), Error> {
        let known = self.translations_of((model, field, id)).await?.remove(lang);
        let mut env = self.in_source("a translation of a record");
        match (known, value) {
            (Some((row, _)), Some(value)) => {
                env.write(TRANSLATIONS, &[row], values! { "value" => value, "module" => Value::Null }).await
            }
            (Some((row, _)), None) => env.unlink(TRANSLATIONS, &[row]).await,
            (None, None) => Ok(()),
            (None, Some(value)) => {
                let row = values! {
                    "model" => model, "field" => field, "res_id" => id.0, "lang" => lang, "value" => value,
                };
                env.create(TRANSLATIONS, row).await.map(drop)
            }
        }
    }
}

fn clone((source, piece): (&String, &Piece)) -> (String, Piece) {
    (source.clone(), piece.clone())
}

/// A row of the table of translations.
struct Kept {
    row: Id,
    value: String,
    module: Option<String>,
    /// It holds pieces, which know themselves whose they are.
    is_pieces: bool,
}

impl Kept {
    fn pieces(&self) -> Pieces {
        read_pieces(&self.value)
    }
}

type Index<'s> = HashMap<(&'s str, &'s str), Vec<usize>>;

/// Sources by reference and text; without a reference by their text alone.
fn index(sources: &[Source]) -> Index<'_> {
    let mut index = Index::new();
    for (at, source) in sources.iter().enumerate() {
        index.entry((&source.reference, &source.text)).or_default().push(at);
        index.entry(("", &source.text)).or_default().push(at);
    }
    index
}

impl Wanted {
    fn add(&mut self, index: &Index<'_>, sources: &[Source], entries: &[Entry], module: Option<&str>) {
        for entry in entries {
            let Some(text) = entry.text() else { continue };
            let piece = Piece { text: text.to_owned(), module: module.map(str::to_owned) };
            // Files that other programs made name the architecture otherwise.
            let named: Vec<String> = match entry.references.is_empty() {
                true => vec![String::new()],
                false => entry.references.iter().map(|place| place.replace(",arch_db:", ",arch:")).collect(),
            };
            let found = named.iter().filter_map(|place| index.get(&(place.as_str(), entry.source.as_str()))).flatten();
            for source in found.map(|at| &sources[*at]) {
                for id in &source.ids {
                    let place = (source.model.clone(), source.field.clone(), *id);
                    match source.piece {
                        true => drop(self.pieces.entry(place).or_default().insert(source.text.clone(), piece.clone())),
                        false => drop(self.whole.insert(place, piece.clone())),
                    }
                }
            }
        }
    }
}

/// Names of models, labels and helps of fields, options. What a model has from elsewhere comes once, with all rows that
/// it stands in.
fn labels(registry: &Registry, named: &Named) -> Vec<Source> {
    let models: HashMap<&str, Id> = named.models.iter().map(|(id, name)| (name.as_str(), *id)).collect();
    let fields: HashMap<(&str, &str), Id> =
        named.fields.iter().map(|(id, (model, name))| ((model.as_str(), name.as_str()), *id)).collect();
    let options: HashMap<(Id, &str), Id> =
        named.options.iter().map(|(id, (field, value))| ((*field, value.as_str()), *id)).collect();
    let mut sources: Vec<Source> = Vec::new();
    let mut at: HashMap<(String, String), usize> = HashMap::new();
    let mut add = |(model, field): (&str, &str), module: &str, name: String, text: &str, id: Id| {
        let reference = format!("model:{model},{field}:{module}.{name}");
        match at.get(&(reference.clone(), text.to_owned())) {
            Some(known) => sources[*known].ids.push(id),
            None => {
                at.insert((reference.clone(), text.to_owned()), sources.len());
                sources.push(Source {
                    module: module.to_owned(),
                    reference,
                    text: text.to_owned(),
                    model: model.to_owned(),
                    field: field.to_owned(),
                    ids: vec![id],
                    piece: false,
                });
            }
        }
    };
    for model in registry.models() {
        if let Some(id) = models.get(&*model.name).filter(|_| model.app != kernel::CUSTOM) {
            add(("ir.model", "name"), kernel::module(&model.app), model_name(&model.name), &model.label, *id);
        }
        for field in model.fields.iter().filter(|field| !field.manual) {
            let Some(id) = fields.get(&(&*model.name, field.name.as_str())) else { continue };
            let owner = Owners(registry).of(model, field);
            let there = registry.model(owner).ok().and_then(|model| model.find(&field.name));
            // The model's own word where it says another one than where the field comes from.
            let place = |same: &dyn Fn(&FieldDef) -> bool| match there {
                Some(there) if owner != &*model.name && same(there) => (owner, kernel::module(&there.app)),
                None => (owner, kernel::BASE),
                Some(_) => (&*model.name, kernel::module(&field.app)),
            };
            for (part, text) in [("field_description", &field.label), ("help", &field.help)] {
                let (model, module) =
                    place(&|there| if part == "help" { there.help == *text } else { there.label == *text });
                if !text.is_empty() && module != kernel::CUSTOM {
                    add(("ir.model.fields", part), module, field_name(model, &field.name), text, *id);
                }
            }
            let Kind::Selection { options: known } = &field.kind else { continue };
            for (value, label) in known {
                let Some(id) = options.get(&(*id, value.as_str())) else { continue };
                let (model, module) = place(
                    &|there| matches!(&there.kind, Kind::Selection { options } if options.iter().any(|(v, l)| v == value && l == label)),
                );
                if module != kernel::CUSTOM {
                    let name = option_name(model, &field.name, value);
                    add(("ir.model.fields.selection", "name"), module, name, label, *id);
                }
            }
        }
    }
    sources
}

fn of_record(
    sources: &mut Vec<Source>,
    model: &str,
    field: &FieldDef,
    id: Id,
    text: &str,
    (module, name): (&str, &str),
) {
    let kind = if field.translate_pieces { "model_terms" } else { "model" };
    let source = |text: &str| Source {
        module: module.to_owned(),
        reference: format!("{kind}:{model},{}:{module}.{name}", field.name),
        text: text.to_owned(),
        model: model.to_owned(),
        field: field.name.clone(),
        ids: vec![id],
        piece: field.translate_pieces,
    };
    match field.translate_pieces {
        true => sources.extend(view::terms_of_arch(text).iter().map(|piece| source(piece))),
        false if !text.trim().is_empty() => sources.push(source(text)),
        false => {}
    }
}

/// A code of a language that people gave.
pub(crate) fn known_lang(lang: &str, known: &[String]) -> Result<(), Error> {
    match known.iter().any(|known| known == lang) {
        true => Ok(()),
        false => Err(Error::User(format!(
            "the language {} is not installed; add it in Settings / Translations / Languages",
            shorten(lang)
        ))),
    }
}
