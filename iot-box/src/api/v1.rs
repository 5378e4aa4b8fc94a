//! Hello, challenge and token: what comes before the WebSocket.

use std::time::Instant;

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
};
use link_protocol::{
    VERSION,
    local::{Challenge, Hello, Token, TokenRequest},
};

use super::{
    grant,
    guard::{Refusal, text},
    tokens::TOKEN_LIFE,
};
use crate::app::{App, random};

pub(super) async fn hello(State(app): State<App>) -> Json<Hello> {
    Json(Hello {
        v: VERSION,
        box_id: app.box_id.clone(),
        name: app.link.box_name(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        paired: app.link.store.current().is_some(),
    })
}

fn no_random(error: crate::app::NoRandom) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "no_random", error.to_string())
}

pub(super) async fn challenge(State(app): State<App>) -> Result<Json<Challenge>, Refusal> {
    let random = random().map_err(no_random)?;
    Ok(Json(Challenge { nonce: app.doors().nonces.issue(Instant::now(), random) }))
}

pub(super) async fn token(
    State(app): State<App>,
    headers: HeaderMap,
    request: Result<Json<TokenRequest>, JsonRejection>,
) -> Result<Json<Token>, Refusal> {
    let refused = |error, message: String| Refusal::new(StatusCode::FORBIDDEN, error, message);
    let Json(request) =
        request.map_err(|e| Refusal::new(StatusCode::BAD_REQUEST, "bad_request", format!("{}.", e.body_text())))?;
    let Some(pairing) = app.link.store.current() else {
        return Err(refused("not_paired", "The box is not paired with an ERP.".to_owned()));
    };
    let stale = || refused("stale_challenge", "The challenge is too old or was used: ask for another.".to_owned());
    let random = random().map_err(no_random)?;
    let now = Instant::now();
    let nonce = app.doors().nonces.check(now, &request.nonce).ok_or_else(stale)?;
    let facts = grant::Facts {
        box_id: &app.box_id,
        grant_key: &pairing.grant.grant_key,
        origin: text(&headers, &header::ORIGIN),
        latest_ms: app.router.outbox().latest_time_ms(),
    };
    let till = grant::verify(&request, facts).map_err(|error| {
        tracing::info!(%error, "till was refused a token");
        refused("grant_refused", error.to_string())
    })?;
    let mut doors = app.doors();
    if !doors.nonces.spend(now, nonce) {
        return Err(stale());
    }
    tracing::info!(grant.id = till.grant_id, "till got a token");
    let token = doors.tokens.issue(now, random, till);
    Ok(Json(Token { token, expires_in_s: u32::try_from(TOKEN_LIFE.as_secs()).unwrap_or(u32::MAX) }))
}
