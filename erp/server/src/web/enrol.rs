//! The routes that boxes call before they belong to this ERP.

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use link_protocol::enrol::{Offer, Poll, Prove, TokenOffer};

use super::guard::{self, Peer};
use crate::{enrol::Refused, state::AppState};

/// The server CA, for people who want their browser to trust boxes and this server.
pub(super) async fn ca(State(state): State<AppState>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/x-pem-file"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"iot-ca.pem\""),
    ];
    (headers, state.ca.server_ca_pem().to_owned()).into_response()
}

pub(super) async fn offer(
    State(state): State<AppState>,
    peer: Peer,
    body: Result<Json<Offer>, JsonRejection>,
) -> Response {
    answer(body.map_err(|_| Refused::Malformed).and_then(|Json(offer)| state.enrol.offer(peer.0.ip(), offer)))
}

pub(super) async fn poll(State(state): State<AppState>, body: Result<Json<Poll>, JsonRejection>) -> Response {
    match body {
        Ok(Json(poll)) => Json(state.enrol.poll(&poll.session).await).into_response(),
        Err(_) => answer::<()>(Err(Refused::Malformed)),
    }
}

pub(super) async fn prove(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Result<Json<Prove>, JsonRejection>,
) -> Response {
    match body {
        Ok(Json(prove)) => answer(state.enrol.prove(guard::host(&headers), prove).await),
        Err(_) => answer::<()>(Err(Refused::Malformed)),
    }
}

pub(super) async fn token(
    State(state): State<AppState>,
    peer: Peer,
    headers: HeaderMap,
    body: Result<Json<TokenOffer>, JsonRejection>,
) -> Response {
    match body {
        Ok(Json(offer)) => answer(state.enrol.token(peer.0.ip(), guard::host(&headers), offer).await),
        Err(_) => answer::<()>(Err(Refused::Malformed)),
    }
}

fn answer<T: serde::Serialize>(outcome: Result<T, Refused>) -> Response {
    let refused = match outcome {
        Ok(body) => return Json(body).into_response(),
        Err(refused) => refused,
    };
    let (status, word) = match &refused {
        Refused::Version => (StatusCode::UNPROCESSABLE_ENTITY, "version"),
        Refused::Malformed => (StatusCode::BAD_REQUEST, "malformed"),
        Refused::Request(_) => (StatusCode::UNPROCESSABLE_ENTITY, "request"),
        Refused::Full => (StatusCode::SERVICE_UNAVAILABLE, "full"),
        Refused::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many"),
        Refused::Gone => (StatusCode::GONE, "gone"),
        Refused::WrongProof => (StatusCode::FORBIDDEN, "wrong_proof"),
        Refused::Token => (StatusCode::FORBIDDEN, "token"),
        Refused::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    };
    let mut response = (status, Json(guard::error(word, &refused.to_string()))).into_response();
    if let Refused::TooMany { wait_s } = refused {
        response.headers_mut().insert(header::RETRY_AFTER, wait_s.into());
    }
    response
}
