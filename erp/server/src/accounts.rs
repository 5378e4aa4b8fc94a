//! Passwords: who may set one, how long it must be, and the links by which people choose their own.
//!
//! A link carries a random token; the database knows its hash alone. It works once and for a limited time. There is one
//! place that hands links over ([`hand_over`]): by mail, and where no mail goes out to the administrator, to copy.

use std::{collections::BTreeMap, net::IpAddr};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use erp_apps::mail::{has_server, queue_template};
use erp_engine::{
    Engine, Env, Error, Id, Search, Uid, Value,
    declare::{App, Call, Code, Done, Field, Hook, Inputs, Method, Model, OnDelete, Records},
    domain, values,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::{
    access::audit,
    error::ServiceError,
    sessions::{self, LONGEST_PASSWORD, Sessions, hash_password},
    vault::random,
};

const USERS: &str = "res.users";
const LINKS: &str = "web.account.link";
const MANAGER: &str = "base.group_erp_manager";
/// Setting: fewest characters of a password.
const MINIMUM: &str = "auth_password_policy.minlength";
const MINIMUM_UNLESS_SET: usize = 8;
/// Setting: whether people ask for a new password by themselves, from the login page.
const RESET_BY_ONESELF: &str = "auth_signup.reset_password";
/// Setting: how people reach us, without a slash at the end.
pub(crate) const BASE_URL: &str = "web.base.url";
/// Between two mails to one person who asks for a new password.
const ASK_AGAIN: SignedDuration = SignedDuration::from_secs(60);
const INVITATION: SignedDuration = SignedDuration::from_hours(7 * 24);
const RESET: SignedDuration = SignedDuration::from_hours(24);

pub(crate) fn declare(app: App) -> App {
    app.model(
        Model::extend(USERS)
            .field(
                Field::char("password")
                    .compute("web.password", &["login"])
                    .writable()
                    .groups(&[MANAGER])
                    .help("Written it becomes the user's password; it is never read"),
            )
            .field(
                Field::selection("state", &[("new", "Never Connected"), ("active", "Confirmed")])
                    .label("Status")
                    .compute("web.user_state", &["password_hash"]),
            ),
    )
    .model(
        Model::new(LINKS, "Account Link")
            .description("Links by which users choose a password")
            .without_log_access()
            .field(Field::char_len("token_hash", 64).required().unique().secret())
            .field(Field::many2one("user", USERS).required().ondelete(OnDelete::Cascade))
            .field(Field::boolean("invitation"))
            .field(Field::datetime("expires_at").required().index()),
    )
    .code(
        Code::new()
            .pure("web.password", |_: &Inputs<'_>| Ok(Value::Null))
            .pure("web.user_state", |inputs: &Inputs<'_>| {
                Ok(Value::from(if inputs.str("password_hash").is_empty() { "new" } else { "active" }))
            })
            .inverse(USERS, "password", set_password)
            .hook(USERS, Hook::AfterWrite(end_sessions))
            .hook(USERS, Hook::AfterCreate(invite))
            .method(
                Method::on_model(USERS, "change_password", change_password)
                    .param("old_passwd")
                    .param("new_passwd")
                    .doc("The caller's own password; the old one is asked for."),
            )
            .method(
                Method::on_records(USERS, "action_reset_password", action_reset_password)
                    .doc("Makes a link for each user by which he chooses a password, and hands it over."),
            ),
    )
}

/// Fewest characters of a password.
pub(crate) async fn minimum(env: &mut Env) -> Result<usize, Error> {
    let set = setting(env, MINIMUM).await?.and_then(|set| set.parse().ok());
    Ok(set.unwrap_or(MINIMUM_UNLESS_SET))
}

async fn hashed(env: &mut Env, password: String) -> Result<String, Error> {
    let least = minimum(env).await?;
    if password.chars().count() < least {
        return Err(Error::User(format!("the password must have at least {least} characters; choose a longer one")));
    }
    if password.len() > LONGEST_PASSWORD {
        return Err(Error::User(format!("a password has at most {LONGEST_PASSWORD} bytes; choose a shorter one")));
    }
    let hash = tokio::task::spawn_blocking(move || hash_password(&password)).await;
    match hash {
        Ok(Ok(hash)) => Ok(hash),
        _ => Err(Error::User("the password could not be kept; try again".to_owned())),
    }
}

/// Somebody who gives rights sets other people's passwords; his own he changes with the old one.
fn set_password<'a>(env: &'a mut Env, users: Records<'a>, value: Value) -> Done<'a> {
    Box::pin(async move {
        let Value::Text(password) = value else { return Ok(()) };
        if !env.has_group(MANAGER) {
            return Err(Error::User("only users of Administration / Access Rights set passwords of others".to_owned()));
        }
        let hash = hashed(env, password).await?;
        env.sudo("a password is set").write(USERS, users.ids, values! { "password_hash" => hash }).await
    })
}

/// Who no longer may come in, or comes in by another password, is signed out everywhere.
fn end_sessions<'a>(env: &'a mut Env, users: Records<'a>, fields: &'a [String]) -> Done<'a> {
    Box::pin(async move {
        if !fields.iter().any(|field| matches!(field.as_str(), "password_hash" | "active" | "login")) {
            return Ok(());
        }
        let mut env = env.sudo("sessions of users who changed");
        for model in ["web.session", LINKS] {
            let theirs = env.search(model, &domain!(["user", "in", users.ids.to_vec()]), Search::default()).await?;
            env.unlink(model, &theirs).await?;
        }
        Ok(())
    })
}

fn change_password(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let (old, new): (String, String) = (call.arg("old_passwd")?, call.arg("new_passwd")?);
        let uid = env.uid().ok_or_else(|| Error::User("the system has no password".to_owned()))?;
        let own = [Id(uid.0)];
        let found = env.sudo("the old password").read(USERS, &own, &["password_hash"]).await?;
        let hash = found.first().map(|user| user.get_str("password_hash").to_owned()).unwrap_or_default();
        if !sessions::is_password(old, hash).await {
            return Err(Error::User("the old password is wrong; type it again".to_owned()));
        }
        let hash = hashed(env, new).await?;
        env.sudo("a password is changed").write(USERS, &own, values! { "password_hash" => hash }).await?;
        Ok(true.into())
    })
}

fn action_reset_password(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        if !env.has_group(MANAGER) {
            return Err(Error::User("only users of Administration / Access Rights invite others".to_owned()));
        }
        let users = env.read(USERS, &call.ids, &["login", "active"]).await?;
        let mut links = Vec::with_capacity(users.len());
        for user in &users {
            if !user.get::<bool>("active")? {
                return Err(Error::User(format!("{} is archived; restore him first", user.get_str("login"))));
            }
            links.push(make_link(env, user.id).await?);
        }
        hand_over(env, links).await
    })
}

/// Somebody who was made without a password is invited by mail.
fn invite<'a>(env: &'a mut Env, users: Records<'a>) -> Done<'a> {
    Box::pin(async move {
        if env.uid().is_none() || env.context().flag("no_reset_password") || !has_server(env).await? {
            return Ok(());
        }
        let fields = ["password_hash", "active", "email"];
        let found = env.sudo("who is invited").read(USERS, users.ids, &fields).await?;
        let mut links = Vec::new();
        for user in &found {
            let without = user.get_str("password_hash").is_empty() && !user.get_str("email").is_empty();
            if without && user.get::<bool>("active")? {
                links.push(make_link(env, user.id).await?);
            }
        }
        hand_over(env, links).await.map(drop)
    })
}

/// A link that was made and is to reach the person it is for.
struct Link {
    user: Id,
    /// Of this server.
    path: String,
    invitation: bool,
}

/// A new link for a user; what he had before ends.
async fn make_link(env: &mut Env, user: Id) -> Result<Link, Error> {
    let now = env.now();
    let mut env = env.sudo("a link to choose a password");
    let found = env.read(USERS, &[user], &["password_hash"]).await?;
    let invitation = found.first().is_none_or(|user| user.get_str("password_hash").is_empty());
    let before = env.search(LINKS, &domain!(["user", "=", user]), Search::default()).await?;
    env.unlink(LINKS, &before).await?;
    let token = random::<32>().map_err(|_| Error::User("no link could be made; try again".to_owned()))?;
    let token = BASE64URL_NOPAD.encode(&token);
    let values = values! {
        "token_hash" => token_hash(&token),
        "user" => user,
        "invitation" => invitation,
        "expires_at" => now + if invitation { INVITATION } else { RESET },
    };
    env.create(LINKS, values).await?;
    let page = if invitation { "signup" } else { "reset_password" };
    Ok(Link { user, path: format!("/web/{page}?token={token}"), invitation })
}

/// To the people they are for, by mail in their language. Who has no address, or where no mail goes out: to who asked
/// for them, to copy.
async fn hand_over(env: &mut Env, links: Vec<Link>) -> Result<Json, Error> {
    let by_mail = has_server(env).await? && !env.context().flag("copy_link");
    let inviter = env.uid();
    let mut env = env.sudo("links to their people");
    let base = setting(&mut env, BASE_URL).await?.unwrap_or_default();
    let inviter = match inviter {
        Some(uid) => {
            env.read(USERS, &[Id(uid.0)], &["name"]).await?.first().map(|user| user.get_str("name").to_owned())
        }
        None => None,
    };
    let (mut copied, mut sent) = (Vec::new(), Vec::new());
    for link in links {
        let found = env.read(USERS, &[link.user], &["login", "name", "email", "partner_id", "company_id.name"]).await?;
        let Some(user) = found.first() else { continue };
        let url = format!("{}{}", base.trim_end_matches('/'), link.path);
        let (login, company) = (user.get_str("login"), user.get_str("company_id.name"));
        if !by_mail || user.get_str("email").is_empty() {
            copied.push(json!({"login": login, "url": url}));
            continue;
        }
        let told = BTreeMap::from([
            ("ctx.name", user.get_str("name").to_owned()),
            ("ctx.login", login.to_owned()),
            ("ctx.company", company.to_owned()),
            ("ctx.inviter", inviter.clone().unwrap_or_else(|| company.to_owned())),
            ("ctx.link", url),
            ("ctx.url", base.clone()),
            ("ctx.days", (INVITATION.as_hours() / 24).to_string()),
            ("ctx.hours", RESET.as_hours().to_string()),
        ]);
        let template = if link.invitation { "mail.invitation_template" } else { "mail.reset_password_template" };
        let mail = queue_template(&mut env, template, user.get("partner_id")?, &told).await?;
        // A link that opens an account is not kept longer than it takes to send it.
        env.write("mail.mail", &[mail], values! { "auto_delete" => true }).await?;
        sent.push(login.to_owned());
    }
    if copied.is_empty() {
        let message = format!("Mail with a link was sent to {}.", sent.join(", "));
        let params = json!({"title": "Sent", "message": message, "type": "success", "sticky": false});
        return Ok(json!({"type": "ir.actions.client", "tag": "display_notification", "params": params}));
    }
    Ok(json!({"type": "ir.actions.client", "tag": "copy_links", "target": "new", "params": {"links": copied}}))
}

async fn setting(env: &mut Env, key: &str) -> Result<Option<String>, Error> {
    let mut env = env.sudo("a setting");
    let found =
        env.search_read("ir.config_parameter", &domain!(["key", "=", key]), &["value"], Search::default()).await?;
    Ok(found.first().map(|row| row.get_str("value").trim().to_owned()))
}

/// Whether people may ask for a new password by themselves; on unless it is switched off.
pub(crate) async fn may_reset(engine: &Engine) -> Result<bool, ServiceError> {
    let mut env = engine.superuser("whether passwords are reset").await?;
    let set = setting(&mut env, RESET_BY_ONESELF).await?;
    Ok(!set.is_some_and(|set| matches!(set.to_ascii_lowercase().as_str(), "false" | "0" | "")))
}

/// The same, and mail goes out.
pub(crate) async fn sends_resets(engine: &Engine) -> Result<bool, ServiceError> {
    Ok(may_reset(engine).await? && has_server(&mut engine.superuser("whether mail goes out").await?).await?)
}

/// Mails a link to who has this login, if somebody has. What is answered does not tell.
pub(crate) async fn ask_for_reset(
    engine: &Engine,
    sessions: &Sessions,
    login: &str,
    address: IpAddr,
) -> Result<(), ServiceError> {
    if !sends_resets(engine).await? {
        return Err(ServiceError::Forbidden(
            "passwords are not reset from this page: ask your administrator for a link".to_owned(),
        ));
    }
    sessions.attempt(address)?;
    // Each counts like a wrong password, so that nobody has many mails sent.
    sessions.tried(address, false);
    let mut env = engine.superuser("somebody forgot his password").await?;
    let who = domain!(["login", "=", login.trim()], ["active", "=", true], ["email", "!=", false]);
    let Some(user) = env.search(USERS, &who, Search::default()).await?.first().copied() else { return Ok(()) };
    let fresh = domain!(["user", "=", user], ["expires_at", ">", env.now() + RESET - ASK_AGAIN]);
    if env.count(LINKS, &fresh.and(domain!(["invitation", "=", false]))).await? > 0 {
        return Ok(());
    }
    let link = make_link(&mut env, user).await?;
    hand_over(&mut env, vec![link]).await?;
    audit(&mut env, "password_reset_asked", Some(Uid(user.0)), None, &format!("from {address}")).await?;
    env.commit().await?;
    Ok(())
}

fn token_hash(token: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(token.as_bytes()))
}

/// Whose link it is, while it lasts: (login, whether it is an invitation, fewest characters of a password).
pub(crate) async fn asked_by(engine: &Engine, token: &str) -> Result<Option<(String, bool, usize)>, ServiceError> {
    let mut env = engine.superuser("a link to choose a password").await?;
    let live = domain!(
        ["token_hash", "=", token_hash(token)],
        ["expires_at", ">", Timestamp::now()],
        ["user.active", "=", true]
    );
    let found = env.search_read(LINKS, &live, &["user.login", "invitation"], Search::default()).await?;
    let least = minimum(&mut env).await?;
    Ok(found.first().map(|row| (row.get_str("user.login").to_owned(), row.get("invitation").unwrap_or(false), least)))
}

/// The password that somebody chose by his link, which ends with it.
pub(crate) async fn choose(
    engine: &Engine,
    sessions: &Sessions,
    token: &str,
    password: &str,
    address: IpAddr,
) -> Result<Uid, ServiceError> {
    sessions.attempt(address)?;
    let mut env = engine.superuser("a password is chosen").await?;
    let hash = match hashed(&mut env, password.to_owned()).await {
        Err(Error::User(problem)) => return Err(ServiceError::Invalid(problem)),
        other => other?,
    };
    let live = domain!(
        ["token_hash", "=", token_hash(token)],
        ["expires_at", ">", Timestamp::now()],
        ["user.active", "=", true]
    );
    // Written first: of two who come with the same link at once one gets it.
    let taken = env.write_where(LINKS, &live, values! { "expires_at" => Timestamp::UNIX_EPOCH }).await?;
    let found = env.read(LINKS, &taken, &["user"]).await?;
    sessions.tried(address, !found.is_empty());
    let Some(link) = found.first() else {
        return Err(ServiceError::NotFound(
            "this link was used or has expired: ask your administrator for a new one".to_owned(),
        ));
    };
    let user: Id = link.get("user")?;
    env.write(USERS, &[user], values! { "password_hash" => hash }).await?;
    let uid = Uid(user.0);
    audit(&mut env, "password_chosen", Some(uid), None, &format!("by a link, from {address}")).await?;
    env.commit().await?;
    Ok(uid)
}
