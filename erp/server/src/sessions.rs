//! Who is signed in. Sessions are rows with a hashed token; what was looked up is remembered for a minute.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
    response::{IntoResponse, Response},
};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use erp_engine::{Domain, Engine, Id, Principal, Record, Search, Uid, domain, values};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::{access::audit, enrol::Limiter, error::ServiceError, rpc::Behalf, state::AppState, vault::random};

/// The cookie; its value is random and stored only as a hash.
pub const COOKIE: &str = "__Host-erp";
const LIFETIME: SignedDuration = SignedDuration::from_hours(14 * 24);
const REMEMBERED: Duration = Duration::from_secs(60);
const MOST_REMEMBERED: usize = 10_000;
/// Each takes 19 MB and a tenth of a second of one core.
const HASHES_AT_ONCE: usize = 2;
pub(crate) const LONGEST_PASSWORD: usize = 1024;

/// A signed-in person. As a handler's argument it refuses everybody else.
#[derive(Debug, Clone)]
pub struct Session {
    pub uid: Uid,
    pub login: String,
    pub name: String,
    /// What he may, as of this request.
    pub rights: Arc<Principal>,
    /// Works without any limit, until he signs out.
    pub superuser: bool,
    /// Developer mode: `1`, `assets` or `tests`; empty when it is off.
    pub debug: String,
    /// Goes into forms (`csrf_token`) and the header `X-CSRF-Token`.
    pub csrf: String,
}

/// The group whose users run the system: settings, boxes, apps.
pub const SYSTEM: &str = "base.group_system";

impl Session {
    pub fn is_admin(&self) -> bool {
        self.rights.has_group(SYSTEM)
    }

    /// With whose rights the session's calls are made.
    pub(crate) fn behalf(&self) -> Behalf {
        // Who was put out of the group works on as himself.
        let superuser = self.superuser && self.is_admin();
        Behalf { superuser, debug: !self.debug.is_empty(), ..Behalf::user(self.uid) }
    }

    /// For forms, which cannot send a header: refuses one that this session's pages did not make.
    pub fn check_csrf(&self, token: &str) -> Result<(), ServiceError> {
        // By their hashes, so that the time this takes tells nothing of the token.
        let hash = |text: &str| ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        match hash(token).as_ref() == hash(&self.csrf).as_ref() {
            true => Ok(()),
            false => Err(ServiceError::Forbidden("this form is too old: load the page again".to_owned())),
        }
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

struct Inner {
    engine: Engine,
    hashing: Semaphore,
    /// Verified for logins that do not exist, so that they take as long as others.
    decoy: String,
    known: Mutex<HashMap<String, (Session, Instant)>>,
    attempts: Mutex<Limiter>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions")
    }
}

/// argon2id, with its parameters and salt in the text.
pub fn hash_password(password: &str) -> Result<String, ServiceError> {
    let hash: PasswordHash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|e| ServiceError::internal(format!("argon2: {e}")))?;
    Ok(hash.to_string())
}

fn verify_password(password: &str, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
}

/// For code that has no [`Sessions`]; slow on purpose, on a thread of its own.
pub(crate) async fn is_password(password: String, hash: String) -> bool {
    if password.len() > LONGEST_PASSWORD {
        return false;
    }
    tokio::task::spawn_blocking(move || verify_password(&password, &hash)).await.unwrap_or(false)
}

fn hashed(cookie: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(cookie.as_bytes()))
}

impl Sessions {
    pub fn new(engine: Engine) -> Result<Self, ServiceError> {
        Ok(Self(Arc::new(Inner {
            engine,
            hashing: Semaphore::new(HASHES_AT_ONCE),
            decoy: hash_password("no such user")?,
            known: Mutex::default(),
            attempts: Mutex::default(),
        })))
    }

    fn attempts(&self) -> std::sync::MutexGuard<'_, Limiter> {
        self.0.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Session, Instant)>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the cookie's value and the session. After five failures an address waits longer and longer.
    pub async fn sign_in(
        &self,
        login: &str,
        password: &str,
        address: IpAddr,
    ) -> Result<(String, Session), ServiceError> {
        let address = address.to_canonical();
        self.attempts().attempt(Instant::now(), address).map_err(|wait_s| ServiceError::TooMany { wait_s })?;
        let mut env = self.0.engine.superuser("sign in").await?;
        let who = domain!(["login", "=", login], ["active", "=", true]);
        let found = env.search_read("res.users", &who, &["login", "name", "password_hash"], Search::default()).await?;
        drop(env);
        let user = found.first().filter(|u| !u.get_str("password_hash").is_empty());
        let hash = user.map_or_else(|| self.0.decoy.clone(), |u| u.get_str("password_hash").to_owned());
        let right = self.verify(password, hash).await?;
        let Some(user) = user.filter(|_| right) else {
            self.attempts().failed(Instant::now(), address);
            tracing::warn!(%address, "A sign-in failed.");
            return Err(ServiceError::Forbidden("login or password is wrong".to_owned()));
        };
        self.attempts().succeeded(Instant::now(), address);
        self.open(user, address, false).await
    }

    /// From now on this session works without any limit.
    pub(crate) async fn become_superuser(&self, cookie: &str, session: &Session) -> Result<(), ServiceError> {
        if !session.is_admin() {
            return Err(ServiceError::Forbidden("only users of Administration / Settings become superuser".to_owned()));
        }
        let hash = hashed(cookie);
        let mut env = self.0.engine.superuser("a session becomes superuser").await?;
        env.write_where("web.session", &domain!(["token_hash", "=", hash.as_str()]), values! { "superuser" => true })
            .await?;
        audit(&mut env, "became_superuser", Some(session.uid), None, &session.login).await?;
        env.commit().await?;
        tracing::warn!(login = %session.login, "A session became superuser.");
        self.known().remove(&hash);
        Ok(())
    }

    /// Turns developer mode on or off for a session, as long as it lasts.
    pub(crate) async fn set_debug(&self, cookie: &str, session: &mut Session, wish: &str) -> Result<(), ServiceError> {
        let mode = debug_mode(wish);
        if session.debug == mode {
            return Ok(());
        }
        let hash = hashed(cookie);
        let mut env = self.0.engine.superuser("developer mode of a session").await?;
        env.write_where("web.session", &domain!(["token_hash", "=", hash.as_str()]), values! { "debug" => mode })
            .await?;
        env.commit().await?;
        self.known().remove(&hash);
        mode.clone_into(&mut session.debug);
        Ok(())
    }

    /// Before a secret is looked at: too many wrong ones from an address make it wait.
    pub(crate) fn attempt(&self, address: IpAddr) -> Result<(), ServiceError> {
        self.attempts()
            .attempt(Instant::now(), address.to_canonical())
            .map_err(|wait_s| ServiceError::TooMany { wait_s })
    }

    /// How the attempt ended.
    pub(crate) fn tried(&self, address: IpAddr, right: bool) {
        let address = address.to_canonical();
        match right {
            true => self.attempts().succeeded(Instant::now(), address),
            false => {
                self.attempts().failed(Instant::now(), address);
                tracing::warn!(%address, "A sign-in failed.");
            }
        }
    }

    /// The active user of the domain, when the password is his.
    pub(crate) async fn verify_user(
        &self,
        who: Domain,
        password: &str,
        address: IpAddr,
    ) -> Result<Option<Uid>, ServiceError> {
        self.attempt(address)?;
        let mut env = self.0.engine.superuser("check a password").await?;
        let who = who.and(domain!(["active", "=", true]));
        let found = env.search_read("res.users", &who, &["password_hash"], Search::default()).await?;
        drop(env);
        let user = found.first().filter(|u| !u.get_str("password_hash").is_empty());
        let hash = user.map_or_else(|| self.0.decoy.clone(), |u| u.get_str("password_hash").to_owned());
        let right = self.verify(password, hash).await?;
        let user = user.filter(|_| right);
        self.tried(address, user.is_some());
        Ok(user.map(|user| Uid(user.id.0)))
    }

    /// A session for a user who proved who he is.
    pub(crate) async fn open_for(&self, uid: Uid, address: IpAddr) -> Result<(String, Session), ServiceError> {
        let mut env = self.0.engine.superuser("open a session").await?;
        let found = env.read("res.users", &[Id(uid.0)], &["login", "name"]).await?;
        drop(env);
        let user = found.first().ok_or(ServiceError::SignedOut)?;
        self.open(user, address.to_canonical(), false).await
    }

    async fn verify(&self, password: &str, hash: String) -> Result<bool, ServiceError> {
        if password.len() > LONGEST_PASSWORD {
            return Ok(false);
        }
        let _turn = self.0.hashing.acquire().await.map_err(ServiceError::internal)?;
        let password = password.to_owned();
        let verify = move || verify_password(&password, &hash);
        tokio::task::spawn_blocking(verify).await.map_err(ServiceError::internal)
    }

    async fn open(&self, user: &Record, address: IpAddr, superuser: bool) -> Result<(String, Session), ServiceError> {
        let token = || -> Result<String, ServiceError> {
            Ok(BASE64URL_NOPAD.encode(&random::<32>().map_err(ServiceError::internal)?))
        };
        let (cookie, csrf) = (token()?, token()?);
        let rights = self.0.engine.principal(Uid(user.id.0)).await?;
        let session = session(user, &csrf, rights, (superuser, ""));
        let mut env = self.0.engine.superuser("open a web session").await?;
        let now = Timestamp::now();
        let ended = env.search("web.session", &domain!(["expires_at", "<", now]), Search::default()).await?;
        if !ended.is_empty() {
            env.unlink("web.session", &ended).await?;
        }
        let values = values! {
            "token_hash" => hashed(&cookie),
            "csrf" => csrf,
            "user" => user.id,
            "expires_at" => now + LIFETIME,
            "address" => address.to_string(),
            "superuser" => superuser,
        };
        env.create("web.session", values).await?;
        audit(&mut env, "signed_in", Some(session.uid), None, &format!("{} from {address}", session.login)).await?;
        env.commit().await?;
        Ok((cookie, session))
    }

    /// `None`: no such session, or it has ended.
    pub async fn find(&self, cookie: &str) -> Result<Option<Session>, ServiceError> {
        let hash = hashed(cookie);
        let known = self.known().get(&hash).filter(|(_, since)| since.elapsed() < REMEMBERED).cloned();
        if let Some((session, _)) = known {
            // The same rights: nothing about any user has changed since.
            match self.0.engine.principal(session.uid).await {
                Ok(rights) if Arc::ptr_eq(&rights, &session.rights) => return Ok(Some(session)),
                _ => {}
            }
        }
        let mut env = self.0.engine.superuser("look up a web session").await?;
        let live = domain!(["token_hash", "=", hash.as_str()], ["expires_at", ">", Timestamp::now()]);
        let found =
            env.search_read("web.session", &live, &["user", "csrf", "superuser", "debug"], Search::default()).await?;
        let Some(row) = found.first() else {
            self.known().remove(&hash);
            return Ok(None);
        };
        let user: Id = row.get("user")?;
        let rights = match self.0.engine.principal(Uid(user.0)).await {
            Ok(rights) => rights,
            Err(erp_engine::Error::NoSuchUser(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let users = env.read("res.users", &[user], &["login", "name"]).await?;
        let Some(user) = users.first() else { return Ok(None) };
        let mode = (row.get("superuser").unwrap_or(false), row.get_str("debug"));
        let session = session(user, row.get_str("csrf"), rights, mode);
        let mut known = self.known();
        if known.len() >= MOST_REMEMBERED {
            known.clear();
        }
        known.insert(hash, (session.clone(), Instant::now()));
        Ok(Some(session))
    }

    pub async fn sign_out(&self, cookie: &str) -> Result<(), ServiceError> {
        let hash = hashed(cookie);
        self.known().remove(&hash);
        let mut env = self.0.engine.superuser("close a web session").await?;
        let mine = env.search("web.session", &domain!(["token_hash", "=", hash]), Search::default()).await?;
        env.unlink("web.session", &mine).await?;
        env.commit().await?;
        Ok(())
    }
}

fn session(user: &Record, csrf: &str, rights: Arc<Principal>, (superuser, debug): (bool, &str)) -> Session {
    Session {
        uid: rights.uid,
        login: user.get_str("login").to_owned(),
        name: user.get_str("name").to_owned(),
        rights,
        superuser,
        debug: debug.to_owned(),
        csrf: csrf.to_owned(),
    }
}

/// What `?debug=` of an address means; what is not known turns it on as any other word does.
fn debug_mode(wish: &str) -> &'static str {
    match wish {
        "" | "0" | "false" => "",
        "assets" => "assets",
        "tests" => "tests",
        "assets,tests" | "tests,assets" => "assets,tests",
        _ => "1",
    }
}

/// `Set-Cookie` for a new session, or for none.
pub(crate) fn set_cookie(value: Option<&str>) -> String {
    match value {
        Some(v) => {
            format!("{COOKIE}={v}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={}", LIFETIME.as_secs())
        }
        None => format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"),
    }
}

/// The cookie that API clients know. It opens the external API's session routes and nothing else.
const RPC_COOKIE: &str = "session_id";
const RPC_LIFETIME_S: u32 = 604_800;

/// `Set-Cookie` of the external API.
pub(crate) fn set_rpc_cookie(value: Option<&str>) -> String {
    let (value, age) = value.map_or(("", 0), |value| (value, RPC_LIFETIME_S));
    format!("{RPC_COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={age}")
}

/// The session of an API client: its cookie, the header that some send besides, or the pages' own cookie.
pub(crate) fn rpc_cookie(headers: &HeaderMap) -> Option<&str> {
    let sent = headers.get("x-openerp-session-id").and_then(|v| v.to_str().ok()).filter(|v| !v.is_empty());
    cookie_of(headers, RPC_COOKIE).filter(|v| !v.is_empty()).or(sent).or_else(|| cookie_of(headers, COOKIE))
}

impl FromRequestParts<AppState> for Session {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        // The guard has looked it up already where it had to.
        if let Some(session) = parts.extensions.get::<Session>() {
            return Ok(session.clone());
        }
        match find(parts, state).await {
            Ok(Some(session)) => Ok(session),
            Ok(None) => Err(ServiceError::SignedOut.into_response()),
            Err(e) => Err(e.into_response()),
        }
    }
}

pub(crate) async fn find(parts: &Parts, state: &AppState) -> Result<Option<Session>, ServiceError> {
    match cookie(parts) {
        Some(value) => state.sessions.find(value).await,
        None => Ok(None),
    }
}

pub(crate) async fn find_rpc(parts: &Parts, state: &AppState) -> Result<Option<Session>, ServiceError> {
    match rpc_cookie(&parts.headers) {
        Some(value) => state.sessions.find(value).await,
        None => Ok(None),
    }
}

pub(crate) fn cookie(parts: &Parts) -> Option<&str> {
    cookie_of(&parts.headers, COOKIE)
}

fn cookie_of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE);
    all.iter()
        .filter_map(|h| h.to_str().ok())
        .flat_map(|h| h.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_kept_as_argon2id_and_verified() {
        let hash = hash_password("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify_password("correct horse", &hash));
        assert!(!verify_password("correct hors", &hash));
        assert!(!verify_password("", "") && !verify_password("x", "plain"));
    }
}
