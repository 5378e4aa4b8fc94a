use axum::{
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    frame::{Page, safe_next},
    view::login::{self, Login},
};
use crate::{accounts, sessions::Session, state::AppState};

#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    next: String,
    /// Present after signing out.
    out: Option<String>,
    /// `1` in developer mode.
    #[serde(default)]
    debug: String,
}

pub(super) async fn page(
    State(state): State<AppState>,
    session: Result<Session, Response>,
    Query(asked): Query<Asked>,
) -> Response {
    let next = safe_next(&asked.next);
    if session.is_ok() {
        return Redirect::to(next).into_response();
    }
    let view = Login {
        company: state.config.db.to_string(),
        remark: asked.out.map(|_| "You are signed out.".to_owned()),
        next: next.to_owned(),
        debug: !matches!(asked.debug.as_str(), "" | "0"),
        reset: offers_reset(&state).await,
        ..Login::default()
    };
    Page(login::view(&view)).into_response()
}

/// The page again, after a form that failed.
pub async fn failed(state: &AppState, error: String, login: String, next: &str) -> Response {
    let view = Login {
        company: state.config.db.to_string(),
        error: Some(super::frame::sentence(&error)),
        login,
        next: safe_next(next).to_owned(),
        reset: offers_reset(state).await,
        ..Login::default()
    };
    Page(login::view(&view)).into_response()
}

/// The page is shown whatever the database says.
async fn offers_reset(state: &AppState) -> bool {
    accounts::may_reset(&state.engine).await.unwrap_or(false)
}
