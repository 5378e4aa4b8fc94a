//! The menus that a person sees.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use serde_json::{Map, Value as Json, json};

use super::{actions, models::MENU, sources};
use crate::{
    declare::{Call, Code, Done, Method},
    error::{Error, Operation},
    execute::{Env, Search},
    record::Record,
    value::{Id, Value},
};

pub(super) fn code(code: Code) -> Code {
    code.method(
        Method::on_model(MENU, "load_menus", load_menus)
            .optional("debug", false)
            .readonly()
            .doc("Menus that the user sees, by id, and under \"root\" the apps."),
    )
    .method(
        Method::on_model(MENU, "load_web_menus", load_web_menus)
            .optional("debug", false)
            .readonly()
            .doc("The same in the shape of the web client."),
    )
}

struct Menu {
    id: Id,
    name: String,
    parent: Option<Id>,
    children: Vec<Id>,
    sequence: i64,
    /// (model of the action, its id)
    action: Option<(String, Id)>,
    icon: String,
    external_id: String,
    /// The menu at the top that it is under.
    app: Id,
}

/// In the order in which they are shown, parents before children.
async fn visible(env: &mut Env) -> Result<Vec<Menu>, Error> {
    let rows = {
        let mut env = env.sudo("menus of a user");
        let fields = ["name", "parent_id", "sequence", "action", "groups_id", "web_icon"];
        env.search_read(MENU, &crate::domain!(), &fields, Search::order("sequence, id")).await?
    };
    let ids: Vec<Id> = rows.iter().map(|row| row.id).collect();
    let named = sources::external_ids(env, MENU, &ids).await?;
    let hidden = match env.is_debug() {
        true => None,
        false => env.sudo("who sees what is technical").by_external_id(crate::kernel::TECHNICAL).await?,
    };
    let own = env.principal().map(|own| own.group_ids());
    let is_his = |id: &Id| Some(*id) != hidden && own.as_ref().is_none_or(|own| own.contains(id));
    let is_for = |row: &&Record| match row.value("groups_id") {
        Value::Ids(ids) if !ids.is_empty() => ids.iter().any(is_his),
        _ => true,
    };
    let wanted: Vec<(String, Id)> = rows.iter().filter_map(action).collect();
    let allowed = actions::allowed(env, &wanted).await?;
    let mut menus: BTreeMap<Id, Menu> = BTreeMap::new();
    let order: HashMap<Id, usize> = rows.iter().enumerate().map(|(at, row)| (row.id, at)).collect();
    for row in rows.iter().filter(is_for) {
        let action = action(row);
        // A menu to what the person may not see is none, but what is below it may be.
        let action = action.filter(|action| allowed.contains(action));
        menus.insert(
            row.id,
            Menu {
                id: row.id,
                name: row.get_str("name").to_owned(),
                parent: match row.value("parent_id") {
                    Value::Id(id) => Some(*id),
                    _ => None,
                },
                children: Vec::new(),
                sequence: if let Value::Int(sequence) = row.value("sequence") { *sequence } else { 10 },
                action,
                icon: row.get_str("web_icon").to_owned(),
                external_id: named.get(&row.id).cloned().unwrap_or_default(),
                app: row.id,
            },
        );
    }
    keep_reachable(&mut menus);
    let mut menus: Vec<Menu> = menus.into_values().collect();
    menus.sort_by_key(|menu| order.get(&menu.id).copied());
    Ok(menus)
}

fn action(row: &Record) -> Option<(String, Id)> {
    let (model, id) = row.get_str("action").split_once(',')?;
    Some((model.to_owned(), Id(id.parse().ok()?)))
}

/// Menus whose way to the top is open, and which lead somewhere themselves or by one below.
fn keep_reachable(menus: &mut BTreeMap<Id, Menu>) {
    // The way up, bounded by the number of menus: a circle leads nowhere.
    let app = |menus: &BTreeMap<Id, Menu>, from: Id| {
        let mut at = from;
        for _ in 0..=menus.len() {
            match menus.get(&at)?.parent {
                None => return Some(at),
                Some(parent) => at = parent,
            }
        }
        None
    };
    let apps: BTreeMap<Id, Option<Id>> = menus.keys().map(|&id| (id, app(menus, id))).collect();
    menus.retain(|id, _| apps.get(id).copied().flatten().is_some());
    let mut useful: BTreeSet<Id> = BTreeSet::new();
    for menu in menus.values().filter(|menu| menu.action.is_some()) {
        let mut at = Some(menu.id);
        while let Some(id) = at.filter(|id| useful.insert(*id)) {
            at = menus.get(&id).and_then(|menu| menu.parent);
        }
    }
    menus.retain(|id, _| useful.contains(id));
    for (id, menu) in menus {
        menu.app = apps.get(id).copied().flatten().unwrap_or(*id);
    }
}

async fn shown(env: &mut Env, web: bool) -> Result<Json, Error> {
    let key = (sources::audience(env), web);
    let registry = env.registry().clone();
    let own = sources::is_own(env);
    if !own && let Some(known) = registry.screens.menus(&key) {
        return Ok(Json::clone(&known));
    }
    let mut menus = visible(env).await?;
    let children: Vec<(Id, Id)> = menus.iter().filter_map(|menu| Some((menu.parent?, menu.id))).collect();
    for menu in &mut menus {
        menu.children = children.iter().filter(|(parent, _)| *parent == menu.id).map(|(_, id)| *id).collect();
    }
    let apps: Vec<i64> = menus.iter().filter(|menu| menu.parent.is_none()).map(|menu| menu.id.0).collect();
    let mut all = Map::new();
    let root = match web {
        true => json!({
            "id": "root", "name": "root", "children": apps, "appID": false, "xmlid": "", "actionID": false,
            "actionModel": false, "webIcon": null, "webIconData": null, "webIconDataMimetype": null,
        }),
        false => json!({"id": false, "name": "root", "parent_id": [-1, ""], "children": apps}),
    };
    all.insert("root".to_owned(), root);
    let by_id: HashMap<Id, &Menu> = menus.iter().map(|menu| (menu.id, menu)).collect();
    for menu in &menus {
        let json = if web { of_client(menu, &by_id) } else { of_model(menu) };
        all.insert(menu.id.to_string(), json);
    }
    let answer = Json::Object(all);
    if !own {
        registry.screens.keep_menus(key, Arc::new(answer.clone()));
    }
    Ok(answer)
}

fn of_model(menu: &Menu) -> Json {
    let children: Vec<i64> = menu.children.iter().map(|id| id.0).collect();
    let action = menu.action.as_ref().map(|(model, id)| format!("{model},{id}"));
    json!({
        "id": menu.id.0, "name": menu.name, "sequence": menu.sequence,
        "parent_id": menu.parent.map_or(Json::Bool(false), |id| id.0.into()),
        "action": action.map_or(Json::Bool(false), Json::from), "children": children, "app_id": menu.app.0,
        "web_icon": if menu.icon.is_empty() { Json::Bool(false) } else { menu.icon.as_str().into() },
        "xmlid": menu.external_id,
    })
}

fn of_client(menu: &Menu, all: &HashMap<Id, &Menu>) -> Json {
    // An app opens what its first menu does.
    let mut at = menu;
    for _ in 0..all.len() {
        match (&at.action, at.children.first().and_then(|id| all.get(id))) {
            (None, Some(first)) => at = first,
            _ => break,
        }
    }
    let action = if menu.parent.is_none() { at.action.as_ref() } else { menu.action.as_ref() };
    let children: Vec<i64> = menu.children.iter().map(|id| id.0).collect();
    json!({
        "id": menu.id.0, "name": menu.name, "children": children, "appID": menu.app.0, "xmlid": menu.external_id,
        "actionID": action.map_or(Json::Bool(false), |(_, id)| id.0.into()),
        "actionModel": action.map_or(Json::Bool(false), |(model, _)| model.as_str().into()),
        "webIcon": if menu.icon.is_empty() { Json::Null } else { menu.icon.as_str().into() },
        "webIconData": null, "webIconDataMimetype": null,
    })
}

fn load_menus(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(asked(env, call, false))
}

fn load_web_menus(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(asked(env, call, true))
}

/// Developer mode is the session's, or that of one call.
async fn asked(env: &mut Env, call: Call, web: bool) -> Result<Json, Error> {
    let before = env.is_debug();
    let debug: Json = call.arg("debug")?;
    env.set_debug(before || !matches!(&debug, Json::Null | Json::Bool(false)) && debug != "" && debug != "0");
    let answer = shown(env, web).await;
    env.set_debug(before);
    answer
}

impl Env {
    /// What the web client starts with.
    pub async fn web_menus(&mut self) -> Result<Json, Error> {
        shown(self, true).await
    }

    /// Whether records of a model can be read at all by this person.
    pub(super) fn reads(&self, model: &str) -> bool {
        self.check_right(model, Operation::Read).is_ok()
    }
}
