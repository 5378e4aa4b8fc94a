//! The services `common`, `object` and `db`, which XML-RPC and `/jsonrpc` share.

use std::net::IpAddr;

use erp_engine::{Engine, Search, Uid, domain};
use serde_json::{Map, Value, json};

use super::{
    Class, Fault,
    execute::{Behalf, execute},
    version,
};
use crate::state::AppState;

pub(super) async fn dispatch(
    state: &AppState,
    address: IpAddr,
    service: &str,
    method: &str,
    args: Vec<Value>,
) -> Result<Value, Fault> {
    match service {
        "common" => common(state, address, method, args).await,
        "object" => object(state, address, method, args).await,
        "db" => db(state, method, args).await,
        other => Err(Fault::new(Class::KeyError, shorten(other))),
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(60).collect()
}

/// Arguments by position, one after the other.
struct Args(std::vec::IntoIter<Value>);

impl Args {
    fn text(&mut self, name: &str) -> Result<String, Fault> {
        match self.0.next() {
            Some(Value::String(text)) => Ok(text),
            // What clients without a database, login or password say.
            Some(Value::Bool(false) | Value::Null) => Ok(String::new()),
            _ => Err(Fault::new(Class::TypeError, format!("argument {name} must be a text"))),
        }
    }

    fn database(&mut self, state: &AppState) -> Result<(), Fault> {
        let name = self.text("db")?;
        match name == state.config.db.as_str() {
            true => Ok(()),
            false => Err(Fault::new(Class::NoDatabase, format!("database {:?} does not exist", shorten(&name)))),
        }
    }
}

async fn common(state: &AppState, address: IpAddr, method: &str, args: Vec<Value>) -> Result<Value, Fault> {
    let mut args = Args(args.into_iter());
    match method {
        "version" => Ok(version(&state.engine).await.described()),
        "about" => Ok("See the pages of this server".into()),
        "login" | "authenticate" => {
            args.database(state)?;
            let (login, password) = (args.text("login")?, args.text("password")?);
            let found = state.rpc.logins.login(&login, &password, address).await?;
            Ok(found.map_or(false.into(), |uid| uid.0.into()))
        }
        other => Err(no_method("common", other)),
    }
}

fn no_method(service: &str, method: &str) -> Fault {
    Fault::new(Class::AttributeError, format!("The method '{service}.{}' does not exist", shorten(method)))
}

async fn object(state: &AppState, address: IpAddr, method: &str, args: Vec<Value>) -> Result<Value, Fault> {
    let by_name = match method {
        "execute_kw" => true,
        "execute" => false,
        other => return Err(no_method("object", other)),
    };
    let mut args = Args(args.into_iter());
    args.database(state)?;
    let uid = args.0.next().and_then(|uid| uid.as_i64()).map(Uid).ok_or_else(Fault::access_denied)?;
    let password = args.text("password")?;
    state.rpc.logins.check(uid, &password, address).await?;
    let (model, name) = (args.text("model")?, args.text("method")?);
    let (positional, named) = match by_name {
        false => (args.0.collect(), Map::new()),
        true => (list(args.0.next())?, dict(args.0.next())?),
    };
    execute(&state.engine, Behalf::user(uid), &model, &name, positional, named).await
}

pub(super) fn list(sent: Option<Value>) -> Result<Vec<Value>, Fault> {
    match sent {
        None | Some(Value::Null | Value::Bool(false)) => Ok(Vec::new()),
        Some(Value::Array(list)) => Ok(list),
        Some(_) => Err(Fault::new(Class::TypeError, "args must be a list")),
    }
}

pub(super) fn dict(sent: Option<Value>) -> Result<Map<String, Value>, Fault> {
    match sent {
        None | Some(Value::Null | Value::Bool(false)) => Ok(Map::new()),
        Some(Value::Object(dict)) => Ok(dict),
        // An empty map of PHP and others.
        Some(Value::Array(list)) if list.is_empty() => Ok(Map::new()),
        Some(_) => Err(Fault::new(Class::TypeError, "kwargs must be an object")),
    }
}

async fn db(state: &AppState, method: &str, args: Vec<Value>) -> Result<Value, Fault> {
    let mut args = Args(args.into_iter());
    match method {
        "list" => Ok(json!([state.config.db.as_str()])),
        "db_exist" => Ok((args.text("db")? == state.config.db.as_str()).into()),
        "server_version" => Ok(version(&state.engine).await.text().into()),
        "list_lang" => pairs(&state.engine, "res.lang", "code").await,
        "list_countries" => pairs(&state.engine, "res.country", "code").await,
        "create_database"
        | "duplicate_database"
        | "drop"
        | "dump"
        | "restore"
        | "rename"
        | "change_admin_password"
        | "migrate_databases" => Err(Fault::new(
            Class::AccessDenied,
            "Databases are made, copied, saved and restored on the server itself: erp init, erp duplicate, erp backup, \
             erp restore",
        )),
        other => Err(no_method("db", other)),
    }
}

/// [code, name] of the active records of a model; nothing while no app has it.
async fn pairs(engine: &Engine, model: &str, code: &str) -> Result<Value, Fault> {
    let mut env = engine.superuser("list for clients that are not signed in").await?;
    let registry = env.registry().clone();
    if !registry.model(model).is_ok_and(|model| model.field(code).is_ok() && model.field("name").is_ok()) {
        return Ok(json!([]));
    }
    let found = env.search_read(model, &domain!(), &[code, "name"], Search::order("name")).await?;
    Ok(found.iter().map(|row| json!([row.get_str(code), row.get_str("name")])).collect())
}
