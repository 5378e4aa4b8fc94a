use axum::{
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use link_protocol::enrol::CODE_TRIES;

use super::{
    frame::{Page, PageError, Part, company, who},
    view::connect::{self, Connect, PendingView},
};
use crate::{enrol::PendingBox, sessions::Session, state::AppState};

pub(super) async fn page(State(state): State<AppState>, session: Session, Query(part): Query<Part>) -> Response {
    let user = who(&session);
    let pending = if user.admin {
        match state.enrol.pending(session.uid).await {
            Ok(pending) => pending,
            Err(error) => return PageError::with(error, &session).into_response(),
        }
    } else {
        Vec::new()
    };
    let now = Timestamp::now();
    let view = Connect {
        company: company(&state, &session).await,
        user,
        erp_url: state.config.public_url.clone(),
        pending: pending.iter().map(|b| waiting(b, now)).collect(),
    };
    Page(if part.only() { connect::pending(&view.pending) } else { connect::view(&view) }).into_response()
}

fn waiting(b: &PendingBox, now: Timestamp) -> PendingView {
    PendingView {
        session: b.session.clone(),
        serial: b.serial.clone(),
        name: b.name.clone(),
        address: b.address.clone(),
        since_s: u64::try_from(now.duration_since(b.since).as_secs()).unwrap_or(0),
        tries_left: CODE_TRIES.saturating_sub(b.tries),
    }
}
