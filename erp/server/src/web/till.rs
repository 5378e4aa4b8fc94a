//! JSON for the till page.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use link_protocol::{
    down::CommandBody,
    ids::{BoxId, CommandId, DeviceId},
    local::SignedGrant,
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    commands::CommandStatus,
    error::ServiceError,
    sessions::Session,
    state::AppState,
    tills::{Sale, TillConfig},
};

const TTL_MS: u32 = 10_000;
/// Longest that a request for an outcome is held open.
const LONGEST_WAIT_S: u64 = 25;

pub(super) async fn config(State(state): State<AppState>, session: Session) -> Result<Json<TillConfig>, ServiceError> {
    state.tills.config(session.uid).await.map(Json)
}

#[derive(Deserialize)]
pub(super) struct Wish {
    #[serde(default)]
    command_id: Option<CommandId>,
    r#box: BoxId,
    device: DeviceId,
    #[serde(default)]
    ttl_ms: Option<u32>,
    #[serde(flatten)]
    body: CommandBody,
}

pub(super) async fn command(
    State(state): State<AppState>,
    session: Session,
    Json(wish): Json<Wish>,
) -> Result<Response, ServiceError> {
    let ttl = Duration::from_millis(wish.ttl_ms.unwrap_or(TTL_MS).into());
    let id = state.commands.issue(session.uid, &wish.r#box, &wish.device, wish.body, ttl, wish.command_id).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "command_id": id }))).into_response())
}

#[derive(Deserialize)]
pub(super) struct Wait {
    /// Seconds.
    #[serde(default)]
    wait: u64,
}

pub(super) async fn outcome(
    State(state): State<AppState>,
    session: Session,
    Path(id): Path<CommandId>,
    Query(wait): Query<Wait>,
) -> Result<Json<CommandStatus>, ServiceError> {
    let wait = Duration::from_secs(wait.wait.min(LONGEST_WAIT_S));
    state.commands.wait(session.uid, &id, wait).await.map(Json)
}

pub(super) async fn print(
    State(state): State<AppState>,
    session: Session,
    Json(sale): Json<Sale>,
) -> Result<Response, ServiceError> {
    let printed = state.tills.print(session.uid, sale).await?;
    Ok((StatusCode::ACCEPTED, Json(printed)).into_response())
}

#[derive(Deserialize)]
pub(super) struct GrantWish {
    r#box: BoxId,
    key: String,
}

/// The grant is for the page's own origin; a program without one gets it for the public address.
pub(super) async fn grant(
    State(state): State<AppState>,
    session: Session,
    headers: HeaderMap,
    Json(wish): Json<GrantWish>,
) -> Result<Json<SignedGrant>, ServiceError> {
    let origin = headers.get(header::ORIGIN).and_then(|o| o.to_str().ok()).unwrap_or(&state.config.public_url);
    state.tills.grant(session.uid, &wish.r#box, origin, &wish.key).await.map(Json)
}
