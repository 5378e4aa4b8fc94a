use axum::{
    extract::State,
    response::{IntoResponse, Response},
};

use super::{
    frame::{Page, PageError, company, who},
    view::home::{self, Home},
};
use crate::{sessions::Session, state::AppState};

pub(super) async fn page(State(state): State<AppState>, session: Session) -> Response {
    let boxes = match state.boxes.list(session.uid).await {
        Ok(boxes) => boxes,
        Err(error) => return PageError::with(error, &session).into_response(),
    };
    let paired: Vec<_> = boxes.iter().filter(|b| b.state != crate::boxes::PairingState::Unpaired).collect();
    let online: Vec<_> = paired.iter().filter(|b| b.online).collect();
    let ready = online.iter().flat_map(|b| &b.devices).filter(|d| d.status == "ready").count();
    let view = Home {
        company: company(&state, &session).await,
        user: who(&session),
        boxes: paired.len(),
        boxes_online: online.len(),
        devices: paired.iter().map(|b| b.devices.len()).sum(),
        devices_ready: ready,
    };
    Page(home::view(&view)).into_response()
}
