//! Texts of a record's field in all languages: what a dialog for translations shows and saves.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::{
    declare::{Call, Done},
    error::{Error, Operation},
    execute::{Env, known_lang},
    record::Values,
    resolve::{FieldDef, Kind, shorten},
    translate::{Piece, Pieces, SOURCE_LANG, read_pieces, write_pieces},
    value::{Id, Value},
    view,
};

/// The field, which must be one that can be translated.
fn field<'m>(model: &'m crate::resolve::ModelDef, name: &str) -> Result<&'m FieldDef, Error> {
    let field = model.field(name)?;
    match field.translate || field.translate_pieces {
        true => Ok(field),
        false => Err(Error::User(format!("{} of {} is the same in every language", field.label, model.label))),
    }
}

/// Who may do this to the record by its field.
async fn check(env: &mut Env, call: &Call, field: &FieldDef, operation: Operation) -> Result<Id, Error> {
    let id = call.one()?;
    env.check_access(&call.model, &[id], operation).await?;
    if !env.may_see(field) {
        return Err(Error::User(format!("{} is not shown to you; ask an administrator", field.label)));
    }
    Ok(id)
}

/// The source's text. Inherited fields are read through the record that has them.
async fn source(env: &mut Env, model: &str, id: Id, field: &str) -> Result<String, Error> {
    let mut env = env.in_lang(SOURCE_LANG).await?;
    let rows = env.read(model, &[id], &[field]).await?;
    Ok(rows.first().map(|row| row.get_str(field).to_owned()).unwrap_or_default())
}

/// (model, field, record) that holds the text: of an inherited field another one.
async fn holder(env: &mut Env, model: &str, name: &str, id: Id) -> Result<(String, String, Id), Error> {
    let registry = env.registry().clone();
    let (mut model, mut name, mut id) = (model.to_owned(), name.to_owned(), id);
    while let Some(path) = registry.model(&model)?.field(&name)?.related.clone().filter(|path| path.contains('.')) {
        let Some((by, rest)) = path.split_once('.') else { break };
        let next = registry.model(&model)?.field(by)?.kind.comodel().map(|name| name.to_string());
        let rows = env.sudo("the record that holds a text").read(&model, &[id], &[by]).await?;
        let (Some(next), Some(Value::Id(found))) = (next, rows.first().map(|row| row.value(by).clone())) else { break };
        (model, name, id) = (next, rest.to_owned(), found);
    }
    Ok((model, name, id))
}

pub(super) fn get_field_translations(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let name: String = call.arg("field_name")?;
        let registry = env.registry().clone();
        let field = field(registry.model(&call.model)?, &name)?;
        let id = check(env, &call, field, Operation::Read).await?;
        let known = env.languages().await?;
        let langs: Vec<String> = match call.opt::<Vec<String>>("langs")? {
            Some(langs) => langs,
            None => known,
        };
        let source = source(env, &call.model, id, &name).await?;
        let (model, place, id) = holder(env, &call.model, &name, id).await?;
        let kept = env.translations_of((&model, &place, id)).await?;
        let mut answer = Vec::new();
        for lang in langs {
            let own = kept.get(&lang).map(|(_, value)| value.as_str());
            match field.translate_pieces {
                false => {
                    let value = if lang == SOURCE_LANG { source.as_str() } else { own.unwrap_or_default() };
                    answer.push(json!({"lang": lang, "source": source, "value": value}));
                }
                true => {
                    let pieces = own.map(read_pieces).unwrap_or_default();
                    for text in view::terms_of_arch(&source) {
                        let value = match pieces.get(&text) {
                            _ if lang == SOURCE_LANG => text.as_str(),
                            piece => piece.map_or("", |piece| piece.text.as_str()),
                        };
                        answer.push(json!({"lang": lang, "source": text, "value": value}));
                    }
                }
            }
        }
        let kind = if matches!(field.kind, Kind::Text | Kind::Html) { "text" } else { "char" };
        let described = json!({"translation_type": kind, "translation_show_source": field.translate_pieces});
        Ok(json!([answer, described]))
    })
}

pub(super) fn update_field_translations(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let name: String = call.arg("field_name")?;
        let sent: BTreeMap<String, Json> = call.arg("translations")?;
        let registry = env.registry().clone();
        let field = field(registry.model(&call.model)?, &name)?;
        let id = check(env, &call, field, Operation::Write).await?;
        let known = env.languages().await?;
        for lang in sent.keys() {
            known_lang(lang, &known)?;
        }
        let holder = holder(env, &call.model, &name, id).await?;
        for (lang, value) in sent {
            match field.translate_pieces {
                true => pieces(env, (&call.model, &name, id), &lang, value).await?,
                false => whole(env, (&call.model, &name, id), &holder, &lang, value).await?,
            }
        }
        if registry.model(&holder.0)?.metadata {
            env.refresh_metadata().await?;
        }
        Ok(true.into())
    })
}

fn wrong(problem: &str) -> Error {
    Error::Argument { name: "translations".to_owned(), problem: problem.to_owned() }
}

async fn whole(
    env: &mut Env,
    (model, field, id): (&str, &str, Id),
    holder: &(String, String, Id),
    lang: &str,
    value: Json,
) -> Result<(), Error> {
    match value {
        Json::String(text) => {
            let mut env = env.in_lang(lang).await?;
            env.write(model, &[id], Values::new().with(field.to_owned(), text)).await
        }
        Json::Bool(false) | Json::Null if lang == SOURCE_LANG => {
            Err(wrong("the source's text cannot be taken away; write another one"))
        }
        Json::Bool(false) | Json::Null => {
            env.put_translation_of((&holder.0, &holder.1, holder.2), lang, None).await?;
            // The record counts as changed, for whoever shows it.
            let registry = env.registry().clone();
            env.touch(registry.model(model)?, id);
            Ok(())
        }
        _ => Err(wrong("a translation is a text, or false to take it away")),
    }
}

/// Each text of a view by itself. The source's own texts are changed in the architecture.
async fn pieces(env: &mut Env, (model, field, id): (&str, &str, Id), lang: &str, value: Json) -> Result<(), Error> {
    let Json::Object(sent) = value else {
        return Err(wrong("this field is translated text by text: give an object {source: translation}"));
    };
    if lang == SOURCE_LANG {
        return Err(wrong("texts in the source's language are changed in the field itself"));
    }
    let source = source(env, model, id, field).await?;
    let there = view::terms_of_arch(&source);
    let kept = env.translations_of((model, field, id)).await?.remove(lang);
    let mut all: Pieces = kept.map(|(_, value)| read_pieces(&value)).unwrap_or_default();
    merge(&mut all, &there, sent)?;
    let value = (!all.is_empty()).then(|| write_pieces(&all));
    env.put_translation_of((model, field, id), lang, value).await
}

fn merge(all: &mut Pieces, there: &[String], sent: Map<String, Json>) -> Result<(), Error> {
    for (text, value) in sent {
        if !there.contains(&text) {
            return Err(Error::User(format!("there is no text {:?} to translate; reload the page", shorten(&text))));
        }
        match value {
            Json::String(value) if !value.is_empty() => drop(all.insert(text, Piece { text: value, module: None })),
            Json::String(_) | Json::Bool(false) | Json::Null => drop(all.remove(&text)),
            _ => return Err(wrong("a translation is a text, or false to take it away")),
        }
    }
    Ok(())
}
