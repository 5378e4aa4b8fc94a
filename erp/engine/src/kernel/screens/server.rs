//! Server actions: what they do to records without a person filling in a form.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use serde_json::{Map, Value as Json};

use crate::{
    call::{values_of, wire},
    declare::{Call, Code, Done, Hook, Method, Records},
    error::Error,
    execute::Env,
    expr::{self, Names, Node, Val},
    record::Values,
    resolve::shorten,
    value::{Id, Value},
};

const SERVER: &str = "ir.actions.server";
/// Actions within actions: more is a circle.
const MAX_DEPTH: usize = 10;

pub(super) fn code(code: Code) -> Code {
    code.hook(SERVER, Hook::AfterCreate(after_create)).hook(SERVER, Hook::AfterWrite(after_write)).method(
        Method::on_records(SERVER, "run", run)
            .doc("Runs actions on the records that the context names: active_model, active_id, active_ids."),
    )
}

const FIELDS: [&str; 7] = ["name", "model_name", "state", "values", "crud_model", "child_ids", "groups_id"];

fn after_create<'a>(env: &'a mut Env, actions: Records<'a>) -> Done<'a> {
    Box::pin(check(env, actions.ids))
}

fn after_write<'a>(env: &'a mut Env, actions: Records<'a>, _: &'a [String]) -> Done<'a> {
    Box::pin(check(env, actions.ids))
}

/// The models are there and have the fields that are set.
async fn check(env: &mut Env, ids: &[Id]) -> Result<(), Error> {
    let registry = env.registry().clone();
    for row in env.sudo("an action is looked at").read(SERVER, ids, &FIELDS).await? {
        let wrong = |field: &str, problem: String| {
            Err(Error::Validation { model: SERVER.to_owned(), field: field.to_owned(), problem })
        };
        let about = row.get_str("model_name");
        let Ok(model) = registry.model(about) else {
            return wrong("model_name", format!("there is no model {about}; is its app installed?"));
        };
        let target = match row.get_str("state") {
            "object_write" => model,
            "object_create" => match registry.model(row.get_str("crud_model")) {
                Ok(target) => target,
                Err(error) => return wrong("crud_model", error.to_string()),
            },
            _ => continue,
        };
        let items = match dictionary(row.get_str("values")) {
            Ok(items) => items,
            Err(problem) => return wrong("values", problem),
        };
        for (name, node) in items {
            if target.find(&name).is_none() {
                return wrong("values", format!("{} has no field {}", target.name, shorten(&name)));
            }
            for path in fields_of(&node) {
                if let Err(error) = crate::resolve::path::follow(&registry, model, &path) {
                    return wrong("values", error.to_string());
                }
            }
        }
    }
    Ok(())
}

fn dictionary(text: &str) -> Result<Vec<(String, Node)>, String> {
    let node = expr::parse(text).map_err(|error| error.to_string())?;
    let Node::Dict(items) = node else {
        return Err("it is a dictionary of fields and expressions, such as {'user_id': uid}".to_owned());
    };
    let item = |(key, value): (Node, Node)| match key {
        Node::Text(key) => Ok((key, value)),
        other => Err(format!("{other} is no field's name; put names in quotes")),
    };
    items.into_iter().map(item).collect()
}

/// Paths over the record's own fields.
fn fields_of(node: &Node) -> BTreeSet<String> {
    let known = ["uid", "company_id", "company_ids", "active_id", "active_ids", "active_model"];
    node.paths().others.into_iter().filter(|path| !known.contains(&path.as_str())).collect()
}

fn run(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let context = env.context();
        let number = |json: &Json| json.as_i64().map(Id);
        let many =
            context.get("active_ids").and_then(Json::as_array).map(|ids| ids.iter().filter_map(number).collect());
        let one = context.get("active_id").and_then(number);
        let records: Vec<Id> = many.unwrap_or_else(|| one.into_iter().collect());
        for id in &call.ids {
            run_one(env, *id, &records, MAX_DEPTH).await?;
        }
        Ok(false.into())
    })
}

fn run_one<'a>(env: &'a mut Env, id: Id, records: &'a [Id], depth: usize) -> BoxFuture<'a, Result<(), Error>> {
    Box::pin(async move {
        let rows = env.sudo("an action is run").read(SERVER, &[id], &FIELDS).await?;
        let Some(row) = rows.into_iter().next() else {
            return Err(Error::Missing { model: SERVER.to_owned(), id });
        };
        let name = row.get_str("name");
        let is_for = match (row.value("groups_id"), env.principal()) {
            (Value::Ids(ids), Some(own)) if !ids.is_empty() => ids.iter().any(|id| own.group_ids().contains(id)),
            _ => true,
        };
        if !is_for {
            return Err(Error::User(format!("the action {name:?} is not for you; ask an administrator")));
        }
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Error::User(format!("the action {name:?} runs itself again by one of its child actions")));
        };
        let about = row.get_str("model_name").to_owned();
        match row.get_str("state") {
            "multi" => {
                let Value::Ids(children) = row.value("child_ids").clone() else { return Ok(()) };
                for child in children {
                    run_one(env, child, records, depth).await?;
                }
            }
            "object_create" => {
                let target = row.get_str("crud_model").to_owned();
                let items = dictionary(row.get_str("values")).map_err(Error::User)?;
                // Without a record to look at it is made once.
                for record in records.iter().map(Some).chain(records.is_empty().then_some(None)) {
                    let values = values(env, &about, record.copied(), &target, &items).await?;
                    env.create(&target, values).await?;
                }
            }
            _ => {
                let items = dictionary(row.get_str("values")).map_err(Error::User)?;
                let same = items.iter().all(|(_, node)| fields_of(node).is_empty());
                for chunk in records.chunks(if same { records.len().max(1) } else { 1 }) {
                    let values = values(env, &about, chunk.first().copied(), &about, &items).await?;
                    env.write(&about, chunk, values).await?;
                }
            }
        }
        Ok(())
    })
}

/// The expressions' values for one record, as a client would send them.
async fn values(
    env: &mut Env,
    about: &str,
    record: Option<Id>,
    target: &str,
    items: &[(String, Node)],
) -> Result<Values, Error> {
    let registry = env.registry().clone();
    let model = registry.model(about)?;
    let mut names = Names::at(env.now())
        .with("uid", env.uid().map_or(Value::Bool(false), |uid| Value::Int(uid.0)))
        .with("company_id", env.company().map_or(Value::Bool(false), |id| Value::Int(id.0)));
    for key in ["active_id", "active_ids", "active_model"] {
        if let Some(value) = env.context().get(key) {
            names = names.with(key, Val::from_json(value));
        }
    }
    let paths: BTreeSet<String> = items.iter().flat_map(|(_, node)| fields_of(node)).collect();
    if let (Some(id), false) = (record, paths.is_empty()) {
        let columns: Vec<&str> = paths.iter().map(String::as_str).collect();
        let rows = env.read(about, &[id], &columns).await?;
        let row = rows.first().ok_or_else(|| Error::Missing { model: about.to_owned(), id })?;
        for path in &columns {
            let kind = &crate::resolve::path::follow(&registry, model, path)?.field.kind;
            names = names.with(path, Val::from_json(&wire::to_json(kind, row.value(path).clone())));
        }
    }
    let mut sent = Map::new();
    for (name, node) in items {
        let value = expr::eval(node, &names).and_then(|value| value.to_json());
        let value = value.map_err(|error| Error::User(format!("the value of {name}: {error}")))?;
        sent.insert(name.clone(), value);
    }
    values_of(&registry, registry.model(target)?, sent)
}
