//! API keys: 160 random bits in hex, shown once, kept as a hash. They are random, so a fast hash is right.

use data_encoding::HEXLOWER;
use erp_engine::{
    Engine, Env, Error, Id, Search, Uid,
    declare::{App, Call, Done, Field, Method, Model, OnDelete, Rule},
    domain, values,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{error::ServiceError, sessions, vault::random};

pub(crate) const MODEL: &str = "res.users.apikeys";
const ASKED: &str = "res.users.apikeys.description";
const CHECK: &str = "res.users.identitycheck";
/// What is only there while a person asks for a key.
pub(crate) const ASKED_FOR: [&str; 2] = [ASKED, CHECK];
/// Finds a key's row without a look at all of them.
const INDEX: usize = 8;
const LENGTH: usize = 40;
/// What a person who is no administrator may choose at most.
const LONGEST_DAYS: i64 = 92;

/// What the models and methods of keys are, for the app of the server.
pub(crate) fn declare(mut app: App) -> App {
    app = app
        .model(
            Model::new(MODEL, "API Key")
                .order("id")
                .field(Field::char("name").label("Description").required().readonly())
                .field(Field::many2one("user_id", "res.users").required().readonly().ondelete(OnDelete::Cascade))
                .field(Field::char("scope").readonly().help("What it may be used for; everything when empty"))
                .field(Field::datetime("expiration_date").readonly())
                .field(Field::char_len("index", 8).required().index().secret())
                .field(Field::char_len("key_hash", 64).required().secret()),
        )
        .model(
            Model::new(ASKED, "API Key Description")
                .rec_name("name")
                .field(Field::char("name").label("Description").required())
                .field(Field::char("duration").help("Days until it expires").default("90")),
        )
        .model(
            Model::new(CHECK, "Password Check")
                .rec_name("request")
                .field(Field::char("request").required().secret())
                .field(Field::many2one("user_id", "res.users").required().readonly().ondelete(OnDelete::Cascade)),
        )
        .access("base.group_user", MODEL, "rd")
        .access("base.group_user", ASKED, "crud")
        .access("base.group_user", CHECK, "r")
        .rule(own(MODEL, "user_id"))
        .rule(Rule::new("all keys", MODEL, json!([])).group(sessions::SYSTEM))
        .rule(own(ASKED, "create_uid"))
        .rule(own(CHECK, "user_id"));
    app.code = app
        .code
        .method(Method::on_records(ASKED, "make_key", make_key).doc("Asks for the password, which run_check takes."))
        .method(Method::on_records(ASKED, "check_access_make_key", may_make_key).readonly())
        .method(
            Method::on_records(CHECK, "run_check", run_check)
                .optional("password", Value::Null)
                .doc("With the user's password, here or in the context: makes the key that was asked for."),
        )
        .method(Method::on_records(MODEL, "remove", remove).doc("Ends keys."));
    app
}

fn own(model: &str, field: &str) -> Rule {
    let name = format!("own records of {model}");
    Rule::new(&name, model, json!([[field, "=", {"expr": "uid"}]])).group("base.group_user")
}

/// Whether a text can be a key at all.
pub(super) fn looks_like(secret: &str) -> bool {
    secret.len() == LENGTH && secret.bytes().all(|b| b.is_ascii_hexdigit())
}

fn hash(key: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(key.as_bytes()))
}

/// The active user whose key this is, while it has not expired.
pub(super) async fn user_of(engine: &Engine, key: &str) -> Result<Option<Uid>, ServiceError> {
    if !looks_like(key) {
        return Ok(None);
    }
    let mut env = engine.superuser("look up an API key").await?;
    let mine = domain!(["index", "=", &key[..INDEX]], ["key_hash", "=", hash(key)]);
    let found = env.search_read(MODEL, &mine, &["user_id", "expiration_date", "scope"], Search::default()).await?;
    let Some(row) = found.first() else { return Ok(None) };
    let expires: Option<Timestamp> = row.get("expiration_date")?;
    let scope = row.get_str("scope");
    if expires.is_some_and(|at| at <= Timestamp::now()) || !(scope.is_empty() || scope == "rpc") {
        return Ok(None);
    }
    let user: Id = row.get("user_id")?;
    let active = env.count("res.users", &domain!(["id", "=", user], ["active", "=", true])).await? == 1;
    Ok(active.then_some(Uid(user.0)))
}

/// A new key for a user: its text, which nobody sees again.
pub(crate) async fn make(env: &mut Env, uid: Uid, name: &str, expires: Option<Timestamp>) -> Result<String, Error> {
    let bytes = random::<20>().map_err(|_| Error::User("the system has no random numbers: try again".to_owned()))?;
    let key = HEXLOWER.encode(&bytes);
    let values = values! {
        "name" => name,
        "user_id" => uid,
        "scope" => "rpc",
        "expiration_date" => expires,
        "index" => &key[..INDEX],
        "key_hash" => hash(&key),
    };
    env.sudo("make an API key").create(MODEL, values).await?;
    Ok(key)
}

fn caller(env: &Env) -> Result<Uid, Error> {
    env.uid().ok_or_else(|| Error::User("API keys belong to users: sign in first".to_owned()))
}

fn may_make_key(_: &mut Env, _: Call) -> Done<'_, Value> {
    Box::pin(async { Ok(Value::Null) })
}

/// First step: what is asked for is kept, and the password is asked for.
fn make_key(env: &mut Env, call: Call) -> Done<'_, Value> {
    Box::pin(async move {
        let uid = caller(env)?;
        let asked = env.read(ASKED, &[call.one()?], &["name", "duration"]).await?;
        let asked = asked.first().ok_or(Error::Missing { model: ASKED.to_owned(), id: call.one()? })?;
        expiry(env, asked.get_str("duration"))?;
        let request = json!({"name": asked.get_str("name"), "duration": asked.get_str("duration")}).to_string();
        let values = values! { "request" => request, "user_id" => uid };
        let check = env.sudo("ask for the password").create(CHECK, values).await?;
        env.unlink(ASKED, &call.ids).await?;
        Ok(json!({
            "type": "ir.actions.act_window",
            "res_model": CHECK,
            "res_id": check.0,
            "name": "Security Control",
            "target": "new",
            "views": [[false, "form"]],
            "context": {"dialog_size": "medium"},
        }))
    })
}

/// Second step: with the password, the key.
fn run_check(env: &mut Env, call: Call) -> Done<'_, Value> {
    Box::pin(async move {
        let (uid, id) = (caller(env)?, call.one()?);
        let password: Option<String> = match call.opt("password")? {
            Some(password) => Some(password),
            None => env.context().get("password").and_then(Value::as_str).map(str::to_owned),
        };
        // The rules say whose it is.
        env.read(CHECK, &[id], &["user_id"]).await?;
        let rows = env.sudo("a password check").read(CHECK, &[id], &["request", "user_id"]).await?;
        let row = rows.into_iter().next().ok_or(Error::Missing { model: CHECK.to_owned(), id })?;
        if row.get::<Uid>("user_id")? != uid {
            return Err(Error::User("this check is somebody else's".to_owned()));
        }
        let hashes = env.sudo("a user's password").read("res.users", &[Id(uid.0)], &["password_hash"]).await?;
        let hash = hashes.first().map(|user| user.get_str("password_hash").to_owned()).unwrap_or_default();
        if !sessions::is_password(password.unwrap_or_default(), hash).await {
            return Err(Error::User(
                "Incorrect Password, try again or click on Forgot Password to reset your password.".to_owned(),
            ));
        }
        let request: Value = serde_json::from_str(row.get_str("request")).unwrap_or_default();
        let expires = expiry(env, request["duration"].as_str().unwrap_or_default())?;
        let key = make(env, uid, request["name"].as_str().unwrap_or("API key"), expires).await?;
        env.sudo("a password check was used").unlink(CHECK, &[id]).await?;
        Ok(json!({
            "type": "ir.actions.act_window",
            "res_model": "res.users.apikeys.show",
            "name": "API Key Ready",
            "views": [[false, "form"]],
            "target": "new",
            "context": {"default_key": key},
        }))
    })
}

/// Days as text or nothing; `0` never ends, which only administrators may choose.
fn expiry(env: &Env, duration: &str) -> Result<Option<Timestamp>, Error> {
    let days: i64 = match duration.trim() {
        "" => 90,
        text => text
            .parse()
            .ok()
            .filter(|days| (0..=3650).contains(days))
            .ok_or_else(|| Error::User(format!("{text:?} is no number of days: choose 1 to {LONGEST_DAYS}")))?,
    };
    if (days == 0 || days > LONGEST_DAYS) && !env.has_group(sessions::SYSTEM) {
        return Err(Error::User("You cannot exceed 3 months duration for an API key.".to_owned()));
    }
    Ok((days > 0).then(|| env.now() + SignedDuration::from_hours(days * 24)))
}

fn remove(env: &mut Env, call: Call) -> Done<'_, Value> {
    Box::pin(async move {
        env.unlink(MODEL, &call.ids).await?;
        Ok(json!({"type": "ir.actions.act_window_close"}))
    })
}
