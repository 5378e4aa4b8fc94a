//! Favourites: a search that a person keeps under a name, for himself or for everybody.

use serde_json::{Map, Value as Json, json};

use super::models::FILTER;
use crate::{
    call::{values_of, wire},
    declare::{Call, Code, Done, Hook, Method, Records},
    domain::{Domain, Op},
    error::Error,
    execute::{Env, Search},
    expr,
    record::{Record, Values},
    value::{Id, Value},
};

/// Who may change and delete what others shared.
const KEEPERS: &str = "base.group_system";
/// Who shares nothing with everybody.
const GUESTS: [&str; 2] = ["base.group_portal", "base.group_public"];

pub(super) fn code(code: Code) -> Code {
    code.hook(FILTER, Hook::AfterCreate(after_create))
        .hook(FILTER, Hook::BeforeWrite(before_change))
        .hook(FILTER, Hook::AfterWrite(after_write))
        .hook(FILTER, Hook::BeforeUnlink(before_unlink))
        .method(
            Method::on_model(FILTER, "get_filters", get_filters)
                .param("model")
                .optional("action_id", json!(null))
                .readonly()
                .doc("The user's favourites and shared ones for a model, those of an action and of none."),
        )
        .method(
            Method::on_model(FILTER, "create_or_replace", create_or_replace)
                .param("vals")
                .doc("Keeps a favourite; one of the same name, user, model and action is replaced."),
        )
}

fn after_create<'a>(env: &'a mut Env, filters: Records<'a>) -> Done<'a> {
    Box::pin(check(env, filters.ids))
}

fn after_write<'a>(env: &'a mut Env, filters: Records<'a>, _: &'a [String]) -> Done<'a> {
    Box::pin(check(env, filters.ids))
}

fn before_change<'a>(env: &'a mut Env, filters: Records<'a>, _: &'a mut Values) -> Done<'a> {
    Box::pin(check_keeper(env, filters.ids))
}

fn before_unlink<'a>(env: &'a mut Env, filters: Records<'a>) -> Done<'a> {
    Box::pin(check_keeper(env, filters.ids))
}

const READ: [&str; 10] =
    ["name", "user_id", "domain", "context", "sort", "model_id", "action_id", "is_default", "active", "create_uid"];

async fn rows(env: &mut Env, ids: &[Id]) -> Result<Vec<Record>, Error> {
    env.sudo("a favourite is looked at").read(FILTER, ids, &READ).await
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Id(id) => Some(id.0),
        Value::Int(id) => Some(*id),
        _ => None,
    }
}

/// What somebody shared is changed by himself or by an administrator; what is another's, by nobody else.
async fn check_keeper(env: &mut Env, ids: &[Id]) -> Result<(), Error> {
    let Some(uid) = env.uid().filter(|_| env.principal().is_some() && !env.has_group(KEEPERS)) else { return Ok(()) };
    for row in rows(env, ids).await? {
        let owner = number(row.value("user_id")).or_else(|| number(row.value("create_uid")));
        if owner != Some(uid.0) {
            let name = row.get_str("name");
            return Err(Error::User(format!(
                "the favourite {name:?} is not yours; keep your own under another name, or ask an administrator"
            )));
        }
    }
    Ok(())
}

/// The expressions parse and fit the model, the name is free, and of defaults there is one.
async fn check(env: &mut Env, ids: &[Id]) -> Result<(), Error> {
    for row in rows(env, ids).await? {
        let wrong = |field: &str, problem: String| {
            Err(Error::Validation { model: FILTER.to_owned(), field: field.to_owned(), problem })
        };
        let owner = number(row.value("user_id"));
        if let (Some(owner), Some(uid), true) = (owner, env.uid(), env.principal().is_some())
            && owner != uid.0
            && !env.has_group(KEEPERS)
        {
            return wrong(
                "user_id",
                "a favourite is kept for yourself or for everybody, not for another person".to_owned(),
            );
        }
        let guest = env.principal().is_some() && GUESTS.iter().any(|group| env.has_group(group));
        if owner.is_none() && guest {
            return wrong(
                "user_id",
                "only who works in the database shares favourites; keep it for yourself".to_owned(),
            );
        }
        let registry = env.registry().clone();
        let model = row.get_str("model_id");
        if registry.model(model).is_err() {
            return wrong("model_id", format!("there is no model {model}; is its app installed?"));
        }
        for name in ["domain", "context", "sort"] {
            if let Err(error) = expr::parse(row.get_str(name)) {
                return wrong(name, error.to_string());
            }
        }
        let mut same = Domain::leaf("model_id", Op::Eq, model)
            .and(Domain::leaf("name", Op::EqILike, literal(row.get_str("name")).as_str()))
            .and(Domain::leaf("id", Op::Ne, row.id));
        for name in ["user_id", "action_id"] {
            same = same.and(Domain::leaf(name, Op::Eq, row.value(name).clone()));
        }
        let mut env = env.sudo("favourites of the same name");
        if env.count(FILTER, &same).await? > 0 {
            return wrong(
                "name",
                format!("there is a favourite {:?} already; choose another name", row.get_str("name")),
            );
        }
        if *row.value("is_default") == Value::Bool(true) {
            let mut others = Domain::leaf("model_id", Op::Eq, model)
                .and(Domain::leaf("is_default", Op::Eq, true))
                .and(Domain::leaf("id", Op::Ne, row.id));
            for name in ["user_id", "action_id"] {
                others = others.and(Domain::leaf(name, Op::Eq, row.value(name).clone()));
            }
            let others = env.search(FILTER, &others, Search::order("id")).await?;
            if !others.is_empty() && owner.is_none() {
                let problem = "another shared favourite is the default; take that off first".to_owned();
                return wrong("is_default", problem);
            }
            if !others.is_empty() {
                env.write(FILTER, &others, Values::new().with("is_default", false)).await?;
            }
        }
    }
    Ok(())
}

fn get_filters(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let model: String = call.arg("model")?;
        let action: Option<i64> = call.opt("action_id")?;
        of(env, &model, action.map(Id)).await
    })
}

/// Favourites of the model for this person: of the action, where one is named, and of no action.
pub(super) async fn of(env: &mut Env, model: &str, action: Option<Id>) -> Result<Json, Error> {
    let uid = env.uid().map_or(0, |uid| uid.0);
    let own = Domain::leaf("user_id", Op::Eq, Value::Null).or(Domain::leaf("user_id", Op::Eq, Id(uid)));
    let anywhere = Domain::leaf("action_id", Op::Eq, Value::Null);
    let place = match action {
        Some(id) => anywhere.or(Domain::leaf("action_id", Op::Eq, id)),
        None => anywhere,
    };
    let domain = Domain::leaf("model_id", Op::Eq, model).and(own).and(place);
    let registry = env.registry().clone();
    let def = registry.model(FILTER)?;
    let names = ["name", "is_default", "domain", "context", "user_id", "sort", "action_id"];
    let rows = env.sudo("favourites of a user").search_read(FILTER, &domain, &names, Search::default()).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let mut object = Map::from_iter([("id".to_owned(), Json::from(row.id.0))]);
        for name in names {
            object.insert(name.to_owned(), wire::to_json(&def.field(name)?.kind, row.value(name).clone()));
        }
        found.push(Json::Object(object));
    }
    Ok(found.into())
}

fn create_or_replace(env: &mut Env, mut call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let Some(Json::Object(vals)) = call.args.remove("vals") else {
            let problem = "it must be an object of field names and values".to_owned();
            return Err(Error::Argument { name: "vals".to_owned(), problem });
        };
        let registry = env.registry().clone();
        let values = values_of(&registry, registry.model(FILTER)?, vals)?;
        let text = |name: &str| match values.get(name) {
            Some(Value::Text(text)) => text.clone(),
            _ => String::new(),
        };
        let owner = values.get("user_id").and_then(number).map_or(Value::Null, |id| Id(id).into());
        let action = values.get("action_id").and_then(number).map_or(Value::Null, |id| Id(id).into());
        let same = Domain::leaf("model_id", Op::Eq, text("model_id").as_str())
            .and(Domain::leaf("name", Op::EqILike, literal(&text("name")).as_str()))
            .and(Domain::leaf("user_id", Op::Eq, owner))
            .and(Domain::leaf("action_id", Op::Eq, action));
        let found =
            env.sudo("a favourite of the same name").search(FILTER, &same, Search::order("id").limit(1)).await?;
        match found.first() {
            Some(id) => {
                env.write(FILTER, &[*id], values).await?;
                Ok(id.0.into())
            }
            None => Ok(env.create(FILTER, values).await?.0.into()),
        }
    })
}

/// A text as a pattern that matches only itself.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
