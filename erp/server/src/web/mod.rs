//! HTTP: routes, what each needs, and the guard before all of them.

mod enrol;
mod guard;
mod iot;
mod login;
mod routes;
mod socket;
mod till;
mod watch;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{Method, Uri, header},
    middleware::from_fn_with_state,
};
use tower::ServiceBuilder;

use crate::state::AppState;

pub(crate) use guard::Peer;
pub(crate) use routes::route;
pub use routes::{Capability, Route};

/// Largest request body; receipts with pictures come as commands of 200 kB at most.
const BODY_LIMIT: usize = 512 * 1024;

/// Everything the server answers.
pub fn router(state: AppState) -> Router {
    crate::pages::prepare();
    let all = routes::all()
        .fold(Router::new(), |router, route| router.route(route.path, (route.handler)()))
        .fallback(crate::pages::not_found)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(state.clone(), guard::guard))
        .with_state(state);
    Router::new().fallback_service(ServiceBuilder::new().map_request(programs_get_json).service(all))
}

/// `/iot/events` is a page to people and JSON to programs.
fn programs_get_json(mut request: Request) -> Request {
    let page =
        request.headers().get(header::ACCEPT).and_then(|a| a.to_str().ok()).is_some_and(|a| a.contains("text/html"));
    if request.method() == Method::GET && request.uri().path() == "/iot/events" && !page {
        let query = request.uri().query().map(|q| format!("?{q}")).unwrap_or_default();
        if let Ok(uri) = format!("/iot/events.json{query}").parse::<Uri>() {
            *request.uri_mut() = uri;
        }
    }
    request
}

#[cfg(test)]
mod tests;
