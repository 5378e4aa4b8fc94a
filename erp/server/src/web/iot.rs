//! JSON for IoT pages and programs.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use link_protocol::ids::BoxId;
use serde::Deserialize;
use serde_json::json;

use super::guard;
use crate::{
    enrol::{PairError, PairedBox, PendingBox},
    error::ServiceError,
    events::EventRow,
    sessions::Session,
    state::AppState,
};

const EVENTS: usize = 200;

pub(super) async fn pending(
    State(state): State<AppState>,
    session: Session,
) -> Result<Json<Vec<PendingBox>>, ServiceError> {
    state.enrol.pending(session.uid).await.map(Json)
}

#[derive(Deserialize)]
pub(super) struct Connect {
    session: String,
    code: String,
}

pub(super) async fn connect(
    State(state): State<AppState>,
    session: Session,
    Json(body): Json<Connect>,
) -> Result<Json<PairedBox>, PairError> {
    state.enrol.pair(session.uid, &body.session, &body.code).await.map(Json)
}

impl IntoResponse for PairError {
    fn into_response(self) -> Response {
        let (status, word) = match self {
            Self::Service(error) => return error.into_response(),
            Self::NotACode => (StatusCode::UNPROCESSABLE_ENTITY, "not_a_code"),
            Self::WrongCode { .. } => (StatusCode::FORBIDDEN, "wrong_code"),
            Self::CodeVoid => (StatusCode::FORBIDDEN, "code_void"),
            Self::Gone => (StatusCode::GONE, "gone"),
            Self::NoAnswer => (StatusCode::GATEWAY_TIMEOUT, "no_answer"),
            Self::Busy => (StatusCode::CONFLICT, "busy"),
        };
        (status, Json(guard::error(word, &self.to_string()))).into_response()
    }
}

pub(super) async fn token(State(state): State<AppState>, session: Session) -> Result<Response, ServiceError> {
    let token = state.enrol.make_token(session.uid).await?;
    Ok(Json(json!({ "token": token })).into_response())
}

pub(super) async fn unpair(
    State(state): State<AppState>,
    session: Session,
    Path(box_id): Path<BoxId>,
) -> Result<StatusCode, ServiceError> {
    state.boxes.unpair(session.uid, &box_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
pub(super) struct Rename {
    name: String,
}

pub(super) async fn rename(
    State(state): State<AppState>,
    session: Session,
    Path(box_id): Path<BoxId>,
    Json(body): Json<Rename>,
) -> Result<Response, ServiceError> {
    let name = state.boxes.rename(session.uid, &box_id, &body.name).await?;
    Ok(Json(json!({ "name": name })).into_response())
}

#[derive(Deserialize)]
pub(super) struct Since {
    after: Option<i64>,
    limit: Option<usize>,
}

/// Oldest first from `after` on; without it the newest, newest first.
pub(super) async fn events(
    State(state): State<AppState>,
    session: Session,
    Query(since): Query<Since>,
) -> Result<Json<Vec<EventRow>>, ServiceError> {
    let limit = since.limit.unwrap_or(EVENTS);
    match since.after {
        Some(after) => state.events.after(session.uid, after, limit).await.map(Json),
        None => state.events.latest(session.uid, limit).await.map(Json),
    }
}
