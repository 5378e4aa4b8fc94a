//! The table of routes: these, the pages' ([`crate::pages::ROUTES`]) and the external API's (`rpc::ROUTES`). A route that is not in it does not exist.

use axum::{
    http::Method,
    routing::{MethodRouter, get, post},
};

use super::{enrol, iot, login, socket, till, watch};
use crate::{pages, rpc, state::AppState};

/// What a request must bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Nothing: it changes nothing and tells nothing secret.
    Public,
    /// A login and password in the request itself.
    Password,
    /// Login and password, or a key in their place, in the body of each request; no cookie is looked at.
    Credentials,
    /// An API key in the `Authorization` header; no cookie is looked at.
    Bearer,
    /// A session of an API client, in a JSON body that no page of another site can send. Without one the answer is the
    /// protocol's own.
    Rpc,
    /// Proofs of the enrolment protocol; no cookie is looked at.
    Enrolment,
    /// A session.
    User,
    /// A session of an administrator.
    Admin,
}

pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub capability: Capability,
    pub handler: fn() -> MethodRouter<AppState>,
}

pub(crate) const fn route(
    method: Method,
    path: &'static str,
    capability: Capability,
    handler: fn() -> MethodRouter<AppState>,
) -> Route {
    Route { method, path, capability, handler }
}

use Capability::{Admin, Enrolment, Password, Public, User};

const ROUTES: &[Route] = &[
    route(Method::GET, "/iot/v1/ca.pem", Public, || get(enrol::ca)),
    route(Method::POST, "/iot/v1/enrol/offer", Enrolment, || post(enrol::offer)),
    route(Method::POST, "/iot/v1/enrol/poll", Enrolment, || post(enrol::poll)),
    route(Method::POST, "/iot/v1/enrol/prove", Enrolment, || post(enrol::prove)),
    route(Method::POST, "/iot/v1/enrol/token", Enrolment, || post(enrol::token)),
    route(Method::GET, "/iot/pending", Admin, || get(iot::pending)),
    route(Method::POST, "/iot/connect", Admin, || post(iot::connect)),
    route(Method::POST, "/iot/token", Admin, || post(iot::token)),
    route(Method::POST, "/iot/box/{box}/unpair", Admin, || post(iot::unpair)),
    route(Method::POST, "/iot/box/{box}/rename", Admin, || post(iot::rename)),
    // Asked for as `/iot/events` by everybody who does not want the page of that name.
    route(Method::GET, "/iot/events.json", User, || get(iot::events)),
    route(Method::GET, "/till/events", User, || get(iot::events)),
    route(Method::POST, "/web/login", Password, || post(login::sign_in)),
    route(Method::POST, "/web/logout", User, || post(login::sign_out)),
    route(Method::POST, "/web/become_superuser", Admin, || post(login::become_superuser)),
    route(Method::GET, "/web/session", User, || get(login::session)),
    route(Method::GET, "/web/ws", User, || get(socket::open)),
    route(Method::GET, "/websocket", User, || get(watch::open)),
    route(Method::GET, "/till/config", User, || get(till::config)),
    route(Method::POST, "/till/command", User, || post(till::command)),
    route(Method::GET, "/till/command/{id}", User, || get(till::outcome)),
    route(Method::POST, "/till/print", User, || post(till::print)),
    route(Method::POST, "/till/grant", User, || post(till::grant)),
];

/// The whole table.
pub(super) fn all() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().chain(pages::ROUTES).chain(rpc::ROUTES)
}

/// The row of a request, by the path pattern that matched.
pub(super) fn find(method: &Method, pattern: &str) -> Option<&'static Route> {
    all().find(|r| r.path == pattern && (r.method == method || r.method == Method::GET && method == Method::HEAD))
}

/// Whether what matched is a page, so that a refusal looks like one.
pub(super) fn is_page(method: &Method, pattern: &str) -> bool {
    pages::ROUTES.iter().any(|r| r.path == pattern && r.method == method)
}
