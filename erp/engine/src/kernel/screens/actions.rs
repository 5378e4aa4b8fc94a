//! Actions: found by id or external id, with what their expressions mean for the person; those that a model offers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::models::{ACTION, ACTIONS};
use crate::{
    call::wire,
    declare::{Call, Code, Done, Hook, Method, Records},
    domain::{Domain, Op},
    error::Error,
    execute::{Env, Search},
    expr::{self, Names, Val},
    record::{Record, Values},
    resolve::{FieldDef, ModelDef},
    value::{Id, Value},
    view::ViewKind,
};

const WINDOW: &str = "ir.actions.act_window";

pub(super) fn code(code: Code) -> Code {
    let mut code = code
        .query("ir.actions.act_window.views", views)
        .method(
            Method::on_model(ACTION, "load", load)
                .param("action_id")
                .optional("additional_context", json!({}))
                .readonly()
                .doc("An action by its id or external id, its context and domain evaluated for the user."),
        )
        .method(
            Method::on_model(ACTION, "get_bindings", get_bindings)
                .param("model_name")
                .readonly()
                .doc("Actions and reports that a model's menus offer to the user."),
        );
    for (model, _) in ACTIONS {
        code = code
            .hook(model, Hook::BeforeCreate(name_type))
            .hook(model, Hook::AfterWrite(rename))
            .hook(model, Hook::AfterUnlink(forget));
    }
    code.hook(WINDOW, Hook::BeforeCreate(check_modes)).hook(WINDOW, Hook::BeforeWrite(check_mode))
}

fn name_type<'a>(_: &'a mut Env, model: &'a str, rows: &'a mut Vec<Values>) -> Done<'a> {
    Box::pin(async move {
        for row in rows {
            row.set("type", model.to_owned());
        }
        Ok(())
    })
}

/// The row that all kinds share says the same name.
fn rename<'a>(env: &'a mut Env, actions: Records<'a>, fields: &'a [String]) -> Done<'a> {
    Box::pin(async move {
        if !fields.iter().any(|field| field == "name") {
            return Ok(());
        }
        for row in env.read(actions.model, actions.ids, &["name"]).await? {
            let name = row.get_str("name").to_owned();
            env.sudo("an action's name").write(ACTION, &[row.id], Values::new().with("name", name)).await?;
        }
        Ok(())
    })
}

fn forget<'a>(env: &'a mut Env, actions: Records<'a>) -> Done<'a> {
    Box::pin(async move { env.sudo("an action is deleted").unlink(ACTION, actions.ids).await })
}

#[expect(clippy::ptr_arg, reason = "the hook may also add rows")]
fn check_modes<'a>(env: &'a mut Env, _: &'a str, rows: &'a mut Vec<Values>) -> Done<'a> {
    Box::pin(async move { rows.iter_mut().try_for_each(|row| check_window(env, row)) })
}

fn check_mode<'a>(env: &'a mut Env, _: Records<'a>, values: &'a mut Values) -> Done<'a> {
    Box::pin(async move { check_window(env, values) })
}

/// Modes are types of views, expressions parse, the model is there.
fn check_window(env: &Env, values: &mut Values) -> Result<(), Error> {
    let wrong = |field: &str, problem: String| {
        Err(Error::Validation { model: WINDOW.to_owned(), field: field.to_owned(), problem })
    };
    let text = |name: &str| match values.get(name) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let modes = text("view_mode");
    if !modes.is_empty() {
        let mut settled = Vec::new();
        for mode in modes.split(',') {
            match ViewKind::from_name(mode.trim()) {
                Some(kind) => settled.push(kind.name()),
                None => return wrong("view_mode", format!("there is no type {:?} of views", mode.trim())),
            }
        }
        values.set("view_mode", settled.join(","));
    }
    let text = |name: &str| match values.get(name) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    };
    for name in ["domain", "context"] {
        let text = text(name);
        if !text.trim().is_empty()
            && let Err(error) = expr::parse(&text)
        {
            return wrong(name, error.to_string());
        }
    }
    let model = text("res_model");
    if !model.is_empty() && env.registry().model(&model).is_err() {
        return wrong("res_model", format!("there is no model {model}; is its app installed?"));
    }
    Ok(())
}

/// `[[id or false, type]]`: the views that an action names, then one for each further type of its modes.
async fn views_of(env: &mut Env, ids: &[Id]) -> Result<Vec<Json>, Error> {
    let mut env = env.sudo("views of actions");
    let rows = env.read(WINDOW, ids, &["view_mode", "view_id"]).await?;
    let domain = Domain::leaf("act_window_id", Op::In, ids);
    let fields = ["act_window_id", "view_mode", "view_id"];
    let named = env.search_read("ir.actions.act_window.view", &domain, &fields, Search::order("sequence, id")).await?;
    let first: Vec<Id> = rows.iter().filter_map(|row| link(row.value("view_id"))).collect();
    let kinds: BTreeMap<Id, String> = env
        .read(super::models::VIEW, &first, &["type"])
        .await?
        .into_iter()
        .map(|row| (row.id, row.get_str("type").to_owned()))
        .collect();
    let of = |id: &Id| {
        let Some(row) = rows.iter().find(|row| row.id == *id) else { return Json::Bool(false) };
        let mut views: Vec<(Option<Id>, String)> = named
            .iter()
            .filter(|view| link(view.value("act_window_id")) == Some(*id))
            .map(|view| (link(view.value("view_id")), view.get_str("view_mode").to_owned()))
            .collect();
        let own = link(row.value("view_id"));
        for mode in row.get_str("view_mode").split(',').map(str::trim).filter(|mode| !mode.is_empty()) {
            if !views.iter().any(|(_, known)| known == mode) {
                let own = own.filter(|id| kinds.get(id).is_some_and(|kind| kind == mode));
                views.push((own, mode.to_owned()));
            }
        }
        let pair = |(id, mode): (Option<Id>, String)| json!([id.map_or(Json::Bool(false), |id| id.0.into()), mode]);
        views.into_iter().map(pair).collect()
    };
    Ok(ids.iter().map(of).collect())
}

fn views<'a>(env: &'a mut Env, actions: Records<'a>) -> Done<'a, Vec<Value>> {
    Box::pin(async move { Ok(views_of(env, actions.ids).await?.into_iter().map(Value::Json).collect()) })
}

fn link(value: &Value) -> Option<Id> {
    match value {
        Value::Id(id) => Some(*id),
        _ => None,
    }
}

/// Those of the actions that the person may run: his groups fit and he can read what they show.
pub(super) async fn allowed(env: &mut Env, actions: &[(String, Id)]) -> Result<BTreeSet<(String, Id)>, Error> {
    let mut by_model: BTreeMap<&str, Vec<Id>> = BTreeMap::new();
    for (model, id) in actions {
        by_model.entry(model).or_default().push(*id);
    }
    let mut found = BTreeSet::new();
    for (model, ids) in by_model {
        let Some(about) = shows(model) else { continue };
        let domain = Domain::leaf("id", Op::In, ids.as_slice());
        let fields: Vec<&str> = std::iter::once("groups_id").chain(about).collect();
        let rows = env.sudo("actions of a user").search_read(model, &domain, &fields, Search::order("id")).await?;
        for row in rows {
            if may_run(env, &row, about) {
                found.insert((model.to_owned(), row.id));
            }
        }
    }
    Ok(found)
}

/// The field with the model whose records an action of this kind shows; nothing for what is no action.
fn shows(model: &str) -> Option<Option<&'static str>> {
    match model {
        WINDOW => Some(Some("res_model")),
        "ir.actions.report" => Some(Some("model")),
        "ir.actions.server" => Some(Some("model_name")),
        "ir.actions.client" | "ir.actions.act_url" => Some(None),
        _ => None,
    }
}

fn may_run(env: &Env, row: &Record, about: Option<&str>) -> bool {
    let in_group = match (row.value("groups_id"), env.principal()) {
        (Value::Ids(ids), Some(own)) if !ids.is_empty() => ids.iter().any(|id| own.group_ids().contains(id)),
        _ => true,
    };
    let model = about.map(|name| row.get_str(name)).filter(|model| !model.is_empty());
    in_group && model.is_none_or(|model| env.reads(model))
}

fn load(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let additional: Map<String, Json> = call.opt("additional_context")?.unwrap_or_default();
        match call.args.get("action_id") {
            Some(Json::Number(id)) => env.load_action(&id.to_string(), &additional).await,
            Some(Json::String(id)) => env.load_action(id, &additional).await,
            _ => Err(Error::Argument {
                name: "action_id".to_owned(),
                problem: "it is the id or the external id of an action".to_owned(),
            }),
        }
    })
}

impl Env {
    /// An action as the web client runs it. `wanted` is an id, an external id, or `model,id`. False where there is none.
    pub async fn load_action(&mut self, wanted: &str, additional: &Map<String, Json>) -> Result<Json, Error> {
        let bare = wanted.rsplit(',').next().unwrap_or(wanted);
        let id = match bare.parse::<i64>() {
            Ok(id) => Some(Id(id)),
            Err(_) => self.sudo("the action of an external id").by_external_id(wanted).await?,
        };
        let Some(id) = id else { return Ok(false.into()) };
        let domain = Domain::leaf("id", Op::Eq, id);
        let found =
            self.sudo("the kind of an action").search_read(ACTION, &domain, &["type"], Search::order("id")).await?;
        let Some(kind) = found.first().map(|row| row.get_str("type").to_owned()) else { return Ok(false.into()) };
        let registry = self.registry().clone();
        let model = registry.model(&kind)?;
        let about = shows(&kind).flatten();
        let fields: Vec<&FieldDef> =
            model.fields.iter().filter(|field| !is_inner(field) && !field.is_computed()).collect();
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let rows = self.sudo("an action is run").read(&kind, &[id], &names).await?;
        let Some(row) = rows.into_iter().next() else { return Ok(false.into()) };
        if !may_run(self, &row, about) {
            return Err(Error::User(format!(
                "the action {:?} is not for you; ask an administrator",
                row.get_str("name")
            )));
        }
        let mut action = as_json(&fields, &row);
        action.remove("groups_id");
        if kind == WINDOW {
            let views = views_of(self, &[id]).await?.pop().unwrap_or_default();
            action.insert("views".to_owned(), views);
        }
        evaluate(self, &mut action, additional);
        let external = super::sources::external_ids(self, model_name(model), &[id]).await?;
        action.insert("xml_id".to_owned(), external.get(&id).map_or("", String::as_str).into());
        Ok(action.into())
    }
}

fn model_name(model: &ModelDef) -> &str {
    &model.name
}

/// Stamps and the like say nothing to a client that runs the action.
fn is_inner(field: &FieldDef) -> bool {
    matches!(field.name.as_str(), "create_date" | "create_uid" | "write_date" | "write_uid" | "view_ids")
}

fn as_json(fields: &[&FieldDef], row: &Record) -> Map<String, Json> {
    let value = |field: &&FieldDef| {
        let value = row.value(&field.name).clone();
        (field.name.clone(), wire::to_json(&field.kind, value))
    };
    fields.iter().map(value).collect()
}

/// Texts in the expression language become what they mean now; what needs something that only the client knows stays.
fn evaluate(env: &Env, action: &mut Map<String, Json>, additional: &Map<String, Json>) {
    let context = env.context();
    let mut names = Names::at(env.now())
        .with("uid", env.uid().map_or(Value::Bool(false), |uid| Value::Int(uid.0)))
        .with("company_id", env.company().map_or(Value::Bool(false), |id| Value::Int(id.0)))
        .with("company_ids", Val::List(env.companies().into_iter().map(|id| Value::Int(id.0).into()).collect()));
    for (key, value) in context.rest.iter().chain(additional) {
        if matches!(key.as_str(), "active_id" | "active_ids" | "active_model") {
            names = names.with(key, Val::from_json(value));
        }
    }
    for name in ["context", "domain"] {
        let Some(text) = action.get(name).and_then(Json::as_str) else { continue };
        let node = expr::parse(text);
        let value = node.and_then(|node| expr::eval(&node, &names)).and_then(|value| value.to_json());
        if let Ok(value) = value {
            action.insert(name.to_owned(), value);
        }
    }
    if let Some(Json::Object(own)) = action.get_mut("context") {
        own.extend(additional.clone());
    }
}

fn get_bindings(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let model: String = call.arg("model_name")?;
        bindings(env, &model).await.map(Json::from)
    })
}

async fn bindings(env: &mut Env, model: &str) -> Result<Map<String, Json>, Error> {
    let mut found: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    let registry = env.registry().clone();
    let domain = Domain::leaf("binding_model", Op::Eq, model);
    for (kind, _) in ACTIONS {
        let fields: Vec<&FieldDef> =
            registry.model(kind)?.fields.iter().filter(|field| !is_inner(field) && !field.is_computed()).collect();
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let rows = env.sudo("actions of a model").search_read(kind, &domain, &names, Search::order("name, id")).await?;
        for row in rows.iter().filter(|row| may_run(env, row, shows(kind).flatten())) {
            let mut action = as_json(&fields, row);
            action.remove("groups_id");
            found.entry(row.get_str("binding_type").to_owned()).or_default().push(action.into());
        }
    }
    Ok(found.into_iter().map(|(kind, actions)| (kind, actions.into())).collect())
}

/// The actions and reports of a view's own menus.
pub(super) async fn toolbar(env: &mut Env, model: &str, kind: ViewKind) -> Result<Json, Error> {
    let mut bindings = bindings(env, model).await?;
    let fits = |action: &Json| {
        let kinds = action.get("binding_view_types").and_then(Json::as_str).unwrap_or("list,form");
        kinds.split(',').any(|name| ViewKind::from_name(name.trim()) == Some(kind))
    };
    let mut of = |name: &str| -> Json {
        let all = bindings.remove(name);
        all.and_then(|all| all.as_array().cloned()).into_iter().flatten().filter(fits).collect()
    };
    Ok(json!({"print": of("report"), "action": of("action")}))
}
