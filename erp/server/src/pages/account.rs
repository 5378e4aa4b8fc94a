//! Choosing a password by a link.

use std::net::IpAddr;

use axum::{
    Form,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    frame::{Page, sentence},
    view::account::{self, Account},
};
use crate::{accounts, error::ServiceError, sessions::set_cookie, state::AppState, web::Peer};

#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    token: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Chosen {
    token: String,
    password: String,
    again: String,
    /// Without a token: who wants a link.
    login: String,
}

async fn described(state: &AppState, token: &str) -> Result<Account, ServiceError> {
    let company = state.config.db.to_string();
    let Some((login, invitation, least)) = accounts::asked_by(&state.engine, token).await? else {
        let error = (!token.is_empty()).then(|| "This link was used or has expired.".to_owned());
        let asks = accounts::sends_resets(&state.engine).await?;
        return Ok(Account { company, error, asks, ..Account::default() });
    };
    Ok(Account { company, login: Some(login), invitation, token: token.to_owned(), least, ..Account::default() })
}

pub(super) async fn page(State(state): State<AppState>, Query(asked): Query<Asked>) -> Response {
    match described(&state, &asked.token).await {
        Ok(view) => Page(account::view(&view)).into_response(),
        Err(error) => error.into_response(),
    }
}

pub(super) async fn choose(State(state): State<AppState>, peer: Peer, Form(chosen): Form<Chosen>) -> Response {
    let address = peer.0.ip();
    if chosen.token.is_empty() {
        return ask(&state, &chosen.login, address).await;
    }
    let done = async {
        if chosen.password != chosen.again {
            return Err(ServiceError::Invalid("the two passwords are not the same: type them again".to_owned()));
        }
        let uid = accounts::choose(&state.engine, &state.sessions, &chosen.token, &chosen.password, address).await?;
        state.sessions.open_for(uid, address).await
    };
    let error = match done.await {
        Ok((cookie, _)) => {
            return ([(header::SET_COOKIE, set_cookie(Some(&cookie)))], Redirect::to("/")).into_response();
        }
        Err(error @ ServiceError::Internal(_)) => return error.into_response(),
        Err(error) => error,
    };
    let status = match error.status() {
        StatusCode::NOT_FOUND => StatusCode::GONE,
        status => status,
    };
    match described(&state, &chosen.token).await {
        Ok(view) => {
            let view = Account { error: Some(sentence(&error.to_string())), ..view };
            (status, Page(account::view(&view))).into_response()
        }
        Err(error) => error.into_response(),
    }
}

/// Whether there is such a login is not told.
async fn ask(state: &AppState, login: &str, address: IpAddr) -> Response {
    let asked = accounts::ask_for_reset(&state.engine, &state.sessions, login, address).await;
    let (status, remark, error) = match asked {
        Ok(()) => {
            let remark = "If there is an account with this login, a mail with a link is on its way to its address.";
            (StatusCode::OK, Some(remark.to_owned()), None)
        }
        Err(error @ ServiceError::Internal(_)) => return error.into_response(),
        Err(error) => (error.status(), None, Some(sentence(&error.to_string()))),
    };
    match described(state, "").await {
        Ok(view) => (status, Page(account::view(&Account { remark, error, ..view }))).into_response(),
        Err(error) => error.into_response(),
    }
}
