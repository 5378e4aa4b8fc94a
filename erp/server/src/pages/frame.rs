//! What all pages have in common: headers, errors in the page's own look, and who is signed in.

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderValue, Method, StatusCode, Uri, header, request::Parts},
    response::{Html, IntoResponse, Redirect, Response},
};
use maud::Markup;
use serde::Deserialize;

use super::view::{
    errors::{self, Trouble},
    layout::Who,
};
use crate::{error::ServiceError, sessions::Session, state::AppState};

/// A finished page.
pub(super) struct Page(pub Markup);

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = Html(self.0.into_string()).into_response();
        secure(&mut response);
        response
    }
}

/// An error as a page. Who is signed in is not known here; the frame shows the way to the apps.
pub(super) struct PageError(Trouble, Option<Who>);

impl PageError {
    pub(super) fn with(error: ServiceError, session: &Session) -> Self {
        Self(error.into(), Some(who(session)))
    }
}

impl From<ServiceError> for Trouble {
    fn from(error: ServiceError) -> Self {
        let status = error.status().as_u16();
        let words = sentence(&error.to_string());
        match error {
            ServiceError::NotFound(_) => Self { words, ..Self::not_found("") },
            ServiceError::Forbidden(_) => Self::forbidden(&words),
            ServiceError::Internal(source) => {
                tracing::error!(error = %source, "A page could not be made.");
                Self::internal()
            }
            _ => Self { status, title: "That did not work".to_owned(), words, company: String::new(), user: None },
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let trouble = Trouble { user: self.1, ..self.0 };
        let status = StatusCode::from_u16(trouble.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Page(errors::view(&trouble))).into_response()
    }
}

/// The server's fallback: a page for people, a JSON error for programs.
pub async fn not_found(State(state): State<AppState>, uri: Uri, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    if wants_page(&parts) {
        let session = Session::from_request_parts(&mut parts, &state).await.ok();
        let user = session.as_ref().map(who);
        return PageError(Trouble::not_found(uri.path()), user).into_response();
    }
    ServiceError::NotFound("nothing is at this address".to_owned()).into_response()
}

/// What people call this company; the database's name until there is one.
pub(super) async fn company(state: &AppState, session: &Session) -> String {
    match state.tills.shop(session.uid).await {
        Ok(name) if !name.is_empty() => name,
        _ => state.config.db.to_string(),
    }
}

pub(super) fn who(session: &Session) -> Who {
    Who {
        name: session.name.clone(),
        admin: session.is_admin(),
        superuser: session.superuser,
        csrf: session.csrf.clone(),
    }
}

/// Service errors are clauses ("there is no box"); on a page they stand alone.
pub(super) fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    let mut out: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    out.push_str(chars.as_str());
    if !out.ends_with(['.', '!', '?', '…']) {
        out.push('.');
    }
    out
}

/// `?fragment=1`: only the part of the page that changes.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Part {
    #[serde(default)]
    fragment: Option<String>,
}

impl Part {
    pub(super) fn only(&self) -> bool {
        self.fragment.is_some()
    }
}

fn wants_page(parts: &Parts) -> bool {
    let accepts = parts.headers.get(header::ACCEPT).and_then(|a| a.to_str().ok()).unwrap_or_default();
    parts.method == Method::GET && accepts.contains("text/html")
}

/// What the guard says instead of a page. Somebody who is not signed in comes back to the page he asked for.
pub fn refused(error: ServiceError, parts: &Parts, session: Option<&Session>) -> Response {
    if !matches!(error, ServiceError::SignedOut) {
        return PageError(error.into(), session.map(who)).into_response();
    }
    if !wants_page(parts) {
        return error.into_response();
    }
    match parts.uri.path_and_query().map_or("/", |p| p.as_str()) {
        "/" => Redirect::to("/web/login").into_response(),
        path => Redirect::to(&format!("/web/login?next={}", escape(path))).into_response(),
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~' | b'/') {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

/// A place to go after signing in: a path of this site and nothing else.
pub(super) fn safe_next(next: &str) -> &str {
    let ok = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t']);
    if ok { next } else { "/" }
}

/// No inline script or style, nothing from elsewhere, no frame around us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The till talks to boxes too: to the addresses they have told, and to no others.
pub(super) fn till_policy(origins: &[String]) -> String {
    let mut connect = String::from("connect-src 'self'");
    for origin in origins {
        if let Some(host) = origin.strip_prefix("https://") {
            connect.push_str(&format!(" https://{host} wss://{host}"));
        }
    }
    POLICY.replace("connect-src 'self'", &connect)
}

fn secure(response: &mut Response) {
    let headers = response.headers_mut();
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Not "no-referrer": forms would then be sent with "Origin: null" and be refused.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_signing_in_nobody_is_sent_to_another_site() {
        for bad in [
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "javascript:alert(1)",
            "",
            "/\t/evil.example",
        ] {
            assert_eq!(safe_next(bad), "/", "{bad}");
        }
        assert_eq!(safe_next("/iot/events?device=a%2Fb"), "/iot/events?device=a%2Fb");
    }

    #[test]
    fn the_till_may_talk_to_boxes_and_only_over_tls() {
        let policy = till_policy(&["https://192.168.1.4:8443".to_owned(), "http://192.168.1.5".to_owned()]);
        assert!(
            policy.contains("connect-src 'self' https://192.168.1.4:8443 wss://192.168.1.4:8443; form-action"),
            "{policy}"
        );
        assert!(!policy.contains("192.168.1.5"), "{policy}");
    }

    #[test]
    fn a_service_error_becomes_a_sentence() {
        assert_eq!(sentence("there is no box abc"), "There is no box abc.");
        assert_eq!(sentence("Why?"), "Why?");
    }
}
