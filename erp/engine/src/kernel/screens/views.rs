//! Views as records: what is written must fit; what is asked for comes as the person may see it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use serde_json::{Map, Value as Json, json};

use super::{filters, models::VIEW, sources};
use crate::{
    call::describe_fields,
    declare::{Call, Done, Records},
    error::{Error, Operation},
    execute::Env,
    record::{Record, Values},
    resolve::shorten,
    translate::Words,
    value::{Id, Value},
    view::{self, Presented, ViewKind, ViewSource, Viewer},
};

/// Errors of one view told at once.
const TOLD: usize = 5;

pub(super) fn before_create<'a>(env: &'a mut Env, _: &'a str, rows: &'a mut Vec<Values>) -> Done<'a> {
    Box::pin(async move {
        for row in rows {
            let parent = match row.get("inherit_id") {
                Some(Value::Id(id)) => Some(*id),
                Some(Value::Int(id)) => Some(Id(*id)),
                _ => None,
            };
            if parent.is_some() && row.get("mode").is_none() {
                row.set("mode", "extension");
            }
            if let Some(parent) = parent
                && text(row, "model").is_empty()
            {
                let found = env.sudo("the view that another extends").read(VIEW, &[parent], &["model", "type"]).await?;
                if let Some(found) = found.first() {
                    row.set("model", found.get_str("model").to_owned());
                    row.set("type", found.get_str("type").to_owned());
                }
            }
            settle(row);
            if text(row, "type").is_empty()
                && let Some(kind) = view::kind_of_arch(text(row, "arch"))
            {
                row.set("type", kind.name());
            }
            if text(row, "name").is_empty() {
                let name = format!("{} {}", text(row, "model"), text(row, "type"));
                row.set("name", name.trim().to_owned());
            }
        }
        Ok(())
    })
}

fn text<'v>(values: &'v Values, name: &str) -> &'v str {
    match values.get(name) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

/// Lists were called trees.
fn settle(values: &mut Values) {
    if text(values, "type") == "tree" {
        values.set("type", ViewKind::List.name());
    }
}

pub(super) fn before_write<'a>(env: &'a mut Env, views: Records<'a>, values: &'a mut Values) -> Done<'a> {
    Box::pin(async move {
        settle(values);
        // The last state of a single view is kept, so that a person can take his change back.
        if let ([id], Some(Value::Text(arch)), None) = (views.ids, values.get("arch"), values.get("arch_prev")) {
            let arch = arch.clone();
            let old = env.sudo("the view before its change").read(VIEW, &[*id], &["arch", "arch_original"]).await?;
            if let Some(old) = old.first().filter(|old| old.get_str("arch") != arch) {
                values.set("arch_prev", old.get_str("arch").to_owned());
                let original = old.get_str("arch_original");
                values.set("arch_updated", !original.is_empty() && original != arch);
            }
        }
        Ok(())
    })
}

pub(super) fn after_create<'a>(env: &'a mut Env, views: Records<'a>) -> Done<'a> {
    Box::pin(check(env, views.ids))
}

pub(super) fn after_write<'a>(env: &'a mut Env, views: Records<'a>, fields: &'a [String]) -> Done<'a> {
    Box::pin(async move {
        let matters = ["arch", "model", "type", "inherit_id", "priority", "mode", "active", "groups_id"];
        if fields.iter().any(|field| matters.contains(&field.as_str())) {
            check(env, views.ids).await?;
        }
        Ok(())
    })
}

/// Whether these views, and all that they are a part of, come together and fit their models.
async fn check(env: &mut Env, ids: &[Id]) -> Result<(), Error> {
    let rows =
        env.sudo("views that were written").read(VIEW, ids, &["model", "inherit_id", "groups_id", "mode"]).await?;
    for row in &rows {
        let grouped = matches!(row.value("groups_id"), Value::Ids(ids) if !ids.is_empty());
        if grouped && row.get_str("mode") == "extension" {
            return Err(Error::Validation {
                model: VIEW.to_owned(),
                field: "groups_id".to_owned(),
                problem: "a view that extends another is for everybody; put groups=\"...\" on elements instead"
                    .to_owned(),
            });
        }
    }
    let models: BTreeSet<String> = rows.iter().map(|row| row.get_str("model").to_owned()).collect();
    for model in models {
        let own: BTreeSet<i64> = rows.iter().filter(|row| row.get_str("model") == model).map(|row| row.id.0).collect();
        let views = sources::of_model(env, &model).await?;
        for id in touched(&views, &own) {
            fits(env, &views, id).await?;
        }
    }
    Ok(())
}

/// Whole views that the given ones are, extend or are started from.
fn touched(views: &[ViewSource], given: &BTreeSet<i64>) -> BTreeSet<i64> {
    let mut all: BTreeSet<i64> = given.clone();
    // Up to what they extend, then down to what starts from that.
    loop {
        let up = views.iter().filter(|view| all.contains(&view.id) && view.is_extension()).filter_map(|v| v.inherit_id);
        let down = views.iter().filter(|view| view.primary && view.inherit_id.is_some_and(|id| all.contains(&id)));
        let more: BTreeSet<i64> = up.chain(down.map(|view| view.id)).filter(|id| !all.contains(id)).collect();
        if more.is_empty() {
            break;
        }
        all.extend(more);
    }
    let is_whole = |id: &i64| views.iter().any(|view| view.id == *id && !view.is_extension());
    let whole: BTreeSet<i64> = all.iter().copied().filter(is_whole).collect();
    // An extension of what does not exist has no whole; it is told so itself.
    if whole.is_empty() { given.clone() } else { whole }
}

async fn fits(env: &mut Env, views: &[ViewSource], id: i64) -> Result<(), Error> {
    let (view, references) = sources::put_together(env, views, id).await?;
    let registry = env.registry().clone();
    let errors = view::check(&view, &registry, &references);
    if errors.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = errors.iter().take(TOLD).map(ToString::to_string).collect();
    Err(Error::Validation { model: VIEW.to_owned(), field: "arch".to_owned(), problem: told.join("\n") })
}

/// A menu that opened one of these actions goes, unless there are menus below it.
async fn leave_menus(env: &mut Env, actions: &[Id]) -> Result<(), Error> {
    let named: Vec<Value> = actions.iter().map(|id| format!("ir.actions.act_window,{id}").into()).collect();
    let order = || crate::execute::Search::order("id");
    let menus = crate::Domain::leaf("action", crate::domain::Op::In, named);
    let rows = env.search_read(super::models::MENU, &menus, &["child_id"], order()).await?;
    let (above, bare): (Vec<_>, Vec<_>) =
        rows.iter().partition(|row| matches!(row.value("child_id"), Value::Ids(ids) if !ids.is_empty()));
    let ids = |rows: &[&Record]| rows.iter().map(|row| row.id).collect::<Vec<Id>>();
    env.write(super::models::MENU, &ids(&above), Values::new().with("action", Value::Null)).await?;
    env.unlink(super::models::MENU, &ids(&bare)).await
}

impl Env {
    /// Views, actions and favourites that people made for models that are gone. Those of apps go with their apps.
    pub(crate) async fn drop_screens_of_gone_models(&mut self) -> Result<(), Error> {
        let registry = self.registry().clone();
        let mut env = self.sudo("screens of models that are gone");
        let about = [(VIEW, "model"), ("ir.actions.act_window", "res_model"), (super::models::FILTER, "model_id")];
        for (model, field) in about {
            env.set_context(crate::Context::default().with("active_test", false));
            let all = env.search_read(model, &crate::domain!(), &[field], crate::execute::Search::order("id")).await?;
            let gone = all.iter().filter(|row| registry.model(row.get_str(field)).is_err()).map(|row| row.id);
            let gone: Vec<Id> = gone.collect();
            env.unlink(model, &gone).await?;
            if model == "ir.actions.act_window" && !gone.is_empty() {
                leave_menus(&mut env, &gone).await?;
            }
        }
        Ok(())
    }

    /// Whether every view fits what models are now; for who changed models or apps.
    pub(crate) async fn check_views(&mut self) -> Result<(), Error> {
        let registry = self.registry().clone();
        let mut env = self.sudo("views against changed models");
        let rows =
            env.search_read(VIEW, &crate::domain!(), &["model"], crate::execute::Search::order("model, id")).await?;
        let models: BTreeSet<String> = rows.iter().map(|row| row.get_str("model").to_owned()).collect();
        for model in models.iter().filter(|model| !model.is_empty()) {
            registry.model(model)?;
            let views = sources::of_model(&mut env, model).await?;
            for view in views.iter().filter(|view| view.active && !view.is_extension() && view.model == *model) {
                fits(&mut env, &views, view.id).await?;
            }
        }
        Ok(())
    }
}

/// Back to what the app declared, or to what was before the last change.
pub(super) fn reset_arch(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let mode: String = call.arg("mode")?;
        let from = match mode.as_str() {
            "soft" => "arch_prev",
            "hard" => "arch_original",
            other => {
                let problem = format!("there is no mode {:?}; there are soft and hard", shorten(other));
                return Err(Error::Argument { name: "mode".to_owned(), problem });
            }
        };
        for row in env.read(VIEW, &call.ids, &["name", from]).await? {
            let old = row.get_str(from).to_owned();
            if old.is_empty() {
                return Err(Error::User(format!("the view {:?} has nothing to go back to", row.get_str("name"))));
            }
            env.write(VIEW, &[row.id], Values::new().with("arch", old)).await?;
        }
        Ok(true.into())
    })
}

pub(super) fn external_ids<'a>(env: &'a mut Env, views: Records<'a>) -> Done<'a, Vec<Value>> {
    Box::pin(async move {
        let names = sources::external_ids(env, VIEW, views.ids).await?;
        Ok(views.ids.iter().map(|id| names.get(id).cloned().map_or(Value::Null, Value::Text)).collect())
    })
}

pub(super) fn get_view(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        env.check_right(&call.model, Operation::Read)?;
        let id: Option<i64> = call.opt("view_id")?;
        let kind: String = call.arg("view_type")?;
        let view = find(env, &call.model, id, &kind).await?;
        let mut answer = described(&view);
        answer.insert("models".to_owned(), json!(view.fields));
        Ok(answer.into())
    })
}

fn described(view: &Presented) -> Map<String, Json> {
    let id = if view.id == 0 { Json::Bool(false) } else { view.id.into() };
    let Json::Object(all) = json!({
        "id": id, "type": view.kind.name(), "model": view.model, "arch": view.arch, "tree": view.tree,
    }) else {
        return Map::new();
    };
    all
}

pub(super) fn get_views(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        env.check_right(&call.model, Operation::Read)?;
        let wanted: Vec<(Json, String)> = call.arg("views")?;
        let options: Map<String, Json> = call.opt("options")?.unwrap_or_default();
        let is_set =
            |name: &str| options.get(name).is_some_and(|value| !matches!(value, Json::Null | Json::Bool(false)));
        let mut views = Map::new();
        let mut fields = std::collections::BTreeMap::<String, BTreeSet<String>>::new();
        let mut all_fields = false;
        for (id, kind) in &wanted {
            let view = find(env, &call.model, id.as_i64(), kind).await?;
            for (model, names) in &view.fields {
                fields.entry(model.clone()).or_default().extend(names.iter().cloned());
            }
            fields.entry(call.model.to_string()).or_default();
            // Whoever searches may filter and group by any field.
            all_fields |= view.kind == ViewKind::Search;
            let mut answer = described(&view);
            if is_set("toolbar") && matches!(view.kind, ViewKind::Form | ViewKind::List | ViewKind::Kanban) {
                answer.insert("toolbar".to_owned(), super::actions::toolbar(env, &call.model, view.kind).await?);
            }
            if is_set("load_filters") && view.kind == ViewKind::Search {
                let action = options.get("action_id").and_then(Json::as_i64).map(Id);
                answer.insert("filters".to_owned(), filters::of(env, &call.model, action).await?);
            }
            views.insert(kind.clone(), answer.into());
        }
        let registry = env.registry().clone();
        let mut models = Map::new();
        for (name, names) in fields {
            let names: Vec<String> = names.into_iter().collect();
            let all = all_fields && *name == *call.model;
            let named = (!all).then_some(names.as_slice());
            let model = registry.model(&name)?;
            let described = match named {
                Some([]) => Map::new(),
                named => describe_fields(env, model, named, None),
            };
            models.insert(name, described.into());
        }
        Ok(json!({"views": views, "models": models}))
    })
}

/// The view of this id, else the one that the context or the views' order says, else one made from the model's fields.
async fn find(env: &mut Env, model: &str, id: Option<i64>, kind: &str) -> Result<Arc<Presented>, Error> {
    let wanted = ViewKind::from_name(kind).ok_or_else(|| Error::Argument {
        name: "view_type".to_owned(),
        problem: format!(
            "there is no type {:?} of views; there are form, list, kanban, search and others",
            shorten(kind)
        ),
    })?;
    let id = match id.filter(|id| *id > 0) {
        Some(id) => Some(id),
        None => by_context(env, wanted, kind).await?,
    };
    let views = sources::of_model(env, model).await?;
    let id = match id {
        Some(id) => id,
        None => default_of(env, &views, model, wanted).unwrap_or(0),
    };
    if id != 0 && !views.iter().any(|view| view.id == id) {
        return Err(Error::User(format!(
            "there is no view {id} for {model}; it may have been deleted, reload the page"
        )));
    }
    let audience = sources::audience(env);
    let own = sources::is_own(env);
    let registry = env.registry().clone();
    let key = (audience, model.to_owned(), wanted.name().to_owned(), id);
    if !own && let Some(known) = registry.screens.presented(&key) {
        return Ok(known);
    }
    let view = if id == 0 {
        let arch = view::default_arch(registry.model(model)?, wanted).map_err(Error::User)?;
        let source = ViewSource { model: model.to_owned(), arch, active: true, ..ViewSource::default() };
        Arc::new(view::combine(std::slice::from_ref(&source), 0).map_err(sources::wrong)?)
    } else {
        sources::combined(env, model, id).await?
    };
    if view.kind != wanted {
        return Err(Error::User(format!("view {id} is a {} view, not a {wanted} view", view.kind)));
    }
    let words = env.words();
    let of_fields = if id == 0 { default_words(env, &words, model)? } else { HashMap::new() };
    let translate = |text: &str| {
        if words.is_source() {
            return None;
        }
        let ids = std::iter::once(id).chain(views.iter().map(|view| view.id).filter(|other| *other != id));
        let found = of_fields.get(text).map(String::as_str).or_else(|| words.of_view(ids, text));
        found.map(str::to_owned)
    };
    let viewer = Viewer {
        in_group: &|group| env.shows_to_group(group),
        may: &|model, operation| env.check_right(&model.name, operation).is_ok(),
        sees: &|field| env.may_see(field),
        translate: &translate,
    };
    let shown = Arc::new(view::present(&view, &registry, &viewer));
    if !own {
        registry.screens.keep_presented(key, shown.clone());
    }
    Ok(shown)
}

/// Words of a view that was made from the model's fields.
fn default_words(env: &Env, words: &Words, model: &str) -> Result<HashMap<String, String>, Error> {
    let registry = env.registry();
    let model = registry.model(model)?;
    let labels = model.fields.iter().map(|field| (&field.label, words.label(registry, model, field)));
    let name = std::iter::once((&model.label, words.model(model)));
    Ok(labels.chain(name).map(|(source, word)| (source.clone(), word.to_owned())).collect())
}

/// `form_view_ref` and its like, which actions put into contexts.
async fn by_context(env: &mut Env, wanted: ViewKind, kind: &str) -> Result<Option<i64>, Error> {
    for name in [wanted.name(), kind] {
        let named = env.context().get(&format!("{name}_view_ref")).and_then(Json::as_str).map(str::to_owned);
        if let Some(external_id) = named.filter(|id| !id.is_empty()) {
            let id = env.sudo("the view that a context names").by_external_id(&external_id).await?;
            return match id {
                Some(id) => Ok(Some(id.0)),
                None => Err(Error::User(format!("there is no view {external_id}, which {name}_view_ref names"))),
            };
        }
    }
    Ok(None)
}

/// The first whole view of the type that is for the person.
fn default_of(env: &Env, views: &[ViewSource], model: &str, wanted: ViewKind) -> Option<i64> {
    let groups = env.principal().map(|own| own.group_ids());
    let fits = |view: &&ViewSource| {
        let is_for = view.groups.is_empty()
            || groups.as_ref().is_none_or(|own| view.groups.iter().any(|id| own.contains(&Id(*id))));
        view.active && !view.is_extension() && view.model == model && view.kind == Some(wanted) && is_for
    };
    views.iter().filter(fits).min_by_key(|view| (view.priority, view.id)).map(|view| view.id)
}
