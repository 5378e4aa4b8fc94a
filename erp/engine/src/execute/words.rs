//! The language that a person reads.

use std::sync::Arc;

use super::{Env, Search};
use crate::{
    context::Context,
    domain,
    error::Error,
    kernel::{LANGUAGES, TRANSLATIONS},
    translate::{SOURCE_LANG, Terms, Words, read_pieces},
    value::{Id, Value},
};

/// Longer ones are no codes of languages.
const LONGEST: usize = 20;

/// An environment in another language for as long as this lives; see [`Env::in_lang`].
pub struct Speaking<'a> {
    env: &'a mut Env,
    before: Context,
}

impl std::ops::Deref for Speaking<'_> {
    type Target = Env;
    fn deref(&self) -> &Env {
        self.env
    }
}

impl std::ops::DerefMut for Speaking<'_> {
    fn deref_mut(&mut self) -> &mut Env {
        self.env
    }
}

impl Drop for Speaking<'_> {
    fn drop(&mut self) {
        self.env.set_context(self.before.clone());
    }
}

impl Env {
    /// The same transaction in the language of somebody else, for what is written to him: texts of records, labels and
    /// views are in that language. Empty is the source's, which is also what is not translated.
    pub async fn in_lang(&mut self, lang: &str) -> Result<Speaking<'_>, Error> {
        let before = self.context().clone();
        let lang = if lang.is_empty() { SOURCE_LANG } else { lang };
        self.set_context(before.clone().with("lang", lang));
        match self.learn_words().await {
            Ok(()) => Ok(Speaking { env: self, before }),
            Err(error) => {
                self.set_context(before);
                Err(error)
            }
        }
    }

    /// The user's own language and time zone become the context's, for what he asks for without a context.
    pub async fn prefer_own(&mut self) -> Result<(), Error> {
        let own = self.call("res.users", "context_get", Vec::new(), serde_json::Map::new()).await?;
        let mut context = self.context().clone();
        for (name, value) in own.as_object().into_iter().flatten().filter(|(name, _)| *name == "lang" || *name == "tz")
        {
            context = context.with(name, value.clone());
        }
        self.set_context(context);
        self.learn_words().await
    }

    /// Codes of the languages that people may choose, the source's among them.
    pub async fn languages(&mut self) -> Result<Vec<String>, Error> {
        Ok(self.named_languages().await?.into_iter().map(|(code, _)| code).collect())
    }

    /// The same with their names.
    pub async fn named_languages(&mut self) -> Result<Vec<(String, String)>, Error> {
        if self.registry().model(LANGUAGES).is_err() {
            return Ok(vec![(SOURCE_LANG.to_owned(), "English".to_owned())]);
        }
        let active = domain!(["active", "=", true]);
        let mut env = self.sudo("which languages there are");
        let rows = env.search_read(LANGUAGES, &active, &["code", "name"], Search::order("name, id")).await?;
        Ok(rows.iter().map(|row| (row.get_str("code").to_owned(), row.get_str("name").to_owned())).collect())
    }

    /// After this [`words`](Env::words) are in the language of the context.
    pub async fn learn_words(&mut self) -> Result<(), Error> {
        let registry = self.registry().clone();
        if !registry.words.has_languages() && self.pending.metadata(&registry) <= self.metadata_seen {
            let all = self.named_languages().await?;
            registry.words.put_languages(all);
        }
        let lang = self.context().lang.clone().filter(|lang| lang != SOURCE_LANG && lang.len() <= LONGEST);
        let Some(lang) = lang else { return Ok(()) };
        let terms = match registry.words.get(&lang) {
            Some(terms) => terms,
            None => {
                // What this transaction wrote and nobody else sees is not theirs to know.
                let own = self.pending.metadata(&registry) > self.metadata_seen;
                let terms = Arc::new(self.read_words(&lang).await?);
                if !own {
                    registry.words.put(&lang, terms.clone());
                }
                terms
            }
        };
        self.learnt = Some((lang, terms));
        Ok(())
    }

    /// Labels in the language of the context, as far as it was learnt.
    pub fn words(&self) -> Words {
        let Some(lang) = self.context().lang.as_deref().filter(|lang| *lang != SOURCE_LANG) else {
            return Words::default();
        };
        match &self.learnt {
            Some((learnt, terms)) if learnt == lang => Words(Some(terms.clone())),
            _ => Words(self.registry().words.get(lang)),
        }
    }

    async fn read_words(&mut self, lang: &str) -> Result<Terms, Error> {
        let mut env = self.in_source("the words of a language");
        let mut terms = Terms::default();
        let kept = vec!["ir.model", "ir.model.fields", "ir.model.fields.selection", "ir.ui.view"];
        let wanted = domain!(["model", "in", kept], ["lang", "=", lang]);
        let rows =
            env.search_read(TRANSLATIONS, &wanted, &["model", "field", "res_id", "value"], Search::order("id")).await?;
        if rows.is_empty() {
            return Ok(terms);
        }
        let ids = env.named_metadata().await?;
        for row in rows {
            let Value::Int(id) = *row.value("res_id") else { continue };
            let (id, text) = (Id(id), row.get_str("value"));
            match (row.get_str("model"), row.get_str("field")) {
                ("ir.model", "name") => {
                    if let Some(model) = ids.models.get(&id) {
                        terms.models.entry(model.clone()).or_default().name = Some(text.to_owned());
                    }
                }
                ("ir.model.fields", part @ ("field_description" | "help")) => {
                    let Some((model, field)) = ids.fields.get(&id) else { continue };
                    let of = terms.models.entry(model.clone()).or_default().fields.entry(field.clone()).or_default();
                    let slot = if part == "help" { &mut of.help } else { &mut of.label };
                    *slot = Some(text.to_owned());
                }
                ("ir.model.fields.selection", "name") => {
                    let Some(((model, field), value)) =
                        ids.options.get(&id).and_then(|(field, value)| Some((ids.fields.get(field)?, value)))
                    else {
                        continue;
                    };
                    let of = terms.models.entry(model.clone()).or_default().fields.entry(field.clone()).or_default();
                    of.options.insert(value.clone(), text.to_owned());
                }
                ("ir.ui.view", "arch") => {
                    terms.views.insert(id.0, read_pieces(text));
                }
                _ => {}
            }
        }
        Ok(terms)
    }

    /// Without limits and in the source's language, archived records too, until this is dropped.
    pub(super) fn in_source(&mut self, reason: &str) -> InSource<'_> {
        let before = self.context().clone();
        self.set_context(Context { active_test: false, ..Context::default() });
        InSource { env: self.sudo(reason), before }
    }
}

/// See [`Env::in_source`].
pub(super) struct InSource<'a> {
    env: super::Sudo<'a>,
    before: Context,
}

impl std::ops::Deref for InSource<'_> {
    type Target = Env;
    fn deref(&self) -> &Env {
        &self.env
    }
}

impl std::ops::DerefMut for InSource<'_> {
    fn deref_mut(&mut self) -> &mut Env {
        &mut self.env
    }
}

impl Drop for InSource<'_> {
    fn drop(&mut self) {
        self.env.set_context(self.before.clone());
    }
}
