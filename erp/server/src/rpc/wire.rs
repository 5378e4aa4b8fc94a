//! Bodies in and out.

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::sync::OwnedSemaphorePermit;

use crate::state::AppState;

/// Files come as base64 inside a call.
const LARGEST: usize = 64 * 1024 * 1024;
const LARGE: usize = 1024 * 1024;

/// A whole body. Of large ones only a few are in memory at once.
pub(super) struct Whole {
    pub(super) bytes: Bytes,
    _permit: Option<OwnedSemaphorePermit>,
}

impl FromRequest<AppState> for Whole {
    type Rejection = Response;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Response> {
        let length = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
        let permit = match length {
            Some(length) if length > LARGEST => return Err(StatusCode::PAYLOAD_TOO_LARGE.into_response()),
            Some(length) if length <= LARGE => None,
            _ => state.rpc.large.clone().acquire_owned().await.ok(),
        };
        match to_bytes(request.into_body(), LARGEST).await {
            Ok(bytes) => Ok(Whole { bytes, _permit: permit }),
            Err(_) => Err(StatusCode::PAYLOAD_TOO_LARGE.into_response()),
        }
    }
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|t| t.to_str().ok()).unwrap_or_default();
    let sent = sent.split(';').next().unwrap_or_default().trim();
    sent.eq_ignore_ascii_case("application/json") || sent.eq_ignore_ascii_case("application/json-rpc")
}

pub(super) fn json(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], Body::from(body)).into_response()
}

pub(super) fn xml(body: String) -> Response {
    ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], body).into_response()
}

/// What is no JSON gets HTTP's answer, not an envelope.
pub(super) fn no_json() -> Response {
    (StatusCode::BAD_REQUEST, "Invalid JSON data").into_response()
}
