use axum::{
    Form,
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect, Response},
};
use jiff::{Timestamp, ToSpan};
use link_protocol::ids::BoxId;
use serde::Deserialize;

use super::{
    devices::row as device_row,
    frame::{Page, PageError, Part, company, sentence, who},
    view::boxes::{self, BoxPage, BoxState, BoxView, Boxes},
};
use crate::{
    boxes::{BoxRow, PairingState},
    error::ServiceError,
    sessions::Session,
    state::AppState,
};

pub(super) async fn list(State(state): State<AppState>, session: Session, Query(part): Query<Part>) -> Response {
    let rows = match state.boxes.list(session.uid).await {
        Ok(rows) => rows,
        Err(error) => return PageError::with(error, &session).into_response(),
    };
    let view =
        Boxes { company: company(&state, &session).await, user: who(&session), boxes: rows.iter().map(card).collect() };
    Page(if part.only() { boxes::fragment(&view) } else { boxes::view(&view) }).into_response()
}

pub(super) async fn one(
    State(state): State<AppState>,
    session: Session,
    Path(box_id): Path<String>,
    Query(part): Query<Part>,
) -> Response {
    match read(&state, &session, &box_id, None).await {
        Ok(view) => Page(if part.only() { boxes::one_fragment(&view) } else { boxes::one(&view) }).into_response(),
        Err(error) => PageError::with(error, &session).into_response(),
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Rename {
    name: String,
    csrf_token: String,
}

pub(super) async fn rename(
    State(state): State<AppState>,
    session: Session,
    Path(box_id): Path<String>,
    Form(form): Form<Rename>,
) -> Response {
    let done = async {
        session.check_csrf(&form.csrf_token)?;
        state.boxes.rename(session.uid, &parse(&box_id)?, &form.name).await.map(drop)
    };
    back(done.await, &state, &session, &box_id).await
}

#[derive(Debug, Deserialize)]
pub(super) struct Unpair {
    csrf_token: String,
}

pub(super) async fn unpair(
    State(state): State<AppState>,
    session: Session,
    Path(box_id): Path<String>,
    Form(form): Form<Unpair>,
) -> Response {
    let done = async {
        session.check_csrf(&form.csrf_token)?;
        state.boxes.unpair(session.uid, &parse(&box_id)?).await
    };
    back(done.await, &state, &session, &box_id).await
}

/// To the box's page, which says what went wrong if something did.
async fn back(done: Result<(), ServiceError>, state: &AppState, session: &Session, box_id: &str) -> Response {
    let error = match done {
        Ok(()) => return Redirect::to(&format!("/iot/boxes/{box_id}")).into_response(),
        Err(error) => error,
    };
    let status = error.status();
    match read(state, session, box_id, Some(sentence(&error.to_string()))).await {
        Ok(view) => (status, Page(boxes::one(&view))).into_response(),
        Err(_) => PageError::with(error, session).into_response(),
    }
}

async fn read(
    state: &AppState,
    session: &Session,
    box_id: &str,
    error: Option<String>,
) -> Result<BoxPage, ServiceError> {
    let row = state.boxes.get(session.uid, &parse(box_id)?).await?;
    Ok(BoxPage {
        company: company(state, session).await,
        user: who(session),
        it: card(&row),
        devices: row.devices.iter().map(|d| device_row(&row, d)).collect(),
        error,
    })
}

fn parse(box_id: &str) -> Result<BoxId, ServiceError> {
    box_id.parse().map_err(|_| ServiceError::NotFound("there is no such box".to_owned()))
}

fn card(b: &BoxRow) -> BoxView {
    let state = match (b.state, b.online) {
        (PairingState::Unpaired, _) => BoxState::Unpaired,
        (_, true) => BoxState::Online,
        (_, false) => BoxState::Offline,
    };
    let attention = b.devices.iter().filter(|d| !matches!(d.status.as_str(), "ready" | "connecting" | "unclaimed"));
    let soon = Timestamp::now().checked_add((24 * 14).hours()).unwrap_or(Timestamp::MAX);
    BoxView {
        name: b.name.clone(),
        state,
        since: b.last_seen,
        serial: b.serial.clone(),
        version: b.version.clone(),
        box_id: b.box_id.to_string(),
        urls: b.urls.iter().filter(|url| url.starts_with("https://")).cloned().collect(),
        devices: b.devices.len(),
        // Of a box that is away nothing newer is known than that it is away.
        attention: if state == BoxState::Online { attention.count() } else { 0 },
        unsent: b.unsent,
        outbox_full: b.outbox_full,
        certificate_ends: b.certificate_not_after,
        certificate_worry: b.certificate_not_after.is_some_and(|at| at < soon),
        message: if b.message.is_empty() { String::new() } else { sentence(&b.message) },
    }
}
