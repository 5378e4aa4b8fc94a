//! JSON-2: `POST /json/2/<model>/<method>` with an API key, arguments by name, HTTP's own status for failures. And its
//! documentation, for people and programs, of what the key's user may see.

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use erp_engine::Uid;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Class, Fault,
    execute::{Behalf, execute},
    version,
    wire::{self, Whole},
};
use crate::{state::AppState, web::Peer};

fn key(headers: &HeaderMap) -> Option<&str> {
    let sent = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim();
    let (scheme, key) = sent.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

async fn caller(state: &AppState, headers: &HeaderMap, peer: Peer) -> Result<Uid, Fault> {
    let denied = |text: &str| Fault::new(Class::AccessDenied, text);
    let key = key(headers).ok_or_else(|| denied("Use the header Authorization: bearer <API key>"))?;
    if let Some(asked) = headers.get("x-odoo-database")
        && asked.as_bytes() != state.config.db.as_str().as_bytes()
    {
        return Err(Fault::new(Class::NotFound, "this database does not exist"));
    }
    state.rpc.logins.bearer(key, peer.0.ip()).await
}

fn outcome(outcome: Result<impl Serialize, Fault>) -> Response {
    let written = outcome.and_then(|answer| {
        serde_json::to_vec(&answer).map_err(|error| Fault::new(Class::Internal, format!("no answer: {error}")))
    });
    match written {
        Ok(answer) => wire::json(StatusCode::OK, answer),
        Err(fault) => {
            let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            wire::json(status, fault.data().to_string().into_bytes())
        }
    }
}

pub(super) async fn call(
    State(state): State<AppState>,
    peer: Peer,
    headers: HeaderMap,
    Path((model, method)): Path<(String, String)>,
    body: Whole,
) -> Response {
    let uid = match caller(&state, &headers, peer).await {
        Ok(uid) => uid,
        Err(fault) => return outcome(Err::<Value, _>(fault)),
    };
    if !wire::is_json(&headers) {
        let text = "<!doctype html><title>415 Unsupported Media Type</title><h1>Unsupported Media Type</h1>\
                    <p>Send Content-Type: application/json.</p>";
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, Html(text)).into_response();
    }
    let named = match serde_json::from_slice::<Value>(&body.bytes) {
        Ok(Value::Object(named)) => named,
        _ => return wire::no_json(),
    };
    let answered = execute(&state.engine, Behalf::user(uid), &model, &method, Vec::new(), named).await;
    outcome(answered.map(|answer| match (method.as_str(), answer) {
        // Records are lists of ids here, one record as well.
        ("create", Value::Number(id)) => json!([id]),
        (_, answer) => answer,
    }))
}

/// `/doc-bearer/index.json` and `/doc-bearer/<model>.json`.
pub(super) async fn document(
    State(state): State<AppState>,
    peer: Peer,
    headers: HeaderMap,
    Path(file): Path<String>,
) -> Response {
    let begun = async {
        let uid = caller(&state, &headers, peer).await?;
        Ok::<_, Fault>(state.engine.begin(uid).await?)
    };
    let env = match begun.await {
        Ok(env) => env,
        Err(fault) => return outcome(Err::<Value, _>(fault)),
    };
    match file.strip_suffix(".json") {
        Some("index") => outcome(Ok(json!({"models": env.described_models(), "modules": env.registry().apps}))),
        Some(model) => outcome(env.described_model(model).map_err(Fault::from)),
        None => outcome(Err::<Value, _>(Fault::new(Class::NotFound, "404: Not Found"))),
    }
}

/// OpenAPI of JSON-2, made from the metadata as the key's user may see it.
pub(super) async fn openapi(State(state): State<AppState>, peer: Peer, headers: HeaderMap) -> Response {
    let document = async {
        let uid = caller(&state, &headers, peer).await?;
        let version = version(&state.engine).await.text();
        let env = state.engine.begin(uid).await?;
        let (paths, schemas) = env.openapi();
        Ok::<_, Fault>(json!({
            "openapi": "3.1.0",
            "info": {"title": state.config.erp_name, "version": version},
            "servers": [{"url": state.config.public_url}],
            "security": [{"key": []}],
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key"}},
                "responses": {"error": {
                    "description": "What went wrong",
                    "content": {"application/json": {"schema": {
                        "type": "object",
                        "properties": {
                            "name": {"type": "string"},
                            "message": {"type": "string"},
                            "arguments": {"type": "array"},
                            "context": {"type": "object"},
                            "debug": {"type": "string"},
                        },
                    }}},
                }},
            },
        }))
    };
    outcome(document.await)
}
