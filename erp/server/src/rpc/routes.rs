//! The external API's part of the server's table of routes, and the protocols around calls.

use axum::{
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, Method, StatusCode},
    response::Response,
    routing::{get, post},
};
use serde_json::Value;

use super::{
    Class, Fault, dataset,
    json::{self, Request, ServiceCall},
    json2, services, transfer, version,
    wire::{self, Whole},
    xml::{self, XmlError},
};
use crate::{
    state::AppState,
    web::{
        Capability::{Bearer, Credentials, Public, Rpc, User},
        Peer, Route, route,
    },
};

/// Bytes of a form that names what to export: the ids of a million records.
const EXPORT: usize = 16 << 20;

pub(crate) const ROUTES: &[Route] = &[
    route(Method::POST, "/xmlrpc/2/{service}", Credentials, || post(xml_with_numbers)),
    route(Method::POST, "/xmlrpc/{service}", Credentials, || post(xml_with_texts)),
    route(Method::POST, "/jsonrpc", Credentials, || post(jsonrpc)),
    route(Method::POST, "/web/session/authenticate", Credentials, || post(dataset::authenticate)),
    route(Method::POST, "/web/session/get_session_info", Rpc, || post(dataset::session_info)),
    route(Method::POST, "/web/session/check", Rpc, || post(dataset::check)),
    route(Method::POST, "/web/session/destroy", Rpc, || post(dataset::destroy)),
    route(Method::POST, "/web/dataset/call_kw", Rpc, || post(dataset::call_kw)),
    route(Method::POST, "/web/dataset/call_kw/{*path}", Rpc, || post(dataset::call_kw)),
    route(Method::POST, "/web/dataset/call_button", Rpc, || post(dataset::call_button)),
    route(Method::POST, "/web/dataset/call_button/{*path}", Rpc, || post(dataset::call_button)),
    route(Method::POST, "/web/dataset/call", Rpc, || post(dataset::call)),
    route(Method::POST, "/base_import/set_file", Rpc, || post(transfer::set_file).layer(DefaultBodyLimit::disable())),
    route(Method::GET, "/base_import/template/{model}", Rpc, || get(transfer::template)),
    route(Method::POST, "/web/export/formats", Rpc, || post(transfer::formats)),
    route(Method::POST, "/web/export/get_fields", Rpc, || post(transfer::get_fields)),
    route(Method::POST, "/web/export/namelist", Rpc, || post(transfer::namelist)),
    route(Method::POST, "/web/export/{format}", Rpc, || post(transfer::export).layer(DefaultBodyLimit::max(EXPORT))),
    route(Method::POST, "/web/webclient/version_info", Public, || post(dataset::version_info)),
    route(Method::GET, "/web/webclient/load_menus", User, || get(dataset::load_menus)),
    route(Method::GET, "/web/webclient/translations", Public, || get(dataset::translations)),
    route(Method::GET, "/web/webclient/translations/{hash}", Public, || get(dataset::translations)),
    // The last part changes with the menus, for browsers that keep what they got.
    route(Method::GET, "/web/webclient/load_menus/{hash}", User, || get(dataset::load_menus)),
    route(Method::GET, "/web/version", Public, || get(dataset::version)),
    route(Method::POST, "/web/database/list", Public, || post(dataset::databases)),
    route(Method::GET, "/web/binary/company_logo", Public, || get(dataset::company_logo)),
    route(Method::POST, "/json/2/{model}/{method}", Bearer, || post(json2::call)),
    route(Method::GET, "/json/2/openapi.json", Bearer, || get(json2::openapi)),
    route(Method::GET, "/doc-bearer/{file}", Bearer, || get(json2::document)),
];

/// `/jsonrpc`. Whatever the content type: credentials are in the body, no cookie is looked at.
async fn jsonrpc(State(state): State<AppState>, peer: Peer, body: Whole) -> Response {
    let Some(request) = Request::parse(&body.bytes) else { return wire::no_json() };
    let outcome = async {
        let call = ServiceCall::of(request.params)?;
        services::dispatch(&state, peer.0.ip(), &call.service, &call.method, call.args).await
    };
    answer(&state, &request.id, outcome.await).await
}

/// A JSON-RPC answer; the setting is read for failures only.
pub(super) async fn answer(state: &AppState, id: &Value, outcome: Result<Value, Fault>) -> Response {
    let plain = match &outcome {
        Ok(_) => 0,
        Err(_) => version(&state.engine).await.plain_error(),
    };
    wire::json(StatusCode::OK, json::answer(id, outcome.as_ref(), plain))
}

async fn xml_with_numbers(
    State(state): State<AppState>,
    peer: Peer,
    Path(service): Path<String>,
    body: Whole,
) -> Response {
    match xml_call(&state, peer, &service, &body).await {
        Ok(answer) => wire::xml(answer),
        Err(fault) => {
            let (code, text) = fault.number();
            wire::xml(xml::fault(&code, &text))
        }
    }
}

async fn xml_with_texts(
    State(state): State<AppState>,
    peer: Peer,
    Path(service): Path<String>,
    body: Whole,
) -> Response {
    match xml_call(&state, peer, &service, &body).await {
        Ok(answer) => wire::xml(answer),
        Err(fault) => {
            let (code, text) = fault.text();
            wire::xml(xml::fault(&code, &text))
        }
    }
}

async fn xml_call(state: &AppState, peer: Peer, service: &str, body: &Whole) -> Result<String, Fault> {
    let wrong = |error: XmlError| match error {
        XmlError::None => Fault::new(Class::TypeError, error.to_string()),
        other => Fault::new(Class::ValueError, other.to_string()),
    };
    let call = xml::parse_call(&body.bytes).map_err(wrong)?;
    let answer = services::dispatch(state, peer.0.ip(), service, &call.method, call.params).await?;
    xml::response(&answer).map_err(wrong)
}

/// For routes whose authority is a cookie: only what no page elsewhere can send without asking first.
pub(super) fn json_only(headers: &HeaderMap, body: &Whole) -> Result<Request, Box<Response>> {
    match wire::is_json(headers) {
        true => Request::parse(&body.bytes).ok_or_else(|| Box::new(wire::no_json())),
        false => Err(Box::new(wire::no_json())),
    }
}
