//! Before every handler: is the request meant for us, may its sender do this, and what browsers are told.
//!
//! * `Host` must be one of our names (else a page elsewhere could reach us under its own name);
//! * a request that changes something must come from one of our pages (`Origin`), or, from a program, carry the
//!   session's `X-CSRF-Token`;
//! * the route's row in the table says who may.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use ring::digest;

use super::routes::{self, Capability};
use crate::{
    error::ServiceError,
    sessions::{self, Session},
    state::AppState,
};

/// For answers that are no pages; pages bring their own.
const CSP: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) async fn guard(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let pattern = parts.extensions.get::<MatchedPath>().map(|m| m.as_str().to_owned());
    let mut response = match check(&mut parts, &state, pattern.as_deref()).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(error) if pattern.as_deref().is_some_and(|p| routes::is_page(&parts.method, p)) => {
            crate::pages::refused(error, &parts, parts.extensions.get::<Session>())
        }
        Err(error) => error.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not "no-referrer": with it browsers send `Origin: null` with forms.
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn check(parts: &mut Parts, state: &AppState, pattern: Option<&str>) -> Result<(), ServiceError> {
    let route = pattern.and_then(|p| routes::find(&parts.method, p));
    let capability = route.map(|r| r.capability);
    // Boxes may come by an address that this computer does not know itself by; they have no cookie to lose.
    let anywhere = [Capability::Enrolment, Capability::Public, Capability::Credentials, Capability::Bearer];
    if !capability.is_some_and(|capability| anywhere.contains(&capability)) {
        check_host(parts, state)?;
    }
    match capability {
        // No cookie is looked at: what they need is in the request itself.
        Some(Capability::Enrolment | Capability::Credentials | Capability::Bearer) => return Ok(()),
        Some(Capability::Rpc) => {
            check_source(parts, state)?;
            if let Some(mut session) = sessions::find_rpc(parts, state).await? {
                if let Some(cookie) = sessions::rpc_cookie(&parts.headers) {
                    developer_mode(parts, state, cookie, &mut session).await?;
                }
                parts.extensions.insert::<Session>(session);
            }
            return Ok(());
        }
        _ => {}
    }
    let mut session = sessions::find(parts, state).await?;
    if let (Some(session), Some(cookie)) = (&mut session, sessions::cookie(parts)) {
        developer_mode(parts, state, cookie, session).await?;
    }
    // What is public changes nothing, whoever asks.
    let asks = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if !asks && capability != Some(Capability::Public) {
        check_origin(parts, state, session.as_ref())?;
    }
    let admin = session.as_ref().map(Session::is_admin);
    if let Some(session) = session {
        parts.extensions.insert::<Session>(session);
    }
    match (capability, admin) {
        (Some(Capability::User | Capability::Admin), None) => Err(ServiceError::SignedOut),
        (Some(Capability::Admin), Some(false)) => {
            Err(ServiceError::Forbidden("only administrators may do this".to_owned()))
        }
        _ => Ok(()),
    }
}

/// `?debug=1` in the address of a page: it changes what this person is shown and nothing else.
async fn developer_mode(
    parts: &Parts,
    state: &AppState,
    cookie: &str,
    session: &mut Session,
) -> Result<(), ServiceError> {
    let query = parts.uri.query().filter(|_| parts.method == Method::GET).unwrap_or_default();
    match query.split('&').find_map(|pair| pair.strip_prefix("debug=")) {
        Some(wish) => state.sessions.set_debug(cookie, session, &wish.replace("%2C", ",")).await,
        None => Ok(()),
    }
}

fn check_host(parts: &Parts, state: &AppState) -> Result<(), ServiceError> {
    let host = host(&parts.headers);
    if state.config.is_our_host(host) {
        return Ok(());
    }
    Err(ServiceError::WrongHost(format!(
        "this server is not called {host}; open {} or start it with --public-url https://{host}",
        state.config.public_url
    )))
}

/// Refuses what a page of another site sends. Says whether it came from one of ours; else no browser sent it.
fn check_source(parts: &Parts, state: &AppState) -> Result<bool, ServiceError> {
    let refused = || Err(ServiceError::Forbidden("this request comes from a page of another site".to_owned()));
    if let Some(origin) = parts.headers.get(header::ORIGIN) {
        return match origin.to_str() {
            Ok(origin) if state.config.is_our_origin(origin) => Ok(true),
            _ => refused(),
        };
    }
    if parts.headers.get("sec-fetch-site").is_some_and(|s| s != "same-origin") {
        return refused();
    }
    Ok(false)
}

fn check_origin(parts: &Parts, state: &AppState, session: Option<&Session>) -> Result<(), ServiceError> {
    let refused = |text: &str| Err(ServiceError::Forbidden(text.to_owned()));
    if check_source(parts, state)? {
        return Ok(());
    }
    match session {
        // Without a session there is nothing to misuse: signing in needs the password.
        None => Ok(()),
        Some(session) => {
            let token = parts.headers.get("x-csrf-token").map_or(&b""[..], HeaderValue::as_bytes);
            if same(token, session.csrf.as_bytes()) {
                Ok(())
            } else {
                refused("send Origin, or the session's csrf value (GET /web/session) as X-CSRF-Token")
            }
        }
    }
}

/// Compares digests, so that time tells nothing of the secret.
fn same(a: &[u8], b: &[u8]) -> bool {
    digest::digest(&digest::SHA256, a).as_ref() == digest::digest(&digest::SHA256, b).as_ref()
}

pub(super) fn host(headers: &HeaderMap) -> &str {
    headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default()
}

pub(super) fn error(word: &str, message: &str) -> link_protocol::local::ErrorBody {
    link_protocol::local::ErrorBody { error: word.to_owned(), message: message.to_owned() }
}

/// The caller's address, as the port saw it.
pub(crate) type Peer = ConnectInfo<SocketAddr>;
