//! Who is signed in.

use axum::{
    extract::FromRequestParts,
    http::{Method, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use serde::Serialize;

use crate::{
    error::ServiceError,
    state::{AppState, Uid},
};

/// The cookie; its value is random and stored only as a hash.
pub const COOKIE: &str = "__Host-erp";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    User,
    Admin,
}

/// A signed-in person. As a handler's argument it refuses everybody else: a page request is sent to `/web/login`,
/// anything else gets 401.
#[derive(Debug, Clone)]
pub struct Session {
    pub uid: Uid,
    pub login: String,
    pub name: String,
    pub role: Role,
    /// Goes into forms (`csrf_token`) and the header `X-CSRF-Token`.
    pub csrf: String,
}

impl Session {
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

#[derive(Debug, Clone)]
pub struct Sessions {}

impl Sessions {
    /// `None`: no such session, or it has ended.
    pub async fn find(&self, _cookie: &str) -> Result<Option<Session>, ServiceError> {
        Ok(None)
    }
}

impl FromRequestParts<AppState> for Session {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        match find(parts, state).await {
            Ok(Some(session)) => Ok(session),
            Ok(None) if wants_page(parts) => Err(Redirect::to("/web/login").into_response()),
            Ok(None) => Err(ServiceError::SignedOut.into_response()),
            Err(e) => Err(e.into_response()),
        }
    }
}

async fn find(parts: &Parts, state: &AppState) -> Result<Option<Session>, ServiceError> {
    match cookie(parts) {
        Some(value) => state.sessions.find(value).await,
        None => Ok(None),
    }
}

fn cookie(parts: &Parts) -> Option<&str> {
    let all = parts.headers.get_all(header::COOKIE);
    all.iter()
        .filter_map(|h| h.to_str().ok())
        .flat_map(|h| h.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
}

fn wants_page(parts: &Parts) -> bool {
    let accepts = parts.headers.get(header::ACCEPT).and_then(|a| a.to_str().ok()).unwrap_or_default();
    parts.method == Method::GET && accepts.contains("text/html")
}
