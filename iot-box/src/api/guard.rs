//! What every request passes: `Host` and `Origin` checked exactly, the route's capability, and headers that keep a
//! browser strict.

use axum::{
    Json,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, Method as HttpMethod, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use link_protocol::local::ErrorBody;

use super::{Method, Needs, listener::Connection};
use crate::{app::App, homepage};

/// Why a request of a program is refused: a word for programs and a sentence for people.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) error: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, error: &'static str, message: impl Into<String>) -> Self {
        Self { status, error, message: message.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(ErrorBody { error: self.error.to_owned(), message: self.message })).into_response()
    }
}

pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> &'a str {
    headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
}

/// Around everything: is this box meant, and may that page talk to it?
pub(crate) async fn entrance(
    State(app): State<App>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let host = text(request.headers(), &header::HOST).to_owned();
    let pairing = app.link.store.current();
    if !app.link.names.borrow().is_own_host(&host, connection.local, &app.link.certificate_names()) {
        let message = "This address is not one of the box's own. Use one of those on its ticket or screen.";
        return finish(Refusal::new(StatusCode::MISDIRECTED_REQUEST, "wrong_host", message).into_response(), None);
    }
    let origin = text(request.headers(), &header::ORIGIN).to_owned();
    let own = origin == format!("https://{host}");
    let allowed = pairing.as_ref().is_some_and(|p| p.grant.origins.contains(&origin));
    let program = request.uri().path().starts_with("/v1/");
    let welcome = origin.is_empty() || own || (program && allowed);
    if !welcome {
        let message = "Pages of this address may not talk to the box: it is paired with another ERP, or with none.";
        return finish(Refusal::new(StatusCode::FORBIDDEN, "wrong_origin", message).into_response(), None);
    }
    let cors = (program && allowed).then_some(origin);
    if program && request.method() == HttpMethod::OPTIONS {
        let private = request.headers().contains_key("access-control-request-private-network");
        return finish(preflight(private), cors);
    }
    finish(next.run(request).await, cors)
}

fn preflight(private_network: bool) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    if private_network {
        headers.insert("access-control-allow-private-network", HeaderValue::from_static("true"));
    }
    response
}

/// No inline script, no foreign resource, no frame, nothing kept in caches.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

fn finish(mut response: Response, cors: Option<String>) -> Response {
    let headers = response.headers_mut();
    let set = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::VARY, "Origin"),
    ];
    for (name, value) in set {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(origin) = cors.and_then(|o| HeaderValue::from_str(&o).ok()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response
}

/// Around one route: does the request bring what the route needs? What travels in the body or in the first frame is
/// checked where that is read.
pub(crate) async fn capability(
    State((app, needs, method)): State<(App, Needs, Method)>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    match needs {
        Needs::Nothing | Needs::Grant => {}
        Needs::Token => {
            // A browser always says where a WebSocket comes from.
            if headers.get(header::ORIGIN).is_none() {
                return Refusal::new(StatusCode::FORBIDDEN, "no_origin", "The request names no Origin.")
                    .into_response();
            }
        }
        Needs::Screen => {
            if !connection.peer.ip().to_canonical().is_loopback() {
                return homepage::message(
                    StatusCode::FORBIDDEN,
                    "Only on the box's own screen",
                    "This page is for a screen attached to the box. On any other device sign in with the technician password.",
                );
            }
        }
        Needs::Password => {
            if let Some(refused) = foreign_page(headers) {
                return refused;
            }
        }
        Needs::Technician => {
            if method == Method::Post
                && let Some(refused) = foreign_page(headers)
            {
                return refused;
            }
            let token = homepage::session::cookie(headers);
            let known = token.is_some_and(|t| app.doors().sessions.touch(std::time::Instant::now(), t));
            if !known {
                return (StatusCode::UNAUTHORIZED, homepage::session_over()).into_response();
            }
        }
    }
    next.run(request).await
}

/// A form that was not sent from our own page.
fn foreign_page(headers: &HeaderMap) -> Option<Response> {
    let own = format!("https://{}", text(headers, &header::HOST));
    if text(headers, &header::ORIGIN) == own {
        return None;
    }
    Some(homepage::message(
        StatusCode::FORBIDDEN,
        "Not from this page",
        "The request was not made on the box's own page. Open the box's page and try again.",
    ))
}
