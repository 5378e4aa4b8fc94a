//! Who calls: a login with a password or an API key, checked once and then remembered for ten minutes.
//!
//! What is remembered is an HMAC of the secret, under a key made at the start. Everything that was remembered of a user
//! is forgotten with the commit that changes him, his groups or his keys: the engine's changes are looked at before
//! each answer.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use erp_engine::{Change, Engine, Id, Uid, domain};
use ring::hmac;
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use super::{Fault, keys};
use crate::{enrol::Limiter, error::ServiceError, sessions::Sessions, vault::random};

const REMEMBERED: Duration = Duration::from_secs(600);
const MOST_REMEMBERED: usize = 10_000;
/// Models whose records say who may come in.
const USERS: &str = "res.users";
const CREDENTIALS: &[&str] = &["res.groups", keys::MODEL];

type Tag = [u8; 32];

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Logins(Arc<Inner>);

struct Inner {
    engine: Engine,
    sessions: Sessions,
    key: hmac::Key,
    state: Mutex<State>,
}

struct State {
    known: HashMap<Tag, (Uid, Instant)>,
    changes: Receiver<Change>,
    /// Raised when something was forgotten: what was checked before and is remembered after would be out of date.
    age: u64,
    /// Failures by login, whatever address they come from.
    attempts: Limiter,
}

impl State {
    fn catch_up(&mut self) {
        loop {
            match self.changes.try_recv() {
                Ok(change) if &*change.model == USERS => {
                    self.age += 1;
                    self.known.retain(|_, (uid, _)| !change.ids.contains(&Id(uid.0)));
                }
                Ok(change) if CREDENTIALS.contains(&&*change.model) => self.forget(),
                Ok(_) => {}
                Err(TryRecvError::Lagged(_)) => self.forget(),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    fn forget(&mut self) {
        self.age += 1;
        self.known.clear();
    }
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Logins")
    }
}

/// How somebody says who he is.
#[derive(Clone, Copy)]
enum Who<'a> {
    Login(&'a str),
    User(Uid),
}

impl Logins {
    pub(crate) fn new(engine: Engine, sessions: Sessions) -> Result<Logins, ServiceError> {
        let key = random::<32>().map_err(ServiceError::internal)?;
        let state = State { known: HashMap::new(), changes: engine.changes(), age: 0, attempts: Limiter::default() };
        Ok(Logins(Arc::new(Inner {
            engine,
            sessions,
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            state: Mutex::new(state),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A login with a password or an API key; nothing when they do not fit.
    pub(crate) async fn login(&self, login: &str, secret: &str, address: IpAddr) -> Result<Option<Uid>, Fault> {
        self.verified(Who::Login(login), secret, address).await
    }

    /// Refuses a user's id with a secret that is not his.
    pub(crate) async fn check(&self, uid: Uid, secret: &str, address: IpAddr) -> Result<(), Fault> {
        match self.verified(Who::User(uid), secret, address).await? {
            Some(found) if found == uid => Ok(()),
            _ => Err(Fault::access_denied()),
        }
    }

    /// The user of an API key.
    pub(crate) async fn bearer(&self, key: &str, address: IpAddr) -> Result<Uid, Fault> {
        let tag = self.tag("key", "", key);
        let (known, age) = self.recall(&tag);
        if let Some(uid) = known {
            return Ok(uid);
        }
        self.0.sessions.attempt(address).map_err(refused)?;
        let found = keys::user_of(&self.0.engine, key).await.map_err(refused)?;
        self.0.sessions.tried(address, found.is_some());
        let uid = found.ok_or_else(|| Fault::new(super::Class::AccessDenied, "Invalid apikey"))?;
        self.remember(tag, uid, age);
        Ok(uid)
    }

    async fn verified(&self, who: Who<'_>, secret: &str, address: IpAddr) -> Result<Option<Uid>, Fault> {
        let name = match who {
            Who::Login(login) => format!("l{login}"),
            Who::User(uid) => format!("u{uid}"),
        };
        let tag = self.tag("secret", &name, secret);
        let (known, age) = self.recall(&tag);
        if known.is_some() {
            return Ok(known);
        }
        // Each takes the place of an address in a table of its own.
        let seat = IpAddr::V6(Ipv6Addr::from_bits(u128::from_be_bytes(first_half(&self.tag("login", &name, "")))));
        self.state().attempts.attempt(Instant::now(), seat).map_err(Fault::too_many)?;
        let found = self.verify(who, secret, address).await.map_err(refused)?;
        match found {
            Some(uid) => {
                self.state().attempts.succeeded(Instant::now(), seat);
                self.remember(tag, uid, age);
            }
            None => self.state().attempts.failed(Instant::now(), seat),
        }
        Ok(found)
    }

    async fn verify(&self, who: Who<'_>, secret: &str, address: IpAddr) -> Result<Option<Uid>, ServiceError> {
        if keys::looks_like(secret) {
            self.0.sessions.attempt(address)?;
            if let Some(uid) = keys::user_of(&self.0.engine, secret).await?
                && self.is(uid, who).await?
            {
                self.0.sessions.tried(address, true);
                return Ok(Some(uid));
            }
        }
        let who = match who {
            Who::Login(login) => domain!(["login", "=", login]),
            Who::User(uid) => domain!(["id", "=", Id(uid.0)]),
        };
        self.0.sessions.verify_user(who, secret, address).await
    }

    async fn is(&self, uid: Uid, who: Who<'_>) -> Result<bool, ServiceError> {
        match who {
            Who::User(other) => Ok(uid == other),
            Who::Login(login) => {
                let mut env = self.0.engine.superuser("whose key it is").await?;
                Ok(env.count(USERS, &domain!(["id", "=", Id(uid.0)], ["login", "=", login])).await? == 1)
            }
        }
    }

    fn recall(&self, tag: &Tag) -> (Option<Uid>, u64) {
        let mut state = self.state();
        state.catch_up();
        let known = state.known.get(tag).filter(|(_, since)| since.elapsed() < REMEMBERED).map(|(uid, _)| *uid);
        (known, state.age)
    }

    /// Unless something changed while it was checked.
    fn remember(&self, tag: Tag, uid: Uid, age: u64) {
        let mut state = self.state();
        state.catch_up();
        if state.age != age {
            return;
        }
        if state.known.len() >= MOST_REMEMBERED {
            state.known.clear();
        }
        state.known.insert(tag, (uid, Instant::now()));
    }

    /// The parts' lengths go in, so that no two sets of parts are one text.
    fn tag(&self, kind: &str, who: &str, secret: &str) -> Tag {
        let mut context = hmac::Context::with_key(&self.0.key);
        for part in [kind, who, secret] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }
}

fn first_half(tag: &Tag) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&tag[..16]);
    half
}

pub(super) fn refused(error: ServiceError) -> Fault {
    match error {
        ServiceError::TooMany { wait_s } => Fault::too_many(wait_s),
        ServiceError::Busy(error) => error.into(),
        ServiceError::Internal(source) => {
            tracing::error!(error = %source, "A login could not be checked.");
            Fault::new(super::Class::Internal, "the server could not do this; its log says why")
        }
        ServiceError::SignedOut => Fault::access_denied(),
        other => Fault::new(super::Class::UserError, other.to_string()),
    }
}
