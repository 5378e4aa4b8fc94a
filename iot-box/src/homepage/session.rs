//! Technicians who signed in: a cookie against a row in memory. A restart of the box signs everybody out.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use data_encoding::BASE64URL_NOPAD;

use crate::app::App;

/// Sent over TLS only, for this host only.
const COOKIE: &str = "__Host-technician";
/// Signed out after so long without a request.
const IDLE: Duration = Duration::from_secs(30 * 60);
const SESSIONS: usize = 32;

/// What the next page says of the last request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Flash {
    Good(String),
    Bad(String),
}

#[derive(Debug)]
struct Session {
    seen: Instant,
    flash: Option<Flash>,
}

#[derive(Debug, Default)]
pub(crate) struct Sessions(HashMap<String, Session>);

impl Sessions {
    pub(crate) fn begin(&mut self, now: Instant, random: [u8; 32]) -> String {
        self.0.retain(|_, s| now.saturating_duration_since(s.seen) < IDLE);
        if self.0.len() >= SESSIONS {
            let oldest = self.0.iter().min_by_key(|(_, s)| s.seen).map(|(token, _)| token.clone());
            if let Some(token) = oldest {
                self.0.remove(&token);
            }
        }
        let token = BASE64URL_NOPAD.encode(&random);
        self.0.insert(token.clone(), Session { seen: now, flash: None });
        token
    }

    /// Whether this is a session; it lives on from now.
    pub(crate) fn touch(&mut self, now: Instant, token: &str) -> bool {
        match self.0.get_mut(token) {
            Some(session) if now.saturating_duration_since(session.seen) < IDLE => {
                session.seen = now;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn end(&mut self, token: &str) {
        self.0.remove(token);
    }

    pub(crate) fn say(&mut self, token: &str, flash: Flash) {
        if let Some(session) = self.0.get_mut(token) {
            session.flash = Some(flash);
        }
    }

    pub(crate) fn take_flash(&mut self, token: &str) -> Option<Flash> {
        self.0.get_mut(token)?.flash.take()
    }
}

pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let mut pairs = all.flat_map(|v| v.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

pub(super) fn set_cookie(token: &str) -> String {
    format!("{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict")
}

pub(super) fn clear_cookie() -> String {
    format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
}

/// A handler that takes this cannot run for anybody else.
pub(crate) struct Technician {
    pub(super) token: String,
}

impl FromRequestParts<App> for Technician {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        match cookie(&parts.headers) {
            Some(token) if app.doors().sessions.touch(Instant::now(), token) => Ok(Self { token: token.to_owned() }),
            _ => Err((StatusCode::UNAUTHORIZED, super::session_over()).into_response()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_idle_or_signed_out() {
        let mut sessions = Sessions::default();
        let now = Instant::now();
        let token = sessions.begin(now, [1; 32]);
        assert!(sessions.touch(now + IDLE - Duration::from_secs(1), &token));
        assert!(sessions.touch(now + IDLE, &token), "a request keeps it alive");
        assert!(!sessions.touch(now + IDLE * 3, &token));
        let token = sessions.begin(now, [2; 32]);
        sessions.end(&token);
        assert!(!sessions.touch(now, &token));
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "a=1; __Host-technician=tok; b=2".parse().unwrap());
        assert_eq!(cookie(&headers), Some("tok"));
        headers.insert(header::COOKIE, "x__Host-technician=tok".parse().unwrap());
        assert_eq!(cookie(&headers), None);
    }
}
